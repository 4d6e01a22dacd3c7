"""A stand-in for the pod that the bootstrap script runs in: its programs, watched, and its ServiceAccount."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "constructs/convex_k8s/bootstrap.sh"
STEPS = ["curl (get)", "openssl", "generate_key", "curl (post)"]
"""Every program that the script starts when it makes a Secret, in order."""

GENERATE_KEY = """#!{python}
import sys
sys.path.insert(0, {root!r})
from convexctl.secrets.admin_key import make_admin_key
print("Admin key:", file=sys.stderr)
print(make_admin_key(*sys.argv[1:]))
"""

# Stands in front of a real program: notes its arguments, and ends the whole process group at the step asked for.
SPY = """#!/bin/bash
printf '%s\\0' {name} "$@" >> "$SPY_FOLDER/arguments"; echo >> "$SPY_FOLDER/arguments"
echo >> "$SPY_FOLDER/steps"
step=$(wc -l < "$SPY_FOLDER/steps")
[ "${{INTERRUPT:-}}" = "before $step" ] && kill -KILL 0
if [ "${{INTERRUPT:-}}" = "after $step" ]; then {program} "$@" > /dev/null; kill -KILL 0; fi
exec {program} "$@"
"""


class Pod:
    """Runs the script with a ServiceAccount's token against an API server."""

    def __init__(self, folder: Path, *, api_server: str, ca_pem: bytes, token: str, namespace: str) -> None:
        self.folder, self.token = folder, token
        (folder / "arguments").touch(mode=0o600)  # the image's generate_key takes the instance secret there
        account, programs = folder / "serviceaccount", folder / "bin"
        account.mkdir()
        (account / "token").write_text(token)
        (account / "namespace").write_text(namespace)
        (account / "ca.crt").write_bytes(ca_pem)
        programs.mkdir()
        real = folder / "real_generate_key"
        real.write_text(GENERATE_KEY.format(python=sys.executable, root=str(ROOT)))
        real.chmod(0o755)
        for name in ("curl", "openssl", "generate_key"):
            program = real if name == "generate_key" else shutil.which(name)
            (programs / name).write_text(SPY.format(name=name, program=program))
            (programs / name).chmod(0o755)
        self.environment = {
            "PATH": f"{programs}:{os.environ['PATH']}",
            "SPY_FOLDER": str(folder),
            "SERVICE_ACCOUNT_DIR": str(account),
            "API_SERVER": api_server,
            "SECRET_NAME": "convex-instance",
            "INSTANCE_NAME": "convex-prod",
        }

    def run(self, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run the script in a process group of its own; `INTERRUPT="before 2"` or `"after 2"` ends it at a step."""
        (self.folder / "steps").write_text("")
        done = subprocess.run(
            ["bash", str(SCRIPT)],
            env=self.environment | environment,
            capture_output=True,
            text=True,
            timeout=60,
            start_new_session=True,
            check=False,
        )
        self.assert_nothing_secret_in(done.stdout + done.stderr)
        return done

    def assert_nothing_secret_in(self, text: str) -> None:
        """Neither the token nor anything that could be a secret or a key."""
        assert self.token not in text
        assert not re.search(r"[0-9a-f]{64}", text)

    @property
    def command_lines(self) -> list[list[str]]:
        """Program and arguments of everything that was started, in order."""
        lines = (self.folder / "arguments").read_text().split("\0\n")[:-1]
        return [line.split("\0") for line in lines]
