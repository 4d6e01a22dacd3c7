"""convex-k8s: overlay files in, Kubernetes manifests out. `python main.py --help` lists the commands."""

import os
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
VENV_PYTHON = HERE / ".venv" / "bin" / "python"


def main() -> int:
    """Run the command line; in the project's own .venv when this Python lacks the requirements."""
    sys.path.insert(0, str(HERE / "constructs"))
    try:
        from convexctl.cli import run
    except ModuleNotFoundError as missing:
        if VENV_PYTHON.exists() and Path(sys.prefix) != HERE / ".venv":
            os.execv(VENV_PYTHON, [str(VENV_PYTHON), str(HERE / "main.py"), *sys.argv[1:]])
        print(f"error: the Python package {missing.name} is not installed: run `make synth` once", file=sys.stderr)
        return 1
    return run(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
