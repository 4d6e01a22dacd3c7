"""The command line: finds the command and turns its failure into a message and an exit code.

A command's module is imported only when it is called, so that `synth` never pays for a database driver.
"""

from __future__ import annotations

import argparse
import difflib
import importlib
import io
import os
import sys
from pathlib import Path
from typing import Any, TextIO

from convexctl import __version__
from convexctl.errors import FAILED, UserError
from convexctl.project import PROGRAM, folder
from convexctl.secret_arguments import Parser, refuse_secrets, shown_as_it_is
from convexctl.terminal import for_terminal, printable

COMMANDS = {
    "synth": "write dist/<overlay>/ from overlays/<overlay>.yaml (the default command)",
    "diff": "show what synth would change in dist/, or with --live in the cluster",
    "init": "make a GitOps repository that uses the package convex-k8s; overwrites nothing",
    "schema": "write overlays/schema.json, which editors use",
    "secrets": "make the Secrets that an environment's manifests refer to",
    "audit": "say what manifests of Convex, ours or anybody's, really do, and what is wrong with them",
    "adopt": "take over a Helm release in place, as an environment",
    "admin-key": "make or check an admin key of an environment",
    "provision": "print what an environment needs outside: SQL, bucket policy and commands, DNS names",
    "backup": "show when backups of an environment were made, or make one now",
    "restore": "replace everything in an environment with a backup",
    "verify": "check from outside whether a deployment works",
    "preflight": "check an environment's cluster, Secrets and, with --connect, its database and buckets",
}
DEFAULT_COMMAND = "synth"
_NAME = PROGRAM.removeprefix("python3 ")


def run(argv: list[str]) -> int:
    """Run the command that `argv` names and return the process's exit code.

    0: done. 1: the input or the environment is wrong. 2: the command line is wrong. Some commands add their own.
    Raises `KeyboardInterrupt`.
    """
    _open_closed_streams()
    _write_whatever_comes()
    if argv and argv[0] in ("-h", "--help"):
        _top_parser().print_help()
        return 0
    if argv and argv[0] == "--version":
        print(f"convex-k8s {__version__}")
        return 0
    command, rest = (argv[0], argv[1:]) if argv and not argv[0].startswith("-") else (DEFAULT_COMMAND, argv)
    if command not in COMMANDS:
        shown = command if shown_as_it_is(command) else "of that name"
        _top_parser().error(f"there is no command {shown}{_meant(command)}")
    module: Any = importlib.import_module(f"convexctl.commands.{command.replace('-', '_')}")
    parser = Parser(prog=f"{_NAME} {command}", description=COMMANDS[command])
    module.configure(parser)
    arguments = parser.parse_args(rest)
    refuse_secrets(parser, rest)
    _take_paths_for_names(arguments)
    try:
        code: int = module.run(arguments)
        sys.stdout.flush()
    except UserError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    except BrokenPipeError:
        _drop_output()
        return getattr(module, "TROUBLE", FAILED)
    except OSError as error:
        if error.filename is None:
            _drop_output()
        print(printable(f"{error.filename or 'the output'}: {error.strerror or error}"), file=sys.stderr)
        return getattr(module, "TROUBLE", FAILED)
    return code


def _take_paths_for_names(arguments: argparse.Namespace) -> None:
    """Accept the file of an overlay as its name: `overlays/production.yaml` is `production`."""
    overlays = getattr(arguments, "overlays", None) or folder("overlays")
    for option in ("overlay", "into"):
        given = getattr(arguments, option, None)
        if isinstance(given, list):
            setattr(arguments, option, [_overlay_name(name, overlays) for name in given])
        elif isinstance(given, str):
            setattr(arguments, option, _overlay_name(given, overlays))
    _take_values_for_overlay(arguments, overlays)


def _take_values_for_overlay(arguments: argparse.Namespace, overlays: Path) -> None:
    """With `--name`, take the first values file as the overlay, if it is one and no overlay is named."""
    if getattr(arguments, "overlay", None) != []:
        return
    layers: list[Any] = arguments.values
    files = [layer for layer in layers if isinstance(layer, Path)]
    if not files:
        return
    from convexctl.overlays.command_line_values import name_given

    name = _overlay_name(str(files[0]), overlays)
    if name_given(layers) and name != str(files[0]):
        arguments.overlay = [name]
        arguments.values = [layer for layer in layers if layer is not files[0]]


def _overlay_name(given: str, overlays: Path) -> str:
    """The name of an overlay that is given by its name, its file's name or its file's path; else what is given."""
    path = Path(given)
    if path.suffix not in (".yaml", ".yml"):
        return given
    root = overlays.resolve()
    for file in (path.parent.resolve() / path.name, (overlays / path.parent).resolve() / path.name):
        if file.is_file() and file.is_relative_to(root):
            return file.relative_to(root).with_suffix("").as_posix()
    return given


def _open_closed_streams() -> None:
    """Put /dev/null in the place of standard streams that the caller closed: a file opened later would take theirs."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open(mode, encoding="utf-8"))  # noqa: SIM115


def _write_whatever_comes() -> None:
    """Let a character that the caller's encoding lacks be written as an escape, and not end the program.

    What would steer a terminal is an escape as well: contexts, namespaces, and what kubectl prints are others' words.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
        if stream is sys.stderr or stream.isatty():
            _write_harmlessly(stream)


def _write_harmlessly(stream: TextIO) -> None:
    write = stream.write
    stream.__dict__["write"] = lambda text: write(for_terminal(text))


def _drop_output() -> None:
    """Let what Python still holds for the standard output go nowhere, so that it does not fail again at the end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _meant(command: str) -> str:
    name = _overlay_name(command, folder("overlays"))
    if any((folder("overlays") / f"{name}{ending}").is_file() for ending in (".yaml", ".yml")):
        return f": did you mean synth {name}?"
    close = difflib.get_close_matches(command, COMMANDS, n=1)
    return f": did you mean {close[0]}?" if close else f"; there are: {', '.join(COMMANDS)}"


def _top_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=_NAME,
        description="Self-hosted Convex on Kubernetes: overlay files in, manifests out.",
        epilog=f"`{_NAME} COMMAND --help` explains a command. Without one, `synth` runs.",
    )
    parser.add_argument("--version", action="store_true", help="print the version and exit")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    for name, summary in COMMANDS.items():
        commands.add_parser(name, help=summary)
    return parser
