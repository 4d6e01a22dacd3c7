"""Which containers run Convex, whatever the names and kinds of their objects."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from convexctl.behaviour.manifests import Manifests, Pod, mapping, number, sequence, text
from convexctl.behaviour.source import Source

Role = Literal["backend", "dashboard"]

IMAGES: dict[str, Role] = {"convex-backend": "backend", "convex-dashboard": "dashboard"}
"""Last part of the image's name, in any registry."""
_SERVER = re.compile(r"run_backend\.sh|convex-local-backend")
API_PORT = 3210
ACTIONS_PORT = 3211
DASHBOARD_PORT = 6791
_ONCE = ("Job", "CronJob")


@dataclass(frozen=True)
class Found:
    """A container that runs Convex."""

    role: Role
    pod: Pod
    container: Mapping[str, Any]
    source: Source


@dataclass(frozen=True)
class ImageName:
    """The parts of an image reference. A reference with neither tag nor digest means `latest`."""

    repository: str
    tag: str
    digest: str

    @staticmethod
    def of(reference: str) -> ImageName:
        """Take a reference apart."""
        rest, _, digest = reference.partition("@")
        head, slash, last = rest.rpartition("/")
        name, _, tag = last.partition(":")
        return ImageName(f"{head}{slash}{name}", tag or ("" if digest else "latest"), digest)


def find(manifests: Manifests, images: Mapping[str, Role]) -> Iterator[Found]:
    """Every container that runs Convex; `images` are further image names, as `registry/name` or the last part."""
    known = {**IMAGES, **images}
    for pod in manifests.pods():
        for source, container in pod.containers():
            role = _role(pod, container, known)
            if role:
                yield Found(role, pod, container, source)


def command_of(container: Mapping[str, Any]) -> str:
    """Command and arguments as one text."""
    return " ".join(text(part) for key in ("command", "args") for part in sequence(container.get(key)))


def _role(pod: Pod, container: Mapping[str, Any], images: Mapping[str, Role]) -> Role | None:
    command = command_of(container)
    runs_server = bool(_SERVER.search(command))
    repository = ImageName.of(text(container.get("image"))).repository
    for name, role in images.items():
        if repository == name or repository.endswith(f"/{name}"):
            # A Job with the backend's image mostly borrows its tools.
            borrowed = pod.kind in _ONCE and bool(container.get("command")) and not runs_server
            return None if borrowed else role
    if runs_server:
        return "backend"
    ports = {number(mapping(port).get("containerPort")) for port in sequence(container.get("ports"))}
    if {API_PORT, ACTIONS_PORT} <= ports:
        return "backend"
    return "dashboard" if DASHBOARD_PORT in ports else None
