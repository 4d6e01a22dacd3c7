"""The scripts that Jobs run: files of this package, mounted into the pods from a ConfigMap."""

from __future__ import annotations

import importlib.resources

SCRIPTS = "scripts"
"""Name of the volume."""
MOUNT = "/scripts"
"""Where it is in the pods."""


def script(name: str) -> str:
    """The text of a script."""
    return importlib.resources.files("convex_k8s").joinpath("scripts", name).read_text(encoding="utf-8")
