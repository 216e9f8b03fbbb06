"""Nodes are built as pglast builds them: the same values of the same classes, and the same errors."""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum
from typing import Any

import pytest
from pglast import ast, enums, parse_sql
from tests.core.sql.twins.corpus import DENY, PASS

from penstock_core.sql.syntax import quick_nodes

SLOTTED = {kind: slots for kind, slots in quick_nodes._SLOTS.items() if isinstance(slots, dict)}
STRING = ast.String("s")
VALUES: tuple[Any, ...] = (
    None, True, False, 0, 1, 2, 7, -1, 10**6, 1.5, "", "a", "long", "AEXPR_OP", (), [], (STRING,), [STRING], (None,),
    ((STRING,),), STRING, ast.RangeVar(relname="t"), ast.SelectStmt(), {"@": "String", "sval": "s"}, {"no": "node"},
    ({"@": "String", "sval": "s"},), {"#": "A_Expr_Kind", "name": "AEXPR_OP"}, enums.A_Expr_Kind.AEXPR_OP,
    enums.SortByDir.SORTBY_DESC, {1, 2}, b"bytes", object,
)  # fmt: skip


def fitting(c_type: str) -> Iterator[Any]:
    """What an attribute of that type certainly takes."""
    kind = getattr(enums, c_type, None) or getattr(ast, c_type.removesuffix("*"), None)
    if isinstance(kind, type) and issubclass(kind, Enum):
        yield from kind
        yield from (member.value for member in kind)
        yield from (member.name for member in kind)
    elif isinstance(kind, type) and issubclass(kind, ast.Node) and kind not in (ast.Node, ast.Expr):
        yield kind()


def outcome(setter: Any, kind: type, name: str, value: Any) -> Any:
    node = object.__new__(kind)
    try:
        setter(node, name, value)
    except Exception as error:
        return type(error), str(error)
    return described(getattr(node, name))


def described(value: Any) -> Any:
    """A value with the class of each part of it."""
    if isinstance(value, ast.Node):
        fields = vars(type(value))["__slots__"]
        return type(value), [(name, described(getattr(value, name))) for name in fields]
    if isinstance(value, (tuple, list)):
        return type(value), [described(one) for one in value]
    return type(value), value


@pytest.mark.parametrize("kind", sorted(SLOTTED, key=lambda one: one.__name__), ids=lambda one: str(one.__name__))
def test_every_attribute_takes_what_it_took(kind: type) -> None:
    for name, slot in SLOTTED[kind].items():
        for value in (*VALUES, *fitting(slot.c_type)):
            quick, theirs = (outcome(one, kind, name, value) for one in (quick_nodes._set, quick_nodes._theirs))
            assert quick == theirs, (name, value)


def test_an_attribute_that_a_class_does_not_have() -> None:
    for name in ("nonsense", "ancestors"):
        quick, theirs = (outcome(one, ast.String, name, 1) for one in (quick_nodes._set, quick_nodes._theirs))
        assert quick == theirs


@pytest.mark.parametrize("text", [*PASS.values(), *DENY.values()])
def test_a_text_becomes_the_same_trees(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    quick = described(parse_sql(text))
    monkeypatch.setattr(ast.Node, "__setattr__", quick_nodes._theirs)
    assert quick == described(parse_sql(text))


def test_it_is_in_force() -> None:
    assert ast.Node.__setattr__ is quick_nodes._set
