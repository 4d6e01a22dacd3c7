"""A cluster as preflight meets it: Secrets, classes and kinds that a test puts there, and what it hides in them."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

import pytest

from convexctl.preflight.check import Check, Status
from convexctl.preflight.questions import Question, answers
from convexctl.secrets.admin_key import make_admin_key
from convexctl.tools.kubectl import Kubectl
from tests.support.command_line import Done, assert_none_of, run
from tests.support.control_plane import ControlPlane

PASSWORD = "hunter2"
"""Stands in values that must never be shown; so do the others below."""
ACCESS_KEY_ID, SECRET_ACCESS_KEY = "AKID-hunter2", "hunter2/secret+key"
INSTANCE_SECRET, OTHER_INSTANCE_SECRET = "5a" * 32, "a5" * 32
ADMIN_KEY = make_admin_key("convex-prod", INSTANCE_SECRET)
BASE64_SECRET = base64.b64encode(bytes.fromhex(INSTANCE_SECRET)).decode()
HIDDEN = (PASSWORD, SECRET_ACCESS_KEY, INSTANCE_SECRET, OTHER_INSTANCE_SECRET, ADMIN_KEY, BASE64_SECRET)


class Setting:
    """A namespace of a cluster, and the program that checks it."""

    def __init__(
        self,
        cluster: ControlPlane,
        namespace: str,
        folder: Path,
        capsys: pytest.CaptureFixture[str],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        self.cluster, self.namespace = cluster, namespace
        self.kubectl = Kubectl("", namespace)
        self._overlays, self._capsys = folder / "overlays", capsys
        self._overlays.mkdir()
        for name, value in cluster.environment.items():
            monkeypatch.setenv(name, value)

    def preflight(self, overlay: str, *arguments: str, namespace: str = "") -> Done:
        """Run the command on an overlay with this content; it shows nothing that is hidden."""
        (self._overlays / "test.yaml").write_text(overlay)
        where = ("--overlays", str(self._overlays), "--namespace", namespace or self.namespace)
        done = run(self._capsys, "preflight", "test", *where, *arguments)
        assert_none_of(HIDDEN, done.stdout + done.stderr)
        return done

    def checks(self, overlay: str, *arguments: str, namespace: str = "") -> dict[str, Check]:
        """Run the command and return its checks by name; its exit code tells whether one of them failed."""
        done = self.preflight(overlay, "--format=json", *arguments, namespace=namespace)
        result = json.loads(done.stdout)
        made = {item["name"]: Check(**{**item, "status": Status(item["status"])}) for item in result["checks"]}
        assert len(made) == len(result["checks"])
        assert (done.code == 0) == result["ok"] == (not failures(made)), done
        return made

    def secret(self, name: str, values: Mapping[str, str], *, type: str = "Opaque") -> None:
        """Make a Secret, or replace it."""
        content = {"metadata": {"name": name}, "type": type, "stringData": dict(values)}
        self.cluster.api.delete("secrets", self.namespace, name)
        self.cluster.create("v1", "Secret", content, self.namespace)

    @contextmanager
    def there(self, version: str, kind: str, name: str, **content: object) -> Iterator[None]:
        """Have an object in the cluster for a while."""
        annotations = content.pop("annotations", {})
        metadata = {"name": name, "annotations": annotations}
        self.cluster.create(version, kind, {"metadata": metadata, **content}, self.namespace)
        try:
            yield
        finally:
            self.cluster.api.delete(f"{kind}.{version.rpartition('/')[0]}".rstrip("."), self.namespace, name)

    @contextmanager
    def kind(self, group: str, kind: str, *, scope: str, version: str = "v1") -> Iterator[None]:
        """Have a kind in the cluster for a while, whose objects may hold anything."""
        plural = f"{kind.lower()}s"
        schema = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
        name = f"{plural}.{group}"
        spec = {
            "group": group,
            "scope": scope,
            "names": {"kind": kind, "listKind": f"{kind}List", "plural": plural, "singular": kind.lower()},
            "versions": [{"name": version, "served": True, "storage": True, "schema": schema}],
        }
        definition = "customresourcedefinition.apiextensions.k8s.io"
        with self.there("apiextensions.k8s.io/v1", "CustomResourceDefinition", name, spec=spec):
            self.cluster.kubectl("wait", "--for=condition=Established", "--timeout=60s", f"{definition}/{name}")
            yield


def asked(questions: Iterable[Question]) -> dict[str, Check]:
    """The answers to questions by name; none shows what is hidden."""
    made = answers(questions)
    assert_none_of(HIDDEN, repr(made))
    return {check.name: check for check in made}


def failures(checks: Mapping[str, Check]) -> list[str]:
    """The names of the checks that failed. Each of them has a remedy."""
    failed = [check for check in checks.values() if check.status is Status.FAILED]
    assert all(check.remedy for check in failed), [asdict(check) for check in failed]
    return [check.name for check in failed]
