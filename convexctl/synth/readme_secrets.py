"""The part of an environment's README about its Secrets."""

from __future__ import annotations

from collections.abc import Iterable

from convex_k8s.values.secrets import ADMIN_KEY

from convexctl.project import PROGRAM
from convexctl.secrets.makers import Maker, makers
from convexctl.secrets.needed import VARIABLES, NeededSecret, Reference, file_variable, needed_secrets
from convexctl.synth.readme_backups import jobs_that_read
from convexctl.synth.readme_objects import Objects, name_of


def secrets(name: str, objects: Objects) -> str:
    """Every Secret that the environment needs: who makes it, its keys, and the commands to make it by hand."""
    needed = [secret for secret in needed_secrets(objects.all) if secret.use != "certificate"]
    made = makers(objects.all)
    by_hand = [secret for secret in needed if secret.name not in made]
    new_instance = "INSTANCE_SECRET" in _targets(by_hand)
    asked = [secret for secret in by_hand if secret.use != "all keys" and (new_instance or not _is_admin_key(secret))]
    lines = []
    if any(not secret.optional for secret in asked):
        names = f"the Secret{'' if len(asked) == 1 else 's'} {_and([f'`{secret.name}`' for secret in asked])}"
        made_too = " It makes the instance secret and the admin key too." if ADMIN_KEY in _targets(asked) else ""
        made_too = made_too or (" It makes the instance secret too." if new_instance else "")
        lines.append(
            f"`{PROGRAM} secrets {name} --apply` asks for the values, checks them and makes {names}.{made_too} By hand:"
        )
    elif any(not secret.optional for secret in by_hand):
        lines.append("Only you know the keys of what is not optional here:")
    elif made.keys() & {secret.name for secret in needed}:
        lines.append("You make no Secret: what the backend needs to start is made in the cluster, as described here.")
    else:
        lines.append("No Secret is needed to start.")
    for secret in needed:
        text = _text(name, made[secret.name]) if secret.name in made else _secret(secret, objects)
        if secret.optional and secret.name not in made:
            text = f"{_optional(name, secret, objects, new_instance=new_instance)}\n\n{text}"
        lines.append(f"### Secret `{secret.name}`\n\n{text}")
    if needed:
        restart = f"kubectl{objects.in_namespace} rollout restart statefulset/{name_of(objects.backend)}"
        lines.append(
            "The pods read their Secrets when they start. A change of the manifests restarts them. After a "
            f"change of a Secret, restart them yourself: `{restart}`."
        )
    certificates = [secret for secret in needed_secrets(objects.all) if secret.use == "certificate"]
    if certificates:
        issued = [secret for secret in certificates if secret.name in made]
        if issued:
            lines.append(f"cert-manager makes the certificate{'' if len(issued) == 1 else 's'} {_listed(issued)}.")
        if own := [secret for secret in certificates if secret.name not in made]:
            create = f"kubectl{objects.in_namespace} create secret tls"
            commands = [f"{create} {secret.name} --cert=FILE --key=FILE" for secret in own]
            lines.append("\n".join([f"Certificates: {_listed(own)}:", "", "```sh", *commands, "```"]))
    return "\n\n".join(lines)


def _text(name: str, maker: Maker) -> str:
    """Who makes a Secret, as the README tells it."""
    match maker.by:
        case "external-secrets":
            store = maker.manifest["spec"]["secretStoreRef"]
            return (
                f"External Secrets Operator makes it from the {store['kind']} `{store['name']}`: "
                f"`{PROGRAM} secrets {name}` says what that must hold."
            )
        case "sealed-secrets":
            return (
                "The controller of Sealed Secrets makes it from the SealedSecret in `convex.k8s.yaml`: "
                f"`{PROGRAM} secrets {name} --seal` seals other values."
            )
        case "cloudnative-pg":
            return f"CloudNativePG makes it with its Cluster `{maker.name}`. Leave it to the operator."
        case _:
            return f"The Job `{maker.name}` makes it in the cluster, once: it is never changed afterwards."


def _listed(certificates: Iterable[NeededSecret]) -> str:
    return ", ".join(f"`{secret.name}` ({secret.references[0].target})" for secret in certificates)


def _targets(secrets: Iterable[NeededSecret]) -> set[str]:
    return {reference.target for secret in secrets for reference in secret.references}


def _is_admin_key(secret: NeededSecret) -> bool:
    return _targets([secret]) == {ADMIN_KEY}


def _secret(secret: NeededSecret, objects: Objects) -> str:
    create = f"kubectl{objects.in_namespace} create secret"
    if secret.use == "all keys":
        return (
            "All its keys become variables of the backend.\n\n"
            f"```sh\n{create} generic {secret.name} --from-env-file=FILE   # lines NAME=VALUE\n```"
        )
    if secret.use == "image pull":
        return (
            "Credentials for the image registry, in a file as `docker login` writes it.\n\n"
            f"```sh\n{create} docker-registry {secret.name} --from-file=.dockerconfigjson=FILE\n```"
        )
    keys = secret.keys()
    rows = ["| key | what it is |", "|---|---|"]
    of_jobs = bool(jobs_that_read(secret.name, objects))
    for key, reference in keys.items():
        if of_jobs:
            rows.append(f"| `{key}` | an admin key (`{PROGRAM} admin-key` makes one) |")
            continue
        rows.append(f"| `{key}` | {_meaning(reference, objects)}{' (optional)' if reference.optional else ''} |")
    files = [f"--from-file={key}=FILE" for key, reference in keys.items() if reference.use == "file"]
    pairs = {
        key: VARIABLES[item.target].placeholder if item.target in VARIABLES else "VALUE"
        for key, item in keys.items()
        if item.use != "file"
    }
    if not pairs:
        commands = f"{create} generic {secret.name} {' '.join(files)}"
    else:
        # The values go through a file, so that none of them ends in the shell's history.
        env_file = f"{secret.name}.env"
        commands = "\n".join(
            [
                f"(umask 077; cat > {env_file}) <<'END'",
                *(f"{key}={placeholder}" for key, placeholder in pairs.items()),
                "END",
                f'"${{EDITOR:-vi}}" {env_file}   # put the values in',
                f"{create} generic {secret.name} --from-env-file={env_file}{''.join(f' {file}' for file in files)} &&",
                f"  rm {env_file}",
            ]
        )
    paragraphs = ["\n".join(rows), f"```sh\n{commands}\n```"]
    for key, reference in keys.items():
        if reference.target == "S3_ENDPOINT_URL" and reference.optional:
            paragraphs.insert(
                -1,
                f"For Amazon S3 itself, delete the line `{key}` from the file: the backend would take an empty "
                "value for an endpoint.",
            )
    return "\n\n".join(paragraphs)


def _meaning(reference: Reference, objects: Objects) -> str:
    if reference.use == "file":
        container = objects.backend["spec"]["template"]["spec"]["containers"][0]
        postgres = "POSTGRES_URL" in [variable["name"] for variable in container.get("env") or []]
        return VARIABLES[file_variable(reference, "postgres" if postgres else "mysql")].meaning
    own = f"what your own container reads as `{reference.target}`"
    return VARIABLES[reference.target].meaning if reference.target in VARIABLES else own


def _optional(name: str, secret: NeededSecret, objects: Objects, *, new_instance: bool) -> str:
    jobs = jobs_that_read(secret.name, objects)
    text = f"Only {_and(jobs)} read{'s' if len(jobs) == 1 else ''} it; all else runs without it." if jobs else ""
    text = text or "Optional: all pods start without it."
    if not _is_admin_key(secret):
        return text
    if not new_instance:
        text += f" `{PROGRAM} secrets {name} --apply` makes it once the backend has its instance secret."
    if jobs:
        return text
    restart = f"kubectl{objects.in_namespace} rollout restart statefulset/{name_of(objects.backend)}"
    others = (
        "The dashboard, and `npx convex` outside the pod, need"
        if objects.dashboard
        else "Calls of `npx convex` outside the pod need"
    )
    return (
        f"{text} If you make it while the pod runs, the pod sees the key only after its next start "
        f"(`{restart}`). {others} neither this Secret nor the restart."
    )


def _and(names: list[str]) -> str:
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)
