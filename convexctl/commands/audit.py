"""`audit`: say what manifests of Convex really do, and what is wrong with them."""

from __future__ import annotations

import argparse
import difflib
import re
import sys
from typing import TYPE_CHECKING, Any

from convexctl.errors import FAILED, WRONG_USAGE, UserError

if TYPE_CHECKING:
    from convexctl.behaviour import Role


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("file", nargs="*", help="manifests: files, folders, or - for the standard input")
    parser.add_argument("--live", action="store_true", help="ask the cluster of kubectl's current context instead")
    parser.add_argument("-n", "--namespace", default="", help="namespace for --live (default: kubectl's own)")
    parser.add_argument("--context", default="", help="kubectl's context for --live (default: its current one)")
    parser.add_argument("--format", choices=("text", "json", "sarif"), default="text", help="default: text")
    parser.add_argument("--verbose", action="store_true", help="show every decision and every place, as text")
    parser.add_argument(
        "--fail-on", choices=("error", "warning"), help="exit with 1 when there is a finding at least as bad"
    )
    parser.add_argument(
        "--image",
        action="append",
        default=[],
        metavar="backend=NAME|dashboard=NAME",
        help="also treat images of this name as Convex; give the name without a tag (may be repeated)",
    )
    parser.add_argument(
        "--secret",
        action="append",
        default=[],
        metavar="NAME=KEY,KEY",
        help="names of the keys of a Secret that is not among the manifests; do not give values (may be repeated)",
    )
    parser.add_argument("--explain", metavar="RULE", default="", help="print what a rule finds, why, and the cures")
    parser.add_argument("--rules", action="store_true", help="print every rule with its reason, as Markdown")


def run(arguments: argparse.Namespace) -> int:
    """Audit and print; the exit code is 1 if `--fail-on` says so."""
    if arguments.rules:
        from convexctl.audit.documentation import markdown

        print(markdown(), end="")
        return 0
    if arguments.explain:
        from convexctl.audit.documentation import explain
        from convexctl.audit.rules import RULES

        found = next((rule for rule in RULES if rule.id == arguments.explain), None)
        if found is None:
            near = difflib.get_close_matches(arguments.explain, [rule.id for rule in RULES], n=1)
            hint = f"; did you mean {near[0]}?" if near else ""
            raise UserError(f"audit: there is no rule of that name{hint}", WRONG_USAGE)
        print(explain(found), end="")
        return 0
    if bool(arguments.file) == arguments.live:
        raise UserError("audit: name manifests (files, folders, or -), or ask the cluster with --live", WRONG_USAGE)
    images = dict(_image(entry) for entry in arguments.image)

    from convexctl.audit import RULES, Severity, audit, formats, live, reading
    from convexctl.audit.accepted import unknown
    from convexctl.audit.secret_names import unknown_secrets
    from convexctl.tools.kubectl import Kubectl

    documents = None
    complete: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    if arguments.live:
        there = live.read(Kubectl(arguments.context, arguments.namespace))
        manifests, complete, notes = there.manifests, there.complete, there.notes
    else:
        documents = reading.read(arguments.file)
        manifests, notes = documents.plain(), (*documents.unrendered, *documents.repeated())
    if problems := list(unknown(manifests, {rule.id for rule in RULES})):
        raise UserError("\n".join(problems))
    secrets = [_secret(entry) for entry in arguments.secret]
    for said in unknown_secrets(manifests, [secret["metadata"]["name"] for secret in secrets]):
        print(f"warning: --secret: {said}", file=sys.stderr)
    report = audit([*manifests, *secrets], documents=documents, images=images, complete=complete, notes=notes)
    if not report.behaviour.components:
        raise reading.nothing_found(documents, len(manifests), notes)
    write = {"json": formats.as_json, "sarif": formats.sarif}.get(arguments.format)
    print(write(report) if write else formats.text(report, verbose=arguments.verbose))
    sys.stdout.flush()
    return FAILED if arguments.fail_on and report.fails(Severity(arguments.fail_on)) else 0


def _secret(entry: str) -> dict[str, Any]:
    """A Secret with the keys that the user names, and without values."""
    name, equals, keys = entry.partition("=")
    if not name or not equals or not re.fullmatch(r"[A-Za-z0-9._-]{1,253}(,[A-Za-z0-9._-]{1,253})*", keys):
        raise UserError("audit: --secret must be NAME=KEY,KEY: the names of its keys, without values", WRONG_USAGE)
    return {"kind": "Secret", "metadata": {"name": name}, "data": dict.fromkeys(keys.split(","))}


def _image(entry: str) -> tuple[str, Role]:
    role, equals, name = entry.partition("=")
    if not equals or not name or role not in ("backend", "dashboard"):
        raise UserError(f"audit: --image {entry}: must be backend=NAME or dashboard=NAME", WRONG_USAGE)
    return name, "backend" if role == "backend" else "dashboard"
