"""What two environments must not have in common."""

from __future__ import annotations

from pathlib import Path

import pytest

from convexctl.overlays.load import load_overlays
from convexctl.overlays.names import OverlayError
from convexctl.synth.collisions import check_collisions, collisions
from convexctl.synth.shares import shares
from convexctl.synth.summary import summary
from tests.support.overlay_cases import overlay_of

POSTGRES = "postgres: {enabled: true}\ns3: {enabled: false}\n"
PRODUCTION = """\
backend: {persistence: {enabled: true}}
ingress: {enabled: true, dashboard: {host: d.example.net}, backend: {host: a.example.net}}
"""
LITE = "s3: {enabled: false}\nbackend: {persistence: {enabled: true}}\n"
BUCKET = "backup: {enabled: true, s3: {bucket: backups, existingSecret: keys, region: eu-1"
EXTRA = """extraObjects:
  - {apiVersion: v1, kind: ConfigMap, metadata: {name: mine}}
  - {apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRole, metadata: {name: mine}, rules: []}
"""
CLAIM = "backup: {enabled: true, destination: claim, claim: {existingClaim: backups}}\n"
STORE = "secrets: {provider: external-secrets, externalSecrets: {storeName: vault"


def compared(folder: Path, names: list[str]) -> dict[str, list[str]]:
    return check_collisions(folder, [summary(folder, each) for each in load_overlays(folder, names)], {})


def found(first: str, second: str) -> list[tuple[bool, str]]:
    environments = [(name, shares(overlay_of(text).values)) for name, text in (("a", first), ("b", second))]
    assert all(set(each.names) == {"a", "b"} for each in collisions(environments))
    return [(each.fatal, each.message) for each in collisions(environments)]


SHARED = [
    pytest.param("", "", ["no namespace and release name convex are the same"], id="everything"),
    pytest.param(
        "{cluster: x, namespace: y}",
        "{cluster: x, namespace: y, s3: {bucket: other}}",
        ["cluster x, namespace y and release name convex are the same"],
        id="one cluster that has a name",
    ),
    pytest.param(
        POSTGRES,
        f"releaseName: two\ninstance: {{name: other}}\n{POSTGRES}",
        ["the instance secret in convex-postgres-secret/INSTANCE_SECRET is used by both"],
        id="the instance secret, with two databases on one server",
    ),
    pytest.param(
        f"instance: {{name: a-b, existingSecret: one}}\n{POSTGRES}",
        f"releaseName: two\ninstance: {{name: a_b, existingSecret: two}}\n{POSTGRES}",
        ["the database of convex-postgres-secret/DATABASE_URL is used by both"],
        id="the database, in two spellings of its name",
    ),
    pytest.param(
        "backend: {persistence: {enabled: true, existingClaim: data-two-backend-0}}",
        "releaseName: two\nbackend: {persistence: {enabled: true}}",
        ["the volume claim data-two-backend-0 is mounted by both"],
        id="the claim, made by a template for one of them",
    ),
    pytest.param(
        f"namespace: x\n{POSTGRES}{STORE}}}}}",
        f"namespace: y\n{POSTGRES}{STORE}}}}}",
        [
            "the instance secret in convex-postgres-secret/INSTANCE_SECRET is used by both",
            "the database of convex-postgres-secret/DATABASE_URL is used by both",
        ],
        id="one place in a store, for two namespaces",
    ),
    pytest.param(
        f"namespace: x\n{POSTGRES}{PRODUCTION}",
        f"namespace: y\n{POSTGRES}{PRODUCTION}",
        ["a.example.net is a public host of both", "d.example.net is a public host of both"],
        id="public hosts",
    ),
    pytest.param(
        f"namespace: x\n{EXTRA}",
        f"namespace: y\n{EXTRA}",
        ["ClusterRole mine of extraObjects is in both"],
        id="an extra object without a namespace",
    ),
    pytest.param(
        EXTRA,
        f"releaseName: two\n{EXTRA}",
        ["ConfigMap mine of extraObjects is in both", "ClusterRole mine of extraObjects is in both"],
        id="extra objects in one namespace",
    ),
    pytest.param(
        f"namespace: x\n{LITE}{BUCKET}}}}}",
        f"namespace: y\n{LITE}{BUCKET}}}}}",
        ["the place backups/backups of the backups is used by both"],
        id="the bucket, prefix and instance of the backups",
    ),
    pytest.param(
        f"cluster: x\n{LITE}{BUCKET}}}}}",
        f"cluster: y\n{LITE}{BUCKET}}}}}",
        ["the place backups/backups of the backups is used by both"],
        id="one bucket of Amazon's for the backups of two clusters",
    ),
    pytest.param(
        f"{LITE}{CLAIM}",
        f"releaseName: two\n{LITE}{CLAIM}",
        ["the backup claim backups is used by both"],
        id="the claim of the backups",
    ),
]


@pytest.mark.parametrize(("first", "second", "messages"), SHARED)
def test_it_is_an_error(first: str, second: str, messages: list[str]) -> None:
    told = found(first, second)
    assert [fatal for fatal, _ in told] == [True] * len(messages), told
    for (_, message), start in zip(told, messages, strict=True):
        assert message.startswith(start)
        assert ": " in message, "with what to do"


APART = [
    pytest.param("cluster: x", "cluster: y", id="clusters"),
    pytest.param(POSTGRES + "namespace: x", POSTGRES + "namespace: y", id="namespaces"),
    pytest.param("", "releaseName: two", id="release names, one bucket"),
    pytest.param(
        f"namespace: x\n{POSTGRES}{STORE}, storeKind: SecretStore}}}}",
        f"namespace: y\n{POSTGRES}{STORE}, storeKind: SecretStore}}}}",
        id="a store in each namespace",
    ),
    pytest.param(
        f"namespace: x\n{LITE}{BUCKET}}}}}",
        f"namespace: y\n{LITE}{BUCKET}, prefix: y}}}}",
        id="prefixes of the backups",
    ),
    pytest.param(
        f"cluster: x\n{LITE}{BUCKET}, endpoint: 'http://minio.storage.svc:9000'}}}}",
        f"cluster: y\n{LITE}{BUCKET}, endpoint: 'http://minio.storage.svc:9000'}}}}",
        id="services of two clusters with one name for backups",
    ),
    pytest.param(
        f"namespace: x\n{LITE}{BUCKET}}}}}",
        f"namespace: y\ninstance: {{name: two}}\n{LITE}{BUCKET}}}}}",
        id="instances with backups in one bucket",
    ),
    pytest.param(
        "convexConfig: {cloudOrigin: 'http://10.0.0.1:30001', siteOrigin: 'http://10.0.0.1:30002'}",
        "{releaseName: two, convexConfig: {cloudOrigin: 'http://10.0.0.1:30003', siteOrigin: 'http://10.0.0.1:30004'}}",
        id="ports of one node",
    ),
]


@pytest.mark.parametrize(("first", "second"), APART)
def test_environments_that_do_not_meet(first: str, second: str) -> None:
    assert found(first, second) == []


def test_hosts_of_two_clusters_are_a_warning() -> None:
    told = found(f"cluster: x\n{POSTGRES}{PRODUCTION}", f"cluster: y\n{POSTGRES}{PRODUCTION}")
    assert [fatal for fatal, _ in told] == [False, False]
    assert "in different clusters" in told[0][1]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "builder.yaml").write_text(f"releaseName: builder\n{LITE}")
    (tmp_path / "broken.yaml").write_text("unknown: 1\n")
    return tmp_path


def test_a_copy_is_found_where_it_alone_is_named(folder: Path) -> None:
    (folder / "tenants").mkdir()
    (folder / "tenants" / "copy.yaml").write_text(f"releaseName: builder\n{LITE}")
    with pytest.raises(OverlayError, match=r"builder\.yaml and .*copy\.yaml: .* release name builder are the same"):
        compared(folder, ["tenants/copy"])


def test_a_stranger_is_left_alone(folder: Path) -> None:
    (folder / "defaults.yaml").write_text(LITE)
    (folder / "other.yaml").write_text(LITE)
    assert compared(folder, ["defaults"]) == {}


def test_words_for_more_than_two(folder: Path) -> None:
    for name in ("one", "two", "three"):
        instance = f"releaseName: {name}\ninstance: {{name: {name}, existingSecret: keys}}\n"
        (folder / f"{name}.yaml").write_text(instance + LITE)
    with pytest.raises(OverlayError, match=r"all of them, so an admin key of one also opens the others"):
        compared(folder, ["one", "two", "three"])
