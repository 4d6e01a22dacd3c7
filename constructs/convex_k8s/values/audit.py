"""Values that accept findings of the audit."""

from __future__ import annotations

import difflib
from typing import Annotated

from pydantic import AfterValidator, WithJsonSchema

from convex_k8s.values.base import Model, wrong

IGNORE_ANNOTATION = "convex-k8s.audit/ignore."
"""With a rule after it: the annotation by which an object accepts what the audit finds of it."""

AUDIT_RULES = (
    "presence-false",
    "beacon-empty",
    "boolean-unparsed",
    "number-unparsed",
    "dead-variable",
    "unread-variable",
    "endpoint-nonsense",
    "unresolved-variable",
    "reference-unresolved",
    "variables-unseen",
    "data-lost-with-pod",
    "data-on-one-node",
    "data-lost-with-manifests",
    "claim-not-mounted",
    "programs-hidden",
    "sqlite-on-network-disk",
    "claim-too-small",
    "no-volume",
    "data-read-only",
    "s3-partial",
    "s3-optional",
    "s3-endpoint-malformed",
    "s3-path-style-missing",
    "s3-half-keys",
    "database-tls-not-required",
    "database-in-url",
    "database-url-unusable",
    "database-url-deprecated",
    "database-ignored",
    "database-optional",
    "database-pool-too-large",
    "database-ca-missing",
    "database-ca-unknown",
    "database-not-made",
    "shared-database",
    "instance-secret-unstable",
    "instance-secret-malformed",
    "shared-instance-secret",
    "instance-name-refused",
    "literal-secret",
    "several-writers",
    "overlapping-update",
    "shared-volume",
    "shared-claim",
    "process-namespace-shared",
    "no-clean-stop",
    "short-grace",
    "probe-missing",
    "probe-wrong",
    "start-too-short",
    "backend-user-wrong",
    "dashboard-user-wrong",
    "dashboard-hostname-wrong",
    "memory-limit-low",
    "memory-limit-missing",
    "drain-blocked",
    "telemetry-on",
    "privileged-container",
    "token-mounted",
    "tag-latest",
    "tag-skew",
    "tag-unknown",
    "entry-point-replaced",
    "origin-missing",
    "origin-without-scheme",
    "origin-with-path",
    "origin-trailing-slash",
    "origin-local",
    "mixed-content",
    "page-over-http",
    "cluster-only-url",
    "site-origin-is-api",
    "origin-unserved",
    "origin-elsewhere",
    "site-on-dashboard",
    "http-unstripped",
    "actions-bottleneck",
    "sub-path",
    "route-nowhere",
    "metrics-public",
    "edge-unread",
    "route-through-other",
    "https-without-tls",
    "origin-over-http",
    "api-filtered",
    "host-twice",
    "shared-origin",
    "metrics-edge-unseen",
    "nginx-body-size-small",
    "nginx-timeout-short",
    "gateway-timeout-short",
    "proxy-timeout-short",
    "deployment-url-wrong",
    "admin-key-prefilled",
    "admin-key-malformed",
    "object-twice",
)
"""The rules of the audit. What they look for is not part of this library."""


def _rule(value: str) -> str:
    if value in AUDIT_RULES:
        return value
    close = difflib.get_close_matches(value, AUDIT_RULES, n=1)
    raise wrong(f"is not a rule of the audit: {f'did you mean {close[0]}?' if close else 'docs/audit.md lists them'}")


def _reason(value: str) -> str:
    if value.strip():
        return value
    raise wrong("is empty: write why the finding is accepted")


AuditRule = Annotated[str, AfterValidator(_rule), WithJsonSchema({"type": "string", "enum": list(AUDIT_RULES)})]
Reason = Annotated[str, AfterValidator(_reason), WithJsonSchema({"type": "string", "pattern": r"\S"})]


class Audit(Model):
    """What the audit finds."""

    ignore: dict[AuditRule, Reason] = {}
    """Findings that are accepted for this environment: the rule, and the reason. Its objects carry them as annotations,
    so that `audit` shows them as accepted too (`docs/audit.md`)."""
