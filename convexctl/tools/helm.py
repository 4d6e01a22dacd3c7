"""The user's Helm: what it has installed, read through the command line. Nothing is changed from here."""

from __future__ import annotations

from dataclasses import dataclass

from convexctl.errors import UserError
from convexctl.tools import run

_NOT_FOUND = "release: not found"


class HelmError(UserError):
    """Helm is not there, has no cluster, or refused. The message is Helm's own."""


@dataclass(frozen=True)
class Record:
    """What Helm keeps about a release: its newest revision and the state of that."""

    namespace: str
    revision: int
    """The newest revision, counted from 1."""
    state: str
    """Helm's status of the release, such as `deployed` or `pending-upgrade`."""


@dataclass(frozen=True)
class Helm:
    """Helm with a context and a namespace; each empty one is kubectl's current one."""

    context: str = ""
    namespace: str = ""

    def record(self, release: str) -> Record | None:
        """The record of a release; None if there is none. Raises `HelmError` if that cannot be known."""
        try:
            status = run.parsed(self._run("status", release, "--output=json"), "helm", HelmError)
        except HelmError as error:
            if _NOT_FOUND in str(error):
                return None
            raise
        try:
            return Record(str(status["namespace"]), int(status["version"]), str(status["info"]["status"]))
        except (KeyError, TypeError, ValueError):
            raise HelmError(f"helm does not say namespace, revision and state of the release {release}") from None

    def releases(self) -> list[str]:
        """The names of all releases in the namespace."""
        return self._run("list", "--short").split()

    def values(self, release: str, revision: int, *, with_defaults: bool = False) -> str:
        """The values that the user gave, as YAML; or these laid over the chart's own."""
        more = ["--all"] if with_defaults else []
        return self._run("get", "values", release, f"--revision={revision}", "--output=yaml", *more)

    def manifest(self, release: str, revision: int) -> str:
        """The objects as Helm rendered them, as YAML."""
        return self._run("get", "manifest", release, f"--revision={revision}")

    def _run(self, *arguments: str) -> str:
        where = [f"--kube-context={self.context}"] if self.context else []
        where += [f"--namespace={self.namespace}"] if self.namespace else []
        return run.run("helm", [*arguments, *where], error=HelmError)
