"""The database: engine, server and retention."""

from __future__ import annotations

from convexctl.changes.irreversible.model import (
    SYNTH_AND_APPLY,
    Explanation,
    Side,
    differs,
    export_and_import,
    reference,
    rule,
    value,
)


@rule("database-engine", value("engine"))
def database_engine(before: Side, after: Side) -> Explanation:
    """The data is kept by another kind of database."""
    old, new = before.server or "SQLite", after.server or "SQLite"
    happens = f"documents do not move by themselves: the backend starts with what is in {new}, all others stay in {old}"
    cure = "export while the old database runs, and import into the new one"
    return Explanation(happens, cure, export_and_import(SYNTH_AND_APPLY))


def _database_counts(before: Side, after: Side) -> bool:
    return before.backend.engine.value == after.backend.engine.value and differs("database_url")(before, after)


@rule("database-secret", reference("database_url"), _database_counts)
def database_secret(before: Side, after: Side) -> Explanation:
    """The database URL comes from elsewhere."""
    happens = (
        f"the URL may lead to another {after.server} server: the backend starts with what it finds there, "
        "and the documents stay where they are"
    )
    cure = (
        "if it leads to the same server (a renamed Secret, a new password), the acknowledgement is enough. To move, "
        "stop the backend, copy the database as it is, then acknowledge; or export and import"
    )
    dump = "pg_dump" if after.server == "Postgres" else "mysqldump"
    stop = f"{before.kubectl} scale {before.workload} --replicas=0"
    return Explanation(happens, cure, (stop, f"{dump} ...   # and restore it on the new server, under the same name"))


@rule("retention", value("retention"))
def retention(before: Side, after: Side) -> Explanation:
    """Old versions of documents are kept for another time."""
    old, new = before.backend.retention.value, after.backend.retention.value
    lowered = isinstance(old, int) and isinstance(new, int) and new < old
    if lowered:
        happens = (
            "versions of documents that are older are deleted for good, and raising it again later can leave the "
            "backend's clean-up looping for ever"
        )
    else:
        happens = (
            "if it was ever lowered before, which these manifests do not show, raising it again can leave the "
            "backend's clean-up looping for ever"
        )
    cure = "keep DOCUMENT_RETENTION_DELAY as the instance was started with; choose another for a new instance"
    return Explanation(happens, cure)
