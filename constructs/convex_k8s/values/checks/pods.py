"""Checks of what is passed through to the pods: containers, volumes, ServiceAccounts."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from convex_k8s.problems import Path, Problem
from convex_k8s.secrecy import named_like_a_secret
from convex_k8s.values.kubernetes.pod_specs import annotations_fit, between_containers, containers_of, devices_fit
from convex_k8s.values.workload import Workload

if TYPE_CHECKING:
    from convex_k8s.values import Values

DATA = "/convex/data"
_OWN_VOLUMES = {"backend": ("data", "tmp", "database-ca", "extra-ca"), "dashboard": ()}
_OWN_MOUNTS = {"backend": (DATA, f"{DATA}/tmp", "/etc/convex/ca", "/etc/convex/extra-ca"), "dashboard": ()}
_LATER = ("lifecycle", "livenessProbe", "readinessProbe", "startupProbe")
_CONTAINERS = {"init_containers": "initContainers", "extra_containers": "extraContainers"}


def _workloads(values: Values) -> Iterator[tuple[str, Workload]]:
    yield "backend", values.backend
    yield "dashboard", values.dashboard


def _containers(values: Values) -> Iterator[Problem]:
    for component, workload in _workloads(values):
        taken = [f"convex-{component}"]
        for field, key in _CONTAINERS.items():
            for index, container in enumerate(getattr(workload, field)):
                path: Path = (component, key, index)
                if container["name"] in taken:
                    yield Problem((*path, "name"), f"is {container['name']}, which another container is called")
                taken.append(container["name"])
                if not container.get("image"):
                    yield Problem(path, "has no image")
                yield from _variables(container, path)
                yield from _mounts_of(container, path, component, workload)
                for later in _LATER if field == "init_containers" else ():
                    if later in container:
                        yield Problem((*path, later), "is not for a container that ends before the pod starts")


def _variables(container: dict[str, Any], path: Path) -> Iterator[Problem]:
    for index, variable in enumerate(container.get("env", ())):
        place = (*path, "env", index)
        if "value" in variable and "valueFrom" in variable:
            yield Problem(place, "has a value and a valueFrom: keep one")
        elif variable.get("value") and "$(" not in variable["value"] and named_like_a_secret(variable["name"]):
            yield Problem(
                place,
                "looks like a secret by its name, and an overlay must not hold one: put it into a Secret and name "
                "that under valueFrom.secretKeyRef",
            )


def _mounts_of(container: dict[str, Any], path: Path, component: str, workload: Workload) -> Iterator[Problem]:
    names = [*_OWN_VOLUMES[component], *(volume["name"] for volume in workload.extra_volumes)]
    for index, mount in enumerate(container.get("volumeMounts", ())):
        if mount["name"] not in names:
            yield _no_volume((*path, "volumeMounts", index, "name"), mount["name"], component)


def _no_volume(path: Path, name: str, component: str) -> Problem:
    added = f"{component}.extraVolumes"
    return Problem(path, f"is {name}, and no volume is called so: add one to {added}", ((component, "extraVolumes"),))


def _volumes(values: Values) -> Iterator[Problem]:
    for component, workload in _workloads(values):
        own = _OWN_VOLUMES[component]
        names = [*own, *(volume["name"] for volume in workload.extra_volumes)]
        for index, volume in enumerate(workload.extra_volumes):
            path: Path = (component, "extraVolumes", index)
            if volume["name"] in own:
                yield Problem((*path, "name"), f"is {volume['name']}, which a volume of the {component} is called")
            if len(volume) != 2:
                yield Problem(path, "must have a name and one kind of volume, for instance configMap or emptyDir: {}")
        for index, mount in enumerate(workload.extra_volume_mounts):
            yield from _mount(component, index, mount, names)


def _mount(component: str, index: int, mount: dict[str, Any], names: list[str]) -> Iterator[Problem]:
    path: Path = (component, "extraVolumeMounts", index)
    place = posixpath.normpath(mount["mountPath"])
    if mount["name"] not in names:
        yield _no_volume((*path, "name"), mount["name"], component)
    if mount.get("mountPropagation") == "Bidirectional":
        yield Problem((*path, "mountPropagation"), "is Bidirectional, which only a privileged container may have")
    if not mount["mountPath"].startswith("/"):
        yield Problem((*path, "mountPath"), "must be a path that begins with /")
    elif place in _OWN_MOUNTS[component] or any(
        own.startswith(place.rstrip("/") + "/") for own in _OWN_MOUNTS[component]
    ):
        yield Problem((*path, "mountPath"), f"is {place}, which would hide what is mounted there already")


def _between(values: Values) -> Iterator[Problem]:
    """What the added containers need of the pod, which patches may add to it."""
    for component, workload in _workloads(values):
        pod = _pod(values, component, workload)
        faults = [*devices_fit(pod), *(() if values.patches else between_containers(pod))]
        for problem in faults:
            field, index, *rest = problem.path
            at = (field, index) if field == "initContainers" else ("extraContainers", int(index) - 1)
            yield Problem((component, *at, *rest), problem.message)
        names = [container["name"] for _, container in containers_of(pod)]
        security = {"backend": values.backend.security_context, "dashboard": values.dashboard.security_context}
        profile = {"type": security[component].seccomp_profile.type}
        annotations = {**values.common_annotations, **workload.pod_annotations}
        for problem in () if values.patches else annotations_fit(annotations, names, profile):
            own = problem.path[0] in workload.pod_annotations
            yield Problem(
                (*((component, "podAnnotations") if own else ("commonAnnotations",)), *problem.path), problem.message
            )


def _pod(values: Values, component: str, workload: Workload) -> dict[str, Any]:
    """The pod as far as the added containers may refer to it."""
    own: list[dict[str, Any]] = [{"name": name, "emptyDir": {}} for name in _OWN_VOLUMES[component]]
    if component == "backend" and values.backend.persistence.enabled:
        own[0] = {"name": "data", "persistentVolumeClaim": {}}
    return {
        "initContainers": workload.init_containers,
        "containers": [{"name": f"convex-{component}"}, *workload.extra_containers],
        "volumes": [*own, *workload.extra_volumes],
    }


def _accounts(values: Values) -> Iterator[Problem]:
    old = values.backend.service_account_name
    account = values.backend.service_account
    if old and (account.create or account.name not in ("", old)):
        yield Problem(
            ("backend", "serviceAccountName"),
            "is another name for backend.serviceAccount.name: keep that one alone",
            (("backend", "serviceAccount"),),
        )
    for component, workload in _workloads(values):
        if workload.service_account.annotations and not workload.service_account.create:
            yield Problem(
                (component, "serviceAccount", "annotations"),
                f"have no effect while {component}.serviceAccount.create is false: annotate the account that you made",
                ((component, "serviceAccount", "create"),),
            )
        if workload.service_account.create and workload.service_account.name == "default":
            yield Problem(
                (component, "serviceAccount", "name"),
                "is default, which every namespace has already: leave it out, or set create to false",
                ((component, "serviceAccount", "create"),),
            )
    names = [workload.service_account.name for _, workload in _workloads(values) if workload.service_account.create]
    if len(names) == 2 and names[0] and names[0] == names[1]:
        yield Problem(("dashboard", "serviceAccount", "create"), f"would make {names[0]} twice: set it to false")


def _dashboard_variables(values: Values) -> Iterator[Problem]:
    for name, value in values.dashboard.env.items():
        path: Path = ("dashboard", "env", name)
        if name in _OF_THE_DASHBOARD:
            yield Problem(path, f"is set by the overlay itself: use {_OF_THE_DASHBOARD[name]} instead")
        elif name == "NEXT_PUBLIC_ADMIN_KEY":
            yield Problem(path, "would hand the admin key to everybody who opens the page: leave it out")
        elif isinstance(value, str) and value and named_like_a_secret(name):
            yield Problem(
                path,
                "looks like a secret by its name, and an overlay must not hold one: put it into a Secret and name "
                "that under dashboard.envFrom",
            )


_OF_THE_DASHBOARD = {
    "NEXT_PUBLIC_DEPLOYMENT_URL": "convexConfig.deploymentUrl, or ingress.backend.host",
    "HOSTNAME": "nothing",
    "PORT": "service.dashboard.targetPort",
}


def _size_limits(values: Values) -> Iterator[Problem]:
    persistence = values.backend.persistence
    if persistence.size_limit and persistence.enabled:
        yield Problem(
            ("backend", "persistence", "sizeLimit"),
            "is of the emptyDir, and backend.persistence.enabled is true: the claim's size is backend.persistence.size",
            (("backend", "persistence", "enabled"),),
        )


def _paused(values: Values) -> Iterator[Problem]:
    if values.backend.paused:
        yield Problem(("backend", "paused"), "is true: no pod of the backend runs, and nothing is served")


ERRORS = (_containers, _volumes, _between, _accounts, _dashboard_variables, _size_limits)
WARNINGS = (_paused,)
