"""The nodes that put rows into an order: sort keys, and queries around queries. When they are needed is decided in
`order_completion.py`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pglast import ast, enums, parse_sql

from penstock_core.sql.syntax.walk import fields_below

# What a constant holds.
CONSTANTS = (ast.Integer, ast.Float, ast.Boolean, ast.String, ast.BitString)

# The name of what is put around a client's query or statement; it hides nothing of the client's.
AROUND = "penstock_rows"


def own_nodes(node: Any) -> Iterator[Any]:
    """The node and all below it, without what is inside of queries."""
    if isinstance(node, tuple):
        for part in node:
            yield from own_nodes(part)
    elif isinstance(node, ast.Node):
        yield node
        if not isinstance(node, ast.SelectStmt):
            for name in fields_below(node):
                yield from own_nodes(getattr(node, name))


def column(source: str, name: str) -> ast.ColumnRef:
    """That column of that source."""
    return ast.ColumnRef(fields=(ast.String(sval=source), ast.String(sval=name)))


def by_place(place: int) -> ast.SortBy:
    """Ascending by the output column of that number, from 1."""
    return by(ast.A_Const(isnull=False, val=ast.Integer(ival=place)))


def by(value: ast.Node, like: ast.SortBy | None = None) -> ast.SortBy:
    """By that value: ascending, or in the direction of another key."""
    return ast.SortBy(
        node=value,
        sortby_dir=like.sortby_dir if like is not None else enums.SortByDir.SORTBY_DEFAULT,
        sortby_nulls=like.sortby_nulls if like is not None else enums.SortByNulls.SORTBY_NULLS_DEFAULT,
    )


def by_image(source: str) -> ast.SortBy:
    """By all that the source's rows hold, byte by byte: of any type, and equal only where nothing differs."""
    row = ast.RowExpr(
        args=(ast.ColumnRef(fields=(ast.String(sval=source), ast.A_Star())),),
        row_format=enums.CoercionForm.COERCE_EXPLICIT_CALL,
    )
    return ast.SortBy(
        node=row,
        sortby_dir=enums.SortByDir.SORTBY_USING,
        sortby_nulls=enums.SortByNulls.SORTBY_NULLS_DEFAULT,
        useOp=(ast.String(sval="pg_catalog"), ast.String(sval="*<")),
    )


def sorted_source(
    item: ast.Node, name: str, order: tuple[ast.SortBy, ...], *, fenced: bool, where: ast.Node | None = None
) -> ast.RangeSubselect:
    """A FROM item as a subquery of the same name whose rows come in that order; `fenced`: no condition goes below, but
    for `where`.
    """
    query = _query("SELECT * FROM penstock_rows OFFSET 0" if fenced else "SELECT * FROM penstock_rows")
    query.fromClause = (item,)
    query.whereClause = where
    query.sortClause = order
    return ast.RangeSubselect(lateral=False, subquery=query, alias=ast.Alias(aliasname=name))


def postponed(value: ast.Node, never: ast.Node) -> ast.Node:
    """The value, computed once the rows are sorted: what calls a volatile function is. `never` is a copy of it, which
    has the same type and is not computed.
    """
    (target,) = _query("SELECT CASE WHEN pg_catalog.clock_timestamp() IS NULL THEN NULL ELSE NULL END").targetList or ()
    case: Any = target.val
    case.args[0].result, case.defresult = never, value
    whole: ast.Node = case
    return whole


def copied(node: Any) -> Any:
    """Fresh nodes of the same content."""
    if isinstance(node, tuple):
        return tuple(copied(part) for part in node)
    if isinstance(node, ast.Node):
        return type(node)(**{name: copied(getattr(node, name)) for name in node})
    return node


def put_around(select: ast.SelectStmt) -> None:
    """Make a set operation a subquery of itself, so that its rows can be sorted by more than output columns."""
    inner = _query("SELECT")
    for part in ("op", "all", "larg", "rarg"):
        setattr(inner, part, getattr(select, part))
    outer = _query("SELECT * FROM penstock_rows")
    select.op, select.all, select.larg, select.rarg = outer.op, outer.all, None, None
    inner.targetList = None
    select.targetList = outer.targetList
    select.fromClause = (ast.RangeSubselect(lateral=False, subquery=inner, alias=ast.Alias(aliasname=AROUND)),)
    select.sortClause = (*(select.sortClause or ()), by_image(AROUND))


def returned_in_order(statement: Any) -> ast.SelectStmt:
    """The rows that a statement which writes returns, sorted: the statement becomes a table of WITH."""
    outer = _query("WITH penstock_rows AS (SELECT) SELECT * FROM penstock_rows")
    clause: Any = outer.withClause
    clause.ctes[0].ctequery = statement
    if statement.withClause is not None:
        clause.recursive = statement.withClause.recursive
        clause.ctes = (*(statement.withClause.ctes or ()), clause.ctes[0])
        statement.withClause = None
    outer.sortClause = (by_image(AROUND),)
    return outer


def _query(text: str) -> ast.SelectStmt:
    """Fresh nodes, every field as the parser sets it."""
    query = parse_sql(text)[0].stmt
    if not isinstance(query, ast.SelectStmt):  # pragma: no cover - the texts are all above
        raise TypeError(type(query).__name__)
    return query
