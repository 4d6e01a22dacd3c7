"""A stand-in for kubectl and the cluster behind it, for what no control plane without a kubelet can show."""

from __future__ import annotations

import base64
import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

_PROGRAM = r"""#!/bin/sh
state='{state}'
printf '%s\0' $# "$@" >>"$state/calls"
context=test follows=
for word; do
  shift
  if [ "$follows" ]; then
    context=$word follows=
    continue
  fi
  case $word in
    --context) follows=yes ;;
    --request-timeout*) ;;
    *) set -- "$@" "$word" ;;
  esac
done

fail() {{
  printf '%s\n' 'E1124 a line of noise' "$1" >&2
  exit 1
}}

show() {{
  [ -f "$state/$1" ] && exec /bin/cat "$state/$1"
  exit 0
}}

list() {{
  folder=$state/$1 before=begin
  shift
  for word; do
    shift
    if [ -f "$folder/$word" ]; then
      set -- "$@" "$state/$before" "$folder/$word"
      before=comma
    fi
  done
  [ $# -eq 0 ] || exec /bin/cat "$@" "$state/end"
  exit 0
}}

case "$1 $2" in
  'config current-context') printf '%s\n' "$context"; exit ;;
  'config view') printf here; exit ;;
esac
[ -f "$state/fault" ] && fail "$(/bin/cat "$state/fault")"
case "$1 $2" in
  'get secret')
    shift 2
    list secrets "$@" ;;
  'get pod')
    case " $* " in *' --output=json '*) show pod.json ;; esac
    show phase ;;
  'get persistentvolumeclaim') show "claim-$3" ;;
  'get '*) list objects "$@" ;;
esac
case " $* " in *' port-forward '*)
  service=
  for word; do
    case $word in service/*) service=${{word#service/}} ;; esac
  done
  [ -f "$state/forwards/$service" ] || fail "Error from server (NotFound): services \"$service\" not found"
  read -r port <"$state/forwards/$service"
  echo "Forwarding from 127.0.0.1:$port -> 1"
  exec /bin/sleep 600 ;;
esac
case $1 in
  exec)
    [ -s "$state/pod" ] || fail 'error: container not found'
    show pod ;;
  apply)
    /bin/cat >"$state/applied"
    echo secret/x serverside-applied ;;
  *) fail "unexpected: $*" ;;
esac
"""
"""It is asked about 1,500 times in a run of all tests: a shell answers from files, without an interpreter to start."""


class KubectlStub:
    """A `kubectl` in a folder for `PATH`, which knows some Secrets and perhaps the backend's pod."""

    def __init__(self, folder: Path) -> None:
        self.programs, self._state = folder / "programs", folder / "state"
        self.programs.mkdir(parents=True)
        self._state.mkdir()
        program = self.programs / "kubectl"
        program.write_text(_PROGRAM.format(state=self._state))
        program.chmod(0o755)
        self._write("calls", "")
        for name, text in {"begin": '{"kind": "List", "items": [', "comma": ", ", "end": "]}\n"}.items():
            self._write(name, text)

    def secret(self, name: str, data: Mapping[str, str], type: str = "Opaque", **annotations: str) -> None:
        """Put a Secret into the cluster."""
        encoded = {key: base64.b64encode(value.encode()).decode() for key, value in data.items()}
        secret = {"metadata": {"name": name, "annotations": annotations}, "type": type, "data": encoded}
        self._write(f"secrets/{name}", json.dumps(secret))

    def object(self, kind: str, name: str, annotations: Mapping[str, str]) -> None:
        """Put an object into the cluster, which `kubectl get KIND/NAME` finds."""
        found = {"kind": kind, "metadata": {"name": name, "annotations": dict(annotations)}}
        self._write(f"objects/{kind.lower()}/{name}", json.dumps(found))

    def pod(self, *credentials: str, phase: str = "Running") -> None:
        """Let the backend's pod be there, with these lines in its credentials; without any, `exec` fails."""
        self._write("phase", phase)
        self._write("pod", "".join(f"{line}\n" for line in credentials))

    def forward(self, **ports: int) -> None:
        """Let `port-forward` of these Services (`_` for `-`) lead to ports of this machine."""
        shutil.rmtree(self._state / "forwards", ignore_errors=True)
        for name, port in ports.items():
            self._write(f"forwards/{name.replace('_', '-')}", f"{port}\n")

    def claim(self, name: str, created: str, phase: str = "Bound") -> None:
        """Put a claim into the cluster."""
        claim = {"metadata": {"name": name, "creationTimestamp": created}, "status": {"phase": phase}}
        self._write(f"claim-{name}", json.dumps(claim))

    def waiting_pod(self, name: str, created: str, **status: Any) -> None:
        """Put a pod into the cluster whose container waits."""
        statuses = [{"restartCount": 0, "state": {"waiting": {"reason": "CreateContainerConfigError"}}, **status}]
        pod = {"metadata": {"name": name, "creationTimestamp": created}, "status": {"containerStatuses": statuses}}
        self._write("pod.json", json.dumps(pod))

    def fail(self, message: str) -> None:
        """Let every request to the cluster fail."""
        self._write("fault", message)

    @property
    def calls(self) -> list[list[str]]:
        """The arguments of every call, in order."""
        words = iter(os.fsdecode((self._state / "calls").read_bytes()).split("\0")[:-1])
        return [[next(words) for _ in range(int(number))] for number in words]

    @property
    def applied(self) -> str:
        """What was applied last; nothing if nothing was."""
        path = self._state / "applied"
        return path.read_text() if path.exists() else ""

    def _write(self, name: str, text: str) -> None:
        path = self._state / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
