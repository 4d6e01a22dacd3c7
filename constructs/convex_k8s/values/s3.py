"""Values of the file storage: modules, user files, exports and search indexes on S3."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from convex_k8s.values.base import Model, ObjectName, OptionalSecretKey, OriginLike, SecretKey, TextLike

_BUCKET = (
    r"(?!.*\.\.)(?![0-9.]+$)[a-z0-9][-.a-z0-9]{1,61}[a-z0-9]",
    "a bucket name (3 to 63 lower-case letters, digits, dashes and single dots, and no address)",
)
Bucket = Annotated[str, TextLike(*_BUCKET)]
OptionalBucket = Annotated[str, TextLike(*_BUCKET, optional=True)]
Region = Annotated[str, TextLike(r"[a-zA-Z0-9][-a-zA-Z0-9_]*", "a region like eu-central-1", optional=True, longest=63)]
Endpoint = Annotated[str, OriginLike("the endpoint's URL", optional=True)]
Provider = Literal["generic", "aws", "minio", "hetzner", "r2", "b2", "ceph"]


@dataclass(frozen=True)
class Dialect:
    """What an S3 service understands of what the backend's client says by default."""

    path_style: bool = False
    checksums: bool = True
    sse: bool = True
    own_endpoint: bool = True
    region: str = ""


DIALECTS: dict[str, Dialect] = {
    "generic": Dialect(),
    "aws": Dialect(own_endpoint=False),
    "minio": Dialect(path_style=True, sse=False),
    "hetzner": Dialect(checksums=False, sse=False),
    "r2": Dialect(path_style=True, checksums=False, sse=False, region="auto"),
    "b2": Dialect(checksums=False),
    "ceph": Dialect(path_style=True, checksums=False, sse=False),
}


class Buckets(Model):
    """One bucket for each kind of file. Several kinds, and several instances, may share one."""

    exports: Bucket = "convexpro"
    """Bucket of exports."""
    files: Bucket = "convexpro"
    """Bucket of the users' files."""
    modules: Bucket = "convexpro"
    """Bucket of modules: the deployed code."""
    search: Bucket = "convexpro"
    """Bucket of search indexes."""
    snapshot_imports: Bucket = "convexpro"
    """Bucket of imports."""


class S3Keys(Model):
    """Keys of the Secret with the S3 credentials."""

    access_key_id: SecretKey = "AWS_ACCESS_KEY_ID"
    """Key of the access key id."""
    secret_access_key: SecretKey = "AWS_SECRET_ACCESS_KEY"
    """Key of the secret access key."""
    endpoint: OptionalSecretKey = "AWS_ENDPOINT"
    """Key of the endpoint URL; not read when `s3.endpoint` is set or the provider is `aws`. Empty: there is no such
    key."""
    region: OptionalSecretKey = "AWS_REGION"
    """Key of the region; not read when `s3.region` is set."""


class S3(Model):
    """File storage on S3. All or nothing: half a configuration would pin the database to local files for good."""

    enabled: bool = True
    """Keep files on S3. False: on the volume at /convex/data. It cannot be changed after the first start."""
    provider: Provider = "generic"
    """The S3 service: sets path style, checksums and encryption headers to what that service understands. `generic`
    sets nothing."""
    credentials: Literal["secret", "ambient"] = "secret"
    """Where the access keys come from: `secret` is `s3.existingSecret`; `ambient` the pod's own cloud role (IRSA, Pod
    Identity, instance profile; see `backend.serviceAccountName`), for which `s3.region` must be set."""
    existing_secret: ObjectName = "convex-s3-credentials"
    """Secret with access keys and, if not set here, endpoint and region."""
    keys: S3Keys = S3Keys()
    """Keys of that Secret."""
    endpoint: Endpoint = ""
    """Endpoint URL, with scheme. Empty: from the Secret; with provider `aws`: Amazon's own."""
    region: Region = ""
    """Region. Empty: from the Secret."""
    bucket: OptionalBucket = ""
    """One bucket for everything: shorthand for the five of `s3.buckets`, of which those set one by one win."""
    buckets: Buckets = Buckets()
    """One bucket for each kind of file."""
    force_path_style: bool | None = None
    """Name the bucket in the path instead of the host name. Not set: as the provider needs it."""
    disable_checksums: bool | None = None
    """Leave out checksum headers. Not set: as the provider needs it."""
    disable_sse: bool | None = None
    """Leave out server-side encryption headers. Not set: as the provider needs it."""

    @property
    def dialect(self) -> Dialect:
        """The client's options: the provider's needs, with the single options on top."""
        preset = DIALECTS[self.provider]
        return Dialect(
            path_style=preset.path_style if self.force_path_style is None else self.force_path_style,
            checksums=preset.checksums if self.disable_checksums is None else not self.disable_checksums,
            sse=preset.sse if self.disable_sse is None else not self.disable_sse,
            own_endpoint=preset.own_endpoint,
            region=self.region or preset.region,
        )

    @property
    def bucket_names(self) -> dict[str, str]:
        """The five buckets by the word in upstream's variable names (`S3_STORAGE_<word>_BUCKET`)."""
        words = {
            "exports": "EXPORTS",
            "snapshot_imports": "SNAPSHOT_IMPORTS",
            "modules": "MODULES",
            "files": "FILES",
            "search": "SEARCH",
        }
        explicit = self.buckets.model_fields_set
        return {
            word: self.bucket if self.bucket and field not in explicit else getattr(self.buckets, field)
            for field, word in words.items()
        }
