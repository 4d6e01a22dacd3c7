"""How long synth takes, beside an empty cdk8s-plus-27 app, `helm template` and `kustomize build` in the same run.

usage: make benchmark, or python benchmarks/synth.py [ROUNDS [FLEET...]]

Each round runs every candidate once, in turn, as a whole process; the ratio is that of the medians. A fleet of so many
environments is run once cold, once unchanged, and once with one overlay edited; up to a thousand, beside one call of
`helm template` after the other. The result is written to docs/performance.md and docs/performance.svg.
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
from dataclasses import dataclass
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
    """Seconds, and the most memory in MiB that the process and all that it started had at a time (0 without /proc)."""
    started = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=ROOT)
    most = 0
    while process.poll() is None:
        most = max(most, sum(map(memory_of, descendants(process.pid))))
        time.sleep(0.1)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    return time.perf_counter() - started, most // 1024


def descendants(pid: int) -> list[int]:
    """A process and all that it started."""
    try:
        text = "".join(task.read_text() for task in Path(f"/proc/{pid}/task").glob("*/children"))
    except OSError:
        text = ""
    return [pid, *(each for child in text.split() for each in descendants(int(child)))]


def memory_of(pid: int) -> int:
    """KiB of a process, with its share of what it has in common with others."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("Pss:")), 0)


def watched(folder: Path, edits: int) -> list[float]:
    """Seconds from saving an overlay to its new manifests, with `synth --watch`."""
    overlays, dist = folder / "watched", folder / "watched-dist"
    overlays.mkdir()
    overlay, manifests = overlays / "one.yaml", dist / "one" / "convex.k8s.yaml"
    production = (ROOT / "overlays" / "production.yaml").read_text(encoding="utf-8")
    overlay.write_text(production, encoding="utf-8")
    command = [sys.executable, "main.py", "--quiet", "--watch", "--overlays", str(overlays), "--output", str(dist)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=ROOT)
    found: list[float] = []
    try:
        for edit in range(edits + 1):
            before = b"" if not manifests.exists() else manifests.read_bytes()
            started = time.perf_counter()
            overlay.write_text(f"{production}commonLabels: {{edit: 'e{edit}'}}\n", encoding="utf-8")
            while not manifests.exists() or manifests.read_bytes() == before:
                if time.perf_counter() - started > 60:
                    raise TimeoutError(f"edit {edit} was not seen")
                time.sleep(0.002)
            found.append(time.perf_counter() - started)
            time.sleep(0.3)
    finally:
        process.terminate()  # not SIGINT: what a background job starts ignores it
        process.wait(timeout=60)
    return found[1:]


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
    found["`synth --watch`, from saving to the new `dist/` (median of 20)"] = statistics.median(watched(folder, 20))
    peer = found["empty cdk8s-plus-27 app"]
    yield "| command | seconds | of the empty app |"
    yield "|---|---|---|"
    for label, median in found.items():
        yield f"| {label} | {median:.3f} | {median / peer:.2f} |"


@dataclass(frozen=True)
class Fleet:
    """What was measured of so many environments."""

    count: int
    cold: float
    same: float
    one: float
    memory: int
    helm: float
    """One call of `helm template` for each environment, in a loop; 0 if that was not measured."""

    def row(self, helm_s: float) -> str:
        """The line of the table. Where the loop would take too long, a call is taken to cost what others did."""
        loop = self.helm or helm_s * self.count
        of_helm = [f"{seconds / loop:.3f}" if loop else "not measured" for seconds in (self.cold, self.same)]
        each = self.cold / self.count * 1000
        return (
            f"| {self.count:,} | {self.cold:.2f} | {each:.1f} | {of_helm[0]} | {self.same:.2f} | {of_helm[1]} "
            f"| {self.one:.2f} | {self.memory} |"
        )


def fleet(folder: Path, count: int, helm: list[str] | None) -> Fleet:
    overlays, dist = folder / f"overlays-{count}", folder / f"dist-{count}"
    overlays.mkdir()
    production = (ROOT / "overlays" / "production.yaml").read_text(encoding="utf-8")
    (overlays / "_tenant.yaml").write_text(production, encoding="utf-8")
    for number in range(count):
        (overlays / f"tenant-{number}.yaml").write_text(TENANT.format(number=number), encoding="utf-8")
    command = [sys.executable, "main.py", "--quiet", "--overlays", str(overlays), "--output", str(dist)]
    cold, memory = measured(command)
    same, _ = measured(command)
    (overlays / "tenant-0.yaml").open("a", encoding="utf-8").write("commonLabels: {edited: 'yes'}\n")
    one, _ = measured(command)
    loop = sum(seconds(helm) for _ in range(count)) if helm and count <= LONGEST_LOOP else 0
    return Fleet(count, cold, same, one, memory, loop)


LONGEST_LOOP = 1000


def fleets(folder: Path, counts: list[int]) -> Iterator[str]:
    helm = helm_command(folder / "for-fleets")
    helm_s = statistics.median(seconds(helm) for _ in range(20)) if helm else 0.0
    yield (
        "| environments | cold, s | each, ms | of a loop of `helm template` | unchanged, s | of that loop "
        "| one edited, s | MiB |"
    )
    yield "|---|---|---|---|---|---|---|---|"
    found = []
    for count in counts:
        found.append(fleet(folder, count, helm))
        yield found[-1].row(helm_s)
    draw(found, helm_s)


def draw(found: list[Fleet], helm_s: float) -> None:
    """The chart beside the table, without a date, so that it changes only with the figures."""
    import matplotlib

    matplotlib.use("svg")
    matplotlib.rcParams["svg.hashsalt"] = "convex-k8s"
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(7, 4))
    counts = [one.count for one in found]
    lines = {
        "helm template, one call each": [one.helm or helm_s * one.count for one in found],
        "synth, cold": [one.cold for one in found],
        "synth, one overlay edited": [one.one for one in found],
        "synth, nothing changed": [one.same for one in found],
    }
    for label, values in lines.items():
        axes.loglog(counts, values, marker="o", label=label)
    axes.set_xlabel("environments")
    axes.set_ylabel("seconds")
    axes.grid(visible=True, which="both", alpha=0.2)
    axes.legend()
    figure.tight_layout()
    figure.savefig(PAGE.with_suffix(".svg"), metadata={"Date": None})


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
    main(given[0] if given else 10, given[1:] or [1, 10, 100, 1000, 10000])
