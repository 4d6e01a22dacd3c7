"""Every two options together: synthesised, right by the model and the audit, and taken by a real API server."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
import yaml

from convexctl.audit import Severity, audit
from convexctl.behaviour import predict
from convexctl.overlays.names import OverlayError
from convexctl.synth.environment import Environment
from tests.support.api_client import Object
from tests.support.control_plane import ControlPlane
from tests.support.overlay_cases import CASES, environment_of
from tests.support.pairwise import covering

HOSTS = "dashboard: {host: d.acme.io}, backend: {host: a.acme.io}, site: {host: s.acme.io}"
ONE_HOST = "dashboard: {host: a.acme.io}, backend: {host: a.acme.io}"
OPTIONS: dict[str, dict[str, str]] = {
    "database": {
        "SQLite": "backend: {persistence: {enabled: true}}",
        "Postgres": "postgres: {enabled: true, caSecret: db-ca, maxConnections: 50}",
        "Postgres by keys": "postgres: {enabled: true, host: db, keys: {username: user, password: pass}}",
        "MySQL": "mysql: {enabled: true}",
        "Cluster": "postgres: {enabled: true, cloudNativePG: {cluster: db}}",
        "own Cluster": "postgres: {enabled: true, cloudNativePG: {cluster: db, create: {storage: {size: 1Gi}}}}",
    },
    "files": {
        "S3": "s3: {provider: minio, bucket: files}",
        "ambient": "s3: {provider: aws, credentials: ambient, region: eu, bucket: files}",
        "disk": "s3: {enabled: false}\nbackend: {persistence: {enabled: true}}",
    },
    "volume": {
        "as needed": "{}",
        "template": "backend: {persistence: {enabled: true, size: 9Gi, storageClassName: fast}}",
        "claim": "backend: {persistence: {enabled: true, existingClaim: old}}",
    },
    "secrets": {
        "existing": "{}",
        "bootstrap": "secrets: {provider: bootstrap}\ninstance: {name: my-shop}",
        "sealed": "secrets: {provider: sealed-secrets}",
        "external": "secrets: {provider: external-secrets, externalSecrets: {storeName: vault}}",
    },
    "instance": {
        "unnamed": "{}",
        "named": "instance: {name: my-shop}",
        "own Secret": "instance: {name: my-shop, existingSecret: shop-instance}",
    },
    "edge": {
        "none": "{}",
        "Ingress": f"ingress: {{enabled: true, className: nginx, {HOSTS}}}\n"
        "ingress: {tls: [{secretName: t, hosts: ['*.acme.io']}]}",
        "one host": f"ingress: {{enabled: true, className: traefik, {ONE_HOST}, certManager: {{clusterIssuer: ca}}}}",
        "Ingress for each": f"ingress: {{enabled: true, className: haproxy, {HOSTS}, certManager: {{issuer: ca}}}}\n"
        "ingress: {dashboard: {className: internal}}",
        "Gateway": f"gateway: {{enabled: true, create: {{className: c}}, {HOSTS}}}\n"
        "ingress: {certManager: {issuer: a}}",
        "routes": f"gateway: {{enabled: true, parentRefs: [{{name: g, namespace: edge}}], {ONE_HOST}}}",
        "both": f"gateway: {{enabled: true, create: {{className: c}}}}\n"
        f"ingress: {{enabled: true, {HOSTS}, certManager: {{issuer: a}}}}",
    },
    "dashboard": {
        "one": "{}",
        "two": "dashboard: {replicaCount: 2, env: {TZ: UTC}}",
        "off": "dashboard: {enabled: false}",
        "private": "ingress: {dashboard: {enabled: false}}\ngateway: {dashboard: {enabled: false}}",
    },
    "Services": {
        "inside": "{}",
        "balanced": "service: {backend: {type: LoadBalancer, loadBalancerClass: acme.io/a}}",
        "node ports": "service: {backend: {type: NodePort, nodePort: 30310}}\n"
        "service: {dashboard: {type: NodePort, targetPort: 3000}}",
    },
    "policies": {
        "none": "{}",
        "all": "networkPolicy: {enabled: true}",
        "listed": "networkPolicy: {enabled: true, egress: listed, database: [{ipBlock: {cidr: 10.0.0.0/8}}]}",
    },
    "monitoring": {
        "none": "{}",
        "metrics": "backend: {metrics: {enabled: true}}",
        "rules": "monitoring: {enabled: true, rules: {enabled: true}}",
    },
    "backup": {
        "none": "{}",
        "bucket": "backup: {enabled: true, s3: {bucket: backups, region: eu, existingSecret: b}}",
        "claim": "backup: {enabled: true, destination: claim, claim: {existingClaim: backups}}",
    },
    "functions": {"none": "{}", "pushed": "functions: {image: 'registry.acme.io/functions:1'}"},
    "maintenance": {
        "none": "{}",
        "restarts": "maintenance: {restartSchedule: 0 4 * * 0}",
        "restarts in a zone": "maintenance: {restartSchedule: 0 4 * * 0, timeZone: Europe/Berlin}",
    },
    "HTTP actions": {"rewritten": "{}", "by their own port": "gateway: {site: {rewrite: false}}"},
    "variables": {
        "none": "{}",
        "from": "backend: {envFrom: [{secretRef: {name: app}, prefix: APP_}]}\n"
        "dashboard: {envFrom: [{configMapRef: {name: app, optional: true}}]}",
    },
    "audit": {"all": "{}", "accepted": "audit: {ignore: {database-pool-too-large: the server grants 500}}"},
    "budgets": {"none": "{}", "both": "podDisruptionBudget: {enabled: true, backend: true}"},
    "pods": {
        "plain": "{}",
        "hardened": "backend: {securityContext: {readOnlyRootFilesystem: true}, extraCaSecret: ca}",
        "passed through": "backend: {serviceAccount: {create: true}, extraVolumes: [{name: e, emptyDir: {}}], "
        "extraVolumeMounts: [{name: e, mountPath: /e}], initContainers: [{name: i, image: 'i:1'}]}",
        "paused": "backend: {paused: true, terminationGracePeriodSeconds: 300}",
    },
    "images": {
        "tag": f"image: {{tag: {'a' * 40}}}",
        "digest": f"backend: {{image: {{digest: 'sha256:{'0' * 64}'}}}}\nimagePullSecrets: [mirror]",
    },
    "names": {
        "plain": "{}",
        "namespace": "namespace: team\ncreateNamespace: true\nreleaseName: my-convex",
        "labels": "commonLabels: {team: shop}\ncommonAnnotations: {acme.io/owner: shop}",
    },
    "own changes": {
        "none": "{}",
        "patch": "patches: [{target: {kind: StatefulSet}, patch: {spec: {template: {spec: {dnsPolicy: Default}}}}}]",
        "object": "extraObjects: [{apiVersion: v1, kind: ConfigMap, metadata: {name: own}, data: {a: b}}]",
    },
    "TLS to the database": {"required": "{}", "not required": "convexConfig: {requireSsl: false}"},
}
NAMESPACE = "pairs"


def text_of(combination: Mapping[str, str]) -> str:
    """An overlay with these settings, and what makes its data safe."""
    values: dict[str, Any] = {"backend": {"persistence": {"allowEphemeralData": True}}}
    for option, setting in combination.items():
        for document in OPTIONS[option][setting].splitlines():
            lay(values, yaml.safe_load(document))
    return yaml.safe_dump(values)


def lay(below: dict[str, Any], above: Mapping[str, Any]) -> None:
    for key, value in above.items():
        if isinstance(value, dict) and isinstance(below.get(key), dict):
            lay(below[key], value)
        else:
            below[key] = value


COMBINATIONS = covering(OPTIONS)


def test_every_two_settings_meet_in_few_combinations() -> None:
    settings = [(option, setting) for option, its in OPTIONS.items() for setting in its]
    wanted = {frozenset(pair) for pair in combinations(settings, 2) if pair[0][0] != pair[1][0]}
    assert wanted == {frozenset(pair) for row in COMBINATIONS for pair in combinations(row.items(), 2)}
    assert len(COMBINATIONS) < 60


def name(combination: Mapping[str, str]) -> str:
    return ", ".join(f"{option}: {setting}" for option, setting in combination.items())


@pytest.fixture(scope="module")
def environments() -> list[Environment]:
    """All combinations, synthesised in this process; the faults of all at once."""
    made, faults = [], []
    for combination in COMBINATIONS:
        try:
            made.append(environment_of(text_of(combination)))
        except OverlayError as error:
            faults.append(f"{name(combination)}\n  {error}")
    assert not faults, "\n".join(faults)
    return made


def test_each_starts_and_has_no_error(environments: list[Environment]) -> None:
    for combination, environment in zip(COMBINATIONS, environments, strict=True):
        (backend,) = predict(environment.manifests).backends
        assert backend.obstacles == (), name(combination)
        errors = [each for each in audit(environment.manifests).findings if each.severity is Severity.ERROR]
        assert errors == [], f"{name(combination)}: {[(each.rule.id, each.message) for each in errors]}"


def test_a_real_api_server_takes_each(cluster: ControlPlane, crds: list[Path], environments: list[Environment]) -> None:
    """As a dry run, field by field; an object that two combinations have in common is asked for once.

    The overlays of a paused backend are among them, because `test_apply` is about pods.
    """
    for namespace in (NAMESPACE, "team"):
        cluster.namespace(namespace)
    paused = [case.environment() for case in CASES if case.overlay().values.backend.paused]
    assert len(paused) >= 3
    asked = (each for environment in [*environments, *paused] for each in environment.manifests)
    if refused := refusals(cluster, asked):
        guilty = (
            f"{name(combination)}\n  {its}"
            for combination, environment in zip(COMBINATIONS, environments, strict=True)
            if (its := refusals(cluster, environment.manifests))
        )
        pytest.fail(f"{refused}\nfirst in {next(guilty, 'none alone')}")


def refusals(cluster: ControlPlane, manifests: Iterable[Object]) -> str:
    """What the API server says against these objects; a warning counts."""
    different = {json.dumps({**each, "metadata": _plain(each)}, sort_keys=True): None for each in manifests}
    items = [json.loads(text) for text in different]
    command = ("create", "--dry-run=server", "--validate=strict", "--output=name", "--namespace", NAMESPACE)
    text = json.dumps({"apiVersion": "v1", "kind": "List", "items": items})
    return cluster.kubectl(*command, "--filename=-", input=text, check=False).stderr


def _plain(manifest: Object) -> Object:
    """The metadata in this test's namespace, so that nothing depends on what else is there."""
    metadata: Object = manifest["metadata"]
    return {**metadata, "namespace": NAMESPACE} if "namespace" in metadata else metadata
