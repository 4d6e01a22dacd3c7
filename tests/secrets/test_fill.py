"""Which value each key of a Secret gets, from what is given, in the cluster or sealed already."""

from __future__ import annotations

import pytest

from convexctl.errors import UserError
from convexctl.secrets.admin_key import make_admin_key, open_admin_key
from convexctl.secrets.fill import Filled, fill
from convexctl.secrets.instance import Instance, find_instance, find_name
from convexctl.secrets.plan import Entry, Plan, plan_secrets, variable_names
from convexctl.secrets.sources import Known, Source
from convexctl.secrets.value_rules import generate_instance_secret
from convexctl.tools.kubectl import ClusterSecret, Kubectl, KubectlError
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


SERVER = """
instance: {existingSecret: instance}
postgres: {enabled: true, existingSecret: db}
imagePullSecrets: [{name: pull}]
"""
GIVEN = {
    "POSTGRES_URL": "postgres://u:hunter2@db",
    "INSTANCE_NAME": "shop",
    "AWS_ACCESS_KEY_ID": "AKID-of-nobody",
    "AWS_SECRET_ACCESS_KEY": "hunter2/hunter2",
    "AWS_REGION": "auto",
}


def server_plan(more: str = "") -> Plan:
    environment = environment_of(SERVER + more)
    return plan_secrets(environment.overlay.values, environment.manifests)


def origins(filled: Filled) -> dict[str, str]:
    return {entry.variable or entry.key: origin for entry, origin in filled.origins.items()}


def test_what_is_given_is_taken_and_what_is_optional_is_left_out() -> None:
    filled = fill(server_plan(), known(given=GIVEN))
    found = origins(filled)
    assert {found[name] for name in GIVEN} == {f"{name}, from the test" for name in GIVEN}
    assert found["S3_ENDPOINT_URL"] == "left out: S3_ENDPOINT_URL is not given, so files go to Amazon S3"
    assert found["DOCKER_CONFIG_FILE"] == "left out: DOCKER_CONFIG_FILE is not given; a private registry needs it"
    assert found["INSTANCE_SECRET"] == "NEW, generated"
    assert "db/INSTANCE_NAME" in map(str, filled.values)
    values = {entry.variable: value.decode() for entry, value in filled.values.items()}
    assert open_admin_key(values["CONVEX_SELF_HOSTED_ADMIN_KEY"], "shop", values["INSTANCE_SECRET"])
    assert "hunter2" not in repr(filled)


def test_everything_that_is_missing_or_wrong_is_named_at_once() -> None:
    with pytest.raises(UserError) as caught:
        fill(server_plan(), known(given={"POSTGRES_URL": "db", "AWS_REGION": "auto"}))
    lines = str(caught.value).splitlines()
    assert [line.partition(" ")[0] for line in lines[:-1]] == [
        "POSTGRES_URL,",
        "INSTANCE_NAME",
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
    ]
    assert lines[-1].startswith("4 values are missing or wrong; nothing was written")
    with pytest.raises(UserError, match="1 value is missing or wrong"):
        fill(server_plan(), known(given={**GIVEN, "POSTGRES_URL": "db"}))


def test_who_is_asked_may_leave_out_what_is_optional_and_is_asked_until_it_is_right() -> None:
    answers = iter(["db", *GIVEN.values(), "", ""])
    asked: list[tuple[str, int]] = []

    def ask(entry: Entry, problems: list[str]) -> str:
        asked.append((entry.variable, len(problems)))
        return next(answers)

    found = origins(fill(server_plan(), known(), ask=ask))
    assert asked[:3] == [("POSTGRES_URL", 0), ("POSTGRES_URL", 1), ("INSTANCE_NAME", 0)]
    assert found["POSTGRES_URL"] == "asked for"
    assert found["S3_ENDPOINT_URL"] == "left out, so files go to Amazon S3"


def test_an_instance_is_not_renamed_and_a_file_that_is_gone_is_told() -> None:
    there = known({("db", "INSTANCE_NAME"): "other"}, given={**GIVEN, "DOCKER_CONFIG_FILE": "/no/such/file"})
    with pytest.raises(UserError) as caught:
        fill(server_plan(), there)
    renamed, gone, _ = str(caught.value).splitlines()
    assert "it would rename the instance, which is named other in the cluster" in renamed
    assert "the file cannot be read: No such file or directory" in gone


def test_a_wrong_value_in_the_cluster_is_told_with_its_remedy() -> None:
    with pytest.raises(UserError, match=r"db/DATABASE_URL in the cluster: .*; give POSTGRES_URL"):
        fill(
            server_plan(),
            known(
                {("db", "DATABASE_URL"): "db"},
                given={name: value for name, value in GIVEN.items() if name != "POSTGRES_URL"},
            ),
        )


def test_other_keys_of_a_secret_stay() -> None:
    there = ClusterSecret("kubernetes.io/basic-auth", {"INSTANCE_SECRET": OWN.encode(), "password": b"x"}, {})
    filled = fill(plan(), Known(cluster={"instance": there}))
    assert filled.types == {"instance": "kubernetes.io/basic-auth"}
    assert filled.values[Entry("instance", "password", "", optional=True)] == b"x"
    assert origins(filled)["password"].startswith("kept: the cluster's Secret has it")
    sealed = fill(plan(), Known(cluster={"instance": there}, sealed={"instance": {"INSTANCE_SECRET", "password"}}))
    assert origins(sealed)["password"] == "stays sealed as it is"


class TestRotation:
    def test_a_new_secret_comes_with_a_new_key_and_a_warning(self) -> None:
        filled = fill(plan(), known({INSTANCE: OWN, ADMIN_KEY: KEY}), rotate=True)
        assert became(filled) == {INSTANCE: "new", ADMIN_KEY: "new"}
        assert filled.values[Entry(*INSTANCE, "INSTANCE_SECRET")] != OWN.encode()
        assert [text.partition(":")[0] for text in filled.warnings] == ["ROTATED"]

    def test_the_given_one_is_taken_unless_it_is_the_old_one(self) -> None:
        filled = fill(plan(), known({INSTANCE: OWN}, given={"INSTANCE_SECRET": OTHER}), rotate=True)
        assert filled.values[Entry(*INSTANCE, "INSTANCE_SECRET")] == OTHER.encode()
        with pytest.raises(UserError, match="it is the instance secret that is there: leave it out to get a new one"):
            fill(plan(), known({INSTANCE: OWN}, given={"INSTANCE_SECRET": OWN}), rotate=True)

    @pytest.mark.parametrize(
        ("overlay", "said"),
        [
            ("backend: {persistence: {enabled: true}}", "is on the backend's volume, not in a Secret"),
            (
                "{instance: {name: a}, postgres: {enabled: true}, secrets: {provider: bootstrap}}",
                "is not made here (secrets.provider is bootstrap)",
            ),
        ],
    )
    def test_where_no_secret_is_written_there_is_none_to_rotate(self, overlay: str, said: str) -> None:
        environment = environment_of(overlay)
        its_plan = plan_secrets(environment.overlay.values, environment.manifests)
        with pytest.raises(UserError) as caught:
            fill(its_plan, known(), rotate=True)
        assert said in str(caught.value)


class TestASecretThatIsElsewhere:
    """The instance secret is not in the cluster's Secret: the running pod, or nobody, has it."""

    @staticmethod
    def running() -> Instance:
        return Instance("prod", OWN, "the pod convex-backend-0")

    @pytest.mark.parametrize(
        ("given", "warnings"),
        [({}, 0), ({"INSTANCE_SECRET": OWN}, 0), ({"INSTANCE_SECRET": OTHER}, 1)],
        ids=["not given", "same", "other"],
    )
    def test_the_pods_is_taken_over(self, given: dict[str, str], warnings: int) -> None:
        filled = fill(plan(), Known(sources=[Source("the test", given)], instance=self.running))
        assert filled.values[Entry(*INSTANCE, "INSTANCE_SECRET")] == OWN.encode()
        assert len(filled.warnings) == warnings

    def test_a_given_one_is_taken_if_nobody_has_one(self) -> None:
        filled = fill(plan(), known(given={"INSTANCE_SECRET": OTHER}))
        assert filled.values[Entry(*INSTANCE, "INSTANCE_SECRET")] == OTHER.encode()
        assert filled.warnings == []
        with pytest.raises(UserError, match="INSTANCE_SECRET, from the test: "):
            fill(plan(), known(given={"INSTANCE_SECRET": "short"}))

    def test_one_that_may_be_out_of_reach_is_not_replaced(self) -> None:
        with pytest.raises(
            UserError, match=r"instance/INSTANCE_SECRET: the pod runs\. With another one every admin key"
        ):
            fill(plan(), Known(out_of_reach=lambda: "the pod runs"))

    def test_one_in_the_cluster_that_the_backend_refuses_is_told(self) -> None:
        with pytest.raises(UserError, match=r"in the cluster: .*; the backend would not start with it; --rotate"):
            fill(plan(), known({INSTANCE: "short"}))


class TestFindInstance:
    @pytest.fixture(autouse=True)
    def cluster(self, monkeypatch: pytest.MonkeyPatch) -> dict[str, ClusterSecret]:
        """The Secrets that the cluster has; the backend's pod has an instance secret of its own in `pod`."""
        self.pod: list[str] | None = None
        secrets: dict[str, ClusterSecret] = {}
        monkeypatch.setattr(Kubectl, "secrets", lambda *_: secrets)
        monkeypatch.setattr(Kubectl, "place", lambda _: "here")
        monkeypatch.setattr(Kubectl, "read_files", lambda *_: self.pod)
        return secrets

    @pytest.mark.parametrize(
        ("given", "notes"),
        [({}, 0), ({"INSTANCE_SECRET": OWN}, 0), ({"INSTANCE_SECRET": OTHER}, 1)],
        ids=["not given", "same", "other"],
    )
    def test_the_clusters_counts(self, cluster: dict[str, ClusterSecret], given: dict[str, str], notes: int) -> None:
        cluster["instance"] = ClusterSecret("Opaque", {"INSTANCE_SECRET": OWN.encode()}, {})
        found = find_instance(overlay_of(OVERLAY).values, Kubectl(), given)
        assert found == Instance("prod", OWN, "the Secret instance, here", found.notes)
        assert len(found.notes) == notes

    def test_then_the_running_pods(self) -> None:
        self.pod = ["ignored\n", f"{OWN}\n"]
        found = find_instance(overlay_of(OVERLAY).values, Kubectl(), {})
        assert found == Instance("prod", OWN, "the pod convex-backend-0, here")
        server = find_instance(overlay_of(SERVER).values, Kubectl(), {})
        assert (server.name, server.secret) == ("ignored", OWN)

    def test_then_the_environments(self) -> None:
        nowhere = "not in the Secret instance, key INSTANCE_SECRET, nor in a running pod convex-backend-0 (here)"
        found = find_instance(overlay_of(OVERLAY).values, Kubectl(), {"INSTANCE_SECRET": OWN})
        assert found == Instance("prod", OWN, "INSTANCE_SECRET of the environment", (nowhere,))
        unasked = find_instance(overlay_of(OVERLAY).values, None, {"INSTANCE_SECRET": OWN})
        assert unasked.notes == ("the cluster was not asked",)

    @pytest.mark.parametrize(
        ("overlay", "given", "said"),
        [
            (OVERLAY, {}, "no instance secret was found: not in the Secret instance, key INSTANCE_SECRET, nor in a"),
            (
                "backend: {persistence: {enabled: true}}\ns3: {enabled: false}",
                {},
                "found: not in a running pod convex-",
            ),
            (SERVER, {"INSTANCE_SECRET": OWN}, "no instance name was found: "),
            (OVERLAY, {"INSTANCE_SECRET": "short"}, "the instance secret (INSTANCE_SECRET of the environment): "),
            (SERVER, {"INSTANCE_SECRET": OWN, "INSTANCE_NAME": "a b"}, "the instance name: "),
        ],
        ids=["no secret", "none is named", "no name", "a wrong secret", "a wrong name"],
    )
    def test_what_is_nowhere_or_wrong_is_told_with_the_places(
        self, overlay: str, given: dict[str, str], said: str
    ) -> None:
        with pytest.raises(UserError) as caught:
            find_instance(overlay_of(overlay).values, Kubectl(), given)
        assert said in str(caught.value)

    def test_a_cluster_that_does_not_answer_is_told(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def fail(*_: object) -> dict[str, ClusterSecret]:
            raise KubectlError("no answer")

        monkeypatch.setattr(Kubectl, "secrets", fail)
        found = find_instance(overlay_of(OVERLAY).values, Kubectl(), {"INSTANCE_SECRET": OWN})
        assert found.notes == ("the cluster cannot be asked: no answer",)
        assert find_name(overlay_of(SERVER).values, Kubectl(), {"INSTANCE_NAME": "shop"}) == (
            "shop",
            "INSTANCE_NAME of the environment",
        )

    def test_the_name_alone(self, cluster: dict[str, ClusterSecret]) -> None:
        values = overlay_of(SERVER).values
        assert find_name(overlay_of(OVERLAY).values, Kubectl(), {}) == ("prod", "the overlay")
        with pytest.raises(
            UserError, match=r"not in the Secret db, key INSTANCE_NAME \(here\); INSTANCE_NAME is not set"
        ):
            find_name(values, Kubectl(), {})
        with pytest.raises(UserError, match="no instance name was found: the cluster was not asked"):
            find_name(values, None, {})
        cluster["db"] = ClusterSecret("Opaque", {"INSTANCE_NAME": b"shop"}, {})
        assert find_name(values, Kubectl(), {"INSTANCE_NAME": "no"}) == ("shop", "the Secret db, here")
