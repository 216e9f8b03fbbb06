"""The nodes that masks are built of: each names what is pg_catalog's by its qualified name, whatever the search path.

Each call makes fresh nodes, so that no tree shares what another changes. What a mask means belongs in `masks.py`.
"""

from __future__ import annotations

from collections.abc import Sequence

from pglast import ast, enums

from penstock_core.sql.catalog.model import Column
from penstock_core.sql.syntax.type_names import name_parts, type_node


def reference(column: Column) -> ast.ColumnRef:
    """The column's value."""
    return ast.ColumnRef(fields=(ast.String(sval=column.name),))


def as_text(column: Column) -> ast.Node:
    """The column's value as text."""
    return cast(reference(column), "pg_catalog.text")


def cast(value: ast.Node, type_sql: str) -> ast.TypeCast:
    """The value as that type, which is spelled as a catalog snapshot does."""
    return ast.TypeCast(arg=value, typeName=type_node(type_sql))


def as_stored(value: ast.Node, column: Column) -> ast.Node:
    """The value as one of the column's type, compared as the column's are."""
    typed = cast(value, column.cast_type)
    if column.collation is None:
        return typed
    names = tuple(ast.String(sval=part) for part in name_parts(column.collation))
    return ast.CollateClause(arg=typed, collname=names)


def null() -> ast.Node:
    """NULL."""
    return ast.A_Const(isnull=True)


def text(value: str) -> ast.Node:
    """A literal; of which type, depends on what is around it."""
    return ast.A_Const(isnull=False, val=ast.String(sval=value))


def integer(value: int) -> ast.Node:
    """A whole number."""
    return ast.A_Const(isnull=False, val=ast.Integer(ival=value))


def binary(value: bytes) -> ast.Node:
    """A bytea, independent of how the session reads its text."""
    return call("decode", text(value.hex()), text("hex"))


def call(name: str, *arguments: ast.Node) -> ast.Node:
    """A call of a function of pg_catalog."""
    return ast.FuncCall(
        funcname=(ast.String(sval="pg_catalog"), ast.String(sval=name)),
        args=arguments,
        funcformat=enums.CoercionForm.COERCE_EXPLICIT_CALL,
    )


def operator(name: str, left: ast.Node, right: ast.Node) -> ast.Node:
    """An operator of pg_catalog between two values."""
    return ast.A_Expr(
        kind=enums.A_Expr_Kind.AEXPR_OP,
        name=(ast.String(sval="pg_catalog"), ast.String(sval=name)),
        lexpr=left,
        rexpr=right,
    )


def case(arms: Sequence[tuple[ast.Node, ast.Node]], otherwise: ast.Node) -> ast.Node:
    """A searched CASE; the simple form would look up an operator by search_path."""
    return ast.CaseExpr(
        args=tuple(ast.CaseWhen(expr=condition, result=result) for condition, result in arms), defresult=otherwise
    )
