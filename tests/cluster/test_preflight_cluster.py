"""`main.py preflight` against a real API server: a healthy environment, and everything that can be wrong around one."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest

from convexctl.preflight.check import Check, Status
from convexctl.preflight.cluster import base_questions, kind_questions, reference_questions
from convexctl.preflight.edge import edge_questions
from convexctl.preflight.pods import pod_questions
from convexctl.preflight.secrets import SecretChecks
from convexctl.preflight.volumes import volume_questions
from convexctl.synth.environment import synthesise
from convexctl.tools.kubectl import Kubectl
from tests.support.certificates import Authority
from tests.support.control_plane import ControlPlane
from tests.support.overlay_cases import environment_of, overlay_of
from tests.support.preflight_setting import (
    ACCESS_KEY_ID,
    ADMIN_KEY,
    BASE64_SECRET,
    INSTANCE_SECRET,
    OTHER_INSTANCE_SECRET,
    PASSWORD,
    SECRET_ACCESS_KEY,
    Setting,
    asked,
    failures,
)

URL = f"postgresql://convex:{PASSWORD}@db.example.com:5432"
DATABASE = {"DATABASE_URL": URL, "INSTANCE_NAME": "convex-prod", "INSTANCE_SECRET": INSTANCE_SECRET}
S3 = {
    "AWS_ACCESS_KEY_ID": ACCESS_KEY_ID,
    "AWS_SECRET_ACCESS_KEY": SECRET_ACCESS_KEY,
    "AWS_REGION": "eu-central-1",
    "AWS_ENDPOINT": "https://s3.example.com",
}
CERTIFICATE = Authority().issue("api.example.com")
TLS = {"tls.crt": CERTIFICATE.pem.decode(), "tls.key": CERTIFICATE.key_pem.decode()}

POSTGRES_SECRET, S3_SECRET, ADMIN_SECRET = "convex-postgres-secret", "convex-s3-credentials", "convex-secrets"

SQLITE = "s3: {enabled: false}"
"""No Secret is needed, and no volume."""
HEALTHY = """
postgres: {enabled: true, caSecret: convex-ca}
s3: {bucket: convex-files}
dashboard: {image: {tag: 652b828b5129e6cdbcaa3c20efa8d116d09ff3bf}}
backend:
  image: {tag: 652b828b5129e6cdbcaa3c20efa8d116d09ff3bf}
  serviceAccountName: convex
  envFrom: [{configMapRef: {name: convex-extra}}, {secretRef: {name: convex-more}}]
  persistence: {enabled: true, storageClassName: fast}
imagePullSecrets: [{name: registry}]
ingress:
  enabled: true
  className: traefik
  dashboard: {host: dashboard.example.com}
  backend: {host: api.example.com}
  tls: [{secretName: convex-tls, hosts: [dashboard.example.com, api.example.com]}]
"""


@pytest.fixture
def setting(
    cluster: ControlPlane,
    namespace: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> Setting:
    return Setting(cluster, namespace, tmp_path, capsys, monkeypatch)


def storage_class(setting: Setting, name: str, mode: str = "Immediate", **options: Any) -> AbstractContextManager[None]:
    return setting.there(
        "storage.k8s.io/v1",
        "StorageClass",
        name,
        provisioner="example.com/none",
        volumeBindingMode=mode,
        **options,
    )


def ingress_class(setting: Setting, name: str, **options: Any) -> AbstractContextManager[None]:
    spec = {"controller": "example.com/ingress"}
    return setting.there("networking.k8s.io/v1", "IngressClass", name, spec=spec, **options)


def test_a_healthy_environment_is_ok_in_every_line(setting: Setting) -> None:
    where = ("--namespace", setting.namespace)
    setting.cluster.kubectl("create", "serviceaccount", "convex", *where)
    setting.cluster.kubectl("create", "configmap", "convex-extra", *where)
    setting.secret("convex-more", {"ANYTHING": PASSWORD})
    setting.secret(POSTGRES_SECRET, DATABASE)
    setting.secret(S3_SECRET, S3)
    setting.secret(ADMIN_SECRET, {"CONVEX_SELF_HOSTED_ADMIN_KEY": ADMIN_KEY})
    setting.secret("convex-ca", {"ca.crt": Authority().pem.decode()})
    setting.secret("convex-tls", TLS, type="kubernetes.io/tls")
    login = {"auths": {"registry.example.com": {"auth": PASSWORD}}}
    pull = {".dockerconfigjson": json.dumps(login)}
    setting.secret("registry", pull, type="kubernetes.io/dockerconfigjson")
    with storage_class(setting, "fast"), ingress_class(setting, "traefik"):
        done = setting.preflight(HEALTHY)
    assert done.code == 0
    assert done.stderr == f"preflight of test (namespace {setting.namespace}, context test)\n"
    assert (
        re.sub(r"v1\.\d+\.\d+\S*", "v1.x", done.stdout)
        == f"""\
ok       cluster                             Kubernetes v1.x
ok       namespace                           {setting.namespace}
ok       pod security                        baseline is enforced
ok       overlay                             nothing of another overlay has the names of test
ok       service account convex              there
ok       config map convex-extra             there
ok       secret convex-postgres-secret       there, with DATABASE_URL, INSTANCE_NAME, INSTANCE_SECRET
ok       secret convex-s3-credentials        there, with {", ".join(S3)}
ok       secret convex-secrets               there, with CONVEX_SELF_HOSTED_ADMIN_KEY
ok       secret convex-more                  there
ok       secret convex-ca                    there, with ca.crt
ok       secret registry                     there, with .dockerconfigjson
ok       secret convex-tls                   there, with tls.crt, tls.key
ok       volume claim data-convex-backend-0  not there yet: the first start makes it
ok       storage class                       fast
ok       ingress class                       traefik
ok       public hosts                        nobody else serves api.example.com or dashboard.example.com
ok       other backends                      no other one runs in this namespace
ok       pod convex-backend                  the API server would admit it
ok       pod convex-dashboard                the API server would admit it
20 ok
"""
    )


def test_a_failure_stands_in_one_line_with_its_remedy_and_the_exit_code_is_1(setting: Setting) -> None:
    done = setting.preflight("{postgres: {enabled: true}, s3: {enabled: false}}")
    assert done.code == 1
    (line,) = [line for line in done.stdout.splitlines() if line.startswith("failed")]
    assert line == (
        "failed   secret convex-postgres-secret  there is none of that name -> "
        f"python3 main.py secrets test --apply --namespace={setting.namespace}"
    )
    assert done.stdout.endswith("\n8 ok, 1 failed\n")


def test_what_another_overlay_made_under_the_same_names_fails(setting: Setting) -> None:
    annotations = {"convex-k8s/overlay": "production"}
    with setting.there("v1", "ConfigMap", "convex-config", annotations=annotations):
        check = setting.checks(SQLITE)["overlay"]
        assert "configmap/convex-config" in check.detail
        assert "was made from the overlay production, and not from test" in check.detail
        setting.cluster.run("bash", "-c", check.remedy.partition("new name: ")[2])
        assert setting.checks(SQLITE)["overlay"].status is Status.OK


def test_json_is_for_programs(setting: Setting) -> None:
    done = setting.preflight("{postgres: {enabled: true}, s3: {enabled: false}}", "--format=json")
    result = json.loads(done.stdout)
    assert (result["overlay"], result["ok"]) == ("test", False)
    assert result["checks"][1] == {"name": "namespace", "status": "ok", "detail": setting.namespace, "remedy": ""}


def test_remedies_lead_to_the_place_that_was_checked(setting: Setting) -> None:
    done = setting.preflight("{postgres: {enabled: true}, s3: {enabled: false}}", "--context", "test")
    assert f"secrets test --apply --context=test --namespace={setting.namespace}\n" in done.stdout


def test_a_cluster_that_does_not_answer_fails_and_the_rest_is_skipped(
    setting: Setting, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    nowhere = tmp_path / "kubeconfig"
    nowhere.write_text(re.sub(r"127\.0\.0\.1:\d+", "127.0.0.1:1", setting.cluster.kubeconfig.read_text()))
    monkeypatch.setenv("KUBECONFIG", str(nowhere))
    checks = setting.checks(HEALTHY)
    assert failures(checks) == ["cluster"]
    assert "127.0.0.1:1" in checks["cluster"].detail
    others = [check for check in checks.values() if check.name != "cluster"]
    assert {(check.status, check.detail) for check in others} == {(Status.SKIPPED, "rests on `cluster`")}


def test_without_kubectl_the_cluster_check_says_so(setting: Setting, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    check = setting.checks(SQLITE)["cluster"]
    assert check.detail == "kubectl is not installed, or not on PATH"
    assert check.remedy.startswith("see https://kubernetes.io/")


@pytest.mark.parametrize(
    ("version", "fails"),
    [("v1.26.15", True), ("v1.27.0", False), ("v1.31.2-gke.1", False), ("v2.0.0", False)],
)
def test_a_server_that_is_too_old_for_the_manifests(
    setting: Setting, monkeypatch: pytest.MonkeyPatch, version: str, fails: bool
) -> None:
    monkeypatch.setattr(Kubectl, "server_version", lambda self: version)
    check = asked(base_questions(setting.kubectl, ""))["cluster"]
    assert (check.status is Status.FAILED) == fails
    assert check.remedy == ("upgrade it to 1.27 or newer" if fails else "")


def test_a_namespace_that_is_not_there(setting: Setting) -> None:
    checks = setting.checks("{postgres: {enabled: true}, s3: {enabled: false}}", namespace="nowhere")
    assert failures(checks) == ["namespace"]
    assert checks["namespace"].detail == "there is no namespace nowhere"
    assert checks["namespace"].remedy == "kubectl create namespace nowhere"
    assert checks["secret convex-postgres-secret"].detail == "rests on `namespace`"


def test_a_namespace_that_the_overlay_makes_itself(setting: Setting) -> None:
    overlay = "{namespace: nowhere, createNamespace: true, s3: {enabled: false}}"
    check = setting.checks(overlay, namespace="nowhere")["namespace"]
    assert check.remedy == "kubectl apply -f dist/test/Namespace"


def test_a_namespace_that_is_being_deleted(setting: Setting) -> None:
    name = setting.cluster.namespace()
    keep = {"metadata": {"name": "keep", "finalizers": ["example.com/keep"]}}
    setting.cluster.create("v1", "ConfigMap", keep, name)
    setting.cluster.kubectl("delete", "namespace", name, "--wait=false")
    check = asked(base_questions(Kubectl("", name), "make it"))["namespace"]
    assert (check.status, check.remedy) == (Status.FAILED, "wait until it is gone, then make it")
    setting.cluster.kubectl(
        "patch", "configmap", "keep", "--namespace", name, "--type=merge", '--patch={"metadata":{"finalizers":null}}'
    )


@pytest.mark.parametrize(
    ("level", "status", "detail"),
    [
        ("restricted", Status.FAILED, "enforces restricted, which refuses the backend: its image runs as root"),
        ("baseline", Status.OK, "baseline is enforced"),
        ("privileged", Status.OK, "privileged is enforced"),
        ("", Status.OK, "no level is set here"),
    ],
    ids=["restricted", "baseline", "privileged", "none"],
)
def test_the_pod_security_level_of_the_namespace(setting: Setting, level: str, status: Status, detail: str) -> None:
    label = f"pod-security.kubernetes.io/enforce{f'={level}' if level else '-'}"
    setting.cluster.kubectl("label", "namespace", setting.namespace, label, "--overwrite")
    check = asked(base_questions(setting.kubectl, ""))["pod security"]
    assert check.status is status
    assert detail in check.detail
    if status is Status.FAILED:
        setting.cluster.run(*check.remedy.split())
        assert asked(base_questions(setting.kubectl, ""))["pod security"].status is Status.OK


def secret_checks(setting: Setting, overlay: str) -> dict[str, Check]:
    return asked(SecretChecks(environment_of(overlay), setting.kubectl).questions())


POSTGRES = "{postgres: {enabled: true}, s3: {enabled: false}}"


@pytest.mark.parametrize(
    ("key", "value", "problem"),
    [
        pytest.param("DATABASE_URL", None, "it has no key DATABASE_URL", id="missing key"),
        pytest.param("DATABASE_URL", "", "DATABASE_URL: it is empty", id="empty"),
        pytest.param("DATABASE_URL", f"{URL}/convex", "DATABASE_URL: it names a database", id="database in the URL"),
        pytest.param("DATABASE_URL", f"{URL}\n", "DATABASE_URL: it has a line break at its end", id="made by echo"),
        pytest.param(
            "DATABASE_URL", f"postgresql://{PASSWORD}:x/y@db:5432", "an unescaped `/`", id="unescaped password"
        ),
        pytest.param("DATABASE_URL", f"mysql://u:{PASSWORD}@db", "it is a URL of MySQL", id="another engine"),
        pytest.param("INSTANCE_NAME", "a|b", "INSTANCE_NAME: it must not have `:` or `|`", id="instance name"),
        pytest.param("INSTANCE_SECRET", BASE64_SECRET, "INSTANCE_SECRET: it is base64", id="base64 secret"),
    ],
)
def test_a_wrong_value_is_judged_and_not_shown(setting: Setting, key: str, value: str | None, problem: str) -> None:
    values = {**DATABASE, key: value} if value is not None else {k: v for k, v in DATABASE.items() if k != key}
    setting.secret(POSTGRES_SECRET, {k: v for k, v in values.items() if v is not None})
    check = secret_checks(setting, POSTGRES)["secret convex-postgres-secret"]
    assert check.status is Status.FAILED
    assert problem in check.detail
    assert check.remedy == f"python3 main.py secrets test --apply --namespace={setting.namespace}"


def test_all_problems_of_a_secret_stand_in_its_line(setting: Setting) -> None:
    setting.secret(S3_SECRET, {"AWS_ACCESS_KEY_ID": "a/b=", "AWS_REGION": "", "AWS_ENDPOINT": "s3.example.com"})
    check = secret_checks(setting, "s3: {bucket: files}")["secret convex-s3-credentials"]
    problems = check.detail.split("; ")
    assert [problem.split(":")[0] for problem in problems if re.match("it has no key|AWS_", problem)] == [
        "AWS_ACCESS_KEY_ID",
        "it has no key AWS_SECRET_ACCESS_KEY",
        "AWS_REGION",
        "AWS_ENDPOINT",
    ]


def test_a_key_of_another_name_is_pointed_out(setting: Setting) -> None:
    region = S3["AWS_REGION"]
    others = {key: value for key, value in S3.items() if key != "AWS_REGION"}
    setting.secret(S3_SECRET, {**others, "AWS_S3_REGION": region})
    check = secret_checks(setting, "s3: {bucket: files}")["secret convex-s3-credentials"]
    assert check.detail == "it has no key AWS_REGION, but AWS_S3_REGION: name that one under s3.keys"
    check = secret_checks(setting, "s3: {bucket: files, keys: {region: AWS_S3_REGION}}")["secret convex-s3-credentials"]
    assert check.status is Status.OK


def test_an_optional_key_may_be_missing(setting: Setting) -> None:
    setting.secret(S3_SECRET, {key: value for key, value in S3.items() if key != "AWS_ENDPOINT"})
    check = secret_checks(setting, "s3: {bucket: files}")["secret convex-s3-credentials"]
    assert (check.status, "AWS_ENDPOINT" in check.detail) == (Status.OK, False)


def test_an_optional_secret_may_be_missing(setting: Setting) -> None:
    check = secret_checks(setting, SQLITE)["secret convex-secrets"]
    assert (check.status, check.detail) == (Status.OK, "not there, and everything starts without it")


@pytest.mark.parametrize(
    ("secret", "fits"), [(INSTANCE_SECRET, True), (OTHER_INSTANCE_SECRET, False)], ids=["its own", "another one"]
)
def test_an_admin_key_must_belong_to_the_instance(setting: Setting, secret: str, fits: bool) -> None:
    setting.secret(POSTGRES_SECRET, {**DATABASE, "INSTANCE_SECRET": secret})
    setting.secret(ADMIN_SECRET, {"CONVEX_SELF_HOSTED_ADMIN_KEY": ADMIN_KEY})
    checks = secret_checks(setting, POSTGRES)
    assert failures(checks) == ([] if fits else ["secret convex-secrets"])


@pytest.mark.parametrize(
    ("overlay", "name", "values", "problem", "remedy"),
    [
        pytest.param(
            "{postgres: {enabled: true, caSecret: convex-ca}, s3: {enabled: false}}",
            "convex-ca",
            {"ca.crt": "no certificate"},
            "ca.crt: the file holds no certificate",
            "python3 main.py secrets test --apply",
            id="CA certificate",
        ),
        pytest.param(
            "{imagePullSecrets: [{name: registry}], s3: {enabled: false}}",
            "registry",
            {".dockerconfigjson": "{}"},
            ".dockerconfigjson: the file is not one that `docker login` writes",
            "python3 main.py secrets test --apply",
            id="image registry",
        ),
        pytest.param(
            "{imagePullSecrets: [{name: registry}], s3: {enabled: false}}",
            "registry",
            {"password": PASSWORD},
            "it has no key .dockerconfigjson",
            "python3 main.py secrets test --apply",
            id="image registry of another form",
        ),
        pytest.param(
            "{imagePullSecrets: [{name: registry}], s3: {enabled: false}}",
            "registry",
            {".dockerconfigjson": json.dumps({"auths": {"registry.example.com": {"auth": PASSWORD}}})},
            "its type is Opaque, and the kubelet reads kubernetes.io/dockerconfigjson alone",
            "python3 main.py secrets test --apply",
            id="image registry of another type",
        ),
        pytest.param(
            HEALTHY,
            "convex-tls",
            {"tls.crt": TLS["tls.crt"]},
            "it has no key tls.key",
            "kubectl create secret tls convex-tls --cert=FILE --key=FILE",
            id="certificate without its key",
        ),
        pytest.param(
            HEALTHY,
            "convex-more",
            None,
            "there is none of that name",
            "kubectl create secret generic convex-more --from-env-file=FILE",
            id="further variables",
        ),
        pytest.param(
            HEALTHY,
            "convex-tls",
            None,
            "there is none of that name",
            "kubectl create secret tls convex-tls --cert=FILE --key=FILE",
            id="no certificate",
        ),
    ],
)
def test_other_secrets(
    setting: Setting, overlay: str, name: str, values: dict[str, str] | None, problem: str, remedy: str
) -> None:
    if values:
        setting.secret(name, values)
    check = secret_checks(setting, overlay)[f"secret {name}"]
    assert check.status is Status.FAILED
    assert problem in check.detail
    assert check.remedy.startswith(remedy)


EXTERNAL = """
postgres: {enabled: true}
s3: {enabled: false}
secrets: {provider: external-secrets, externalSecrets: {storeName: vault}}
"""
SEALED = "{postgres: {enabled: true}, s3: {enabled: false}, secrets: {provider: sealed-secrets}}"
BOOTSTRAP = "{instance: {name: convex-prod}, s3: {enabled: false}, secrets: {provider: bootstrap}}"


def external_checks(setting: Setting) -> dict[str, Check]:
    environment = environment_of(EXTERNAL)
    manifests = environment.manifests
    questions = [*kind_questions(manifests, setting.kubectl), *reference_questions(manifests, setting.kubectl)]
    return asked([*questions, *SecretChecks(environment, setting.kubectl).questions()])


def test_a_kind_that_the_cluster_does_not_have(setting: Setting) -> None:
    checks = external_checks(setting)
    assert failures(checks) == ["kind ExternalSecret"]
    assert checks["kind ExternalSecret"].detail == "the cluster has no ExternalSecret in external-secrets.io/v1"
    assert "install External Secrets Operator" in checks["kind ExternalSecret"].remedy
    assert checks["cluster secret store vault"].detail == "rests on `kind ExternalSecret`"


def test_a_kind_in_another_version_is_not_enough(setting: Setting) -> None:
    with setting.kind("external-secrets.io", "ExternalSecret", scope="Namespaced", version="v1beta1"):
        assert failures(external_checks(setting)) == ["kind ExternalSecret"]


MADE = "postgres: {enabled: true, cloudNativePG: {cluster: db, create: {storage: {size: 1Gi}}}}\n"


def test_a_cluster_of_the_environments_own_needs_its_operator_and_nothing_else(setting: Setting) -> None:
    environment = environment_of(MADE)

    def checks() -> dict[str, Check]:
        kinds = kind_questions(environment.manifests, setting.kubectl)
        return asked([*kinds, *SecretChecks(environment, setting.kubectl).questions()])

    without = checks()
    assert without["kind Cluster"].remedy == "install CloudNativePG: https://cloudnative-pg.io"
    with setting.kind("postgresql.cnpg.io", "Cluster", scope="Namespaced"):
        with_operator = checks()
        assert with_operator["kind Cluster"].status is Status.OK
        for name in ("db-app", "db-ca"):
            found = with_operator[f"secret {name}"]
            assert (found.status, found.detail) == (
                Status.SKIPPED,
                "not there yet: the Cluster db makes it, once applied",
            )


@pytest.fixture
def operators(cluster: ControlPlane, tmp_path: Path) -> Iterator[None]:
    """The real CustomResourceDefinitions of both operators, for a while."""
    folder = os.environ.get("CRD_DIR")
    if not folder:
        pytest.skip("CRD_DIR is not set: it names a folder with the CustomResourceDefinitions of the kinds used")
    chosen = tmp_path / "crds"
    chosen.mkdir()
    for name in ("external-secrets.io_externalsecrets.yaml", "bitnami.com_sealedsecrets.yaml"):
        (chosen / name).write_bytes((Path(folder) / name).read_bytes())
    cluster.install_crds(chosen)
    yield
    cluster.kubectl("delete", "--filename", chosen)


def test_external_secrets_make_the_secret_later_and_say_when_they_cannot(setting: Setting, operators: None) -> None:
    with setting.kind("external-secrets.io", "ClusterSecretStore", scope="Cluster"):
        checks = external_checks(setting)
        assert failures(checks) == ["cluster secret store vault"]
        secret = checks["secret convex-postgres-secret"]
        assert secret.status is Status.SKIPPED
        assert secret.detail == "not there yet: the ExternalSecret convex-postgres-secret makes it, once applied"
        bad = {"conditions": [{"type": "Ready", "status": "False", "message": "vault is sealed"}]}
        with setting.there("external-secrets.io/v1", "ClusterSecretStore", "vault", status=bad):
            assert external_checks(setting)["cluster secret store vault"].detail == "it is not ready: vault is sealed"
        with setting.there("external-secrets.io/v1", "ClusterSecretStore", "vault"):
            assert failures(external_checks(setting)) == []
            _apply(setting, EXTERNAL, "ExternalSecret")
            secret = external_checks(setting)["secret convex-postgres-secret"]
            assert secret.detail == "not there yet: the ExternalSecret convex-postgres-secret is at work"
            _set_status(setting, "externalsecret", [{"type": "Ready", "status": "False", "message": "no such key"}])
            secret = external_checks(setting)["secret convex-postgres-secret"]
            assert (secret.status, secret.detail) == (
                Status.FAILED,
                "the ExternalSecret convex-postgres-secret is there and cannot make it: no such key",
            )
            setting.secret(POSTGRES_SECRET, {**DATABASE, "DATABASE_URL": f"{URL}/convex"})
            assert external_checks(setting)["secret convex-postgres-secret"].remedy == "correct the value in the store"


def _apply(setting: Setting, overlay: str, kind: str) -> None:
    for manifest in environment_of(overlay).manifests:
        if manifest["kind"] == kind:
            where = ("--namespace", setting.namespace)
            setting.cluster.kubectl("apply", *where, "--filename=-", input=json.dumps(manifest))


def _set_status(setting: Setting, kind: str, conditions: list[dict[str, str]]) -> None:
    patch = json.dumps({"status": {"conditions": conditions}})
    setting.cluster.kubectl(
        "patch",
        kind,
        POSTGRES_SECRET,
        "--namespace",
        setting.namespace,
        "--subresource=status",
        "--type=merge",
        f"--patch={patch}",
    )


def test_the_bootstrap_job_makes_its_secret_later(setting: Setting) -> None:
    check = secret_checks(setting, BOOTSTRAP)["secret convex-instance"]
    assert check.status is Status.SKIPPED
    assert re.fullmatch(r"not there yet: the Job convex-bootstrap-\w+ makes it, once applied", check.detail)
    setting.secret("convex-instance", {"INSTANCE_NAME": "convex-prod", "INSTANCE_SECRET": BASE64_SECRET})
    check = secret_checks(setting, BOOTSTRAP)["secret convex-instance"]
    assert (check.status, check.remedy) == (
        Status.FAILED,
        f"python3 main.py secrets test --include-made --apply --namespace={setting.namespace}",
    )


def test_a_secret_that_nobody_has_sealed_yet_is_missing(setting: Setting) -> None:
    assert failures(secret_checks(setting, SEALED)) == ["secret convex-postgres-secret"]


def test_a_sealed_secret_is_opened_later_and_says_when_it_cannot(setting: Setting, operators: None) -> None:
    sealed = {
        "apiVersion": "bitnami.com/v1alpha1",
        "kind": "SealedSecret",
        "metadata": {"name": POSTGRES_SECRET},
        "spec": {"encryptedData": dict.fromkeys(DATABASE, "AgB")},
    }
    environment = synthesise(overlay_of(SEALED), [sealed])

    def check() -> Check:
        questions = [
            *kind_questions(environment.manifests, setting.kubectl),
            *SecretChecks(environment, setting.kubectl).questions(),
        ]
        checks = asked(questions)
        assert checks["kind SealedSecret"].status is Status.OK
        return checks["secret convex-postgres-secret"]

    assert check().detail == "not there yet: the SealedSecret convex-postgres-secret makes it, once applied"
    setting.cluster.kubectl("create", "--namespace", setting.namespace, "--filename=-", input=json.dumps(sealed))
    _set_status(setting, "sealedsecret", [{"type": "Synced", "status": "False", "message": "no key could decrypt"}])
    assert (check().status, check().detail) == (
        Status.FAILED,
        "the SealedSecret convex-postgres-secret is there and cannot make it: no key could decrypt",
    )
    setting.secret(POSTGRES_SECRET, {**DATABASE, "INSTANCE_SECRET": BASE64_SECRET})
    assert check().remedy.startswith("seal the value again: python3 main.py secrets test --seal")


@pytest.mark.parametrize(
    ("check", "remedy"),
    [
        ("service account convex", "kubectl create serviceaccount convex --namespace={}"),
        ("config map convex-extra", "kubectl create configmap convex-extra --from-env-file=FILE --namespace={}"),
    ],
)
def test_an_object_that_the_pods_need(setting: Setting, check: str, remedy: str) -> None:
    checks = asked(reference_questions(environment_of(HEALTHY).manifests, setting.kubectl))
    assert checks[check].status is Status.FAILED
    assert checks[check].remedy == remedy.format(setting.namespace)


def test_accounts_and_config_maps_of_the_manifests_themselves_are_not_looked_for(setting: Setting) -> None:
    assert asked(reference_questions(environment_of(BOOTSTRAP).manifests, setting.kubectl)) == {}


_FINALIZERS = '--patch={{"metadata":{{"finalizers":{}}}}}'


def volume_checks(setting: Setting, persistence: str) -> dict[str, Check]:
    overlay = f"{{s3: {{enabled: false}}, backend: {{persistence: {{enabled: true, {persistence}}}}}}}"
    return asked(volume_questions(environment_of(overlay).manifests, setting.kubectl))


DEFAULT = {"storageclass.kubernetes.io/is-default-class": "true"}


def test_without_a_volume_there_is_nothing_to_check(setting: Setting) -> None:
    assert asked(volume_questions(environment_of(SQLITE).manifests, setting.kubectl)) == {}


def test_the_storage_class_of_a_new_claim(setting: Setting) -> None:
    with storage_class(setting, "fast"):
        assert failures(volume_checks(setting, "storageClassName: fast")) == []
        checks = volume_checks(setting, "storageClassName: longhorn")
        assert failures(checks) == ["storage class"]
        assert "the cluster has: fast" in checks["storage class"].detail
        assert "backend.persistence.storageClassName" in checks["storage class"].remedy


def test_the_default_storage_class(setting: Setting) -> None:
    with storage_class(setting, "fast"):
        checks = volume_checks(setting, "storageClassName: ''")
        assert failures(checks) == ["storage class"]
        assert "no class is the cluster's default" in checks["storage class"].detail
    with storage_class(setting, "standard", annotations=DEFAULT):
        checks = volume_checks(setting, "storageClassName: ''")
        assert checks["storage class"].detail == "standard, the cluster's default"


def test_a_volume_made_by_hand_needs_no_storage_class(setting: Setting) -> None:
    assert volume_checks(setting, "storageClassName: '-'")["storage class"].status is Status.SKIPPED


def claim(setting: Setting, name: str, storage_class_name: str) -> None:
    spec = {
        "accessModes": ["ReadWriteOnce"],
        "storageClassName": storage_class_name,
        "resources": {"requests": {"storage": "5Gi"}},
    }
    setting.cluster.create("v1", "PersistentVolumeClaim", {"metadata": {"name": name}, "spec": spec}, setting.namespace)


@pytest.mark.parametrize("persistence", ["existingClaim: data-convex-backend-0", "storageClassName: gone"])
def test_a_claim_that_is_there_must_be_bound(setting: Setting, persistence: str) -> None:
    title = "volume claim data-convex-backend-0"
    where = ("--namespace", setting.namespace)
    with storage_class(setting, "slow"):
        claim(setting, "data-convex-backend-0", "slow")
        checks = volume_checks(setting, persistence)
        assert failures(checks) == [title]
        assert checks[title].detail == "it is Pending, not bound"
        assert checks[title].remedy == (
            f"see `kubectl describe pvc data-convex-backend-0 --namespace={setting.namespace}`"
        )
        setting.cluster.kubectl("delete", "pvc", "data-convex-backend-0", *where)
    with storage_class(setting, "late", "WaitForFirstConsumer"):
        claim(setting, "data-convex-backend-0", "late")
        checks = volume_checks(setting, persistence)
        assert failures(checks) == []
        assert checks[title].detail.startswith("pending until its pod is scheduled")


def test_an_existing_claim_is_bound_or_has_lost_its_volume(setting: Setting) -> None:
    volume, where = f"volume-{setting.namespace}", ("--namespace", setting.namespace)

    def check(phase: str) -> Check:
        wait = ("wait", "pvc/old", *where, f"--for=jsonpath={{.status.phase}}={phase}", "--timeout=60s")
        setting.cluster.kubectl(*wait)
        return volume_checks(setting, "existingClaim: old")["volume claim old"]

    spec = {
        "capacity": {"storage": "5Gi"},
        "accessModes": ["ReadWriteOnce"],
        "storageClassName": "",
        "hostPath": {"path": "/nowhere"},
        "claimRef": {"namespace": setting.namespace, "name": "old"},
    }
    setting.cluster.create("v1", "PersistentVolume", {"metadata": {"name": volume}, "spec": spec})
    claim(setting, "old", "")
    assert (check("Bound").status, check("Bound").detail) == (Status.OK, "bound, 5Gi")
    setting.cluster.kubectl("delete", "pv", volume, "--wait=false")
    setting.cluster.kubectl("patch", "pv", volume, "--type=merge", _FINALIZERS.format("null"))
    assert (check("Lost").status, check("Lost").detail) == (Status.FAILED, "it is Lost, not bound")


def test_an_existing_claim_that_is_not_there(setting: Setting) -> None:
    check = volume_checks(setting, "existingClaim: old")["volume claim old"]
    assert check.status is Status.FAILED
    assert "existingClaim" in check.remedy


def test_a_claim_that_is_being_deleted(setting: Setting) -> None:
    claim(setting, "old", "slow")
    where = ("--namespace", setting.namespace)
    setting.cluster.kubectl("patch", "pvc", "old", *where, "--type=merge", _FINALIZERS.format('["example.com/keep"]'))
    setting.cluster.kubectl("delete", "pvc", "old", *where, "--wait=false")
    check = volume_checks(setting, "existingClaim: old")["volume claim old"]
    assert check.status is Status.FAILED
    assert "it is being deleted" in check.detail
    setting.cluster.kubectl("patch", "pvc", "old", *where, "--type=merge", _FINALIZERS.format("null"))


def edge_checks(setting: Setting, ingress: str) -> dict[str, Check]:
    overlay = f"""
s3: {{enabled: false}}
postgres: {{enabled: true}}
backend: {{persistence: {{allowEphemeralData: true}}}}
ingress:
  enabled: true
  dashboard: {{host: dashboard.example.com}}
  backend: {{host: api.example.com}}
  {ingress}
"""
    return asked(edge_questions(environment_of(overlay).manifests, setting.kubectl))


def test_the_ingress_class(setting: Setting) -> None:
    with ingress_class(setting, "nginx"):
        assert failures(edge_checks(setting, "className: nginx")) == []
        checks = edge_checks(setting, "className: traefik")
        assert failures(checks) == ["ingress class"]
        assert "the cluster has: nginx" in checks["ingress class"].detail
        assert "ingress.className" in checks["ingress class"].remedy


def test_the_default_ingress_class(setting: Setting) -> None:
    with ingress_class(setting, "nginx"):
        assert failures(edge_checks(setting, "")) == ["ingress class"]
    with ingress_class(setting, "main", annotations={"ingressclass.kubernetes.io/is-default-class": "true"}):
        assert edge_checks(setting, "")["ingress class"].detail == "main, the cluster's default"


def test_an_ingress_class_by_annotation_may_be_without_an_object(setting: Setting) -> None:
    ingress = "annotations: {kubernetes.io/ingress.class: nginx}"
    assert edge_checks(setting, ingress)["ingress class"].status is Status.SKIPPED
    with ingress_class(setting, "nginx"):
        assert edge_checks(setting, ingress)["ingress class"].status is Status.OK


@pytest.mark.parametrize(
    ("annotation", "kind", "title"),
    [
        ("cluster-issuer", "ClusterIssuer", "cluster issuer letsencrypt"),
        ("issuer", "Issuer", "issuer letsencrypt"),
    ],
    ids=["ClusterIssuer", "Issuer"],
)
def test_an_issuer_that_is_missing_is_told_and_does_not_fail(
    setting: Setting, annotation: str, kind: str, title: str
) -> None:
    def check() -> Check:
        return edge_checks(setting, f"annotations: {{cert-manager.io/{annotation}: letsencrypt}}")[title]

    group, version = "cert-manager.io", "cert-manager.io/v1"
    assert (check().status, check().remedy) == (Status.SKIPPED, "install it: https://cert-manager.io")
    with setting.kind(group, kind, scope="Cluster" if kind == "ClusterIssuer" else "Namespaced"):
        assert (check().status, check().remedy) == (Status.SKIPPED, f"make the {kind}")
        status = {"conditions": [{"type": "Ready", "status": "False", "message": "no account"}]}
        with setting.there(version, kind, "letsencrypt", status=status):
            assert (check().status, check().detail) == (Status.SKIPPED, "it is not ready: no account")
        with setting.there(version, kind, "letsencrypt"):
            assert check().status is Status.OK


def test_the_certificate_that_cert_manager_makes_may_be_missing(setting: Setting) -> None:
    overlay = HEALTHY + "  annotations: {cert-manager.io/cluster-issuer: letsencrypt}\n"
    check = secret_checks(setting, overlay)["secret convex-tls"]
    assert check.status is Status.SKIPPED
    assert check.detail == "not there yet: cert-manager makes it (ClusterIssuer letsencrypt)"


def pod_checks(setting: Setting, overlay: str = SQLITE) -> dict[str, Check]:
    return asked(pod_questions(environment_of(overlay).manifests, setting.kubectl))


QUOTA = {"hard": {"requests.memory": "1Gi"}}
LIMITS = {"limits": [{"type": "Container", "max": {"memory": "1Gi"}}]}


@pytest.mark.parametrize(
    ("kind", "spec", "reason", "remedy"),
    [
        ("ResourceQuota", QUOTA, "exceeded quota: test", "raise the ResourceQuota"),
        ("ResourceQuota", {"hard": {"limits.cpu": "1"}}, "must specify limits.cpu", "set the resources"),
        ("LimitRange", LIMITS, "maximum memory usage per Container is 1Gi", "to the LimitRange"),
    ],
    ids=["quota", "quota that asks for more", "limit range"],
)
def test_a_pod_that_the_namespace_refuses(
    setting: Setting, kind: str, spec: dict[str, Any], reason: str, remedy: str
) -> None:
    where = ("--namespace", setting.namespace)
    setting.cluster.create("v1", kind, {"metadata": {"name": "test"}, "spec": spec}, setting.namespace)
    if kind == "ResourceQuota":
        wait = ("wait", "resourcequota/test", *where, "--for=jsonpath={.status.hard}", "--timeout=60s")
        setting.cluster.kubectl(*wait)
    check = pod_checks(setting)["pod convex-backend"]
    assert check.status is Status.FAILED
    assert reason in check.detail
    assert remedy in check.remedy


def test_a_quota_that_is_used_up_by_the_environment_itself_is_no_failure(setting: Setting) -> None:
    where = ("--namespace", setting.namespace)
    _apply(setting, SQLITE, "StatefulSet")
    setting.cluster.create("v1", "ResourceQuota", {"metadata": {"name": "test"}, "spec": QUOTA}, setting.namespace)
    setting.cluster.kubectl("wait", "resourcequota/test", *where, "--for=jsonpath={.status.hard}", "--timeout=60s")
    check = pod_checks(setting)["pod convex-backend"]
    assert check.status is Status.SKIPPED
    assert "the quota leaves no room for a second one" in check.detail


def test_a_pod_that_pod_security_refuses_without_a_label_of_its_own(setting: Setting) -> None:
    label = "pod-security.kubernetes.io/enforce=restricted"
    setting.cluster.kubectl("label", "namespace", setting.namespace, label, "--overwrite")
    checks = pod_checks(setting)
    assert failures(checks) == ["pod convex-backend"]
    assert 'violates PodSecurity "restricted:latest"' in checks["pod convex-backend"].detail
    assert "to baseline" in checks["pod convex-backend"].remedy


def test_a_priority_class_that_is_not_there(setting: Setting) -> None:
    check = pod_checks(setting, f"{{{SQLITE}, dashboard: {{priorityClassName: nope}}}}")["pod convex-dashboard"]
    assert check.status is Status.FAILED
    assert "no PriorityClass with name nope was found" in check.detail
    assert "PriorityClass" in check.remedy


def test_the_pod_of_the_bootstrap_job_is_admitted_before_its_account_is_there(setting: Setting) -> None:
    checks = pod_checks(setting, BOOTSTRAP)
    assert [name for name in checks if name.startswith("pod convex-bootstrap-")]
    assert failures(checks) == []


def test_a_dry_run_leaves_nothing_behind(setting: Setting) -> None:
    pod_checks(setting)
    assert setting.cluster.objects(setting.namespace, "pods") == []


@pytest.fixture
def somebody(setting: Setting, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Makes kubectl that of a ServiceAccount with a built-in role in the namespace."""

    def become(role: str) -> None:
        cluster, namespace = setting.cluster, setting.namespace
        token = cluster.service_account_token(namespace, "somebody")
        account = f"--serviceaccount={namespace}:somebody"
        cluster.kubectl("create", "rolebinding", "somebody", f"--clusterrole={role}", account, "--namespace", namespace)
        configuration = json.loads(cluster.kubeconfig.read_text())
        configuration["users"][0]["user"] = {"token": token}
        mine = tmp_path / "somebody"
        mine.write_text(json.dumps(configuration))
        monkeypatch.setenv("KUBECONFIG", str(mine))

    return become


def test_what_a_user_of_one_namespace_may_not_see_is_skipped(setting: Setting, somebody: Callable[[str], None]) -> None:
    setting.secret(POSTGRES_SECRET, DATABASE)
    somebody("edit")
    overlay = f"{POSTGRES[:-1]}, backend: {{persistence: {{enabled: true}}}}}}"
    checks = setting.checks(overlay)
    skipped = [check for check in checks.values() if check.status is Status.SKIPPED]
    assert [check.name for check in skipped] == ["storage class"]
    assert skipped[0].detail.startswith("unknown: Error from server (Forbidden): storageclasses.storage.k8s.io")
    assert checks["secret convex-postgres-secret"].status is Status.OK


def test_a_user_who_may_only_look_is_told_what_stays_unknown(setting: Setting, somebody: Callable[[str], None]) -> None:
    setting.secret(POSTGRES_SECRET, DATABASE)
    somebody("view")
    checks = setting.checks(POSTGRES)
    assert failures(checks) == []
    assert checks["secret convex-postgres-secret"].detail.startswith("unknown: Error from server (Forbidden): secrets")
    assert checks["pod convex-backend"].detail == "unknown: your account may make no pods"


def other_backend(setting: Setting, name: str, **pod: Any) -> AbstractContextManager[None]:
    """A backend of another chart, as a Deployment."""
    container = {
        "name": "convex",
        "image": "ghcr.io/get-convex/convex-backend:652b828b5129e6cdbcaa3c20efa8d116d09ff3bf",
        "env": [
            {"name": variable, "valueFrom": {"secretKeyRef": {"name": "other", "key": variable}}}
            for variable in ("POSTGRES_URL", "INSTANCE_NAME", "INSTANCE_SECRET")
        ],
        **pod.pop("container", {}),
    }
    labels = {"app": name}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [container], **pod}}
    spec = {"selector": {"matchLabels": labels}, "template": template}
    return setting.there("apps/v1", "Deployment", name, spec=spec)


class TestOtherBackends:
    POSTGRES = "postgres: {enabled: true}\ns3: {bucket: convex-files}"

    @pytest.mark.parametrize(
        ("values", "shared"),
        [
            ({"INSTANCE_SECRET": OTHER_INSTANCE_SECRET}, "the database"),
            ({"POSTGRES_URL": f"postgres://other:{PASSWORD}@DB.example.com", "INSTANCE_NAME": "convex_prod"},
             "the database and the instance secret"),
            ({"POSTGRES_URL": f"postgres://convex:{PASSWORD}@db2.example.com"}, "the instance secret"),
            ({"INSTANCE_NAME": "another", "INSTANCE_SECRET": OTHER_INSTANCE_SECRET}, ""),
        ],
        ids=["database", "database in another spelling", "secret", "nothing"],
    )  # fmt: skip
    def test_one_on_the_same_database(self, setting: Setting, values: dict[str, str], shared: str) -> None:
        same = {"POSTGRES_URL": URL, "INSTANCE_NAME": "convex-prod", "INSTANCE_SECRET": INSTANCE_SECRET}
        setting.secret(POSTGRES_SECRET, DATABASE)
        setting.secret("other", {**same, **values})
        with other_backend(setting, "shop-convex-backend"):
            check = setting.checks(self.POSTGRES)["other backends"]
        if shared:
            assert check.status is Status.FAILED
            assert check.detail == f"Deployment/shop-convex-backend has {shared} of this environment"
        else:
            assert (check.status, check.detail) == (Status.OK, "Deployment/shop-convex-backend: with other data")

    def test_one_on_the_same_claim(self, setting: Setting) -> None:
        mounts = {"volumeMounts": [{"name": "data", "mountPath": "/convex/data"}], "env": []}
        volumes = [{"name": "data", "persistentVolumeClaim": {"claimName": "convex-data"}}]
        overlay = f"{SQLITE}\nbackend: {{persistence: {{enabled: true, existingClaim: convex-data}}}}"
        with other_backend(setting, "old", volumes=volumes, container=mounts):
            check = setting.checks(overlay)["other backends"]
        assert check.detail == "Deployment/old has the volume claim convex-data of this environment"


@pytest.mark.parametrize(("path", "status"), [("/", Status.FAILED), ("/docs", Status.OK)])
def test_a_public_host_that_another_namespace_serves(setting: Setting, path: str, status: Status) -> None:
    backend = {"service": {"name": "web", "port": {"number": 80}}}
    paths = [{"path": path, "pathType": "Prefix", "backend": backend}]
    spec = {"rules": [{"host": "api.example.com", "http": {"paths": paths}}]}
    elsewhere = setting.cluster.namespace()
    manifest = {"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": {"name": "web"}, "spec": spec}
    setting.cluster.kubectl("create", "--namespace", elsewhere, "--filename=-", input=json.dumps(manifest))
    try:
        check = setting.checks(HEALTHY)["public hosts"]
    finally:
        setting.cluster.delete_namespace(elsewhere)
    assert check.status is status
    assert f"api.example.com by Ingress web in namespace {elsewhere}" in check.detail
