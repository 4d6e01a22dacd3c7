"""Label selectors, as `kubectl get -l` takes them."""

from __future__ import annotations

import re
from collections.abc import Mapping

_KEY = r"[A-Za-z0-9][-A-Za-z0-9_./]*"
_VALUE = r"[-A-Za-z0-9_.]*"
_REQUIREMENT = rf"\s*(?:!\s*{_KEY}|{_KEY}\s*(?:(?:==|=|!=)\s*{_VALUE}|(?:not)?in\s*\([^()]*\))?)\s*"
SELECTOR = rf"({_REQUIREMENT}(,{_REQUIREMENT})*)?"


def selects(selector: str, labels: Mapping[str, str]) -> bool:
    """Whether labels fit a valid selector; an empty one fits all."""
    return all(_fits(part.strip(), labels) for part in re.findall(_REQUIREMENT, selector) if part.strip())


def _fits(requirement: str, labels: Mapping[str, str]) -> bool:
    if requirement.startswith("!"):
        return requirement[1:].strip() not in labels
    if match := re.fullmatch(rf"({_KEY})\s*(==|=|!=)\s*({_VALUE})", requirement):
        return (labels.get(match[1]) == match[3]) == (match[2] != "!=")
    if match := re.fullmatch(rf"({_KEY})\s*(notin|in)\s*\(([^()]*)\)", requirement):
        values = [value.strip() for value in match[3].split(",")]
        return (labels.get(match[1]) in values) == (match[2] == "in")
    return requirement in labels
