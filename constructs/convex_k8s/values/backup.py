"""Values of backups: exports of the instance, on a schedule, into a bucket or onto a claim."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, model_validator

from convex_k8s.values.base import Count, Model, OptionalObjectName, TextLike, wrong
from convex_k8s.values.quantities import Quantity
from convex_k8s.values.s3 import Endpoint, OptionalBucket, Region
from convex_k8s.values.schedule import Schedule
from convex_k8s.values.workload import Amounts, Digest, Image, Repository, Resources, Tag

Prefix = Annotated[
    str,
    TextLike(
        r"(?!.*(//|(^|/)\.{1,2}(/|$)))[A-Za-z0-9][-A-Za-z0-9_./]*[A-Za-z0-9]|[A-Za-z0-9]",
        "a prefix like backups or team/convex, without / at either end",
        optional=True,
        longest=512,
    ),
]


def _not_zero(value: str) -> str:
    if not seconds(value):
        raise wrong("must be longer than 0: write 2h, say")
    return value


Time = Annotated[str, TextLike(r"([0-9]{1,6}(h|m|s))+", "a time like 2h or 90m"), AfterValidator(_not_zero)]


def seconds(time: str) -> int:
    """The seconds of a time like `1h30m`."""
    units = {"h": 3600, "m": 60, "s": 1}
    return sum(int(number) * units[unit] for number, unit in re.findall(r"([0-9]+)([hms])", time))


class BackupS3(Model):
    """The bucket of the backups."""

    bucket: OptionalBucket = ""
    """The bucket. If you can, choose a bucket that the instance's own keys cannot delete from."""
    prefix: Prefix = "backups"
    """The folder of the objects: `<prefix>/<instance name>/<UTC time>.zip`."""
    existing_secret: OptionalObjectName = ""
    """Secret with the keys `AWS_ACCESS_KEY_ID` and `AWS_SECRET_ACCESS_KEY` for this bucket. Empty: the credentials,
    the endpoint and the region of `s3`."""
    endpoint: Endpoint = ""
    """Endpoint URL, with scheme. Empty: the endpoint of `s3`; with an `existingSecret` of its own: Amazon's."""
    region: Region = ""
    """Region. Empty: the region of `s3`."""


class BackupClaim(Model):
    """The volume claim of the backups."""

    existing_claim: OptionalObjectName = ""
    """A claim that is already there. It is not made here, because whatever removes the environment would remove the
    backups with it."""


class Keep(Model):
    """How much is kept. One of the two; without either, the 14 newest."""

    count: Count | None = None
    """How many backups are kept."""
    days: Count | None = None
    """For how many days backups are kept. The newest one stays in any case."""

    @model_validator(mode="after")
    def _one_of_both(self) -> Keep:
        if self.count is not None and self.days is not None:
            raise wrong("must have count or days, not both")
        return self

    @property
    def variable(self) -> tuple[str, str]:
        """Name and value of the variable that says it to the scripts."""
        return ("KEEP_DAYS", str(self.days)) if self.days is not None else ("KEEP_COUNT", str(self.count or 14))


class RcloneImage(Image):
    """The image that carries backups to the bucket: rclone and a shell."""

    repository: Repository = "docker.io/rclone/rclone"
    tag: Tag = "1.69.3"
    """Image tag."""
    digest: Digest = "sha256:1f497a86a6466395e62a5886613a14b7b18809543566ef9fa35fa1371a7ecc0f"
    """Image digest: pins the very bytes, whatever the tag says. With another tag set it too, or to `""`."""


class Rclone(Model):
    """rclone, which carries backups to the bucket."""

    image: RcloneImage = RcloneImage()
    """The image."""


class BackupRequests(Amounts):
    """What the scheduler keeps free for the Job."""

    cpu: Quantity | None = "100m"
    memory: Quantity | None = "128Mi"


class BackupLimits(Amounts):
    """What the Job may use at most."""

    memory: Quantity | None = "512Mi"


class BackupResources(Resources):
    """CPU, memory and disk of the Job. On its way to a bucket the ZIP is on the node's disk (`ephemeralStorage`)."""

    requests: BackupRequests = BackupRequests()
    limits: BackupLimits = BackupLimits()


class Backup(Model):
    """Backups: a CronJob that exports the instance and puts the ZIP away."""

    enabled: bool = False
    """Make backups."""
    schedule: Schedule = "0 3 * * *"
    """When, in UTC."""
    include_files: bool = True
    """Whether backups hold the users' files. Without them a restore loses every stored file."""
    destination: Literal["s3", "claim"] = "s3"
    """Where backups go: into the bucket of `backup.s3`, or onto the claim of `backup.claim`."""
    s3: BackupS3 = BackupS3()
    """The bucket."""
    claim: BackupClaim = BackupClaim()
    """The volume claim."""
    keep: Keep = Keep()
    """How much is kept."""
    timeout: Time = "2h"
    """Time after which a backup that has not ended is stopped, and has failed."""
    admin_key_secret: OptionalObjectName = ""
    """Secret with the admin key of the backup and restore Jobs (`CONVEX_SELF_HOSTED_ADMIN_KEY`). Empty:
    `<releaseName>-backup`, which the command `secrets` makes; with `secrets.provider: bootstrap`, the Secret that the
    bootstrap Job makes."""
    resources: BackupResources = BackupResources()
    """CPU, memory and disk of the Job."""
    rclone: Rclone = Rclone()
    """rclone, which carries backups to the bucket."""
