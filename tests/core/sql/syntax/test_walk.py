"""A walk finds every node once, and enters what it was asked to."""

from __future__ import annotations

from typing import Any

from pglast import ast

from penstock_core.sql.syntax.parse import parse
from penstock_core.sql.syntax.walk import below


def columns(text: str, **how: bool) -> list[str]:
    return [one.fields[-1].sval for one in below(parse(text), **how) if isinstance(one, ast.ColumnRef) and one.fields]


def test_every_node_is_found_in_order() -> None:
    text = "SELECT a, f(b, c + 1) FROM (SELECT d) s WHERE e IN (SELECT g)"
    assert sorted(columns(text)) == ["a", "b", "c", "d", "e", "g"]
    nodes = list(below(parse(text)))
    assert len({id(one) for one in nodes}) == len(nodes)
    assert isinstance(nodes[0], ast.SelectStmt)


def test_subqueries_in_expressions_are_named_and_not_entered() -> None:
    text = "SELECT a FROM (SELECT d) s WHERE e IN (SELECT g)"
    found = list(below(parse(text), into_queries=False))
    assert sorted(columns(text, into_queries=False)) == ["a", "d", "e"]
    assert sum(isinstance(one, ast.SubLink) for one in found) == 1


def test_names_that_are_locked_are_no_relations_for_whoever_asks_so() -> None:
    def relations(**how: bool) -> list[str | None]:
        text = "SELECT 1 FROM t AS a FOR UPDATE OF a"
        return [one.relname for one in below(parse(text), **how) if isinstance(one, ast.RangeVar)]

    assert sorted(map(str, relations())) == ["a", "t"]
    assert relations(locked=False) == ["t"]


def test_what_is_no_node_has_nothing_below() -> None:
    nothing: list[Any] = [None, "text", 7, ()]
    assert [list(below(one)) for one in nothing] == [[], [], [], []]
