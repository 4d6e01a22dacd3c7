"""Which variables the backend of a release gets, one by one and from ConfigMaps or Secrets as a whole."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from convex_k8s import knobs
from convex_k8s.values.checks.backend import ON_THE_VOLUME, OWN_VARIABLES
from convex_k8s.values.secrets import ADMIN_KEY

from convexctl.adopt.draft import DEFAULTS, Draft
from convexctl.adopt.pods import containers
from convexctl.adopt.release import Release
from convexctl.behaviour import Backend
from convexctl.behaviour.backend import concurrency_variable
from convexctl.behaviour.manifests import dig, mapping, sequence, text
from convexctl.tools import node

_RETENTION = "DOCUMENT_RETENTION_DELAY"
_DASHBOARD_ONLY = "NEXT_PUBLIC_"
_EXTRA_CA = "NODE_EXTRA_CA_CERTS"
_DEFAULT_ADMIN_SECRET = text(DEFAULTS["backend"]["secretsName"])


def our_variables() -> Mapping[str, knobs.Scalar]:
    """What the constructs set where an overlay says nothing."""
    node.ready()
    from convex_k8s.knobs import COMPOSE_DEFAULTS

    return COMPOSE_DEFAULTS


def variables(draft: Draft, backend: Backend, defaults: Mapping[str, knobs.Scalar]) -> None:
    """Variables in the release's manifest that no parameter of an overlay sets."""
    for variable in backend.environment:
        name, value = variable.name, variable.text
        if name == _EXTRA_CA:
            draft.lost.append(
                f"{name}, the CA certificates of Node.js: put them into a Secret, named in backend.extraCaSecret"
            )
        if variable.from_secret or not value or name in OWN_VARIABLES or name in ON_THE_VOLUME:
            continue
        if name == ADMIN_KEY or name.startswith(_DASHBOARD_ONLY):
            continue
        try:
            setting: knobs.Scalar = True if name in knobs.PRESENCE else value
            written = knobs.written(name, setting)
        except ValueError as error:
            draft.lost.append(f"{name}: {error}, and so it did")
            continue
        default = defaults.get(name)
        if default is None or knobs.written(name, default) != written:
            draft.put(f"backend.env.{name}", setting, "as in the release")


def retention(draft: Draft, backend: Backend, defaults: Mapping[str, knobs.Scalar]) -> None:
    """Keep how long the release keeps old versions of documents."""
    seconds = backend.retention.value
    if isinstance(seconds, int) and draft.get(f"backend.env.{_RETENTION}") is None:
        why = "upstream's default, which the release has; it can be lowered once (tags before 2026-04-23: 7776000)"
        if seconds != defaults[_RETENTION]:
            draft.put(f"backend.env.{_RETENTION}", seconds, why)


def concurrency(draft: Draft, backend: Backend, defaults: Mapping[str, knobs.Scalar]) -> None:
    """Upstream runs four times as many actions at a time as an environment that says nothing."""
    for kind, most in mapping(backend.concurrency.value).items():
        name = concurrency_variable(kind)
        if isinstance(most, int) and draft.get(f"backend.env.{name}") is None and most != defaults[name]:
            draft.put(f"backend.env.{name}", most, "upstream's default, which the release has")


def sources(draft: Draft, release: Release, backend: Backend, secrets: Mapping[str, Mapping[str, Any]] | None) -> None:
    """ConfigMaps and Secrets that the release hands over whole, where something in them would be missed."""
    container = next(container for component, container in containers(release) if component == "backend")
    kept = []
    for entry in map(mapping, sequence(container.get("envFrom"))):
        name = text(dig(entry, "secretRef", "name"))
        if dig(entry, "configMapRef", "name") == f"{release.name}-config":
            continue
        if name and secrets is not None and not _missed(draft, name, secrets.get(name)):
            continue
        if name and secrets is None and name == (draft.get("backend.secretsName") or _DEFAULT_ADMIN_SECRET):
            draft.lost.append(
                f"keys of the Secret {name} besides {ADMIN_KEY}: name it under backend.envFrom if it has any"
            )
            continue
        kept.append(dict(entry))
    if kept:
        draft.put("backend.envFrom", kept, "keys in there become variables in the release")


def _missed(draft: Draft, name: str, secret: Mapping[str, Any] | None) -> bool:
    """Whether a Secret has a key that the backend would no longer get."""
    keys = set(mapping(mapping(secret).get("data"))) - {ADMIN_KEY}
    for section in ("postgres", "mysql", "s3", "instance"):
        if name == (draft.get(f"{section}.existingSecret") or dig(DEFAULTS, section, "existingSecret")):
            names = {**mapping(DEFAULTS[section]["keys"]), **mapping(draft.get(f"{section}.keys"))}
            keys -= set(map(text, names.values()))
    return bool(keys)
