"""A connection to a Service through kubectl, which needs neither DNS nor an edge."""

from __future__ import annotations

import re
import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from convexctl.tools.kubectl import Kubectl, KubectlError

_PATIENCE_S = 30
_LISTENS = re.compile(r"Forwarding from 127\.0\.0\.1:(\d+) ")


@contextmanager
def port_forward(kubectl: Kubectl, service: str, port: int) -> Iterator[str]:
    """Forward a port of a Service to a free one of this machine, until the block ends, and give its URL.

    Raises `KubectlError` if kubectl cannot.
    """
    program = shutil.which("kubectl")
    if program is None:
        raise KubectlError("kubectl is not installed, or not on PATH")
    context = ["--context", kubectl.context] if kubectl.context else []
    namespace = ["--namespace", kubectl.namespace] if kubectl.namespace else []
    process = subprocess.Popen(
        [program, *context, *namespace, "port-forward", "--address=127.0.0.1", f"service/{service}", f":{port}"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        start_new_session=True,
    )
    timer = threading.Timer(_PATIENCE_S, process.kill)
    timer.start()
    try:
        line = process.stdout.readline() if process.stdout else ""
        timer.cancel()
        found = _LISTENS.match(line)
        if not found:
            process.kill()
            said = process.communicate()[1].strip().splitlines()
            raise KubectlError(f"no way to {service}: {said[-1] if said else 'kubectl port-forward gave up'}")
        yield f"http://127.0.0.1:{found[1]}"
    finally:
        timer.cancel()
        process.kill()
        process.communicate()
