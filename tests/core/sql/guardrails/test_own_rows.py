"""Subqueries over the table whose rows are to be chosen."""

from __future__ import annotations

from typing import Any

import pytest
from pglast import parse_sql

from penstock_core.sql.guardrails.own_rows import Target, finds_itself, holds_all, last, reaches_all, without_from

TARGET = Target("t", ("public", "t"), frozenset({"id", "name"}), frozenset({"id"}))


def condition(text: str) -> Any:
    return parse_sql(f"SELECT 1 WHERE {text}")[0].stmt.whereClause


@pytest.mark.parametrize(
    ("text", "all_rows"),
    [
        ("id IN (SELECT id FROM t)", True),
        ("id IN (SELECT o.id FROM public.t AS o WHERE true)", True),
        ("(id, name) IN (SELECT id, name FROM t)", True),
        ("id IN (VALUES (1), (id))", True),
        ("id IN (SELECT t.id)", True),
        ("id IN (SELECT id FROM other)", False),
        ("id IN (SELECT id FROM s.t)", False),
        ("id IN (SELECT name FROM t)", False),
        ("id IN (SELECT id FROM t WHERE id = 3)", False),
        ("id IN (SELECT id FROM t LIMIT 3)", False),
        ("id IN (SELECT id FROM t UNION SELECT 1)", False),
        ("id IN (SELECT id FROM t, u)", False),
        ("id IN (VALUES (1))", False),
        ("(id, name) IN (SELECT name, id FROM t)", False),
        ("id IN (SELECT t.id WHERE false)", False),
    ],
)
def test_what_holds_every_row(text: str, all_rows: bool) -> None:
    link = condition(text)
    assert holds_all(link.testexpr, link.subselect, TARGET) is all_rows


@pytest.mark.parametrize(
    ("text", "all_rows"),
    [
        ("id <= (SELECT max(id) FROM t)", True),
        ("id >= (SELECT min(id) FROM t)", True),
        ("id < (SELECT max(id) FROM t)", False),
        ("id <= (SELECT min(id) FROM t)", False),
        ("id <= 3", False),
        ("id <= (SELECT max(name) FROM t)", False),
        ("id <= (SELECT max(id) FROM t WHERE name = 'x')", False),
    ],
)
def test_what_bounds_every_row(text: str, all_rows: bool) -> None:
    assert reaches_all(condition(text), TARGET) is all_rows


@pytest.mark.parametrize(
    ("text", "all_rows"),
    [
        ("EXISTS (SELECT FROM t AS o WHERE o.id = t.id)", True),
        ("EXISTS (SELECT FROM t AS o WHERE o.id = t.id AND o.name = t.name)", True),
        ("EXISTS (SELECT FROM t AS o WHERE o.id = t.id AND o.name = 'x')", False),
        ("EXISTS (SELECT FROM t AS o WHERE o.id = t.id OR o.name = t.name)", False),
        ("EXISTS (SELECT FROM other AS o WHERE o.id = t.id)", False),
        ("EXISTS (SELECT FROM t)", False),
    ],
)
def test_what_finds_itself(text: str, all_rows: bool) -> None:
    assert finds_itself(condition(text).subselect, TARGET) is all_rows


def test_what_reads_nothing_is_its_value_and_its_condition() -> None:
    assert [len(without_from(condition(f"({text})").subselect) or ()) for text in ("SELECT 1", "SELECT 1 WHERE a")] == [
        1,
        2,
    ]
    assert without_from(condition("(SELECT 1 FROM t)").subselect) is None
    assert without_from(condition("(SELECT 1 LIMIT 0)").subselect) is None


def test_a_column_is_known_by_its_last_name() -> None:
    assert [last(condition(text)) for text in ("id", "t.id", "t.*")] == ["id", "id", None]
