"""The user's kubectl: the cluster of its current context, asked and changed through the command line."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from convexctl.errors import UserError
from convexctl.tools import run

BUILT_IN_GROUPS = ("", "apps", "batch", "autoscaling", "policy", "networking.k8s.io", "rbac.authorization.k8s.io")
"""The API groups of the manifests that every cluster has."""
FIELD_MANAGER = "convex-k8s"
"""Under which name the API server notes the fields that are set from here."""
_WHOLE_FILES = "diff -N -U9999999"
"""The program by which kubectl compares: a unified diff with every line, from which both sides can be read."""
_REQUEST_TIMEOUT_S = 10
_TIMEOUT_S = 60

# The template names the keys and never the values, which so stay in kubectl. Of one Secret kubectl makes no list.
_LINE = (
    '{{.metadata.namespace}}{{"\\t"}}{{.metadata.name}}{{range $key, $value := .data}}{{"\\t"}}{{$key}}{{end}}{{"\\n"}}'
)
_KEYS = f"{{{{if .metadata.name}}}}{_LINE}{{{{else}}}}{{{{range .items}}}}{_LINE}{{{{end}}}}{{{{end}}}}"


class KubectlError(UserError):
    """kubectl is not there, has no cluster, or was refused. The message is kubectl's own, without secret values."""


@dataclass(frozen=True)
class ClusterSecret:
    """A Secret as it is in the cluster. Its data is never shown."""

    type: str
    data: dict[str, bytes] = field(repr=False)
    annotations: dict[str, str] = field(repr=False)


@dataclass(frozen=True)
class Kubectl:
    """kubectl with a context and a namespace; each empty one is kubectl's current one."""

    context: str = ""
    namespace: str = ""
    cluster: str = ""
    """What the overlay calls its cluster, for messages."""

    def run(self, *arguments: str, stdin: str = "", timeout_s: int = _TIMEOUT_S) -> str:
        """Run kubectl and return what it prints. Raises `KubectlError` when it fails or takes too long."""
        where = [*(["--context", self.context] if self.context else []), f"--request-timeout={_REQUEST_TIMEOUT_S}s"]
        return run.run("kubectl", [*where, *arguments], stdin=stdin, timeout_s=timeout_s, error=KubectlError)

    def place(self) -> str:
        """`namespace X, context Y`, and the overlay's name of the cluster if it has one, for messages."""
        context = self.context or self._setting("current-context")
        cluster = f", cluster {self.cluster} in the overlay" if self.cluster else ""
        return f"namespace {self.namespace_name()}, {f'context {context}' if context else 'no context'}{cluster}"

    def namespace_name(self) -> str:
        """The namespace: the given one, or the context's own."""
        given = self.namespace or self._setting("view", "--minify", "--output=jsonpath={..namespace}")
        return given or "default"

    def options(self) -> str:
        """What leads a command that a message proposes, of kubectl or of this program, to the same place."""
        context = f" --context={self.context}" if self.context else ""
        return f"{context} --namespace={self.namespace}" if self.namespace else context

    def server_version(self) -> str:
        """The version of the API server, such as `v1.34.1`. Raises `KubectlError` if it does not answer."""
        version = self._raw("/version").get("gitVersion")
        if not isinstance(version, str):
            raise KubectlError("what answers at /version names no version: is it a Kubernetes API server?")
        return version

    def kinds(self, api_version: str) -> set[str]:
        """The kinds that the API server has in a version of an API group; none if it does not have that version."""
        try:
            found = self._raw(f"/apis/{api_version}")
        except KubectlError as error:
            if "(NotFound)" in str(error):
                return set()
            raise
        try:
            return {resource["kind"] for resource in found["resources"]}
        except (KeyError, TypeError):
            raise KubectlError(f"what answers at /apis/{api_version} lists no resources") from None

    def find(self, kind: str, name: str) -> dict[str, Any] | None:
        """An object; None if no object has that name. Raises `KubectlError` if that cannot be known."""
        return next(iter(self.objects("get", kind, name, "--ignore-not-found")), None)

    def all_of(self, kind: str) -> list[dict[str, Any]]:
        """All objects of a kind."""
        return self.objects("get", kind)

    def objects(self, *arguments: str, manifests: Iterable[Mapping[str, Any]] = ()) -> list[dict[str, Any]]:
        """Run kubectl in the namespace, on the manifests if there are any, and return the objects that it prints.

        Each has a name. Raises `KubectlError` if kubectl fails or prints something else.
        """
        stdin = as_stream(manifests)
        files = ["--filename=-"] if stdin else []
        text = self.run(*arguments, *self._in_namespace, *files, "--output=json", stdin=stdin)
        return list(_objects(text))

    def try_to_create(self, manifest: Mapping[str, Any]) -> None:
        """Have the API server check and admit an object without making it. Raises `KubectlError` if it does not."""
        self.run("create", "--dry-run=server", *self._in_namespace, "--filename=-", stdin=json.dumps(manifest))

    def secrets(self, names: Iterable[str]) -> dict[str, ClusterSecret]:
        """Those of the named Secrets that are there. Raises `KubectlError` if that cannot be known."""
        wanted = list(names)
        if not wanted:
            return {}
        found = self.objects("get", "secret", *wanted, "--ignore-not-found")
        return {item["metadata"]["name"]: _secret(item) for item in found}

    def secrets_without_values(self, names: Iterable[str] | None = None) -> list[dict[str, Any]]:
        """The namespace's Secrets, or those of the named ones that are there: objects with their keys, without values.

        The values stay in kubectl. Raises `KubectlError` if the cluster cannot be asked.
        """
        wanted = None if names is None else list(names)
        if wanted == []:
            return []
        arguments = [*(wanted or []), *self._in_namespace, "--ignore-not-found", f"--output=go-template={_KEYS}"]
        found = []
        for line in self.run("get", "secrets", *arguments).splitlines():
            namespace, _, rest = line.partition("\t")
            name, *keys = rest.split("\t")
            if not name:
                raise KubectlError("kubectl answered something that is not a list of Secrets")
            metadata = {"name": name, "namespace": namespace}
            found.append({"kind": "Secret", "metadata": metadata, "data": dict.fromkeys(keys)})
        return found

    def read_files(self, pod: str, container: str, *paths: str) -> list[str] | None:
        """The first line of each file in a container of a pod; None if no such pod runs.

        Raises `KubectlError` if it runs and the files cannot be read.
        """
        if not self.runs(pod):
            return None
        command = ["head", "--quiet", "--lines=1", *paths]
        lines = self.run("exec", pod, *self._in_namespace, f"--container={container}", "--", *command).splitlines()
        if len(lines) != len(paths):
            raise KubectlError(f"the pod {pod} has an empty file among {', '.join(paths)}")
        return lines

    def runs(self, pod: str) -> bool:
        """Whether a pod of that name runs."""
        phase = "--output=jsonpath={.status.phase}"
        return self.run("get", "pod", pod, *self._in_namespace, "--ignore-not-found", phase).strip() == "Running"

    def wait_for_rollout(self, workload: str, timeout_s: int, waiting: Callable[[], None]) -> None:
        """Wait until the one pod of a workload (`statefulset/NAME`) is ready; not at all if there is no workload.

        `waiting` is called before a wait that takes time. Raises `KubectlError` when the time is over.
        """
        state = "--output=jsonpath={.metadata.name} {.status.readyReplicas}"
        name, _, ready = self.run("get", workload, *self._in_namespace, "--ignore-not-found", state).partition(" ")
        if name and ready != "1":
            waiting()
            limit = f"--timeout={timeout_s}s"
            self.run("rollout", "status", workload, *self._in_namespace, limit, timeout_s=timeout_s + _TIMEOUT_S)

    def apply(self, manifests: str) -> str:
        """Apply manifests on the server's side and return what kubectl says.

        A client-side apply would write the values a second time, into the annotation `last-applied-configuration`,
        which `kubectl describe` shows. This way removes that annotation where an earlier one wrote it.
        """
        manager = f"--field-manager={FIELD_MANAGER}"
        return self.run(
            "apply", "--server-side", "--force-conflicts", manager, *self._in_namespace, "--filename=-", stdin=manifests
        )

    def diff(self, manifests: str) -> tuple[bool, list[tuple[str, str]]]:
        """Whether `apply` would change anything, and each object that it would change, as YAML before and after.

        Raises `KubectlError` if that cannot be known.
        """
        where = ["--context", self.context] if self.context else []
        code, text = run.answer(
            "kubectl",
            [*where, "diff", *self._in_namespace, "--filename=-"],
            stdin=manifests,
            timeout_s=_TIMEOUT_S,
            error=KubectlError,
            accepted=(0, 1),
            environment={"KUBECTL_EXTERNAL_DIFF": _WHOLE_FILES},
        )
        return code == 1, list(_both_sides(text))

    def _raw(self, path: str) -> dict[str, Any]:
        return run.parsed(self.run("get", "--raw", path), "kubectl", KubectlError)

    def _setting(self, *arguments: str) -> str:
        """A setting of the kubeconfig, on one line: it is shown in the question before a change."""
        try:
            return "\\n".join(self.run("config", *arguments).strip().splitlines())
        except KubectlError:
            return ""

    @property
    def _in_namespace(self) -> list[str]:
        return ["--namespace", self.namespace] if self.namespace else []


def as_stream(manifests: Iterable[Mapping[str, Any]]) -> str:
    """The manifests as one text that kubectl reads."""
    return "".join(f"---\n{json.dumps(manifest)}\n" for manifest in manifests)


def _both_sides(text: str) -> Iterator[tuple[str, str]]:
    """The whole files, before and after, of a unified diff that has every line of them."""
    for part in re.split(r"^diff .*\n", text, flags=re.MULTILINE)[1:]:
        lines = [line for line in part.splitlines() if not line.startswith(("--- ", "+++ ", "@@ ", "\\"))]
        before = [line[1:] for line in lines if not line.startswith("+")]
        after = [line[1:] for line in lines if not line.startswith("-")]
        yield "\n".join(before), "\n".join(after)


def _objects(text: str) -> Iterator[dict[str, Any]]:
    """The objects that kubectl printed; Lists are taken apart."""
    for answer in run.parsed_all(text, "kubectl", KubectlError):
        items = answer["items"] if isinstance(answer.get("items"), list) else [answer]
        for item in items:
            if not _well_formed(item):
                raise KubectlError("kubectl answered something that is not an object of Kubernetes")
            yield item


def _well_formed(item: Any) -> bool:
    """Whether an answer has the outer shape of an object: a name, and maps where every object has maps."""
    metadata = item.get("metadata") if isinstance(item, dict) else None
    if not (isinstance(metadata, dict) and isinstance(metadata.get("name"), str)):
        return False
    texts = [value for key in ("labels", "annotations") for value in _items(metadata.get(key))]
    maps = [item.get(key) for key in ("spec", "status")]
    return all(isinstance(text, str) for text in texts) and all(isinstance(one, dict | None) for one in maps)


def _items(value: Any) -> list[Any]:
    """The values of a map; nothing of null; what is not a map as it is."""
    return list(value.values()) if isinstance(value, dict) else [] if value is None else [value, None]


def _secret(item: dict[str, Any]) -> ClusterSecret:
    name, data, given = item["metadata"]["name"], {}, item.get("data") or {}
    annotations, kind = item["metadata"].get("annotations") or {}, item.get("type", "Opaque")
    if not (isinstance(given, dict) and isinstance(annotations, dict) and isinstance(kind, str)):
        raise KubectlError(f"kubectl answered something for the Secret {name} that is none")
    for key, value in given.items():
        try:
            data[key] = base64.b64decode(value, validate=True)
        except (ValueError, TypeError):
            raise KubectlError(f"the Secret {name} has something that is not base64 under the key {key}") from None
    return ClusterSecret(kind, data, annotations)
