"""From pydantic's JSON schema to a structural one, and models that cannot be written as one."""

from __future__ import annotations

import pytest

from penstock_core.resources import Database, DatabaseAccessPolicy
from penstock_core.resources.model import Model
from penstock_core.resources.schema import UnstructuralSchema, at, structural


class Child(Model):
    """A part."""

    size: int = 3
    """How large."""


class Parent(Model):
    """A whole,
    of parts.

    And more."""

    one: Child | None = None
    """The first part."""
    all: tuple[Child, ...] = ()
    """All
    parts."""


class Endless(Model):
    inner: Endless | None = None


class Either(Model):
    value: int | str


class Anything(Model):
    value: object


def test_references_and_alternatives_with_null_are_gone_and_texts_are_of_one_line_a_paragraph() -> None:
    child = {"type": "object", "properties": {"size": {"description": "How large.", "type": "integer", "default": 3}}}

    assert structural(Parent) == {
        "description": "A whole, of parts.\n\nAnd more.",
        "type": "object",
        "properties": {
            "one": {**child, "description": "The first part."},
            "all": {
                "description": "All parts.",
                "type": "array",
                "default": [],
                "items": {**child, "description": "A part."},
            },
        },
    }


@pytest.mark.parametrize(
    ("model", "said"),
    [(Endless, "a model that contains itself"), (Either, "a choice between types"), (Anything, "has no single type")],
)
def test_what_has_no_structural_schema_is_found_when_it_is_made(model: type[Model], said: str) -> None:
    with pytest.raises(UnstructuralSchema, match=said):
        structural(model)


def test_a_place_in_a_resource_is_found_in_its_schema() -> None:
    schema = structural(DatabaseAccessPolicy)

    assert at(schema, ()) is schema
    keep_last = at(schema, ("spec", "masks", 7, "with", "partial", "keepLast"))
    assert keep_last is not None
    assert keep_last["type"] == "integer"
    assert at(schema, ("spec", "nothing", 0)) is None
    assert at(structural(Database), ("spec", "classification", 0, "tag")) is not None
