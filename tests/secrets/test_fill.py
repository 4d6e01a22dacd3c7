"""Which value each key of a Secret gets, from what is given, in the cluster or sealed already."""

from __future__ import annotations

import pytest

from convexctl.secrets.admin_key import make_admin_key, open_admin_key
from convexctl.secrets.fill import Filled, fill
from convexctl.secrets.instance import Instance, find_instance
from convexctl.secrets.plan import Entry, Plan, plan_secrets, variable_names
from convexctl.secrets.sources import Known, Source
from convexctl.secrets.value_rules import generate_instance_secret
from convexctl.tools.kubectl import ClusterSecret, Kubectl
from tests.support.overlay_cases import environment_of, overlay_of

OVERLAY = """
instance: {name: prod, existingSecret: instance}
s3: {enabled: false}
backend: {persistence: {enabled: true}}
"""
OWN, OTHER = generate_instance_secret(), generate_instance_secret()
KEY = make_admin_key("prod", OWN)
INSTANCE = ("instance", "INSTANCE_SECRET")
ADMIN_KEY = ("convex-secrets", "CONVEX_SELF_HOSTED_ADMIN_KEY")


def plan() -> Plan:
    environment = environment_of(OVERLAY)
    return plan_secrets(environment.overlay.values, environment.manifests)


def known(
    cluster: dict[tuple[str, str], str] | None = None,
    sealed: tuple[tuple[str, str], ...] = (),
    given: dict[str, str] | None = None,
) -> Known:
    secrets = {name: ClusterSecret("Opaque", {key: text.encode()}, {}) for (name, key), text in (cluster or {}).items()}
    return Known(
        sources=[Source("the test", given or {})], cluster=secrets, sealed={name: {key} for name, key in sealed}
    )


def became(filled: Filled) -> dict[tuple[str, str], str]:
    """What became of each key: `sealed`, `kept`, or `new`."""
    words = {"stays sealed as it is": "sealed", "kept as it is in the cluster": "kept"}
    found = {(entry.secret, entry.key): words.get(origin, "new") for entry, origin in filled.origins.items()}
    sealed = {at for at, word in found.items() if word == "sealed"}
    assert {(entry.secret, entry.key) for entry in filled.sealed} == sealed
    assert {(entry.secret, entry.key) for entry in filled.values} == found.keys() - sealed
    return found


@pytest.mark.parametrize(
    ("what", "instance", "admin_key"),
    [
        pytest.param(known({INSTANCE: OWN, ADMIN_KEY: KEY}), "kept", "kept", id="both in the cluster"),
        pytest.param(known({INSTANCE: OTHER, ADMIN_KEY: KEY}), "kept", "new", id="a key of another instance"),
        pytest.param(known({INSTANCE: OWN}), "kept", "new", id="no key yet"),
        pytest.param(
            known(sealed=(INSTANCE, ADMIN_KEY)), "sealed", "sealed", id="both sealed, the cluster has neither"
        ),
        pytest.param(
            known({INSTANCE: OWN, ADMIN_KEY: KEY}, (INSTANCE, ADMIN_KEY)),
            "sealed",
            "sealed",
            id="both sealed and there",
        ),
        pytest.param(
            known({INSTANCE: OWN}, (INSTANCE, ADMIN_KEY)), "sealed", "sealed", id="a sealed key that is not there yet"
        ),
        pytest.param(known({INSTANCE: OWN}, (INSTANCE,)), "sealed", "new", id="a key for a sealed instance"),
        pytest.param(
            known(sealed=(ADMIN_KEY,), given={"INSTANCE_SECRET": OTHER}), "new", "new", id="a new instance, an old key"
        ),
    ],
)
def test_what_becomes_of_an_instance_and_its_key(what: Known, instance: str, admin_key: str) -> None:
    filled = fill(plan(), what)
    assert became(filled) == {INSTANCE: instance, ADMIN_KEY: admin_key}
    for entry, value in filled.values.items():
        if entry.key == ADMIN_KEY[1]:
            secret = filled.values.get(Entry(*INSTANCE, "INSTANCE_SECRET"), OWN.encode())
            assert open_admin_key(value.decode(), "prod", secret.decode())


@pytest.mark.parametrize(("given", "warned"), [(OWN, False), (OTHER, True)], ids=["same", "other"])
def test_a_given_instance_secret_does_not_replace_the_clusters(given: str, warned: bool) -> None:
    filled = fill(plan(), known({INSTANCE: OWN}, given={"INSTANCE_SECRET": given}))
    assert became(filled)[INSTANCE] == "kept"
    assert any("is another one than the cluster's" in text for text in filled.warnings) is warned


@pytest.mark.parametrize(
    ("entry", "names"),
    [
        (Entry("a", "only", "POSTGRES_URL"), ["POSTGRES_URL", "only"]),
        (Entry("a", "twice", "AWS_REGION"), ["AWS_REGION"]),
        (Entry("a", "INSTANCE_NAME", "S3_ENDPOINT_URL"), ["S3_ENDPOINT_URL"]),
        (Entry("a", "ca.crt", "PG_CA_FILE"), ["PG_CA_FILE"]),
    ],
    ids=str,
)
def test_a_key_names_a_value_where_it_is_clear(entry: Entry, names: list[str]) -> None:
    others = (Entry("b", "twice", "AWS_ACCESS_KEY_ID"), Entry("b", "name", "INSTANCE_NAME"))
    assert variable_names(Plan(overlay_of(OVERLAY).values, (entry, *others), ()), entry) == names


class TestFindInstance:
    @pytest.fixture(autouse=True)
    def cluster(self, monkeypatch: pytest.MonkeyPatch) -> None:
        secret = ClusterSecret("Opaque", {"INSTANCE_SECRET": OWN.encode()}, {})
        monkeypatch.setattr(Kubectl, "secrets", lambda *_: {"instance": secret})
        monkeypatch.setattr(Kubectl, "place", lambda _: "here")

    @pytest.mark.parametrize(
        ("given", "notes"),
        [({}, 0), ({"INSTANCE_SECRET": OWN}, 0), ({"INSTANCE_SECRET": OTHER}, 1)],
        ids=["not given", "same", "other"],
    )
    def test_the_clusters_counts(self, given: dict[str, str], notes: int) -> None:
        found = find_instance(overlay_of(OVERLAY).values, Kubectl(), given)
        assert found == Instance("prod", OWN, "the Secret instance, here", found.notes)
        assert len(found.notes) == notes
