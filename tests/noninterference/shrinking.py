"""Makes a statement that tells the twins apart short: parts of its tree are taken out while it still does."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from pglast import ast, parser
from pglast.stream import RawStream

# How many shorter statements are tried.
_TRIES = 150


def shrink(sql: str, tells: Callable[[str], bool]) -> str:
    """The shortest statement found of which `tells` holds; the same one where it can't be taken apart."""
    try:
        tree = parser.parse_sql(sql)[0].stmt
    except (parser.ParseError, IndexError, ValueError):
        return sql
    best, tries = sql, 0
    progress = True
    while progress and tries < _TRIES:
        progress = False
        for smaller in _smaller(tree):
            text = _text(smaller)
            if text is None or len(text) >= len(best):
                continue
            tries += 1
            if tries > _TRIES:
                break
            if tells(text):
                tree, best, progress = smaller, text, True
                break
    return best


def _text(tree: Any) -> str | None:
    try:
        return str(RawStream()(tree))
    except Exception:
        # A tree that lacks what its kind needs can't be printed: pglast then fails in any way it likes.
        return None


def _smaller(tree: Any) -> Iterator[Any]:
    """Copies of the tree with one part less: what an element of a list or a field holds is left out, or put down to a
    part of its own.
    """
    for path in _paths(tree):
        *above, last = path
        holder = _at(tree, above)
        if isinstance(last, str):
            for part in (None, *_parts(getattr(holder, last))):
                yield from _changed(tree, above, last, part)
        elif isinstance(above[-1], str):
            for parts in ((), *((part,) for part in _parts(holder[last]))):
                rest = (*holder[:last], *parts, *holder[last + 1 :])
                yield from _changed(tree, above[:-1], above[-1], rest or None)


def _changed(tree: Any, above: Sequence[str | int], field: str, value: Any) -> Iterator[Any]:
    """A copy with another value in one field, where the field takes it."""
    again = copy.deepcopy(tree)
    try:
        setattr(_at(again, above), field, value)
    except ValueError:
        return
    yield again


def _parts(node: Any) -> Iterator[Any]:
    """Expressions within an expression that may stand for it."""
    if isinstance(node, ast.Node):
        for name in node:
            value = getattr(node, name)
            for one in value if isinstance(value, tuple) else (value,):
                if isinstance(one, ast.Node) and type(one).__name__ not in ("String", "TypeName", "Alias", "Integer"):
                    yield one


def _paths(node: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Where parts of a tree are, those nearest to its root first."""
    level: list[tuple[tuple[str | int, ...], Any]] = [((), node)]
    while level:
        below: list[tuple[tuple[str | int, ...], Any]] = []
        for place, one in level:
            if isinstance(one, ast.Node):
                below += [((*place, name), getattr(one, name)) for name in one]
            elif isinstance(one, tuple):
                below += [((*place, at), part) for at, part in enumerate(one)]
        below = [(place, one) for place, one in below if isinstance(one, (ast.Node, tuple)) and one]
        yield from (place for place, _ in below)
        level = below


def _at(tree: Any, path: Sequence[str | int]) -> Any:
    """The part at the end of the path."""
    for step in path:
        tree = tree[step] if isinstance(step, int) else getattr(tree, step)
    return tree
