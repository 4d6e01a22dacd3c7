"""How long synth takes, against an empty cdk8s-plus-27 app in the same run, and `helm template` of an equal chart.

usage: make benchmark, or python benchmarks/synth.py [ROUNDS]

Each round runs every candidate once, in turn, as a whole process; the ratio is that of the medians.
"""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
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

HELM_TEMPLATES = ROOT / "dist" / "production" / "convex.k8s.yaml"


def seconds(command: list[str]) -> float:
    started = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True, cwd=ROOT)
    return time.perf_counter() - started


def helm_command(folder: Path) -> list[str] | None:
    """`helm template` of a chart with the same objects, the values of which are filled in by the template engine."""
    helm = shutil.which("helm") or shutil.which("helm", path=os.environ.get("KUBEBUILDER_ASSETS", ""))
    if helm is None:
        return None
    chart = folder / "chart"
    (chart / "templates").mkdir(parents=True)
    (chart / "Chart.yaml").write_text("apiVersion: v2\nname: convex\nversion: 0.0.1\n")
    manifests = HELM_TEMPLATES.read_text().replace("name: convex-", "name: {{ .Release.Name }}-")
    (chart / "templates" / "all.yaml").write_text(manifests)
    return [helm, "template", "convex", str(chart)]


def main(rounds: int) -> None:
    os.environ["JSII_NODE"] = choose()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        empty = folder / "empty.py"
        empty.write_text(EMPTY_APP)
        candidates = {
            "empty cdk8s-plus-27 app": [sys.executable, str(empty), str(folder / "empty")],
            "main.py, both overlays": [sys.executable, "main.py", "--output", str(folder / "dist"), "--quiet"],
        }
        helm = helm_command(folder)
        if helm:
            candidates["helm template"] = helm
        for command in candidates.values():
            seconds(command)
        times: dict[str, list[float]] = {label: [] for label in candidates}
        for _ in range(rounds):
            for label, command in candidates.items():
                times[label].append(seconds(command))
        peer = statistics.median(times["empty cdk8s-plus-27 app"])
        print(f"{rounds} rounds, Node.js {os.environ['JSII_NODE']}")
        for label, measured in times.items():
            median = statistics.median(measured)
            spread = f"{min(measured):.2f} to {max(measured):.2f}"
            print(f"{label:28}{median:6.2f} s ({spread})   {median / peer:5.2f} x the empty app")
        if not helm:
            print("helm is not on PATH, so it was not measured")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 10)
