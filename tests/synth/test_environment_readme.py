"""The README of an environment leads a reader who has never seen the project to a dashboard that lets him in."""

from __future__ import annotations

import re

import pytest

from convexctl.synth.environment import Environment, synthesise
from tests.support.overlay_cases import CASES, Case, environment_of, overlay_of

ADMIN = "convex-secrets"
EXTERNAL = """
    postgres: {enabled: true}
    s3: {provider: minio}
    secrets: {provider: external-secrets, externalSecrets: {storeName: vault}}
"""


@pytest.mark.parametrize("case", CASES, ids=str)
def test_it_says_after_the_address_of_the_dashboard_how_an_admin_key_is_made(case: Case) -> None:
    reach = case.environment().files["README.md"].partition("\n## Reach it\n")[2].partition("\n## ")[0]
    if not any(manifest["kind"] == "Deployment" for manifest in case.environment().manifests):
        assert "dashboard" not in reach.replace(case.name, "")
        assert f"`python3 main.py admin-key {case.name}` makes an admin key" in reach
        return
    assert "| dashboard |" in reach
    assert f"`python3 main.py admin-key {case.name}` makes one" in reach


def must_exist(environment: Environment) -> dict[str, str]:
    """What the README says about the Secrets: by the name of each, and of all under the empty name."""
    section = environment.files["README.md"].partition("\n## What must exist before\n")[2].partition("\n## ")[0]
    intro, *rest = re.split(r"^### Secret ", section, flags=re.MULTILINE)
    return {"": intro.strip()} | {name: text for name, _, text in (part[1:].partition("`") for part in rest)}


def test_the_namespace_comes_before_all_else() -> None:
    manifests = "postgres: {enabled: true}"
    assert must_exist(environment_of(f"{{namespace: n, {manifests}}}"))[""].startswith(
        "The namespace: `kubectl create namespace n`.\n\n`python3 main.py secrets test --apply`"
    )
    assert must_exist(environment_of(f"{{namespace: n, createNamespace: true, {manifests}}}"))[""].startswith(
        "The namespace: `kubectl apply -f dist/test/Namespace`.\n\n`python3 main.py secrets test --apply`"
    )
    assert "namespace" not in must_exist(environment_of(f"{{{manifests}}}"))[""]


def test_a_local_port_is_forwarded_once() -> None:
    readme = environment_of("convexConfig: {siteOrigin: 'http://localhost:3210/http'}").files["README.md"]
    assert "port-forward svc/convex-backend-svc 3210:3210\n" in readme
    assert "port-forward svc/convex-backend-svc 3210:3210 3211:3211\n" in environment_of("{}").files["README.md"]


def test_secrets_that_you_make() -> None:
    told = must_exist(environment_of("postgres: {enabled: true}"))
    assert told[""].startswith(
        "`python3 main.py secrets test --apply` asks for the values, checks them and makes the Secrets "
        "`convex-postgres-secret`, `convex-s3-credentials` and `convex-secrets`. It makes the instance secret and the "
        "admin key too. By hand:"
    )


def test_secrets_that_the_operator_makes() -> None:
    told = must_exist(environment_of(EXTERNAL))
    assert "--apply" not in told[""] + told["convex-postgres-secret"] + told["convex-s3-credentials"]
    assert "By hand" not in told[""]
    assert "External Secrets Operator makes it from the ClusterSecretStore `vault`" in told["convex-postgres-secret"]
    assert "`python3 main.py secrets test --apply` makes it once the backend has its instance secret" in told[ADMIN]


def test_secrets_that_a_job_makes() -> None:
    told = must_exist(environment_of("{instance: {name: a}, s3: {enabled: false}, secrets: {provider: bootstrap}}"))
    assert "--apply" not in told[""]
    assert "makes it in the cluster, once" in told["convex-instance"]
    told = must_exist(
        environment_of("{instance: {name: a}, postgres: {enabled: true}, secrets: {provider: bootstrap}}")
    )
    assert "makes the Secrets `convex-postgres-secret` and `convex-s3-credentials`. By hand:" in told[""]


def test_secrets_that_are_sealed() -> None:
    overlay = overlay_of("{s3: {enabled: false}, instance: {existingSecret: i}, secrets: {provider: sealed-secrets}}")
    sealed = {
        "apiVersion": "bitnami.com/v1alpha1",
        "kind": "SealedSecret",
        "metadata": {"name": "i", "namespace": "n"},
        "spec": {"encryptedData": {"INSTANCE_SECRET": "x"}},
    }
    told = must_exist(synthesise(overlay, [sealed]))
    assert "--apply" not in told[""]
    assert "`python3 main.py secrets test --seal` seals other values" in told["i"]


def test_an_endpoint_that_amazon_does_not_have() -> None:
    told = must_exist(environment_of("{}"))["convex-s3-credentials"]
    assert "AWS_ENDPOINT=https://HOST" in told
    assert "For Amazon S3 itself, delete the line `AWS_ENDPOINT` from the file: the backend would take" in told
    assert "delete the line" not in must_exist(environment_of("s3: {provider: minio}"))["convex-s3-credentials"]


@pytest.mark.parametrize("values", ["{}", "postgres: {enabled: true}", "{s3: {enabled: false}}"])
def test_when_the_admin_key_is_in_the_pod(values: str) -> None:
    told = must_exist(environment_of(values))[ADMIN]
    assert (
        "the pod sees the key only after its next start (`kubectl rollout restart statefulset/convex-backend`)" in told
    )


def test_a_secret_of_which_only_you_know_the_keys() -> None:
    told = must_exist(environment_of("{s3: {enabled: false}, backend: {envFrom: [{secretRef: {name: mine}}]}}"))
    assert told[""] == "Only you know the keys of what is not optional here:"
    assert "All its keys become variables" in told["mine"]


BACKUPS = """
backup:
  enabled: true
  schedule: 30 2 * * *
  s3: {bucket: tapes, prefix: p, region: eu-central-1, existingSecret: keys}
"""


def test_backups_have_a_section_with_their_place_and_commands() -> None:
    readme = environment_of(f"postgres: {{enabled: true}}\n{BACKUPS}").files["README.md"]
    section = readme.partition("\n## Backups\n")[2].partition("\n## ")[0]
    assert "`convex-backup` makes one at `30 2 * * *` (UTC), into the bucket `tapes`, below `p`." in section
    for command in ("backup test --now", "backup test ", "restore test --from latest"):
        assert f"python3 main.py {command}" in section
    assert "\n## Backups\n" not in environment_of("{}").files["README.md"]


def test_backups_on_a_claim_name_it() -> None:
    overlay = "backup: {enabled: true, destination: claim, claim: {existingClaim: tapes}}"
    assert "onto the claim `tapes`, which you make" in environment_of(overlay).files["README.md"]


def test_an_admin_key_that_only_jobs_read_is_none_of_the_backends() -> None:
    told = must_exist(environment_of(f"instance: {{existingSecret: i}}\n{BACKUPS}functions: {{image: 'x:1'}}"))
    assert "Only the CronJob `convex-backup` and the CronJob `convex-restore` read it" in told["convex-backup"]
    assert re.search("Only the Job `convex-functions-[0-9a-f]+` reads it", told["convex-functions"])
    for name in ("convex-backup", "convex-functions"):
        assert "the pod sees the key" not in told[name]
        assert "the backend does not read it" not in told[name]
    assert "the pod sees the key" in told[ADMIN]


NAMED = """
    namespace: builder
    postgres: {enabled: true}
    s3: {bucket: files, provider: aws}
    secrets: {provider: external-secrets, externalSecrets: {storeName: vault}}
    backend:
      serviceAccountName: cloud
      envFrom: [{configMapRef: {name: extra}}, {configMapRef: {name: perhaps, optional: true}}]
      priorityClassName: high
      persistence: {enabled: true, storageClassName: fast}
    backup: {enabled: true, s3: {bucket: backups, existingSecret: keys, region: eu-1}}
    ingress:
      enabled: true
      className: nginx
      annotations: {cert-manager.io/cluster-issuer: letsencrypt}
      dashboard: {host: d.acme.io}
      backend: {host: a.acme.io}
      tls: [{secretName: edge-tls, hosts: [d.acme.io, a.acme.io]}]
"""


def besides(environment: Environment) -> list[str]:
    table = environment.files["README.md"].partition("\n### Besides\n")[2].partition("\n## ")[0]
    return [line.split(" | ")[0].removeprefix("| ") for line in table.splitlines() if line.startswith("| ")][1:]


def test_everything_that_the_manifests_name_and_do_not_hold_is_listed() -> None:
    assert besides(environment_of(NAMED)) == [
        "the database (the value of Secret/convex-postgres-secret[INSTANCE_NAME], with _ in place of every -)",
        "the bucket `files`",
        "the bucket `backups`",
        "ServiceAccount `cloud`",
        "ConfigMap `extra`",
        "PriorityClass `high`",
        "StorageClass `fast`",
        "IngressClass `nginx`",
        "ClusterIssuer `letsencrypt`",
        "the kind ExternalSecret (`external-secrets.io/v1`)",
        "ClusterSecretStore `vault`",
    ]


def test_gateways_claims_and_clusters_of_others_are_listed_too() -> None:
    gateway = "gateway: {enabled: true, parentRefs: [{name: edge, namespace: infra}], dashboard: {host: d.acme.io}"
    found = besides(
        environment_of(
            f"{{{gateway}, backend: {{host: a.acme.io}}}}, s3: {{enabled: false}}, "
            "backend: {persistence: {enabled: true, existingClaim: mine}, serviceAccount: {create: true}}, "
            "instance: {name: a}, postgres: {enabled: true, cloudNativePG: {cluster: db}}}"
        )
    )
    assert {"Gateway `edge` in namespace `infra`", "the volume claim `mine`", "Cluster `db`"} <= set(found)
    assert not [what for what in found if "ServiceAccount" in what or "StorageClass" in what]


def test_what_volumes_of_your_own_and_services_name_is_listed() -> None:
    found = besides(
        environment_of("""
            service: {dashboard: {type: LoadBalancer, loadBalancerClass: tail}}
            backend:
              extraVolumes:
                - name: scratch
                  ephemeral: {volumeClaimTemplate: {spec: {
                    accessModes: [ReadWriteOnce], storageClassName: quick, resources: {requests: {storage: 5Gi}}}}}
                - {name: mixed, projected: {sources: [{configMap: {name: a}}, {secret: {name: b}}]}}
                - {name: whole, secret: {secretName: c}}
                - {name: perhaps, secret: {secretName: d, optional: true}}
                - {name: vault, csi: {driver: secrets-store.csi.k8s.io, volumeAttributes: {secretProviderClass: e}}}
        """)
    )
    assert found[-7:] == [
        "ConfigMap `a`",
        "Secret `b`",
        "Secret `c`",
        "StorageClass `quick`",
        "CSIDriver `secrets-store.csi.k8s.io`",
        "SecretProviderClass `e`",
        "a controller of the load balancer class `tail`",
    ]


def test_a_default_class_is_needed_where_none_is_named() -> None:
    assert besides(
        environment_of("{backend: {persistence: {enabled: true, storageClassName: ''}}, s3: {enabled: false}}")
    ) == ["a default StorageClass"]


def test_it_tells_how_objects_leave() -> None:
    readme = environment_of("{namespace: n}").files["README.md"]
    section = readme.partition("\n## Objects that a change removes\n")[2].partition("\n## ")[0]
    assert "`python3 main.py diff test`" in section
    assert "`kubectl -n n delete ...`" in section
    assert "`prune: true`" in section
