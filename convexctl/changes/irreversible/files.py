"""Where files are kept: disk or S3, buckets, endpoint, region."""

from __future__ import annotations

from convexctl.behaviour.manifests import mapping, text
from convexctl.changes.irreversible.model import Explanation, Side, differs, export_and_import, reference, rule, value


@rule("files-kind", value("files"))
def files_kind(before: Side, after: Side) -> Explanation:
    """Files move between disk and S3."""
    happens = (
        "the backend wrote the kind of storage into its database at the first start and refuses to start with another: "
        "deployed functions, files, exports and search indexes would not be found"
    )
    cure = "export with the files, and import into a new instance with an empty database"
    return Explanation(happens, cure, export_and_import("# with the new instance:"))


def _buckets(side: Side) -> str | None:
    decision = side.backend.buckets
    if decision is None:
        return None
    names = mapping(decision.value)
    if len(set(names.values())) == 1:
        return text(next(iter(names.values())))
    return ", ".join(f"{kind} in {text(name)}" for kind, name in sorted(names.items()))


def _copy_of_files(before: Side, what: str, extra: str = "") -> Explanation:
    happens = (
        f"{what}: deployed functions, files and search indexes stay in the old one, and the backend would not find them"
    )
    cure = f"stop the backend, copy every object under its own key, then acknowledge, synth and apply{extra}"
    stop = f"{before.kubectl} scale {before.workload} --replicas=0"
    copy = "rclone copy OLD:BUCKET NEW:BUCKET"
    return Explanation(happens, cure, (stop, f"{copy}   # or `aws s3 sync` within one service"))


@rule("files-buckets", _buckets)
def files_buckets(before: Side, after: Side) -> Explanation:
    """Files are kept in other buckets."""
    return _copy_of_files(before, "another bucket is another place")


@rule("files-endpoint", reference("s3_endpoint"), differs("s3_endpoint"))
def files_endpoint(before: Side, after: Side) -> Explanation:
    """Files are kept by another S3 service."""
    same = ". If it is only another name of the same service, the acknowledgement alone is enough"
    return _copy_of_files(before, "another endpoint may be another service with other buckets", same)


@rule("files-region", reference("s3_region"), differs("s3_region"))
def files_region(before: Side, after: Side) -> Explanation:
    """Files are kept in another region."""
    same = ". If the service is the same and takes any region (MinIO, R2), the acknowledgement alone is enough"
    return _copy_of_files(before, "a bucket lies in one region: in another there is none, or another one", same)
