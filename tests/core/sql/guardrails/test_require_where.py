"""A WHERE that is always true is none; one that chooses is one."""

from __future__ import annotations

import pytest
from pglast import parse_sql

from penstock_core.sql.guardrails.require_where import Target, chooses

NONE = [
    "true",
    "1 = 1",
    "NOT false",
    "NOT NOT true",
    "id = 3 OR true",
    "true OR id = 3",
    "'a' = 'a'",
    "id = id",
    "t.id = t.id",
    "id >= id",
    "id <= id",
    "id IS NOT DISTINCT FROM id",
    "NOT (id <> id)",
    "NOT (id IS DISTINCT FROM id)",
    "id IN (id)",
    "id IN (1, id)",
    "id = ANY (ARRAY[id])",
    "id BETWEEN id AND id",
    "name LIKE '%'",
    "name ILIKE '%%'",
    "name LIKE '%'::text",
    "name LIKE name",
    "coalesce(true)",
    "coalesce(NULL, true)",
    "coalesce(true, id = 1)",
    "EXISTS (SELECT 1)",
    "EXISTS (SELECT FROM other)",
    "1 IN (1)",
    "1 IN (1, 2)",
    "$1",
    "$1 = $1",
    "$1 = $2",
    "$1::bool",
    "NOT $1",
    "NOT ($1::bool)",
    "id = 1 OR $1",
    "true AND 1 = 1",
    "true AND (id = 1 OR true)",
    "id IS NULL OR id IS NOT NULL",
    "id = 1 OR id <> 1",
    "id < 5 OR id >= 5",
    "id = 1 OR NOT (id = 1)",
    "pk IS NOT NULL",
    "NOT (pk IS NULL)",
    "'t'::bool",
    "'true'",
    "(SELECT true)",
    "1 IN (SELECT 1)",
    "random() < 2",
    "now() > '2000-01-01'",
    "current_user = 'x'",
    "true IS TRUE",
    "(id = id) IS TRUE",
    "false IS NOT TRUE",
    "CASE WHEN true THEN true ELSE true END",
    "CASE WHEN id = 1 THEN true ELSE true END",
    "'a' || 'b' = 'ab'",
    "1 < 2",
    "2 > 1",
    "1 <> 2",
    "length('x') = 1",
    "id = id AND name = name",
    "'1'::int = '01'::int",
    "NOT (id = id AND false)",
    "true = true",
    "(1, 2) = (1, 2)",
    "name LIKE '%%%'",
    "name ~ ''",
    "name ^@ ''",
    "id BETWEEN SYMMETRIC id AND id",
    "(id IS NULL) IS NOT NULL",
    "(active IS TRUE) IS NOT NULL",
    # Nothing is changed by what is added, or as much on either side.
    "id = id + 0",
    "id - 0 = id",
    "id = 0 + id",
    "id * 1 >= id",
    "id = id / 1",
    "id < id + 1",
    "id - 1 < id",
    "id + 1 > id - 1",
    "id + 1 <> id",
    "id + 2 = id + 1 + 1",
    "name || '' = name",
    "name = '' || name",
    "NOT (id > id + 1)",
    "length(name) >= 0",
    "0 <= char_length(name)",
    "length(name) > -1",
    "abs(id) >= 0",
    # All rows of the table itself.
    "id IN (SELECT id FROM t)",
    "id IN (SELECT x.id FROM t x)",
    "t.id IN (SELECT id FROM public.t ORDER BY id)",
    "id = ANY (SELECT id FROM t)",
    # The same for all rows, whatever other tables hold.
    "other.id = 1",
    "flag",
    "id = 1 OR other.id = 1",
    "EXISTS (SELECT FROM other o WHERE o.id = 1)",
    "EXISTS (SELECT t.id FROM other o WHERE o.id = 1)",
    "(SELECT count(*) FROM other o WHERE o.id > 1) > 1",
    "1 IN (SELECT o.id FROM other o)",
]

SOME = [
    "id = 1",
    "id = $1",
    "id IN (1, 2)",
    "id = ANY ($1)",
    "name LIKE 'a%'",
    "name LIKE $1",
    "NOT id = 1",
    "id IS NULL",
    "name IS NOT NULL",
    "id = 1 AND true",
    "id = 1 AND $1",
    "id = 1 OR false",
    "id = other_id",
    "lower(name) = 'x'",
    "id IN (SELECT id FROM other)",
    "EXISTS (SELECT FROM other o WHERE o.id = t.id)",
    "id = (SELECT 1)",
    "created < now()",
    "active",
    "NOT active",
    "coalesce(active, true)",
    "id BETWEEN 1 AND 2",
    "(id, name) = (1, 'a')",
    "id = 1 OR id = 2",
    "id <> 1",
    "CASE WHEN id = 1 THEN true ELSE false END",
    "active IS TRUE",
    "id = 1 OR 1 = 2",
    # These may hold for all rows, which no WHERE tells.
    "id > -1",
    "id = other_id + 0",
    "id < id * 2",
    "length(name) > 0",
    "length(name) < 0",
    "abs(id) <= 0",
    "id > id + 1",
    "id = id + 1",
    "id IN (SELECT id FROM t WHERE active)",
    "id IN (SELECT id FROM t LIMIT 1)",
    "id IN (SELECT id FROM attic.t)",
    "id IN (SELECT other_id FROM t)",
    "id > ANY (SELECT id FROM t)",
    # Nothing is changed, so nothing is lost.
    "false",
    "NULL",
    "1 = 2",
    "NOT true",
    "1 > 2",
    "pk IS NULL",
    "false AND id = 1",
    "coalesce(false)",
    "'f'::bool",
    "CURRENT OF c",
    "name ~ 'a'",
    "name LIKE ''",
    "name !~ ''",
    "other.id = t.id",
    "t IS NOT NULL",
    "EXISTS (SELECT FROM other o WHERE o.id = 1 UNION SELECT FROM more WHERE key = t.id)",
]

TABLE = Target(
    "t", ("public", "t"), frozenset({"id", "other_id", "name", "created", "active", "pk"}), frozenset({"pk"})
)


def where(condition: str) -> object:
    (statement,) = parse_sql(f"DELETE FROM t WHERE {condition}")
    return statement.stmt.whereClause


@pytest.mark.parametrize("condition", NONE)
def test_always_true_is_no_where(condition: str) -> None:
    assert not chooses(where(condition), TABLE)


@pytest.mark.parametrize("condition", SOME)
def test_what_looks_at_rows_is_a_where(condition: str) -> None:
    assert chooses(where(condition), TABLE)


def test_no_where_is_none() -> None:
    assert not chooses(None, TABLE)
