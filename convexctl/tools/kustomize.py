"""The user's own kustomize, or the one in kubectl."""

from __future__ import annotations

import shutil

from convexctl.tools.run import run


def can_render() -> bool:
    """Whether there is a program that renders a kustomization."""
    return any(shutil.which(name) for name in ("kubectl", "kustomize"))


def render(folder: str) -> str:
    """The manifests that a folder's kustomization makes. Raises `UserError` if it cannot be rendered."""
    lead = f"{folder} cannot be rendered: "
    if shutil.which("kubectl"):
        return run("kubectl", ["kustomize", folder], lead=lead)
    return run("kustomize", ["build", folder], lead=lead)
