"""Queries: their output columns, what ORDER BY sees, tables of WITH, locks, and the one setting that a query reads."""

from __future__ import annotations

import pytest
from tests.core.sql.bind.world import bound, found

from penstock_core.sql.bind.references import (
    ColumnRead,
    Grouping,
    RelationRead,
    SettingChange,
    Stars,
    Unbound,
    UnknownColumn,
    UnknownSource,
    VerbUse,
    WholeRow,
)


def unknown(text: str) -> list[str]:
    return [one.name for one in found(text, UnknownColumn)]


def test_a_subquery_shows_its_outputs_and_no_more() -> None:
    assert unknown("SELECT id, email FROM (SELECT id FROM people) s") == ["email"]
    assert unknown("SELECT column2, column3 FROM (VALUES (1, 2)) v") == ["column3"]
    assert unknown("SELECT id, note FROM (SELECT id FROM people UNION SELECT note FROM orders) s") == ["note"]
    assert unknown("SELECT a, id FROM (SELECT id FROM people) s (a)") == ["id"]


def test_order_by_of_a_set_operation_sees_its_outputs_alone() -> None:
    assert unknown("SELECT id FROM people UNION SELECT id FROM orders ORDER BY id") == []
    assert unknown("SELECT id FROM people UNION SELECT id FROM orders ORDER BY email") == ["email"]


def test_a_name_that_may_be_an_outputs_is_not_sure() -> None:
    def unsure(text: str) -> list[bool]:
        return [one.unsure for one in found(text, ColumnRead) if one.name == "email"]

    assert unsure("SELECT upper(name) AS email FROM people ORDER BY email") == [True]
    assert unsure("SELECT upper(name) AS other FROM people ORDER BY email") == [False]


def test_stars_are_told_as_one_and_those_in_calls_as_rows() -> None:
    (stars,) = found("SELECT *, people.*, 1 FROM people, orders", Stars)
    assert [one.name for one in stars.scope.sources] == ["people", "orders"]
    assert found("SELECT *, people.*, 1 FROM people, orders", WholeRow) == []
    assert len(found("SELECT count(people.*) FROM people", WholeRow)) == 1
    assert [one.name for one in found("SELECT nobody.* FROM people", UnknownSource)] == ["nobody"]


def test_each_part_of_a_query_is_looked_into() -> None:
    text = (
        "SELECT DISTINCT ON (email) 1 FROM people WHERE email = '' GROUP BY email HAVING email = ''"
        " WINDOW w AS (ORDER BY email) ORDER BY email"
        " LIMIT (SELECT 1 WHERE email = '') OFFSET (SELECT 1 WHERE email = '')"
    )
    assert [one.name for one in found(text, ColumnRead)] == ["email"] * 8
    assert len(found(text, Grouping)) == 1


def test_tables_of_with_see_those_before_them() -> None:
    assert found("WITH a AS (SELECT 1 AS x), b AS (SELECT x FROM a) SELECT x FROM b", RelationRead) == []
    # What comes later is a relation's name still.
    read = found("WITH b AS (TABLE orders), orders AS (SELECT 1) TABLE b", RelationRead)
    assert [one.item.relname for one in read] == ["orders"]
    assert found("WITH RECURSIVE b AS (TABLE orders), orders AS (SELECT 1) TABLE b", RelationRead) == []


def test_a_recursive_table_has_the_columns_that_it_declares() -> None:
    recursive = "WITH RECURSIVE r{} AS (SELECT 1 UNION SELECT {} FROM r) SELECT 1 FROM r"
    assert unknown(recursive.format("(a)", "b")) == ["b"]
    assert unknown(recursive.format("(a)", "a")) == []
    # Without, or with fewer names than columns, its own query tells them.
    assert unknown(recursive.format("", "b")) == []
    assert unknown("WITH RECURSIVE r(a) AS (SELECT 1, 2 UNION SELECT b, 2 FROM r) SELECT 1 FROM r") == []


def test_search_and_cycle_add_columns() -> None:
    text = "WITH RECURSIVE r(a) AS (SELECT 1 UNION SELECT a FROM r) {} SELECT s FROM r"
    assert unknown(text.format("")) == ["s"]
    assert unknown(text.format("SEARCH DEPTH FIRST BY a SET s")) == []
    assert unknown(text.format("CYCLE a SET s USING p")) == []


def test_a_lock_is_a_write_wherever_it_is() -> None:
    for text in ("SELECT 1 FROM people FOR SHARE", "SELECT (SELECT id FROM people FOR KEY SHARE OF people LIMIT 1)"):
        assert bound(text).writes
        assert "update" in [one.verb for one in found(text, VerbUse)]
    assert not bound("SELECT 1 FROM people").writes


@pytest.mark.parametrize(
    "text",
    [
        "SELECT 1 FROM people FOR UPDATE OF public.people",
        "SELECT * FROM (SELECT 1 INTO fresh) s",
        "WITH w AS (SELECT 1 INTO fresh) TABLE w",
    ],
)
def test_what_no_server_would_take_ends_it(text: str) -> None:
    assert len(found(text, Unbound)) == 1


@pytest.mark.parametrize(
    ("query", "written"),
    [
        ("FROM pg_settings WHERE name = 'timezone'", "timezone"),
        ("FROM pg_catalog.pg_settings WHERE name = 'timezone'", "timezone"),
        ("FROM pg_settings WHERE name <> 'timezone'", None),
        ("FROM pg_settings WHERE name = 'timezone' OR true", None),
        ("FROM pg_settings s WHERE name = 'timezone'", None),
        ("FROM public.pg_settings WHERE name = 'timezone'", None),
        ("FROM pg_settings, people WHERE name = 'timezone'", None),
        ("WHERE name = 'timezone'", None),
    ],
)
def test_the_one_setting_that_a_query_reads(query: str, written: str | None) -> None:
    changes = found(f"SELECT set_config(name, 'x', false) {query}", SettingChange)
    assert [one.written for one in changes] == [written]


def test_a_table_of_with_is_no_list_of_settings() -> None:
    text = (
        "WITH pg_settings AS (SELECT 'role' AS name)"
        " SELECT set_config(name, 'x', false) FROM pg_settings WHERE name = 'a'"
    )
    assert [one.written for one in found(text, SettingChange)] == [None]
