"""convex-k8s: overlay files in, Kubernetes manifests out. `python3 main.py --help` lists the commands."""

import sys
from pathlib import Path

MAIN = Path(__file__).resolve()
sys.path[:0] = [str(MAIN.parent / "constructs"), str(MAIN.parent)]

from convexctl import process  # noqa: E402

if __name__ == "__main__":
    process.require_packages(MAIN)
    process.run_and_leave()
