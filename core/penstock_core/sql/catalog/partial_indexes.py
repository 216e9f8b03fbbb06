"""Which rows a partial index leaves out, as far as that is certain of single values: a new row outside of a unique one
is compared with none.

Of its predicate, each condition that has to hold is looked at by itself: `deleted_at IS NULL`, `state = 'open'`,
`active`, `x < 5`. What else there is in it is not understood, and leaves nothing out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from pglast import ast, enums, parse_sql
from pglast.parser import ParseError

from penstock_core.sql.allowlists.words import words
from penstock_core.sql.catalog.model import Column, Condition
from penstock_core.sql.syntax.constants import constant

# The system's own, which give NULL for NULL: others are printed with their schema.
_COMPARISONS = words("= <> < <= > >=")
_BOOLEANS = {
    **dict.fromkeys(("t", "true", "on", "yes", "1"), "true"),
    **dict.fromkeys(("f", "false", "off", "no", "0"), "false"),
}
_WHOLE = ("pg_catalog.int2", "pg_catalog.int4", "pg_catalog.int8")
_TEXTS = ("pg_catalog.text", "pg_catalog.varchar")


def conditions(predicate: str) -> tuple[Condition, ...]:
    """The conditions on single columns that every row in an index with that predicate meets."""
    select = _select(f"WHERE {predicate}")
    return () if select is None else tuple(_of(select.whereClause))


def _select(rest: str) -> ast.SelectStmt | None:
    """A SELECT of what the server prints; None for what the parser does not take."""
    try:
        (statement,) = parse_sql(f"SELECT {rest}")
    except (ParseError, ValueError):
        return None
    return statement.stmt if isinstance(statement.stmt, ast.SelectStmt) else None


def _of(node: Any) -> Iterator[Condition]:
    match node:
        case ast.BoolExpr(boolop=enums.BoolExprType.AND_EXPR, args=parts):
            for part in parts or ():
                yield from _of(part)
        case ast.BoolExpr(boolop=enums.BoolExprType.NOT_EXPR, args=(ast.ColumnRef() as column,)):
            yield Condition(_name(column), frozenset({"false"}))
        case ast.ColumnRef():
            yield Condition(_name(node), frozenset({"true"}))
        case ast.NullTest(arg=ast.ColumnRef() as column):
            is_null = node.nulltesttype == enums.NullTestType.IS_NULL
            yield Condition(_name(column), frozenset() if is_null else None, is_null)
        case ast.A_Expr(name=(ast.String(sval=operator),)) if operator in _COMPARISONS:
            yield from _compared(node, operator)


def _compared(node: ast.A_Expr, operator: str) -> Iterator[Condition]:
    left: Any = node.lexpr
    column = left.arg if _is_text(left) else left
    if not isinstance(column, ast.ColumnRef):
        return
    if node.kind == enums.A_Expr_Kind.AEXPR_OP and (value := _written(node.rexpr)) is not None:
        yield Condition(_name(column), frozenset({value}) if operator == "=" else None)
    elif node.kind == enums.A_Expr_Kind.AEXPR_OP_ANY and operator == "=":
        listed = node.rexpr.arg if isinstance(node.rexpr, ast.TypeCast) else node.rexpr
        values = [_written(one) for one in listed.elements or ()] if isinstance(listed, ast.A_ArrayExpr) else []
        if values:
            found = frozenset(one for one in values if one is not None)
            yield Condition(_name(column), None if None in values else found)


def _name(column: ast.ColumnRef) -> str:
    """Of the relation's column, which the server prints without the relation; empty for a row."""
    last = (column.fields or (None,))[-1]
    return last.sval or "" if isinstance(last, ast.String) else ""


def _is_text(node: Any) -> bool:
    """Whether it is a cast that leaves the letters of a text as they are."""
    if not isinstance(node, ast.TypeCast) or node.typeName is None or node.typeName.typmods:
        return False
    names = [one.sval for one in node.typeName.names or ()]
    return names[-1:] in (["text"], ["varchar"]) and not node.typeName.arrayBounds


def _written(node: Any) -> str | None:
    """The text of a constant, which may stand with its type; None for what is none, or is made of one."""
    if isinstance(node, ast.TypeCast):
        whole = node.typeName is None or node.typeName.typmods or not isinstance(node.arg, ast.A_Const)
        return None if whole else constant(node.arg)
    return constant(node)


def left_out_by_default(
    found: Iterable[Condition], defaults: Mapping[str, str | None], columns: Mapping[str, Column]
) -> frozenset[str]:
    """The columns that, left out of a new row, leave that out of the index.

    `defaults` has those of which it is known what the row then has: an expression, or None for NULL.
    """
    return frozenset(
        one.column
        for one in found
        if not one.is_null
        and one.column in defaults
        and one.column in columns
        and ((default := defaults[one.column]) is None or excludes(one, columns[one.column], _default(default)))
    )


def _default(text: str) -> str | None:
    select = _select(text)
    targets = () if select is None else select.targetList or ()
    return _written(targets[0].val) if len(targets) == 1 else None


def excludes(condition: Condition, column: Column, value: str | None) -> bool:
    """Whether a row with that constant in the column is certain not to meet the condition; None: it is not known."""
    if value is None:
        return False
    if condition.is_null:
        return True
    if condition.values is None:
        return False
    wanted = {_as_stored(one, column) for one in condition.values}
    return None not in wanted and (given := _as_stored(value, column)) is not None and given not in wanted


def _as_stored(value: str, column: Column) -> str | None:
    """A constant in the form that equal ones share; None for a type of which that is not known."""
    if column.base_type == "pg_catalog.bool":
        return _BOOLEANS.get(value.lower())
    if column.base_type in _WHOLE:
        return str(int(value)) if value.removeprefix("-").isdecimal() and value.isascii() else None
    if (column.base_type in _TEXTS and column.collation is None) or column.category == "E":
        # One that is too long by spaces alone is cut.
        return value.rstrip(" ")
    return None
