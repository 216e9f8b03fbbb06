"""Changes of syntax trees: gathered while a text is authorized, made only if it is rewritten, and made here alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pglast import ast

from penstock_core.sql.bind.column_names import own_name
from penstock_core.sql.bind.scopes import Place
from penstock_core.sql.syntax.walk import fields_below


@dataclass(slots=True)
class Edits:
    """The changes of one text, in the order in which they are made."""

    _fields: list[tuple[ast.Node, str, Any]] = field(default_factory=list)
    _places: list[tuple[Place, ast.Node]] = field(default_factory=list)
    # By the identity of each expression that is replaced: itself, so that nothing else gets that identity, and the
    # value.
    _values: dict[int, tuple[ast.Node, ast.Node]] = field(default_factory=dict)

    def set(self, node: ast.Node, name: str, value: Any) -> None:
        """That field gets that value."""
        self._fields.append((node, name, value))

    def put(self, place: Place, node: ast.Node) -> None:
        """That node goes to that place."""
        self._places.append((place, node))

    def replace(self, expression: ast.Node, value: ast.Node) -> None:
        """The value replaces the expression, wherever that is."""
        self._values[id(expression)] = (expression, value)

    @property
    def replaced(self) -> int:
        """How many expressions are replaced."""
        return len(self._values)

    @property
    def values(self) -> frozenset[int]:
        """What takes the place of expressions, by identity."""
        return frozenset(id(value) for _, value in self._values.values())

    def apply(self, statements: Sequence[ast.Node], apart: Mapping[int, Any]) -> None:
        """Change the trees of the statements; what is kept `apart`, by identity, is shared and is not entered."""
        for node, name, value in self._fields:
            setattr(node, name, value)
        for place, node in self._places:
            if place.position is None:
                setattr(place.owner, place.field, node)
            else:
                items = list(getattr(place.owner, place.field))
                items[place.position] = node
                setattr(place.owner, place.field, tuple(items))
        if self._values:
            for statement in statements:
                self._enter(statement, apart)

    def _enter(self, node: ast.Node, apart: Mapping[int, Any]) -> None:
        """Output columns keep the names that they had by what was in them."""
        name = own_name(node.val) if isinstance(node, ast.ResTarget) and node.name is None else None
        for attribute in fields_below(node):
            value = getattr(node, attribute)
            if isinstance(value, (ast.Node, tuple)):
                placed = self._placed(value, apart)
                if placed is not value:
                    setattr(node, attribute, placed)
        if name is not None and isinstance(node, ast.ResTarget) and own_name(node.val) != name:
            node.name = name

    def _placed(self, value: Any, apart: Mapping[int, Any]) -> Any:
        if isinstance(value, tuple):
            placed = tuple(self._placed(part, apart) for part in value)
            return placed if any(one is not other for one, other in zip(placed, value, strict=True)) else value
        if isinstance(value, ast.Node):
            if id(value) in self._values:
                return self._values[id(value)][1]
            if id(value) not in apart:
                self._enter(value, apart)
        return value
