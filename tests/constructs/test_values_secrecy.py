"""A secret that got into an overlay is refused, and no message shows it."""

from __future__ import annotations

import pytest
from convex_k8s.secrecy import random_looking

from tests.support.overlay_cases import faults_of, overlay_of

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


TOKENS = {
    "Stripe": "sk_live_" + "A1b2" * 6,
    "a webhook's": "whsec_" + "A1b2" * 6,
    "OpenAI": "sk-proj-" + "A1b2" * 8,
    "Slack": "xoxb-" + "1234567890-" * 2,
    "GitHub": "ghp_" + "A1b2" * 9,
    "fine-grained GitHub": "github_pat_" + "A1b2" * 6,
    "GitLab": "glpat-" + "A1b2" * 5,
    "npm": "npm_" + "A1b2" * 9,
    "Google": "AIza" + "A1b2_" * 7,
    "SendGrid": "SG." + "A1b2" * 5 + "." + "A1b2" * 5,
    "JWT": "eyJ" + "A1b2" * 5 + "." + "A1b2" * 5 + "." + "A1b2" * 5,
}


@pytest.mark.parametrize("token", TOKENS.values(), ids=TOKENS)
def test_a_token_is_known_by_its_form(token: str) -> None:
    (said,) = faults_of(f"backend: {{env: {{MINE: '{token}'}}}}")
    assert said.startswith("test.yaml:1: backend.env.MINE: looks like a token")
    assert token not in said


@pytest.mark.parametrize("name", ["STRIPE_KEY", "DB_PASS", "MY_PW", "SMTP_PWD", "KEY", "API_KEY", "A_SECRET"])
def test_a_secret_is_known_by_its_name(name: str) -> None:
    (said,) = faults_of(f"backend: {{env: {{{name}: hunter2}}}}")
    assert said.startswith(f"test.yaml:1: backend.env.{name}: looks like a secret by its name")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("NEXT_PUBLIC_STRIPE_KEY", "pk_live_abcdefghijkl"),
        ("CLERK_PUBLISHABLE_KEY", "pk_test_abcdefghijkl"),
        ("JWT_PUBLIC_KEY", "abc"),
        ("MONKEY", "abc"),
        ("COMPASS", "abc"),
        ("TASK", "risk-of-everything-that-is"),
    ],
)
def test_what_only_resembles_one_is_taken(name: str, value: str) -> None:
    overlay_of(f"backend: {{env: {{{name}: {value}}}}}")


def test_a_long_text_without_spaces_is_looked_through_in_a_moment() -> None:
    """Kubernetes takes annotations of 256 KiB; a search that tries every length at every place would take minutes."""
    assert faults_of(f"commonAnnotations: {{example.com/ca: {'x' * 200_000}|{HEX}}}") == [
        'test.yaml:1: commonAnnotations["example.com/ca"]: looks like a Convex admin key, and an overlay must not '
        "hold one: put it into a Secret"
    ]


@pytest.mark.parametrize(
    "name", ["q7Xz2KpV9mWd4RtB", "vJ3kQ8sL1xZ6bN0cT5yH", "a8F2k9Q1z7L4m3X6p0V5", "q7xz2kpv9mwd4rtb8ncs"]
)
def test_a_random_text_looks_like_a_credential(name: str) -> None:
    assert random_looking(name)


@pytest.mark.parametrize(
    "name",
    ["S3AccessKeyIdProduction", "MyAppDbKeyV2Prod", "S3KeyIdV2EuWest1", "PostgresUrlV2ForEu1", "X509CertChainPEM"],
)
def test_a_name_in_camel_case_does_not(name: str) -> None:
    assert not random_looking(name)
