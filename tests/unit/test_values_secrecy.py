"""A secret that got into an overlay is refused, and no message shows it."""

from __future__ import annotations

import pytest

from tests.support.overlay_cases import faults_of

SECRET = "Zq8-geheim"
HEX = "5f" * 32


@pytest.mark.parametrize(
    "overlay",
    [
        f"postgres: {{existingSecret: 'postgresql://convex:{SECRET}@db.example.com:5432'}}",
        f"postgres: {{existingSecret: '{SECRET}!'}}",
        "postgres: {existingSecret: 7263549}",
        f"postgres: {{existingSecret: {{DATABASE_URL: 'postgresql://convex:{SECRET}@db'}}}}",
        f"postgres: {{keys: {{url: 'postgresql://convex:{SECRET}@db.example.com'}}}}",
        f"postgres: {{url: 'postgresql://convex:{SECRET}@db.example.com'}}",
        f"postgres: 'postgresql://convex:{SECRET}@db.example.com'",
        f"mysql: {{caSecret: '-----BEGIN PRIVATE KEY----- {SECRET}'}}",
        f"instance: {{existingSecret: {HEX}}}",
        f"instance: {{name: {HEX}}}",
        f"instance: {{secret: {HEX}}}",
        f"instance: {{keys: {{instanceSecret: {HEX}}}}}",
        f"backend: {{secretsName: 'convex-self-hosted|{HEX}'}}",
        f"backend: {{env: {{INSTANCE_SECRET: {HEX}}}}}",
        f"backend: {{env: {{APP_URL: 'https://user:{SECRET}@example.com'}}}}",
        f"backend: {{env: {{MY_PASSWORD: {SECRET}}}}}",
        f"backend: {{env: {{REUSE_ISOLATES: {SECRET}}}}}",
        f"backend: {{env: {{REUSE_ISOLATES: [{SECRET}]}}}}",
        f"backend: {{'https://user:{SECRET}@example.com': 1, 'https://user:{SECRET}@example.com': 2}}",
        f"backend: {{env: {{'https://user:{SECRET}@example.com': x}}}}",
        f"s3: {{existingSecret: AKIA{'A' * 16}, endpoint: 'https://key:{SECRET}@s3.example.com'}}",
        f"s3: {{keys: {{accessKeyId: AKIA{'A' * 16}}}}}",
        f"convexConfig: {{cloudOrigin: 'https://user:{SECRET}@api.example.com'}}",
        f"commonAnnotations: {{example.com/key: 'postgresql://convex:{SECRET}@db'}}",
        f"commonAnnotations: {{'postgresql://convex:{SECRET}@db': ''}}",
        f"imagePullSecrets: ['{SECRET}!']",
        f"imagePullSecrets: [{{name: !!binary '{SECRET}='}}]",
        f"postgres: {{existingSecret: *{SECRET}}}",
        f"postgres: {{existingSecret: !{SECRET} a}}",
        f"postgres:\n  existingSecret: postgresql://convex:{SECRET}@db: 5432\n",
        f'postgres: {{existingSecret: "{SECRET}\\q"}}',
    ],
)
def test_a_secret_is_refused_and_never_shown(overlay: str) -> None:
    said = "\n".join(faults_of(overlay))
    assert "test.yaml:" in said
    for secret in (SECRET, HEX, "A" * 16, "7263549"):
        assert secret not in said


def test_a_long_text_without_spaces_is_looked_through_in_a_moment() -> None:
    """Kubernetes takes annotations of 256 KiB; a search that tries every length at every place would take minutes."""
    assert faults_of(f"commonAnnotations: {{example.com/ca: {'x' * 200_000}|{HEX}}}") == [
        'test.yaml:1: commonAnnotations["example.com/ca"]: looks like a Convex admin key, and an overlay is no place '
        "for one: put it into a Secret"
    ]
