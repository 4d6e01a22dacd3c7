"""HTTP to an API server through the socket of `kubectl proxy`, without the tenth of a second that kubectl takes."""

from __future__ import annotations

import json
import re
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any
from urllib.parse import quote

from tests.support.processes import wait_until

Object = dict[str, Any]

_DISCOVERY = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
_WARNING = re.compile(r'299 \S+ "(.*)"')
_TYPES = {"PATCH": "application/merge-patch+json", "APPLY": "application/apply-patch+yaml"}
"""The type of a body by method; `APPLY` is the server-side apply, a PATCH with a type of its own."""


@dataclass(frozen=True)
class Answer:
    """What the API server answered."""

    status: int
    body: bytes
    warnings: tuple[str, ...] = ()
    """What the server warns of, as kubectl prints it behind `Warning: `."""

    def json(self) -> Object:
        """The answer as an object."""
        content: Object = json.loads(self.body)
        return content


class Api:
    """An API server, asked as the user of the `kubectl proxy` that listens on the socket."""

    def __init__(self, socket_path: Path) -> None:
        self._socket = socket_path
        self._names: dict[str, tuple[str, str, bool]] = {}

    def ask(self, method: str, path: str, body: Object | None = None, accept: str = "*/*") -> Answer:
        """Send one request."""
        connection = _Connection(self._socket)
        headers = {"Content-Type": _TYPES.get(method, "application/json"), "Accept": accept}
        verb, text = ("PATCH" if method == "APPLY" else method), json.dumps(body, ensure_ascii=False).encode()
        try:
            connection.request(verb, path, text if body else None, headers)
            response = connection.getresponse()
            warnings = (_WARNING.fullmatch(value) for value in response.headers.get_all("Warning", []))
            said = tuple(match[1].replace('\\"', '"') for match in warnings if match)
            return Answer(response.status, response.read(), said)
        finally:
            connection.close()

    def is_ready(self) -> bool:
        """Whether the server is up."""
        try:
            return self.ask("GET", "/readyz").body == b"ok"
        except (OSError, HTTPException):
            return False

    def path(self, kind: str, namespace: str = "", name: str = "") -> str:
        """Where the objects of a kind are, which is named as for kubectl: `pods`, `Cluster.v1.example.com`."""
        key = kind.lower()
        wait_until(lambda: key in self._names or key in self._discover(), f"a kind of the name {kind}")
        prefix, plural, namespaced = self._names[key]
        where = f"/namespaces/{namespace}" if namespaced and namespace else ""
        return f"{prefix}{where}/{plural}{f'/{quote(name)}' if name else ''}"

    def list(self, kind: str, namespace: str, selector: str = "") -> list[Object]:
        """All objects of a kind, in the namespace if the kind has namespaces."""
        answer = self.ask("GET", f"{self.path(kind, namespace)}?labelSelector={quote(selector)}")
        assert answer.status == 200, answer.body
        content = answer.json()
        its = {"apiVersion": content["apiVersion"], "kind": content["kind"].removesuffix("List")}
        return [_without_managers({**its, **item}) for item in content["items"]]

    def paths(self) -> tuple[str, ...]:
        """Where all objects of each kind are, in the version that the server prefers."""
        found: dict[tuple[str, str], str] = {}
        for group, _, prefix, resource in self._resources():
            if "list" in resource["verbs"]:
                found.setdefault((group, resource["resource"]), f"{prefix}/{resource['resource']}")
        return tuple(found.values())

    def get(self, kind: str, namespace: str, name: str) -> Object:
        """One object, which must be there."""
        answer = self.ask("GET", self.path(kind, namespace, name))
        assert answer.status == 200, answer.body
        return _without_managers(answer.json())

    def create(self, thing: Object, namespace: str) -> None:
        """Create an object. A refusal fails the test in the server's words."""
        where = thing["metadata"].get("namespace", namespace)
        answer = self.ask("POST", f"{self.path(_kind(thing), where)}?fieldValidation=Strict", thing)
        assert answer.status == 201, answer.json().get("message")

    def apply(self, thing: Object, namespace: str, manager: str) -> tuple[str, ...]:
        """Apply an object as `kubectl apply --server-side --validate=strict` does, and return the warnings."""
        metadata = thing["metadata"]
        path = self.path(_kind(thing), metadata.get("namespace", namespace), metadata["name"])
        answer = self.ask("APPLY", f"{path}?fieldValidation=Strict&fieldManager={manager}", thing)
        assert answer.status in {200, 201}, answer.json().get("message")
        return answer.warnings

    def delete(self, kind: str, namespace: str, name: str) -> None:
        """Delete an object if it is there, and wait until it is gone."""
        path = self.path(kind, namespace, name)
        self.ask("DELETE", path)
        wait_until(lambda: self.ask("GET", path).status == 404, f"the end of {kind} {name}")

    def _discover(self) -> dict[str, tuple[str, str, bool]]:
        for group, version, prefix, resource in self._resources():
            place = (prefix, resource["resource"], resource["scope"] == "Namespaced")
            for name in _names(resource):
                for key in (name, f"{name}.{group}", f"{name}.{version}.{group}".rstrip(".")):
                    self._names.setdefault(key, place)
        return self._names

    def _resources(self) -> Iterator[tuple[str, str, str, Object]]:
        """Group, version, path and description of every resource, the version that the server prefers first."""
        for root in ("/api", "/apis"):
            for group in self.ask("GET", root, accept=_DISCOVERY).json()["items"]:
                name = group["metadata"].get("name", "")
                for version in group["versions"]:
                    prefix = "/".join(filter(None, (root, name, version["version"])))
                    for resource in version.get("resources", []):
                        yield name, version["version"], prefix, resource


class _Connection(HTTPConnection):
    """HTTP over a socket of a file, which is reached from outside of a network namespace, too."""

    def __init__(self, path: Path) -> None:
        super().__init__("localhost")
        self._path = path

    def connect(self) -> None:
        """Connect."""
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(str(self._path))


def _kind(thing: Object) -> str:
    group, _, version = thing["apiVersion"].rpartition("/")
    return f"{thing['kind']}.{version}.{group}" if group else str(thing["kind"])


def _names(resource: Object) -> Iterator[str]:
    yield resource["resource"]
    yield resource["singularResource"]
    yield resource["responseKind"]["kind"].lower()
    yield from resource.get("shortNames", [])


def _without_managers(thing: Object) -> Object:
    """An object without `managedFields`, as kubectl shows it."""
    thing["metadata"].pop("managedFields", None)
    return thing
