"""Targets of UPDATE, DELETE and MERGE whose rows are changed in an order that masked values may decide.

A target can't be read through a sorted subquery. So it is found out here in how many ways changing its rows may fail
(if in several, the client is told the same of all), and refused where it depends on that order whether it fails at all.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pglast import ast, enums

from penstock_core.sql.catalog.model import Column, Relation
from penstock_core.sql.masking.order_failures import Failures
from penstock_core.sql.masking.order_keys import Leaf, Level, Rows
from penstock_core.sql.masking.order_nodes import own_nodes
from penstock_core.sql.masking.order_sensitivity import OwnCalls
from penstock_core.sql.refusal import refused

_JOINED = frozenset({enums.SubLinkType.EXISTS_SUBLINK, enums.SubLinkType.ANY_SUBLINK})
# Constraints that hold one row against others, at once.
_UNIQUE = frozenset({"p", "u", "x", "i"})
_ACTIONS: dict[Any, str] = {
    enums.CmdType.CMD_INSERT: "insert",
    enums.CmdType.CMD_UPDATE: "update",
    enums.CmdType.CMD_DELETE: "delete",
}
_Changing = ast.UpdateStmt | ast.DeleteStmt | ast.MergeStmt


def refuse_early_ends(node: _Changing, relation: Relation, level: Level, read: list[Rows], failures: Failures) -> None:
    """A condition that may fail is not asked of all rows where a join ends before them."""
    condition = node.joinCondition if isinstance(node, ast.MergeStmt) else node.whereClause
    subqueries = (one for one in own_nodes(condition) if isinstance(one, ast.SubLink))
    joined = bool(read) or any(one.subLinkType in _JOINED for one in subqueries)
    if joined and failures.may_fail(condition, level, deep=False):
        raise refused(
            f"whether the condition fails for a row of {relation.schema}.{relation.name} would depend on the order in"
            " which they are changed, which depends on masked columns",
            "choose the rows in a subquery: WHERE id IN (SELECT id …)",
        )


def refuse_collisions(node: _Changing, leaf: Leaf, failures: Failures, level: Level) -> None:
    """A value that is unique and moves from row to row collides, or not, by which of them is changed first. Whether
    masked values may be compared at all is decided where writing them is.
    """
    relation = leaf.relation
    for column, value in _assignments(node):
        if failures.is_steady(value, level) or _stays(value, column, level):
            continue
        for constraint in relation.constraints:
            alone = constraint.kind not in _UNIQUE or not constraint.columns.isdisjoint(leaf.masked)
            if not alone and not constraint.columns.isdisjoint(_changed(relation, {column})):
                raise refused(
                    f"whether rows of {relation.schema}.{relation.name} collide in {column} ({constraint.described})"
                    " would depend on the order in which they are changed, which depends on masked columns",
                    "change them one by one, by the primary key",
                )


def _actions(node: _Changing) -> frozenset[str]:
    """What it does to rows."""
    if isinstance(node, ast.MergeStmt):
        whens: Any = node.mergeWhenClauses or ()
        return frozenset(_ACTIONS[one.commandType] for one in whens if one.commandType in _ACTIONS)
    return frozenset({"update" if isinstance(node, ast.UpdateStmt) else "delete"})


def telling_rows(node: _Changing, relation: Relation, own: OwnCalls) -> str:
    """The function that changing rows so runs for each of them, and that tells in which order; or empty."""
    columns = _changed(relation, {name for name, _ in _assignments(node)})
    return own.told_by_writing(relation, _actions(node), columns)


def refuse_telling_rows(node: _Changing, relation: Relation, telling: str) -> None:
    """What each changed row gets or runs by itself must not tell in which order they were changed; `telling` is a
    function that is run so.
    """
    if telling:
        instead = "change them one by one by the primary key, or have a policy list the function in allowFunctions"
        refuse_telling(relation, f"{telling}, which runs for each row,", instead)
    for name, value in _assignments(node):
        column = relation.column(name)
        # What a view passes on gets the default of the table below.
        if _is_default(value) and (column is None or column.telling_default or relation.kind == "v"):
            refuse_telling(relation, f"the default of {name}")


def refuse_telling(
    relation: Relation, what: str, instead: str = "change them without it, or one by one by the primary key"
) -> None:
    """Raises Refused: rows of the relation are changed in an open order, and that would show it."""
    raise refused(
        f"{what} would tell in which order rows of {relation.schema}.{relation.name} are changed, which depends on"
        " masked columns",
        instead,
    )


def fails_in_ways(node: _Changing, relation: Relation, failures: Failures, level: Level) -> bool:
    """Whether changing several rows may fail in more than one way."""
    if relation.kind != "r" or relation.has_triggers or relation.has_rules or isinstance(node, ast.MergeStmt):
        return True
    if level.fails:
        return True
    if failures.may_fail(node.whereClause, level) or failures.may_fail(node.returningClause, level):
        return True
    if isinstance(node, ast.DeleteStmt):
        return bool(relation.referenced)
    columns = {name for name, _ in _assignments(node)}
    changed = _changed(relation, columns)
    if relation.referenced & changed or changed != columns:
        return True
    ways = sum(not one.columns.isdisjoint(changed) for one in relation.constraints)
    for name, value in _assignments(node):
        column = relation.column(name)
        if column is None or not _fits(value, column, level) or failures.may_fail(value, level):
            return True
        ways += column.not_null
    return ways > 1


def _is_default(value: Any) -> bool:
    """Whether DEFAULT is assigned, also as part of a row."""
    if isinstance(value, ast.MultiAssignRef):
        parts = value.source.args or () if isinstance(value.source, ast.RowExpr) else ()
        place = value.colno or 0
        return 0 < place <= len(parts) and isinstance(parts[place - 1], ast.SetToDefault)
    return isinstance(value, ast.SetToDefault)


def _stays(value: Any, column: str, level: Level) -> bool:
    """Whether it is the target's own value in that column."""
    if isinstance(value, ast.MultiAssignRef):
        source: Any = value.source
        query: Any = source.subselect if isinstance(source, ast.SubLink) else None
        parts: list[Any] = list(source.args or ()) if isinstance(source, ast.RowExpr) else []
        if query is not None and not query.fromClause:
            parts = [one.val for one in query.targetList or ()]
        place = value.colno or 0
        return 0 < place <= len(parts) and _stays(parts[place - 1], column, level)
    owner = level.owner(value)
    return owner is not None and owner[0] is level.sources[0] and owner[1] == column


def _assignments(node: _Changing) -> Iterator[tuple[str, Any]]:
    """The columns of the target that are set, and to what."""
    lists: list[Any] = []
    if isinstance(node, ast.UpdateStmt):
        lists = [node.targetList]
    elif isinstance(node, ast.MergeStmt):
        whens: Any = node.mergeWhenClauses or ()
        lists = [one.targetList for one in whens if one.commandType == enums.CmdType.CMD_UPDATE]
    for targets in lists:
        for target in targets or ():
            yield target.name or "", target.val


def _changed(relation: Relation, columns: set[str]) -> set[str]:
    """Those columns, and the ones that are generated from them."""
    keys = {(*relation.key, name) for name in columns}
    generated = (one for one in relation.columns if one.generated and one.derives_from & keys)
    return columns | {one.name for one in generated}


def _fits(value: Any, column: Column, level: Level) -> bool:
    """Whether the value is of the column's type as it is, for all rows alike."""
    if column.type_name != column.base_type:
        return False
    if isinstance(value, (ast.A_Const, ast.ParamRef, ast.SetToDefault)):
        return True
    return level.type_of(value) == column.base_type.rpartition(".")[2] and column.type_sql == column.type_name
