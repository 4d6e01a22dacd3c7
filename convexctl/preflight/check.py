"""The result of one check."""

from __future__ import annotations

import importlib
import socket
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from convexctl.errors import UserError
from convexctl.project import PROGRAM


class Status(StrEnum):
    """How a check went."""

    OK = "ok"
    FAILED = "failed"
    """The backend would not start, or would not do what the overlay says."""
    SKIPPED = "skipped"
    """Not known: the check could not be made from here, or depends on a check that failed."""


@dataclass(frozen=True)
class Check:
    """One line of the result: what was looked at, how it went, what was seen and, on a failure, the remedy."""

    name: str
    status: Status
    detail: str
    """What was seen, never with a secret value in it."""
    remedy: str = ""
    """What to do about a failure; empty for a check that did not fail."""


def ok(name: str, detail: str) -> Check:
    """A check that went well."""
    return Check(name, Status.OK, detail)


def failed(name: str, detail: str, remedy: str) -> Check:
    """A check that failed, with what to do."""
    return Check(name, Status.FAILED, detail, remedy)


def skipped(name: str, reason: str) -> Check:
    """A check that was not made, and why."""
    return Check(name, Status.SKIPPED, reason)


def skipped_all(names: Iterable[str], reason: str) -> list[Check]:
    """Checks that were not made, all for one reason."""
    return [skipped(name, reason) for name in names]


def client(module: str) -> Any:
    """Import a client that preflight needs and synth does not. Raises UserError, in one line, where it is missing."""
    try:
        return importlib.import_module(module)
    except ImportError:
        package = module.partition(".")[0]
        install = "pip install 'convex-k8s[preflight]'" if PROGRAM == "convex-k8s" else "make preflight"
        raise UserError(f"preflight needs the package {package}: `{install}` installs it") from None


def unreachable(name: str, host: str, port: int, error: OSError) -> Check:
    """A server that does not answer: skipped where its name is one that only the cluster knows."""
    unknown_host = isinstance(error, socket.gaierror)
    if unknown_host and host != "localhost" and ("." not in host or host.endswith((".svc", ".cluster.local"))):
        return skipped(name, f"{host} is a name inside the cluster: it cannot be reached from here")
    reason = "no such host" if unknown_host else (error.strerror or str(error) or "no answer")
    return failed(
        name,
        f"{host}:{port} cannot be reached from here ({reason})",
        "check host and port, and what is between: firewall, allowed addresses, network policy",
    )
