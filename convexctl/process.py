"""The process around the command line: which Python runs it, what an interruption does, and how it ends.

The gains are medians of CPU time in `synth` of the two overlays (twelve runs each, interleaved, two busy cores).
"""

from __future__ import annotations

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

INTERRUPTED = 130
"""The exit code of shells for a program that Ctrl-C ended."""
REQUIRED = ("cdk8s_plus_27", "cryptography", "pydantic", "yaml")


def require_packages(main: Path) -> None:
    """Go on in the .venv beside `main` when this Python lacks the requirements; end the process without either."""
    missing = [name for name in REQUIRED if importlib.util.find_spec(name) is None]
    if not missing:
        return
    venv = main.parent / ".venv"
    python = str(venv / "bin" / "python")
    if Path(python).exists() and Path(sys.prefix) != venv:
        os.execv(python, [python, *sys.argv])  # noqa: S606
    sys.exit(f"Python packages are missing ({', '.join(missing)}): run `make synth` once")


def run_and_leave() -> NoReturn:
    """Run the command line and end the process."""
    # Looking for garbage among the imported modules: 180 ms of 1,930.
    gc.disable()
    code = _run()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGALRM, signal.SIG_IGN)
    _leave(code)


def _leave(code: int) -> NoReturn:
    """End the process without taking the modules apart one by one: 260 ms of 2,010.

    What was registered for the end still runs: Node.js is stopped, and its temporary files are removed.
    """
    atexit._run_exitfuncs()
    for stream in filter(None, (sys.stdout, sys.stderr)):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
    os._exit(code)


def _run() -> int:
    """Run the command line and return the exit code; an interruption ends in one line."""
    interruptions = _count_interruptions()
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


def _count_interruptions() -> list[int]:
    """The list that each interruption from now on is added to; where SIGINT is ignored, it stays ignored."""
    interruptions: list[int] = []

    def interrupt(number: int, frame: FrameType | None) -> None:
        interruptions.append(number)
        if _imports(frame):
            signal.setitimer(signal.ITIMER_REAL, 0.01)
            return
        raise KeyboardInterrupt

    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, interrupt)
        signal.signal(signal.SIGALRM, interrupt)
    return interruptions


def _imports(frame: FrameType | None) -> bool:
    """Whether an import is under way: cut off there, it may leave locks behind that another thread waits for."""
    while frame is not None and not frame.f_code.co_filename.startswith("<frozen importlib"):
        frame = frame.f_back
    return frame is not None
