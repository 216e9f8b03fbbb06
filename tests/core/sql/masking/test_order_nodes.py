"""The nodes that complete orders: what they write, and that what is inside of queries stays out of sight."""

from __future__ import annotations

from typing import Any

from pglast import ast

from penstock_core.sql.masking.order_nodes import (
    by,
    by_image,
    by_place,
    column,
    own_nodes,
    put_around,
    returned_in_order,
    sorted_source,
)
from penstock_core.sql.syntax.deparse import deparse
from penstock_core.sql.syntax.parse import parse

IMAGE = "ROW({}.*) USING OPERATOR(pg_catalog.*<)"


def statement(text: str) -> Any:
    (one,) = parse(text)
    return one


def test_sort_keys() -> None:
    select = statement("SELECT 1 FROM t")
    select.sortClause = (by_place(2), by(column("t", "Odd")), by_image("t"))
    assert deparse((select,)) == f'SELECT 1 FROM t ORDER BY 2, t."Odd", {IMAGE.format("t")}'


def test_a_source_that_comes_sorted_keeps_its_name() -> None:
    select = statement("SELECT a FROM t")
    item = select.fromClause[0]
    select.fromClause = (sorted_source(item, "t", (by(column("t", "id")),), fenced=False),)
    assert deparse((select,)) == "SELECT a FROM (SELECT * FROM t ORDER BY t.id) AS t"
    select.fromClause = (sorted_source(item, "t", (by(column("t", "id")),), fenced=True),)
    assert deparse((select,)) == "SELECT a FROM (SELECT * FROM t ORDER BY t.id OFFSET 0) AS t"


def test_around_a_set_operation() -> None:
    select = statement("SELECT a FROM t UNION ALL SELECT b FROM u ORDER BY 1 LIMIT 2")
    put_around(select)
    inner = "(SELECT a FROM t) UNION ALL (SELECT b FROM u)"
    order = f"ORDER BY 1, {IMAGE.format('penstock_rows')} LIMIT 2"
    assert deparse((select,)) == f"SELECT * FROM ({inner}) AS penstock_rows {order}"


def test_around_a_statement_that_writes_its_own_tables_of_with_come_first() -> None:
    written = returned_in_order(statement("WITH w AS (SELECT 1 AS a) DELETE FROM t USING w RETURNING t.id"))
    assert deparse((written,)) == (
        "WITH w AS (SELECT 1 AS a), penstock_rows AS (DELETE FROM t USING w RETURNING t.id)"
        f" SELECT * FROM penstock_rows ORDER BY {IMAGE.format('penstock_rows')}"
    )
    recursive = returned_in_order(statement("WITH RECURSIVE w AS (SELECT 1) DELETE FROM t RETURNING id"))
    assert deparse((recursive,)).startswith("WITH RECURSIVE w AS")


def test_what_is_inside_of_queries_is_not_ones_own() -> None:
    select = statement("SELECT a, (SELECT b), c IN (SELECT d) FROM t")
    found = [one.fields[0].sval for one in own_nodes(select.targetList) if isinstance(one, ast.ColumnRef)]
    assert found == ["a", "c"]
    # The queries themselves are named.
    assert sum(isinstance(one, ast.SelectStmt) for one in own_nodes(select.targetList)) == 2


def test_each_is_made_of_fresh_nodes() -> None:
    one, other = statement("SELECT 1 UNION SELECT 2"), statement("SELECT 3 UNION SELECT 4")
    put_around(one)
    put_around(other)
    assert one.fromClause[0] is not other.fromClause[0]
    assert deparse((one,)).count("1") == 1
