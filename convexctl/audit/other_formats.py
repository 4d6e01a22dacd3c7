"""Files of other tools, known by their names or their first lines: what they are, and how to get at the manifests."""

from __future__ import annotations

import re
from pathlib import Path

from convexctl.project import PROGRAM

_LIVE = f"audit what it makes in the cluster ({PROGRAM} audit --live -n NAMESPACE)"
_TERRAFORM = (
    f"a file of Terraform: {_LIVE}, or render the chart of a helm_release (helm template NAME CHART --values VALUES "
    f"| {PROGRAM} audit -)"
)
_UNIT = (
    "a unit of systemd: it runs without Kubernetes. Convert the running container (podman kube generate CONTAINER | "
    f"{PROGRAM} audit -)"
)
_NOMAD = "a job of Nomad: it makes no Kubernetes manifests, and audit reads nothing else"
_FLY = "a file for fly.io: it makes no Kubernetes manifests, and audit reads nothing else"
_BY_ENDING = {
    ".tf": _TERRAFORM,
    ".tf.json": _TERRAFORM,
    ".tofu": _TERRAFORM,
    ".hcl": _TERRAFORM,
    ".nomad": _NOMAD,
    "fly.toml": _FLY,
    ".jsonnet": f"a program of Jsonnet: run it (jsonnet {{file}} | {PROGRAM} audit -)",
    ".cue": f"a file of CUE: export it (cue export {{file}} --out yaml | {PROGRAM} audit -)",
    ".k": f"a program of KCL: run it (kcl run {{file}} | {PROGRAM} audit -)",
    ".pkl": f"a module of Pkl: evaluate it (pkl eval --format yaml {{file}} | {PROGRAM} audit -)",
    ".kube": "a Quadlet unit of podman: audit the file that its line Yaml= names",
    **dict.fromkeys((".container", ".pod", ".service", ".timer", ".socket", ".volume", ".network"), _UNIT),
    **dict.fromkeys(
        (".tgz", ".tar.gz"), f"an archive: if a Helm chart, helm template NAME {{file}} | {PROGRAM} audit -"
    ),
}
ENDINGS = tuple(_BY_ENDING)
_NOMAD_JOB = re.compile(r"^[ \t]*job[ \t]+\"", re.MULTILINE)
_SECTION = re.compile(r"\s*(?:[#;].*\n\s*)*\[(Unit|Container|Service|Pod|Kube|Install|build)\]\s*$", re.MULTILINE)
_TERRAFORM_BLOCK = re.compile(
    r"^(?:resource|data|module|provider)[ \t]+\"[^\"\n]{0,256}\"[^\n:]{0,256}\{[ \t]*$", re.MULTILINE
)
_FLY_TABLE = re.compile(r"^(?:app|primary_region)\s*=|^\[+(?:http_service|services|mounts|vm)\]+", re.MULTILINE)
_YTT = re.compile(r"^#@ |: #@ ", re.MULTILINE)
_BEGINNING = 100_000
"""Letters in which the marks of a format are looked for."""


def by_name(file: Path) -> str:
    """What a file is by its ending, and how to get at its manifests; empty for one that may hold them."""
    said = next((said for ending, said in _BY_ENDING.items() if file.name.endswith(ending)), "")
    return said.format(file=file)


def of_file(file: Path, text: str) -> str:
    """As `by_name`, for a file whose text is known as well."""
    text = text[:_BEGINNING]
    if file.name.endswith(".hcl") and _NOMAD_JOB.search(text):
        return _NOMAD
    if said := by_name(file):
        return said
    if _TERRAFORM_BLOCK.search(text):
        return _TERRAFORM
    if file.suffix == ".toml":
        return _FLY if _FLY_TABLE.search(text) else "a file of TOML: it holds no manifests"
    if section := _SECTION.match(text):
        return _FLY if section[1] == "build" else _UNIT
    return f"a template of ytt: render it (ytt --file {file} | {PROGRAM} audit -)" if _YTT.search(text) else ""
