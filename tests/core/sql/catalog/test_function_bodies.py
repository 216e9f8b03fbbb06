"""Bodies in SQL: what their statements name, and that what is not listed is not understood."""

from __future__ import annotations

import pytest
from pglast import ast, parse_sql

from penstock_core.sql.catalog.function_bodies import _PLAIN, _RULES, Body, BodyReader, NotUnderstood


def read(text: str) -> Body:
    body = Body()
    BodyReader(body).text(text)
    return body


def test_a_body_tells_what_it_reads_and_writes() -> None:
    body = read(
        "WITH t AS (SELECT * FROM a) INSERT INTO app.b SELECT * FROM t JOIN c USING (id) WHERE EXISTS (TABLE d);"
        "UPDATE e AS x SET p = 1, q = (SELECT 1 FROM f) WHERE x.id = 2 RETURNING *; TRUNCATE g"
    )
    assert body.reads == {("", "a"), ("", "c"), ("", "d"), ("", "f")}
    assert body.perhaps_reads == {"t"}
    assert [(one.relation, one.actions, one.sets, one.alias) for one in body.writes] == [
        (("app", "b"), {"insert"}, frozenset(), "b"),
        (("", "e"), {"update"}, {"p", "q"}, "x"),
        (("", "g"), {"truncate"}, frozenset(), "g"),
    ]
    assert body.verbs == {"select"}


def test_merge_and_conflicts_do_what_their_actions_do() -> None:
    body = read(
        "MERGE INTO t USING s ON t.id = s.id WHEN MATCHED THEN UPDATE SET a = 1 WHEN NOT MATCHED BY SOURCE THEN DELETE;"
        "INSERT INTO t VALUES (1) ON CONFLICT (id) DO UPDATE SET b = 2"
    )
    assert [(set(one.actions), set(one.sets), one.where is None) for one in body.writes] == [
        ({"delete"}, set(), True),
        ({"update", "delete"}, {"a"}, False),
        ({"insert", "update"}, {"b"}, True),
    ]


def test_a_body_tells_its_functions_operators_and_types() -> None:
    body = read(
        "SELECT app.f(a.g), h(b) || c, (d).k, e::app.t, f::int[] FROM x ORDER BY 1 USING OPERATOR(app.<#);"
        "SELECT CASE a WHEN 1 THEN 2 END, a IN (SELECT 1), a BETWEEN 1 AND 2 FROM x FOR UPDATE OF x"
    )
    assert body.functions == {("app", "f"), ("", "h")}
    assert body.attributes == {"g", "k"}
    assert body.operators == {("", "||"), ("app", "<#"), ("", "="), ("", ">="), ("", "<="), ("", "<"), ("", ">")}
    assert body.types == {("app", "t"), ("pg_catalog", "int4")}
    assert (body.reads, body.verbs) == ({("", "x")}, {"update"})


def test_settings_are_changed_by_name() -> None:
    assert read("SELECT set_config('app.tenant', $1, true)").settings == {"app.tenant"}
    assert not read("SELECT set_config('app.tenant', $1, true)").keeps
    for local in ("false", "$2", "'true'"):
        assert read(f"SELECT set_config('app.tenant', $1, true), set_config('app.tenant', $1, {local})").keeps
    with pytest.raises(NotUnderstood, match="computes"):
        read("SELECT set_config('app.' || $1, 'x', true)")


@pytest.mark.parametrize(
    "text",
    [
        "SET search_path = evil", "DO 'BEGIN END'", "CREATE TABLE t (i int)", "COPY t TO STDOUT", "LOCK TABLE t",
        "LISTEN x", "NOTIFY x", "SELECT 1 INTO t", "TRUNCATE t CASCADE", "EXPLAIN SELECT 1", "PREPARE p AS SELECT 1",
        "SELECT * FROM t TABLESAMPLE system (1)", "INSERT INTO t VALUES (1) ON CONFLICT (id app.opc) DO NOTHING",
        "SELECT * FROM db.app.t", "DELETE FROM db.app.t", "SELECT db.app.f()", "VACUUM", "SELECT a.b.c.d::x.y.z FROM t",
        "DELETE FROM t WHERE CURRENT OF c; FETCH c",
    ],
)  # fmt: skip
def test_what_is_not_listed_is_not_understood(text: str) -> None:
    with pytest.raises(NotUnderstood):
        read(text)


def test_every_other_class_of_nodes_is_not_understood() -> None:
    """A class that a newer parser brings starts as unknown."""
    known = _PLAIN | _RULES.keys()
    every = {one for one in vars(ast).values() if isinstance(one, type) and issubclass(one, ast.Node)} - {ast.Node}
    strange = sorted((one for one in every - known if one.__slots__), key=lambda one: one.__name__)
    assert len(strange) > 100
    for kind in strange:
        with pytest.raises(NotUnderstood):
            BodyReader(Body()).walk(kind(), 0)


def test_a_body_that_is_kept_parsed_is_read_by_its_clause() -> None:
    (statement,) = parse_sql(
        "CREATE FUNCTION f() RETURNS int LANGUAGE sql BEGIN ATOMIC SELECT 1 FROM a; DELETE FROM b; END"
    )
    body = Body()
    BodyReader(body).sql_body(statement.stmt.sql_body)  # type: ignore[union-attr]
    assert body.reads == {("", "a")}
    assert [one.relation for one in body.writes] == [("", "b")]
