"""`dist/<overlay>/README.md`: what an environment is, needs, does and leaves behind, read off its manifests."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from convex_k8s.values.checks.metadata import DATA_LABEL

from convexctl.behaviour import Behaviour
from convexctl.overlays.load import Overlay
from convexctl.project import PROGRAM
from convexctl.secrets.needed import needed_secrets
from convexctl.synth.readme_backups import backups
from convexctl.synth.readme_before import besides
from convexctl.synth.readme_flows import flows
from convexctl.synth.readme_objects import Objects, name_of
from convexctl.synth.readme_picture import picture
from convexctl.synth.readme_reach import reach
from convexctl.synth.readme_secrets import secrets
from convexctl.wording import cell


def readme(overlay: Overlay, manifests: list[dict[str, Any]], behaviour: Behaviour, *, has_namespace: bool) -> str:
    """The README of the overlay's environment, in Markdown."""
    objects = Objects(manifests)
    name, asked = overlay.name, overlay.asked
    sections = [
        _head(overlay),
        picture(objects, behaviour),
        _decisions(behaviour),
        _before(overlay, objects, behaviour, has_namespace=has_namespace),
        _apply(name, objects, has_namespace=has_namespace),
        reach(objects, behaviour),
        _admin_key(asked, objects),
        backups(asked, objects),
        flows(objects, behaviour),
        _no_longer(asked, objects),
        _remove(name, objects, behaviour, has_namespace=has_namespace),
    ]
    return "\n\n".join(section for section in sections if section) + "\n"


def _head(overlay: Overlay) -> str:
    text = f"# {overlay.name}\n\nMade from the overlay `{overlay.file_name}`. Edit that, not this folder."
    if overlay.overlay:
        text += (
            f" It has no overlay of its own: `{PROGRAM} synth {overlay.asked}` makes it again, and a synth of all "
            "environments leaves it as it is. Delete the folder when the environment is over."
        )
    return text


def _before(overlay: Overlay, objects: Objects, behaviour: Behaviour, *, has_namespace: bool) -> str:
    name = overlay.name
    sections = ["## What must exist before"]
    if has_namespace:
        sections.append(f"The namespace: `kubectl apply -f dist/{name}/Namespace`.")
    elif objects.namespace:
        sections.append(f"The namespace: `kubectl create namespace {objects.namespace}`.")
    for cluster in objects.clusters:
        sections.append(
            f"The operator [CloudNativePG](https://cloudnative-pg.io), which serves the Cluster `{name_of(cluster)}`. "
            "No database is made by hand."
        )
    sections += [secrets(overlay.asked, objects), besides(overlay.asked, objects, behaviour)]
    return "\n\n".join(section for section in sections if section)


def _apply(name: str, objects: Objects, *, has_namespace: bool) -> str:
    folder = f"dist/{name}"
    commands = [
        *([f"kubectl apply -f {folder}/Namespace"] if has_namespace else []),
        f"kubectl apply -f {folder}/",
        *(
            f"kubectl{objects.in_namespace} wait --for=condition=Ready {each} --timeout=15m"
            for each in _servers(objects)
        ),
        f"kubectl{objects.in_namespace} rollout status statefulset/{name_of(objects.backend)} --timeout=10m",
    ]
    if objects.dashboard:
        commands.append(f"kubectl{objects.in_namespace} rollout status deployment/{name_of(objects.dashboard)}")
    text = "## Apply\n\n```sh\n" + "\n".join(commands) + "\n```\n\n"
    text += (
        f"`kubectl apply -k {folder}/` does the same, and a kustomization of your own can name this folder as a "
        "resource. For Argo CD and Flux it is an ordinary folder of manifests."
    )
    if has_namespace:
        text += (
            " The Namespace is in a file of its own, which none of them reads (Argo CD: `CreateNamespace=true`), "
            "because whoever deletes a namespace deletes the Secrets and volumes in it."
        )
    if not objects.namespace:
        text += (
            " The manifests name no namespace: add `-n NAMESPACE` to every command, or set `namespace` in the overlay."
        )
    return text


def _admin_key(name: str, objects: Objects) -> str:
    env = "With `--env` it prints the lines that `npx convex` needs in the `.env.local` of your project."
    if not objects.dashboard:
        return f"`{PROGRAM} admin-key {name}` makes an admin key. {env}"
    return f"The dashboard asks for an admin key: `{PROGRAM} admin-key {name}` makes one. {env}"


def _no_longer(name: str, objects: Objects) -> str:
    """What becomes of objects that a later version of the environment does not have."""
    return (
        "## Objects that a change removes\n\n"
        "If a change of the overlay removes an object, `kubectl apply` leaves that object in the cluster. "
        f"`{PROGRAM} diff {name}`, run before synth, ends with the line that deletes it "
        f"(`kubectl{objects.in_namespace} delete ...`). Argo CD (`automated.prune: true`) and Flux (`prune: true`) "
        "delete it by themselves."
    )


def _remove(name: str, objects: Objects, behaviour: Behaviour, *, has_namespace: bool) -> str:
    stays = list(_left_behind(objects, behaviour))
    if has_namespace:
        stays.append(f"the Namespace `{objects.namespace}`, with everything else in it")
    servers = _servers(objects)
    chosen = f" -l '!{DATA_LABEL}'" if servers else ""
    lines = [
        "## Remove",
        f"```sh\nkubectl delete -f dist/{name}/{chosen}\n```",
        "What stays: " + "; ".join(stays) + ".",
    ]
    if servers:
        commands = "\n".join(f"kubectl{objects.in_namespace} delete {server}" for server in servers)
        lines.append(
            f"Without `-l` the command deletes the Cluster too, and with it all documents. Argo CD and Flux leave it "
            f"where it is. To delete the documents for good:\n\n```sh\n{commands}\n```"
        )
    if objects.claim:
        lines.append(
            "To delete the data for good:\n\n"
            f"```sh\nkubectl{objects.in_namespace} delete persistentvolumeclaim {objects.claim}\n```"
        )
    elif any(volume.get("emptyDir") is not None and volume["name"] == "data" for volume in _volumes(objects)):
        lines.append(_lost(behaviour))
    return "\n\n".join(lines)


def _lost(behaviour: Behaviour) -> str:
    """What is lost with the pod, if `/convex/data` is an emptyDir."""
    lost = "`/convex/data` in the pod is lost with the pod."
    outside = all(
        backend.engine.value in ("postgres", "mysql")
        and backend.files.value == "s3"
        and backend.instance_secret.value != "generated"
        for backend in behaviour.backends
    )
    return (
        f"{lost} In this environment it holds only temporary files and caches." if outside else f"Everything at {lost}"
    )


def _servers(objects: Objects) -> list[str]:
    """The database servers that the environment makes, as kubectl takes them."""
    return [f"cluster.postgresql.cnpg.io/{name_of(cluster)}" for cluster in objects.clusters]


def _volumes(objects: Objects) -> list[dict[str, Any]]:
    return list(objects.backend["spec"]["template"]["spec"]["volumes"])


def _left_behind(objects: Objects, behaviour: Behaviour) -> Iterator[str]:
    if objects.claim:
        yield f"the volume claim `{objects.claim}` with all data on it"
    secrets = [secret.name for secret in needed_secrets(objects.all)]
    if secrets:
        yield f"every existing Secret ({', '.join(f'`{secret}`' for secret in secrets)})"
    data = objects.config["data"]
    buckets = sorted({value for key, value in data.items() if key.startswith("S3_STORAGE_")})
    if buckets:
        yield f"the files in S3 ({', '.join(f'`{bucket}`' for bucket in buckets)})"
    variables = {item["name"] for item in objects.backend["spec"]["template"]["spec"]["containers"][0].get("env") or []}
    if servers := objects.clusters:
        yield f"the Cluster `{name_of(servers[0])}` with all documents in it"
    elif variables & {"POSTGRES_URL", "MYSQL_URL"}:
        yield "the database"


_TOPICS = (
    "engine",
    "database_url",
    "database_name",
    "database_tls",
    "database_connections",
    "database_outlives",
    "files",
    "buckets",
    "s3_endpoint",
    "s3_region",
    "s3_credentials",
    "files_outlive",
    "data_volume",
    "data_outlives",
    "claim",
    "instance_name",
    "instance_secret",
    "secret_stable",
    "cloud_origin",
    "site_origin",
    "writers",
    "stop",
    "metrics",
    "telemetry",
    "retention",
    "memory_limit",
    "version",
    "tag",
    "out_of_sight",
)
"""The rows of the backend's table, from the decisions of the behaviour model."""


def _decisions(behaviour: Behaviour) -> str:
    lines = ["## What the pods will do", "| | | why |", "|---|---|---|"]
    for backend in behaviour.backends:
        rows = {row.name: row for row in backend.rows()}
        for topic in _TOPICS:
            if row := rows.get(topic):
                lines.append(f"| {row.title} | {cell(row.decision.sentence)} | {cell(row.decision.why)} |")
        for obstacle in backend.obstacles:
            lines.append(f"| Does not start | {cell(obstacle.sentence)} | {cell(obstacle.why)} |")
    for dashboard in behaviour.dashboards:
        for row in dashboard.rows():
            if row.name in ("deployment_url", "admin_key", "replicas"):
                title = f"Dashboard: {row.title[0].lower()}{row.title[1:]}" if row.title[1:2].islower() else row.title
                lines.append(f"| {title} | {cell(row.decision.sentence)} | {cell(row.decision.why)} |")
    return lines[0] + "\n\n" + "\n".join(lines[1:])
