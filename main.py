"""convex-k8s: overlay files in, Kubernetes manifests out. `python main.py --help` lists the commands."""

import importlib.util
import os
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
VENV = HERE / ".venv"
REQUIRED = ("cdk8s_plus_27", "cryptography", "pydantic", "yaml")


def main() -> int:
    """Run the command line; in the project's own .venv when this Python lacks the requirements."""
    missing = [name for name in REQUIRED if importlib.util.find_spec(name) is None]
    if missing and (VENV / "bin" / "python").exists() and Path(sys.prefix) != VENV:
        python = str(VENV / "bin" / "python")
        os.execv(python, [python, str(HERE / "main.py"), *sys.argv[1:]])  # noqa: S606
    if missing:
        print(f"Python packages are missing ({', '.join(missing)}): run `make synth` once", file=sys.stderr)
        return 1
    sys.path.insert(0, str(HERE / "constructs"))
    try:
        from convexctl.cli import run

        return run(sys.argv[1:])
    except KeyboardInterrupt:
        print("interrupted: nothing more was written", file=sys.stderr)
        # What the interruption cut off, in threads and at the end of the process, would still complain.
        sys.stderr.flush()
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
        return 130


if __name__ == "__main__":
    sys.exit(main())
