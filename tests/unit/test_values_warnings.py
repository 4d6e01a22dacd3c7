"""What is allowed in an overlay and probably not meant: printed, never fatal."""

from __future__ import annotations

import pytest

from tests.support.overlay_cases import INGRESS, overlay_of


def case(id: str, overlay: str, *messages: str) -> object:
    return pytest.param(overlay, [f"test.yaml:{message}" for message in messages], id=id)


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
        "misspelt variable that a parameter sets",
        "postgres: {enabled: true}\nbackend:\n  env:\n    POSTGRES_MAX_CONNECTION: 8\n",
        "4: backend.env.POSTGRES_MAX_CONNECTION: is no variable that the backend knows: "
        "did you mean POSTGRES_MAX_CONNECTIONS? That is set by postgres.maxConnections",
    ),
    case(
        "misspelt and dead variables",
        "postgres: {enabled: true}\nbackend:\n  env:\n    APPLICATION_MAX_CONCURENT_QUERIES: 8\n"
        "    ACTIONS_USER_TIMEOUT_SECS: 60\n    MY_OWN: 1\n",
        "4: backend.env.APPLICATION_MAX_CONCURENT_QUERIES: is no variable that the backend knows: "
        "did you mean APPLICATION_MAX_CONCURRENT_QUERIES?",
        "5: backend.env.ACTIONS_USER_TIMEOUT_SECS: is no longer read by the backend: "
        "use V8_ACTION_USER_TIMEOUT_SECS and NODE_ACTION_USER_TIMEOUT_SECS",
    ),
]


@pytest.mark.parametrize(("overlay", "warnings"), WARNINGS)
def test_warned_about_and_allowed(overlay: str, warnings: list[str]) -> None:
    assert overlay_of(overlay).warnings == warnings
