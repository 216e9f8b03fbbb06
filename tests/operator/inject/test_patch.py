"""A patch that is written while the document changes."""

from __future__ import annotations

from typing import Any

import jsonpatch

from penstock_operator.inject.patch import Patch


def replayed(document: dict[str, Any], patch: Patch) -> Any:
    return jsonpatch.apply_patch(document, patch.operations)


def test_objects_on_the_way_are_made() -> None:
    document: dict[str, Any] = {"metadata": {"annotations": None}}
    patch = Patch(document)
    patch.put("1", "metadata", "annotations", "penstock.dev/a~b")
    assert patch.operations == [
        {"op": "add", "path": "/metadata/annotations", "value": {}},
        {"op": "add", "path": "/metadata/annotations/penstock.dev~1a~0b", "value": "1"},
    ]
    assert replayed(document, patch) == patch.document
    assert document == {"metadata": {"annotations": None}}, "the document given is not touched"


def test_what_is_so_already_is_no_operation() -> None:
    patch = Patch({"a": {"b": "c"}})
    patch.put("c", "a", "b")
    assert patch.operations == []
    patch.put("d", "a", "b")
    assert patch.operations == [{"op": "replace", "path": "/a/b", "value": "d"}]


def test_lists_are_made_inserted_into_and_removed_from() -> None:
    document: dict[str, Any] = {"spec": {"x": ["b"]}}
    patch = Patch(document)
    patch.insert("a", 0, "spec", "x")
    patch.insert("c", 2, "spec", "x")
    patch.insert("y", 3, "spec", "fresh")
    patch.remove(1, "spec", "x")
    assert patch.document == {"spec": {"x": ["a", "c"], "fresh": ["y"]}}
    assert replayed(document, patch) == patch.document
