"""Documents of a snapshot, row by row: what JSON says of them as a whole, and what is none."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock_core.sql.catalog.documents import Rows

VALUES = st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists, max_leaves=8)


@given(st.lists(st.lists(VALUES)), st.sampled_from([None, 0, 2]), st.sampled_from(["", " \n"]))
def test_the_rows_are_those_of_the_whole_document(rows: list[list[Any]], indent: int | None, around: str) -> None:
    found = Rows(around + json.dumps(rows, indent=indent) + around)
    assert list(found) == rows
    assert list(found) == rows, "it can be read again"


@pytest.mark.parametrize(
    "text",
    ["", "null", "{}", "[", "[1]", '[["a"]', '[["a"],]', '[["a"] ["b"]]', '[["a"]] x', "[] []", '[["a"], null]', "[[]"],
)
def test_what_is_no_document_is_told(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        list(Rows(text))
