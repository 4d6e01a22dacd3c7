"""Whatever stands in an overlay: it is used, or refused with file and line. Never a traceback, never a half truth."""

from __future__ import annotations

import json
import random
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import pytest
import yaml
from convex_k8s import knobs
from convex_k8s.problems import ValuesError
from convex_k8s.values import Values
from convex_k8s.values.messages import all_keys
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from convexctl.located_yaml import load_all, misread
from convexctl.overlays.load import Overlay, load_overlays, merged
from convexctl.overlays.names import OverlayError
from convexctl.overlays.schema import schema_text
from convexctl.synth.environment import synthesise
from tests.support.overlay_cases import CASES, Case, case, one

fixed = settings(derandomize=True, database=None, deadline=None, suppress_health_check=[HealthCheck.too_slow])
"""The same examples in every run: a failure is found again, and a run that passed passes again."""
many = settings(fixed, max_examples=300)

LINE = re.compile(r"test\.yaml(:\d+: .+|: is not a text file in UTF-8)", re.DOTALL)


def load(content: bytes) -> Overlay | list[str]:
    """The overlay with this content, or what is wrong with it."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "test.yaml").write_bytes(content)
        try:
            (overlay,) = load_overlays(Path(folder), ["test"])
        except OverlayError as error:
            return [message.removeprefix(f"{folder}/") for message in error.messages]
        return overlay


def assert_used_or_refused(content: bytes) -> Overlay | None:
    found = load(content)
    if isinstance(found, Overlay):
        return found
    assert found
    assert len(found) == len(set(found))
    for message in found:
        assert LINE.fullmatch(message), message
    return None


KEYS = sorted({str(part) for path in all_keys(Values) for part in path})
WORDS = [
    "true", "yes", "null", "", "-", "0", "latest", "nginx", "a.example.com", "*.example.com", "http://a.example.com",
    "https://a.example.com/", "5Gi", "500m", "/", "/http", "Prefix", "aws", "minio", "ambient", "ReadWriteOnce",
    "local", "sha256:" + "a" * 64, "f" * 64, "convex|" + "0" * 50, "postgresql://user:password@host", "0o17", "=", "<<",
]  # fmt: skip

texts = st.sampled_from(WORDS) | st.text(max_size=20)
scalars = st.none() | st.booleans() | st.integers(-5, 70000) | st.integers() | st.floats() | texts
keys = st.sampled_from(KEYS) | st.sampled_from(sorted(knobs.knobs())) | texts | st.sampled_from(["extends", "app"])
trees = st.recursive(scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=4))


@st.composite
def shaped(draw: st.DrawFn) -> dict[str, Any]:
    """A tree under keys that exist, so that values are met where they are read."""
    tree: dict[str, Any] = {}
    for path in draw(st.lists(st.sampled_from(all_keys(Values)), min_size=1, max_size=6)):
        node = tree
        for part in path[:-1]:
            below = node.setdefault(str(part), {})
            if not isinstance(below, dict):
                break
            node = below
        else:
            node[str(path[-1])] = draw(trees)
    return tree


def written(tree: object) -> bytes:
    return yaml.safe_dump(tree, allow_unicode=True).encode("utf-8", errors="replace")


@fixed
@given(st.binary(max_size=200))
def test_any_bytes(content: bytes) -> None:
    assert_used_or_refused(content)


@fixed
@given(st.text(st.sampled_from("ab: -{}[]&*!|>'\"%@`,?#\n\t<=~0.\\\x00\x85é"), max_size=60))
def test_any_text_with_the_letters_of_yaml(text: str) -> None:
    assert_used_or_refused(text.encode())


@fixed
@given(trees)
def test_any_tree(tree: Any) -> None:
    assert_used_or_refused(written(tree))


@many
@given(shaped())
def test_any_value_under_a_key_that_exists(tree: dict[str, Any]) -> None:
    assert_used_or_refused(written(tree))


def damaged(text: bytes, seed: int) -> bytes:
    """The text with some of its bytes lost, doubled or changed."""
    chance, content = random.Random(seed), bytearray(text)  # noqa: S311
    for _ in range(chance.randint(1, 4)):
        at, length = chance.randrange(len(content)), chance.randint(1, 8)
        piece = bytes(content[at : at + length])
        content[at : at + length] = chance.choice([b"", piece * 2, bytes(chance.choices(range(256), k=length))])
    return bytes(content)


@pytest.mark.parametrize("name", ["production", "chart-example", "images", "env-from"])
@fixed
@given(st.integers(0, 2**32))
def test_a_damaged_overlay(name: str, seed: int) -> None:
    found = case(name)
    assert_used_or_refused(damaged((found.folder / f"{found.stem}.yaml").read_bytes(), seed))


@many
@given(shaped())
def test_what_the_program_takes_the_schema_takes_too(tree: dict[str, Any]) -> None:
    """Else an editor marks as wrong what is right."""
    try:
        Values.parse(tree)
    except ValuesError:
        return
    VALIDATOR.validate(tree)


VALIDATOR = jsonschema.Draft7Validator(json.loads(schema_text()))


def leaves(path: tuple[str, ...], node: Any) -> Iterator[tuple[tuple[str, ...], Any]]:
    if isinstance(node, dict):
        for key, value in node.items():
            yield from leaves((*path, key), value)
    else:
        yield path, node


plain_trees = st.recursive(
    st.integers(0, 9) | st.text(max_size=3) | st.lists(st.integers(0, 9), max_size=2),
    lambda inner: st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
)
maps = st.dictionaries(st.sampled_from("abc"), plain_trees, max_size=3)


def layered(base: dict[str, Any], top: dict[str, Any]) -> Any:
    trees = [load_all(yaml.safe_dump(tree), "test.yaml")[0] for tree in (base, top)]
    return merged(*trees).plain()


@fixed
@given(maps, maps)
def test_layering_keeps_what_the_top_says_and_what_only_the_base_says(
    base: dict[str, Any], top: dict[str, Any]
) -> None:
    result = layered(base, top)
    assert layered(result, top) == result
    assert layered(base, {}) == base
    assert layered({}, top) == top
    found = dict(leaves((), result))
    for path, value in leaves((), top):
        assert found[path] == value
    for key in base.keys() - top.keys():
        assert result[key] == base[key]


printable = st.text(st.characters(exclude_categories=["Cs"]), max_size=30).filter(
    lambda text: "\x00" not in text and not misread(text)
)


@settings(fixed, max_examples=25)
@given(st.lists(printable, min_size=30, max_size=60))
def test_a_text_reaches_the_manifests_as_it_is(given_texts: list[str]) -> None:
    texts = {f"MY_TEXT_{number}": text for number, text in enumerate(given_texts)}
    values = Values.parse({"backend": {"env": texts, "persistence": {"enabled": True}}})
    config = one(synthesise(Overlay("test", values, [])), "ConfigMap")["data"]
    assert {name: config[name] for name in texts} == texts


@pytest.mark.parametrize("example", CASES, ids=str)
def test_a_checked_overlay_says_the_same_when_it_is_written_out_whole(example: Case) -> None:
    """Every parameter with its value, as an overlay of its own, makes the same values."""
    values = example.overlay().values
    assert Values.parse(values.model_dump(by_alias=True)).model_dump() == values.model_dump()
