"""The form in which snapshots keep what an overlay has otherwise than the defaults."""

from __future__ import annotations

from tests.support.manifest_diff import manifest_diff


def named(name: str, rest: str = "spec: {}\n", release: str = "a") -> str:
    return f"kind: X\nmetadata:\n  name: {name}\n  labels: {{app.kubernetes.io/instance: {release}}}\n{rest}"


def stream(*objects: str) -> str:
    return "# a comment\n" + "---\n".join(objects)


def test_a_change_is_under_the_keys_above_it() -> None:
    before = "spec:\n  containers:\n    - env:\n        - name: A\n          value: x\n      image: one\n"
    after = before.replace("one", "two").replace("name: A", "name: B")
    assert manifest_diff(stream(named("a-x", before)), stream(named("a-x", after))) == (
        "  X/a-x\n"
        "    spec.containers.env\n"
        "-           - name: A\n"
        "+           - name: B\n"
        "    spec.containers\n"
        "-         image: one\n"
        "+         image: two\n"
    )


def test_objects_that_come_and_go_and_their_order() -> None:
    one, two, three = named("a-one"), named("a-two"), named("a-three")
    assert manifest_diff(stream(one, two), stream(one, two)) == "nothing\n"
    assert manifest_diff(stream(one, two), stream(two)) == "- X/a-one\n"
    assert manifest_diff(stream(one, two), stream(two, one)) == "  order: X/a-two, X/a-one\n"
    shown = manifest_diff(stream(one, two), stream(one, three, two))
    assert shown.startswith("+ X/a-three (after X/a-one)\n+   kind: X\n")


def test_another_release_is_the_same_object_under_another_name() -> None:
    shown = manifest_diff(stream(named("a-x")), stream(named("b-x", release="b")))
    assert shown.startswith("  X/b-x\n    metadata\n-     name: a-x\n")
