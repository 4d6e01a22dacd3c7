"""What holds for all tests: where their caches are, the markers, and the last line of a run."""

from __future__ import annotations

import contextlib
import importlib
import os
import sys
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

import hypothesis
import pytest
from xdist.remote import Producer  # type: ignore[import-untyped]
from xdist.scheduler import LoadFileScheduling  # type: ignore[import-untyped]

from tests.support import secret_watch

# What synth remembers of the tests' runs is not kept in the cache of whoever runs them. Programs are unpacked there.
os.environ.setdefault("CONVEX_K8S_USERS_CACHE", os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache"))
os.environ["XDG_CACHE_HOME"] = tempfile.mkdtemp(prefix="convex-k8s-cache-")

# Without its bytecode every run of the program compiles all of it, for half a second.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

# No test is about time: on a loaded machine any example may take long.
hypothesis.settings.register_profile("suite", deadline=None)
hypothesis.settings.load_profile("suite")

HERE = Path(__file__).parent
FOLDERS = {"cluster": "cluster", "pods": "pods", "fuzz": "fuzz"}
"""Folder -> marker of all its tests."""
TOGETHER = {
    "without CRDs": (
        "cluster/test_preflight_cluster.py",  # first: it asks for what is in other namespaces
        *("cluster/test_adopt.py", "cluster/test_takeover.py", "cluster/test_moving_from_helm.py"),
        *("cluster/test_helm_chart.py", "cluster/test_secrets.py", "cluster/test_audit_live.py"),
        "cluster/test_preflight_connect.py",
    ),
    "with CRDs": (
        *("cluster/test_apply.py", "cluster/test_pairs.py", "cluster/test_secret_providers.py"),
        *("cluster/test_environment_readme_commands.py", "cluster/test_irreversible_changes.py"),
        *("cluster/test_dist_folders.py", "cluster/test_bootstrap.py", "cluster/test_control_plane.py"),
    ),
    "with an edge": ("cluster/test_edge.py", "cluster/test_edge_routes.py"),
}
"""Files that one worker runs one after the other, on one control plane. It is the slower the more kinds it serves."""
LONGEST = ("pods/test_behaviour_on_pods.py", "cluster/test_preflight_cluster.py", "cluster/test_apply.py")
"""Files that several workers begin with, so that none of them is what a run waits for at its end."""
PODS_END_AT = 0.6
"""By which part of the other files those of pods have begun, so that nothing waits for one at the end."""
PROCESSES = (
    *("audit/test_audit_command.py", "constructs/test_backup_bucket.py", "constructs/test_backup_scripts.py"),
    *("backups/test_restore_command.py", "changes/test_diff.py", "constructs/test_construct_monitoring.py"),
    *("constructs/test_bootstrap_script.py", "faults/test_file_system_faults.py", "overlays/test_sealed_files.py"),
    *("preflight/test_composed_url_on_postgres.py", "preflight/test_preflight_command.py"),
    *("preflight/test_preflight_mysql.py", "preflight/test_preflight_mysql_create.py"),
    *("preflight/test_preflight_mysql_server.py", "preflight/test_preflight_postgres.py"),
    *("preflight/test_provision_command.py", "project/test_cli.py"),
    *("project/test_package.py", "project/test_pipes.py", "project/test_terminal.py"),
    *("secrets/test_admin_key_command.py", "secrets/test_private_file.py", "secrets/test_secrets_command.py"),
    "synth/test_cdk8s_cli.py",
    *("synth/test_fleet.py", "synth/test_kustomize.py", "synth/test_output.py", "synth/test_watch.py"),
    *("tools/test_cluster_tools.py", "tools/test_node.py", "tools/test_run.py", "verify/test_verify_command.py"),
)
"""Files whose tests run other programs, or this one in a process of its own."""


def pytest_configure(config: pytest.Config) -> None:
    """Search what every test leaves behind for secret values."""
    secret_watch.install(config)
    config.pluginmanager.register(secret_watch)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark tests by their folder or file. Several workers take what needs long first, then what needs a cluster.

    Files of pods, which mostly wait, are spread over the first of the others, which mostly compute.
    """
    named = (*PROCESSES, *LONGEST, *(name for files in TOGETHER.values() for name in files))
    if gone := [name for name in named if not (HERE / name).is_file()]:
        raise pytest.UsageError(f"tests/conftest.py names files that are gone: {', '.join(gone)}")
    for item in items:
        place = item.path.relative_to(HERE)
        if marker := FOLDERS.get(place.parts[0]):
            item.add_marker(marker)
        if place.as_posix() in PROCESSES:
            item.add_marker("process")
    if hasattr(config, "workerinput"):
        turns = _turns([item.path for item in items])
        items.sort(key=lambda item: turns[item.path])


@pytest.hookimpl(tryfirst=True)
def pytest_collection(session: pytest.Session) -> None:
    """Let each worker import other files first, so that assertions are rewritten by one of them and read by the rest.

    In a fresh clone that is half of what collecting costs.
    """
    if inputs := getattr(session.config, "workerinput", None):
        files = sorted(HERE.glob("*/test_*.py"))
        start = len(files) * int(inputs["workerid"].removeprefix("gw")) // inputs["workercount"]
        for file in (*files[start:], *files[:start]):
            sys.path.insert(0, str(file.parent))  # as pytest does
            with contextlib.suppress(Exception, pytest.skip.Exception):  # collecting says it again
                importlib.import_module(file.stem)
            sys.path.remove(str(file.parent))


class Scheduling(LoadFileScheduling):  # type: ignore[misc]
    """Gives a worker a file at a time, or the files of `TOGETHER`."""

    def _split_scope(self, nodeid: str) -> str:
        file: str = super()._split_scope(nodeid)
        place = file.removeprefix("tests/")
        return next((name for name, files in TOGETHER.items() if place in files), file)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> Scheduling:
    """Say who runs what."""
    return Scheduling(config, log)


def _turns(paths: Iterable[Path]) -> dict[Path, tuple[int, float]]:
    """When each file has its turn."""
    turns: dict[Path, tuple[int, float]] = {}
    rest: dict[bool, list[Path]] = {True: [], False: []}
    for path in dict.fromkeys(paths):
        place = path.relative_to(HERE)
        if place.as_posix() in LONGEST:
            turns[path] = (0, LONGEST.index(place.as_posix()))
        elif place.parts[0] == "cluster":
            turns[path] = (1, 0)
        else:
            rest[place.parts[0] == "pods"].append(path)
    for on_pods, its in rest.items():
        share = PODS_END_AT if on_pods else 1
        turns |= {path: (2, share * number / len(its)) for number, path in enumerate(its)}
    return turns


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int | None:
    """A worker more than cores: tests on clusters wait for half of their time, tests on pods for most of it.

    A run without them (`make check`) gets no more than cores, because each worker collects all tests.
    """
    if "PYTEST_XDIST_AUTO_NUM_WORKERS" in os.environ:
        return None
    waits = not config.option.markexpr.startswith("not (cluster or pods")
    return (os.cpu_count() or 1) + (1 if waits else 0)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_sessionfinish(session: pytest.Session) -> Iterator[None]:
    """End a run with what was skipped, and what brings what that needs."""
    yield
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if reporter and not hasattr(session.config, "workerinput"):
        reasons = [str(report.longrepr) for report in reporter.stats.get("skipped", [])]
        if reasons:
            reporter.write_line(_skipped(reasons))


def _skipped(reasons: list[str]) -> str:
    control_plane = sum("KUBEBUILDER_ASSETS is not set" in reason for reason in reasons)
    parts = [f"Skipped: {len(reasons)}."]
    if control_plane:
        parts.append(f"{control_plane} need a control plane: `make cluster-tools` brings it.")
    if others := len(reasons) - control_plane:
        parts.append(f"{others} need other programs: docs/architecture.md#tests lists where they are looked for.")
    return " ".join(parts)
