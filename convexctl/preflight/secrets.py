"""Checks of the Secrets that an environment refers to: whether each is there, with every key, and what is wrong in it.

A value is read and judged, and never shown.
"""

from __future__ import annotations

import difflib
import functools
from collections.abc import Collection, Iterator

from convex_k8s.values.secrets import ADMIN_KEY

from convexctl.preflight.check import Check, failed, ok, skipped
from convexctl.preflight.cluster import CLUSTER, NAMESPACE
from convexctl.preflight.manifests import not_ready
from convexctl.preflight.questions import Question
from convexctl.project import PROGRAM
from convexctl.secrets.admin_key import AdminKeyError, open_admin_key
from convexctl.secrets.instance import NAME, SECRET
from convexctl.secrets.makers import Maker, makers
from convexctl.secrets.needed import NeededSecret, needed_secrets
from convexctl.secrets.plan import PULL_TYPE, Entry, plan_secrets
from convexctl.secrets.value_problems import value_problems
from convexctl.synth.environment import Environment
from convexctl.tools.kubectl import ClusterSecret, Kubectl, KubectlError

_CLUSTER = "cluster.postgresql.cnpg.io"
_CERTIFICATE_KEYS = ("tls.crt", "tls.key")


def title(secret: str) -> str:
    """The name of the check of a Secret."""
    return f"secret {secret}"


class SecretChecks:
    """The Secrets of an environment, read once, when the first of them is asked for."""

    def __init__(self, environment: Environment, kubectl: Kubectl) -> None:
        self._overlay = environment.overlay.asked
        self._kubectl = kubectl
        self._values = environment.overlay.values
        self._plan = plan_secrets(self._values, environment.manifests, everything=True, operators=True)
        self._manifests = environment.manifests
        self._needed = needed_secrets(environment.manifests)
        self._makers = makers(environment.manifests)

    def questions(self) -> list[Question]:
        """One check a Secret."""
        return [self._question(needed) for needed in self._needed]

    def given(self, variable: str) -> str | None:
        """What a Secret gives a variable of the backend, or the content of a file; None if it gives nothing.

        Raises `KubectlError` if that cannot be known.
        """
        for entry in self._plan.entries:
            if entry.variable == variable and (value := self._read(entry)) is not None:
                return value.decode(errors="replace")
        return None

    def wrong(self, variables: Collection[str]) -> str:
        """The name of the check of a Secret that should give one of the variables and does not do so rightly.

        Empty if all are right, or come from elsewhere. Raises `KubectlError` if that cannot be known.
        """
        for entry in self._plan.entries:
            if entry.variable in variables:
                value = self._read(entry)
                if value is None and entry.optional:
                    continue
                if value is None or value_problems(entry.variable, value, self._values.engine):
                    return title(entry.secret)
        return ""

    @functools.cached_property
    def _answer(self) -> dict[str, ClusterSecret] | KubectlError:
        try:
            return self._kubectl.secrets(needed.name for needed in self._needed)
        except KubectlError as error:
            return error

    def _find(self, name: str) -> ClusterSecret | None:
        if isinstance(self._answer, KubectlError):
            raise self._answer
        return self._answer.get(name)

    def _read(self, entry: Entry) -> bytes | None:
        secret = self._find(entry.secret)
        return secret.data.get(entry.key) if secret else None

    def _question(self, needed: NeededSecret) -> Question:
        return Question(title(needed.name), lambda: self._check(needed), (CLUSTER, NAMESPACE))

    def _check(self, needed: NeededSecret) -> Check:
        secret = self._find(needed.name)
        if secret is None:
            return self._absent(needed)
        problems = list(self._problems(needed, secret))
        if problems:
            return failed(title(needed.name), "; ".join(problems), self._cure(needed))
        keys = [key for key in self._keys(needed) if key in secret.data]
        return ok(title(needed.name), f"there, with {', '.join(keys)}" if keys else "there")

    def _absent(self, needed: NeededSecret) -> Check:
        maker = self._makers.get(needed.name)
        if maker and maker.by == "cert-manager":
            issuer = f"{maker.kind} {maker.name}".strip()
            return skipped(title(needed.name), f"not there yet: cert-manager makes it ({issuer})")
        if maker:
            return self._not_made_yet(needed, maker)
        if needed.optional and needed.use != "certificate":
            return ok(title(needed.name), "not there, and everything starts without it")
        return failed(title(needed.name), "there is none of that name", self._cure(needed))

    def _not_made_yet(self, needed: NeededSecret, maker: Maker) -> Check:
        operator = maker.by == "cloudnative-pg"
        resource = _CLUSTER if operator else maker.kind.lower()
        try:
            found = self._kubectl.find(resource, maker.name)
        except KubectlError:
            found = None
        if found is None and operator and not self._makes(maker):
            remedy = "create it, or correct postgres.cloudNativePG.cluster"
            return failed(title(needed.name), f"there is no Cluster {maker.name} of CloudNativePG to make it", remedy)
        if found is None:
            return skipped(title(needed.name), f"not there yet: the {maker.kind} {maker.name} makes it, once applied")
        if problem := not_ready(found):
            detail = f"the {maker.kind} {maker.name} is there and cannot make it: {problem}"
            return failed(
                title(needed.name),
                detail,
                f"see `kubectl describe {resource} {maker.name}{self._kubectl.options()}`",
            )
        return skipped(title(needed.name), f"not there yet: the {maker.kind} {maker.name} is at work")

    def _makes(self, maker: Maker) -> bool:
        """Whether the manifests themselves have the object that makes a Secret."""
        return any((each["kind"], each["metadata"]["name"]) == (maker.kind, maker.name) for each in self._manifests)

    def _problems(self, needed: NeededSecret, secret: ClusterSecret) -> Iterator[str]:
        if needed.use == "certificate":
            yield from (f"it has no key {key}" for key in _CERTIFICATE_KEYS if key not in secret.data)
            return
        if needed.use == "image pull" and secret.type != PULL_TYPE:
            yield f"its type is {secret.type}, and the kubelet reads {PULL_TYPE} alone: delete it, for no type changes"
        for entry in self._entries(needed):
            value = secret.data.get(entry.key)
            if value is None:
                if not entry.optional or needed.use == "image pull":
                    yield f"it has no key {entry.key}{self._hint(needed, secret, entry.key)}"
                continue
            yield from (f"{entry.key}: {text}" for text in value_problems(entry.variable, value, self._values.engine))
            if entry.variable == ADMIN_KEY:
                yield from self._admin_key_problems(entry, value)

    def _hint(self, needed: NeededSecret, secret: ClusterSecret, key: str) -> str:
        """The key that was probably meant: the Helm chart has called some differently, and every name is a setting."""
        values = self._values
        owner = {
            values.instance.existing_secret: "instance",
            values.mysql.existing_secret: "mysql",
            values.postgres.existing_secret: "postgres",
            values.s3.existing_secret: "s3",
        }.get(needed.name)
        others = sorted(secret.data.keys() - set(self._keys(needed)))
        close = difflib.get_close_matches(key, others, n=1)
        return f", but {close[0]}: name that one under {owner}.keys" if owner and close else ""

    def _admin_key_problems(self, entry: Entry, value: bytes) -> Iterator[str]:
        name, secret = self._values.instance_name or self.given(NAME), self.given(SECRET)
        if not (name and secret) or value_problems(SECRET, secret.encode(), None):
            return
        try:
            open_admin_key(value.decode(errors="replace"), name, secret)
        except AdminKeyError as error:
            yield f"{entry.key}: {error}"

    def _cure(self, needed: NeededSecret) -> str:
        here = self._kubectl.options()
        if maker := self._makers.get(needed.name):
            return _remedy(maker, self._overlay, here)
        match needed.use:
            case "certificate":
                return (
                    f"kubectl create secret tls {needed.name} --cert=FILE --key=FILE{here}, or let cert-manager make it"
                )
            case "all keys":
                return f"kubectl create secret generic {needed.name} --from-env-file=FILE{here}"
            case _:
                return f"{PROGRAM} secrets {self._overlay} --apply{here}"

    def _entries(self, needed: NeededSecret) -> list[Entry]:
        return [entry for entry in self._plan.entries if entry.secret == needed.name]

    def _keys(self, needed: NeededSecret) -> list[str]:
        if needed.use == "certificate":
            return list(_CERTIFICATE_KEYS)
        return [entry.key for entry in self._entries(needed)]


def _remedy(maker: Maker, overlay: str, here: str) -> str:
    """What to do where the Secret that was made is wrong."""
    match maker.by:
        case "external-secrets":
            return "correct the value in the store"
        case "sealed-secrets":
            return f"seal the value again: {PROGRAM} secrets {overlay} --seal{here}"
        case "cloudnative-pg":
            return f"see `kubectl describe {_CLUSTER} {maker.name}{here}`"
        case "job":
            return f"{PROGRAM} secrets {overlay} --include-made --apply{here}"
        case _:
            return "delete it, and cert-manager makes it again"
