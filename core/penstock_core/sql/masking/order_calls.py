"""Aggregates and window functions of one query whose results depend on the order of its rows: orders completed in them.

Which functions these are is data, in `order_sensitivity.py`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pglast import ast

from penstock_core.sql.masking.order_keys import Level, NotTold
from penstock_core.sql.masking.order_nodes import own_nodes
from penstock_core.sql.masking.order_outputs import cells, group_order
from penstock_core.sql.masking.order_sensitivity import (
    EXACT,
    OwnCalls,
    is_sensitive,
    resolved_window,
    window_needs,
)

_JSON_AGGREGATES = (ast.JsonArrayAgg, ast.JsonObjectAgg)


class CallOrder:
    """The calls of one query, not of those inside it."""

    def __init__(self, node: ast.SelectStmt, level: Level, own: OwnCalls) -> None:
        self._own = own
        self._node = node
        self._level = level
        nodes = list(_computed(node))
        self._calls = [one for one in nodes if isinstance(one, ast.FuncCall)]
        self._json = [one for one in nodes if is_json_aggregate(one)]
        self.changed = False
        # Whether something is left that only sorted sources make safe.
        self.unsorted = False

    @property
    def any_aggregate(self) -> bool:
        """Whether the query makes one row of all, or one of each group."""
        return bool(self._json) or any(self._is_own(call) for call in self._calls)

    @property
    def of_outer(self) -> bool:
        """Whether an aggregate may be one of an outer query's rows, and depends on their order; these are told."""
        foreign = [call for call in self._calls if self._own.is_aggregate(call) and not self._is_own(call)]
        for call in foreign:
            named = [one for one in own_nodes(call.args) if isinstance(one, ast.ColumnRef)]
            around = self._level.around()
            owner = next((level for level in around if any(names_source(one, level) for one in named)), None)
            if owner is not None:
                owner.aggregated = True
        return any(is_sensitive(call, exact=False) for call in foreign) or (
            bool(self._json) and not self._level.sources
        )

    def complete(self) -> None:
        """Complete the order inside each call whose result would depend on it."""
        for call in (*self._calls, *self._json):
            try:
                self._complete(call)
            except NotTold:
                self.unsorted = True

    def _complete(self, call: Any) -> None:
        if isinstance(call, ast.JsonObjectAgg):
            # It has no ORDER BY.
            self.unsorted = True
        elif isinstance(call, ast.JsonArrayAgg):
            constructor: Any = call.constructor
            if constructor.over is not None:
                self.unsorted = True
            else:
                constructor.agg_order = self._longer(constructor.agg_order)
        elif call.over is not None:
            self._complete_window(call)
        elif self._is_own(call) and is_sensitive(call, exact=self._is_exact(call)):
            call.agg_order = self._longer(call.agg_order)

    def _complete_window(self, call: Any) -> None:
        window = resolved_window(call.over, self._node.windowClause)
        needs = window_needs(call, window, exact=self._is_exact(call))
        if needs == "sorted":
            self.unsorted = True
        elif needs == "order":
            order = self._longer(window.orderClause, window.partitionClause, grouped=bool(self._node.groupClause))
            call.over = ast.WindowDef(
                partitionClause=window.partitionClause,
                orderClause=order,
                frameOptions=window.frameOptions,
                startOffset=window.startOffset,
                endOffset=window.endOffset,
            )

    def _longer(self, order: Any, partition: Any = None, *, grouped: bool = False) -> Any:
        """The order, completed. Raises NotTold."""
        if grouped:
            more = group_order(self._node, self._level, places=False)
        else:
            known = cells([*(one.node for one in order or () if not one.useOp), *(partition or ())], self._level)
            more = self._level.order(known)
        self.changed |= bool(more)
        return (*(order or ()), *more) or None

    def _is_own(self, call: ast.FuncCall) -> bool:
        """Whether it is an aggregate of this query's rows: it is an outer one's if it names only columns of that."""
        if not self._own.is_aggregate(call):
            return False
        inside = (call.args, call.agg_order)
        references = [one for one in own_nodes(inside) if isinstance(one, ast.ColumnRef)]
        return not references or any(self._names_own(one) for one in references)

    def _names_own(self, node: ast.ColumnRef) -> bool:
        """Whether the column, or row, is surely one of this query's sources."""
        around = [one for level in self._level.around() for one in level.sources]
        # With nothing around it, whose else would it be?
        return not around or names_source(node, self._level)

    def _is_exact(self, call: ast.FuncCall) -> bool:
        return self._level.type_of((call.args or (None,))[0]) in EXACT


def names_source(node: ast.ColumnRef, level: Level) -> bool:
    """Whether the column, or row, is surely one of that query's sources."""
    if level.owner(node) is not None:
        return True
    first = (node.fields or (None,))[0]
    name = first.sval if isinstance(first, ast.String) else ""
    return isinstance(first, ast.A_Star) or any(one.name == name for one in level.sources)


def is_json_aggregate(node: Any) -> bool:
    """JSON_ARRAYAGG and JSON_OBJECTAGG."""
    return isinstance(node, _JSON_AGGREGATES)


def _computed(node: ast.SelectStmt) -> Iterator[Any]:
    """Every node of what the query computes of its rows."""
    return own_nodes((node.targetList, node.distinctClause, node.havingClause, node.windowClause, node.sortClause))
