"""The models' JSON schema in the structural form that the API server takes: no references, no alternatives.

What the API server rejects is removed or rewritten here. What is around the schema in a CRD is in `crd.py`; error
messages use the same schema to know which fields there are at a place.
"""

from __future__ import annotations

from functools import cache
from typing import Any, TypeAlias

from penstock_core.resources.model import Model

Schema: TypeAlias = dict[str, Any]

# Noise that would only lengthen the CRD, or that a structural schema may not have.
_DROPPED = ("title", "additionalProperties", "const", "$defs")


class UnstructuralSchema(TypeError):
    """A model cannot be written as a structural schema; the message names the place. A mistake in the models."""


@cache
def structural(model: type[Model]) -> Schema:
    """The structural schema of a model, shared: callers copy it before they change it."""
    schema = model.model_json_schema(by_alias=True, mode="validation")
    return _inlined(schema, schema.get("$defs", {}), (model.__name__,))


def _inlined(node: Schema, definitions: dict[str, Schema], path: tuple[str, ...]) -> Schema:
    node = _flat(_resolved(node, definitions, path), definitions, path)
    if len(path) > 64:
        raise UnstructuralSchema(f"{'.'.join(path[:8])}…: a model that contains itself")
    result = {key: value for key, value in node.items() if key not in _DROPPED}
    if "description" in result:
        result["description"] = _paragraphs(result["description"])
    if "const" in node:
        result["enum"] = [node["const"]]
    if "default" in result:
        result["default"] = _without_nulls(result["default"])
        if result["default"] is None:
            del result["default"]
    if "properties" in result:
        result["properties"] = {
            name: _inlined(value, definitions, (*path, name)) for name, value in result["properties"].items()
        }
    elif isinstance(node.get("additionalProperties"), dict):
        result["additionalProperties"] = _inlined(node["additionalProperties"], definitions, (*path, "*"))
    if "items" in result:
        result["items"] = _inlined(result["items"], definitions, (*path, "[]"))
    if "type" not in result:
        raise UnstructuralSchema(f"{'.'.join(path)}: has no single type")
    return {key: result[key] for key in sorted(result, key=_reading_order)}


def _reading_order(key: str) -> int:
    """What a reader wants to know first stands first; the rest stays as it came."""
    first = ("description", "type", "format", "enum", "default", "required")
    return first.index(key) if key in first else len(first)


def _resolved(node: Schema, definitions: dict[str, Schema], path: tuple[str, ...]) -> Schema:
    """The node with what it refers to in its place; what it says itself goes before that."""
    if "$ref" not in node:
        return node
    target = definitions[node["$ref"].rpartition("/")[2]]
    return target | {key: value for key, value in node.items() if key != "$ref"}


def _flat(node: Schema, definitions: dict[str, Schema], path: tuple[str, ...]) -> Schema:
    """`X or null` as X: in a resource, null is the same as leaving the field out."""
    if "anyOf" not in node:
        return node
    kinds = [kind for kind in node["anyOf"] if kind.get("type") != "null"]
    if len(kinds) != 1:
        raise UnstructuralSchema(f"{'.'.join(path)}: a choice between types")
    outside = {key: value for key, value in node.items() if key != "anyOf"}
    return _resolved(kinds[0], definitions, path) | outside


def _without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_nulls(item) for key, item in value.items() if item is not None}
    return value


def _paragraphs(text: str) -> str:
    """A docstring without the line breaks within its paragraphs."""
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in text.split("\n\n"))


def at(schema: Schema, location: tuple[str | int, ...]) -> Schema | None:
    """The part of a structural schema for the value at that location, None if there is no such place."""
    for step in location:
        schema = schema.get("items", {}) if isinstance(step, int) else schema.get("properties", {}).get(step, {})
    return schema or None
