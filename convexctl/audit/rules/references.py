"""Variables that refer to others, and to what is out of sight."""

from __future__ import annotations

from collections.abc import Iterator

from convexctl.audit.model import Hit, Severity, View, hit, obstacles, rule
from convexctl.audit.rules.variables import unread
from convexctl.wording import listed


@rule(
    "unresolved-variable",
    Severity.ERROR,
    "A variable that cannot be made",
    reason="The kubelet makes all variables before it starts a container. A missing required key keeps the pod in "
    "CreateContainerConfigError. The API server refuses a value that is not a string.",
    basis="Kubernetes: the kubelet and the API's schema",
    parameter="the keys of each Secret are settings: postgres.keys.*, s3.keys.*, instance.keys.*",
    change="add the key, correct its name, or put the value in quotes",
)
def unresolved_variable(view: View) -> Iterator[Hit]:
    """References to keys that are missing, and values that are not strings."""
    yield from obstacles(view, "variables")


@rule(
    "reference-unresolved",
    Severity.ERROR,
    "A reference that nothing resolves",
    reason="The kubelet puts a variable in the place of $(NAME) only if NAME is set before it: by envFrom, or by an "
    "earlier entry of env. Otherwise the text stays as it is. It knows no other form: a placeholder such as ${NAME} "
    "has to be filled in before the manifests are applied.",
    basis="Kubernetes: dependent environment variables",
    parameter="none: references are made in the right order there",
    change="move the entry of NAME in front of the one that uses it, or set NAME; use $(NAME) in place of ${NAME}",
    least=Severity.INFORMATION,
)
def reference_unresolved(view: View) -> Iterator[Hit]:
    """Variables that Convex reads, with a reference as it is written."""
    for component in view.behaviour.components:
        environment = component.environment
        for variable in environment:
            if unread(component, variable.name):
                continue
            for left in dict.fromkeys(variable.left):
                when = "is set only after it" if left[2:-1] in environment.variables else "is not set"
                said = f"{variable.name} keeps {left} as it is written: {left[2:-1]} {when}"
                unless = "the container's own command resolves it" if environment.reads_all else variable.unless
                yield Hit(component, variable.source, said, None, unless)
            if variable.placeholders:
                filled = listed(list(dict.fromkeys(variable.placeholders)), "and")
                said = f"{variable.name} holds {filled}: right only if another tool fills that in"
                yield Hit(component, variable.source, said, Severity.INFORMATION)


@rule(
    "variables-unseen",
    Severity.INFORMATION,
    "Variables that this audit cannot see",
    reason="Every key of a Secret or ConfigMap in `envFrom` becomes a variable. If the object is not among the "
    "manifests, its keys are not known. Decisions that they could change carry a condition.",
    basis="Kubernetes: the kubelet's rules for envFrom",
    parameter="none: secrets come one by one there, each under its variable's name",
    change="name the keys one by one in `env`, or audit with --live, which reads the names of the keys",
)
def out_of_sight(view: View) -> Iterator[Hit]:
    """Sources of variables that are not among the manifests."""
    for component in view.behaviour.components:
        if component.out_of_sight:
            yield hit(component, component.out_of_sight, component.out_of_sight.text)
