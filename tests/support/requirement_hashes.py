"""Writes the hashes of every pinned release into the requirement files (`make requirements`).

A pin is edited by hand, and keeps its place. Its hashes are those of all files of the release, so that one file serves
every platform. uv asks the index that the environment names (`UV_DEFAULT_INDEX`), PyPI otherwise.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
FILES = ("requirements.txt", "requirements-preflight.txt", "requirements-dev.txt", "requirements-benchmark.txt")
UV = (
    *("uv", "pip", "compile", "-", "--no-deps", "--universal", "--python-version", "3.11", "--generate-hashes"),
    *("--no-annotate", "--no-header", "--no-emit-index-url", "--quiet"),
)


def normalised(name: str) -> str:
    """The name by which an index knows a package."""
    return re.sub(r"[-_.]+", "-", name).lower()


def lines_without_hashes(text: str) -> list[str]:
    """The lines that are edited by hand."""
    lines = text.splitlines()
    return [line.removesuffix("\\").rstrip() for line in lines if not line.lstrip().startswith("--hash=")]


def pinned_hashes(text: str) -> dict[str, list[str]]:
    """The hashes of each pin, as `name==version`."""
    pins: dict[str, list[str]] = {}
    pin = ""
    for line in text.splitlines():
        if found := re.match(r"([\w.-]+)==([\w.+!]+)", line):
            pin = f"{normalised(found[1])}=={found[2]}"
            if pin in pins:
                raise ValueError(f"{pin} stands twice")
            pins[pin] = []
        elif found := re.search(r"--hash=(sha256:[0-9a-f]{64})\b", line):
            pins[pin].append(found[1])
    return pins


def with_hashes(text: str, hashes: dict[str, list[str]]) -> str:
    """The text of a requirement file with the hashes below each of its pins."""
    lines = []
    for line in lines_without_hashes(text):
        name, separator, version = line.partition("==")
        lines.append(line)
        if separator and not line.startswith("#"):
            found = hashes[f"{normalised(name)}=={version}"]
            lines[-1] = " \\\n    ".join([line, *(f"--hash={value}" for value in found)])
    return "\n".join(lines) + "\n"


def main() -> int:
    """Write all files, or none."""
    texts = {name: (ROOT / name).read_text() for name in FILES}
    pins = "\n".join(
        line for text in texts.values() for line in lines_without_hashes(text) if re.match(r"\w.*==", line)
    )
    done = subprocess.run(
        [sys.executable, "-m", *UV], input=pins, capture_output=True, text=True, cwd=ROOT, check=False
    )
    if done.returncode:
        sys.stderr.write(done.stderr)
        return 1
    hashes = pinned_hashes(done.stdout)
    written = {name: with_hashes(text, hashes) for name, text in texts.items()}
    for name, text in written.items():
        (ROOT / name).write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
