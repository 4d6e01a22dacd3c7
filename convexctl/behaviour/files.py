"""Where files, deployed code, exports and search indexes are: all of them on S3, or all of them on a disk."""

from __future__ import annotations

from convexctl.behaviour.context import Context, decision
from convexctl.behaviour.model import Decision
from convexctl.behaviour.variables import unless
from convexctl.behaviour.volumes import OUTLIVES_TEXT
from convexctl.wording import listed

BUCKETS = ("EXPORTS", "SNAPSHOT_IMPORTS", "MODULES", "FILES", "SEARCH")
NEEDED = ("AWS_REGION", *(f"S3_STORAGE_{word}_BUCKET" for word in BUCKETS))
AWS_ENDPOINTS = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL")
"""What the AWS client reads for itself, in its order."""
ALL_OR_NOTHING = "S3 is used only when AWS_REGION and all five buckets have a value"


def files(context: Context) -> dict[str, Decision]:
    """The decisions on files."""
    readings = {name: context.read(name) for name in NEEDED}
    missing = [reading for reading in readings.values() if not reading.filled]
    if not missing:
        return _s3(context)
    data = context.directory("DATA_DIR", "/convex/data")
    path = context.directory("STORAGE_DIR", f"{data}/storage")
    disk = context.disk(path)
    otherwise = unless(*missing) if all(reading.may_set for reading in missing) else ""
    half = any(reading.filled for name, reading in readings.items() if name != "AWS_REGION")
    names = [reading.name for reading in missing]
    source = missing[0].source
    why = f"{ALL_OR_NOTHING}: {listed(names, 'and')} {'has' if len(names) == 1 else 'have'} none"
    decisions = {
        "files": Decision("disk", f"on disk, in {path}", why, source, otherwise),
        "files_outlive": Decision(
            disk.outlives, f"{OUTLIVES_TEXT[disk.outlives]} ({disk.text})", disk.why, disk.source, otherwise
        ),
    }
    if half:
        decisions["files_missing"] = Decision(
            tuple(names),
            listed(names, "and"),
            f"{ALL_OR_NOTHING}; the first start writes the kind of storage into the database, for good",
            source,
            otherwise,
        )
    return decisions


def _s3(context: Context) -> dict[str, Decision]:
    region = context.read("AWS_REGION")
    readings = {word: context.read(f"S3_STORAGE_{word}_BUCKET") for word in BUCKETS}
    names = {word.lower(): reading.shown for word, reading in readings.items()}
    buckets = dict.fromkeys(names.values())
    optional = [reading for reading in (region, *readings.values()) if reading.variable and reading.variable.unless]
    source = (optional or [region])[0].source
    otherwise = " or ".join(reading.variable.unless for reading in optional if reading.variable)
    endpoint = context.read("S3_ENDPOINT_URL")
    path_style = context.boolean("AWS_S3_FORCE_PATH_STYLE")
    no_sse = context.boolean("AWS_S3_DISABLE_SSE")
    no_checksums = context.boolean("AWS_S3_DISABLE_CHECKSUMS")
    return {
        "files": Decision("s3", "on S3", "AWS_REGION and all five buckets have a value", source, otherwise),
        "buckets": Decision(
            names,
            listed(list(buckets), "and"),
            "each kind of file has a bucket, in which everything is under the instance's own folder",
            readings["FILES"].source,
            unless(*readings.values()),
        ),
        "s3_region": decision(region.shown, region.shown, "AWS_REGION", region),
        "s3_endpoint": _endpoint(context),
        "s3_path_style": path_style.decides(
            path_style.value, "bucket in the path" if path_style.value else "bucket in the host name"
        ),
        "s3_sse": no_sse.decides(not no_sse.value, "not asked for" if no_sse.value else "asked for"),
        "s3_checksums": no_checksums.decides(not no_checksums.value, "not sent" if no_checksums.value else "sent"),
        "s3_credentials": _credentials(context),
        "files_outlive": Decision(
            "everything",
            "all objects here (the buckets are outside)",
            "the files are in the buckets",
            endpoint.source,
            otherwise,
        ),
    }


def _endpoint(context: Context) -> Decision:
    reading = context.read("S3_ENDPOINT_URL")
    if reading.variable is None:
        for name in AWS_ENDPOINTS:
            own = context.read(name)
            if own.filled:
                why = f"S3_ENDPOINT_URL is not set, and the AWS client itself reads {name}"
                return Decision(own.shown, own.shown, why, own.source, unless(reading, own))
        return decision("aws", "AWS", "S3_ENDPOINT_URL is not set: the region's own endpoint at AWS", reading)
    if reading.empty:
        return decision("", "empty", "S3_ENDPOINT_URL is set to nothing, and nothing is taken as an endpoint", reading)
    return decision(reading.shown, reading.shown, "S3_ENDPOINT_URL", reading)


def _credentials(context: Context) -> Decision:
    key, secret = context.read("AWS_ACCESS_KEY_ID"), context.read("AWS_SECRET_ACCESS_KEY")
    if key.filled and secret.filled:
        # A key in the manifest itself is named by its place only.
        places = dict.fromkeys(reading.reference or "literal" for reading in (key, secret))
        return Decision(
            tuple(places),
            listed(["in the manifest" if place == "literal" else place for place in places], "and"),
            "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY have a value",
            key.source,
            unless(key, secret),
        )
    missing = listed([reading.name for reading in (key, secret) if not reading.filled], "and")
    why = f"without {missing}, keys come from IRSA, Pod Identity or the node"
    return Decision("default chain", "the AWS default chain", why, key.source, unless(key, secret))
