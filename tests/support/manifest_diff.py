"""What manifests have otherwise than others: object by object, each change under the path of its field."""

from __future__ import annotations

import difflib
import itertools
import re
from collections.abc import Iterator

import yaml
from convex_k8s.values.checks.metadata import OVERLAY_ANNOTATION

from convexctl.located_yaml import Loader

_ABOUT_THE_OVERLAY = re.compile(rf"^(\s+{OVERLAY_ANNOTATION}:) .*$", re.MULTILINE)
_RELEASE = "app.kubernetes.io/instance"


def manifest_diff(base: str, other: str) -> str:
    """The objects of `other` that differ from `base`, and those that only one of them has. Both are YAML streams.

    The name of the overlay and the comment at the top, which differ always, do not count. Objects are the same if they
    have one kind, and one name behind the name of the release.
    """
    before, after = _objects(base), _objects(other)
    parts = [f"- {before[key][0]}\n" for key in before if key not in after]
    for earlier, key in itertools.pairwise([None, *after]):
        assert key is not None
        name, text = after[key]
        if key not in before:
            place = f"after {after[earlier][0]}" if earlier else "first"
            parts.append("".join([f"+ {name} ({place})\n", *(f"+   {line}\n" for line in text.split("\n"))]))
        elif changes := list(_changes(before[key][1].split("\n"), text.split("\n"))):
            parts.append("".join([f"  {name}\n", *changes]))
    if [key for key in before if key in after] != [key for key in after if key in before]:
        parts.append(f"  order: {', '.join(name for name, _ in after.values())}\n")
    return "\n".join(parts) or "nothing\n"


def _objects(stream: str) -> dict[tuple[str, str], tuple[str, str]]:
    """Each object's name and text, by kind and what is behind the name of the release."""
    objects: dict[tuple[str, str], tuple[str, str]] = {}
    for text in re.split(r"^---\n", stream, flags=re.MULTILINE):
        body = re.sub(r"^#.*\n", "", text, flags=re.MULTILINE).rstrip("\n")
        manifest = next(yaml.load_all(body, Loader=Loader), None)
        if not manifest:
            continue
        kind, metadata = manifest["kind"], manifest["metadata"]
        release = metadata.get("labels", {}).get(_RELEASE, "")
        key = kind, metadata["name"].removeprefix(release)
        assert key not in objects, key
        objects[key] = f"{kind}/{metadata['name']}", _ABOUT_THE_OVERLAY.sub(r"\1 ...", body)
    return objects


def _changes(before: list[str], after: list[str]) -> Iterator[str]:
    matcher = difflib.SequenceMatcher(a=before, b=after, autojunk=False)
    for tag, start, end, new_start, new_end in matcher.get_opcodes():
        if tag == "equal":
            continue
        yield f"    {_path(after, new_start) if new_end > new_start else _path(before, start)}\n"
        yield from (f"-   {line}\n" for line in before[start:end])
        yield from (f"+   {line}\n" for line in after[new_start:new_end])


def _path(lines: list[str], index: int) -> str:
    """The keys above a line, the outermost first. An item of a list adds none."""
    depth = _depth(lines[index])
    keys: list[str] = []
    for line in reversed(lines[:index]):
        if _depth(line) >= depth:
            continue
        key = re.match(r'\s*((?:- )*)("[^"]*"|[^\s:]+):', line)
        if key and _depth(line) + len(key[1]) < depth:
            keys.append(key[2])
        depth = _depth(line)
    return ".".join(reversed(keys)) or "(top)"


def _depth(line: str) -> int:
    return len(line) - len(line.lstrip(" "))
