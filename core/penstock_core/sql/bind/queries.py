"""Queries: SELECT, VALUES, set operations, WITH.

What is in FROM: `from_items.py`; statements that write: `writes.py`.
"""

from __future__ import annotations

from typing import Any

from pglast import ast, enums

from penstock_core.sql.allowlists.syntax_nodes import PLAIN_SELECT, SET_OPERATION, VALUES
from penstock_core.sql.bind.binder import Binder, NotBound, idents
from penstock_core.sql.bind.column_names import own_name, select_columns, star_of
from penstock_core.sql.bind.expressions import qualified_source
from penstock_core.sql.bind.from_items import from_clause
from penstock_core.sql.bind.references import Grouping, Stars, VerbUse
from penstock_core.sql.bind.scopes import Columns, Scope, Source, rename
from penstock_core.sql.syntax.constants import constant

_CALLS = (ast.FuncCall, ast.CoalesceExpr, ast.MinMaxExpr)


def query(binder: Binder, select: ast.Node | None, around: Scope) -> Columns:
    """A query that only reads, whose outer scope is `around`; returns its output columns."""
    if not isinstance(select, ast.SelectStmt):
        kind = type(select).__name__
        raise NotBound(f"{kind} is not understood as a query", "write it as a statement of its own")
    if select.intoClause is not None:
        raise NotBound("SELECT INTO inside of another query is not understood", "use CREATE TABLE AS")
    return select_query(binder, select, around)


def select_query(binder: Binder, select: ast.SelectStmt, around: Scope) -> Columns:
    """The same, where the SELECT may make a table."""
    scope = Scope([], around, around.ctes)
    common_tables(binder, select.withClause, scope)
    if select.op is not None and select.op != enums.SetOperation.SETOP_NONE:
        binder.claim(select, SET_OPERATION)
        return _set_operation(binder, select, scope)
    if select.valuesLists:
        binder.claim(select, VALUES)
        return _values(binder, select, scope)
    binder.claim(select, PLAIN_SELECT)
    return _select(binder, select, scope)


def _select(binder: Binder, select: ast.SelectStmt, scope: Scope) -> Columns:
    from_clause(binder, select, "fromClause", scope)
    if "pg_settings" not in scope.ctes:
        scope.setting = _setting_read(select)
    targets = select.targetList or ()
    columns = select_columns(targets, scope)
    scope.outputs = frozenset(map(_output, targets))
    scope.grouped = bool(select.groupClause)
    if select.groupClause:
        binder.add(Grouping(select, scope))
    output_columns(binder, select, "targetList", scope)
    for part in (
        select.distinctClause, select.whereClause, select.groupClause, select.havingClause, select.windowClause,
    ):  # fmt: skip
        binder.expression(part, scope)
    _tail(binder, select, scope)
    return columns


def output_columns(binder: Binder, owner: ast.SelectStmt | ast.ReturningClause, field: str, scope: Scope) -> None:
    """A list of output columns, whose stars are bound as one."""
    targets: tuple[Any, ...] = getattr(owner, field) or ()
    if any(star_of(target.val) is not None for target in targets):
        binder.add(Stars(owner, field, scope))
    for target in targets:
        qualifiers = star_of(target.val)
        if qualifiers is None:
            binder.expression(target, scope)
            continue
        binder.claim(target)
        binder.claim(target.val)
        binder.expression(target.indirection, scope)
        if qualifiers:
            qualified_source(binder, target.val, qualifiers, scope)


def _values(binder: Binder, select: ast.SelectStmt, scope: Scope) -> Columns:
    columns = tuple(f"column{number}" for number in range(1, len(select.valuesLists[0]) + 1))  # type: ignore[index]
    binder.expression(select.valuesLists, scope)
    scope.outputs = frozenset(columns)
    _tail(binder, select, scope)
    return columns


def _set_operation(binder: Binder, select: ast.SelectStmt, scope: Scope) -> Columns:
    columns = binder.query(select.larg, scope)
    binder.query(select.rarg, scope)
    # ORDER BY of a set operation sees its output columns and nothing else.
    scope.sources = [Source("", columns)]
    _tail(binder, select, scope)
    return columns


def _tail(binder: Binder, select: ast.SelectStmt, scope: Scope) -> None:
    binder.expression(select.sortClause, scope)
    binder.expression(select.limitOffset, scope)
    binder.expression(select.limitCount, scope)
    if select.lockingClause:
        # Rows are kept from others, which takes the right to UPDATE them on the server too.
        binder.add(VerbUse("update"))
        binder.bound.writes = True
        for locking in select.lockingClause:
            _locking(binder, locking)


def _locking(binder: Binder, locking: ast.LockingClause) -> None:
    """`FOR UPDATE OF t`: its names are of sources in FROM, which the server requires."""
    binder.claim(locking)
    for name in locking.lockedRels or ():
        if name.schemaname or name.catalogname:
            raise NotBound("FOR UPDATE OF takes the name of a table in FROM, without a schema", "leave the schema out")
        binder.claim(name)


# ---- WITH


def common_tables(binder: Binder, clause: ast.WithClause | None, scope: Scope) -> None:
    """CTEs in their order: each sees those before it, under RECURSIVE all. A name with a schema is never one."""
    if clause is None:
        return
    binder.claim(clause)
    tables: list[ast.CommonTableExpr] = list(clause.ctes or ())
    known: dict[str, Columns] = dict(scope.ctes)
    if clause.recursive:
        known.update({table.ctename or "": _declared(table) for table in tables})
    for table in tables:
        inside = Scope([], scope.parent, dict(known))
        known[table.ctename or ""] = _common_table(binder, table, inside)
    scope.ctes = known


def _common_table(binder: Binder, table: ast.CommonTableExpr, inside: Scope) -> Columns:
    binder.claim(table)
    columns = rename(binder.query(table.ctequery, inside), tuple(idents(table.aliascolnames)))
    for clause in (table.search_clause, table.cycle_clause):
        if clause is not None:
            binder.claim(clause)
            # They add columns, and compare rows by the types' own order.
            columns = None
    if table.cycle_clause is not None:
        binder.expression(table.cycle_clause.cycle_mark_value, inside)
        binder.expression(table.cycle_clause.cycle_mark_default, inside)
    return columns


def _declared(table: ast.CommonTableExpr) -> Columns:
    """The columns of a CTE before its own query is bound; further ones have names of its query's."""
    names = tuple(idents(table.aliascolnames))
    first: Any = table.ctequery
    while isinstance(first, ast.SelectStmt) and first.larg is not None:
        first = first.larg
    rows = (first.targetList, *(first.valuesLists or ())) if isinstance(first, ast.SelectStmt) else ()
    named = any(row is not None and len(row) == len(names) for row in rows)
    return names if named and table.search_clause is None and table.cycle_clause is None else None


def _output(target: ast.ResTarget) -> str:
    """The name that ORDER BY may use for an output column and that is not a column's already."""
    return target.name or (own_name(target.val) if isinstance(target.val, _CALLS) else None) or ""


def _setting_read(select: ast.SelectStmt) -> str | None:
    """The setting that `… FROM pg_settings WHERE name = 'x'` reads, as pg_dump writes it, or by its function."""
    match select.fromClause:
        case (ast.RangeVar(relname="pg_settings", schemaname=None | "pg_catalog", alias=None),):
            pass
        case (ast.RangeFunction(functions=((ast.FuncCall(funcname=names, args=None), None),), alias=None),):
            if idents(names)[-1:] != ["pg_show_all_settings"]:
                return None
        case _:
            return None
    where = select.whereClause
    if not (isinstance(where, ast.A_Expr) and where.kind == enums.A_Expr_Kind.AEXPR_OP and idents(where.name) == ["="]):
        return None
    left = where.lexpr
    named = isinstance(left, ast.ColumnRef) and idents(left.fields) == ["name"]
    return constant(where.rexpr) if named and isinstance(where.rexpr, ast.A_Const) else None
