"""From syntax trees to text, and the proof that the text means the tree: it is parsed again and compared."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from functools import cache
from typing import Any

from pglast import ast, parse_sql
from pglast.parser import ParseError
from pglast.stream import RawStream

from penstock_core.sql.refusal import refused


def deparse(statements: Sequence[ast.Node]) -> str:
    """The text of the statements. Raises Refused where it would not mean the same."""
    text = "; ".join(str(RawStream()(statement)) for statement in statements)
    try:
        again = [statement.stmt for statement in parse_sql(text)]
    except ParseError:
        again = []
    if len(again) != len(statements) or not all(map(same, statements, again)):
        raise refused("the statement can't be written again in a way that surely means the same", "write it plainly")
    return text


@cache
def _meaningful(kind: str) -> tuple[str, ...]:
    """The fields that matter: not where something stood, nor whether a call had a syntax of its own (`TRIM(…)`)."""
    slots = getattr(ast, kind).__slots__
    return tuple(name for name, slot in slots.items() if slot.c_type not in ("ParseLoc", "CoercionForm"))


def same(left: Any, right: Any) -> bool:
    """Whether two trees mean the same: equal but for where things stood. What is unset is the same as its default."""
    if isinstance(left, ast.Node):
        if type(left) is not type(right):
            return False
        return all(same(getattr(left, name), getattr(right, name)) for name in _meaningful(type(left).__name__))
    if isinstance(left, tuple) and isinstance(right, tuple):
        return len(left) == len(right) and all(map(same, left, right))
    return bool(_plain(left) == _plain(right))


def _plain(value: Any) -> Any:
    """None for what stands for nothing said: an empty list, false, and the first value of an enumeration."""
    if isinstance(value, Enum):
        value = value.value
    return None if value in (False, 0, ()) else value
