"""What is in expressions: columns, functions, operators, types, settings. Queries around them: `queries.py`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pglast import ast

from penstock_core.sql.allowlists.system_relations import SYSTEM_COLUMNS
from penstock_core.sql.bind.binder import Binder, Rule, idents
from penstock_core.sql.bind.name_resolution import Ambiguous
from penstock_core.sql.bind.references import (
    ColumnRead,
    FunctionCall,
    OperatorUse,
    SchemaQualifier,
    SettingChange,
    SystemColumn,
    TypeUse,
    UnknownColumn,
    UnknownSource,
    WholeRow,
)
from penstock_core.sql.bind.scopes import Scope, Source
from penstock_core.sql.syntax.constants import constant

# What `BETWEEN` and its kin compare by.
_BETWEEN = (">=", "<=", "<", ">")

# ---- columns


def column_reference(binder: Binder, node: ast.ColumnRef, scope: Scope) -> None:
    """`c`, `t.c`, `schema.t.c`, `*` and `t.*`."""
    fields = node.fields or ()
    star = isinstance(fields[-1], ast.A_Star)
    *qualifiers, name = [*idents(fields), *(["*"] if star else [])]
    if not qualifiers:
        if star:
            for source in scope.sources:
                whole_row(binder, source)
        else:
            _bare_column(binder, node, name, scope)
        return
    owner = qualified_source(binder, node, qualifiers, scope)
    if owner is None:
        return
    if star:
        whole_row(binder, owner)
    elif owner.has(name) is True:
        binder.add(ColumnRead(node, name, (owner,), scope))
    else:
        if owner.has(name) is None:
            # Perhaps one of what a join with an alias holds.
            binder.add(ColumnRead(node, name, (owner,), scope))
        _attribute(binder, node, name, owner, scope)


def _bare_column(binder: Binder, node: ast.ColumnRef, name: str, scope: Scope) -> None:
    unsure = False
    for level in scope.levels():
        index = level.index
        owners = index.columns.get(name)
        if owners:
            unsure = unsure or index.open or name in level.outputs
            binder.add(ColumnRead(node, name, tuple(owners), scope, unsure))
            return
        unsure = unsure or index.open or name in level.outputs
    if name in SYSTEM_COLUMNS:
        named = [source for source in scope.sources if not source.qualified_only]
        binder.add(SystemColumn(name, named[0] if len(named) == 1 else None))
        return
    for source in scope.find(name):
        whole_row(binder, source)
        return
    binder.add(ColumnRead(node, name, (), scope, unsure=True) if unsure else UnknownColumn(node, name, scope))


def qualified_source(binder: Binder, node: ast.ColumnRef, qualifiers: list[str], scope: Scope) -> Source | None:
    """The source that `t.` or `schema.t.` means; None where the server will find none."""
    table, schema = qualifiers[-1], qualifiers[-2] if len(qualifiers) > 1 else ""
    found = scope.find(table, schema)
    if not found:
        binder.add(UnknownSource(node, table))
        return None
    source = found[0]
    if schema:
        binder.add(SchemaQualifier(node, source, nearer=scope.find(source.name)[0] is not source))
    return source


def whole_row(binder: Binder, source: Source) -> None:
    """All columns at once, by `*` or by the source's name as a value."""
    for part in source.parts():
        if part.relation is not None or part.system is not None:
            binder.add(WholeRow(part))


def _attribute(binder: Binder, node: ast.ColumnRef, name: str, source: Source, scope: Scope) -> None:
    """`t.name` where t has no such column (that is known): the server calls the function `name` with the row."""
    if name in SYSTEM_COLUMNS:
        binder.add(SystemColumn(name, source))
    elif binder.catalog.may_be_function(name):
        whole_row(binder, source)
        binder.add(FunctionCall((name,), "field"))
    elif source.columns is not None:
        binder.add(UnknownColumn(node, name, scope, source))


def field_selection(binder: Binder, node: ast.A_Indirection, scope: Scope) -> None:
    """`(value).name`: a field, or else a function called with the value."""
    binder.expression(node.arg, scope)
    owner = _row_source(node.arg, scope)
    for step in node.indirection or ():
        if isinstance(step, ast.String):
            name = step.sval or ""
            if name in SYSTEM_COLUMNS:
                binder.add(SystemColumn(name, owner))
            elif not (owner is not None and owner.has(name) is True) and binder.catalog.may_be_function(name):
                binder.add(FunctionCall((name,), "field"))
        else:
            binder.expression(step, scope)
        owner = None


def _row_source(node: ast.Node | None, scope: Scope) -> Source | None:
    """The source whose whole row that expression is, if it is one: a column of the same name comes first."""
    if not isinstance(node, ast.ColumnRef):
        return None
    names = idents(node.fields)
    if len(names) != 1 or any(level.index.open or names[0] in level.index.columns for level in scope.levels()):
        return None
    found = scope.find(names[0])
    return found[0] if found else None


# ---- functions, operators, types


def function_call(binder: Binder, node: ast.FuncCall, scope: Scope) -> None:
    """A call; one of set_config() changes a setting."""
    names = tuple(idents(node.funcname))
    if names[-1] == "set_config":
        _set_config(binder, node, scope)
    else:
        binder.add(FunctionCall(names, "definition" if binder.defining else "call", node, scope))
    binder.parts(node, scope, but="funcname")


def _set_config(binder: Binder, node: ast.FuncCall, scope: Scope) -> None:
    first = node.args[0] if node.args and len(node.args) == 3 else None
    written = constant(first)
    if written is None and isinstance(first, ast.ColumnRef) and idents(first.fields) == ["name"]:
        written = scope.setting
    binder.add(SettingChange(node, None if written is None else written.lower()))
    if node.args and not (len(node.args) == 3 and _is_true(node.args[2])):
        binder.bound.outlasts = "a setting of the session's"
    if written is None or written.lower() == "search_path":
        binder.bound.changes_search_path = True
        binder.bound.resets_search_path = False


def _is_true(node: Any) -> bool:
    """Whether that is written, not merely what it comes to."""
    return isinstance(node, ast.A_Const) and isinstance(node.val, ast.Boolean) and bool(node.val.boolval)


def operator_expression(binder: Binder, node: ast.A_Expr, scope: Scope) -> None:
    """An operator, or a form that is computed by some."""
    names = tuple(idents(node.name))
    for name in _BETWEEN if _is_word(names[-1]) else (names[-1],):
        binder.add(OperatorUse((*names[:-1], name)))
    binder.expression(node.lexpr, scope)
    binder.expression(node.rexpr, scope)


def case(binder: Binder, node: ast.CaseExpr, scope: Scope) -> None:
    """The simple form compares by an operator that is not written."""
    if node.arg is not None:
        binder.add(OperatorUse(("=",)))
    binder.parts(node, scope)


def sort(binder: Binder, node: ast.SortBy, scope: Scope) -> None:
    """An item of ORDER BY, perhaps with an operator (USING)."""
    names = tuple(idents(node.useOp))
    if names:
        binder.add(OperatorUse(names))
    binder.expression(node.node, scope)


def type_name(binder: Binder, node: ast.TypeName, scope: Scope) -> None:
    """A type by name."""
    binder.expression(node.typmods, scope)
    names = idents(node.names)
    name = names[-1]
    if node.pct_type or node.setof or len(names) > 2:
        dotted = ".".join(names)
        plain = Ambiguous(f"the gate does not understand the type {dotted}", "use the type's own name")
        binder.add(TypeUse(node, name, plain))
        return
    binder.add(TypeUse(node, name, binder.names.type(names[0] if len(names) == 2 else "", name)))


# ---- queries inside expressions


def sublink(binder: Binder, node: ast.SubLink, scope: Scope) -> None:
    """A subquery in an expression, perhaps compared with something."""
    binder.expression(node.testexpr, scope)
    names = tuple(idents(node.operName)) or (("=",) if node.testexpr is not None else ())
    if names:
        binder.add(OperatorUse(names))
    binder.query(node.subselect, scope.inner())


def json_array_of_query(binder: Binder, node: ast.JsonArrayQueryConstructor, scope: Scope) -> None:
    """JSON_ARRAY of a query."""
    binder.former_function(type(node))
    binder.query(node.query, scope.inner())
    binder.expression(node.output, scope)
    binder.expression(node.format, scope)


def collate(binder: Binder, node: ast.CollateClause, scope: Scope) -> None:
    """A collation orders what it is given and reads nothing."""
    binder.expression(node.arg, scope)


def _is_word(name: str) -> bool:
    """BETWEEN and its kin, whose node's name is the keyword."""
    return name.replace(" ", "").isalpha()


EXPRESSION_RULES: Mapping[type[ast.Node], Rule] = {
    ast.ColumnRef: column_reference,
    ast.A_Indirection: field_selection,
    ast.FuncCall: function_call,
    ast.A_Expr: operator_expression,
    ast.SubLink: sublink,
    ast.TypeName: type_name,
    ast.CollateClause: collate,
    ast.SortBy: sort,
    ast.CaseExpr: case,
    ast.JsonArrayQueryConstructor: json_array_of_query,
}
