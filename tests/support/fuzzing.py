"""Inputs made at random, and what must hold of each: a clear error and nothing else, or a result that is right.

usage: python -m tests.support.fuzzing INPUTS [SEED]      (or: make fuzz)

Every input has a number. A failure names it with the seed, and the same two make the same input again.
"""

from __future__ import annotations

import collections
import copy
import json
import random
import re
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any
from unittest import mock

import kubernetes_validate  # type: ignore[import-untyped]
import yaml
from convex_k8s.problems import ValuesError
from convex_k8s.values import Values
from convex_k8s.values.messages import all_keys

from convexctl.adopt.live import last_applied
from convexctl.audit import audit, formats
from convexctl.behaviour import predict
from convexctl.errors import UserError
from convexctl.overlays.load import Overlay
from convexctl.overlays.names import OverlayError
from convexctl.synth.environment import Environment, synthesise
from convexctl.tools import helm, kubectl, kubeseal
from tests.support.api_client import Object
from tests.support.overlay_cases import CASES, DATA, overlay_of

HIDDEN = "hunter2-of-the-fuzzer"
"""Stands in answers of programs, and must stand in no message."""
MESSAGE = re.compile(r"test\.yaml(:\d+: .+|: is not a text file in UTF-8)", re.DOTALL)
VERSION = "1.36"
BUILT_IN = ("apps", "batch", "policy", "networking.k8s.io", "rbac.authorization.k8s.io")
SYNTH_EVERY = 40
"""Of so many overlays that are accepted, one is synthesised and looked at: that takes 20 times as long."""

JUNK: list[Any] = [
    None, True, False, 0, -1, 1, 3, 65536, 10**20, 1.5, float("inf"), "", " ", "-", "~", "yes", "no", "null",
    "latest", "a" * 300, "é\u0000", "\ud7ff", "$(X)", "$$", "{{ x }}", "https://[", "http://a.example.com/",
    "https://a.example.com", "*.a.b", "a b", "5Gi", "500m", "1e3", "-1Gi", "/", "/http", "Prefix", "aws", "minio",
    "ReadWriteOnce", "f" * 64, "sha256:" + "a" * 64, "0o17", "9" * 400, "postgres://@:@/?#", "*", "(", "<<", "=",
    [], [1], [None], ["a"], {}, {"a": 1}, {"": None}, [{"name": "x"}],
]  # fmt: skip
LETTERS = "ab: -{}[]&*!|>'\"%@`,?#\n\t<=~0.\\\x00\x85é"


def plain(value: Any) -> Any:
    return json.loads(json.dumps(value))


def _leaves(tree: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    for key, value in tree.items():
        yield (*path, key), value
        if isinstance(value, dict):
            yield from _leaves(value, (*path, key))


OVERLAYS: list[dict[str, Any]] = [
    yaml.safe_load((case.folder / f"{case.stem}.yaml").read_text()) or {} for case in CASES
]
SEEN = [item for tree in OVERLAYS for item in _leaves(tree)]
"""What overlays of ours hold: key and value."""
KEYS = [tuple(str(part) for part in path) for path in all_keys(Values)]


def put(tree: Any, path: tuple[str | int, ...], value: Any) -> None:
    """Put a value at a path, and make the maps on the way there; what is in the way stays."""
    for part in path[:-1]:
        if isinstance(tree, dict):
            tree = tree.setdefault(part, {})
        elif isinstance(tree, list) and isinstance(part, int) and part < len(tree):
            tree = tree[part]
        else:
            return
    last = path[-1]
    if isinstance(tree, dict) or (isinstance(tree, list) and isinstance(last, int) and last < len(tree)):
        tree[last] = copy.deepcopy(value)  # type: ignore[index]


class Fuzzer:
    """One run: what it tried, by kind, and how it ended."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.tried: collections.Counter[str] = collections.Counter()
        self._accepted = 0
        self._kinds: list[tuple[Callable[[random.Random], None], int]] = [
            (self.values_from_keys_that_exist, 35),
            (self.a_mutated_overlay, 25),
            (self.any_yaml, 10),
            (self.junk_in_manifests, 5),
            (self.answers_of_programs, 25),
        ]

    def run(self, inputs: int) -> None:
        """Try so many inputs. An `AssertionError` names the one that failed."""
        kinds, weights = zip(*self._kinds, strict=True)
        for number in range(inputs):
            chance = random.Random(f"{self.seed}/{number}")  # noqa: S311
            (kind,) = chance.choices(kinds, weights)
            try:
                kind(chance)
            except Exception as error:
                raise AssertionError(f"input {number} of seed {self.seed} ({kind.__name__}): {error!r}") from error
            self.tried[kind.__name__] += 1

    def values_from_keys_that_exist(self, chance: random.Random) -> None:
        """Keys of the schema with values that were seen there, and some junk."""
        tree: dict[str, Any] = {}
        for _ in range(chance.randint(1, 8)):
            if chance.random() < 0.75:
                put(tree, *chance.choice(SEEN))
            else:
                put(tree, chance.choice(KEYS), chance.choice(JUNK))
        self._values(tree)

    def a_mutated_overlay(self, chance: random.Random) -> None:
        """An overlay of ours with a field or two of another one, with junk, or with damaged text."""
        tree = copy.deepcopy(chance.choice(OVERLAYS))
        for _ in range(chance.randint(0, 2)):
            put(tree, *chance.choice(SEEN))
        if chance.random() < 0.3:
            put(tree, chance.choice(KEYS), chance.choice(JUNK))
        if chance.random() < 0.2:
            self._text(_damaged(yaml.safe_dump(tree), chance))
        else:
            self._values(tree)

    def any_yaml(self, chance: random.Random) -> None:
        """Text with the letters of YAML, or a tree of junk."""
        if chance.random() < 0.5:
            self._text("".join(chance.choices(LETTERS, k=chance.randint(0, 60))))
        else:
            keys = [*chance.choice(KEYS), "extends", "a", ""]
            self._text(yaml.safe_dump({chance.choice(keys): chance.choice(JUNK) for _ in range(3)}, allow_unicode=True))

    def junk_in_manifests(self, chance: random.Random) -> None:
        """Manifests of an environment with junk in some fields, for model and audit."""
        manifests = copy.deepcopy(chance.choice(_manifests()))
        for _ in range(chance.randint(1, 5)):
            put(manifests, chance.choice(list(_paths(manifests))), chance.choice(JUNK))
        report = audit(manifests)
        formats.text(report)
        json.loads(formats.as_json(report))
        json.loads(formats.sarif(report))

    def answers_of_programs(self, chance: random.Random) -> None:
        """What kubectl, helm and kubeseal might print: another program's page, half an answer, another object."""
        ask = chance.choice(_QUESTIONS)
        printed = mock.Mock(return_value=(0, _answer(chance), ""))
        with (
            mock.patch("convexctl.tools.run.shutil.which", lambda name: name),
            mock.patch("convexctl.tools.run._finished", printed),
        ):
            try:
                ask()
            except UserError as error:
                assert HIDDEN not in str(error), "an answer is shown"
                assert len(str(error).splitlines()) == 1, str(error)
        assert printed.called, "no program was asked"

    def _text(self, text: str) -> None:
        try:
            overlay = overlay_of.__wrapped__(text)
        except OverlayError as error:
            self._refused(error.messages)
        else:
            self._used(overlay)

    def _values(self, tree: dict[str, Any]) -> None:
        try:
            values = Values.parse(copy.deepcopy(tree))
        except ValuesError as error:
            assert error.problems
            for problem in error.problems:
                assert problem.message.strip(), problem
            self.tried["refused"] += 1
        else:
            self._used(Overlay("test", values, []))

    def _refused(self, messages: list[str]) -> None:
        assert messages
        assert len(messages) == len(set(messages)), "a message twice"
        for message in messages:
            assert MESSAGE.fullmatch(message), message
        self.tried["refused"] += 1

    def _used(self, overlay: Overlay) -> None:
        self.tried["accepted"] += 1
        self._accepted += 1
        if self._accepted % SYNTH_EVERY == 0:
            try:
                environment = synthesise(overlay)
            except OverlayError as error:  # a patch that fits no object, say
                assert all(message.startswith("test: ") for message in error.messages), error.messages
                self.tried["refused by synth"] += 1
            else:
                check_environment(environment)
                self.tried["synthesised"] += 1


def check_environment(environment: Environment) -> None:
    """Its objects fit the schemas, its references resolve, and the model says what the values ask for."""
    manifests, values = environment.manifests, environment.overlay.values
    names = {(manifest["kind"], manifest["metadata"]["name"]) for manifest in manifests}
    assert len(names) == len(manifests), "two objects of one name"
    for manifest in manifests:
        if (group := manifest["apiVersion"].rpartition("/")[0]) in BUILT_IN or not group:
            kubernetes_validate.validate(manifest, VERSION, strict=True)
        for reference in _config_maps(manifest):
            assert ("ConfigMap", reference) in names or reference not in _own(manifests), reference
    (backend,), dashboards = (model := predict(manifests)).backends, model.dashboards
    assert len(dashboards) == values.dashboard.enabled
    assert not any(pod.obstacles for pod in (backend, *dashboards)), backend.obstacles
    assert backend.engine.value == (values.engine or "sqlite")
    assert (backend.writers.value, backend.stop.value) == ("none" if values.backend.paused else "one", "clean")
    assert bool(backend.claim) == values.backend.persistence.enabled
    urls = {dashboard.deployment_url.value for dashboard in dashboards}
    assert urls <= {backend.cloud_origin.value} or values.convex_config.deployment_url
    for backend_port in (item for item in manifests if item["kind"] == "Ingress"):
        for rule in backend_port["spec"]["rules"]:
            for path in rule["http"]["paths"]:
                assert ("Service", path["backend"]["service"]["name"]) in names


def _own(manifests: list[Object]) -> set[str]:
    return {manifest["metadata"]["name"] for manifest in manifests if manifest["kind"] == "ConfigMap"}


def _config_maps(manifest: Object) -> Iterator[str]:
    for container in manifest.get("spec", {}).get("template", {}).get("spec", {}).get("containers", []):
        for source in container.get("envFrom", []):
            if "configMapRef" in source:
                yield source["configMapRef"]["name"]


def _damaged(text: str, chance: random.Random) -> str:
    content = list(text)
    for _ in range(chance.randint(1, 4)):
        at, length = chance.randrange(len(content) or 1), chance.randint(1, 8)
        piece = content[at : at + length]
        content[at : at + length] = chance.choice([[], piece * 2, chance.choices(LETTERS, k=length)])
    return "".join(content)


_MANIFESTS: list[list[Object]] = []


def _manifests() -> list[list[Object]]:
    if not _MANIFESTS:
        rendered = yaml.safe_load_all((DATA / "helm-rendered" / "example.yaml").read_text())
        cases = [case.environment().manifests for case in CASES if case.name in ("local", "production", "ingress")]
        _MANIFESTS.extend([list(rendered), *cases])
    return _MANIFESTS


def _paths(value: object, above: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    entries = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in entries:
        yield (*above, key)
        yield from _paths(item, (*above, key))


_SECRET: Object = {
    "kind": "Secret",
    "metadata": {"name": "s", "namespace": "n"},
    "type": "Opaque",
    "data": {"a": "eA=="},
}
_HIDING: list[Any] = [HIDDEN, [HIDDEN], {"a": HIDDEN}]
_ANSWERS: list[Any] = [
    _SECRET,
    {"kind": "List", "items": [_SECRET]},
    {"gitVersion": "v1.36.1"},
    {"resources": [{"kind": "Pod"}]},
    {"namespace": "n", "version": 3, "info": {"status": "deployed"}},
    [{"name": "shop", "namespace": "n", "revision": "1"}],
    {
        "apiVersion": "bitnami.com/v1alpha1",
        "kind": "SealedSecret",
        "metadata": {"name": "s", "namespace": "n"},
        "spec": {"encryptedData": {"a": "x"}, "template": {"metadata": {"name": "s"}}},
    },
    {"kind": "Service", "metadata": {"annotations": {"kubectl.kubernetes.io/last-applied-configuration": "{}"}}},
]


def _answer(chance: random.Random) -> str:
    thing = copy.deepcopy(chance.choice(_ANSWERS))
    for _ in range(chance.randint(0, 3)):
        if paths := list(_paths(thing)):
            path = chance.choice(paths)
            # Messages tell names, which are no secrets.
            put(thing, path, chance.choice(JUNK if path[-1] in ("name", "namespace") else [*JUNK, *_HIDING]))
    text = json.dumps(thing)
    kind = chance.random()
    if kind < 0.15:
        text = text[: chance.randrange(len(text) + 1)]
    elif kind < 0.25:
        text = chance.choice(
            ["", f"<html>{HIDDEN}</html>", HIDDEN, "[" * 10_000, f"n\t{HIDDEN}\tA\n", f"{text}\n{text}"]
        )
    return text


_QUESTIONS: list[Callable[[], object]] = [
    lambda: kubectl.Kubectl().server_version(),
    lambda: kubectl.Kubectl().kinds("apps/v1"),
    lambda: kubectl.Kubectl().find("pod", "p"),
    lambda: kubectl.Kubectl().all_of("pods"),
    lambda: kubectl.Kubectl().secrets(["s"]),
    lambda: kubectl.Kubectl().secrets_without_values(["s"]),
    lambda: kubectl.Kubectl().objects("get", manifests=[_SECRET]),
    lambda: [last_applied(thing) for thing in kubectl.Kubectl().objects("get")],
    lambda: helm.Helm().record("shop"),
    lambda: helm.Helm().releases(),
    lambda: kubeseal.Kubeseal().seal(_SECRET),
]


def main(inputs: int, seed: int) -> None:
    """Try inputs and print how many of each kind there were."""
    fuzzer, began = Fuzzer(seed), time.monotonic()
    fuzzer.run(inputs)
    print(f"{inputs} inputs with seed {seed}, nothing failed, {time.monotonic() - began:.0f} s")
    for kind, count in sorted(fuzzer.tried.items()):
        print(f"  {count:7}  {kind.replace('_', ' ')}")


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else random.randrange(10**6))  # noqa: S311
