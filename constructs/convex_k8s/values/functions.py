"""Values of the Job that pushes the team's Convex functions."""

from __future__ import annotations

from typing import Annotated

from convex_k8s.values.base import EnvironmentName, Model, OptionalObjectName, TextLike
from convex_k8s.values.workload import PullPolicy

ImageReference = Annotated[
    str,
    TextLike(
        r"[a-z0-9][a-zA-Z0-9._:/-]*(:[A-Za-z0-9_][A-Za-z0-9._-]{0,127}|@sha256:[0-9a-f]{64}|"
        r":[A-Za-z0-9_][A-Za-z0-9._-]{0,127}@sha256:[0-9a-f]{64})",
        "an image with a tag or digest, like registry.example.com/team/functions:1f2e3d4",
        optional=True,
    ),
]


class Functions(Model):
    """A Job that pushes your Convex functions after the backend is ready. Off until an image is set."""

    image: ImageReference = ""
    """Image with your Convex project and its `node_modules` (`docs/functions.md` has a Dockerfile). Another tag or
    digest makes another Job."""
    pull_policy: PullPolicy = "IfNotPresent"
    """When the node pulls the image."""
    command: list[str] = ["npx", "convex", "deploy"]
    """The command that pushes. `CONVEX_SELF_HOSTED_URL` and `CONVEX_SELF_HOSTED_ADMIN_KEY` are set for it."""
    env: dict[EnvironmentName, str] = {}
    """Further variables of the Job, never a secret."""
    variables: dict[EnvironmentName, str] = {}
    """Variables of the deployment, which functions read as `process.env`, never a secret. The Job sets them before it
    pushes. If you take a variable out, it stays until `npx convex env remove`."""
    admin_key_secret: OptionalObjectName = ""
    """Secret with the admin key of this Job. Empty: `<releaseName>-functions`, which the command `secrets` makes and
    only this Job reads; with `secrets.provider: bootstrap`, the Secret that the bootstrap Job makes."""
