"""`overlays/schema.json`, made from the model of the values: what editors complete, explain and check."""

from __future__ import annotations

import ast
import functools
import inspect
import json
import textwrap
from typing import Any

from convex_k8s import knobs
from convex_k8s.values import Values
from convex_k8s.values.base import Model
from convex_k8s.values.checks.backend import OWN_VARIABLES

from convexctl.overlays.load import EXTENDS

FILE = "schema.json"


def schema_text() -> str:
    """The JSON schema of an overlay, as the file holds it: what editors complete, explain and check."""
    schema = Values.model_json_schema(by_alias=True, mode="validation")
    definitions = schema.pop("$defs")
    for model in _models(Values):
        target = schema if model is Values else definitions.get(model.__name__)
        if target is None:
            continue
        target.pop("title", None)
        for name, field in model.model_fields.items():
            entry = target["properties"][field.alias or name]
            entry.pop("title", None)
            if isinstance(entry.get("default"), dict) and entry["default"]:
                del entry["default"]
            target["properties"][field.alias or name] = _nullable({"description": description(model, name), **entry})
    definitions["Backend"]["properties"]["env"] = _environment_schema(definitions["Backend"]["properties"]["env"])
    schema["properties"] = {
        EXTENDS: {"description": "Another overlay that this one is laid over.", "type": ["string", "null"]},
        **schema["properties"],
    }
    whole = {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "An overlay: the values of one environment",
        **schema,
        "definitions": definitions,
    }
    return json.dumps(whole, indent=2).replace('"#/$defs/', '"#/definitions/') + "\n"


@functools.cache
def description(model: type[Model], field: str) -> str:
    """The text under a field in the source of its model, or of the base where the field is explained."""
    for base in model.__mro__:
        if issubclass(base, Model) and base is not Model:
            text = _attribute_docstrings(base).get(field)
            if text:
                return text
    raise LookupError(f"{model.__name__}.{field} is not documented")


@functools.cache
def _attribute_docstrings(model: type[Model]) -> dict[str, str]:
    body = ast.parse(textwrap.dedent(inspect.getsource(model))).body[0]
    assert isinstance(body, ast.ClassDef)  # noqa: S101
    texts = {}
    for statement, following in zip(body.body, body.body[1:], strict=False):
        match statement, following:
            case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(text))):
                texts[name] = " ".join(text.split())
    return texts


def _models(model: type[Model]) -> list[type[Model]]:
    """`model` and every model that a field of it can hold."""
    found: dict[type[Model], None] = {}

    def visit(kind: Any) -> None:
        if isinstance(kind, type) and issubclass(kind, Model) and kind not in found:
            found[kind] = None
            for field in kind.model_fields.values():
                visit(field.annotation)
        for inner in getattr(kind, "__args__", ()):
            visit(inner)

    visit(model)
    return list(found)


def _nullable(entry: dict[str, Any]) -> dict[str, Any]:
    """Let `null` stand for "as by default", which is how a layer takes back what the one below it says."""
    if isinstance(entry.get("additionalProperties"), dict):
        entry = {**entry, "additionalProperties": _nullable(entry["additionalProperties"])}
    if "patternProperties" in entry:
        patterns = {pattern: _nullable(value) for pattern, value in entry["patternProperties"].items()}
        entry = {**entry, "patternProperties": patterns, "additionalProperties": False}
    if isinstance(entry.get("type"), str):
        choices = [entry["const"]] if "const" in entry else entry.get("enum")
        if choices:
            entry = {**{key: value for key, value in entry.items() if key != "const"}, "enum": [*choices, None]}
        return {**entry, "type": [entry["type"], "null"]}
    if isinstance(entry.get("type"), list) and "null" not in entry["type"]:
        return {**entry, "type": [*entry["type"], "null"]}
    if "anyOf" in entry and {"type": "null"} not in entry["anyOf"]:
        return {**entry, "anyOf": [*entry["anyOf"], {"type": "null"}]}
    if "$ref" in entry:
        rest = {key: value for key, value in entry.items() if key != "$ref"}
        return {**rest, "anyOf": [{"$ref": entry["$ref"]}, {"type": "null"}]}
    return entry


def _environment_schema(entry: dict[str, Any]) -> dict[str, Any]:
    besides = {"description": "Read by the backend, its runtime or its system.", "type": ["string", "number", "null"]}
    switch = {"description": "On with any value at all; false leaves it out.", "type": ["boolean", "null"]}
    properties: dict[str, dict[str, Any]] = dict.fromkeys(knobs.READ_BESIDES, besides)
    properties |= {name: _knob_schema(knob) for name, knob in knobs.knobs().items()}
    properties |= dict.fromkeys(knobs.PRESENCE, switch)
    for name, value in knobs.COMPOSE_DEFAULTS.items():
        said = properties[name]["description"]
        properties[name] = {
            **properties[name],
            "description": f"{said} Set here: {json.dumps(value)}.",
            "default": value,
        }
    allowed = {name: schema for name, schema in properties.items() if name not in OWN_VARIABLES}
    names = {**entry.get("propertyNames", {}), "not": {"enum": sorted(OWN_VARIABLES)}}
    return {**entry, "properties": dict(sorted(allowed.items())), "propertyNames": names}


def _knob_schema(knob: knobs.Knob) -> dict[str, Any]:
    unit = f", in {knob.unit}" if knob.unit else ""
    schema: dict[str, Any] = {"description": f"Tuning variable{unit}. Upstream's default: {json.dumps(knob.default)}."}
    kinds = {"integer": "integer", "number": "number", "boolean": "boolean"}
    schema["type"] = [*([kinds[knob.type]] if knob.type in kinds else []), "string", "null"]
    if knob.minimum is not None:
        schema["minimum"] = knob.minimum
    return schema
