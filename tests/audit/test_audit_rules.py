"""Every rule: manifests that break it, and the same put right."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from convexctl.audit import RULES, Rule, Severity, audit, formats
from convexctl.audit.examples import examples
from tests.support import audit_cases
from tests.support.audit_examples import manifests
from tests.support.convex_manifests import (
    BUCKETS,
    INSTANCE_SECRET,
    POSTGRES,
    S3,
    TAG,
    backend,
    claim,
    claim_template,
    config_map,
    dashboard,
    ingress,
    metadata,
    mounted,
    secret_variable,
    service,
    variables,
)

Manifests = list[dict[str, Any]]

URL = "postgres://convex:$(PASSWORD)@db:5432"
PASSWORD = secret_variable("PASSWORD", "db", "PASSWORD")
TEMPLATE = {"volumeClaimTemplates": [claim_template("data")]}
EMPTY_DIR = {"volumes": [{"name": "data", "emptyDir": {}}]}


def existing_claim(name: str) -> dict[str, Any]:
    """A pod's part with a claim as the volume `data`."""
    return {"volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": name}}]}


def namespace(name: str, **more: str) -> dict[str, Any]:
    """A Namespace among the manifests."""
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata(name, **more)}


SERVICES = [
    service("api", "convex", {"api": (3210, "api"), "http": (3211, "actions")}),
    service("board", "dashboard", {"web": (80, "http")}),
]
API = "https://api.example.com"
ORIGINS = {"CONVEX_CLOUD_ORIGIN": API, "CONVEX_SITE_ORIGIN": f"{API}/http"}
BROWSER = {"NEXT_PUBLIC_DEPLOYMENT_URL": API}
RULES_OF_EDGE: dict[str, list[tuple[str, str, object]]] = {
    "api.example.com": [("/", "api", "api")],
    "board.example.com": [("/", "board", "web")],
}
NO_METRICS = {"DISABLE_METRICS_ENDPOINT": "true"}
STOP = {"lifecycle": {"preStop": {"exec": {"command": ["sh", "-c", "kill -INT 1; sleep 60"]}}}}


def env(more: Mapping[str, object]) -> Manifests:
    return [backend(more)]


def env_of(*entries: dict[str, Any]) -> Manifests:
    return [backend(list(entries))]


def probe(kind: str, path: str, port: object, **more: object) -> dict[str, Any]:
    return {kind: {"httpGet": {"path": path, "port": port}, **more}}


def probed(container: dict[str, Any]) -> Manifests:
    return [backend(container=container)]


def edge(
    origins: dict[str, str] | None = None,
    rules: dict[str, list[tuple[str, str, object]]] | None = None,
    browser: dict[str, str] | None = None,
    *more: dict[str, Any],
    **ingress_options: Any,
) -> Manifests:
    """Backend and dashboard behind an Ingress, with the origins that fit it unless others are given."""
    return [
        backend({**NO_METRICS, **(ORIGINS if origins is None else origins)}),
        dashboard(BROWSER if browser is None else browser),
        *SERVICES,
        ingress(
            RULES_OF_EDGE if rules is None else rules,
            **{"tls": ["api.example.com", "board.example.com"], **ingress_options},
        ),
        *more,
    ]


def routed(*rules: dict[str, Any]) -> dict[str, Any]:
    """An HTTPRoute for the API's host."""
    spec = {"parentRefs": [{"name": "gateway"}], "hostnames": ["api.example.com"], "rules": list(rules)}
    return {"kind": "HTTPRoute", "metadata": metadata("route"), "spec": spec}


TO_API: dict[str, Any] = {"backendRefs": [{"name": "api", "port": 3210}]}
UNDER_HTTP = [{"path": {"type": "PathPrefix", "value": "/http"}}]
STRIPPED = [{"urlRewrite": {"path": {"type": "ReplacePrefixMatch", "replacePrefixMatch": "/"}}}]


def broken(id: str, bad: Manifests, good: Manifests, name: str = "") -> Any:
    return pytest.param(id, bad, good, id=f"{id}{f': {name}' if name else ''}")


CASES = [
    *(
        broken("presence-false", env({variable: value}), env({variable: "true"}), f"{variable}={value}")
        for variable in ("DO_NOT_REQUIRE_SSL", "DISABLE_BEACON", "REDACT_LOGS_TO_CLIENT")
        for value in ("false", "FALSE", "0", "no")
    ),
    *(broken("beacon-empty", env({variable: ""}), env({}), variable) for variable in ("DISABLE_BEACON",)),
    *(
        broken("boolean-unparsed", env({variable: value}), env({variable: "true"}), f"{variable}={value}")
        for variable in ("AWS_S3_FORCE_PATH_STYLE", "AWS_S3_DISABLE_SSE", "DISABLE_METRICS_ENDPOINT", "UDF_USE_FUNRUN")
        for value in ("TRUE", "True", "1", "yes")
    ),
    broken("number-unparsed", env({"POSTGRES_MAX_CONNECTIONS": "many"}), env({"POSTGRES_MAX_CONNECTIONS": "20"})),
    broken(
        "number-unparsed", env({"DOCUMENT_RETENTION_DELAY": "2d"}), env({"DOCUMENT_RETENTION_DELAY": "172800"}), "unit"
    ),
    *(
        broken("number-unparsed", env({name: value}), env({name: good}), f"{name}={value}")
        for name, value, good in (
            ("DOCUMENT_RETENTION_DELAY", "-5", "+5"),
            ("DOCUMENT_RETENTION_DELAY", "9" * 23, "0" * 23 + "9"),
            ("DOCUMENT_RETENTION_DELETE_CHUNK", "0", "1"),
            ("AWS_STATIC_LAMBDA_DISK_SIZE_MB", "9" * 19 + "9", "-9"),
        )
    ),
    broken(
        "number-unparsed", env({"FUNRUN_TARGET_CPU_USAGE": "half"}), env({"FUNRUN_TARGET_CPU_USAGE": "0.5"}), "fraction"
    ),
    broken("dead-variable", env({"ACTIONS_USER_TIMEOUT_SECS": "60"}), env({"V8_ACTION_USER_TIMEOUT_SECS": "60"})),
    *(
        broken("unread-variable", env({wrong: "1"}), env({right: "1"}), wrong)
        for wrong, right in (
            ("CONVEX_INSTANCE_SECRET", "INSTANCE_SECRET"),
            ("CONVEX_ADMIN_KEY", "CONVEX_SELF_HOSTED_ADMIN_KEY"),
            ("AWS_S3_REGION", "AWS_REGION"),
            ("POSTGRES_MAX_CONECTIONS", "POSTGRES_MAX_CONNECTIONS"),
            ("AWS_S3_FORCE_PATHSTYLE", "AWS_S3_FORCE_PATH_STYLE"),
            ("S3_STORAGE_FILE_BUCKET", "S3_STORAGE_FILES_BUCKET"),
            ("CONVEX_SOMETHING_NEW", "RUST_LOG"),
        )
    ),
    broken("unread-variable", [dashboard({"NEXT_PUBLIC_CONVEX_URL": API})], [dashboard(BROWSER)], "dashboard"),
    broken(
        "endpoint-nonsense",
        env({"AWS_ENDPOINT_URL_S3": "true"}),
        env({"AWS_ENDPOINT_URL_S3": "https://s3.example.com"}),
    ),
    broken(
        "unresolved-variable",
        [
            *env_of({"name": "X", "valueFrom": {"configMapKeyRef": {"name": "c", "key": "NO"}}}),
            config_map("c", {"YES": "1"}),
        ],
        [
            *env_of({"name": "X", "valueFrom": {"configMapKeyRef": {"name": "c", "key": "YES"}}}),
            config_map("c", {"YES": "1"}),
        ],
    ),
    broken("unresolved-variable", env({"RUST_LOG": 1}), env({"RUST_LOG": "1"}), "no string"),
    broken(
        "reference-unresolved",
        env({"INSTANCE_NAME": "$(SHOP)", "SHOP": "shop"}),
        env({"SHOP": "shop", "INSTANCE_NAME": "$(SHOP)"}),
    ),
    broken(
        "variables-unseen",
        [backend(container={"envFrom": [{"secretRef": {"name": "s"}}]})],
        [
            backend(container={"envFrom": [{"secretRef": {"name": "s"}}]}),
            {"kind": "Secret", "metadata": metadata("s"), "data": {"INSTANCE_SECRET": None}},
        ],
    ),
    broken("data-lost-with-pod", env({}), [backend([POSTGRES, *variables(S3)])], "no volume, all outside"),
    broken(
        "data-lost-with-pod",
        [backend(container=mounted(), pod=EMPTY_DIR)],
        [backend(container=mounted(), spec=TEMPLATE)],
        "SQLite and files on an emptyDir",
    ),
    broken(
        "data-lost-with-pod",
        [backend([POSTGRES], container=mounted(), pod=EMPTY_DIR)],
        [backend([POSTGRES], container=mounted(), spec=TEMPLATE)],
        "files only",
    ),
    broken(
        "data-lost-with-pod",
        [backend(S3, container=mounted(), pod=EMPTY_DIR)],
        [backend([POSTGRES, *variables(S3)], container=mounted(), pod=EMPTY_DIR)],
        "documents only",
    ),
    broken(
        "data-on-one-node",
        [backend(container=mounted(), pod={"volumes": [{"name": "data", "hostPath": {"path": "/srv"}}]})],
        [backend(container=mounted(), spec=TEMPLATE)],
    ),
    broken(
        "data-lost-with-manifests",
        [
            backend(
                container=mounted(), pod={"volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": "c"}}]}
            ),
            claim("c"),
        ],
        [
            backend(
                container=mounted(), pod={"volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": "c"}}]}
            )
        ],
    ),
    broken(
        "data-lost-with-manifests",
        [
            backend(
                container=mounted(),
                spec={**TEMPLATE, "persistentVolumeClaimRetentionPolicy": {"whenDeleted": "Delete"}},
            )
        ],
        [
            backend(
                container=mounted(),
                spec={**TEMPLATE, "persistentVolumeClaimRetentionPolicy": {"whenDeleted": "Retain"}},
            )
        ],
        "retention policy",
    ),
    broken(
        "data-lost-with-manifests",
        [backend(container=mounted(), spec=TEMPLATE, namespace="x"), namespace("x")],
        [backend(container=mounted(), spec=TEMPLATE, namespace="x"), namespace("other")],
        "a Namespace around a template's claim",
    ),
    broken(
        "data-lost-with-manifests",
        [backend(container=mounted(), pod=existing_claim("c"), namespace="x"), namespace("x")],
        [backend(container=mounted(), pod=existing_claim("c"), namespace="x"), namespace("x", uid="0f1e")],
        "a Namespace around a claim made elsewhere; not one in a cluster",
    ),
    broken(
        "claim-not-mounted",
        [backend(container=mounted("/data"), spec=TEMPLATE)],
        [backend(container=mounted(), spec=TEMPLATE)],
    ),
    broken(
        "dashboard-hostname-wrong",
        [dashboard({"HOSTNAME": "localhost"})],
        [dashboard({"HOSTNAME": "0.0.0.0"})],  # noqa: S104
    ),
    broken("dashboard-hostname-wrong", [dashboard()], [dashboard({"HOSTNAME": "::"})], "not set"),
    broken("claim-not-mounted", [backend(), claim("c")], [backend()], "never mounted"),
    broken("no-volume", env({}), [backend(container=mounted(), pod=EMPTY_DIR)]),
    broken(
        "data-read-only",
        [backend(container=mounted(readOnly=True), pod=EMPTY_DIR)],
        [backend(container=mounted(), pod=EMPTY_DIR)],
    ),
    *(
        broken(
            "s3-partial",
            env({key: value for key, value in S3.items() if key != missing}),
            env(S3),
            f"without {missing}",
        )
        for missing in S3
    ),
    broken("s3-partial", env({**S3, "S3_STORAGE_FILES_BUCKET": ""}), env({"AWS_REGION": "x"}), "an empty bucket"),
    broken(
        "s3-optional",
        env_of(*variables(BUCKETS), secret_variable("AWS_REGION", "s3", "REGION", optional=True)),
        env_of(*variables(BUCKETS), secret_variable("AWS_REGION", "s3", "REGION")),
    ),
    broken("s3-endpoint-malformed", env({**S3, "S3_ENDPOINT_URL": ""}), env(S3), "empty"),
    broken(
        "s3-endpoint-malformed",
        env({**S3, "S3_ENDPOINT_URL": "minio:9000"}),
        env({**S3, "S3_ENDPOINT_URL": "http://minio:9000"}),
        "no scheme",
    ),
    broken(
        "s3-half-keys",
        env_of(*variables(S3), secret_variable("AWS_ACCESS_KEY_ID", "s3", "ID")),
        env_of(
            *variables(S3),
            secret_variable("AWS_ACCESS_KEY_ID", "s3", "ID"),
            secret_variable("AWS_SECRET_ACCESS_KEY", "s3", "KEY"),
        ),
    ),
    broken("database-tls-not-required", env_of(POSTGRES, *variables({"DO_NOT_REQUIRE_SSL": "true"})), env_of(POSTGRES)),
    broken(
        "database-tls-not-required",
        env_of(secret_variable("MYSQL_URL", "db", "URL"), *variables({"DO_NOT_REQUIRE_SSL": "1"})),
        env_of(
            secret_variable("MYSQL_URL", "db", "URL"), *variables({"DO_NOT_REQUIRE_SSL": "1", "MYSQL_CA_FILE": "/ca"})
        ),
        "MySQL",
    ),
    broken(
        "database-in-url",
        env_of(PASSWORD, *variables({"POSTGRES_URL": f"{URL}/convex"})),
        env_of(PASSWORD, *variables({"POSTGRES_URL": URL})),
    ),
    broken(
        "database-url-unusable", env({"POSTGRES_URL": "db:5432"}), env({"POSTGRES_URL": "postgres://convex@db:5432"})
    ),
    broken(
        "database-url-unusable",
        env({"MYSQL_URL": "mysql://db:3306"}),
        env({"MYSQL_URL": "mysql://convex@db:3306"}),
        "no user",
    ),
    broken(
        "database-url-unusable",
        env({"POSTGRES_URL": "mysql://u@db"}),
        env({"POSTGRES_URL": "postgresql://u@db"}),
        "scheme",
    ),
    broken(
        "database-url-unusable",
        env({"MYSQL_URL": "mysql://u@:3306"}),
        env({"MYSQL_URL": "mysql://u@db:3306"}),
        "no host",
    ),
    broken(
        "database-url-unusable",
        env({"POSTGRES_URL": "postgres://db?user=u"}),
        env({"POSTGRES_URL": "postgres://u@db"}),
        "query",
    ),
    broken(
        "database-url-deprecated",
        env({"DATABASE_URL": "postgres://convex@db"}),
        env({"POSTGRES_URL": "postgres://convex@db"}),
    ),
    broken("database-ignored", env_of(POSTGRES, secret_variable("MYSQL_URL", "db", "M")), env_of(POSTGRES)),
    broken(
        "database-optional",
        env_of(secret_variable("POSTGRES_URL", "db", "URL", optional=True)),
        env_of(secret_variable("POSTGRES_URL", "db", "URL")),
    ),
    broken(
        "database-pool-too-large", env_of(POSTGRES), env_of(POSTGRES, *variables({"POSTGRES_MAX_CONNECTIONS": "64"}))
    ),
    broken(
        "database-pool-too-large",
        env_of(secret_variable("MYSQL_URL", "db", "M"), *variables({"MYSQL_MAX_CONNECTIONS": "200"})),
        env_of(secret_variable("MYSQL_URL", "db", "M")),
        "MySQL",
    ),
    broken(
        "database-ca-missing",
        env_of(POSTGRES, *variables({"PG_CA_FILE": "/ca/ca.crt"})),
        [
            backend(
                [POSTGRES, *variables({"PG_CA_FILE": "/ca/ca.crt"})],
                container=mounted("/ca", "ca"),
                pod={"volumes": [{"name": "ca", "secret": {"secretName": "ca"}}]},
            )
        ],
    ),
    broken(
        "shared-database",
        [backend([POSTGRES, *variables({"INSTANCE_NAME": name})], name=name) for name in ("a-b", "a_b")],
        [backend([POSTGRES, *variables({"INSTANCE_NAME": name})], name=name) for name in ("a-b", "a-c")],
    ),
    broken(
        "shared-database",
        [backend([POSTGRES], name="a", namespace="x"), backend([POSTGRES], name="b", namespace="x")],
        [backend([POSTGRES], name="a", namespace="x"), backend([POSTGRES], name="b", namespace="y")],
        "Secrets of one name in two namespaces",
    ),
    *(
        broken(
            "shared-database",
            [
                backend({"POSTGRES_URL": "postgres://u@db"}, name="a"),
                backend({"POSTGRES_URL": same}, name="b"),
            ],
            [
                backend({"POSTGRES_URL": "postgres://u@db"}, name="a"),
                backend({"POSTGRES_URL": "postgres://u@db:5433"}, name="b"),
            ],
            f"one server in two spellings: {same}",
        )
        for same in ("postgresql://u@db", "postgres://v@db:5432/", "postgresql://u@DB:5432")
    ),
    *(
        broken(
            "shared-database",
            [
                backend({"POSTGRES_URL": "postgres://u@db"}, name="a", namespace="x"),
                backend({"POSTGRES_URL": same}, name="b", namespace="y"),
            ],
            [
                backend({"POSTGRES_URL": "postgres://u@db"}, name="a", namespace="x"),
                backend({"POSTGRES_URL": "postgres://u@db"}, name="b", namespace="y"),
            ],
            f"one Service from another namespace: {same}",
        )
        for same in ("postgres://u@db.x", "postgres://u@db.x.svc:5432", "postgres://u@db.x.svc.cluster.local.")
    ),
    broken(
        "shared-database",
        [backend({"POSTGRES_URL": "postgres://u@pg.example.com"}, name=name, namespace=name) for name in "ab"],
        [backend({"POSTGRES_URL": "postgres://u@localhost"}, name=name, namespace=name) for name in "ab"],
        "one server outside, or one in each of two pods",
    ),
    broken("instance-secret-unstable", env({}), env({"INSTANCE_SECRET": INSTANCE_SECRET})),
    broken(
        "instance-secret-unstable",
        [backend(container=mounted(), pod=EMPTY_DIR)],
        [backend(container=mounted(), spec=TEMPLATE)],
        "emptyDir",
    ),
    broken(
        "instance-secret-malformed",
        env({"INSTANCE_SECRET": "q" * 43 + "="}),
        env({"INSTANCE_SECRET": INSTANCE_SECRET}),
        "base64",
    ),
    broken(
        "instance-secret-malformed",
        env({"INSTANCE_SECRET": "00"}),
        env_of(secret_variable("INSTANCE_SECRET", "s", "K")),
        "short",
    ),
    broken("instance-name-refused", env({"INSTANCE_NAME": "a|b"}), env({"INSTANCE_NAME": "a-b"})),
    broken(
        "literal-secret",
        env({"INSTANCE_SECRET": INSTANCE_SECRET}),
        env_of(secret_variable("INSTANCE_SECRET", "s", "K")),
    ),
    broken(
        "literal-secret",
        env({"POSTGRES_URL": "postgres://u:pw@db"}),
        env_of(PASSWORD, *variables({"POSTGRES_URL": URL})),
        "URL",
    ),
    *(
        broken(
            "literal-secret",
            env({"POSTGRES_URL": f"postgres://u:{password}@db:5432"}),
            env_of(PASSWORD, *variables({"POSTGRES_URL": "postgres://u:$(PASSWORD)@db:5432?application_name=a@b"})),
            f"an unescaped {password[1]}",
        )
        for password in ("p#w", "p?w", "p/w", "p@w/x")
    ),
    broken(
        "literal-secret",
        env({"POSTGRES_URL": "postgres://u@db?password=pw"}),
        env({"POSTGRES_URL": "postgres://u@db?password="}),
        "in the query",
    ),
    broken(
        "literal-secret",
        env({"S3_ENDPOINT_URL": "https://me:hunter2@s3.example.com"}),
        env({"S3_ENDPOINT_URL": "https://s3.example.com:9000/a@b"}),
        "S3 endpoint",
    ),
    broken("literal-secret", env({"AWS_SECRET_ACCESS_KEY": "x"}), env({"AWS_ACCESS_KEY_ID": "x"}), "S3 key"),
    broken(
        "literal-secret", [dashboard({"NEXT_PUBLIC_ADMIN_KEY": f"a|01{'0' * 60}"})], [dashboard(BROWSER)], "admin key"
    ),
    broken(
        "literal-secret",
        env({"CONVEX_URL": f"a|01{'0' * 60}"}),
        env({"CONVEX_URL": API}),
        "admin key under another name",
    ),
    broken(
        "literal-secret",
        [
            backend(container={"envFrom": [{"configMapRef": {"name": "c"}}]}),
            config_map("c", {"INSTANCE_SECRET": INSTANCE_SECRET}),
        ],
        [backend(container={"envFrom": [{"configMapRef": {"name": "c"}}]}), config_map("c", {"INSTANCE_NAME": "shop"})],
        "ConfigMap",
    ),
    *(
        broken(
            "literal-secret",
            [backend(container={"args": bad})],
            [backend([PASSWORD], container={"args": good})],
            f"in the arguments: {bad[0]}",
        )
        for bad, good in (
            (["--instance-secret", INSTANCE_SECRET], ["--instance-secret", "$(PASSWORD)"]),
            ([f"--instance-secret={INSTANCE_SECRET}"], ["--instance-secret=$(PASSWORD)"]),
            (["postgres://u:pw@db"], ["postgres://u:$(PASSWORD)@db"]),
        )
    ),
    broken("several-writers", [backend(spec={"replicas": 2})], [backend(spec={"replicas": 1})], "replicas"),
    broken("several-writers", [backend(kind="DaemonSet")], [backend()], "DaemonSet"),
    broken(
        "several-writers",
        [
            backend(),
            {
                "kind": "HorizontalPodAutoscaler",
                "metadata": metadata("h"),
                "spec": {"maxReplicas": 3, "scaleTargetRef": {"kind": "StatefulSet", "name": "convex"}},
            },
        ],
        [
            backend(),
            dashboard(),
            {
                "kind": "HorizontalPodAutoscaler",
                "metadata": metadata("h"),
                "spec": {"maxReplicas": 3, "scaleTargetRef": {"kind": "Deployment", "name": "dashboard"}},
            },
        ],
        "autoscaler",
    ),
    broken(
        "overlapping-update",
        [backend(kind="Deployment")],
        [backend(kind="Deployment", spec={"strategy": {"type": "Recreate"}})],
    ),
    broken(
        "shared-claim",
        [backend(name=name, container=mounted(), pod=existing_claim("files")) for name in ("a", "b")],
        [backend(name=name, container=mounted(), pod=existing_claim(f"files-{name}")) for name in ("a", "b")],
    ),
    broken(
        "shared-claim",
        [backend(name=name, namespace="x", container=mounted(), pod=existing_claim("files")) for name in ("a", "b")],
        [backend(name=name, namespace=name, container=mounted(), pod=existing_claim("files")) for name in ("a", "b")],
        "claims of one name in two namespaces",
    ),
    broken(
        "shared-claim",
        [
            backend(name=name, namespace=namespace, container=mounted(), pod=existing_claim("files"))
            for name, namespace in (("a", ""), ("b", "x"))
        ],
        [
            backend(name="a", namespace=namespace, container=mounted(), pod=existing_claim("files"))
            for namespace in ("", "x")
        ],
        "one name with a namespace and without",
    ),
    broken(
        "shared-volume",
        [
            backend(
                container=mounted(),
                spec={"volumeClaimTemplates": [claim_template("data", accessModes=["ReadWriteMany"])]},
            )
        ],
        [backend(container=mounted(), spec=TEMPLATE)],
    ),
    broken(
        "shared-volume",
        [
            backend(
                container=mounted(),
                spec={"volumeClaimTemplates": [claim_template("data", accessModes=["ReadWriteMany"])]},
            )
        ],
        [
            backend(
                [POSTGRES],
                container=mounted(),
                spec={"volumeClaimTemplates": [claim_template("data", accessModes=["ReadWriteMany"])]},
            )
        ],
        "not with a database server",
    ),
    broken(
        "process-namespace-shared",
        [backend(container=STOP, pod={"shareProcessNamespace": True})],
        [backend(container=STOP)],
    ),
    broken(
        "process-namespace-shared",
        [backend(container=STOP, pod={"hostPID": True})],
        [backend(container=STOP)],
        "hostPID",
    ),
    broken("no-clean-stop", env({}), [backend(container=STOP)]),
    broken(
        "no-clean-stop",
        [backend(container={**STOP, "command": ["sh", "-c", "sleep 1; ./run_backend.sh"]})],
        [backend(container={**STOP, "command": ["sh", "-c", "sleep 1; exec ./run_backend.sh"]})],
        "a shell between",
    ),
    broken(
        "short-grace",
        [backend(pod={"terminationGracePeriodSeconds": 5})],
        [backend(pod={"terminationGracePeriodSeconds": 120})],
    ),
    broken(
        "probe-missing",
        probed(probe("readinessProbe", "/version", "api")),
        probed({**probe("readinessProbe", "/version", "api"), **probe("livenessProbe", "/version", "api")}),
    ),
    broken(
        "probe-missing",
        [dashboard()],
        [dashboard(container={**probe("readinessProbe", "/", 6791), **probe("livenessProbe", "/", 6791)})],
        "dashboard",
    ),
    broken(
        "probe-wrong",
        probed(probe("readinessProbe", "/health", "api")),
        probed(probe("readinessProbe", "/version", "api")),
        "path",
    ),
    broken(
        "probe-wrong",
        probed(probe("livenessProbe", "/version", 3211)),
        probed(probe("livenessProbe", "/instance_name", 3210)),
        "port",
    ),
    broken(
        "probe-wrong",
        probed(probe("startupProbe", "/version", "http")),
        probed(probe("startupProbe", "/version?x", "api")),
        "port name",
    ),
    broken(
        "probe-wrong",
        probed({"livenessProbe": {"grpc": {"port": 3210}}}),
        probed({"livenessProbe": {"tcpSocket": {"port": 3210}}}),
        "gRPC",
    ),
    broken(
        "probe-wrong",
        probed({"livenessProbe": {"httpGet": {"path": "/version", "port": 3210, "scheme": "HTTPS"}}}),
        probed({"livenessProbe": {"httpGet": {"path": "/version", "port": 3210, "scheme": "HTTP"}}}),
        "HTTPS",
    ),
    *(
        broken(
            "probe-wrong",
            probed({"livenessProbe": {"exec": {"command": ["sh", "-c", f"curl -f {url} || exit 1"]}}}),
            probed({"livenessProbe": {"exec": {"command": ["curl", "-f", "http://localhost:3210/version"]}}}),
            f"a command that asks {url}",
        )
        for url in (
            "http://localhost:3210/api/health",
            "http://127.0.0.1:3211/version",
            "https://localhost:3210/version",
        )
    ),
    broken(
        "probe-wrong",
        [dashboard(container=probe("readinessProbe", "/api/health", 6791))],
        [dashboard(container=probe("readinessProbe", "/", "http"))],
        "dashboard",
    ),
    broken(
        "start-too-short",
        probed(probe("livenessProbe", "/version", "api")),
        probed(
            {
                **probe("livenessProbe", "/version", "api"),
                **probe("startupProbe", "/version", "api", failureThreshold=60),
            }
        ),
    ),
    broken(
        "start-too-short",
        probed(probe("startupProbe", "/version", "api")),
        probed(probe("readinessProbe", "/version", "api")),
        "start-up probe",
    ),
    broken(
        "backend-user-wrong",
        [backend(pod={"securityContext": {"runAsNonRoot": True}})],
        [backend(pod={"securityContext": {"runAsUser": 0}})],
    ),
    broken(
        "backend-user-wrong",
        [backend(container={"securityContext": {"runAsUser": 1000}})],
        [backend(container={"securityContext": {"allowPrivilegeEscalation": False}})],
        "another user",
    ),
    broken(
        "dashboard-user-wrong",
        [dashboard(pod={"securityContext": {"runAsNonRoot": True}})],
        [dashboard(pod={"securityContext": {"runAsNonRoot": True, "runAsUser": 1001}})],
    ),
    broken(
        "memory-limit-low",
        [backend(container={"resources": {"limits": {"memory": "512Mi"}}})],
        [backend(container={"resources": {"limits": {"memory": "1Gi"}}})],
    ),
    broken("tag-latest", [backend(container={"image": "ghcr.io/get-convex/convex-backend"})], [backend()]),
    broken(
        "tag-skew",
        [backend(), dashboard(container={"image": f"ghcr.io/get-convex/convex-dashboard:{'0' * 40}"})],
        [backend(), dashboard()],
    ),
    broken(
        "tag-unknown",
        [backend(container={"image": "ghcr.io/get-convex/convex-backend:v1.2.0"})],
        [backend(container={"image": "registry.example.com/convex-backend:v1.2.0"})],
    ),
    broken(
        "tag-unknown",
        [backend(container={"image": f"ghcr.io/get-convex/convex-backend:{TAG[:7]}"})],
        [backend()],
        "short SHA",
    ),
    broken("telemetry-on", env({}), env({"DISABLE_BEACON": "true"})),
    broken(
        "entry-point-replaced",
        [backend(container={"command": ["./convex-local-backend"]})],
        [backend(container={"command": ["sh", "-c", "exec ./run_backend.sh"]})],
    ),
    broken("origin-missing", env({"CONVEX_CLOUD_ORIGIN": API}), env(ORIGINS)),
    broken("origin-without-scheme", env({"CONVEX_CLOUD_ORIGIN": "api.example.com"}), env(ORIGINS)),
    broken("origin-with-path", env({"CONVEX_CLOUD_ORIGIN": f"{API}/convex"}), env(ORIGINS)),
    broken("origin-with-path", env({"CONVEX_CLOUD_ORIGIN": f"{API}?x=1"}), env(ORIGINS), "query"),
    broken("origin-with-path", env({"CONVEX_SITE_ORIGIN": f"{API}/http#x"}), env(ORIGINS), "fragment"),
    broken(
        "origin-with-path",
        [dashboard({"NEXT_PUBLIC_DEPLOYMENT_URL": f"{API}/http"})],
        [dashboard(BROWSER)],
        "the dashboard's URL",
    ),
    *(
        broken("origin-local", env({name: wrong}), env({name: right}), f"{name}={wrong}")
        for name, wrong, right in (
            ("CONVEX_CLOUD_ORIGIN", "http://localhost:8000", "http://localhost:3210"),
            ("CONVEX_CLOUD_ORIGIN", "http://localhost:3211", "http://127.0.0.1:3210"),
            ("CONVEX_CLOUD_ORIGIN", "https://localhost:3210", "http://localhost:3210"),
            ("CONVEX_CLOUD_ORIGIN", "http://localhost", "http://192.0.2.1:8000"),
            ("CONVEX_CLOUD_ORIGIN", "http://[::1]:3210", "http://localhost:3210"),
            ("CONVEX_SITE_ORIGIN", "http://localhost:8001", "http://localhost:3211"),
            ("CONVEX_SITE_ORIGIN", "http://localhost:3210", "http://localhost:3210/http"),
            ("CONVEX_SITE_ORIGIN", "http://localhost:3211/http", "http://localhost:3211"),
        )
    ),
    broken("origin-trailing-slash", env({"CONVEX_CLOUD_ORIGIN": f"{API}/"}), env(ORIGINS), "API"),
    broken("origin-trailing-slash", env({"CONVEX_SITE_ORIGIN": f"{API}/http/"}), env(ORIGINS), "site"),
    broken(
        "origin-trailing-slash",
        [dashboard({"NEXT_PUBLIC_DEPLOYMENT_URL": f"{API}/"})],
        [dashboard(BROWSER)],
        "dashboard",
    ),
    broken("origin-unserved", edge({**ORIGINS, "CONVEX_CLOUD_ORIGIN": "https://other.example.com"}), edge()),
    broken(
        "origin-unserved",
        edge({**ORIGINS, "CONVEX_SITE_ORIGIN": "https://site.example.com"}),
        env({"CONVEX_SITE_ORIGIN": "https://site.example.com"}),
        "nothing to judge without an edge",
    ),
    broken("origin-unserved", edge(path_type="Exact"), edge(), "an exact path serves that path alone"),
    broken(
        "origin-unserved",
        edge(rules={**RULES_OF_EDGE, "api.example.com": [("/version", "api", "api"), ("/http", "api", "api")]}),
        edge(rules={**RULES_OF_EDGE, "api.example.com": [(path, "api", "api") for path in ("/api", "/http")]}),
        "the API in part",
    ),
    broken(
        "origin-elsewhere",
        edge({**ORIGINS, "CONVEX_CLOUD_ORIGIN": "https://board.example.com"}),
        edge(),
        "API origin on the dashboard",
    ),
    broken(
        "origin-elsewhere", edge({**ORIGINS, "CONVEX_SITE_ORIGIN": API}), edge(), "site origin on the API without /http"
    ),
    broken(
        "origin-elsewhere",
        edge(rules={**RULES_OF_EDGE, "api.example.com": [("/", "api", "http")]}),
        edge(
            {**ORIGINS, "CONVEX_SITE_ORIGIN": "https://site.example.com"},
            {**RULES_OF_EDGE, "site.example.com": [("/", "api", "http")]},
        ),
        "API origin on 3211",
    ),
    broken(
        "origin-elsewhere",
        edge(
            {**ORIGINS, "CONVEX_SITE_ORIGIN": "https://site.example.com/actions"},
            {**RULES_OF_EDGE, "site.example.com": [("/", "api", "http")]},
        ),
        edge(
            {**ORIGINS, "CONVEX_SITE_ORIGIN": "https://site.example.com"},
            {**RULES_OF_EDGE, "site.example.com": [("/", "api", "http")]},
        ),
        "a site origin with a path on 3211",
    ),
    broken(
        "origin-elsewhere",
        edge(
            rules={**RULES_OF_EDGE, "api.example.com": [("/()(.*)", "api", "api"), ("/http(/|$)(.*)", "api", "api")]},
            annotations={"nginx.ingress.kubernetes.io/rewrite-target": "/$2"},
        ),
        edge(
            rules={**RULES_OF_EDGE, "api.example.com": [("/()(.*)", "api", "api"), ("/http(/|$)(.*)", "api", "http")]},
            annotations={"nginx.ingress.kubernetes.io/rewrite-target": "/$2"},
        ),
        "/http stripped on the way to 3210, and on the way to 3211",
    ),
    broken(
        "origin-elsewhere",
        edge(annotations={"nginx.ingress.kubernetes.io/rewrite-target": "/"}),
        edge(annotations={"nginx.ingress.kubernetes.io/use-regex": "true"}),
        "every path rewritten to /",
    ),
    broken(
        "origin-elsewhere",
        [backend(ORIGINS), *SERVICES, routed({"matches": UNDER_HTTP, "filters": STRIPPED, **TO_API}, TO_API)],
        [backend(ORIGINS), *SERVICES, routed({"matches": UNDER_HTTP, **TO_API}, TO_API)],
        "/http stripped by an HTTPRoute",
    ),
    broken("site-on-dashboard", edge({**ORIGINS, "CONVEX_SITE_ORIGIN": "https://board.example.com"}), edge()),
    broken(
        "http-unstripped",
        edge(rules={**RULES_OF_EDGE, "api.example.com": [("/http", "api", "http"), ("/", "api", "api")]}),
        edge(rules={**RULES_OF_EDGE, "api.example.com": [("/http", "api", "api"), ("/", "api", "api")]}),
        "sent to 3210",
    ),
    broken(
        "http-unstripped",
        edge(rules={**RULES_OF_EDGE, "api.example.com": [("/http(/|$)(.*)", "api", "http")]}),
        edge(
            rules={**RULES_OF_EDGE, "api.example.com": [("/http(/|$)(.*)", "api", "http")]},
            annotations={"nginx.ingress.kubernetes.io/rewrite-target": "/$2"},
        ),
        "stripped",
    ),
    broken("actions-bottleneck", edge(rules={"site.example.com": [("/", "api", "http")]}), edge()),
    broken(
        "sub-path",
        edge(rules={**RULES_OF_EDGE, "board.example.com": [("/dashboard", "board", "web")]}),
        edge(),
        "dashboard",
    ),
    broken("sub-path", edge(rules={**RULES_OF_EDGE, "api.example.com": [("/convex", "api", "api")]}), edge(), "API"),
    broken(
        "sub-path",
        edge(rules={**RULES_OF_EDGE, "api.example.com": [("/convex(/|$)(.*)", "api", "api")]}),
        edge(rules={**RULES_OF_EDGE, "api.example.com": [("/http", "api", "api"), ("/api", "api", "api")]}),
        "real paths of the API are none",
    ),
    broken(
        "sub-path",
        edge(
            rules={**RULES_OF_EDGE, "api.example.com": [("/convex(/|$)(.*)", "api", "api")]},
            annotations={"nginx.ingress.kubernetes.io/rewrite-target": "/$2"},
        ),
        edge(
            rules={
                "api.example.com": [("/()(.*)", "api", "api"), ("/http(/|$)(.*)", "api", "http")],
                "board.example.com": [("/()(.*)", "board", "web")],
            },
            annotations={"nginx.ingress.kubernetes.io/rewrite-target": "/$2"},
        ),
        "an expression that hands on what stands behind the root is none",
    ),
    broken(
        "route-nowhere",
        [backend(), service("s", "convex", {"p": (80, 8080)}), ingress({"x.example.com": [("/", "s", "p")]})],
        [backend(), service("s", "convex", {"p": (80, 3210)}), ingress({"x.example.com": [("/", "s", "p")]})],
        "a port where nothing listens",
    ),
    broken(
        "route-nowhere",
        [backend(), service("s", "convex", {"p": (80, 3210)}), ingress({"x.example.com": [("/", "s", "q")]})],
        [backend(), service("s", "other", {"p": (80, 3210)}), ingress({"x.example.com": [("/", "s", "q")]})],
        "a port that the Service lacks; what is not Convex does not matter",
    ),
    broken("mixed-content", edge(browser={"NEXT_PUBLIC_DEPLOYMENT_URL": "http://api.example.com"}), edge()),
    broken(
        "page-over-http",
        edge(tls=["api.example.com"]),
        edge(tls=[]),
        "the API has TLS; where neither has, it ends elsewhere",
    ),
    *(
        broken(
            "cluster-only-url",
            [dashboard({"NEXT_PUBLIC_DEPLOYMENT_URL": url})],
            [dashboard({"NEXT_PUBLIC_DEPLOYMENT_URL": "http://localhost:3210"})],
            url,
        )
        for url in (
            "http://convex-backend:3210",
            "http://convex.ns.svc:3210",
            "http://convex.ns.svc.cluster.local:3210",
        )
    ),
    broken(
        "cluster-only-url",
        env({"CONVEX_CLOUD_ORIGIN": "http://convex-backend:3210"}),
        env({"CONVEX_CLOUD_ORIGIN": "http://192.0.2.1:3210"}),
        "origin",
    ),
    broken("deployment-url-wrong", [dashboard()], [dashboard(BROWSER)], "not set"),
    broken(
        "deployment-url-wrong",
        edge(browser={"NEXT_PUBLIC_DEPLOYMENT_URL": "https://other.example.com"}),
        edge(browser={"NEXT_PUBLIC_DEPLOYMENT_URL": f"{API}:443"}),
        "another API",
    ),
    broken("admin-key-prefilled", [dashboard([secret_variable("NEXT_PUBLIC_ADMIN_KEY", "s", "K")])], [dashboard()]),
    broken(
        "metrics-public",
        [backend(), *SERVICES, ingress({"api.example.com": [("/", "api", "api")]})],
        [backend(NO_METRICS), *SERVICES, ingress({"api.example.com": [("/", "api", "api")]})],
    ),
    broken(
        "metrics-public",
        [
            backend(),
            dashboard(),
            *SERVICES,
            ingress(
                {
                    "api.example.com": [("/metrics", "board", "web"), ("/", "api", "api")],
                    "site.example.com": [("/", "api", "http")],
                }
            ),
        ],
        [
            backend(),
            dashboard(),
            *SERVICES,
            ingress(
                {
                    host: [("/metrics", "board", "web"), ("/", "api", port)]
                    for host, port in (("api.example.com", "api"), ("site.example.com", "http"))
                }
            ),
        ],
        "on the other host",
    ),
    broken(
        "metrics-public",
        [backend(), service("lb", "convex", {"api": (3210, "api")}, type="LoadBalancer")],
        [backend(), service("lb", "convex", {"api": (3210, "api")})],
        "through a load balancer",
    ),
    *(
        broken(
            "nginx-body-size-small",
            edge(ingressClassName="nginx", annotations=annotations),
            edge(ingressClassName="nginx", annotations={"nginx.ingress.kubernetes.io/proxy-body-size": size}),
            f"{annotations} and {size}",
        )
        for annotations, size in (
            ({}, "0"),
            ({"nginx.ingress.kubernetes.io/proxy-body-size": "8m"}, "200m"),
            ({"nginx.org/client-max-body-size": "1m"}, "1g"),
        )
    ),
    broken(
        "nginx-body-size-small",
        edge(ingressClassName="internal-nginx"),
        edge(ingressClassName="traefik"),
        "other classes have no such limit",
    ),
    *(
        broken(
            "nginx-timeout-short",
            edge(ingressClassName="nginx", annotations=annotations),
            edge(ingressClassName="nginx", annotations={"nginx.ingress.kubernetes.io/proxy-read-timeout": timeout}),
            f"{annotations} and {timeout}",
        )
        for annotations, timeout in (
            ({}, "300"),
            ({"nginx.ingress.kubernetes.io/proxy-read-timeout": "60"}, "3600"),
            ({"nginx.org/proxy-read-timeout": "90s"}, "5m"),
        )
    ),
    *(
        broken(
            "gateway-timeout-short",
            [backend(), *SERVICES, routed({**TO_API, "timeouts": bad})],
            [backend(), *SERVICES, routed({**TO_API, "timeouts": good})],
            f"{bad} and {good}",
        )
        for bad, good in (
            ({"request": "60s"}, {"request": "5m"}),
            ({"request": "10m", "backendRequest": "4m59s999ms"}, {"request": "0s"}),
            ({"request": "1m30s"}, {}),
        )
    ),
    broken(
        "gateway-timeout-short",
        [backend(), *SERVICES, routed({**TO_API, "timeouts": {"request": "60s"}})],
        [
            dashboard(),
            *SERVICES,
            routed({"backendRefs": [{"name": "board", "port": 80}], "timeouts": {"request": "60s"}}),
        ],
        "the dashboard answers at once",
    ),
]


def found(manifests: Sequence[dict[str, Any]]) -> dict[str, Severity]:
    """The rules that manifests break, each with its worst severity."""
    return {finding.rule.id: finding.severity for finding in reversed(audit(manifests).findings)}


@pytest.mark.parametrize(("id", "bad", "good"), CASES)
def test_rule(id: str, bad: Manifests, good: Manifests) -> None:
    assert id in found(bad)
    assert id not in found(good)


@pytest.mark.parametrize(
    ("id", "bad", "good"),
    [pytest.param(id, bad, good, id=f"{id}: {name}") for id, name, bad, good in audit_cases.CASES],
)
def test_rule_in_short(id: str, bad: str, good: str) -> None:
    assert id in found(manifests(bad))
    assert id not in found(manifests(good))


def test_every_rule_has_a_case() -> None:
    cases = {case.values[0] for case in CASES} | {id for id, *_ in audit_cases.CASES}
    assert cases == {rule.id for rule in RULES}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_example(rule: Rule) -> None:
    """The examples of the documentation are what they say."""
    example = examples()[rule.id]
    assert rule.id in found(manifests(example.bad))
    assert rule.id not in found(manifests(example.good))


def test_the_examples_are_in_the_order_of_the_rules() -> None:
    assert list(examples()) == [rule.id for rule in RULES]


def test_ids_are_unique() -> None:
    assert len({rule.id for rule in RULES}) == len(RULES)


class TestSeverity:
    def test_what_something_out_of_sight_may_put_right_counts_one_degree_less(self) -> None:
        unseen = {"envFrom": [{"secretRef": {"name": "convex-env"}}]}
        severities = found([backend([POSTGRES], container=unseen)])
        assert severities["data-lost-with-pod"] is Severity.WARNING
        assert severities["instance-secret-unstable"] is Severity.WARNING
        assert severities["database-pool-too-large"] is Severity.WARNING
        assert severities["telemetry-on"] is Severity.INFORMATION
        messages = [finding.message for finding in audit([backend(container=unseen)]).findings]
        assert any("(unless Secret/convex-env sets INSTANCE_SECRET)" in message for message in messages)

    def test_a_database_that_an_optional_key_puts_first_counts_one_degree_less(self) -> None:
        optional = secret_variable("POSTGRES_URL", "db", "URL", optional=True)
        both = env_of(optional, secret_variable("MYSQL_URL", "db", "M"))
        assert found(both)["database-ignored"] is Severity.WARNING
        (model,) = audit(both).behaviour.backends
        assert model.database_outlives.unless == "Secret/db has no key URL"

    def test_a_variable_in_sight_is_taken_at_its_word(self) -> None:
        sources = {"envFrom": [{"configMapRef": {"name": "c"}}, {"secretRef": {"name": "convex-env"}}]}
        config = config_map("c", {"CONVEX_CLOUD_ORIGIN": f"{API}/"})
        assert found([backend(container=sources), config])["origin-trailing-slash"] is Severity.ERROR

    def test_latest_is_for_information_where_nothing_is_public(self) -> None:
        unpinned = backend(container={"image": "ghcr.io/get-convex/convex-backend:latest"})
        assert found([unpinned])["tag-latest"] is Severity.INFORMATION
        public = [unpinned, *SERVICES, ingress({"api.example.com": [("/", "api", "api")]})]
        assert found(public)["tag-latest"] is Severity.WARNING

    def test_a_prefilled_admin_key_is_an_error_where_the_page_is_public(self) -> None:
        entry = secret_variable("NEXT_PUBLIC_ADMIN_KEY", "s", "K")
        assert found([dashboard([entry])])["admin-key-prefilled"] is Severity.INFORMATION
        public = [dashboard([entry]), *SERVICES, ingress({"board.example.com": [("/", "board", "web")]})]
        assert found(public)["admin-key-prefilled"] is Severity.ERROR

    def test_a_name_that_nobody_knows_is_for_information(self) -> None:
        assert found(env({"MY_FLAG": "1"}))["unread-variable"] is Severity.INFORMATION
        assert found(env({"CONVEX_FLAG": "1"}))["unread-variable"] is Severity.WARNING

    def test_one_configmap_for_both_is_for_information(self) -> None:
        config = config_map("c", {**ORIGINS, **BROWSER, **NO_METRICS})
        sources = {"envFrom": [{"configMapRef": {"name": "c"}}]}
        severities = found([backend(container=sources), dashboard(container=sources), config])
        assert severities["unread-variable"] is Severity.INFORMATION

    def test_a_dashboard_without_a_hostname_is_for_information(self) -> None:
        assert found([dashboard()])["dashboard-hostname-wrong"] is Severity.INFORMATION
        assert found([dashboard({"HOSTNAME": "localhost"})])["dashboard-hostname-wrong"] is Severity.WARNING

    def test_a_claim_that_is_astray_is_told_with_the_folder_that_counts(self) -> None:
        report = audit([backend({"DATA_DIR": "/srv/convex/"}, container=mounted(), spec=TEMPLATE)])
        (message,) = [each.message for each in report.findings if each.rule.id == "claim-not-mounted"]
        assert message == "data-convex-0 is not mounted at /srv/convex"

    def test_tls_that_is_off_by_accident_is_said_once(self) -> None:
        severities = found(env_of(POSTGRES, *variables({"DO_NOT_REQUIRE_SSL": "false"})))
        assert severities["presence-false"] is Severity.ERROR
        assert "database-tls-not-required" not in severities

    def test_tls_to_a_database_server_is_nothing_to_sqlite(self) -> None:
        assert found(env({"DO_NOT_REQUIRE_SSL": "false"}))["presence-false"] is Severity.INFORMATION
        unseen = backend({"DO_NOT_REQUIRE_SSL": "false"}, container={"envFrom": [{"secretRef": {"name": "s"}}]})
        assert found([unseen])["presence-false"] is Severity.ERROR


@pytest.mark.parametrize(
    "value",
    [
        "https://me:hunter2@s3.example.com",
        "https://me:hunter2/x@s3.example.com",
        "me:hunter2@s3.example.com",
        "https://hunter2@s3.example.com",
    ],
)
def test_user_and_password_of_a_url_are_shown_nowhere(value: str) -> None:
    names = ("S3_ENDPOINT_URL", "AWS_ENDPOINT_URL", "CONVEX_CLOUD_ORIGIN", "CONVEX_SITE_ORIGIN", "AWS_REGION", *BUCKETS)
    page = dashboard({"NEXT_PUBLIC_DEPLOYMENT_URL": value})
    report = audit([backend({**S3, **dict.fromkeys(names, value)}), page, *SERVICES, ingress(RULES_OF_EDGE)])
    for write in (formats.text, formats.as_json, formats.sarif):
        assert "hunter2" not in write(report)
    (model,) = report.behaviour.backends
    assert model.s3_endpoint is not None
    assert model.s3_endpoint.text.endswith("…@s3.example.com")


def test_no_finding_shows_a_secret() -> None:
    secret = "c0ffee" * 12
    manifests = [
        backend(
            {
                "INSTANCE_SECRET": secret,
                "POSTGRES_URL": f"postgres://u:{secret}@db/{secret}",
                "AWS_SECRET_ACCESS_KEY": secret,
                "CONVEX_ADMIN_KEY": f"x|01{secret}",
                "CONVEX_INSTANCE_SECRET": secret,
                **S3,
            }
        ),
        dashboard({"NEXT_PUBLIC_ADMIN_KEY": f"x|01{secret}"}),
    ]
    report = audit(manifests)
    assert {"literal-secret", "instance-secret-malformed", "database-in-url"} <= {
        finding.rule.id for finding in report.findings
    }
    assert not any(secret in finding.message for finding in report.findings)
