"""Completes the orders in one whole statement: also what a statement that writes reads, changes and returns.

Its target can't be sorted, so what it returns is (as a table of WITH), and what else it reads comes sorted: the order
in which rows are written is the order in which they lie.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pglast import ast

from penstock_core.sql.catalog.model import Relation
from penstock_core.sql.catalog.pull_up import VOLATILE
from penstock_core.sql.masking.filtered_writes import FilteredTarget
from penstock_core.sql.masking.order_completion import QueryOrder
from penstock_core.sql.masking.order_failures import conjuncts
from penstock_core.sql.masking.order_fences import Fences
from penstock_core.sql.masking.order_keys import Leaf, Level, Rows
from penstock_core.sql.masking.order_meetings import refuse_partless
from penstock_core.sql.masking.order_nodes import own_nodes, returned_in_order
from penstock_core.sql.masking.order_sensitivity import OwnCalls, function_name
from penstock_core.sql.masking.order_targets import (
    fails_in_ways,
    refuse_collisions,
    refuse_early_ends,
    refuse_telling,
    refuse_telling_rows,
    telling_rows,
)
from penstock_core.sql.refusal import refused
from penstock_core.sql.syntax.operators import operator_of
from penstock_core.sql.syntax.walk import below

_Writing = ast.InsertStmt | ast.UpdateStmt | ast.DeleteStmt | ast.MergeStmt
_NONE: Mapping[str, Rows] = {}
_NO_TARGETS: Mapping[int, FilteredTarget] = {}
# The classes of what rows make fail: data exception, and integrity constraint violation, which programs that write
# are made for.
# What a statement that changes rows computes.
_COMPUTED = ("whereClause", "joinCondition", "targetList", "mergeWhenClauses", "returningClause")
_OF_READS, _OF_WRITES = "22000", "23000"


@dataclass(frozen=True, slots=True)
class Completed:
    """A statement whose orders are completed."""

    statement: ast.Node
    # The SQLSTATE that it fails with where rows make it fail, whichever of them come first; empty for their own.
    mixes: str = ""
    # The filtered targets, by identity, that are kept to the rows that are there.
    kept: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class ViewOrder:
    """What is found about a view."""

    # Whether its rows or values depend on an order that masked values decide.
    open: bool
    # Whether rows that it reads may make it fail, and whether it depends on that order if they do.
    fails: bool = False
    fails_openly: bool = False


def complete_order(
    statement: ast.Node,
    leaves: Mapping[int, Leaf],
    own: OwnCalls,
    masks: frozenset[int] = frozenset(),
    filtered: Mapping[int, FilteredTarget] = _NO_TARGETS,
    declared: Mapping[int, str] | None = None,
) -> Completed:
    """The statement with its orders completed in place, or what has to stand in its place. Raises Refused.

    `leaves` are its FROM items and targets that are relations, by their identity; `masks` are expressions of the gate's
    own, which never fail. The `filtered` targets, by their identity, are kept to the rows that are there.
    `declared` are the types of parameters that the client declares; None where that is not known.
    """
    hazards = [leaf.relation for leaf in leaves.values() if leaf.hazard]
    if not hazards:
        return Completed(statement)
    _refuse_told_by_reading(hazards, own)
    order = _StatementOrder(leaves, own)
    order.errors.failures.masks = masks
    order.errors.filtered = any(leaf.filtered for leaf in leaves.values())
    order.errors.failures.hidden = order.errors.filtered
    order.errors.failures.declared = declared
    order.filtered = filtered
    if order.errors.filtered and own.has_partless_texts:
        refuse_partless(statement, leaves.values())
    written = order.statement(statement)
    return Completed(written, order.mixes, frozenset(order.kept))


def _refuse_told_by_reading(relations: Iterable[Relation], own: OwnCalls) -> None:
    """What runs while rows are found can't be kept until they are sorted."""
    for relation in relations:
        telling = own.told_by_reading(relation)
        if telling:
            raise refused(
                f"{telling}, which runs for each row that is read, would tell in which order rows of"
                f" {relation.schema}.{relation.name} come, which depends on masked columns",
                "read other tables, or have a policy list the function in allowFunctions",
            )


def judge_order(definition: ast.Node, leaves: Mapping[int, Leaf], own: OwnCalls) -> ViewOrder:
    """What rows or values of a view, or errors of reading it, depend on."""
    order = QueryOrder(leaves, own, judging=True)
    order.query(definition, None, _NONE)
    is_open = order.changed or order.unsorted or any(_telling(definition, own))
    return ViewOrder(is_open, order.errors.fails, order.errors.open)


@dataclass(slots=True)
class _StatementOrder(QueryOrder):
    """Adds the statements around queries."""

    # Targets whose rows are changed in an order that masked values may decide.
    open_targets: list[ast.Node] = field(default_factory=list)
    # Whether changing them may fail in more than one way.
    writes_mix: bool = False
    # Targets some of whose rows are not there, by identity; and those of them that are kept to the others.
    filtered: Mapping[int, FilteredTarget] = field(default_factory=dict)
    kept: set[int] = field(default_factory=set)

    @property
    def mixes(self) -> str:
        """The SQLSTATE of all errors that rows make, if they have to be told alike."""
        if self.writes_mix:
            return _OF_WRITES
        return _OF_READS if self.errors.mixed else ""

    def statement(self, node: Any) -> ast.Node:
        """A statement of the text, or one inside of another."""
        errors = self.errors
        errors.failures.parameters.update(one.number or 0 for one in below(node) if isinstance(one, ast.ParamRef))
        if isinstance(node, ast.PrepareStmt) and node.argtypes:
            errors.failures.declared = None
        written = self._whole(node)
        views = list(filter(None, (self.own.told_by_view(leaf.relation) for leaf in self.leaves.values())))
        telling = bool(views) or any(id(call) not in errors.late_calls for call in _telling(written, self.own))
        # How often those are called tells how many rows there were.
        volatile = (id(one) for one in below(written) if _is_volatile(one)) if errors.filtered else ()
        telling |= any(one not in errors.late_calls for one in volatile)
        if telling:
            self._refuse_open_targets(written, views)
        # Conditions that tell when they are asked would be asked before the rows are sorted.
        fenced = telling or errors.fenced
        if fenced:
            self._refuse_locks(written)
        if fenced or self.unsorted:
            Fences(self.leaves, errors, frozenset(id(one) for one in _targets(written)), fenced).put(written)
        return written

    def _refuse_locks(self, node: ast.Node) -> None:
        """Behind a fence, FOR UPDATE would lock all rows of a relation, and leave a cursor on the last of them."""
        for query in below(node):
            if isinstance(query, ast.SelectStmt) and query.lockingClause:
                hazards = (
                    leaf for one in below(query.fromClause) if (leaf := self.leaves.get(id(one))) and leaf.hazard
                )
                for leaf in hazards:
                    raise refused(
                        f"which rows of {leaf.relation.schema}.{leaf.relation.name} are locked before the statement"
                        " fails for one would depend on the order in which they are read",
                        "read first which rows they are, then lock these by the primary key",
                    )

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
            self._check(node)
            # They are returned in the order in which they are written.
            if node.selectStmt is not None:
                self.query(node.selectStmt, outer, ctes, visible=True)
            self.inside((node.onConflictClause, node.returningClause), Level([], outer, ctes))
            return Rows("")
        self._check(node)
        level = Level([], outer, ctes)
        (target,) = self.item(node.relation, level)
        read = self._read(node, level, target)
        pinned = level.told(())
        joined = level.joined_hazard or any(one.hazard and id(one) not in pinned for one in read)
        returns = node.returningClause is not None and _says_something(node.returningClause)
        leaf = self.leaves.get(id(node.relation))
        telling = telling_rows(node, leaf.relation, self.own) if leaf is not None else ""
        # Of several rows for one of the target the first one counts; and they are written in the order they come.
        self.unsorted |= joined and (returns or bool(telling) or not isinstance(node, ast.DeleteStmt))
        one_row = id(target) in pinned or isinstance(getattr(node, "whereClause", None), ast.CurrentOfExpr)
        is_open = target.hazard and not one_row
        if is_open and leaf is not None and node.relation is not None:
            self.open_targets.append(node.relation)
            refuse_telling_rows(node, leaf.relation, telling)
        self._close_errors(node, level, target, read, is_open=is_open)
        self._keep_to_rows(node, level)
        return Rows("", None, returns and (joined or is_open))

    def _check(self, node: _Writing) -> None:
        """New values by which a policy filters rows."""
        target = self.filtered.get(id(node.relation))
        if target is not None and isinstance(node, ast.InsertStmt):
            target.check_new(node, self.own)
            conflict = node.onConflictClause
            if conflict is not None and conflict.targetList:
                target.check_set(conflict, self.own)
                target.keep_to_rows(conflict, lambda _: True, conjuncts(conflict.whereClause))
            self.kept.add(id(node.relation))
        elif target is not None and isinstance(node, ast.UpdateStmt):
            target.check_set(node, self.own)

    def _keep_to_rows(self, node: _Writing, level: Level) -> None:
        """What fails, or tells how often it is asked, is asked of no row that a policy filters out."""
        target, failures = self.filtered.get(id(node.relation)), self.errors.failures
        if target is None or not isinstance(node, (ast.UpdateStmt, ast.DeleteStmt)):
            return

        def tells(part: Any) -> bool:
            return failures.may_fail(part, level, always=False) or any(map(_is_volatile, below(part)))

        target.keep_to_rows(node, tells, conjuncts(node.whereClause))
        self.kept.add(id(node.relation))

    def _close_errors(self, node: _Writing, level: Level, target: Rows, read: list[Rows], *, is_open: bool) -> None:
        """What fails while rows of a hazard are changed, or read for changes of others."""
        failures = self.errors.failures
        level.fails |= any(one.fails for one in read)
        self.errors.select(level, getattr(node, "whereClause", None))
        parts = [getattr(node, name, None) for name in _COMPUTED]
        fails = level.fails or any(failures.may_fail(one, level) for one in parts)
        self.errors.fenced |= fails and (level.joined_hazard or any(one.hazard for one in read))
        leaf = self.leaves.get(target.item)
        if leaf is None or not leaf.hazard or isinstance(node, ast.InsertStmt):
            return
        refuse_early_ends(node, leaf.relation, level, read, failures)
        if is_open:
            refuse_collisions(node, leaf, failures, level)
            self.writes_mix |= fails_in_ways(node, leaf.relation, failures, level)
        else:
            self.writes_mix |= failures.may_fail(getattr(node, "whereClause", None), level)

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

    def _refuse_open_targets(self, node: ast.Node, views: list[str]) -> None:
        """A target can't be sorted: what tells when it was called may not be asked of its rows; `views` call those."""
        calls = [one for one in _telling(node, self.own) if id(one) not in self.errors.late_calls]
        names = [operator_of(one) if isinstance(one, ast.A_Expr) else function_name(one) for one in calls]
        for name in (*names, *views) if self.open_targets else ():
            refuse_telling(self.leaves[id(self.open_targets[0])].relation, name)


def _telling(node: Any, own: OwnCalls) -> list[ast.FuncCall | ast.A_Expr]:
    """Calls that tell in which order they were made."""
    return [
        one
        for one in below(node)
        if (isinstance(one, ast.FuncCall) and own.tells(one))
        or (isinstance(one, ast.A_Expr) and own.operator_tells(one))
    ]


def _is_volatile(node: Any) -> bool:
    return isinstance(node, ast.FuncCall) and function_name(node) in VOLATILE


def _targets(node: Any) -> list[ast.Node]:
    """What the statements in it write to."""
    return [one.relation for one in below(node) if isinstance(one, _Writing) and one.relation is not None]


def _says_something(returning: ast.Node) -> bool:
    return any(isinstance(one, (ast.ColumnRef, ast.FuncCall, ast.SubLink)) for one in own_nodes(returning))
