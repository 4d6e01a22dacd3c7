"""convex-k8s: overlay files in, Kubernetes manifests out. `python main.py --help` lists the commands."""

import atexit
import contextlib
import gc
import importlib.util
import os
import signal
import sys
from pathlib import Path
from types import FrameType
from typing import NoReturn

HERE = Path(__file__).resolve().parent
VENV = HERE / ".venv"
INTERRUPTED = 130
"""The exit code of shells for a program that Ctrl-C ended."""
REQUIRED = ("cdk8s_plus_27", "cryptography", "pydantic", "yaml")


def main() -> int:
    """Run the command line; in the project's own .venv when this Python lacks the requirements."""
    missing = [name for name in REQUIRED if importlib.util.find_spec(name) is None]
    if missing and (VENV / "bin" / "python").exists() and Path(sys.prefix) != VENV:
        python = str(VENV / "bin" / "python")
        os.execv(python, [python, str(HERE / "main.py"), *sys.argv[1:]])  # noqa: S606
    if missing:
        print(f"Python packages are missing ({', '.join(missing)}): run `make synth` once", file=sys.stderr)
        return 1
    sys.path.insert(0, str(HERE / "constructs"))
    interruptions = []

    def interrupt(number: int, frame: FrameType | None) -> None:
        interruptions.append(number)
        if _imports(frame):
            signal.setitimer(signal.ITIMER_REAL, 0.01)
            return
        raise KeyboardInterrupt

    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, interrupt)
        signal.signal(signal.SIGALRM, interrupt)
    try:
        from convexctl.cli import run

        return run(sys.argv[1:])
    except BaseException:
        # Libraries turn an interruption into errors of their own.
        if not interruptions:
            raise
        print("interrupted: nothing more was written", file=sys.stderr)
        # What the interruption cut off, in threads and at the end of the process, would still complain.
        sys.stderr.flush()
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
        return INTERRUPTED


def _imports(frame: FrameType | None) -> bool:
    """Whether an import is under way: cut off there, it may leave locks behind that another thread waits for."""
    while frame is not None and not frame.f_code.co_filename.startswith("<frozen importlib"):
        frame = frame.f_back
    return frame is not None


def run_and_leave() -> NoReturn:
    """Run the command line and end the process.

    A run takes a second. Looking for garbage among the modules that it imports, and taking them apart at the end one by
    one, would be a sixth of that: both are left out, while what was registered for the end (Node.js is stopped, its
    temporary files go) still runs.
    """
    gc.disable()
    code = main()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGALRM, signal.SIG_IGN)
    if code != INTERRUPTED and (node := sys.modules.get("convexctl.tools.node")):
        node.settle()
    atexit._run_exitfuncs()
    for stream in filter(None, (sys.stdout, sys.stderr)):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
    os._exit(code)


if __name__ == "__main__":
    run_and_leave()
