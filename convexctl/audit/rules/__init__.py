"""The rules, by what they are about. Each stands beside the check that finds it."""

from __future__ import annotations

from convexctl.audit.rules import data, edge, lifecycle, variables

RULES = (*variables.RULES, *data.RULES, *lifecycle.RULES, *edge.RULES)
"""All rules, in the order of the documentation."""
