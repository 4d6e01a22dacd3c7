"""Variables are resolved as the kubelet does it, and what cannot be seen is said."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from convexctl.behaviour import predict
from convexctl.behaviour.variables import Reading
from tests.support.convex_manifests import backend, config_map, only_backend, secret_variable, variables


def read(name: str, *manifests: dict[str, Any]) -> Reading:
    return only_backend(*manifests).environment.read(name)


def from_config(*names: str, prefix: str = "") -> dict[str, Any]:
    return {"envFrom": [{"prefix": prefix, "configMapRef": {"name": name}} for name in names]}


FIRST = config_map("first", {"A": "one", "B": "only here"})
SECOND = config_map("second", {"A": "two"})


@pytest.mark.parametrize(
    ("container", "value"),
    [
        pytest.param(from_config("first", "second"), "two", id="of two envFrom sources the later wins"),
        pytest.param(from_config("second", "first"), "one", id="and in the other order the other"),
        pytest.param({**from_config("first"), "env": variables({"A": "env"})}, "env", id="env wins over envFrom"),
        pytest.param({"env": [*variables({"A": "x"}), *variables({"A": "y"})]}, "y", id="of two env entries the later"),
        pytest.param({**from_config("first"), "env": [{"name": "A"}]}, "", id="env without a value is set to nothing"),
        pytest.param({"env": variables({"A": ""})}, "", id="an empty value is set"),
    ],
)
def test_which_source_wins(container: dict[str, Any], value: str) -> None:
    reading = read("A", backend(container=container), FIRST, SECOND)
    assert reading.variable is not None
    assert (reading.text, reading.unless) == (value, "")


def test_a_prefix_stands_before_each_key() -> None:
    manifests = backend(container=from_config("first", prefix="P_")), FIRST
    assert read("P_A", *manifests).text == "one"
    assert read("A", *manifests).variable is None


@pytest.mark.parametrize(
    ("value", "expanded"),
    [
        ("$(HOST):5432", "db:5432"),
        ("$$(HOST)", "$(HOST)"),
        ("$(HOST)$$", "db$"),
        ("$(LATER)", "$(LATER)"),
        ("$(NOBODY)", "$(NOBODY)"),
        ("$HOST and $", "$HOST and $"),
        ("$(A)", "one"),
    ],
)
def test_expansion_knows_envfrom_and_what_stands_before(value: str, expanded: str) -> None:
    container = {**from_config("first"), "env": variables({"HOST": "db", "X": value, "LATER": "no"})}
    assert read("X", backend(container=container), FIRST).text == expanded


def test_expansion_with_a_secret_hides_the_piece() -> None:
    env = [secret_variable("PASSWORD", "db", "PASSWORD"), *variables({"X": "postgres://u:$(PASSWORD)@db:5432"})]
    reading = read("X", backend(env))
    assert reading.text is None
    assert reading.shown == "postgres://…@db:5432"


def test_a_secret_in_the_manifests_is_resolved_and_never_shown() -> None:
    value = "a-very-secret-value"
    secret = {"kind": "Secret", "metadata": {"name": "s"}, "data": {"K": base64.b64encode(value.encode()).decode()}}
    plain = {"kind": "Secret", "metadata": {"name": "t"}, "stringData": {"K": value}}
    env = [secret_variable("ONE", "s", "K"), secret_variable("TWO", "t", "K"), *variables({"BOTH": "<$(ONE)>"})]
    model = only_backend(backend(env), secret, plain)
    for name, shown in (("ONE", "Secret/s[K]"), ("TWO", "Secret/t[K]"), ("BOTH", "<…>")):
        reading = model.environment.read(name)
        assert value in (reading.text or "")
        assert reading.shown == shown
    assert value not in repr(model)


def test_keys_without_values_count_as_set() -> None:
    secret = {"kind": "Secret", "metadata": {"name": "s"}, "data": {"POSTGRES_URL": None}}
    model = only_backend(backend(container={"envFrom": [{"secretRef": {"name": "s"}}]}), secret)
    assert model.engine.value == "postgres"
    assert model.engine.certain
    assert model.database_url is not None
    assert model.database_url.value == "Secret/s[POSTGRES_URL]"


class TestMissingReferences:
    def test_an_optional_one_out_of_sight_is_taken_as_there(self) -> None:
        reading = read("X", backend([secret_variable("X", "s", "K", optional=True)]))
        assert reading.filled
        assert reading.unless == "Secret/s has no key K"

    def test_a_required_one_out_of_sight_is_certain(self) -> None:
        reading = read("X", backend([secret_variable("X", "s", "K")]))
        assert (reading.filled, reading.text, reading.unless) == (True, None, "")

    def test_an_optional_one_to_a_missing_key_leaves_what_envfrom_set(self) -> None:
        entry = {"name": "A", "valueFrom": {"configMapKeyRef": {"name": "second", "key": "NO", "optional": True}}}
        reading = read("A", backend(container={**from_config("first"), "env": [entry]}), FIRST, SECOND)
        assert reading.text == "one"

    def test_an_optional_one_out_of_sight_may_leave_what_envfrom_set(self) -> None:
        container = {**from_config("first"), "env": [secret_variable("A", "s", "K", optional=True)]}
        reading = read("A", backend(container=container), FIRST)
        assert reading.shown == "Secret/s[K]"
        assert reading.unless == "Secret/s has no key K: then ConfigMap/first[A] decides"

    @pytest.mark.parametrize("optional", [False, True])
    def test_a_required_key_that_a_configmap_in_sight_lacks_stops_the_pod(self, optional: bool) -> None:
        entry = {"name": "X", "valueFrom": {"configMapKeyRef": {"name": "first", "key": "NO", "optional": optional}}}
        obstacles = only_backend(backend([entry]), FIRST).obstacles
        texts = [obstacle.text for obstacle in obstacles]
        assert texts == ([] if optional else ["X needs the key NO of ConfigMap/first, which has no such key"])


UNSEEN: dict[str, Any] = {"envFrom": [{"secretRef": {"name": "convex-env"}}]}


class TestOutOfSight:
    def test_every_decision_that_it_could_change_says_so(self) -> None:
        model = only_backend(backend(container=UNSEEN))
        assert model.engine.value == "sqlite"
        assert model.engine.unless == "Secret/convex-env sets POSTGRES_URL, MYSQL_URL or DATABASE_URL"
        assert model.secret_stable.unless == "Secret/convex-env sets INSTANCE_SECRET"
        assert model.telemetry.sentence == "on"
        assert model.out_of_sight is not None
        assert model.out_of_sight.value == ("Secret/convex-env",)

    def test_env_is_certain_all_the_same(self) -> None:
        container = {**UNSEEN, "env": variables({"INSTANCE_NAME": "shop"})}
        assert only_backend(backend(container=container)).instance_name.certain

    @pytest.mark.parametrize(
        ("order", "unless"),
        [
            (["config", "secret"], "Secret/convex-env sets AWS_REGION"),
            (["secret", "config"], ""),
        ],
    )
    def test_a_configmap_is_certain_only_against_what_stands_before_it(self, order: list[str], unless: str) -> None:
        sources = {"config": {"configMapRef": {"name": "first"}}, "secret": {"secretRef": {"name": "convex-env"}}}
        container = {"envFrom": [sources[word] for word in order]}
        config = config_map("first", {"AWS_REGION": "one"})
        assert read("AWS_REGION", backend(container=container), config).unless == unless

    def test_a_prefix_narrows_what_it_can_be(self) -> None:
        container = {"envFrom": [{"prefix": "AWS_", "secretRef": {"name": "aws"}}]}
        model = only_backend(backend(container=container))
        assert model.engine.certain
        assert model.files.certain

    def test_a_configmap_out_of_sight_counts_too(self) -> None:
        model = only_backend(backend(container=from_config("elsewhere")))
        assert model.engine.unless.startswith("ConfigMap/elsewhere sets ")


def test_a_value_that_is_no_string_is_refused_by_the_api_server() -> None:
    (obstacle,) = only_backend(backend({"REDACT_LOGS_TO_CLIENT": True})).obstacles
    assert obstacle.text == "REDACT_LOGS_TO_CLIENT is not a string: the API server refuses it until it is in quotes"


@pytest.mark.parametrize(
    ("object_namespace", "config_namespace", "found"),
    [("", "", True), ("a", "a", True), ("a", "", True), ("", "a", True), ("a", "b", False)],
)
def test_an_object_that_names_no_namespace_may_be_in_any(
    object_namespace: str, config_namespace: str, found: bool
) -> None:
    config = config_map("c", {"INSTANCE_NAME": "shop"}, config_namespace)
    model = only_backend(backend(container=from_config("c"), namespace=object_namespace), config)
    assert (model.instance_name.value == "shop") is found


def test_the_source_of_a_variable_is_the_place_that_holds_it() -> None:
    container = {**from_config("first"), "env": [*variables({"X": "1"}), secret_variable("Y", "s", "K")]}
    manifests = backend(container=container), FIRST
    in_pod = "StatefulSet/convex spec.template.spec.containers[0].env"
    assert str(read("A", *manifests).source) == "ConfigMap/first data.A"
    assert str(read("Y", *manifests).source) == f"{in_pod}[Y]"
    assert read("Y", *manifests).source.keys() == ("spec", "template", "spec", "containers", 0, "env", 1)
    assert str(read("Z", *manifests).source) == in_pod


def test_of_two_objects_with_one_name_the_same_counts_in_either_order() -> None:
    one, two = config_map("c", {"INSTANCE_NAME": "one"}), config_map("c", {"INSTANCE_NAME": "two"})
    names = set()
    for order in ([one, two], [two, one]):
        (model,) = predict([*order, backend(container=from_config("c"))]).backends
        names.add(model.instance_name.value)
    assert len(names) == 1


def test_an_entry_of_an_external_secret_without_a_key_sets_nothing() -> None:
    entries = [{"remoteRef": {"key": "k"}}, {"secretKey": "INSTANCE_NAME", "remoteRef": {"key": "k"}}]
    external = {"kind": "ExternalSecret", "metadata": {"name": "s"}, "spec": {"data": entries}}
    model = only_backend(backend(container={"envFrom": [{"secretRef": {"name": "s"}}]}), external)
    assert [variable.name for variable in model.environment] == ["INSTANCE_NAME"]


def test_a_key_that_is_no_string_reads_as_text() -> None:
    numbered = {"kind": "ConfigMap", "metadata": {"name": "first"}, "data": {1: 2, "A": "one"}}
    assert read("A", backend(container=from_config("first")), numbered).text == "one"
