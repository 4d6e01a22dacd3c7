"""Kinds of manifests from the field: what each changes in a deployment that is clean without it."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from convexctl.audit import Report, audit
from convexctl.audit.reading import read
from convexctl.project import PROGRAM
from tests.audit.test_cases import path_of

Object = dict[str, Any]
BASE: list[Object] = list(yaml.safe_load_all(Path(path_of("a00-clean-baseline")).read_text(encoding="utf-8")))
SERVICE = {"kind": "Service", "name": "convex"}


def changed(change: Callable[[Object, Object, Object], list[Object]]) -> set[str]:
    """The rules that a change of workload, Service and Ingress breaks; it returns the objects that are added."""
    workload, service, edge = objects = copy.deepcopy(BASE)
    added = change(workload, service, edge)
    return {finding.rule.id for finding in audit([*objects, *added]).findings}


def pod(workload: Object) -> Object:
    spec: Object = workload["spec"]["template"]["spec"]
    return spec


def set_env(workload: Object, **values: str | None) -> None:
    (container,) = pod(workload)["containers"]
    container["env"] = [entry for entry in container["env"] if entry["name"] not in values]
    container["env"] += [{"name": name, "value": value} for name, value in values.items() if value is not None]


def nothing(edge: Object) -> None:
    edge["spec"] = {}


def openshift(name: str, path: str, port: object, **annotations: str) -> Object:
    timeout = {"haproxy.router.openshift.io/timeout": "10m"}
    return {
        "apiVersion": "route.openshift.io/v1",
        "kind": "Route",
        "metadata": {"name": name, "namespace": "c", "annotations": {**timeout, **annotations}},
        "spec": {
            "host": "api.acme.example",
            "path": path,
            "to": SERVICE,
            "port": {"targetPort": port},
            "tls": {"termination": "edge"},
        },
    }


REWRITE = {"haproxy.router.openshift.io/rewrite-target": "/"}


class TestOpenShift:
    @pytest.mark.parametrize(
        ("routes", "rules"),
        [
            ([openshift("a", "/", 3210)], set()),
            ([openshift("a", "/", "api")], set()),
            ([openshift("a", "/", "api"), openshift("b", "/http", "actions", **REWRITE)], {"actions-bottleneck"}),
            ([openshift("a", "/", 3211)], {"origin-elsewhere", "actions-bottleneck"}),
            ([openshift("a", "/", 8080)], {"route-nowhere"}),
        ],
        ids=["a pod's port", "a name", "stripped for 3211", "the wrong port", "no port"],
    )
    def test_the_port_is_the_pod_s_or_a_name(self, routes: list[Object], rules: set[str]) -> None:
        def change(workload: Object, service: Object, edge: Object) -> list[Object]:
            nothing(edge)
            return routes

        assert changed(change) == rules


class TestTailscale:
    @pytest.mark.parametrize(("funnel", "rules"), [("false", set()), ("true", {"metrics-public"})])
    def test_a_funnel_has_the_tailnet_s_name_and_is_open(self, funnel: str, rules: set[str]) -> None:
        def change(workload: Object, service: Object, edge: Object) -> list[Object]:
            origin = "https://convex-api.tail1234.ts.net"
            set_env(
                workload,
                CONVEX_CLOUD_ORIGIN=origin,
                CONVEX_SITE_ORIGIN=f"{origin}/http",
                DISABLE_METRICS_ENDPOINT=None if funnel == "true" else "true",
            )
            edge["metadata"]["annotations"] = {"tailscale.com/funnel": funnel}
            backend = {"service": {"name": "convex", "port": {"number": 3210}}}
            edge["spec"] = {
                "ingressClassName": "tailscale",
                "tls": [{"hosts": ["convex-api"]}],
                "defaultBackend": backend,
            }
            return []

        assert changed(change) == rules


class TestScalers:
    @pytest.mark.parametrize(
        ("most", "rule"), [("1", "overlapping-update"), ("3", "several-writers"), ("0", "several-writers")]
    )
    def test_knative(self, most: str, rule: str) -> None:
        def change(workload: Object, service: Object, edge: Object) -> list[Object]:
            annotations = {"autoscaling.knative.dev/max-scale": most}
            template = {"metadata": {"annotations": annotations}, "spec": pod(workload)}
            workload.update(apiVersion="serving.knative.dev/v1", kind="Service", spec={"template": template})
            service["metadata"]["name"] = "other"
            nothing(edge)
            return []

        found = changed(change)
        assert found & {"overlapping-update", "several-writers"} == {rule}

    @pytest.mark.parametrize(("most", "several"), [(1, False), (3, True), (None, True)])
    def test_an_http_scaled_object(self, most: int | None, several: bool) -> None:
        target = {"kind": "StatefulSet", "name": "convex", "service": "convex", "port": 3210}
        spec = {"scaleTargetRef": target, "replicas": {"min": 0, **({} if most is None else {"max": most})}}
        scaler = {"apiVersion": "http.keda.sh/v1alpha1", "kind": "HTTPScaledObject", "metadata": {"name": "k"}}
        found = changed(lambda *_: [{**scaler, "spec": spec}])
        assert ("several-writers" in found) is several


@pytest.mark.parametrize(
    ("driver", "network"),
    [("file.csi.azure.com", True), ("disk.csi.azure.com", False), ("efs.csi.aws.com", True)],
)
def test_the_driver_of_a_volume_that_is_named(driver: str, network: bool) -> None:
    claim = {"accessModes": ["ReadWriteOnce"], "volumeName": "v", "resources": {"requests": {"storage": "9Gi"}}}
    objects = [
        {"kind": "PersistentVolumeClaim", "metadata": {"name": "convex-data", "namespace": "c"}, "spec": claim},
        {"kind": "PersistentVolume", "metadata": {"name": "v"}, "spec": {"csi": {"driver": driver}}},
    ]
    assert ("sqlite-on-network-disk" in changed(lambda *_: objects)) is network


@pytest.mark.parametrize(
    ("path", "dangerous"),
    [("/var/run/docker.sock", True), ("/", True), ("/var/lib/kubelet/pods", True), ("/srv/convex/certificates", False)],
)
def test_a_folder_of_the_node(path: str, dangerous: bool) -> None:
    def change(workload: Object, service: Object, edge: Object) -> list[Object]:
        pod(workload)["volumes"].append({"name": "node", "hostPath": {"path": path}})
        pod(workload)["containers"][0]["volumeMounts"].append({"name": "node", "mountPath": "/node"})
        return []

    assert ("privileged-container" in changed(change)) is dangerous


def test_a_helm_chart_is_named_in_place_of_its_templates(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "charts" / "convex" / "templates").mkdir(parents=True)
    (tmp_path / "charts" / "convex" / "Chart.yaml").write_text("{apiVersion: v2, name: convex, version: 1.0.0}")
    (tmp_path / "charts" / "convex" / "templates" / "x.yaml").write_text("metadata:\n  name: {{ .Release.Name }}\n")
    assert read(["charts"]).unrendered == (
        f"charts/convex: is a Helm chart: render it first (helm template NAME charts/convex | {PROGRAM} audit -)",
    )


@pytest.mark.parametrize(
    ("file", "said"),
    [
        ("overlays/acme.yaml", f"{PROGRAM} synth acme, then audit dist/acme"),
        ("overlays/tenants/eu/acme.yaml", f"{PROGRAM} synth tenants/eu/acme, then audit dist/tenants/eu/acme"),
        ("environments/acme.yml", f"{PROGRAM} synth acme --overlays environments, then audit dist/acme"),
        ("overlays/tenants/_tenant.yaml", "a base of overlays"),
        ("environments/values.yaml", f"{PROGRAM} synth values --overlays environments, then audit dist/values"),
    ],
)
def test_an_overlay_is_named_with_its_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, file: str, said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path(file).parent.mkdir(parents=True)
    Path(file).write_text("extends: production\nnamespace: acme\n")
    (line,) = read([file]).unrendered
    assert said in line


@pytest.mark.parametrize("name", ["values.yaml", "values-production.yaml", "prod.values.yml"])
@pytest.mark.parametrize("section", ["image", "backend"])
def test_values_of_a_chart(tmp_path: Path, name: str, section: str) -> None:
    (tmp_path / name).write_text(f"{section}: {{repository: ghcr.io/get-convex/convex-backend}}")
    (said,) = read([str(tmp_path / name)]).unrendered
    assert f"helm template NAME CHART --values {tmp_path / name} |" in said


@pytest.mark.parametrize(
    ("host", "open_way"), [("127.0.0.1:5432", False), ("localhost", False), ("db.acme.example", True)]
)
def test_plain_text_to_a_proxy_in_the_pod(host: str, open_way: bool) -> None:
    def change(workload: Object, service: Object, edge: Object) -> list[Object]:
        set_env(workload, POSTGRES_URL=f"postgres://u:p@{host}", DO_NOT_REQUIRE_SSL="1")
        return []

    assert ("database-tls-not-required" in changed(change)) is open_way


def test_tls_in_front_of_a_tunnel_is_not_known() -> None:
    containers = [{"name": "c", "image": "cloudflare/cloudflared:2024.1.0"}]
    tunnel = {"kind": "Pod", "metadata": {"name": "cloudflared", "namespace": "c"}, "spec": {"containers": containers}}

    def severity(added: list[Object]) -> str:
        objects = copy.deepcopy(BASE)
        del objects[2]["spec"]["tls"]
        (found,) = [f for f in audit([*objects, *added]).findings if f.rule.id == "https-without-tls"]
        return str(found.severity)

    assert (severity([]), severity([tunnel])) == ("warning", "information")


def started(command: list[str], script: str | None, sub_path: str = "") -> Report:
    """The report on a pod that starts by a script, mounted from a ConfigMap; None keeps that out of sight."""
    workload, *rest = copy.deepcopy(BASE)
    (container,) = pod(workload)["containers"]
    container["command"] = command
    pod(workload)["volumes"].append({"name": "scripts", "configMap": {"name": "scripts"}})
    mount = {"name": "scripts", "mountPath": f"/scripts/{sub_path}".rstrip("/")}
    container["volumeMounts"].append({**mount, **({"subPath": sub_path} if sub_path else {})})
    scripts = {"kind": "ConfigMap", "metadata": {"name": "scripts", "namespace": "c"}, "data": {"start.sh": script}}
    return audit([workload, *rest, *([scripts] if script is not None else [])])


EXPORTS = "#!/bin/sh\nexport POSTGRES_URL=$(cat /vault/db)\nexec ./run_backend.sh\n"
NO_EXPORT = "#!/bin/sh\nulimit -n 65536\nexec ./run_backend.sh\n"
HANDS_ON = '#!/bin/sh\nexport POSTGRES_URL=$(cat /vault/db)\nexec "$@"\n'


@pytest.mark.parametrize(
    ("command", "script", "sub_path", "engine"),
    [
        (["sh", "/scripts/start.sh"], EXPORTS, "", "postgres"),
        (["sh", "/scripts/start.sh"], EXPORTS, "start.sh", "postgres"),
        (["/scripts/start.sh"], EXPORTS, "", "postgres"),
        (["/bin/bash", "-c", "exec /bin/sh /scripts/start.sh"], EXPORTS, "", "postgres"),
        (["sh", "/scripts/start.sh", "./run_backend.sh"], HANDS_ON, "", "postgres"),
        (["sh", "/scripts/start.sh"], NO_EXPORT, "", "sqlite"),
    ],
)
def test_a_start_script_that_is_mounted_is_read(command: list[str], script: str, sub_path: str, engine: str) -> None:
    (backend,) = started(command, script, sub_path).behaviour.backends
    assert (backend.engine.value, backend.engine.unless) == (engine, "")


@pytest.mark.parametrize("command", [["sh", "/scripts/start.sh"], ["/scripts/start.sh"]])
def test_a_start_script_out_of_sight_makes_decisions_conditional(command: list[str]) -> None:
    (backend,) = started(command, None).behaviour.backends
    assert "start.sh" in backend.engine.unless


def test_a_mounted_script_that_reads_a_file_makes_decisions_conditional() -> None:
    (backend,) = started(["sh", "/scripts/start.sh"], ". /vault/env\nexec ./run_backend.sh\n").behaviour.backends
    assert "what the start script reads" in backend.engine.unless


class TestStopOfAStartScript:
    @pytest.mark.parametrize(
        ("command", "script", "stop", "known"),
        [
            (["sh", "/scripts/start.sh"], "exec ./run_backend.sh\n", "clean", True),
            (["/scripts/start.sh", "./run_backend.sh"], HANDS_ON, "clean", True),
            (["sh", "-c", "exec /scripts/start.sh"], "#!/bin/sh\nexec ./run_backend.sh\n", "clean", True),
            (["tini", "--", "/scripts/start.sh"], "#!/bin/sh\nexec ./run_backend.sh\n", "clean", True),
            (["bash", "/scripts/start.sh"], "./run_backend.sh\n", "killed", True),
            (["/scripts/start.sh"], "#!/bin/sh\nexec /scripts/start.sh\n", "clean", False),
        ],
        ids=["exec", "exec of arguments", "exec in between", "an init", "a child", "itself"],
    )
    def test_exec_decides(self, command: list[str], script: str, stop: str, known: bool) -> None:
        (backend,) = started(command, script).behaviour.backends
        assert (backend.stop.value, backend.stop.unless == "") == (stop, known)

    def test_a_url_in_the_script_is_no_argument(self) -> None:
        script = "export POSTGRES_URL=postgres://shop@pg:5432; exec ./run_backend.sh"
        (backend,) = started(["sh", "-c", script], "").behaviour.backends
        assert (backend.engine.value, backend.engine.unless) == ("postgres", "")


class TestReferences:
    URL = "postgres://$(PGUSER)@pg:5432?sslmode=verify-full"

    @pytest.mark.parametrize(
        ("before", "after", "broken"),
        [
            ({"PGUSER": "shop"}, {}, False),
            ({}, {"PGUSER": "shop"}, True),
            ({}, {}, True),
            ({"OTHER": "$(PGUSER)"}, {"PGUSER": "shop"}, True),
        ],
        ids=["in order", "set after it", "not set", "not set either way"],
    )
    def test_the_kubelet_knows_what_was_set_before(
        self, before: dict[str, str], after: dict[str, str], broken: bool
    ) -> None:
        def change(workload: Object, service: Object, edge: Object) -> list[Object]:
            set_env(workload, **before, POSTGRES_URL=self.URL, **after)
            return []

        assert ("reference-unresolved" in changed(change)) is broken

    def test_an_unseen_secret_may_have_set_it(self) -> None:
        def change(workload: Object, service: Object, edge: Object) -> list[Object]:
            set_env(workload, POSTGRES_URL=self.URL, POSTGRES_MAX_CONNECTIONS="$(POOL)")
            pod(workload)["containers"][0]["envFrom"] = [{"secretRef": {"name": "pg"}}]
            return []

        assert not {"reference-unresolved", "number-unparsed"} & changed(change)

    @pytest.mark.parametrize(
        "placeholder",
        ["${SECRET}", "$SECRET", "<path:kv/shop#secret>", "vault:kv/shop#secret", "op://shop/convex/secret",
         "ref+vault://kv/shop#/secret", "ENC[AES256_GCM,data:q1w2,iv:x,tag:y,type:str]", "{{ .Values.secret }}"],
    )  # fmt: skip
    def test_a_placeholder_is_neither_a_secret_nor_malformed(self, placeholder: str) -> None:
        def change(workload: Object, service: Object, edge: Object) -> list[Object]:
            set_env(workload, INSTANCE_SECRET=placeholder, MYSQL_URL=placeholder)
            return []

        found = changed(change)
        assert not {"literal-secret", "instance-secret-malformed", "database-url-unusable"} & found
        assert "reference-unresolved" in found

    def test_a_password_beside_a_placeholder_is_a_secret(self) -> None:
        def change(workload: Object, service: Object, edge: Object) -> list[Object]:
            set_env(workload, MYSQL_URL="mysql://u:hunter2@${HOST}:3306")
            return []

        assert "literal-secret" in changed(change)


class TestOutOfSight:
    @pytest.mark.parametrize(
        ("api", "kind", "spec", "named"),
        [
            ("elbv2.k8s.aws/v1beta1", "TargetGroupBinding", {"serviceRef": {"name": "convex", "port": 3210}}, True),
            ("zalando.org/v1", "RouteGroup", {"backends": [{"serviceName": "convex"}]}, True),
            ("edge.example.com/v1", "PublicEndpoint", {"to": "http://convex.c.svc:3210"}, True),
            ("edge.example.com/v1", "PublicEndpoint", {"to": "http://blog.c.svc:80"}, False),
            ("monitoring.coreos.com/v1", "Probe", {"targets": ["http://convex:3210"]}, False),
            ("discovery.k8s.io/v1", "EndpointSlice", {"name": "convex"}, False),
        ],
    )
    def test_an_edge_of_any_kind_is_named(self, api: str, kind: str, spec: Object, named: bool) -> None:
        def change(workload: Object, service: Object, edge: Object) -> list[Object]:
            return [{"apiVersion": api, "kind": kind, "metadata": {"name": "x", "namespace": "c"}, "spec": spec}]

        assert ("edge-unread" in changed(change)) is named

    @pytest.mark.parametrize(
        "spec",
        [None, {"type": "ExternalName", "externalName": "convex.elsewhere.svc"}, {"ports": [{"port": 80}]}],
        ids=["not among the manifests", "another name", "without pods"],
    )
    def test_a_service_out_of_sight_is_said(self, spec: Object | None) -> None:
        def change(workload: Object, service: Object, edge: Object) -> list[Object]:
            (path,) = edge["spec"]["rules"][0]["http"]["paths"]
            path["backend"]["service"] = {"name": "proxy", "port": {"number": 80}}
            kind = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "proxy", "namespace": "c"}}
            return [{**kind, "spec": spec}] if spec else []

        assert "route-through-other" in changed(change)

    def test_a_port_that_the_ingress_does_not_serve_is_said(self) -> None:
        def change(workload: Object, service: Object, edge: Object) -> list[Object]:
            origin = "https://api.acme.example:8443"
            set_env(workload, CONVEX_CLOUD_ORIGIN=origin, CONVEX_SITE_ORIGIN=f"{origin}/http")
            return []

        assert changed(change) == {"origin-unserved"}


@pytest.mark.parametrize(("other", "rules"), [("traefik", {"host-twice"}), ("nginx", set())])
def test_which_of_two_ingresses_answers_is_not_claimed(other: str, rules: set[str]) -> None:
    def change(workload: Object, service: Object, edge: Object) -> list[Object]:
        edge["spec"]["ingressClassName"] = "traefik"
        second = copy.deepcopy(edge)
        second["metadata"]["name"] = "second"
        second["spec"]["ingressClassName"] = other
        second["spec"]["rules"][0]["http"]["paths"][0]["backend"]["service"]["name"] = "blog"
        return [second]

    assert changed(change) == rules


@pytest.mark.parametrize(("allowed", "filtered"), [("10.0.0.0/8", True), ("0.0.0.0/0, ::/0", False)])
def test_an_allow_list_of_everybody_filters_nobody(allowed: str, filtered: bool) -> None:
    def change(workload: Object, service: Object, edge: Object) -> list[Object]:
        edge["metadata"]["annotations"] = {"nginx.ingress.kubernetes.io/whitelist-source-range": allowed}
        return []

    assert ("api-filtered" in changed(change)) is filtered


def cluster(**spec: object) -> Object:
    where = {"name": "pg", "namespace": "c"}
    return {
        "apiVersion": "postgresql.cnpg.io/v1",
        "kind": "Cluster",
        "metadata": where,
        "spec": {"instances": 1, **spec},
    }


@pytest.mark.parametrize(
    ("secret", "key", "spec", "rules"),
    [
        ("pg-superuser", "password", {"enableSuperuserAccess": True}, set()),
        ("pg-superuser", "uri", {"enableSuperuserAccess": True}, set()),
        ("pg-superuser", "passwd", {"enableSuperuserAccess": True}, {"unresolved-variable"}),
        ("pg-superuser", "passwd", {"enableSuperuserAccess": True, "superuserSecret": {"name": "pg-superuser"}}, set()),
        ("pg-superuser", "passwd", {}, set()),
        ("pg-ca", "ca.crt", {}, set()),
        ("pg-ca", "tls.crt", {}, {"unresolved-variable"}),
        ("pg-server", "tls.crt", {}, set()),
        ("pg-server", "ca.crt", {}, {"unresolved-variable"}),
        ("pg-server", "ca.crt", {"certificates": {"serverTLSSecret": "pg-server"}}, set()),
        ("pg-replication", "ca.crt", {}, {"unresolved-variable"}),
        ("pg-app", "passwd", {}, {"unresolved-variable"}),
        ("pg-app", "passwd", {"bootstrap": {"recovery": {"source": "old"}}}, set()),
        ("pg-app", "passwd", {"bootstrap": {"initdb": {"secret": {"name": "pg-app"}}}}, set()),
        ("pg-pooler", "x", {}, set()),
    ],
)
def test_the_keys_of_the_secrets_of_cloudnativepg(secret: str, key: str, spec: Object, rules: set[str]) -> None:
    def change(workload: Object, service: Object, edge: Object) -> list[Object]:
        entry = {"name": "RUST_LOG", "valueFrom": {"secretKeyRef": {"name": secret, "key": key}}}
        pod(workload)["containers"][0]["env"].append(entry)
        return [cluster(**spec)]

    assert changed(change) & {"unresolved-variable"} == rules


def test_the_url_of_the_superuser_has_a_path() -> None:
    def change(workload: Object, service: Object, edge: Object) -> list[Object]:
        set_env(workload, POSTGRES_URL=None)
        entry = {"name": "POSTGRES_URL", "valueFrom": {"secretKeyRef": {"name": "pg-superuser", "key": "uri"}}}
        pod(workload)["containers"][0]["env"].append(entry)
        return [cluster(enableSuperuserAccess=True)]

    assert "database-in-url" in changed(change)
