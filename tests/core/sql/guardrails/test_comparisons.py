"""Comparisons that hold for every row, and those that only look like it."""

from __future__ import annotations

from typing import Any

import pytest
from pglast import ast, parse_sql

from penstock_core.sql.guardrails.comparisons import complementary, holds, irreflexive, is_negation, reflexive


def expression(text: str) -> Any:
    return parse_sql(f"SELECT {text}")[0].stmt.targetList[0].val


@pytest.mark.parametrize(
    "text", ["a = a", "a + 1 > a", "a - a = 0", "a * a >= 0", "a ~ '.*'", "least(a, 3) <= 3", "3 >= least(3, a)"]
)
def test_what_holds_of_whatever_is_not_null(text: str) -> None:
    assert reflexive(expression(text))


@pytest.mark.parametrize(
    "text", ["a = b", "a + 1 < a", "a - b = 0", "a * b >= 0", "a ~ '.+'", "least(a, 3) <= 2", "a > $1", "a + b = b"]
)
def test_what_does_not(text: str) -> None:
    assert not reflexive(expression(text))


@pytest.mark.parametrize("text", ["a <> a", "a < a", "a + 1 = a", "a IS DISTINCT FROM a", "a < a - 2"])
def test_what_never_holds(text: str) -> None:
    assert irreflexive(expression(text))
    assert not reflexive(expression(text))


@pytest.mark.parametrize(
    ("one", "other", "always"),
    [
        ("a = 1", "a <> 1", True),
        ("a = 1", "NOT a = 1", True),
        ("a > 3", "a <= 3", True),
        ("a > 3", "a < 4", True),
        ("a >= 3", "a < 3", True),
        ("a > 3", "a < 3", False),
        ("a > 4", "a < 3", False),
        ("a = 1", "b <> 1", False),
        ("a <> 1", "a <> 2", True),
        ("a <> 1", "a <> 1", False),
        ("a <> 'x'", "a <> 1", False),
        ("a IS NULL", "a IS NOT NULL", True),
        ("a IS TRUE", "a IS NOT TRUE", True),
        ("a IS TRUE", "a IS NOT FALSE", False),
        ("a > b", "a < b + 1", True),
    ],
)
def test_one_of_two_holds(one: str, other: str, always: bool) -> None:
    assert complementary([expression(one), expression(other)]) is always
    assert complementary([expression(other), expression(one)]) is always


def test_whole_numbers_compare_as_they_do() -> None:
    assert [name for name in ("=", "<>", "<", ">", "<=", ">=", "~") if holds(1, name, 2)] == ["<>", "<", "<="]


def test_only_not_is_a_negation() -> None:
    assert is_negation(expression("NOT a"))
    assert not is_negation(expression("a AND b"))
    assert not is_negation(ast.NullTest())
