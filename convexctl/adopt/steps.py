"""The steps of an adoption. Each looks at the cluster first, so that all can be run again after an interruption.

Helm's record goes last: until then everything that a step needs to know is in the cluster, and there is a way back.
"""

from __future__ import annotations

import json
import shlex
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from convexctl.adopt.live import Preview, preview
from convexctl.adopt.owners import HEIRS, inherited
from convexctl.adopt.release import Release, secret_names
from convexctl.behaviour.manifests import dig, mapping, sequence, source_of, text
from convexctl.changes import irreversible
from convexctl.changes.compare_objects import identity
from convexctl.errors import UserError
from convexctl.synth.environment import Environment
from convexctl.tools import run
from convexctl.tools.helm import Helm
from convexctl.tools.kubectl import Kubectl, KubectlError, as_stream

_HELM_ANNOTATIONS = ("meta.helm.sh/release-name", "meta.helm.sh/release-namespace")
_MANAGED_BY = "app.kubernetes.io/managed-by"
_CHART = "helm.sh/chart"
_TEMPLATE = (
    "{range .items[*]}{.kind}{'\\t'}{.metadata.name}{'\\t'}"
    "{.metadata.annotations.meta\\.helm\\.sh/release-name}{'\\t'}{.metadata.labels}{'\\n'}{end}"
)
_RECORD = "owner=helm,name="
_STATES = "{range .items[*]}({.metadata.labels.status}){'\\n'}{end}"
_LOOKS, _BETWEEN_LOOKS_S = 20, 0.5


@dataclass(frozen=True)
class Command:
    """A kubectl command. `source` is the command whose output it reads, for people; `stdin` that output itself."""

    arguments: tuple[str, ...]
    source: str = ""
    stdin: str = field(default="", repr=False)
    timeout_s: int = 60
    """After how many seconds kubectl is given up."""

    def text(self, kubectl: Kubectl) -> str:
        """The command as a shell takes it."""
        where = ["--context", kubectl.context] if kubectl.context else []
        own = shlex.join(["kubectl", *where, *self.arguments])
        return f"{self.source} | {own}" if self.source else own


@dataclass(frozen=True)
class Step:
    """One step: what it is for, and the commands that are still to be run for it, which may be none."""

    title: str
    commands: tuple[Command, ...]
    by_hand: str = ""
    """What a shell runs instead, if the commands hold only for the cluster as it is now."""


@dataclass
class Adoption:
    """An environment over what Helm installed; `release` is None once Helm's record is gone."""

    name: str
    release: Release | None
    environment: Environment
    folder: Path
    """The environment's folder in `dist/`."""
    kubectl: Kubectl
    helm: Helm
    source: str
    """The command that prints the release's manifest."""
    timeout_s: int
    """How many seconds each workload has for its new pods."""
    _preview: Preview | None = field(default=None, repr=False)

    def preview(self) -> Preview:
        """What apply would change now. Raises `KubectlError` if the API server would refuse an object."""
        if self._preview is None:
            recorded = self.release.manifests if self.release else ()
            self._preview = preview(self.kubectl, self.environment.manifests, recorded)
        return self._preview

    def steps(self) -> Iterator[Step]:
        """The steps in their order. Each is made when it is asked for, and then looks at the cluster."""
        makers = (self._hand_over, self._apply, self._replace_pod, self._wait, self._strip, self._disown, self._forget)
        for make in makers:
            yield make()

    def pending(self) -> list[Step]:
        """The steps that are still to be done."""
        makers = (self._hand_over, self._apply, self._strip, self._disown, self._forget)
        return [step for step in (make() for make in makers) if step.commands]

    def run(self, command: Command) -> str:
        """Run a command and return what kubectl says. Raises `KubectlError`."""
        self._preview = None
        return self.kubectl.run(*command.arguments, stdin=command.stdin, timeout_s=command.timeout_s)

    def way_back(self) -> list[str]:
        """The commands that put the release back as Helm has it. Raises `UserError` if its record is gone."""
        if self.release is None:
            raise UserError(
                f"Helm has no record of {self.name} any more, so there is no way back to the release. To undo a change "
                "of the environment, go back to an earlier overlay and apply that"
            )
        theirs = {identity(manifest) for manifest in self.release.manifests}
        ours = self.environment.manifests
        added = [
            Command(("delete", _object(one), self._n, "--ignore-not-found"))
            for one in ours
            if identity(one) not in theirs
        ]
        put_back = Command(("apply", self._n, "--filename=-"), source=self.source)
        rollouts = [Command(self._rollout(workload)) for workload in self._workloads]
        known = self._secrets([*self.release.manifests, *ours])
        old, new = (irreversible.side_of(self.name, [*one, *known]) for one in (self.release.manifests, ours))
        losses = irreversible.changes(new, old) if old and new else ()
        return [
            *(f"# Mind: {loss.explanation.consequence}" for loss in losses),
            "# Put back the objects of Helm's record, and remove the others",
            *(command.text(self.kubectl) for command in (put_back, *added)),
            "# A StatefulSet does not replace a pod that is not ready",
            self._delete_pod.text(self.kubectl),
            *(command.text(self.kubectl) for command in rollouts),
            "# The next `helm upgrade` puts Helm's labels and annotations back",
        ]

    def _secrets(self, manifests: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """The Secrets of these manifests with their keys, without values; none if the cluster cannot be asked."""
        try:
            return self.kubectl.secrets_without_values(secret_names(manifests))
        except KubectlError:
            return []

    def _hand_over(self) -> Step:
        title = "Hand the fields over from Helm to kubectl, so that apply removes what only Helm had"
        if self.release is None:
            return Step(title, ())
        names = self.preview().to_hand_over
        if not names:
            return Step(title, ())
        stream = as_stream(one for one in self.release.manifests if identity(one) in names)
        arguments = ("apply", "set-last-applied", "--create-annotation", self._n, "--filename=-")
        return Step(title, (Command(arguments, self.source, stream),))

    def _apply(self) -> Step:
        title = "Apply the environment"
        if self.release is None or not self.preview().changes:
            return Step(title, ())
        return Step(title, (Command(("apply", self._n, f"--filename={self.folder}/")),))

    def _replace_pod(self) -> Step:
        """A StatefulSet waits for a pod to be ready before it replaces it: one that never will be must be deleted."""
        commands: tuple[Command, ...] = ()
        if self.old_pod_hangs():
            commands = (self._delete_pod,)
        return Step("Delete the old pod, which is not ready, and which Kubernetes would wait for", commands)

    def old_pod_hangs(self) -> bool:
        """Whether the backend's pod is not ready, and is or will be one of an old revision."""
        pod = self.kubectl.find("pod", f"{self._backend}-0")
        conditions = map(mapping, sequence(dig(pod, "status", "conditions")))
        ready = any(one.get("type") == "Ready" and one.get("status") == "True" for one in conditions)
        if pod is None or ready or dig(pod, "metadata", "deletionTimestamp"):
            return False
        if self._apply().commands:
            return True
        revision = self._revision()
        return bool(revision) and dig(pod, "metadata", "labels", "controller-revision-hash") != revision

    def _revision(self) -> str:
        """The revision that the backend's pod should have, once the controller has seen the newest StatefulSet."""
        for _ in range(_LOOKS):
            workload = self.kubectl.find("statefulset", self._backend)
            if dig(workload, "status", "observedGeneration") == dig(workload, "metadata", "generation"):
                return text(dig(workload, "status", "updateRevision"))
            time.sleep(_BETWEEN_LOOKS_S)
        return ""

    def _wait(self) -> Step:
        commands = (Command(self._rollout(workload), timeout_s=self.timeout_s + 60) for workload in self._workloads)
        return Step("Wait for the new pods", tuple(commands))

    def _strip(self) -> Step:
        ours = {_object(manifest) for manifest in self.environment.manifests}
        annotated, labelled = [], []
        for name, release, labels in self._metadata():
            if release != self.name:
                continue
            annotated.append(name)
            if name not in ours and (labels.get(_MANAGED_BY) == "Helm" or _CHART in labels):
                labelled.append(name)
        commands = []
        if labelled:
            commands.append(Command(("label", self._n, *labelled, f"{_MANAGED_BY}-", f"{_CHART}-")))
        if annotated:
            commands.append(Command(("annotate", self._n, *annotated, *(f"{name}-" for name in _HELM_ANNOTATIONS))))
        return Step("Take Helm's labels and annotations off", tuple(commands))

    def _disown(self) -> Step:
        """Make kubectl the owner of what Helm owned, as if kubectl had applied it.

        What Helm owns stays, whatever a server-side apply leaves out: Flux always applies so, Argo CD may. What nobody
        owns stays too. What kubectl owns from a client-side apply is taken over by all three.
        """
        commands, names = [], []
        for thing in self._live():
            if patch := inherited(list(map(mapping, sequence(dig(thing, "metadata", "managedFields"))))):
                options = ("--type=json", f"--patch={json.dumps(patch)}")
                commands.append(Command(("patch", self._n, _object(thing), *options)))
                names.append(_object(thing))
        title = "Make kubectl the owner of Helm's fields, so that a server-side apply can remove them"
        get = Command(("get", self._n, *names, "--show-managed-fields", "--output=json")).text(self.kubectl)
        by_hand = Command(("patch", self._n)).text(self.kubectl)
        loop = f'while read -r name patch; do {by_hand} "$name" --type=merge --patch="$patch"; done'
        return Step(title, tuple(commands), f"{get} | jq -r '{HEIRS}' |\n  {loop}")

    def _live(self) -> list[dict[str, Any]]:
        ours = self.environment.manifests
        names = ",".join(dict.fromkeys(_kind(one) for one in ours))
        wanted = {_object(manifest) for manifest in ours}
        found = self.kubectl.objects("get", names, "--show-managed-fields")
        return [thing for thing in found if _object(thing) in wanted]

    def _metadata(self) -> Iterator[tuple[str, str, dict[str, str]]]:
        """Name, Helm release and labels of the objects in the namespace, of every kind that may be the release's."""
        manifests = [*self.environment.manifests, *(self.release.manifests if self.release else ())]
        kinds = dict.fromkeys([*(_kind(one) for one in manifests), "PersistentVolumeClaim", "ServiceAccount"])
        table = self.kubectl.run("get", ",".join(kinds), self._n, f"--output=jsonpath={_TEMPLATE}")
        for line in table.splitlines():
            kind, name, release, labels = line.split("\t", 3)
            found = run.parsed(labels, "kubectl", KubectlError) if labels else {}
            yield f"{kind.lower()}/{name}", release, found

    def _forget(self) -> Step:
        """The record of the revision that is deployed goes last: it is what a run after an interruption reads."""
        record, kinds = f"{_RECORD}{self.name}", "secret,configmap"
        states = self.kubectl.run("get", kinds, self._n, f"--selector={record}", f"--output=jsonpath={_STATES}").split()
        older = any(state != "(deployed)" for state in states)
        selectors = [*([f"{record},status!=deployed"] if older else []), *([record] if states else [])]
        commands = tuple(Command(("delete", kinds, self._n, f"--selector={selector}")) for selector in selectors)
        return Step("Remove Helm's own record, so that nobody runs `helm uninstall`", commands)

    def forgotten(self) -> bool:
        """Whether Helm has no record any more, wherever it keeps its records (it is asked where it had one)."""
        asked = self.release is not None and self.release.revision is not None
        return not asked or self.helm.record(self.name) is None

    @property
    def _n(self) -> str:
        return f"--namespace={self.kubectl.namespace}"

    @property
    def _backend(self) -> str:
        return f"{self.name}-backend"

    @property
    def _delete_pod(self) -> Command:
        return Command(("delete", f"pod/{self._backend}-0", self._n, "--ignore-not-found", "--wait=false"))

    @property
    def _workloads(self) -> tuple[str, ...]:
        return (f"statefulset/{self._backend}", f"deployment/{self.name}-dashboard")

    def _rollout(self, workload: str) -> tuple[str, ...]:
        return ("rollout", "status", workload, self._n, f"--timeout={self.timeout_s}s")


def _object(manifest: Mapping[str, Any]) -> str:
    place = source_of(manifest)
    return f"{place.kind.lower()}/{place.name}"


def _kind(manifest: Mapping[str, Any]) -> str:
    """A kind as kubectl takes it without doubt: `StatefulSet.v1.apps`."""
    group, slash, version = text(manifest.get("apiVersion")).rpartition("/")
    kind = text(manifest.get("kind"))
    return f"{kind}.{version}.{group}" if slash else kind
