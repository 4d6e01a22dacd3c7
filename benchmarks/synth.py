"""How long synth takes, beside an empty cdk8s-plus-27 app, `helm template` and `kustomize build` in the same run.

usage: make benchmark, or python benchmarks/synth.py [ROUNDS [FLEET...]]

Each round runs every candidate once, in turn, as a whole process; the ratio is that of the medians. A fleet of so many
environments is run once cold, once unchanged, and once with one overlay edited. The result is written to
docs/performance.md.
"""

from __future__ import annotations

import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "constructs")]

from convexctl.tools.node import choose  # noqa: E402

EMPTY_APP = """\
import sys
import cdk8s, cdk8s_plus_27
app = cdk8s.App(outdir=sys.argv[1])
cdk8s.Chart(app, "empty")
app.synth()
"""
TENANT = """\
extends: _tenant
namespace: tenant-{number}
releaseName: tenant-{number}
s3: {{bucket: tenant-{number}}}
ingress:
  dashboard: {{host: dashboard.tenant-{number}.example.org}}
  backend: {{host: api.tenant-{number}.example.org}}
  tls: [{{hosts: ["*.tenant-{number}.example.org"], secretName: tls}}]
"""
HELM_TEMPLATES = ROOT / "dist" / "production" / "convex.k8s.yaml"
PAGE = ROOT / "docs" / "performance.md"
MARK = "<!-- measured: written by make benchmark -->\n"


def seconds(command: list[str]) -> float:
    started = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True, cwd=ROOT)
    return time.perf_counter() - started


def measured(command: list[str]) -> tuple[float, int]:
    """Seconds, and the largest resident size in MiB of any process that it waited for."""
    code = (
        "import resource, subprocess, sys; code = subprocess.run(sys.argv[1:], stderr=subprocess.DEVNULL).returncode;"
        "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024); sys.exit(code)"
    )
    started = time.perf_counter()
    done = subprocess.run([sys.executable, "-c", code, *command], check=True, capture_output=True, text=True, cwd=ROOT)
    return time.perf_counter() - started, int(done.stdout)


def program(name: str) -> str | None:
    return shutil.which(name) or shutil.which(name, path=os.environ.get("KUBEBUILDER_ASSETS", ""))


def helm_command(folder: Path) -> list[str] | None:
    """`helm template` of a chart with the same objects, the values of which are filled in by the template engine."""
    helm = program("helm")
    if helm is None:
        return None
    chart = folder / "chart"
    (chart / "templates").mkdir(parents=True)
    (chart / "Chart.yaml").write_text("apiVersion: v2\nname: convex\nversion: 0.0.1\n")
    manifests = HELM_TEMPLATES.read_text().replace("name: convex-", "name: {{ .Release.Name }}-")
    (chart / "templates" / "all.yaml").write_text(manifests)
    return [helm, "template", "convex", str(chart)]


def medians(candidates: dict[str, list[str]], rounds: int) -> dict[str, float]:
    times: dict[str, list[float]] = {label: [] for label in candidates}
    for command in candidates.values():
        seconds(command)
    for _ in range(rounds):
        for label, command in candidates.items():
            times[label].append(seconds(command))
    return {label: statistics.median(found) for label, found in times.items()}


def single(folder: Path, rounds: int) -> Iterator[str]:
    """Two overlays: cold, and with nothing to do."""
    empty = folder / "empty.py"
    empty.write_text(EMPTY_APP)
    synth = [sys.executable, "main.py", "--quiet", "--output"]
    candidates = {
        "`python -c 'import yaml'`": [sys.executable, "-c", "import yaml"],
        "empty cdk8s-plus-27 app": [sys.executable, str(empty), str(folder / "empty")],
        "synth, two overlays, cold": [*synth, str(folder / "dist"), "--force"],
        "synth, nothing changed": [*synth, str(folder / "dist")],
    }
    if helm := helm_command(folder):
        candidates["`helm template` of an equal chart"] = helm
    if kustomize := program("kustomize"):
        candidates["`kustomize build dist/production`"] = [kustomize, "build", str(ROOT / "dist" / "production")]
    found = medians(candidates, rounds)
    peer = found["empty cdk8s-plus-27 app"]
    yield "| command | seconds | of the empty app |"
    yield "|---|---|---|"
    for label, median in found.items():
        yield f"| {label} | {median:.3f} | {median / peer:.2f} |"


def fleet(folder: Path, count: int, helm_s: float) -> str:
    overlays, dist = folder / f"overlays-{count}", folder / f"dist-{count}"
    overlays.mkdir()
    production = (ROOT / "overlays" / "production.yaml").read_text(encoding="utf-8")
    (overlays / "_tenant.yaml").write_text(production, encoding="utf-8")
    for number in range(count):
        (overlays / f"tenant-{number}.yaml").write_text(TENANT.format(number=number), encoding="utf-8")
    command = [sys.executable, "main.py", "--quiet", "--overlays", str(overlays), "--output", str(dist)]
    cold, memory = measured(command)
    same, _ = measured(command)
    (overlays / "tenant-0.yaml").open("a", encoding="utf-8").write("replicaCount: 1\n")
    one, _ = measured(command)
    ratio = f"{cold / (helm_s * count):.2f}" if helm_s else "not measured"
    return f"| {count:,} | {cold:.2f} | {cold / count * 1000:.1f} | {ratio} | {same:.2f} | {one:.2f} | {memory} |"


def fleets(folder: Path, counts: list[int]) -> Iterator[str]:
    helm = helm_command(folder / "for-fleets")
    helm_s = statistics.median(seconds(helm) for _ in range(20)) if helm else 0.0
    yield "| environments | cold, s | each, ms | of `helm template` calls | unchanged, s | one edited, s | MiB |"
    yield "|---|---|---|---|---|---|---|"
    for count in counts:
        yield fleet(folder, count, helm_s)


def machine() -> Iterator[str]:
    byte_code = "not written" if sys.dont_write_bytecode else "written"
    cores = len(os.sched_getaffinity(0))
    yield f"- {platform.system()} {platform.machine()}, {cores} cores, Python byte code {byte_code}"
    yield f"- Python {platform.python_version()}, {', '.join(f'{name} {version(name)}' for name in PACKAGES)}"
    node = subprocess.run([choose(), "--version"], capture_output=True, text=True, check=True)
    yield f"- Node.js {node.stdout.strip()}"


PACKAGES = ("cdk8s", "cdk8s-plus-27", "jsii", "pydantic")


def printed(lines: Iterator[str], page: list[str]) -> None:
    for line in lines:
        print(line, flush=True)
        page.append(line)
    page.append("")


def main(rounds: int, counts: list[int]) -> None:
    os.environ["JSII_NODE"] = choose()
    page: list[str] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "for-fleets").mkdir()
        os.environ["XDG_CACHE_HOME"] = str(folder / "cache")
        steps: list[Callable[[], Iterator[str]]] = [
            machine,
            lambda: single(folder, rounds),
            lambda: fleets(folder, counts),
        ]
        for step in steps:
            printed(step(), page)
    head = PAGE.read_text(encoding="utf-8").partition(MARK)[0]
    PAGE.write_text(head + MARK + "\n" + "\n".join(page), encoding="utf-8")


if __name__ == "__main__":
    given = [int(argument) for argument in sys.argv[1:]]
    main(given[0] if given else 10, given[1:] or [1, 10, 100, 1000])
