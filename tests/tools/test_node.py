"""A Node.js that says its version and is silent then: the wait has a word."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.support.overlay_cases import ROOT

READY = """
import os, threading
from convexctl.tools import node
node._PATIENCE_S = 0.2
threading.Thread(target=node.ready, daemon=True).start()
threading.Event().wait(2)
os._exit(0)
"""


def test_a_node_that_never_answers_is_named(tmp_path: Path) -> None:
    program = tmp_path / "node"
    program.write_text('#!/bin/sh\n[ "$1" = --version ] && echo v24.1.0 && exit\nexec sleep 5\n')
    program.chmod(0o755)
    paths = os.pathsep.join([str(ROOT), str(ROOT / "constructs")])
    environment = {**os.environ, "JSII_NODE": str(program), "PYTHONPATH": paths}
    command = [sys.executable, "-c", READY]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True, timeout=60)
    assert done.stderr == (
        f"waiting for Node.js ({program}), which has not answered for 0.2 seconds: Ctrl-C ends this\n"
    )
