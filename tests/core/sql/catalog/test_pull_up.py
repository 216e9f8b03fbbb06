"""Which queries the planner merges into the one around, held against the plans of real servers."""

from __future__ import annotations

import psycopg
import pytest
from pglast import ast

from penstock_cli.demo.postgres import EmbeddedPostgres
from penstock_core.sql.catalog.pull_up import cannot_fail, is_inlined, is_pulled_up, is_set_returning
from penstock_core.sql.syntax.parse import parse

MERGED = [
    "SELECT a, 1 / b AS x FROM t",
    "SELECT upper(c) AS x FROM t WHERE a > 1",
    "SELECT t.a, (SELECT 1) AS x FROM t JOIN t AS u ON u.a = t.a",
    "SELECT CASE WHEN a > 1 THEN 1 / b END AS x FROM t",
    "SELECT coalesce(a, b)::text AS x FROM t",
]
KEPT = [
    "SELECT a, 1 / b AS x FROM t LIMIT 5",
    "SELECT a, 1 / b AS x FROM t OFFSET 0",
    "SELECT DISTINCT a, 1 / b AS x FROM t",
    "SELECT a, count(*) AS x FROM t GROUP BY a",
    "SELECT count(*) AS x FROM t",
    "SELECT a, rank() OVER (ORDER BY a) AS x FROM t",
    "SELECT a, 1 / b AS x FROM t ORDER BY a",
    "SELECT a, random() AS x FROM t",
    "SELECT a, generate_series(1, b) AS x FROM t",
    "SELECT a FROM t UNION SELECT b FROM t",
    "SELECT a, 1 / b AS x FROM t FOR UPDATE",
    "VALUES (1), (2)",
]


def select(text: str) -> ast.SelectStmt:
    (statement,) = parse(text)
    assert isinstance(statement, ast.SelectStmt)
    return statement


def nothing_is_steady(_: ast.FuncCall) -> bool:
    return False


@pytest.mark.parametrize("text", MERGED)
def test_what_is_merged(text: str) -> None:
    assert is_pulled_up(select(text), nothing_is_steady)


@pytest.mark.parametrize(
    "text", [*KEPT, "SELECT 1", "WITH w AS (SELECT 1) SELECT a FROM w", "SELECT public.mine(a) FROM t"]
)
def test_what_is_not_surely_merged_counts_as_kept(text: str) -> None:
    assert not is_pulled_up(select(text), nothing_is_steady)


@pytest.mark.parametrize("server", ["postgres15", "postgres16", "postgres"])
def test_the_server_merges_what_is_said_to_be(request: pytest.FixtureRequest, server: str) -> None:
    running: EmbeddedPostgres = request.getfixturevalue(server)
    with psycopg.connect(running.url()) as connection:
        connection.execute("CREATE TEMP TABLE t (a int, b int, c text)")
        for text in MERGED:
            plan = connection.execute(f"EXPLAIN (VERBOSE, COSTS off) SELECT 1 FROM ({text}) AS s").fetchall()
            assert "Subquery Scan" not in str(plan), text
            # Nothing is computed but what is asked for.
            assert "1 / " not in str(plan), text


def test_a_function_that_claims_to_be_steady_is_merged() -> None:
    assert is_pulled_up(select("SELECT public.mine(a) FROM t"), lambda call: True)
    assert not is_pulled_up(select("SELECT public.mine(a) OVER () FROM t"), lambda call: True)


def test_an_operator_outside_of_pg_catalog_is_not_looked_into() -> None:
    assert is_pulled_up(select("SELECT a OPERATOR(pg_catalog.+) b FROM t"), nothing_is_steady)
    assert not is_pulled_up(select("SELECT a OPERATOR(public.+) b FROM t"), nothing_is_steady)


@pytest.mark.parametrize(
    ("text", "uses", "inlined"),
    [
        ("WITH w AS (SELECT 1 / a FROM t) TABLE w", 1, True),
        ("WITH w AS (SELECT 1 / a FROM t) TABLE w", 2, False),
        ("WITH w AS MATERIALIZED (SELECT 1 / a FROM t) TABLE w", 1, False),
        ("WITH w AS NOT MATERIALIZED (SELECT 1 / a FROM t) TABLE w", 1, True),
        ("WITH w AS (SELECT random() FROM t) TABLE w", 1, False),
        ("WITH w AS (SELECT a FROM t FOR UPDATE) TABLE w", 1, False),
        ("WITH w AS (SELECT public.mine(a) FROM t) TABLE w", 1, False),
    ],
)
def test_a_table_of_with_that_is_used_once(text: str, uses: int, inlined: bool) -> None:
    (table,) = getattr(select(text).withClause, "ctes", None) or ()
    assert is_inlined(table, uses, nothing_is_steady) is inlined


def value(text: str) -> ast.Node:
    (target,) = select(f"SELECT {text}").targetList or ()
    assert isinstance(target.val, ast.Node)
    return target.val


def test_what_decides_how_many_rows_there_are() -> None:
    asked = ("unnest(a)", "upper(a)", "public.mine(a)", "1")
    assert [is_set_returning(value(one), nothing_is_steady) for one in asked] == [True, False, True, False]


TYPES = {"n": "pg_catalog.int4", "f": "pg_catalog.float8", "d": "pg_catalog.numeric(10,2)", "u": "pg_catalog.numeric",
         "c": "pg_catalog.text", "t": "pg_catalog.timestamptz"}  # fmt: skip


@pytest.mark.parametrize(
    ("text", "safe"),
    [
        ("1", True), ("count(*)", True), ("count(f)", True), ("max(f)", True), ("sum(n)", True), ("sum(d)", True),
        ("lower(c)", True), ("length(btrim(c))", False), ("row_number() OVER (ORDER BY n)", True),
        ("lag(n) OVER ()", True),
        # Infinity, overflow, division: these may fail for some values.
        ("sum(f)", False), ("sum(u)", False), ("avg(t)", False), ("1 / n", False), ("c::int", False),
        ("lower(n)", False),
        ("ntile(n) OVER ()", False), ("sum(n) FILTER (WHERE 1 / n > 0)", False), ("max(1 / n)", False),
        ("row_number() OVER (ORDER BY 1 / n)", False), ("count(*) OVER (ROWS n PRECEDING)", False),
        ("public.mine(n)", False), ("public.lower(c)", False), ("string_agg(c ORDER BY 1 / n)", False),
    ],
)  # fmt: skip
def test_what_can_be_computed_for_any_value(text: str, safe: bool) -> None:
    def type_of(column: ast.ColumnRef) -> str:
        return TYPES[(column.fields or ())[-1].sval]

    assert cannot_fail(value(text), type_of) is safe
