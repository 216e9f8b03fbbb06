"""The walk through a text: each node goes to the rule of its class, and what has none is said to be unclaimed.

The rules are in the modules beside this one, in tables by class of node; `text.py` puts them together.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any

from pglast import ast

from penstock_core.sql.allowlists.syntax_nodes import EXPRESSIONS, FORMERLY_FUNCTIONS, KNOWN, Fields
from penstock_core.sql.bind.bound import Bound
from penstock_core.sql.bind.name_resolution import TEMPORARY, MadeName, Names
from penstock_core.sql.bind.references import FormerFunction, Reference, Unclaimed
from penstock_core.sql.bind.scopes import Columns, Scope
from penstock_core.sql.catalog.model import Catalog, RelationName
from penstock_core.sql.syntax.equivalence import is_unset

Rule = Callable[["Binder", Any, Scope], None]
QueryRule = Callable[["Binder", ast.Node | None, Scope], Columns]
StatementRule = Callable[["Binder", Any], None]


class NotBound(Exception):
    """Binding can't go on: why, and what to write instead."""

    def __init__(self, reason: str, remedy: str) -> None:
        super().__init__(reason)
        self.reason = reason
        self.remedy = remedy


@dataclass(frozen=True, slots=True)
class Rules:
    """What binds expressions by their class, queries, and whole statements."""

    expressions: Mapping[type[ast.Node], Rule]
    query: QueryRule
    statement: StatementRule


@dataclass(slots=True)
class Binder:
    """Binds the statements of one text, one after another."""

    catalog: Catalog
    names: Names
    rules: Rules
    bound: Bound = field(default_factory=Bound)
    # Whether what is bound now runs later, by whoever uses what is defined.
    defining: bool = False
    # Whether it matters what the transaction made before the catalog has it.
    follows_made: bool = False
    # Views in whose place their definitions are bound, and how many of them there were.
    written_out: frozenset[RelationName] = frozenset()
    written: int = 0

    def add(self, reference: Reference) -> None:
        """The next reference of the text."""
        self.bound.references.append(reference)

    def makes(self, item: ast.RangeVar | None) -> None:
        """A relation of that name comes to be, which was not there."""
        if self.follows_made and item is not None and item.relpersistence != "t" and item.schemaname != TEMPORARY:
            name = (item.schemaname or "", item.relname or "")
            self.names = replace(self.names, made=self.names.made | {name})

    def unmakes(self, names: Iterable[str] | None = None) -> None:
        """Nothing that the transaction made has these names any more, whatever the schema; None: nothing is known."""
        if self.names.made:
            gone = None if names is None else frozenset(names)
            left = frozenset[MadeName]() if gone is None else {one for one in self.names.made if one[1] not in gone}
            self.names = replace(self.names, made=frozenset(left))

    def query(self, select: ast.Node | None, around: Scope) -> Columns:
        """A whole query whose outer scope is `around`, which may be empty; returns its output columns."""
        return self.rules.query(self, select, around)

    def statement(self, node: ast.Node | None) -> None:
        """A statement, perhaps one inside another."""
        if node is not None:
            self.rules.statement(self, node)

    def expression(self, node: Any, scope: Scope) -> None:
        """Whatever an expression may be: nothing, a node, a list of nodes."""
        if node is None:
            return
        kind = type(node)
        if kind is tuple:
            for part in node:
                self.expression(part, scope)
            return
        rule = self.rules.expressions.get(kind)
        if rule is not None:
            if _REST[kind]:
                self.claim(node)
            rule(self, node, scope)
        elif kind in EXPRESSIONS:
            if _REST[kind]:
                self.claim(node)
            if kind in FORMERLY_FUNCTIONS:
                self.former_function(kind)
            for name in _PARTS[kind]:
                value = getattr(node, name)
                if value is not None:
                    self.expression(value, scope)
        else:
            self.add(Unclaimed(node))

    def parts(self, node: ast.Node, scope: Scope, but: str = "") -> None:
        """Each bound part of a node that may hold others, `but` for one."""
        for name in _PARTS[type(node)]:
            if name != but:
                self.expression(getattr(node, name), scope)

    def claim(self, node: ast.Node, fields: Fields | None = None) -> None:
        """Say which fields of the node are set that its class is not known to have, or not to have here."""
        kind = type(node)
        key = (kind, fields)
        rest = _REST_OF.get(key)
        if rest is None:
            rest = _REST_OF[key] = _rest(kind, fields or KNOWN.get(kind, Fields()))
        for name in rest:
            if not is_unset(getattr(node, name)):
                self.add(Unclaimed(node, name))

    def former_function(self, kind: type[ast.Node]) -> None:
        """What an older server would take for a call of the user's function."""
        for name in FORMERLY_FUNCTIONS.get(kind, ()):
            if name in self.catalog.user_functions:
                self.add(FormerFunction(name))


def idents(nodes: Sequence[Any] | None) -> list[str]:
    """The texts of a list of names."""
    return [node.sval or "" for node in nodes or () if isinstance(node, ast.String)]


@lru_cache(maxsize=4096)
def strings(*names: str) -> tuple[ast.String, ...]:
    """A list of names as the syntax tree holds it. Shared: nobody may change it."""
    return tuple(ast.String(sval=name) for name in names)


def alias_of(item: Any) -> str | None:
    """The alias of an item of FROM."""
    return item.alias.aliasname if item.alias is not None else None


def renamed_by(item: Any) -> tuple[str, ...]:
    """The names that the item's alias gives to its columns."""
    return tuple(idents(item.alias.colnames)) if item.alias is not None else ()


def slots_of(kind: type[ast.Node]) -> dict[str, Any]:
    """The fields of a class of nodes, each with its C type."""
    return dict(kind.__slots__)  # type: ignore[attr-defined]


def _parts(kind: type[ast.Node], fields: Fields) -> tuple[str, ...]:
    """The bound fields of the class that may hold nodes."""
    slots = slots_of(kind)
    return tuple(name for name in slots if name in fields.bound and _holds_nodes(slots[name].c_type))


def _holds_nodes(c_type: str) -> bool:
    return c_type.endswith("*") and c_type != "char*"


def _rest(kind: type[ast.Node], fields: Fields) -> tuple[str, ...]:
    """The fields of the class that are not known."""
    known = fields.bound | fields.inert
    return tuple(name for name, slot in slots_of(kind).items() if name not in known and slot.c_type != "ParseLoc")


_PARTS = {kind: _parts(kind, fields) for kind, fields in KNOWN.items()}
# Those of classes that are known to have fewer fields in some places.
_REST_OF: dict[tuple[type[ast.Node], Fields | None], tuple[str, ...]] = {}
_REST = {kind: _rest(kind, fields) for kind, fields in KNOWN.items()}
