"""A walk over syntax trees, for those who look for something anywhere in one. What it means belongs to them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from pglast import ast


def below(node: Any, into_queries: bool = True, locked: bool = True) -> Iterator[ast.Node]:
    """The node and all below it; subqueries are named but, if so asked, not entered.

    Not `locked`: without the names in `FOR UPDATE OF a`, which are no relations but names of the FROM clause there.
    """
    if isinstance(node, tuple):
        for part in node:
            yield from below(part, into_queries, locked)
    elif isinstance(node, ast.Node):
        yield node
        if isinstance(node, ast.SubLink) and not into_queries:
            yield from below(node.testexpr, into_queries, locked)
            return
        if isinstance(node, ast.LockingClause) and not locked:
            return
        for name in fields_below(node):
            yield from below(getattr(node, name), into_queries, locked)


def fields_below(node: ast.Node) -> Iterable[str]:
    """The names of the fields in which other nodes may be. What is in a constant is its value, which a walk that looks
    for something else has no business with (`literals.py`).
    """
    return () if type(node) is ast.A_Const else node
