"""Calls that do something: which of them tell how often, or for which row, they were made."""

from __future__ import annotations

import pytest
from pglast import ast, parse_sql

from penstock_core.sql.authorize.side_effects import is_made_once, is_steady
from penstock_core.sql.bind.scopes import Scope, Source


def call(text: str) -> ast.FuncCall:
    found = parse_sql(f"SELECT {text} FROM t")[0].stmt.targetList[0].val
    assert isinstance(found, ast.FuncCall)
    return found


@pytest.mark.parametrize(
    ("text", "steady"),
    [
        ("pg_notify('a', 'b')", True),
        ("pg_advisory_lock(hashtext('job'))", True),
        ("pg_sleep($1)", True),
        ("txid_current()", True),
        ("pg_notify('a', name)", False),
        ("pg_notify('a', t.name)", False),
        ("pg_notify('a', (SELECT 'b'))", False),
        ("pg_notify('a', lower(name))", False),
    ],
)
def test_a_steady_call_names_no_column_and_holds_no_query(text: str, steady: bool) -> None:
    assert is_steady(call(text)) is steady


@pytest.mark.parametrize(
    ("text", "once"),
    [
        ("setval('s', max(id))", True),
        ("setval('s', coalesce(max(id), 1))", True),
        ("setval('s', max(id) + id)", False),
        ("setval('s', id)", False),
        ("setval('s', 1)", False),
        ("setval('s', my.max(id))", False),
        ("setval('s', max(id) OVER ())", False),
        ("setval('s', (SELECT max(id)))", False),
    ],
)
def test_a_call_of_aggregates_alone_is_made_once(text: str, once: bool) -> None:
    assert is_made_once(call(text), Scope([Source("t", ("id",))])) is once


def test_not_in_a_query_with_groups_nor_inside_of_another() -> None:
    aggregate = call("setval('s', max(id))")
    assert not is_made_once(aggregate, Scope([Source("t", ("id",))], grouped=True))
    assert not is_made_once(aggregate, Scope([Source("t", ("id",))], Scope([Source("u", ("id",))])))
