"""Which expressions may fail for some rows: all but those that are known to give a value for each."""

from __future__ import annotations

import pytest
from pglast import ast, parse_sql

from penstock_core.sql.catalog.functions import Functions
from penstock_core.sql.catalog.model import Catalog, Routine
from penstock_core.sql.masking.order_failures import Failures, conjuncts
from penstock_core.sql.masking.order_keys import Level, Rows
from penstock_core.sql.masking.order_sensitivity import OwnCalls

TYPES = {
    "n": "int4", "big": "int8", "price": "numeric", "bound": "numeric", "size": "float8", "name": "text",
    "doc": "jsonb", "raw": "json", "made": "timestamptz", "tags": "_text", "part": "int4",
}  # fmt: skip
SOURCE = Rows(
    "t", tuple(TYPES), True, types=TYPES, alike=frozenset({"n", "big", "name", "bound"}), failing=frozenset({"part"})
)


def value(text: str) -> ast.Node:
    statement = parse_sql(f"SELECT {text}")[0].stmt
    assert isinstance(statement, ast.SelectStmt)
    node: ast.Node = (statement.targetList or ())[0].val
    return node


def may_fail(text: str, catalog: Catalog | None = None) -> bool:
    failures = Failures(OwnCalls(Functions(catalog or Catalog())))
    return failures.may_fail(value(text), Level([SOURCE]))


@pytest.mark.parametrize(
    "text",
    [
        "n", "t.n", "1", "$1", "'x'", "NULL", "n = 1", "n <> $1", "n < big", "n IN (1, 2)", "n BETWEEN 1 AND 2",
        "n = ANY ($1)", "n IS NULL", "n IS DISTINCT FROM 1", "NOT (n = 1 OR name = 'x')", "coalesce(n, 0)",
        "CASE WHEN n = 1 THEN name ELSE 'x' END", "CASE n WHEN 1 THEN 'x' END", "nullif(n, 0)", "greatest(n, big)",
        "lower(name)", "upper(btrim(name)) = 'X'", "length(name)", "name || 'x'", "'x' || name", "name || n",
        "name LIKE 'a%'", "name ILIKE '%a%'", "name ~ '^ab.*c$'", "doc ->> 'a'", "doc -> 'a' ->> 'b'", "doc @> '{}'",
        "n::text", "n::bigint", "n::numeric", "n::float8", "'7'::int", "$1::int + 1", "10 / 2", "now()",
        "made > now() - interval '7 days'", "made > current_date - interval '1 month'", "extract(year FROM made)",
        "left(name, 3)", "substring(name, 1, 3)", "count(*)", "sum(n)", "avg(price)", "min(size)", "array_agg(n)",
        "row_number() OVER (PARTITION BY n ORDER BY big)", "EXISTS (SELECT)", "ARRAY[n, big]", "tags[1]",
        "bound = size", "price = bound", "price > 1.5", "size > 1.5", "name COLLATE \"C\"", "(n, name) = (1, 'x')",
        "n % 3 = 1", "big / 1000", "substr(name, strpos(name, '@'))", "left(name, 1) || '***'",
        "name ~ '^[^@]+@[^@]+$'",
    ],
)  # fmt: skip
def test_these_give_a_value_for_any_row(text: str) -> None:
    assert not may_fail(text)


@pytest.mark.parametrize(
    "text",
    [
        "1 / n", "n % 0", "n / -1", "size / 2", "n / 2.5", "n + 1", "-n", "n * 2", "name::int", "big::int",
        "price::float8", "price::numeric(3, 1)", "name::date",
        "sqrt(n)", "ln(n)", "substring(name, 1, n)", "substring(name, 1, -1)", "left(name, n)", "repeat(name, n)",
        "chr(n)", "name ~ name", "name ~ '['", "name LIKE name", r"name LIKE 'a\'", "raw ->> 'a'", "doc || doc",
        "to_char(made, name)", "date_trunc(name, made)", "sum(n / 0)",
        "sum(size)", "sum(1 / n)", "count(*) FILTER (WHERE 1 / n > 0)", "array_agg(n ORDER BY 1 / n)",
        "(SELECT 1 FROM x)", "ARRAY[tags, tags]", "price = size", "coalesce(price, size)", "price = $1",
        "size IN (price)", "n = 1 OR made > now() - interval '999999999 years'",
        "CASE WHEN n = 1 THEN 1 / n END", "n = 1 OR 1 / $1 > 0", "CASE WHEN n = 1 THEN 10 / $1 END", "part", "part = 1",
        "t.*", "t", "own(n)", "mine.lower(name)", "n OPERATOR(mine.=) 1",
        "name::mine.code", "sum(n) OVER (ROWS n PRECEDING)", "generate_series(1, n)", "json_object_agg(n, name)",
    ],
)  # fmt: skip
def test_these_may_fail_for_some_rows(text: str) -> None:
    assert may_fail(text)


def test_functions_and_operators_of_the_users_may_fail_under_any_name() -> None:
    own = Routine("public", "lower", "f", "sql")
    catalog = Catalog(
        user_functions={"lower": ("public",)}, routines={("public", "lower"): (own,)}, user_operators=frozenset({"="})
    )
    assert may_fail("lower(name)", catalog)
    assert not may_fail("pg_catalog.lower(name)", catalog)
    assert may_fail("n = 1", catalog)
    assert may_fail("$1 = 1", catalog)


def test_conversions_of_the_users_are_not_known_where_types_are_not() -> None:
    catalog = Catalog(coded_types=frozenset({("public", "code")}))
    assert may_fail("other::text", catalog)
    assert not may_fail("n::text", catalog)
    assert not may_fail("other::text")


def test_what_is_the_same_for_all_rows() -> None:
    failures, level = Failures(OwnCalls(Functions(Catalog()))), Level([SOURCE])
    assert all(failures.is_steady(value(text), level) for text in ("1", "$1 / 0", "now()", "lower('X')"))
    assert not any(
        failures.is_steady(value(text), level) for text in ("n", "random()", "(SELECT 1)", "own()", "count(*)")
    )


def test_conditions_are_looked_at_one_by_one() -> None:
    assert len(list(conjuncts(value("n = 1 AND (big = 2 AND name = 'x') AND (n = 1 OR big = 2)")))) == 4
    assert list(conjuncts(None)) == []
    # Each is asked of every row that comes so far, so what is the same for all rows tells nothing of one.
    assert not may_fail("n = 1 AND 1 / $1 > 0")
