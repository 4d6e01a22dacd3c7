"""The API of an environment: its address, and an admin key made for this run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from convex_k8s.values import Values

from convexctl.secrets.admin_key import make_admin_key
from convexctl.secrets.instance import Instance, find_instance
from convexctl.tools.convex_api import ConvexApi
from convexctl.tools.kubectl import Kubectl
from convexctl.tools.port_forward import port_forward


@contextmanager
def opened(
    values: Values, kubectl: Kubectl, environment: Mapping[str, str], url: str = ""
) -> Iterator[tuple[ConvexApi, Instance]]:
    """The API, opened with a key of the instance: at `url`, else through a port-forward for as long as the block runs.

    Raises `UserError` if the instance secret is nowhere to be found or the Service cannot be reached.
    """
    instance = find_instance(values, kubectl, environment)
    key = make_admin_key(instance.name, instance.secret)
    if url:
        yield ConvexApi(url.rstrip("/"), key), instance
        return
    service = f"{values.release_name}-backend-svc"
    with port_forward(kubectl, service, values.service.backend.port) as local:
        yield ConvexApi(local, key), instance
