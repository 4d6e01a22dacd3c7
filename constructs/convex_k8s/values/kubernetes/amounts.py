"""What the API server wants of the amounts of CPU, memory and devices of a container."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

from convex_k8s.problems import Problem
from convex_k8s.values.base import QUALIFIED
from convex_k8s.values.quantities import number

Struct = Mapping[str, Any]


def amounts(value: Struct) -> Iterator[Problem]:
    """Requests and limits: of what, how much, and both together."""
    limits, requests = value.get("limits") or {}, value.get("requests") or {}
    if not isinstance(limits, dict) or not isinstance(requests, dict):
        return
    for field, amounts in (("limits", limits), ("requests", requests)):
        for name, quantity in amounts.items():
            known = name in ("cpu", "memory", "ephemeral-storage") or name.startswith("hugepages-")
            if not known and not ("/" in name and re.fullmatch(rf"(?!requests\.){QUALIFIED}", name)):
                yield Problem((field, name), "is not a resource: cpu, memory, ephemeral-storage, or example.com/gpu")
            elif str(quantity).startswith("-"):
                yield Problem((field, name), "must be 0 or more")
            elif _extended(name) and (number(quantity) or 0) % 1:
                yield Problem((field, name), "must be a whole number")
            elif fault := _pages(name, quantity):
                yield Problem((field, name), fault)
    for name, quantity in requests.items():
        asked, most = number(quantity), number(limits.get(name))
        whole = _extended(name) or name.startswith("hugepages-")
        if name not in limits and whole:
            yield Problem(("requests", name), "needs the same amount under limits")
        elif asked is not None and most is not None and (asked > most or (asked != most and whole)):
            less = "must be the same as the limit" if whole else "is more than the limit"
            yield Problem(("requests", name), f"{less} of {limits[name]}")
    names = {*limits, *requests}
    if any(name.startswith("hugepages-") for name in names) and not names & {"cpu", "memory"}:
        yield Problem((), "has huge pages, which need cpu or memory beside them")


def _extended(name: str) -> bool:
    """Whether a resource is of a device plugin: not of Kubernetes itself."""
    return "/" in name and "kubernetes.io/" not in name


def _pages(name: str, quantity: Any) -> str:
    """What is wrong with an amount of huge pages of the size that its name has."""
    size, bytes = number(name.removeprefix("hugepages-")), number(quantity)
    if not name.startswith("hugepages-") or bytes is None:
        return ""
    if not size:
        return "must have the size of a page in its name, like hugepages-2Mi"
    return "" if bytes % size == 0 else f"must be a multiple of {name.removeprefix('hugepages-')}"


def unit(value: Struct) -> Iterator[Problem]:
    """The unit in which an amount is written: what the API server takes, in the form that it writes itself."""
    divisor, of_cpu = value.get("divisor"), str(value.get("resource", "")).endswith(".cpu")
    unit = number(divisor)
    if divisor is None or unit == 0:
        return
    binary, plain = str(divisor).endswith("i"), re.fullmatch(r"[0-9.]+([a-zA-Z]i?)?", str(divisor))
    units = [1000**power for power in range(7)] + ([1024**power for power in range(1, 7)] if binary else [])
    if not plain or unit not in ((1, Decimal("0.001")) if of_cpu else units):
        yield Problem(("divisor",), f"must be {'1 or 1m' if of_cpu else 'a unit like 1, 1k, 1M, 1Ki or 1Mi'}")
