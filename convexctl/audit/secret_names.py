"""The names of Secrets that manifests refer to, whatever the kinds of the objects."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

_MAKERS = ("Secret", "SealedSecret", "ExternalSecret")


def unknown_secrets(manifests: Iterable[Mapping[str, Any]], named: Iterable[str]) -> Iterator[str]:
    """A sentence for each of the `named` Secrets that no manifest refers to, with the name that is near."""
    known = sorted(set(_names(list(manifests))))
    for name in named:
        if name not in known:
            near = difflib.get_close_matches(name[:253], known, n=1) or (known if len(known) == 1 else [])
            hint = f"; did you mean {near[0]}?" if near else f" (but {', '.join(known[:5])})" if known else ""
            yield f"nothing in the input names a Secret {name}{hint}"


def _names(node: object, about_secrets: bool = False) -> Iterator[str]:
    """Names below a key with `secret` in it, and those of the objects that make Secrets."""
    if isinstance(node, Mapping):
        if node.get("kind") in _MAKERS and isinstance(node.get("metadata"), Mapping):
            yield str(node["metadata"].get("name"))
        for key, value in node.items():
            if isinstance(value, str):
                if (about_secrets and key in ("name", "secretName")) or str(key).lower().endswith("secretname"):
                    yield value
            else:
                yield from _names(value, "secret" in str(key).lower())
    elif isinstance(node, list):
        for entry in node:
            yield from _names(entry, about_secrets)
