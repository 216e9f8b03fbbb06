"""Completes the orders in one whole statement: also what a statement that writes reads, changes and returns.

Its target can't be sorted, so what it returns is (as a table of WITH), and what else it reads comes sorted: the order
in which rows are written is the order in which they lie.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pglast import ast

from penstock_core.sql.masking.order_completion import Leaf, QueryOrder
from penstock_core.sql.masking.order_keys import Level, Rows
from penstock_core.sql.masking.order_nodes import by, by_image, column, own_nodes, returned_in_order, sorted_source
from penstock_core.sql.masking.order_sensitivity import OwnCalls, function_name
from penstock_core.sql.refusal import refused
from penstock_core.sql.syntax.walk import below

_Writing = ast.InsertStmt | ast.UpdateStmt | ast.DeleteStmt | ast.MergeStmt
_NONE: Mapping[str, Rows] = {}


def complete_order(statement: ast.Node, leaves: Mapping[int, Leaf], own: OwnCalls) -> ast.Node:
    """The statement with its orders completed in place, or what has to stand in its place. Raises Refused.

    `leaves` are its FROM items and targets that are relations, by their identity.
    """
    if not any(leaf.hazard for leaf in leaves.values()):
        return statement
    return _StatementOrder(leaves, own).statement(statement)


def leaves_order_open(definition: ast.Node, leaves: Mapping[int, Leaf], own: OwnCalls) -> bool:
    """Whether rows or values of a view depend on an order that masked values decide."""
    order = QueryOrder(leaves, own, judging=True)
    order.query(definition, None, _NONE)
    return order.changed or order.unsorted or any(_telling(definition, own))


@dataclass(slots=True)
class _StatementOrder(QueryOrder):
    """Adds the statements around queries."""

    # Targets whose rows are changed in an order that masked values may decide.
    open_targets: list[ast.Node] = field(default_factory=list)
    fenced: bool = False

    def statement(self, node: Any) -> ast.Node:
        """A statement of the text, or one inside of another."""
        written = self._whole(node)
        if any(id(call) not in self.late_calls for call in _telling(written, self.own)):
            # Conditions that have them would be asked before the rows are sorted.
            self.unsorted = self.fenced = True
        if self.unsorted:
            self._refuse_open_targets(written)
            self._sort_sources(written, frozenset(id(one) for one in _targets(written)))
        return written

    def _whole(self, node: Any) -> ast.Node:
        match node:
            case ast.SelectStmt():
                self.query(node, None, _NONE, visible=True)
            case ast.InsertStmt() | ast.UpdateStmt() | ast.DeleteStmt() | ast.MergeStmt():
                if self.writing(node, None, _NONE).hazard:
                    return returned_in_order(node)
            case ast.CopyStmt() | ast.PrepareStmt() | ast.DeclareCursorStmt() | ast.CreateTableAsStmt():
                if node.query is not None:
                    node.query = self._whole(node.query)
        whole: ast.Node = node
        return whole

    def writing(self, node: Any, outer: Level | None, ctes: Mapping[str, Rows]) -> Rows:
        """What it returns."""
        if not isinstance(node, _Writing):
            return QueryOrder.writing(self, node, outer, ctes)
        ctes = self.tables(node.withClause, outer, ctes)
        if isinstance(node, ast.InsertStmt):
            # They are returned in the order in which they are written.
            if node.selectStmt is not None:
                self.query(node.selectStmt, outer, ctes, visible=True)
            self.inside((node.onConflictClause, node.returningClause), Level([], outer, ctes))
            return Rows("")
        level = Level([], outer, ctes)
        (target,) = self.item(node.relation, level)
        read = self._read(node, level, target)
        pinned = level.told(())
        joined = level.joined_hazard or any(one.hazard and id(one) not in pinned for one in read)
        returns = node.returningClause is not None and _says_something(node.returningClause)
        # Of several rows for one of the target the first one counts; and they are written in the order they come.
        self.unsorted |= joined and (returns or not isinstance(node, ast.DeleteStmt))
        is_open = target.hazard and id(target) not in pinned
        if is_open and node.relation is not None:
            self.open_targets.append(node.relation)
        return Rows("", None, returns and (joined or is_open))

    def _read(self, node: Any, level: Level, target: Rows) -> list[Rows]:
        """What is joined to the target, with the conditions that join it."""
        level.sources.append(target)
        if isinstance(node, ast.MergeStmt):
            read = self.item(node.sourceRelation, level)
            level.sources += read
            level.condition(node.joinCondition)
            self.inside(node.joinCondition, level, joins=True)
            self.inside((node.mergeWhenClauses, node.returningClause), level)
            return read
        read = []
        for item in (node.fromClause if isinstance(node, ast.UpdateStmt) else node.usingClause) or ():
            brought = self.item(item, level)
            level.sources += brought
            read += brought
        level.condition(node.whereClause)
        self.inside(node.whereClause, level, joins=True)
        if isinstance(node, ast.UpdateStmt):
            self.inside(node.targetList, level)
        self.inside(node.returningClause, level)
        return read

    # ---- where only sorted sources would do

    def _refuse_open_targets(self, node: ast.Node) -> None:
        """A target can't be sorted: what tells when it was called may not be asked of its rows."""
        for call in _telling(node, self.own) if self.open_targets else ():
            relation = self.leaves[id(self.open_targets[0])].relation
            raise refused(
                f"{function_name(call)} would tell in which order rows of {relation.schema}.{relation.name} are"
                " changed, which depends on masked columns",
                "change them without it, or one by one by the primary key",
            )

    def _sort_sources(self, node: Any, targets: frozenset[int]) -> None:
        """Put a sorted subquery in place of each relation with a hazard, below that node."""
        for name in node:
            value = getattr(node, name)
            if isinstance(value, (ast.Node, tuple)):
                setattr(node, name, self._sorted(value, targets))

    def _sorted(self, value: Any, targets: frozenset[int]) -> Any:
        if isinstance(value, tuple):
            return tuple(self._sorted(part, targets) for part in value)
        leaf = self.leaves.get(id(value))
        if leaf is None:
            if isinstance(value, ast.Node):
                self._sort_sources(value, targets)
            return value
        if not leaf.hazard or id(value) in targets:
            return value
        alias = value.alias
        name = (alias.aliasname if alias is not None else None) or leaf.relation.name
        renames = alias is not None and alias.colnames
        key = () if renames else leaf.key
        order = tuple(by(column(name, one)) for one in key) or (by_image(name),)
        return sorted_source(value, name, order, fenced=self.fenced)


def _telling(node: Any, own: OwnCalls) -> list[ast.FuncCall]:
    """Calls whose results tell in which order they were made."""
    return [one for one in below(node) if isinstance(one, ast.FuncCall) and own.tells(one)]


def _targets(node: Any) -> list[ast.Node]:
    """What the statements in it write to."""
    return [one.relation for one in below(node) if isinstance(one, _Writing) and one.relation is not None]


def _says_something(returning: ast.Node) -> bool:
    return any(isinstance(one, (ast.ColumnRef, ast.FuncCall, ast.SubLink)) for one in own_nodes(returning))
