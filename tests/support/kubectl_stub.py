"""A stand-in for kubectl and the cluster behind it, for what no control plane without a kubelet can show."""

from __future__ import annotations

import base64
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

_PROGRAM = r"""#!/bin/sh
case " $* " in
*[\\\"]*) ;;
*" config current-context "*|*" config view "*)
  context=test words= before=
  for word; do
    words="$words${{words:+, }}\"$word\""
    [ "$before" = --context ] && context=$word
    before=$word
  done
  echo "[$words]" >>'{state}/calls'
  case " $* " in *" config view "*) printf here ;; *) echo "$context" ;; esac
  exit ;;
esac
exec '{python}' -IS '{rest}' "$@"
"""
"""What the kubeconfig says is asked as often as the cluster: the shell answers it without the start of Python."""

_REST = """
import json, os, sys
from pathlib import Path
state = Path({state!r})
arguments = [a for a in sys.argv[1:] if not a.startswith("--request-timeout")]
with (state / "calls").open("a") as calls:
    calls.write(json.dumps(sys.argv[1:]) + "\\n")
if "--context" in arguments:
    at = arguments.index("--context")
    context = arguments[at + 1]
    del arguments[at:at + 2]
else:
    context = "test"
def fail(text):
    print("E1124 a line of noise", file=sys.stderr)
    print(text, file=sys.stderr)
    sys.exit(1)
if arguments[:2] == ["config", "current-context"]:
    print(context)
elif arguments[:2] == ["config", "view"]:
    print("here", end="")
elif (state / "fault").exists():
    fail((state / "fault").read_text())
elif arguments[:2] == ["get", "secret"]:
    there = json.loads((state / "secrets.json").read_text())
    items = [there[a] for a in arguments[2:] if a in there]
    if items:
        print(json.dumps({{"kind": "List", "items": items}}))
elif arguments[:2] == ["get", "pod"] and "--output=json" in arguments:
    print((state / "pod.json").read_text() if (state / "pod.json").exists() else "", end="")
elif arguments[:2] == ["get", "persistentvolumeclaim"]:
    claim = state / f"claim-{{arguments[2]}}"
    print(claim.read_text() if claim.exists() else "", end="")
elif arguments[:2] == ["get", "pod"]:
    print((state / "phase").read_text() if (state / "phase").exists() else "", end="")
elif arguments[:1] == ["get"] and (state / "objects.json").exists():
    there = json.loads((state / "objects.json").read_text())
    items = [there[a] for a in arguments if a in there]
    if items:
        print(json.dumps({{"kind": "List", "items": items}}))
elif arguments[:1] == ["get"]:
    pass
elif "port-forward" in arguments:
    forwards = state / "forwards.json"
    service = next(a for a in arguments if a.startswith("service/")).partition("/")[2]
    port = json.loads(forwards.read_text()).get(service) if forwards.exists() else None
    if port is None:
        fail(f'Error from server (NotFound): services "{{service}}" not found')
    print(f"Forwarding from 127.0.0.1:{{port}} -> 1", flush=True)
    import time
    time.sleep(600)
elif arguments[:1] == ["exec"]:
    text = (state / "pod").read_text()
    print(text, end="") if text else fail("error: container not found")
elif arguments[:1] == ["apply"]:
    (state / "applied").write_text(sys.stdin.read())
    print("secret/x serverside-applied")
else:
    fail("unexpected: " + " ".join(arguments))
"""


class KubectlStub:
    """A `kubectl` in a folder for `PATH`, which knows some Secrets and perhaps the backend's pod."""

    def __init__(self, folder: Path) -> None:
        self.programs, self._state = folder / "programs", folder / "state"
        self.programs.mkdir(parents=True)
        self._state.mkdir()
        program = self.programs / "kubectl"
        rest = folder / "stub.py"
        rest.write_text(_REST.format(state=str(self._state)))
        program.write_text(_PROGRAM.format(python=sys.executable, state=self._state, rest=rest))
        program.chmod(0o755)
        (self._state / "calls").touch()
        self._secrets: dict[str, Any] = {}
        self._store()

    def secret(self, name: str, data: Mapping[str, str], type: str = "Opaque", **annotations: str) -> None:
        """Put a Secret into the cluster."""
        encoded = {key: base64.b64encode(value.encode()).decode() for key, value in data.items()}
        self._secrets[name] = {"metadata": {"name": name, "annotations": annotations}, "type": type, "data": encoded}
        self._store()

    def object(self, kind: str, name: str, annotations: Mapping[str, str]) -> None:
        """Put an object into the cluster, which `kubectl get KIND/NAME` finds."""
        path = self._state / "objects.json"
        there = json.loads(path.read_text()) if path.exists() else {}
        there[f"{kind.lower()}/{name}"] = {"kind": kind, "metadata": {"name": name, "annotations": dict(annotations)}}
        path.write_text(json.dumps(there))

    def pod(self, *credentials: str, phase: str = "Running") -> None:
        """Let the backend's pod be there, with these lines in its credentials; without any, `exec` fails."""
        (self._state / "phase").write_text(phase)
        (self._state / "pod").write_text("".join(f"{line}\n" for line in credentials))

    def forward(self, **ports: int) -> None:
        """Let `port-forward` of these Services (`_` for `-`) lead to ports of this machine."""
        named = {name.replace("_", "-"): port for name, port in ports.items()}
        (self._state / "forwards.json").write_text(json.dumps(named))

    def claim(self, name: str, created: str, phase: str = "Bound") -> None:
        """Put a claim into the cluster."""
        claim = {"metadata": {"name": name, "creationTimestamp": created}, "status": {"phase": phase}}
        (self._state / f"claim-{name}").write_text(json.dumps(claim))

    def waiting_pod(self, name: str, created: str, **status: Any) -> None:
        """Put a pod into the cluster whose container waits."""
        statuses = [{"restartCount": 0, "state": {"waiting": {"reason": "CreateContainerConfigError"}}, **status}]
        pod = {"metadata": {"name": name, "creationTimestamp": created}, "status": {"containerStatuses": statuses}}
        (self._state / "pod.json").write_text(json.dumps(pod))

    def fail(self, message: str) -> None:
        """Let every request to the cluster fail."""
        (self._state / "fault").write_text(message)

    @property
    def calls(self) -> list[list[str]]:
        """The arguments of every call, in order."""
        return [json.loads(line) for line in (self._state / "calls").read_text().splitlines()]

    @property
    def applied(self) -> str:
        """What was applied last; nothing if nothing was."""
        path = self._state / "applied"
        return path.read_text() if path.exists() else ""

    def _store(self) -> None:
        (self._state / "secrets.json").write_text(json.dumps(self._secrets))
