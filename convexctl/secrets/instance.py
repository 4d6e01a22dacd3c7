"""The name and the secret of a Convex instance, from where they are: a Secret in the cluster, the pod, the environment.

An instance secret that exists is never replaced by accident: every admin key hangs on it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from convex_k8s.values import Values

from convexctl.errors import UserError
from convexctl.project import PROGRAM
from convexctl.secrets.value_rules import instance_name_problems, instance_secret_problems
from convexctl.tools.kubectl import Kubectl, KubectlError

NAME, SECRET = "INSTANCE_NAME", "INSTANCE_SECRET"
"""The variables of the backend, and of the environment here."""

_CREDENTIALS = "/convex/data/credentials"
"""Where upstream's entry point keeps the name and the secret that the backend runs with, wherever they came from."""


class InstanceNotFoundError(UserError):
    """Neither cluster nor environment has the name or the secret; the message says where they were looked for."""


@dataclass(frozen=True)
class Instance:
    """A Convex instance: what an admin key is made from, and where that was found."""

    name: str
    secret: str = field(repr=False)
    origin: str
    """Where the secret comes from, for messages."""
    notes: tuple[str, ...] = ()
    """What else was seen on the way."""


def database_secret(values: Values) -> tuple[str, str] | None:
    """Secret and key of the instance name, where the database's Secret says it and the overlay does not."""
    if values.instance_name:
        return None
    database = values.postgres if values.postgres.enabled else values.mysql
    return database.existing_secret, database.keys.instance_name


def backend_pod(values: Values) -> str:
    """The name of the backend's pod."""
    return f"{values.release_name}-backend-0"


def in_pod(values: Values, kubectl: Kubectl) -> tuple[str, str] | None:
    """Name and secret that the running backend uses; None if its pod does not run. The name may be missing.

    Raises `KubectlError` if it runs and cannot be asked.
    """
    where = (backend_pod(values), "convex-backend")
    secret = f"{_CREDENTIALS}/instance_secret"
    try:
        lines = kubectl.read_files(*where, f"{_CREDENTIALS}/instance_name", secret)
    except KubectlError:
        lines = ["", *(kubectl.read_files(*where, secret) or [""])]
    return (lines[0].strip(), lines[1].strip()) if lines else None


def find_instance(values: Values, kubectl: Kubectl | None, environment: Mapping[str, str]) -> Instance:
    """The instance of an overlay: of the cluster where that can be asked, else of the environment.

    Without `kubectl` the cluster is not asked. Raises `InstanceNotFoundError`, with all reasons, where the secret or
    the name is nowhere to be found, and `UserError` where one is none that the backend would take.
    """
    name, secret, origin = values.instance_name, "", ""
    notes: list[str] = []
    reasons: list[str] = []
    if kubectl is None:
        reasons.append("the cluster was not asked")
    else:
        try:
            name, secret, origin = _in_cluster(values, kubectl)
        except KubectlError as error:
            reasons.append(f"the cluster cannot be asked: {error}")
        else:
            if not secret:
                reasons.append(f"not in {_expected(values)} ({kubectl.place()})")
    given = environment.get(SECRET, "")
    if secret and given and given != secret:
        notes.append(f"{SECRET} of the environment is another one, and is not used: the cluster's counts")
    if not secret and given:
        secret, origin = given, f"{SECRET} of the environment"
    if not secret:
        reasons.append(f"{SECRET} is not set in the environment")
        raise InstanceNotFoundError(f"no instance secret was found: {'; '.join(reasons)}")
    if not name:
        name = environment.get(NAME, "")
    if not name:
        reasons.append(f"{NAME} is not set in the environment")
        raise InstanceNotFoundError(f"no instance name was found: {'; '.join(reasons)}")
    faults = [f"the instance secret ({origin}): {problem}" for problem in instance_secret_problems(secret)]
    faults += [f"the instance name: {problem}" for problem in instance_name_problems(name)]
    if faults:
        raise UserError("\n".join(faults))
    return Instance(name, secret, origin, (*reasons, *notes))


def find_name(values: Values, kubectl: Kubectl | None, environment: Mapping[str, str]) -> tuple[str, str]:
    """The instance's name, and where it was found: in the overlay, else in the cluster, else in the environment.

    Without `kubectl` the cluster is not asked. Raises `InstanceNotFoundError`, with all reasons, where it is nowhere.
    """
    reference = database_secret(values)
    if reference is None:
        return values.instance_name, "the overlay"
    secret, key = reference
    reasons = ["the cluster was not asked"]
    if kubectl:
        try:
            found = kubectl.secrets([secret])
        except KubectlError as error:
            reasons = [f"the cluster cannot be asked: {error}"]
        else:
            if secret in found and (name := found[secret].data.get(key, b"").decode(errors="replace")):
                return name, f"the Secret {secret}, {kubectl.place()}"
            reasons = [f"not in the Secret {secret}, key {key} ({kubectl.place()})"]
    if name := environment.get(NAME, ""):
        return name, f"{NAME} of the environment"
    reasons.append(f"{NAME} is not set in the environment")
    raise InstanceNotFoundError(f"no instance name was found: {'; '.join(reasons)}")


def _in_cluster(values: Values, kubectl: Kubectl) -> tuple[str, str, str]:
    """Name, secret and the place of the secret; each empty if the cluster does not have it."""
    place = kubectl.place()
    name, secret_name = values.instance_name, values.instance_secret_name
    database = database_secret(values)
    wanted = [*([secret_name] if secret_name else []), *([database[0]] if database else [])]
    secrets = kubectl.secrets(dict.fromkeys(wanted))

    def read(secret: str, key: str) -> str:
        return secrets[secret].data.get(key, b"").decode(errors="replace") if secret in secrets else ""

    if database:
        name = read(*database)
    if secret_name and (secret := read(secret_name, values.instance_secret_key)):
        return name, secret, f"the Secret {secret_name}, {place}"
    if found := in_pod(values, kubectl):
        return name or found[0], found[1], f"the pod {backend_pod(values)}, {place}"
    return name, "", ""


def how_to_make(environment: str, values: Values, asked: str) -> str:
    """What a user does so that an environment, which a command line names by `asked`, gets its instance secret."""
    apply = f"kubectl apply -f dist/{environment}/"
    if not values.instance_secret_name:
        return f"the backend makes one at its first start: {apply}"
    return {
        "existing": f"make one: {PROGRAM} secrets {asked} --apply",
        "sealed-secrets": f"make one: {PROGRAM} secrets {asked} --seal, then synth and {apply}",
        "external-secrets": f"External Secrets Operator brings it from the store: {apply}",
        "bootstrap": f"the bootstrap Job makes one: {apply}",
    }[values.secrets.provider]


def _expected(values: Values) -> str:
    secret = values.instance_secret_name
    pod = f"a running pod {backend_pod(values)}"
    return f"the Secret {secret}, key {values.instance_secret_key}, nor in {pod}" if secret else pod
