"""Starts jsii's kernel early, in one process, and imports jsii's packages without their argument checks.

What each part saves of a run over the two samples, in CPU time, is in `docs/performance.md`; `make benchmark` measures
it. `python -X dev` switches the import loader off, so that jsii checks every argument.
"""

from __future__ import annotations

import glob
import importlib
import importlib.util
import json
import os
import platform
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from pathlib import Path
from types import CodeType, ModuleType
from typing import IO, Any

_PACKAGES = ("constructs", "cdk8s", "cdk8s_plus_27")
"""The packages that run in Node.js, in the order in which Python loads them."""
_HOST = Path(__file__).with_name("jsii_host.js")
_CHECKED, _UNCHECKED = ".pyc", ".opt-1.pyc"


class EarlyKernel:
    """A Node.js process with jsii's kernel, which loads the packages while Python imports their other half.

    `options` are further options of Node.js, `settings` further variables of the process. Raises `OSError` when the
    binary cannot be started.
    """

    def __init__(self, node: str, options: Iterable[str], settings: Mapping[str, str]) -> None:
        site = _folder("jsii")
        environment = {
            **os.environ,
            **settings,
            "JSII_AGENT": f"Python/{platform.python_version()}",
            "NODE_PRESERVE_SYMLINKS": "1",
        }
        self.process = subprocess.Popen(
            [node, "--max-old-space-size=4069", *options, str(_HOST), str(site / "_embedded" / "jsii")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment,
        )
        self._sent = list(_loads())
        self._write("".join(f"{json.dumps(load)}\n" for load in self._sent))

    def attach(self, listen: Callable[[IO[bytes]], None]) -> None:
        """Let jsii use this process in the place of one that it would start. `listen` reads its standard error."""
        from convexctl.tools.jsii_messages import attached

        self._provider = attached(self.process, self._sent, listen)

    def hear(self) -> None:
        """Wait until the packages are loaded. Raises what jsii raises if not, `TimeoutError` after a minute."""
        self._provider.hear()

    def release(self) -> None:
        """Let Node.js and Python forget the objects of the environments so far, once they are many."""
        self._provider.release()

    def _write(self, text: str) -> None:
        assert self.process.stdin  # noqa: S101
        try:
            self.process.stdin.write(text.encode())
            self.process.stdin.flush()
        except BrokenPipeError:
            # It ended already: who reads its answer says why.
            return


def import_without_checks() -> None:
    """Compile jsii's packages as `python -O` does from now on: their checks of every argument cost a third of a run.

    The types of our own calls are checked by mypy, and the values that users give are checked before.
    """
    if not sys.flags.dev_mode and not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Finder())


class _Loader(SourceFileLoader):
    """Loads a module as under `-O`, from and into the byte code file that `-O` would use."""

    def source_to_code(self, data: Any, path: Any, *, _optimize: int = 1) -> CodeType:  # type: ignore[override]
        return super().source_to_code(data, path, _optimize=1)

    def get_data(self, path: str) -> bytes:
        return super().get_data(_unchecked(path))

    def set_data(self, path: str, data: Any, *, _mode: int = 0o666) -> None:
        super().set_data(_unchecked(path), data, _mode=_mode)


class _Finder:
    """Finds jsii's packages where Python finds them, and has them loaded without checks."""

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if name.partition(".")[0] not in _PACKAGES:
            return None
        spec = PathFinder.find_spec(name, path, target)
        if spec and type(spec.loader) is SourceFileLoader and _is_compiled_once(spec.loader.path):
            spec.loader = _Loader(spec.loader.name, spec.loader.path)
        return spec


def _is_compiled_once(source: str) -> bool:
    """Whether byte code without checks exists or can be kept: compiling it in every run would cost four seconds."""
    compiled = importlib.util.cache_from_source(source, optimization=1)
    return os.path.exists(compiled) or (not sys.dont_write_bytecode and os.access(os.path.dirname(source), os.W_OK))  # noqa: PTH110, PTH120


def _unchecked(path: str) -> str:
    return path.removesuffix(_CHECKED) + _UNCHECKED if path.endswith(_CHECKED) else path


def _loads() -> Iterator[dict[str, str]]:
    """The requests by which Python will load the packages."""
    for package in _PACKAGES:
        for file in sorted(glob.glob(str(_folder(package) / "_jsii" / "*.jsii.tgz"))):  # noqa: PTH207
            name, _, version = Path(file).name.removesuffix(".jsii.tgz").rpartition("@")
            yield {"api": "load", "name": name, "version": version, "tarball": file}


def _folder(package: str) -> Path:
    spec = importlib.util.find_spec(package)
    locations = spec.submodule_search_locations if spec else None
    if not locations:
        raise ModuleNotFoundError(f"No module named {package!r}", name=package)
    return Path(next(iter(locations)))
