"""Changes of a text are gathered, and made all at once where they belong."""

from __future__ import annotations

from typing import Any

from pglast import ast

from penstock_core.sql.bind.scopes import Place
from penstock_core.sql.masking.edits import Edits
from penstock_core.sql.syntax.deparse import deparse
from penstock_core.sql.syntax.parse import parse
from penstock_core.sql.syntax.walk import below


def select(text: str) -> Any:
    (statement,) = parse(text)
    return statement


def value(text: str) -> ast.Node:
    node: ast.Node = select(f"SELECT {text}").targetList[0].val
    return node


def column(statement: ast.Node, name: str) -> ast.Node:
    return next(one for one in below(statement) if isinstance(one, ast.ColumnRef) and one.fields[0].sval == name)  # type: ignore[index]


def test_nothing_is_changed_before_it_is_asked_for() -> None:
    statement, edits = select("SELECT a FROM t"), Edits()
    edits.set(statement, "distinctClause", (None,))
    edits.put(Place(statement, "fromClause", 0), select("SELECT 1 FROM u").fromClause[0])
    edits.replace(column(statement, "a"), value("1"))
    assert deparse((statement,)) == "SELECT a FROM t"
    edits.apply((statement,), {})
    assert deparse((statement,)) == "SELECT DISTINCT 1 AS a FROM u"


def test_what_is_put_goes_to_its_place_in_a_list_or_to_a_field() -> None:
    statement, edits = select("SELECT 1 FROM a, b JOIN c ON true"), Edits()
    other = select("SELECT 1 FROM x").fromClause[0]
    edits.put(Place(statement, "fromClause", 0), other)
    edits.put(Place(statement.fromClause[1], "rarg"), other)
    edits.apply((statement,), {})
    assert deparse((statement,)) == "SELECT 1 FROM x, b JOIN x ON true"


def test_an_expression_is_replaced_wherever_it_is() -> None:
    statement, edits = select("SELECT 1 WHERE f(a) AND EXISTS (SELECT 1 WHERE b IN (1, a))"), Edits()
    edits.replace(column(statement, "b"), value("'x'"))
    edits.apply((statement,), {})
    assert deparse((statement,)).count("'x' IN (1, a)") == 1
    assert edits.replaced == 1


def test_output_columns_keep_their_names() -> None:
    for text, after in {
        "SELECT a": "SELECT 'x' AS a",
        "SELECT a AS b": "SELECT 'x' AS b",
        "SELECT lower(a)": "SELECT lower('x')",
        "SELECT a || b": "SELECT 'x' || b",
        "SELECT a::text": "SELECT CAST('x' AS text) AS a",
        "SELECT (SELECT a)": "SELECT (SELECT 'x' AS a)",
    }.items():
        statement, edits = select(text), Edits()
        edits.replace(column(statement, "a"), value("'x'"))
        edits.apply((statement,), {})
        assert deparse((statement,)) == after


def test_what_is_kept_apart_is_shared_and_is_not_entered() -> None:
    statement, edits = select("SELECT a FROM (SELECT a FROM t) s"), Edits()
    inner = statement.fromClause[0].subquery
    for one in (statement.targetList[0].val, inner.targetList[0].val):
        edits.replace(one, value("1"))
    edits.apply((statement,), {id(inner): "its text"})
    assert deparse((statement,)) == "SELECT 1 AS a FROM (SELECT a FROM t) AS s"
