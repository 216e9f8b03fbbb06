"""What is shared between statements is shared only where it is the same; times and numbers come back as they were."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from penstock_collector.store import forms, moments
from penstock_collector.store.database import open_for_writing
from penstock_collector.store.forms import Form

EMPTY = Form(*("" for _ in Form._fields))


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    made = open_for_writing(tmp_path / "audit.db")
    yield made
    made.close()


@pytest.mark.parametrize("alike", [False, True])
def test_texts_that_stand_elsewhere_are_another_form(
    alike: bool, connection: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    if alike:
        monkeypatch.setattr(Form, "digest", 7)
    names = Form._fields
    made = [EMPTY, *(EMPTY._replace(**{name: text}) for name in names for text in ("x", "x ", "\x00", "\x00x"))]
    numbers = [forms.number(connection, one) for one in made]
    assert len(set(numbers)) == len(made)
    assert [forms.number(connection, one) for one in made] == numbers
    assert [forms.of(connection, one) for one in numbers] == made


@pytest.mark.parametrize("text", ["0", "1", "42", "999999999999999"])
def test_numbers_of_statements_are_kept_as_numbers(text: str) -> None:
    assert forms.key(text) == int(text)


@pytest.mark.parametrize(
    "text", ["", "01", "00", "1.0", "1e3", "-1", "+1", " 1", "1\n", "9" * 16, "9" * 400, "١", "²", "x"]
)
def test_what_is_no_plain_number_is_kept_as_the_text_that_it_is(text: str) -> None:
    assert forms.key(text) == text


@pytest.mark.parametrize(
    ("time", "told"),
    [
        ("2026-11-25T09:00:00.000001Z", "2026-11-25T09:00:00.000001Z"),
        ("2026-11-25T09:00:00Z", "2026-11-25T09:00:00.000000Z"),
        ("2026-11-25T09:00:00.1Z", "2026-11-25T09:00:00.100000Z"),
        ("2026-11-25T09:00:00.123456789Z", "2026-11-25T09:00:00.123456Z"),
        ("0001-01-01T00:00:00Z", "0001-01-01T00:00:00.000000Z"),
        ("9999-12-31T23:59:59.999999999Z", "9999-12-31T23:59:59.999999Z"),
    ],
)
def test_moments_are_told_to_the_microsecond(time: str, told: str) -> None:
    assert moments.told(moments.counted(time)) == told
