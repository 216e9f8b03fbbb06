"""Aggregates and window functions whose results an order of rows shows in: what is completed inside of them."""

from __future__ import annotations

import pytest
from pglast import ast

from penstock_core.sql.catalog.functions import Functions
from penstock_core.sql.catalog.model import Catalog
from penstock_core.sql.masking.order_calls import CallOrder, names_source
from penstock_core.sql.masking.order_keys import Level, Rows
from penstock_core.sql.masking.order_sensitivity import OwnCalls
from penstock_core.sql.syntax.deparse import deparse
from penstock_core.sql.syntax.parse import parse

T = Rows("t", ("id", "a", "b"), key=("id",), types={"id": "int4", "a": "int4", "b": "float8"})
OUTER = Rows("o", ("id", "c"), key=("id",), types={"id": "int4", "c": "text"})
OWN = OwnCalls(Functions(Catalog()))


def calls(outputs: str, level: Level | None = None) -> tuple[CallOrder, ast.SelectStmt]:
    (select,) = parse(f"SELECT {outputs}")
    assert isinstance(select, ast.SelectStmt)
    return CallOrder(select, level or Level([T]), OWN), select


@pytest.mark.parametrize(
    ("outputs", "completed"),
    [
        ("array_agg(a)", "array_agg(a ORDER BY t.id)"),
        ("array_agg(a ORDER BY b)", "array_agg(a ORDER BY b, t.id)"),
        ("array_agg(a ORDER BY id)", "array_agg(a ORDER BY id)"),
        ("sum(b)", "sum(b ORDER BY t.id)"),
        ("sum(a), max(b), count(*)", "sum(a), max(b), count(*)"),
        ("json_arrayagg(a ABSENT ON NULL)", "json_arrayagg(a ORDER BY t.id ABSENT ON NULL)"),
        ("row_number() OVER (PARTITION BY a ORDER BY b)", "row_number() OVER (PARTITION BY a ORDER BY b, t.id)"),
        ("row_number() OVER (PARTITION BY id)", "row_number() OVER (PARTITION BY id)"),
        ("rank() OVER (ORDER BY b)", "rank() OVER (ORDER BY b)"),
    ],
)
def test_what_is_completed(outputs: str, completed: str) -> None:
    found, select = calls(outputs)
    found.complete()
    assert deparse((select,)) == f"SELECT {completed}"
    assert (found.changed, found.unsorted) == (outputs.upper() != completed.upper(), False)


@pytest.mark.parametrize("outputs", ["last_value(a) OVER (ORDER BY b)", "json_objectagg(a: b)"])
def test_what_only_sorted_rows_would_make_safe_is_told(outputs: str) -> None:
    found, _ = calls(outputs)
    found.complete()
    assert found.unsorted


def test_where_rows_can_not_be_told_apart_the_sources_have_to_be_sorted() -> None:
    found, select = calls("array_agg(a)", Level([Rows("", ("a",), hazard=True)]))
    found.complete()
    assert (found.unsorted, deparse((select,))) == (True, "SELECT array_agg(a)")


def test_an_aggregate_of_outer_columns_is_one_of_the_outer_query() -> None:
    outer = Level([OUTER])
    found, _ = calls("array_agg(c)", Level([T], outer))
    assert not found.any_aggregate
    assert found.of_outer
    assert outer.aggregated
    inner, _ = calls("array_agg(a), max(o.c)", Level([T], Level([OUTER])))
    assert inner.any_aggregate
    assert not inner.of_outer


def test_whether_there_is_one_row_of_all() -> None:
    asked = ("max(a)", "a", "max(a) OVER ()", "(SELECT max(a))", "json_arrayagg(a)")
    assert [calls(one)[0].any_aggregate for one in asked] == [True, False, False, False, True]


def test_whose_a_name_surely_is() -> None:
    def of(text: str) -> bool:
        _, select = calls(text)
        return names_source((select.targetList or ())[0].val, Level([T]))

    assert [of(one) for one in ("a", "t.a", "t", "*", "c", "o.c")] == [True, True, True, True, False, False]
