"""Overlay in, decisions out: what the overlay means is what an independent model says that the pods will do."""

from __future__ import annotations

from typing import Any

import pytest

from convexctl.behaviour import Backend, Behaviour, Dashboard, Route, predict
from tests.support.overlay_cases import CASES, Case, case, environment_of

ONE_BUCKET = ("exports", "snapshot_imports", "modules", "files", "search")
S3_KEYS = ("Secret/convex-s3-credentials[AWS_ACCESS_KEY_ID]", "Secret/convex-s3-credentials[AWS_SECRET_ACCESS_KEY]")
INGRESS = "{ enabled: true, dashboard: { host: d.example.com }, backend: { host: a.example.com } }"
ON_S3_WITH_POSTGRES: dict[str, Any] = {
    "engine": "postgres",
    "database_url": "Secret/convex-postgres-secret[DATABASE_URL]",
    "database_name": "Secret/convex-postgres-secret[INSTANCE_NAME]",
    "database_tls": "required",
    "database_outlives": "everything",
    "files": "s3",
    "files_outlive": "everything",
    "s3_region": "Secret/convex-s3-credentials[AWS_REGION]",
    "s3_endpoint": "Secret/convex-s3-credentials[AWS_ENDPOINT]",
    "s3_credentials": S3_KEYS,
    "instance_secret": "Secret/convex-postgres-secret[INSTANCE_SECRET]",
    "secret_stable": True,
}
ALWAYS: dict[str, Any] = {"writers": "one", "stop": "clean", "telemetry": True}

WHOLE: list[tuple[str, dict[str, Any]]] = [
    (
        "local",
        {
            "engine": "sqlite",
            "database_outlives": "delete",
            "files": "disk",
            "files_outlive": "delete",
            "claim": "data-convex-local-backend-0",
            "instance_name": "convex-self-hosted",
            "instance_secret": "generated",
            "secret_stable": True,
            "cloud_origin": "http://localhost:3210",
            "site_origin": "http://localhost:3211",
            "metrics": False,
            "retention": 172800,
            "grace": 120,
        },
    ),
    (
        "production",
        ON_S3_WITH_POSTGRES
        | {
            "database_connections": 64,
            "buckets": dict.fromkeys(ONE_BUCKET, "convex-production"),
            "cloud_origin": "https://api.example.com",
            "site_origin": "https://api.example.com/http",
            "metrics": False,
        },
    ),
    (
        "chart-example",
        ON_S3_WITH_POSTGRES | {"database_connections": 128, "buckets": dict.fromkeys(ONE_BUCKET, "convexpro")},
    ),
]

OPTIONS: list[tuple[str, str, dict[str, Any]]] = [
    (
        "nothing set: SQLite and its secret are lost with the pod",
        "{}",
        {
            "engine": "sqlite",
            "database_outlives": "container",
            "data_volume": "emptyDir",
            "files": "s3",
            "secret_stable": False,
        },
    ),
    (
        "a volume keeps both",
        "backend: { persistence: { enabled: true } }",
        {
            "database_outlives": "delete",
            "secret_stable": True,
            "claim": "data-convex-backend-0",
        },
    ),
    (
        "an existing claim is mounted",
        "backend: { persistence: { enabled: true, existingClaim: old } }",
        {
            "claim": "old",
            "database_outlives": "delete",
        },
    ),
    ("S3 off: files on the disk", "s3: { enabled: false }", {"files": "disk", "files_outlive": "container"}),
    (
        "requireSsl false",
        "{ postgres: { enabled: true }, convexConfig: { requireSsl: false } }",
        {
            "database_tls": "preferred",
        },
    ),
    (
        'requireSsl "false", as the chart writes it',
        '{ postgres: { enabled: true }, convexConfig: { requireSsl: "false" } }',
        {
            "database_tls": "preferred",
        },
    ),
    (
        'requireSsl "true", as the chart writes it',
        '{ postgres: { enabled: true }, convexConfig: { requireSsl: "true" } }',
        {
            "database_tls": "required",
        },
    ),
    (
        "Postgres by single keys",
        "postgres: { enabled: true, existingSecret: db, host: db.example.com, keys: { username: u, password: p } }",
        {
            "engine": "postgres",
            "database_url": "Secret/db[u], Secret/db[p], postgresql://db.example.com:5432",
            "database_tls": "required",
        },
    ),
    (
        "MySQL without TLS",
        "{ mysql: { enabled: true }, convexConfig: { requireSsl: false } }",
        {
            "engine": "mysql",
            "database_tls": "off",
            "database_url": "Secret/convex-mysql-secret[DATABASE_URL]",
        },
    ),
    (
        "MySQL",
        "mysql: { enabled: true, maxConnections: 30 }",
        {
            "engine": "mysql",
            "database_tls": "required",
            "database_connections": 30,
        },
    ),
    (
        "a CA of one's own",
        "postgres: { enabled: true, caSecret: ca }",
        {
            "database_tls": "required",
            "database_ca": "/etc/convex/ca/ca.crt",
        },
    ),
    (
        "an instance name of one's own names the database",
        "{ postgres: { enabled: true }, instance: { name: team-a } }",
        {
            "instance_name": "team-a",
            "database_name": "team_a",
        },
    ),
    (
        "an instance secret of one's own",
        "instance: { existingSecret: mine }",
        {
            "instance_secret": "Secret/mine[INSTANCE_SECRET]",
            "secret_stable": True,
        },
    ),
    (
        "the instance secret made by the bootstrap Job",
        "secrets: { provider: bootstrap }",
        {
            "instance_secret": "Secret/convex-instance[INSTANCE_SECRET]",
            "secret_stable": True,
        },
    ),
    (
        "buckets one by one",
        "s3: { bucket: all, buckets: { files: ff1 } }",
        {
            "buckets": dict.fromkeys(ONE_BUCKET, "all") | {"files": "ff1"},
        },
    ),
    (
        "region and endpoint inline",
        "s3: { region: eu-1, endpoint: 'https://s3.example.com' }",
        {
            "s3_region": "eu-1",
            "s3_endpoint": "https://s3.example.com",
        },
    ),
    (
        "Amazon",
        "s3: { provider: aws, region: eu-central-1 }",
        {
            "s3_endpoint": "aws",
            "s3_path_style": False,
            "s3_sse": True,
            "s3_checksums": True,
        },
    ),
    (
        "a cloud role instead of keys",
        "s3: { provider: aws, region: eu-central-1, credentials: ambient }",
        {
            "s3_credentials": "default chain",
            "files": "s3",
        },
    ),
    ("MinIO", "s3: { provider: minio }", {"s3_path_style": True, "s3_sse": False, "s3_checksums": True}),
    (
        "R2",
        "s3: { provider: r2 }",
        {
            "s3_region": "auto",
            "s3_path_style": True,
            "s3_sse": False,
            "s3_checksums": False,
        },
    ),
    ("a setting of its own wins over the provider", "s3: { provider: minio, disableSse: false }", {"s3_sse": True}),
    ("metrics on", "backend: { metrics: { enabled: true } }", {"metrics": True}),
    ("telemetry off", "backend: { env: { DISABLE_BEACON: true } }", {"telemetry": False}),
    (
        "a presence switch set to false stays off",
        "backend: { env: { DISABLE_BEACON: false, REDACT_LOGS_TO_CLIENT: 'false' } }",
        {
            "telemetry": True,
            "log_redaction": False,
        },
    ),
    ("redacted logs", "backend: { env: { REDACT_LOGS_TO_CLIENT: true } }", {"log_redaction": True}),
    ("retention", "backend: { env: { DOCUMENT_RETENTION_DELAY: 1209600 } }", {"retention": 1209600}),
    ("a longer grace period", "backend: { terminationGracePeriodSeconds: 600 }", {"grace": 600}),
    (
        "origins without Ingress",
        "convexConfig: { cloudOrigin: 'https://a.internal', siteOrigin: 'https://a.internal/http' }",
        {
            "cloud_origin": "https://a.internal",
            "site_origin": "https://a.internal/http",
        },
    ),
    (
        "Ingress with a host for HTTP actions",
        f"{{ postgres: {{ enabled: true }}, ingress: {INGRESS[:-2]}, site: {{ host: s.example.com }} }} }}",
        {
            "cloud_origin": "https://a.example.com",
            "site_origin": "https://s.example.com",
        },
    ),
]


def only(model: Behaviour) -> tuple[Backend, Dashboard]:
    (backend,), (dashboard,) = model.backends, model.dashboards
    return backend, dashboard


def values(backend: Backend, names: dict[str, Any]) -> dict[str, Any]:
    decided = {row.name: row.decision.value for row in backend.rows()}
    return {name: decided.get(name) for name in names}


@pytest.mark.parametrize(("name", "expected"), WHOLE, ids=[name for name, _ in WHOLE])
def test_a_whole_overlay(name: str, expected: dict[str, Any]) -> None:
    backend, dashboard = only(predict(case(name).environment().manifests))
    expected = expected | ALWAYS
    assert values(backend, expected) == expected
    assert backend.obstacles == dashboard.obstacles == ()
    assert dashboard.deployment_url is not None
    assert backend.cloud_origin is not None
    assert dashboard.deployment_url.value == backend.cloud_origin.value


@pytest.mark.parametrize(("text", "expected"), [row[1:] for row in OPTIONS], ids=[row[0] for row in OPTIONS])
def test_an_option(text: str, expected: dict[str, Any]) -> None:
    backend, _ = only(predict(environment_of(text).manifests))
    assert values(backend, expected) == expected


@pytest.mark.parametrize("each", CASES, ids=str)
def test_whatever_the_overlay(each: Case) -> None:
    """No overlay makes a pod that does not start, a second writer, a hard kill, or a dashboard that gives keys away."""
    model = predict(each.environment().manifests)
    (backend,) = model.backends
    writers = "none" if each.overlay().values.backend.paused else "one"
    assert values(backend, {"writers": 0, "stop": 0}) == {"writers": writers, "stop": "clean"}
    assert backend.obstacles == ()
    assert bool(model.dashboards) == each.overlay().values.dashboard.enabled
    for dashboard in model.dashboards:
        assert dashboard.obstacles == ()
        assert dashboard.admin_key is not None
        assert dashboard.admin_key.value is None


@pytest.mark.parametrize("each", CASES, ids=str)
def test_with_ingress_every_origin_is_served_and_metrics_are_not(each: Case) -> None:
    model = predict(each.environment().manifests)
    if not model.routes:
        return
    (backend,) = model.backends
    assert backend.cloud_origin is not None
    assert backend.site_origin is not None
    overlay = each.overlay().values
    edge = overlay.ingress if overlay.ingress.enabled else overlay.gateway
    # An origin of its own is what the world calls; whatever is before the edge passes it on to the entry's host.
    cloud = edge.backend.host if edge.backend.origin else str(backend.cloud_origin.value)
    site = edge.site.host if edge.site.origin else str(backend.site_origin.value)
    api = cloud.removeprefix("https://")
    actions, _, path = site.removeprefix("https://").partition("/")
    routes = {key: model.reached(*key) for key in ((api, "/api/sync"), (actions, f"/{path}"))}
    assert all(routes.values()), routes
    assert role(routes[api, "/api/sync"]) == "api"
    assert role(routes[actions, f"/{path}"]) == ("api" if path else "http actions")
    if backend.metrics and backend.metrics.value:
        for host in (api, actions):
            assert role(model.reached(host, "/metrics")) != "api"


def role(route: Route | None) -> str:
    """What answers behind a route; HTTP actions are also what the API answers below /http."""
    assert route is not None
    if not route.role:
        return "nowhere"
    return "http actions" if route.rewrite and route.rewrite.value == "/http" else route.role
