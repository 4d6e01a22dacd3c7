"""Lets the secret search see a cluster: values of its Secrets, and everything else that is in it.

A Secret is where a value belongs. The stand-in for the backend prints its whole environment in its first line, which
tests read: that line is left out.
"""

from __future__ import annotations

import base64
import contextlib
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from http.client import OK, HTTPException
from pathlib import Path

from tests.support import secret_watch
from tests.support.api_client import Api, Object
from tests.support.secret_search import SHORTEST, given_by, has_any

FURTHER_KEYS = ("password", "tls.key", "token")
"""Keys of Secrets that hold a value beside the names of variables."""
OF_A_NAMESPACE = (
    *("api/v1/{}/pods", "api/v1/{}/configmaps", "api/v1/{}/events", "apis/apps/v1/{}/statefulsets"),
    *("apis/apps/v1/{}/deployments", "apis/batch/v1/{}/jobs", "apis/batch/v1/{}/cronjobs"),
)
"""What is asked for before a namespace goes."""
_SECRETS = "/api/v1/secrets"
_STANDIN = '{"standin"'
_RANDOM = re.compile(r"[0-9a-f]{64}|[^|\s]+\|[0-9a-f]{80,}")
_FEWEST_DIGITS = 10
"""Different digits of a random value; one with fewer was written by hand."""


def see_namespace(api: Api, namespace: str, logs: Path | None) -> None:
    """Take the objects of a namespace that is about to go, and the logs of its pods."""
    where = f"namespaces/{namespace}"
    paths = [f"/{path.format(where)}" for path in OF_A_NAMESPACE]
    _see(api, f"/api/v1/{where}/secrets", lambda: paths, logs.glob(f"{namespace}_*/*/*.log") if logs else ())


def see_cluster(api: Api, logs: Path | None = None) -> None:
    """Take all objects of a cluster that is about to stop, and the logs of the pods that are still there."""
    _see(api, _SECRETS, lambda: _paths(api), logs.glob("*/*/*.log") if logs else ())


def _paths(api: Api) -> Iterator[str]:
    return (path for path in api.paths() if path != _SECRETS and not path.endswith("/customresourcedefinitions"))


def _see(api: Api, secrets: str, paths: Callable[[], Iterable[str]], logs: Iterable[Path]) -> None:
    search = secret_watch.current
    if search is None:
        return
    with contextlib.suppress(OSError, HTTPException):  # a test may have ended the API server
        if (answer := api.ask("GET", secrets)).status != OK:
            return
        values = _values(answer.json()["items"], search.know)
        for path in paths():
            if (answer := api.ask("GET", path)).status == OK:
                search.counts["lists of objects"] += 1
                text = answer.body.decode(errors="replace")
                search.see(f"the objects of {path}", text, of_the_program=False)
                if has_any(set().union(*values.values()), text) and _is_among(values, answer.json()["items"]):
                    search.found(f"the objects of {path}")
        for log in logs:
            search.counts["logs of containers"] += 1
            name, text = f"the log {log.relative_to(log.parents[2])}", without_start_line(log)
            search.see(name, text, of_the_program=False)
            if has_any(values.get(log.parents[1].name.partition("_")[0], ()), text):
                search.found(name)


def _is_among(values: Mapping[str, set[str]], things: Iterable[Object]) -> bool:
    """Whether an object has a value of its namespace's Secrets. Tests use the same made-up word in several."""
    for thing in things:
        namespace = thing["metadata"].get("namespace")
        its = values.get(namespace, ()) if namespace else set().union(*values.values())
        if has_any(its, json.dumps(thing, ensure_ascii=False)):
            return True
    return False


def _is_made_up(value: str) -> bool:
    """Whether a test wrote a value by hand: hex of a few different digits, which it also gives to stand-ins openly."""
    return bool(re.search(r"[0-9a-f]{64}$", value)) and len(set(value[-64:])) < _FEWEST_DIGITS


def without_start_line(log: Path) -> str:
    """The log of a container, as the kubelet keeps it, without the line in which the stand-in prints what it got."""
    lines, whole = [], True
    for line in log.read_text(errors="replace").splitlines():
        *_, tag, text = [*line.split(" ", 3), ""][:4] if line.count(" ") >= 3 else ["", "", "F", line]
        if (whole and text.startswith(_STANDIN)) or not whole:
            whole = tag == "F"
        else:
            lines.append(text)
    return "\n".join(lines)


def _values(secrets: Iterable[Object], know: Callable[[str], None]) -> dict[str, set[str]]:
    """The secret values in Secrets, by namespace. What is random is made known to the whole run."""
    found: dict[str, set[str]] = {}
    for secret in secrets:
        encoded: Mapping[str, str] = secret.get("data") or {}
        data = {key: base64.b64decode(text).decode(errors="replace") for key, text in encoded.items()}
        for text in data.values():
            if _RANDOM.fullmatch(text) and not _is_made_up(text):
                know(text.rpartition("|")[2])
        further = (max(data.get(key, "").splitlines(), key=len, default="") for key in FURTHER_KEYS)
        its = found.setdefault(secret["metadata"]["namespace"], set())
        its |= {value for value in (*given_by(data), *further) if len(value) >= SHORTEST and not _is_made_up(value)}
    return found
