"""What the API server wants of autoscalers, quotas and limit ranges, which its schemas do not say."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from convex_k8s.problems import Problem
from convex_k8s.values.base import QUALIFIED
from convex_k8s.values.quantities import number

Struct = Mapping[str, Any]

_FIELD_OF_METRIC = {
    "ContainerResource": "containerResource",
    "External": "external",
    "Object": "object",
    "Pods": "pods",
    "Resource": "resource",
}
_VALUES = {
    "containerResource": ("averageUtilization", "averageValue"),
    "external": ("value", "averageValue"),
    "object": ("value", "averageValue"),
    "pods": ("averageValue",),
    "resource": ("averageUtilization", "averageValue"),
}
_COUNTED = (
    "configmaps",
    "persistentvolumeclaims",
    "pods",
    "replicationcontrollers",
    "resourcequotas",
    "secrets",
    "services",
    "services.loadbalancers",
    "services.nodeports",
)
_MEASURED = ("cpu", "memory", "ephemeral-storage")
_QUOTAS = {
    *_COUNTED,
    *_MEASURED,
    "requests.storage",
    *(f"{kind}.{name}" for kind in ("requests", "limits") for name in _MEASURED),
}
_ORDER = ("min", "defaultRequest", "default", "max")
_OPPOSITES = (("BestEffort", "NotBestEffort"), ("Terminating", "NotTerminating"))


def scaler(value: Struct) -> Iterator[Problem]:
    """An autoscaler of pods: the bounds, and what it scales."""
    least, most = value.get("minReplicas"), value.get("maxReplicas")
    metrics = value.get("metrics") or []
    if isinstance(least, int) and isinstance(most, int) and least > most:
        yield Problem(("minReplicas",), "is more than maxReplicas")
    elif least == 0 and not any(metric.get("type") in ("Object", "External") for metric in metrics):
        yield Problem(("minReplicas",), "is 0, which needs a metric of type Object or External")
    target = value["scaleTargetRef"]
    version = target.get("apiVersion", "")
    if version.count("/") > 1 or ("/" not in version and target["kind"] != "ReplicationController"):
        yield Problem(("scaleTargetRef", "apiVersion"), "must be a group and a version like apps/v1")


def metric(value: Struct) -> Iterator[Problem]:
    """A metric has the one field that its type names."""
    wanted = _FIELD_OF_METRIC[value["type"]]
    if not value.get(wanted):
        yield Problem((), f"has no {wanted}, which type {value['type']} needs")
    else:
        target, choices = value[wanted]["target"], _VALUES[wanted]
        given = [name for name in choices if target.get(name) is not None]
        if len(given) != 1:
            yield Problem(
                (wanted, "target"), f"must have {'one of ' if len(choices) > 1 else ''}{' and '.join(choices)}"
            )
    for other in _FIELD_OF_METRIC.values():
        if other != wanted and value.get(other):
            yield Problem((other,), f"means nothing with type {value['type']}: remove it")


def metric_target(value: Struct) -> Iterator[Problem]:
    """The values of a target are above 0."""
    for field in ("averageValue", "value"):
        quantity = value.get(field)
        if quantity is not None and not (number(quantity) or 0) > 0:
            yield Problem((field,), "must be above 0")


def scaling_rules(value: Struct) -> Iterator[Problem]:
    """How fast an autoscaler may go must be said if anything is."""
    if value.get("policies") == []:
        yield Problem(("policies",), "is empty: name one, or leave it out")


def limit(value: Struct) -> Iterator[Problem]:
    """The limits for one type: each amount below the next."""
    type = value["type"]
    if type == "Pod":
        for field in ("default", "defaultRequest"):
            if value.get(field):
                yield Problem((field,), "means nothing with type Pod: remove it")
    amounts = {field: value.get(field) or {} for field in _ORDER}
    if type == "PersistentVolumeClaim" and not any("storage" in amounts[field] for field in ("min", "max")):
        yield Problem((), "has no min.storage and no max.storage, of which type PersistentVolumeClaim needs one")
    for index, lower in enumerate(_ORDER):
        for upper in _ORDER[index + 1 :]:
            for name, quantity in amounts[lower].items():
                most = amounts[upper].get(name)
                if most is not None and (number(quantity) or 0) > (number(most) or 0):
                    yield Problem((lower, name), f"is more than {upper}, which is {most}")
    yield from _ratios(value, amounts)


def _ratios(value: Struct, amounts: Struct) -> Iterator[Problem]:
    type = value["type"]
    for name, quantity in (value.get("maxLimitRequestRatio") or {}).items():
        least, most = number(amounts["min"].get(name)), number(amounts["max"].get(name))
        if (number(quantity) or 0) < 1:
            yield Problem(("maxLimitRequestRatio", name), "must be 1 or more")
        elif least and most and (number(quantity) or 0) > most / least:
            yield Problem(("maxLimitRequestRatio", name), "is more than max divided by min")
    for field in (*_ORDER, "maxLimitRequestRatio"):
        for name in value.get(field) or {}:
            plain = name in _MEASURED or name.startswith("hugepages-") or (name == "storage" and type != "Container")
            if not plain and not ("/" in name and re.fullmatch(QUALIFIED, name)):
                yield Problem((field, name), "is not a resource: cpu, memory, ephemeral-storage, or example.com/gpu")


def quota(value: Struct) -> Iterator[Problem]:
    """The amounts of a quota are of what can be counted; its scopes do not contradict each other."""
    for name, quantity in (value.get("hard") or {}).items():
        plain = re.fullmatch(r"(requests\.)?hugepages-.+", name)
        if name not in _QUOTAS and not plain and not ("/" in name and re.fullmatch(QUALIFIED, name)):
            yield Problem(
                ("hard", name), "is not a resource of quotas, like pods, requests.cpu or count/deployments.apps"
            )
        elif (name in _COUNTED or name.startswith("count/")) and (number(quantity) or 0) % 1:
            yield Problem(("hard", name), "must be a whole number")
    scopes = value.get("scopes") or []
    for one, other in _OPPOSITES:
        if one in scopes and other in scopes:
            yield Problem(("scopes",), f"has both {one} and {other}: keep one")


def scope(value: Struct) -> Iterator[Problem]:
    """A scope with an operator has the values that the operator needs."""
    operator, values = value["operator"], value.get("values") or []
    if operator != "Exists" and value["scopeName"] not in ("PriorityClass", "VolumeAttributesClass"):
        yield Problem(("operator",), f"must be Exists for {value['scopeName']}")
    elif operator in ("In", "NotIn") and not values:
        yield Problem((), f"has no values, which operator {operator} needs")
    elif operator not in ("In", "NotIn") and values:
        yield Problem(("values",), f"means nothing with operator {operator}: remove it")


OF_LIMITS = {
    "HPAScalingRules": scaling_rules,
    "HorizontalPodAutoscalerSpec": scaler,
    "LimitRangeItem": limit,
    "MetricSpec": metric,
    "MetricTarget": metric_target,
    "ResourceQuotaSpec": quota,
    "ScopedResourceSelectorRequirement": scope,
}
"""The checks, by the type of the structure."""
