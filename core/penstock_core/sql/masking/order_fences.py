"""Puts sorted subqueries in place of the relations of a statement with an order hazard, where only rows that come
sorted would do. Whether they are needed is decided in `order_writes.py` and `order_errors.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pglast import ast

from penstock_core.sql.masking.order_errors import ErrorOrder
from penstock_core.sql.masking.order_keys import Leaf
from penstock_core.sql.masking.order_nodes import by, by_image, column, sorted_source
from penstock_core.sql.syntax.walk import fields_below


@dataclass(frozen=True, slots=True)
class Fences:
    """How the relations of one statement are sorted."""

    leaves: Mapping[int, Leaf]
    errors: ErrorOrder
    # What the statement writes to, by identity: it can't be sorted.
    targets: frozenset[int]
    # Whether nothing is computed below the sort but what is put there.
    fenced: bool

    def put(self, node: Any) -> None:
        """Put a sorted subquery in place of each relation with a hazard, below that node."""
        for name in fields_below(node):
            value = getattr(node, name)
            if isinstance(value, (ast.Node, tuple)):
                setattr(node, name, self._sorted(value))

    def _sorted(self, value: Any) -> Any:
        if isinstance(value, tuple):
            return tuple(self._sorted(part) for part in value)
        leaf = self.leaves.get(id(value))
        if leaf is None:
            if isinstance(value, ast.Node):
                self.put(value)
            return value
        if not leaf.hazard or id(value) in self.targets:
            return value
        return self._fence(value, leaf)

    def _fence(self, item: Any, leaf: Leaf) -> ast.Node:
        alias = item.alias
        name = (alias.aliasname if alias is not None else None) or leaf.relation.name
        renames = alias is not None and alias.colnames
        if leaf.failing or leaf.fails:
            # What may fail is computed below the sort, of all rows, since the sort is by all of them.
            self.errors.mixed = True
            order: tuple[ast.SortBy, ...] = (by_image(name),)
        else:
            key = () if renames else leaf.key
            order = tuple(by(column(name, one)) for one in key) or (by_image(name),)
            order = (self.errors.orders.get(id(item)) or order) if self.fenced else order
        where = self.errors.inside_fence(id(item)) if self.fenced else None
        source = sorted_source(item, name, order, fenced=self.fenced, where=where)
        source.lateral = self.fenced and id(item) in self.errors.lookups
        return source
