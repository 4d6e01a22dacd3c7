"""The rules, a file per family. Each rule is beside the check that finds it."""

from __future__ import annotations

from convexctl.audit.model import Rule
from convexctl.audit.rules import (
    access,
    dashboard,
    database,
    documents,
    edge,
    images,
    instance,
    literal_secrets,
    origins,
    pod,
    proxy_limits,
    references,
    routes,
    s3,
    stop_and_probes,
    variables,
    volume,
    writers,
)

FAMILIES = {
    "Variables": variables,
    "References": references,
    "Volume": volume,
    "S3": s3,
    "Database": database,
    "Instance": instance,
    "Secrets in sight": literal_secrets,
    "Writers": writers,
    "Start and stop": stop_and_probes,
    "Pod": pod,
    "Access": access,
    "Images": images,
    "Origins": origins,
    "Routes": routes,
    "In front of Convex": edge,
    "Proxy limits": proxy_limits,
    "Dashboard": dashboard,
    "Documents": documents,
}
"""The files, under the titles of their chapters in the documentation."""

CHAPTERS = {
    title: tuple(
        item for item in vars(family).values() if isinstance(item, Rule) and item.check.__module__ == family.__name__
    )
    for title, family in FAMILIES.items()
}
"""The rules of each chapter, in the order of its file."""

RULES = tuple(rule for rules in CHAPTERS.values() for rule in rules)
"""All rules, in the order of the documentation."""
