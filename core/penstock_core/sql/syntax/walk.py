"""A walk over syntax trees, for those who look for something anywhere in one. What it means belongs to them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pglast import ast


def below(node: Any, into_queries: bool = True) -> Iterator[ast.Node]:
    """The node and all below it; subqueries are named but, if so asked, not entered."""
    if isinstance(node, tuple):
        for part in node:
            yield from below(part, into_queries)
    elif isinstance(node, ast.Node):
        yield node
        if isinstance(node, ast.SubLink) and not into_queries:
            yield from below(node.testexpr, into_queries)
            return
        for name in node:
            yield from below(getattr(node, name), into_queries)
