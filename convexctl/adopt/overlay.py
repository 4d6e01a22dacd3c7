"""From a release to an overlay: only what differs from the defaults, corrected by what the release really does.

Values say what somebody wanted, and the chart does not always pass them on. What the database has pinned (its engine,
the kind of storage), and what the pods run, is read off the manifest.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import yaml
from convex_k8s.values import Values

from convexctl.adopt import edge, pods, stores, variables
from convexctl.adopt.draft import Draft, differing, laid_over, split, switched_on
from convexctl.adopt.release import Release
from convexctl.behaviour import Backend, predict
from convexctl.behaviour.manifests import dig, text
from convexctl.errors import UserError

_WIDTH = 110


@dataclass(frozen=True)
class Derived:
    """What a release becomes."""

    values: dict[str, Any]
    """The overlay's values: only what differs from the defaults."""
    notes: dict[str, str]
    lost: list[str]
    unknown: list[str]
    """Values of the user's that are no parameters here, with their places."""

    def text(self, release: Release) -> str:
        """The overlay's file."""
        revision = f", revision {release.revision}" if release.revision else ""
        lines = [
            "# yaml-language-server: $schema=./schema.json",
            "#",
            f"# From the Helm release {release.name} in the namespace {release.namespace}{revision}: what differs from "
            "the defaults.",
            "# From here on this file says what the environment is.",
        ]
        lines += _paragraph("Taken from what the release runs:", [f"{key}: {why}" for key, why in self.notes.items()])
        lines += _paragraph("Not taken over:", [*self.unknown, *self.lost])
        body = yaml.safe_dump(self.values, sort_keys=False, width=_WIDTH, allow_unicode=True)
        return "\n".join([*lines, "", body])


def derive(release: Release, secrets: Iterable[Mapping[str, Any]] | None) -> Derived:
    """The overlay of a release.

    `secrets` are the Secrets of its pods with their keys, without values; None if the cluster cannot be asked.
    Raises `UserError` if no container of the release runs Convex.
    """
    known, unknown = split(Values, release.given, ())
    base = split(Values, release.effective, ())[0]
    draft = Draft(laid_over(switched_on(base), known))
    known_keys = None if secrets is None else {text(dig(secret, "metadata", "name")): secret for secret in secrets}
    backend = the_backend(release, list((known_keys or {}).values()))
    draft.put("releaseName", release.name)
    draft.put("namespace", release.namespace)
    pods.replicas(draft)
    pods.images(draft, release)
    pods.placement(draft, release)
    stores.database(draft, backend)
    stores.instance(draft, backend)
    stores.s3(draft, backend, known_keys)
    stores.volume(draft, release, backend)
    edge.edge(draft, release, backend)
    defaults = variables.our_variables()
    variables.variables(draft, backend, defaults)
    variables.retention(draft, backend, defaults)
    variables.concurrency(draft, backend, defaults)
    variables.sources(draft, release, backend, known_keys)
    _accept_loss(draft)
    draft.take_secrets_out()
    return Derived(differing(draft.values), draft.notes, draft.lost, unknown)


def the_backend(release: Release, secrets: Iterable[Mapping[str, Any]] = ()) -> Backend:
    """What the release's backend does. Raises `UserError` if it is no Convex."""
    for backend in predict([*release.manifests, *secrets]).backends:
        if (backend.kind, backend.name) == ("StatefulSet", f"{release.name}-backend"):
            return backend
    raise UserError(f"StatefulSet/{release.name}-backend runs no Convex backend, by its image, command and ports")


def _accept_loss(draft: Draft) -> None:
    """Behind an Ingress an overlay must say that data goes with the pod: here it does so already."""
    if draft.get("ingress.enabled") is not True or draft.get("backend.persistence.enabled"):
        return
    outside = draft.get("postgres.enabled") is True or draft.get("mysql.enabled") is True
    if not outside or draft.get("s3.enabled") is False:
        why = "the release has no volume either, and a StatefulSet that is there can get none by a template"
        draft.put("backend.persistence.allowEphemeralData", True, why)


def _paragraph(title: str, entries: list[str]) -> list[str]:
    return ["#", f"# {title}", *(f"# - {entry}" for entry in entries)] if entries else []
