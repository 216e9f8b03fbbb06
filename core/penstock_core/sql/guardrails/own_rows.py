"""The very table whose rows are to be chosen, in subqueries and beside itself: each row finds itself there.

What a whole condition says about rows is `require_where.py`'s.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from pglast import ast, enums

from penstock_core.sql.bind.writes import target_name
from penstock_core.sql.guardrails.comparisons import reflexive
from penstock_core.sql.syntax.equivalence import same
from penstock_core.sql.syntax.operators import operator_of

_CHOOSING = ("limitCount", "limitOffset", "withClause", "groupClause", "havingClause", "larg", "rarg")
# By what comparison each row is within the bounds of all.
_EXTREMES = {"max": "<=", "min": ">="}


@dataclass(frozen=True, slots=True)
class Target:
    """The table whose rows are to be chosen."""

    # What it is called in the statement.
    name: str
    # Its schema and name; None where they are not known.
    relation: tuple[str, str] | None = None
    # Its columns, and those that never are null; None where they are not known.
    columns: frozenset[str] | None = None
    not_null: frozenset[str] = frozenset()
    # What the same table is called where each of its rows is joined with itself.
    twins: frozenset[str] = frozenset()

    def may_have(self, column: ast.ColumnRef) -> bool:
        """Whether that may be a column of it, or its row."""
        *qualifiers, name = [one.sval if isinstance(one, ast.String) else "*" for one in column.fields or ()]
        if qualifiers:
            return qualifiers[-1] == self.name or qualifiers[-1] in self.twins
        return self.columns is None or name in self.columns or name == self.name


def holds_all(tested: Any, select: Any, target: Target) -> bool:
    """Whether a subquery holds what is tested whatever the row: `id IN (SELECT id FROM t)`, `id IN (SELECT t.id)`."""
    if not isinstance(select, ast.SelectStmt):
        return False
    if select.valuesLists:
        return any(len(row) == 1 and _alike(row[0], tested) for row in select.valuesLists)
    values = tuple(one.val for one in select.targetList or ())
    if without_from(select) is not None and select.whereClause is None:
        return len(values) == 1 and _alike(values[0], tested)
    columns = tuple(tested.args or ()) if isinstance(tested, ast.RowExpr) else (tested,)
    return _of_all(select, target) and len(columns) == len(values) and all(map(_same_column, columns, values))


def reaches_all(node: ast.A_Expr, target: Target) -> bool:
    """`id <= (SELECT max(id) FROM t)`."""
    match node.rexpr:
        case ast.SubLink(subLinkType=enums.SubLinkType.EXPR_SUBLINK, subselect=ast.SelectStmt() as select):
            match select.targetList:
                case (ast.ResTarget(val=ast.FuncCall(funcname=(*_, ast.String(sval=name)), args=(column,))),):
                    known = _EXTREMES.get(name or "") == operator_of(node)
                    return known and _same_column(node.lexpr, column) and _of_all(select, target)
    return False


def finds_itself(select: ast.SelectStmt, target: Target) -> bool:
    """`EXISTS (SELECT FROM t AS other WHERE other.id = t.id)`: each row finds itself."""
    return _reads(select, target) and all(map(_compares_column, _conditions(select.whereClause)))


def beside_itself(target: Target, where: Any, sources: Iterable[Any]) -> Target:
    """The target, with its twins among what it is joined with: `DELETE FROM t USING t AS o WHERE o.id = t.id`."""
    names = {target_name(one) for one in sources if isinstance(one, ast.RangeVar) and _is_target(one, target)}
    pairs = [_qualifiers(one) for one in _conditions(where) if _compares_column(one)]
    return replace(target, twins=frozenset(one for one in names if {one, target.name} in pairs))


def joins_itself(node: ast.A_Expr, target: Target) -> bool:
    """`o.id = t.id`, where o is a twin."""
    return _compares_column(node) and any(_qualifiers(node) == {one, target.name} for one in target.twins)


def _conditions(where: Any) -> tuple[Any, ...]:
    """Those that all have to hold."""
    conjunction = isinstance(where, ast.BoolExpr) and where.boolop == enums.BoolExprType.AND_EXPR
    return tuple(where.args or ()) if isinstance(where, ast.BoolExpr) and conjunction else (where,)


def _compares_column(node: Any) -> bool:
    """Whether a column is compared with the one of its name."""
    return isinstance(node, ast.A_Expr) and operator_of(node) == "=" and _same_column(node.lexpr, node.rexpr)


def _qualifiers(node: ast.A_Expr) -> set[str]:
    """What the tables of two columns are called; of a bare column, nothing."""
    fields = [one.fields or () for one in (node.lexpr, node.rexpr) if isinstance(one, ast.ColumnRef)]
    return {one[-2].sval or "" for one in fields if len(one) > 1 and isinstance(one[-2], ast.String)}


def without_from(select: Any) -> tuple[Any, ...] | None:
    """Of a subquery that reads nothing and gives one value: that value and its WHERE; None for others."""
    if not isinstance(select, ast.SelectStmt) or select.fromClause or len(select.targetList or ()) != 1:
        return None
    if any(getattr(select, part) for part in _CHOOSING):
        return None
    value = (select.targetList or ())[0].val
    return (value,) if select.whereClause is None else (value, select.whereClause)


def last(column: ast.ColumnRef) -> str | None:
    """A column's own name; None for a star."""
    name = (column.fields or (None,))[-1]
    return name.sval if isinstance(name, ast.String) else None


def _alike(one: Any, other: Any) -> bool:
    return same(one, other) or _same_column(one, other)


def _same_column(one: Any, other: Any) -> bool:
    columns = isinstance(one, ast.ColumnRef) and isinstance(other, ast.ColumnRef)
    return columns and last(one) is not None and last(one) == last(other)


def _of_all(select: ast.SelectStmt, target: Target) -> bool:
    """Whether it reads all rows of the table."""
    where = select.whereClause
    always = where is None or (isinstance(where, ast.A_Expr) and reflexive(where)) or _is_true(where)
    return always and _reads(select, target)


def _is_true(node: Any) -> bool:
    return isinstance(node, ast.A_Const) and isinstance(node.val, ast.Boolean) and bool(node.val.boolval)


def _reads(select: ast.SelectStmt, target: Target) -> bool:
    match select.fromClause:
        case (ast.RangeVar() as item,):
            return _is_target(item, target) and not any(getattr(select, part) for part in _CHOOSING)
        case _:
            return False


def _is_target(item: ast.RangeVar, target: Target) -> bool:
    return (item.schemaname or (target.relation or ("",))[0], item.relname) == target.relation
