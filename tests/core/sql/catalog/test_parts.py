"""The rows of a snapshot by what they are read again with, and back to the documents that they came in."""

from __future__ import annotations

import json

import pytest

from penstock_core.sql.catalog.parts import PLACES, Document, Parts, Sharing, in_order, opened

NONE = dict.fromkeys(PLACES, "[]")


def test_rows_are_of_what_they_begin_with_and_come_in_the_order_of_its_number() -> None:
    answers = {
        **NONE,
        "columns": '[["100", 1, "id"], ["20", 1, "id"], ["20", 2, "name"]]',
        "types": '[["t7", "mood"], ["s", "x"], ["20", "_people"]]',
        "session": '[["a"]]',
    }
    parts = opened(answers)
    assert list(parts.owned) == ["20", "100", "s", "t7"]
    assert list(parts.rows("columns")) == [("20", 1, "id"), ("20", 2, "name"), ("100", 1, "id")]
    # The first of a type's is only how it is read again.
    assert list(parts.rows("types")) == [("_people",), ("x",), ("mood",)]
    assert list(parts.rows("session")) == [["a"]]
    documents = parts.documents()
    assert documents.keys() == answers.keys()
    assert json.loads(documents["columns"]) == [["20", 1, "id"], ["20", 2, "name"], ["100", 1, "id"]]
    assert opened(documents) == parts


def test_columns_that_are_alike_are_one_row() -> None:
    sharing = Sharing()
    first = sharing.parts({**NONE, "columns": '[["1", 1, "id"], ["2", 1, "id"]]'})
    second = sharing.parts({**NONE, "columns": '[["3", 1, "id"]]'})
    rows = {id(part[PLACES["columns"]][0]) for part in (*first.values(), *second.values())}
    assert len(rows) == 1


def test_lists_in_rows_come_back_as_lists() -> None:
    answers = {**NONE, "constraints": '[["1", "i", [1, [2, []]], null, true, {"a": [1]}]]'}
    assert json.loads(opened(answers).documents()["constraints"]) == json.loads(answers["constraints"])


def test_a_document_of_equal_text_stays_the_same() -> None:
    one = Document.of('[["a"]]')
    assert one.after('[["a"]]') is one
    assert one.after('[["b"]]').rows == [["b"]]


def test_what_is_no_document_and_what_is_not_there_are_told() -> None:
    with pytest.raises(ValueError, match="not an array"):
        opened({**NONE, "columns": "null"})
    with pytest.raises(KeyError):
        Parts().rows("session")
    assert in_order({"t1": (), "9": (), "10": ()}).keys() == {"t1", "9", "10"}
