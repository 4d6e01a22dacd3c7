"""What is allowed in an overlay and probably not meant: printed, never fatal."""

from __future__ import annotations

from pathlib import Path

import pytest

from convexctl.overlays.load import load_overlays
from tests.support.overlay_cases import INGRESS, overlay_of


def case(id: str, overlay: str, *messages: str) -> object:
    return pytest.param(overlay, [f"test.yaml:{message}" for message in messages], id=id)


VOLUME = "backend: {persistence: {enabled: true}}\ns3: {enabled: false}\n"
"""Two lines of an overlay that is in order."""

WARNINGS = [
    case(
        "latest in public",
        INGRESS + "  tls: [{hosts: [api.example.com, dashboard.example.com]}]\nbackend:\n  image:\n    tag: latest\n",
        "9: backend.image.tag: is latest, which upstream moves by hand: pin a full commit SHA of its release branch",
        "1: dashboard.image.tag: is latest, which upstream moves by hand: pin a full commit SHA of its release branch",
    ),
    case(
        "two tags",
        "postgres: {enabled: true}\nbackend: {image: {tag: aaa}}\ndashboard: {image: {tag: bbb}}\n",
        "3: dashboard.image.tag: is bbb, but the backend's is aaa: both must carry the same tag",
    ),
    case(
        "a tag like a version",
        "postgres: {enabled: true}\nbackend: {image: {tag: v1.2.3}}\ndashboard: {image: {tag: v1.2.3}}\n",
        "2: backend.image.tag: looks like a version, and upstream has none: its tags are full commit SHAs",
        "3: dashboard.image.tag: looks like a version, and upstream has none: its tags are full commit SHAs",
    ),
    case(
        "no TLS",
        INGRESS + "backend: {image: {tag: aaa}}\ndashboard: {image: {tag: aaa}}\n",
        "2: ingress.tls: is empty, but the public URLs are https: add the certificates, unless something in "
        "front terminates TLS",
    ),
    case(
        "a host without a certificate",
        INGRESS + "  tls: [{hosts: [api.example.com]}]\nbackend: {image: {tag: aaa}}\ndashboard: {image: {tag: aaa}}\n",
        "4: ingress.dashboard.host: dashboard.example.com is in no entry of ingress.tls",
    ),
    case(
        "database and keys that a restart loses",
        "backend: {persistence: {enabled: false}}\n",
        "1: backend.persistence.enabled: is false, so the database (SQLite) is lost with the pod: set it to "
        "true, or enable postgres or mysql",
        "1: instance.existingSecret: is empty and there is no volume, so every new pod makes a new instance "
        "secret and all admin keys die: set it, or backend.persistence.enabled to true",
    ),
    case(
        "files that a restart loses",
        "postgres: {enabled: true}\ns3: {enabled: false}\n",
        "1: backend.persistence.enabled: is false, so files and deployed functions are lost with the pod: set "
        "it to true, or enable s3",
    ),
    case(
        "loss that is allowed in public",
        INGRESS + "  tls: [{hosts: ['*.example.com']}]\ns3: {enabled: false}\nbackend:\n"
        "  image: {tag: aaa}\n  persistence: {allowEphemeralData: true}\ndashboard: {image: {tag: aaa}}\n",
        "10: backend.persistence.enabled: is false, so files and deployed functions are lost with the pod: set "
        "it to true, or enable s3",
    ),
    case(
        "local origins on a forwarded port of one's own choice",
        VOLUME + "convexConfig:\n  cloudOrigin: http://localhost:8000\n  siteOrigin: http://127.0.0.1\n",
        "4: convexConfig.cloudOrigin: is http://localhost:8000, where the pod itself, which calls it too, does not "
        "find the API, so callbacks of Node actions fail: write http://localhost:3210 and forward that port",
        "5: convexConfig.siteOrigin: is http://127.0.0.1, where the pod itself, which calls it too, does not find HTTP "
        "actions, so OIDC discovery fails: write http://127.0.0.1:3211 or "
        "http://127.0.0.1:3210/http and forward that port",
    ),
    case(
        "local origins with their ports exchanged",
        VOLUME + "convexConfig:\n  cloudOrigin: http://localhost:3211\n  siteOrigin: http://localhost:3210\n",
        "4: convexConfig.cloudOrigin: is http://localhost:3211, where the pod itself, which calls it too, does not "
        "find the API, so callbacks of Node actions fail: write http://localhost:3210 and forward that port",
        "5: convexConfig.siteOrigin: is http://localhost:3210, where the pod itself, which calls it too, does not find "
        "HTTP actions, so OIDC discovery fails: write http://localhost:3211 "
        "or http://localhost:3210/http and forward that port",
    ),
    case(
        "a local API over TLS, and /http at the port that adds it itself",
        VOLUME + "convexConfig: {cloudOrigin: https://localhost:3210, siteOrigin: http://localhost:3211/http}\n",
        "3: convexConfig.cloudOrigin: is https://localhost:3210, where the pod itself, which calls it too, does not "
        "find the API, so callbacks of Node actions fail: write http://localhost:3210 and forward that port",
        "3: convexConfig.siteOrigin: is http://localhost:3211/http, where the pod itself, which calls it too, does not "
        "find HTTP actions, so OIDC discovery fails: write "
        "http://localhost:3211 or http://localhost:3210/http and forward that port",
    ),
    case(
        "misspelt variable that a parameter sets",
        "postgres: {enabled: true}\nbackend:\n  env:\n    POSTGRES_MAX_CONNECTION: 8\n",
        "4: backend.env.POSTGRES_MAX_CONNECTION: is not a variable that the backend knows: "
        "did you mean POSTGRES_MAX_CONNECTIONS? That is set by postgres.maxConnections",
    ),
    case(
        "misspelt and dead variables",
        "postgres: {enabled: true}\nbackend:\n  env:\n    APPLICATION_MAX_CONCURENT_QUERIES: 8\n"
        "    ACTIONS_USER_TIMEOUT_SECS: 60\n    MY_OWN: 1\n",
        "4: backend.env.APPLICATION_MAX_CONCURENT_QUERIES: is not a variable that the backend knows: "
        "did you mean APPLICATION_MAX_CONCURRENT_QUERIES?",
        "5: backend.env.ACTIONS_USER_TIMEOUT_SECS: is no longer read by the backend: "
        "use V8_ACTION_USER_TIMEOUT_SECS and NODE_ACTION_USER_TIMEOUT_SECS",
    ),
]


@pytest.mark.parametrize(("overlay", "warnings"), WARNINGS)
def test_warned_about_and_allowed(overlay: str, warnings: list[str]) -> None:
    assert overlay_of(overlay).warnings == warnings


@pytest.mark.parametrize(
    "overlay",
    [
        pytest.param("", id="the defaults"),
        pytest.param(
            "convexConfig: {cloudOrigin: http://127.0.0.1:3210, siteOrigin: http://127.0.0.1:3210/http}\n",
            id="by /http",
        ),
        pytest.param("convexConfig: {cloudOrigin: http://localhost.example:80}\n", id="a host that begins like it"),
        pytest.param("convexConfig: {cloudOrigin: http://10.0.0.1:8000}\n", id="another host"),
        pytest.param("convexConfig: {deploymentUrl: http://localhost:8000}\n", id="what only the browser calls"),
    ],
)
def test_origins_that_the_pod_may_find(overlay: str) -> None:
    assert overlay_of(VOLUME + overlay).warnings == []


WITHOUT_EFFECT = [
    ("postgres: {caSecret: ca}", "postgres.caSecret: has no effect while postgres.enabled is false"),
    ("mysql: {maxConnections: 5}", "mysql.maxConnections: has no effect while mysql.enabled is false"),
    (
        "backend: {persistence: {existingClaim: data}}",
        "backend.persistence.existingClaim: has no effect while backend.persistence.enabled is false",
    ),
    (
        "image: {tag: abc}\nbackend: {image: {tag: def}}\ndashboard: {image: {tag: def}}",
        "image.tag: has no effect while backend.image.tag and dashboard.image.tag are set",
    ),
    (
        INGRESS + "s3: {enabled: false}\nbackend: {persistence: {enabled: true, allowEphemeralData: true}}",
        "backend.persistence.allowEphemeralData: has no effect while nothing is lost with the pod",
    ),
    (
        INGRESS + "backend: {persistence: {allowEphemeralData: true}}",
        "backend.persistence.allowEphemeralData: has no effect while nothing is lost with the pod",
    ),
    ("ingress: {site: {className: a}}", "ingress.site: has no effect while ingress.enabled and gateway.enabled"),
    ("dashboard: {enabled: false, resources: {limits: {memory: 1Gi}}}", "dashboard.resources: has no effect while"),
    ("dashboard: {enabled: false}\nservice: {dashboard: {port: 81}}", "service.dashboard: has no effect while"),
    ("s3: {enabled: false, bucket: mine}", "s3.bucket: has no effect while s3.enabled is false"),
    (
        "s3: {credentials: ambient, region: x, keys: {region: R}}",
        "s3.keys: has no effect while s3.credentials is ambient",
    ),
    ("instance: {keys: {instanceSecret: X}}", "instance.keys: has no effect without instance.existingSecret"),
    (
        "ingress: {backend: {host: a.example.net}}",
        "ingress.backend: has no effect while ingress.enabled and gateway.enabled are false",
    ),
    (
        "secrets: {externalSecrets: {storeName: vault}}",
        "secrets.externalSecrets: has no effect while secrets.provider is not external-secrets",
    ),
    ("networkPolicy: {egress: listed}", "networkPolicy.egress: has no effect while networkPolicy.enabled is false"),
    ("monitoring: {serviceMonitor: false}", "monitoring.serviceMonitor: has no effect while monitoring.enabled is"),
    ("backup: {keep: {count: 3}}", "backup.keep: has no effect while backup.enabled is false"),
    (
        "backup: {enabled: true, destination: claim, claim: {existingClaim: a}, s3: {bucket: mine}}",
        "backup.s3: has no effect while backup.destination is claim",
    ),
    ("functions: {env: {A: b}}", "functions.env: has no effect without functions.image"),
    ("maintenance: {timeZone: Europe/Berlin}", "maintenance.timeZone: has no effect without"),
    ("dashboard: {enabled: false, replicaCount: 2}", "dashboard.replicaCount: has no effect while dashboard.enabled"),
    (
        INGRESS + "convexConfig: {cloudOrigin: 'http://localhost:8000'}",
        "convexConfig.cloudOrigin: has no effect with Ingress or Gateway",
    ),
]


@pytest.mark.parametrize(("overlay", "text"), WITHOUT_EFFECT)
def test_a_value_of_the_overlay_itself_without_effect_is_told(overlay: str, text: str) -> None:
    (warning,) = [warning for warning in overlay_of(overlay).warnings if "effect" in warning]
    assert text in warning
    assert ": remove" in warning or ": set" in warning, "with what to do"


def test_an_inherited_value_or_a_default_without_effect_is_fine(tmp_path: Path) -> None:
    (tmp_path / "one.yaml").write_text("postgres: {enabled: true, maxConnections: 5, caSecret: ca}\n")
    (tmp_path / "two.yaml").write_text(
        "extends: one\npostgres: {enabled: false, existingSecret: convex-postgres-secret}\n"
        "backend: {persistence: {enabled: true}}\n"
    )
    (overlay,) = load_overlays(tmp_path, ["two"])
    assert overlay.warnings == []
    (tmp_path / "values.yaml").write_text("mysql: {caSecret: ca}\n")
    (overlay,) = load_overlays(tmp_path, ["two"], [tmp_path / "values.yaml"])
    assert [warning.partition(": ")[2].partition(":")[0] for warning in overlay.warnings] == ["mysql.caSecret"]


def test_an_ingress_that_a_child_switches_off_leaves_local_origins(tmp_path: Path) -> None:
    (tmp_path / "one.yaml").write_text(INGRESS)
    (tmp_path / "two.yaml").write_text("extends: one\ningress: {enabled: false}\n")
    (overlay,) = load_overlays(tmp_path, ["two"])
    assert any(
        "two.yaml:2: ingress.enabled: is false, so the API's origin is http://localhost:3210" in warning
        for warning in overlay.warnings
    )
