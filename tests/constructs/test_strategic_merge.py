"""Patches do what `kubectl patch` and RFC 6902 say, on plain data."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from convex_k8s import json_patch, strategic_merge
from convex_k8s.json_patch import PatchError

POD = """
kind: Pod
metadata: {labels: {a: "1", b: "2"}, finalizers: [one]}
spec:
  nodeSelector: {disk: ssd}
  containers:
    - name: main
      image: old
      args: [a, b]
      env: [{name: A, value: "1"}, {name: B, value: "2"}]
      ports: [{containerPort: 80, name: http}]
      volumeMounts: [{name: data, mountPath: /data}]
    - {name: side, image: side}
  volumes: [{name: data, emptyDir: {}}]
"""
MERGES = [
    ("a map, key by key", "metadata: {labels: {b: x, c: y}}", ["metadata", "labels"], {"a": "1", "b": "x", "c": "y"}),
    ("null removes", "metadata: {labels: {a: null}}", ["metadata", "labels"], {"b": "2"}),
    ("env by name", "spec: {containers: [{name: main, env: [{name: B, value: x}, {name: C, value: y}]}]}",
     ["spec", "containers", 0, "env"],
     [{"name": "A", "value": "1"}, {"name": "B", "value": "x"}, {"name": "C", "value": "y"}]),
    ("a new container goes to the end", "spec: {containers: [{name: new, image: n}]}",
     ["spec", "containers", 2], {"name": "new", "image": "n"}),
    ("ports by number", "spec: {containers: [{name: main, ports: [{containerPort: 80, protocol: TCP}]}]}",
     ["spec", "containers", 0, "ports"], [{"containerPort": 80, "name": "http", "protocol": "TCP"}]),
    ("mounts by path", "spec: {containers: [{name: main, volumeMounts: [{mountPath: /data, name: other}]}]}",
     ["spec", "containers", 0, "volumeMounts"], [{"name": "other", "mountPath": "/data"}]),
    ("a list without a key is replaced", "spec: {containers: [{name: main, args: [c]}]}",
     ["spec", "containers", 0, "args"], ["c"]),
    ("a list of plain values that merges", "metadata: {finalizers: [one, two]}", ["metadata", "finalizers"],
     ["one", "two"]),
    ("an item goes", "spec: {containers: [{name: side, $patch: delete}]}", ["spec", "containers", 1, "name"], None),
    ("a map is replaced", "spec: {nodeSelector: {$patch: replace, a: b}}", ["spec", "nodeSelector"], {"a": "b"}),
    ("a list is replaced", "spec: {volumes: [{$patch: replace}, {name: x}]}", ["spec", "volumes"], [{"name": "x"}]),
    ("keys are retained",
     "spec: {volumes: [{name: data, $retainKeys: [name], persistentVolumeClaim: {claimName: c}}]}",
     ["spec", "volumes", 0], {"name": "data", "persistentVolumeClaim": {"claimName": "c"}}),
]  # fmt: skip


def at(value: Any, path: list[str | int]) -> Any:
    for step in path:
        if isinstance(value, list) and step not in range(len(value)):
            return None
        value = value[step]
    return value


@pytest.mark.parametrize(("patch", "path", "expected"), [row[1:] for row in MERGES], ids=[row[0] for row in MERGES])
def test_a_strategic_merge(patch: str, path: list[str | int], expected: Any) -> None:
    before = yaml.safe_load(POD)
    # Only whole objects of apps/v1 and the like are known: the pod stands here for a template.
    merged = strategic_merge.merge(before, yaml.safe_load(patch), "PodTemplateSpec")
    assert at(merged, path) == expected
    assert before == yaml.safe_load(POD)


def test_lists_of_a_custom_kind_are_replaced() -> None:
    merged = strategic_merge.merge({"spec": {"env": [{"name": "A"}]}}, {"spec": {"env": [{"name": "B"}]}}, "")
    assert merged == {"spec": {"env": [{"name": "B"}]}}


@pytest.mark.parametrize(
    ("patch", "path"),
    [
        ("spec: {containers: [{image: x}]}", ("spec", "containers", 0)),
        ("spec: {containers: [{name: gone, $patch: delete}]}", ("spec", "containers", 0)),
        ("spec: {$patch: remove}", ("spec", "$patch")),
        ("spec: {$setElementOrder/containers: []}", ("spec", "$setElementOrder/containers")),
    ],
)
def test_a_strategic_merge_that_cannot_be(patch: str, path: tuple[str | int, ...]) -> None:
    with pytest.raises(PatchError) as caught:
        strategic_merge.merge(yaml.safe_load(POD), yaml.safe_load(patch), "PodTemplateSpec")
    assert caught.value.path == path


DOCUMENT = {"a": {"b/c": [1, 2, 3]}, "d~": None}
OPERATIONS = [
    ({"op": "add", "path": "/a/b~1c/-", "value": 4}, {"a": {"b/c": [1, 2, 3, 4]}, "d~": None}),
    ({"op": "add", "path": "/a/b~1c/1", "value": 9}, {"a": {"b/c": [1, 9, 2, 3]}, "d~": None}),
    ({"op": "add", "path": "/a/x", "value": {"y": 1}}, {"a": {"b/c": [1, 2, 3], "x": {"y": 1}}, "d~": None}),
    ({"op": "remove", "path": "/a/b~1c/0"}, {"a": {"b/c": [2, 3]}, "d~": None}),
    ({"op": "remove", "path": "/d~0"}, {"a": {"b/c": [1, 2, 3]}}),
    ({"op": "replace", "path": "/a/b~1c/2", "value": 0}, {"a": {"b/c": [1, 2, 0]}, "d~": None}),
    ({"op": "move", "from": "/d~0", "path": "/e"}, {"a": {"b/c": [1, 2, 3]}, "e": None}),
    ({"op": "copy", "from": "/a/b~1c", "path": "/e"}, {"a": {"b/c": [1, 2, 3]}, "d~": None, "e": [1, 2, 3]}),
    ({"op": "test", "path": "/a/b~1c/0", "value": 1}, DOCUMENT),
]


@pytest.mark.parametrize(("operation", "expected"), OPERATIONS)
def test_a_json_patch(operation: dict[str, Any], expected: dict[str, Any]) -> None:
    assert json_patch.apply(DOCUMENT, [operation]) == expected


@pytest.mark.parametrize(
    ("operation", "field", "said"),
    [
        ({"op": "add", "path": "/x/y", "value": 1}, "path", "there is no x in /; it has a, d~"),
        ({"op": "remove", "path": "/a/x"}, "path", "there is no x in /a; it has b/c"),
        ({"op": "replace", "path": "/a/b~1c/3", "value": 1}, "path", "/a/b~1c is a list of 3, counted from 0"),
        ({"op": "add", "path": "/a/b~1c/5", "value": 1}, "path", "/a/b~1c is a list of 3"),
        ({"op": "move", "from": "/x", "path": "/y"}, "from", "there is no x"),
        ({"op": "test", "path": "/a/b~1c/0", "value": 2}, "path", "has another value"),
        ({"op": "remove", "path": ""}, "path", "the whole object"),
    ],
)
def test_a_json_patch_that_cannot_be(operation: dict[str, Any], field: str, said: str) -> None:
    with pytest.raises(PatchError) as caught:
        json_patch.apply(DOCUMENT, [{"op": "test", "path": "/a/b~1c/0", "value": 1}, operation])
    assert caught.value.path == (1, field)
    assert said in caught.value.message
