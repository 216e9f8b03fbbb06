"""Events held against their definition (`fields.py`), and the definition as a JSON Schema.

Fields and kinds that are not defined are let pass: a newer gate may have more to tell than its collector knows of. So
is an event that tells less than it should: it is worth more on record than aside. But a field that is not what it is
said to be misleads whoever reads it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from functools import cache
from typing import Any

from penstock_core.audit.event import VERSION, VERSIONS, Event
from penstock_core.audit.fields import CUT, DEFINITIONS, ENVELOPE, Definition, Field

_HASH = re.compile(r"[0-9a-f]{64}")
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?Z")
_PATTERNS = {"hash": _HASH, "time": _TIME}
_Check = Callable[[Any], bool]


def complaint(event: Event) -> str:
    """What is wrong with an event's fields; empty if nothing is. Of earlier versions only what all events have."""
    if event.get("v") not in VERSIONS or event.get("v") is True:
        return f"version is not {' or '.join(map(str, VERSIONS))}"
    definition = DEFINITIONS.get(event["kind"]) if isinstance(event.get("kind"), str) else None
    fields = ENVELOPE if definition is None or event["v"] != VERSION else _all_of(event["kind"])
    truncated = event.get("truncated")
    cut = truncated if isinstance(truncated, list) else ()
    missing = (one.name for one in ENVELOPE if one.name not in event)
    wrong = (found for found in _wrong(event, fields) if found.split(".")[0] not in cut)
    return next((f"no usable {found}" for found in (*missing, *wrong)), "")


def missing(event: Event) -> list[str]:
    """The fields that an event of its kind always has, and this one does not."""
    return [one.name for one in _all_of(event["kind"]) if one.always and one.name not in event]


@cache
def _all_of(kind: str) -> tuple[Field, ...]:
    definition: Definition = DEFINITIONS[kind]  # type: ignore[index]  # looked up before
    return (*ENVELOPE, *CUT, *definition.fields)


def _wrong(given: dict[str, Any], fields: Iterable[Field], path: str = "") -> Iterable[str]:
    """The fields that are not what they should be."""
    for field in fields:
        if field.name not in given:
            continue
        value = given[field.name]
        if field.many and not isinstance(value, list):
            yield path + field.name
            continue
        for one in value if field.many else (value,):
            if field.type == "object" and isinstance(one, dict):
                yield from _wrong(one, field.fields, f"{path}{field.name}.")
            elif not is_of(field, one):
                yield path + field.name


def is_of(field: Field, value: Any) -> bool:
    """Whether the value is of the field's type; never so of an object."""
    match field.type:
        case "text":
            # Another than is defined may be a newer gate's.
            return isinstance(value, str)
        case "hash" | "time":
            return isinstance(value, str) and _PATTERNS[field.type].fullmatch(value) is not None
        case "whole":
            return type(value) is int and value >= 0
        case "flag":
            return isinstance(value, bool)
        case "any":
            return True
    return False


def json_schema() -> dict[str, Any]:
    """The definition for other programs: JSON Schema 2020-12."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"Penstock audit event, version {VERSION}",
        **_object((*ENVELOPE, *CUT)),
        "allOf": [
            {
                "if": {"properties": {"kind": {"const": kind}}},
                "then": _object(definition.fields) | {"description": definition.words},
            }
            for kind, definition in DEFINITIONS.items()
        ],
    }


def _object(fields: Iterable[Field]) -> dict[str, Any]:
    fields = tuple(fields)
    shown: dict[str, Any] = {"type": "object", "properties": {one.name: _property(one) for one in fields}}
    required = [one.name for one in fields if one.always]
    return {**shown, "required": required} if required else shown


def _property(field: Field) -> dict[str, Any]:
    shown: dict[str, Any]
    match field.type:
        case "object":
            shown = _object(field.fields)
        case "whole":
            shown = {"type": "integer", "minimum": 0}
        case "flag":
            shown = {"type": "boolean"}
        case "any":
            shown = {}
        case kind:
            shown = {"type": "string"}
            if kind in _PATTERNS:
                shown["pattern"] = f"^{_PATTERNS[kind].pattern}$"
            if field.one_of:
                shown["enum"] = list(field.one_of)
    return {"description": field.words, **({"type": "array", "items": shown} if field.many else shown)}
