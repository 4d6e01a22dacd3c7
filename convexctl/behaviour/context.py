"""What every part of the model looks at: one container in its pod, and its variables under the entry point's rules."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from convexctl.behaviour.find import Found, command_of
from convexctl.behaviour.make_environment import build_environment
from convexctl.behaviour.manifests import Manifests, Pod, dig, number, sequence
from convexctl.behaviour.model import Decision, Value
from convexctl.behaviour.quantities import integer
from convexctl.behaviour.source import Source, Step
from convexctl.behaviour.variables import ContainerEnvironment, Reading
from convexctl.behaviour.volumes import Disk, disk_at, file_text


@dataclass(frozen=True)
class Context:
    """A container that runs Convex, with everything around it."""

    manifests: Manifests
    pod: Pod
    container: Mapping[str, Any]
    source: Source
    environment: ContainerEnvironment
    command: str

    @staticmethod
    def of(manifests: Manifests, found: Found) -> Context:
        """The context of a container that was found."""
        environment = build_environment(
            manifests,
            found.source,
            found.container,
            lambda path: file_text(manifests, found.pod, found.container, found.source, path),
            starts_backend=found.role == "backend",
        )
        return Context(manifests, found.pod, found.container, found.source, environment, command_of(found.container))

    def read(self, name: str) -> Reading:
        """A variable as far as it can be seen."""
        return self.environment.read(name)

    def owner(self, *path: Step) -> Source:
        """A field of the object that makes the pod."""
        return Source(self.pod.kind, self.pod.source.namespace, self.pod.source.name, path)

    def owner_value(self, *keys: str) -> Any:
        """The value of a field of the object that makes the pod, or None."""
        return dig(self.pod.owner, *keys)

    def disk(self, path: str) -> Disk:
        """The disk under a directory of the container."""
        return disk_at(self.manifests, self.pod, self.container, self.source, path)

    def file(self, path: str) -> str | None:
        """The text of a file in the container, where it comes from a ConfigMap in sight."""
        return file_text(self.manifests, self.pod, self.container, self.source, path)

    def directory(self, name: str, default: str) -> str:
        """A directory that a variable names; the default also where the variable cannot be seen."""
        return (self.read(name).text or default).rstrip("/") or "/"

    def port(self, wanted: object) -> int | None:
        """A container port by number or name."""
        if (as_number := number(wanted)) is not None:
            return as_number
        for entry in sequence(self.container.get("ports")):
            if isinstance(entry, Mapping) and entry.get("name") == wanted:
                return number(entry.get("containerPort"))
        return None

    def present(self, name: str, flag: str, effect: str) -> Outcome:
        """A switch of the entry point that goes by presence: any non-empty value switches it on.

        `flag` is the option of the server that it becomes, which the pod's own arguments may give too; `effect` says
        what that does: `telemetry off`.
        """
        reading = self.read(name)
        if flag in self.command.split():
            return Outcome(True, f"the pod's arguments have {flag}", self.source.at("args"), "")
        if reading.filled:
            why = f"{name} {reading.said}, and any value at all switches {effect}"
            return Outcome(True, why, reading.source, reading.unless)
        why = f"{name} is {reading.lacking}; with any value it would switch {effect}"
        return Outcome(False, why, reading.source, reading.unless)

    def boolean(self, name: str) -> Outcome:
        """A boolean that is off by default, as Rust parses it: `true` and `false` count, anything else does not."""
        reading = self.read(name)
        if not reading.filled:
            return Outcome(False, f"{name} is {reading.lacking}", reading.source, reading.unless)
        if reading.text is None:
            otherwise = f"{reading.shown} is not true"
            return Outcome(True, f"{name} comes from {reading.shown}", reading.source, otherwise)
        if reading.text in ("true", "false"):
            return Outcome(reading.text == "true", f"{name} is {reading.text}", reading.source, reading.unless)
        why = f"{name} {reading.said}, and only true and false count: it is as if it were not set"
        return Outcome(False, why, reading.source, reading.unless)

    def whole(self, name: str, default: int) -> Outcome:
        """A whole number, or where it comes from; what does not parse counts as not set."""
        reading = self.read(name)
        if not reading.filled:
            return Outcome(
                default,
                f"{name} is {reading.lacking}: upstream's default",
                reading.source,
                reading.unless,
            )
        if reading.text is None:
            return Outcome(reading.shown, f"{name} comes from there", reading.source, reading.unless)
        value = integer(reading.text, least=0)
        if value is not None:
            return Outcome(value, f"{name} is set", reading.source, reading.unless)
        why = f"{name} {reading.said}, which does not parse as a whole number: upstream's default counts"
        return Outcome(default, why, reading.source, reading.unless)


class Outcome(NamedTuple):
    """What a variable comes to under the entry point's rules."""

    value: bool | int | str
    why: str
    source: Source
    unless: str

    def decides(self, value: Value, text: str) -> Decision:
        """The decision that follows from it."""
        return Decision(value, text, self.why, self.source, self.unless)


def decision(value: Value, text: str, why: str, reading: Reading) -> Decision:
    """A decision that one variable made."""
    return Decision(value, text, why, reading.source, reading.unless)
