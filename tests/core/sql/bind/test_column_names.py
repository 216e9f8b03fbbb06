"""Output columns have the names that the server gives them, or none that anybody could rely on."""

from __future__ import annotations

from dataclasses import replace

import psycopg
import pytest
from pglast import ast
from tests.core.sql.test_governor import MASKING, decide, reason, rule

from penstock_cli.demo.postgres import EmbeddedPostgres
from penstock_core.policy.effective import Mask, MaskRule
from penstock_core.sql.bind.column_names import own_name, select_columns, star_of
from penstock_core.sql.bind.scopes import MOST_COLUMNS, Columns, Scope, Source
from penstock_core.sql.syntax.parse import parse

EXPRESSIONS = """
1 | 'a' | NULL | 1 + 1 | -1 | now() | pg_catalog.now() | 'x'::text | CAST(1 AS int8) | (1 + 1)::int4
lower('A')::varchar | upper(lower('A')) | CASE WHEN true THEN 1 END | CASE WHEN true THEN 1 ELSE length('a') END
CASE WHEN true THEN 1 ELSE 2::int8 END | coalesce(1, 2) | greatest(1, 2) | least(1, 2) | nullif(1, 2) | ARRAY[1]
ROW(1, 2) | EXISTS (SELECT 1) | ARRAY(SELECT 1) | (SELECT 1 AS one) | (SELECT 1) | (SELECT lower('A')) | 1 IN (SELECT 1)
'a' COLLATE "C" | lower('A') COLLATE "C" | (ARRAY[1])[1] | (array_agg(1))[1] | 1 = ANY (ARRAY[1]) | 'a' || 'b'
true AND false | NOT true | 1 IS NULL | true IS TRUE | extract(year from now()) | trim('a') | substring('abc' from 2)
position('a' in 'b') | now() AT TIME ZONE 'UTC' | date '2020-01-01' | interval '1 day' | 1 AS "Odd one"
1 BETWEEN 0 AND 2 | count(*) OVER () | count(*) FILTER (WHERE true) | true::bool::text
(VALUES (1)) | (SELECT 1 AS a UNION SELECT 1) | ((VALUES (1)) UNION SELECT 1) | (SELECT 1)::text | (SELECT t.a::text
FROM (SELECT 1 AS a) AS t) | CASE WHEN true THEN 'a' ELSE (SELECT 'b' AS b) END | now()::text
(SELECT (SELECT 1 AS deep)) | (SELECT (t.*)::text FROM (SELECT 1 AS a) AS t)
""".replace("\nFROM", " FROM").replace("\n", " | ")
TEXTS = [one.strip() for one in EXPRESSIONS.split(" | ") if one.strip()]


def columns(text: str, scope: Scope | None = None) -> Columns:
    (select,) = parse(text)
    assert isinstance(select, ast.SelectStmt)
    return select_columns(select.targetList or (), scope or Scope())


@pytest.mark.parametrize("server", ["postgres15", "postgres"])
def test_they_are_named_as_by_the_server(request: pytest.FixtureRequest, server: str) -> None:
    running: EmbeddedPostgres = request.getfixturevalue(server)
    with psycopg.connect(running.url(), autocommit=True) as connection:
        told = {one: connection.execute(f"SELECT {one}").description[0].name for one in TEXTS}  # type: ignore[index]
    assert {one: columns(f"SELECT {one}") for one in TEXTS} == {one: (name,) for one, name in told.items()}


@pytest.mark.parametrize(
    "value",
    [
        "CURRENT_DATE",
        "JSON_ARRAY(1)",
        "XMLCONCAT('<a/>')",
        "(ROW(1, 2)).*",
        "nobody.*",
        # What is inside outranks the type and the CASE around it, so that these names are not the server's.
        "CURRENT_TIMESTAMP::date",
        "CURRENT_USER::name",
        "JSON_ARRAY(1)::text",
        'CURRENT_USER COLLATE "C"',
        "CASE WHEN true THEN 'a' ELSE CURRENT_USER END",
        "(SELECT CURRENT_DATE)",
        "(SELECT * FROM (SELECT 1 AS q) AS z)",
        "(SELECT z.* FROM (SELECT 1 AS q) AS z)::text",
    ],
)
def test_where_a_name_depends_on_the_server_none_is_known(value: str) -> None:
    assert columns(f"SELECT 1 AS a, {value}") is None


@pytest.mark.parametrize(
    "source", ["SELECT CURRENT_USER::name", "SELECT (SELECT CURRENT_USER)::name", "SELECT 1 AS name"]
)
def test_a_column_that_only_seems_to_be_of_a_subquery_is_still_masked(source: str) -> None:
    """The server names it current_user, so that `name` is the target's."""
    hidden = replace(MASKING, masks=(MaskRule(("public.people.name",), Mask("redact", rule("masks[0]"))),))
    text = f"DELETE FROM people WHERE EXISTS (SELECT FROM ({source}) AS s WHERE name = 'Ada')"
    decision = decide(text, enforced=hidden)
    if "1 AS name" in source:
        assert "WHERE name = 'Ada'" in decision.text
    else:
        assert "column name is ambiguous" in reason(decision)


def test_a_star_is_all_that_its_sources_have() -> None:
    scope = Scope([Source("a", ("x", "y")), Source("b", ("z",))])
    assert columns("SELECT *, 1 AS one, b.*", scope) == ("x", "y", "z", "one", "z")
    assert columns("SELECT *", Scope()) is None
    assert columns("SELECT *", Scope([*scope.sources, Source("c", None)])) is None
    # USING shows what it merged once, and first.
    scope.merges = True
    assert columns("SELECT *", scope) is None
    assert columns("SELECT a.*", scope) == ("x", "y")


def test_no_more_columns_are_counted_than_the_server_has() -> None:
    scope = Scope([Source("a", tuple(f"c{n}" for n in range(MOST_COLUMNS)))])
    assert len(columns("SELECT *", scope) or ()) == MOST_COLUMNS
    assert columns("SELECT *, 1", scope) is None


def test_a_name_of_its_own_comes_from_what_is_in_it() -> None:
    def of(value: str) -> str | None:
        (select,) = parse(f"SELECT {value}")
        assert isinstance(select, ast.SelectStmt)
        return own_name((select.targetList or ())[0].val)

    assert [of(one) for one in ("a.b", "lower(a)", "a::text", "1 + a", "'x'")] == ["b", "lower", "a", None, None]


def test_what_stands_before_a_star() -> None:
    def of(value: str) -> list[str] | None:
        (select,) = parse(f"SELECT {value}")
        assert isinstance(select, ast.SelectStmt)
        return star_of((select.targetList or ())[0].val)

    assert [of(one) for one in ("*", "t.*", "s.t.*", "t.a", "count(*)")] == [[], ["t"], ["s", "t"], None, None]
