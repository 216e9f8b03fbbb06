"""Whether two syntax trees mean the same: equal but for where things stood.

A tree is compared with another, or with the JSON that the parser makes of a text, which takes a fraction of the time.
How trees become text is `deparse.py`'s.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from enum import Enum
from functools import cache
from operator import attrgetter
from typing import Any

import orjson
from pglast import ast, enums
from pglast.parser import ParseError, parse_sql_json

from penstock_core.sql.syntax.literals import unread

# Where something stood, and whether a call had a syntax of its own (`TRIM(…)`), mean nothing.
_MEANINGLESS = ("ParseLoc", "CoercionForm")
# What the parser tells and pglast's trees do not hold; it is the same in every node of the class.
_UNKNOWN = {"MergeSupportFunc": frozenset({"msftype"})}
# Fields of these types hold nodes whose class the JSON tells; other pointers are to nodes of that class alone.
_OF_ANY_CLASS = ("Node*", "Expr*")
_CONSTANTS: dict[type, tuple[str, Any]] = {
    ast.Integer: ("ival", 0),
    ast.Float: ("fval", ""),
    ast.Boolean: ("boolval", False),
    ast.String: ("sval", ""),
    ast.BitString: ("bsval", ""),
}


def same(left: Any, right: Any) -> bool:
    """Whether two trees mean the same. What is unset is the same as its default."""
    if isinstance(left, ast.Node):
        if type(left) is not type(right):
            return False
        known = _fields(type(left).__name__)
        return all(
            one is other or same(one, other) for one, other in zip(known.values(left), known.values(right), strict=True)
        )
    if isinstance(left, tuple) and isinstance(right, tuple):
        return len(left) == len(right) and all(map(same, left, right))
    return bool(_plain(left) == _plain(right))


def means(text: str, statements: tuple[ast.Node, ...], names: Mapping[int, str]) -> bool:
    """Whether the text is parsed to those trees. A relation of `names` may stand for the subquery of that identity."""
    try:
        parsed = _loaded(parse_sql_json(text))["stmts"]
        comparison = _Comparison(names)
        return len(parsed) == len(statements) and all(
            comparison.node(statement, one["stmt"]) for statement, one in zip(statements, parsed, strict=True)
        )
    except (ParseError, ValueError, KeyError, TypeError, AttributeError):
        # The text is none, or its JSON is of another shape than such trees have.
        return False


def _loaded(text: str) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        # It goes no deeper than some thousand levels; the other as deep as there is a stack.
        return json.loads(text)


class _Comparison:
    """Compares trees with the parser's JSON: what is unset is left out of it, enumerations are told by name."""

    def __init__(self, names: Mapping[int, str]) -> None:
        self._names = names

    def node(self, tree: Any, parsed: Any) -> bool:
        """A node of whatever class: `{"ColumnRef": {…}}`; a list, which is one of class List; or nothing."""
        if len(parsed) != 1:
            return not parsed and tree is None
        ((kind, fields),) = parsed.items()
        if type(tree) is tuple:
            return kind == "List" and self.nodes(tree, fields.get("items", ()))
        if type(tree).__name__ == kind:
            return self.fields(tree, fields)
        return kind == "RangeVar" and self._stands_for(tree, fields)

    def nodes(self, trees: tuple[Any, ...], parsed: Any) -> bool:
        if len(trees) != len(parsed):
            return False
        for tree, one in zip(trees, parsed, strict=True):
            # Most are names, which are not worth a call each.
            if type(tree) is ast.String:
                if len(one) != 1 or tree.sval != one["String"].get("sval", ""):
                    return False
            elif not self.node(tree, one):
                return False
        return True

    def fields(self, tree: ast.Node, parsed: dict[str, Any]) -> bool:
        """The fields of a node of known class."""
        kind = type(tree)
        if kind is ast.String:
            return bool(tree.sval == parsed.get("sval", ""))  # type: ignore[attr-defined]  # it has by its class
        if kind is ast.A_Const:
            return _same_constant(tree, parsed)  # type: ignore[arg-type]  # the same
        known = _fields(kind.__name__)
        values, told = known.values(tree), 0
        for name, other in parsed.items():
            place = known.places.get(name)
            if place is None:
                if name not in known.meaningless:
                    return False
                continue
            value = values[place]
            if value is None:
                # Unset here; there at most the value that it has unless told otherwise.
                if other is not None and other != known.firsts[place]:
                    return False
            elif other is not None:
                told += 1
                if not (self.node(value, other) if known.of_any_class[place] else self._value(value, other)):
                    return False
        held = [value for value in values if value is not None]
        return told == len(held) or self._rest_is_unset(known, values, parsed)

    def _rest_is_unset(self, known: _Fields, values: tuple[Any, ...], parsed: dict[str, Any]) -> bool:
        """Whether all that the JSON does not tell says nothing in the tree either."""
        return all(parsed.get(name) is not None or is_unset(values[place]) for name, place in known.places.items())

    def _value(self, value: Any, parsed: Any) -> bool:
        """What is in a field that says of which class it is."""
        if type(value) is tuple:
            return self.nodes(value, parsed)
        if isinstance(value, ast.Node):
            return self.fields(value, parsed)
        return bool(value == parsed) or (isinstance(value, Enum) and bool(value._name_ == parsed))

    def _stands_for(self, tree: Any, parsed: dict[str, Any]) -> bool:
        """Whether a plain relation under an alias stands where the tree has a subquery under that alias."""
        if not isinstance(tree, ast.RangeSubselect):
            return False
        name = self._names.get(id(tree.subquery))
        if name is None or tree.lateral or tree.alias is None:
            return False
        return self.fields(ast.RangeVar(relname=name, inh=True, relpersistence="p", alias=tree.alias), parsed)


class _Fields:
    """The fields of one class of nodes."""

    def __init__(self, kind: str) -> None:
        slots = getattr(ast, kind).__slots__
        kept = {name: slot.c_type for name, slot in slots.items() if slot.c_type not in _MEANINGLESS}
        # By their names in the JSON.
        self.places = {_in_json(name): place for place, name in enumerate(kept)}
        self.of_any_class = tuple(c_type in _OF_ANY_CLASS for c_type in kept.values())
        # The names of the values that enumerations have unless told otherwise.
        self.firsts = tuple(map(_first, kept.values()))
        self.meaningless = frozenset(map(_in_json, slots)).difference(self.places) | _UNKNOWN.get(kind, frozenset())
        # Of one field its value, of several a tuple.
        self._fetch: Callable[[Any], Any] | None = attrgetter(*kept) if kept else None

    def values(self, tree: ast.Node) -> tuple[Any, ...]:
        if self._fetch is None:
            return ()
        found = self._fetch(tree)
        return found if len(self.places) > 1 else (found,)


def _in_json(slot: str) -> str:
    """What the parser calls it: in Python, `def` is none that an attribute could have."""
    return slot.removesuffix("_")


def _first(c_type: str) -> str | None:
    kind = getattr(enums, c_type, None)
    if kind is None:
        return None
    return next((member.name for member in kind if member.value == 0), None)


@cache
def _fields(kind: str) -> _Fields:
    return _Fields(kind)


def _same_constant(tree: ast.A_Const, parsed: dict[str, Any]) -> bool:
    (kind, value), *more = [(key, value) for key, value in parsed.items() if key != "location"] or [("", None)]
    if more:
        return False
    val = unread(tree)
    if val is None:
        return kind == "isnull" and value is True and bool(tree.isnull)
    name, default = _CONSTANTS[type(val)]
    written = getattr(val, name)
    return kind == name and bool(value.get(name, default) == (default if written is None else written))


def is_unset(value: Any) -> bool:
    """Whether the value of a field says nothing: what it is where the text has nothing for it."""
    return _plain(value) is None


def _plain(value: Any) -> Any:
    """None for what says nothing: an empty list, false, no character, and the first value of an enumeration."""
    if isinstance(value, Enum):
        value = value.value
    return None if value in (False, 0, (), "\0") else value
