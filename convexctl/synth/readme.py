"""`dist/<overlay>/README.md`: what an environment is, needs, does and leaves behind, read off its manifests."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from convex_k8s.values.secrets import ADMIN_KEY

from convexctl.boot import Boot
from convexctl.secrets.needed import VARIABLES, NeededSecret, Reference, file_variable, made_by_job, needed_secrets
from convexctl.wording import cell


class Objects:
    """The manifests of one environment, and the names in them that commands need."""

    def __init__(self, manifests: list[dict[str, Any]]) -> None:
        self.all = manifests
        self.namespace: str = manifests[0]["metadata"].get("namespace", "")
        self.backend = self._named("StatefulSet", "-backend")
        self.dashboard = self._named("Deployment", "-dashboard")
        self.backend_service = self._named("Service", "-backend-svc")
        self.dashboard_service = self._named("Service", "-dashboard-svc")
        self.config = self._named("ConfigMap", "-config")
        self.ingress = next((manifest for manifest in manifests if manifest["kind"] == "Ingress"), None)

    @property
    def in_namespace(self) -> str:
        """The option that kubectl needs, with a space before it; empty where the manifests name no namespace."""
        return f" -n {self.namespace}" if self.namespace else ""

    @property
    def claim(self) -> str:
        """The volume claim of the backend; empty where there is none."""
        spec = self.backend["spec"]
        for template in spec.get("volumeClaimTemplates") or []:
            return f"{template['metadata']['name']}-{self.backend['metadata']['name']}-0"
        for volume in spec["template"]["spec"]["volumes"]:
            if claim := volume.get("persistentVolumeClaim"):
                return str(claim["claimName"])
        return ""

    def _named(self, kind: str, ending: str) -> dict[str, Any]:
        return next(m for m in self.all if m["kind"] == kind and m["metadata"]["name"].endswith(ending))


def name_of(manifest: Mapping[str, Any]) -> str:
    """The object's name."""
    return str(manifest["metadata"]["name"])


def port_of(service: Mapping[str, Any], name: str) -> int:
    """The number of a Service's named port."""
    return next(int(port["port"]) for port in service["spec"]["ports"] if port["name"] == name)


def readme(name: str, manifests: list[dict[str, Any]], boot: Boot, *, has_namespace: bool) -> str:
    """The README of the environment `name`, in Markdown."""
    objects = Objects(manifests)
    sections = [
        f"# {name}\n\nMade from the overlay `{name}`: change that, not this folder.",
        _picture(objects, boot),
        _decisions(boot),
        _before(name, objects, has_namespace=has_namespace),
        _apply(name, objects, has_namespace=has_namespace),
        _reach(objects),
        _admin_key(name),
        _remove(name, objects, boot, has_namespace=has_namespace),
    ]
    return "\n\n".join(section for section in sections if section) + "\n"


def _before(name: str, objects: Objects, *, has_namespace: bool) -> str:
    sections = ["## What must exist before"]
    if has_namespace:
        sections.append(f"The namespace: `kubectl apply -f dist/{name}/Namespace`.")
    elif objects.namespace:
        sections.append(f"The namespace: `kubectl create namespace {objects.namespace}`.")
    return "\n\n".join([*sections, _secrets(name, objects)])


def _secrets(name: str, objects: Objects) -> str:
    needed = [secret for secret in needed_secrets(objects.all) if secret.use != "certificate"]
    makers = dict(_makers(name, objects))
    by_hand = [secret for secret in needed if secret.name not in makers]
    new_instance = "INSTANCE_SECRET" in _targets(by_hand)
    asked = [secret for secret in by_hand if secret.use != "all keys" and (new_instance or not _is_admin_key(secret))]
    lines = []
    if any(not secret.optional for secret in asked):
        names = ", ".join(f"`{secret.name}`" for secret in asked)
        included = ", the instance secret and the admin key included" if ADMIN_KEY in _targets(asked) else ""
        included = included or (", the instance secret included" if new_instance else "")
        lines.append(
            f"`python main.py secrets {name} --apply` asks for the values, checks them and makes {names}{included}. "
            "By hand:"
        )
    elif any(not secret.optional for secret in by_hand):
        lines.append("Of what is not optional here only you know the keys:")
    elif makers:
        lines.append("No Secret of yours: what the backend needs to start is made in the cluster, as told here.")
    else:
        lines.append("No Secret is needed to start.")
    for secret in needed:
        text = makers[secret.name] if secret.name in makers else _secret(secret, objects)
        if secret.optional and secret.name not in makers:
            text = f"{_optional(name, secret, objects, new_instance=new_instance)}\n\n{text}"
        lines.append(f"### Secret `{secret.name}`\n\n{text}")
    certificates = [secret for secret in needed_secrets(objects.all) if secret.use == "certificate"]
    if certificates and objects.ingress:
        issuer = any(key.startswith("cert-manager.io/") for key in objects.ingress["metadata"].get("annotations") or {})
        names = ", ".join(f"`{secret.name}` ({secret.references[0].target})" for secret in certificates)
        if issuer:
            lines.append(f"Certificates: {names}; cert-manager makes them.")
        else:
            create = f"kubectl{objects.in_namespace} create secret tls"
            commands = [f"{create} {secret.name} --cert=FILE --key=FILE" for secret in certificates]
            lines.append("\n".join([f"Certificates: {names}:", "", "```sh", *commands, "```"]))
    return "\n\n".join(lines)


def _makers(name: str, objects: Objects) -> Iterator[tuple[str, str]]:
    """The Secrets that something in the manifests makes, each with a text that says so."""
    for manifest in objects.all:
        if manifest["kind"] == "ExternalSecret":
            store = manifest["spec"]["secretStoreRef"]
            yield (
                manifest["spec"]["target"]["name"],
                f"External Secrets Operator makes it from the {store['kind']} `{store['name']}`: "
                f"`python main.py secrets {name}` says what that must hold.",
            )
        elif manifest["kind"] == "SealedSecret":
            yield (
                name_of(manifest),
                "The controller of Sealed Secrets makes it from the SealedSecret in `convex.k8s.yaml`: "
                f"`python main.py secrets {name} --seal` seals other values.",
            )
        for secret in made_by_job(manifest):
            yield (
                secret,
                f"The Job `{name_of(manifest)}` makes it in the cluster, once: it is never changed afterwards.",
            )


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
    for key, reference in keys.items():
        rows.append(f"| `{key}` | {_meaning(reference, objects)}{' (optional)' if reference.optional else ''} |")
    files = [f"--from-file={key}=FILE" for key, reference in keys.items() if reference.use == "file"]
    pairs = {key: VARIABLES[item.target].placeholder for key, item in keys.items() if item.target in VARIABLES}
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
                f"For Amazon S3 itself delete the line `{key}` from the file: an empty value would be taken for an "
                "endpoint.",
            )
    return "\n\n".join(paragraphs)


def _meaning(reference: Reference, objects: Objects) -> str:
    if reference.use == "file":
        postgres = "POSTGRES_URL" in _targets(needed_secrets(objects.all))
        return VARIABLES[file_variable(reference, "postgres" if postgres else "mysql")].meaning
    return VARIABLES[reference.target].meaning


def _optional(name: str, secret: NeededSecret, objects: Objects, *, new_instance: bool) -> str:
    text = "Optional: everything starts without it."
    if not _is_admin_key(secret):
        return text
    if not new_instance:
        text += f" `python main.py secrets {name} --apply` makes it once the backend has its instance secret."
    restart = f"kubectl{objects.in_namespace} rollout restart statefulset/{name_of(objects.backend)}"
    return (
        f"{text} Where it is made while the pod runs, its key becomes a variable of the pod with the next start "
        f"(`{restart}`). The dashboard, and `npx convex` outside the pod, need neither."
    )


def _apply(name: str, objects: Objects, *, has_namespace: bool) -> str:
    folder = f"dist/{name}"
    commands = [
        *([f"kubectl apply -f {folder}/Namespace"] if has_namespace else []),
        f"kubectl apply -f {folder}/",
        f"kubectl{objects.in_namespace} rollout status statefulset/{name_of(objects.backend)} --timeout=10m",
        f"kubectl{objects.in_namespace} rollout status deployment/{name_of(objects.dashboard)}",
    ]
    text = "## Apply\n\n```sh\n" + "\n".join(commands) + "\n```\n\n"
    text += (
        f"`kubectl apply -k {folder}/` does the same, and a kustomization of your own can name this folder as a "
        "resource. For Argo CD and Flux it is an ordinary folder of manifests."
    )
    if has_namespace:
        text += (
            " The Namespace stands in a file of its own that none of them reads (Argo CD: `CreateNamespace=true`), "
            "because whoever deletes a namespace deletes the Secrets and volumes in it."
        )
    if not objects.namespace:
        text += (
            " The manifests name no namespace: add `-n NAMESPACE` to every command, or set `namespace` in the overlay."
        )
    return text


def _reach(objects: Objects) -> str:
    if objects.ingress:
        return _reach_by_ingress(objects)
    data = objects.config["data"]
    backend, dashboard = objects.backend_service, objects.dashboard_service
    api, actions = port_of(backend, "api"), port_of(backend, "http-actions")
    local_api = _local_port(data["CONVEX_CLOUD_ORIGIN"])
    local_actions = _local_port(data["CONVEX_SITE_ORIGIN"])
    forwards = [f"{local_api or api}:{api}"]
    if local_actions is None or local_actions != local_api:
        forwards.append(f"{local_actions or actions}:{actions}")
    lines = [
        "## Reach it",
        "Each in a terminal of its own:",
        "```sh\n"
        f"kubectl{objects.in_namespace} port-forward svc/{name_of(backend)} {' '.join(forwards)}\n"
        f"kubectl{objects.in_namespace} port-forward svc/{name_of(dashboard)} 6791:{port_of(dashboard, 'http')}\n"
        "```",
        "| what | where |\n|---|---|\n"
        "| dashboard | <http://localhost:6791> |\n"
        f"| API | <{data['CONVEX_CLOUD_ORIGIN']}> |\n"
        f"| HTTP actions | <{data['CONVEX_SITE_ORIGIN']}> |",
    ]
    if local_api is None:
        lines.append(
            "The origins are not on localhost, so something of your own must bring them to the Services: without that, "
            "functions and the dashboard do not reach the API."
        )
    return "\n\n".join(lines)


def _reach_by_ingress(objects: Objects) -> str:
    assert objects.ingress is not None  # noqa: S101
    data = objects.config["data"]
    dashboard = next(
        rule["host"]
        for rule in objects.ingress["spec"]["rules"]
        if rule["http"]["paths"][-1]["backend"]["service"]["name"] == name_of(objects.dashboard_service)
    )
    hosts = [rule["host"] for rule in objects.ingress["spec"]["rules"]]
    return (
        "## Reach it\n\n"
        "| what | where |\n|---|---|\n"
        f"| dashboard | <https://{dashboard}> |\n"
        f"| API | <{data['CONVEX_CLOUD_ORIGIN']}> |\n"
        f"| HTTP actions | <{data['CONVEX_SITE_ORIGIN']}> |\n\n"
        f"DNS: {', '.join(f'`{host}`' for host in hosts)} must point to the Ingress controller, for the pods too: "
        "callbacks of Node.js functions go to the API's public URL."
    )


def _admin_key(name: str) -> str:
    return (
        f"The dashboard asks for an admin key: `python main.py admin-key {name}` makes one. With `--env` it prints the "
        "lines that `npx convex` needs in the `.env.local` of your project."
    )


def _local_port(origin: str) -> int | None:
    parts = urlsplit(origin)
    return (parts.port or 80) if parts.hostname in ("localhost", "127.0.0.1") else None


def _remove(name: str, objects: Objects, boot: Boot, *, has_namespace: bool) -> str:
    stays = list(_left_behind(objects, boot))
    if has_namespace:
        stays.append(f"the Namespace `{objects.namespace}`, with everything else in it")
    lines = [
        "## Remove",
        f"```sh\nkubectl delete -f dist/{name}/\n```",
        "What stays: " + "; ".join(stays) + ".",
    ]
    if objects.claim:
        lines.append(
            "To delete the data for good:\n\n"
            f"```sh\nkubectl{objects.in_namespace} delete persistentvolumeclaim {objects.claim}\n```"
        )
    elif any(volume.get("emptyDir") is not None and volume["name"] == "data" for volume in _volumes(objects)):
        lines.append("What lies at `/convex/data` in the pod is gone with the pod.")
    return "\n\n".join(lines)


def _volumes(objects: Objects) -> list[dict[str, Any]]:
    return list(objects.backend["spec"]["template"]["spec"]["volumes"])


def _left_behind(objects: Objects, boot: Boot) -> Iterator[str]:
    if objects.claim:
        yield f"the volume claim `{objects.claim}` with all data on it"
    secrets = [secret.name for secret in needed_secrets(objects.all)]
    if secrets:
        yield f"every Secret that is there ({', '.join(f'`{secret}`' for secret in secrets)})"
    data = objects.config["data"]
    buckets = sorted({value for key, value in data.items() if key.startswith("S3_STORAGE_")})
    if buckets:
        yield f"the files in S3 ({', '.join(f'`{bucket}`' for bucket in buckets)})"
    variables = {item["name"] for item in objects.backend["spec"]["template"]["spec"]["containers"][0].get("env") or []}
    if variables & {"POSTGRES_URL", "MYSQL_URL"}:
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
"""What the table says of the backend, of everything that the boot model decides."""


def _decisions(boot: Boot) -> str:
    lines = ["## What the pods will do", "| | | why |", "|---|---|---|"]
    for backend in boot.backends:
        rows = {row.name: row for row in backend.rows()}
        for topic in _TOPICS:
            if row := rows.get(topic):
                lines.append(f"| {row.title} | {cell(row.decision.sentence)} | {cell(row.decision.why)} |")
        for obstacle in backend.obstacles:
            lines.append(f"| Does not start | {cell(obstacle.sentence)} | {cell(obstacle.why)} |")
    for dashboard in boot.dashboards:
        for row in dashboard.rows():
            if row.name in ("deployment_url", "admin_key", "replicas"):
                title = f"Dashboard: {row.title[0].lower()}{row.title[1:]}" if row.title[1:2].islower() else row.title
                lines.append(f"| {title} | {cell(row.decision.sentence)} | {cell(row.decision.why)} |")
    return lines[0] + "\n\n" + "\n".join(lines[1:])


def _picture(objects: Objects, boot: Boot) -> str:
    """A Mermaid picture of the objects, and of the way that a request takes."""
    backend, dashboard = name_of(objects.backend), name_of(objects.dashboard)
    lines = [
        "```mermaid",
        "flowchart LR",
        "  client([your app])",
        "  browser([browser])",
        f'  backendService["Service {name_of(objects.backend_service)}"] --> backend["StatefulSet {backend}"]',
        f'  dashboardService["Service {name_of(objects.dashboard_service)}"] --> dashboard["Deployment {dashboard}"]',
    ]
    services = {
        name_of(objects.backend_service): "backendService",
        name_of(objects.dashboard_service): "dashboardService",
    }
    if objects.ingress:
        lines.append(f'  ingress["Ingress {name_of(objects.ingress)}"]')
        for route in boot.routes:
            who = "browser" if route.role == "dashboard" else "client"
            lines.append(f'  {who} -->|"https://{route.host}{route.path}"| ingress')
            lines.append(f'  ingress -->|"{route.role or "nowhere"}"| {services.get(route.service, "nowhere")}')
    else:
        lines.append("  client -->|port-forward| backendService")
        lines.append("  browser -->|port-forward| dashboardService")
    lines.append(f'  config["ConfigMap {name_of(objects.config)}"] -.-> backend')
    for number, secret in enumerate(needed_secrets(objects.all)):
        if secret.use in ("variable", "file", "all keys"):
            lines.append(f'  secret{number}[/"Secret {secret.name}"/] -.-> backend')
    for model in boot.backends:
        if model.engine and model.engine.value != "sqlite":
            lines.append(f'  backend --> database[("{_label(model.engine.text)}")]')
        if model.files and model.files.value == "s3" and model.buckets:
            lines.append(f'  backend --> files[("S3: {_label(model.buckets.text)}")]')
    if objects.claim:
        lines.append(f'  backend --> volume[("volume claim {objects.claim}")]')
    lines.append("```")
    unique = list(dict.fromkeys(lines))
    return "\n".join(unique)


def _label(text: str) -> str:
    return text.replace('"', "'").replace("`", "")
