"""The names of a query's output columns, by the server's own rules (FigureColname in parse_target.c)."""

from __future__ import annotations

from pglast import ast, enums

from penstock_core.sql.bind.scopes import MOST_COLUMNS, Columns, Scope

_FIXED: dict[type[ast.Node], str] = {
    ast.A_ArrayExpr: "array",
    ast.RowExpr: "row",
    ast.CoalesceExpr: "coalesce",
    ast.GroupingFunc: "grouping",
    ast.XmlSerialize: "xmlserialize",
}
# Their names depend on what the server makes of them; nobody needs to name them without an alias.
_UNSURE = (
    ast.SQLValueFunction, ast.XmlExpr, ast.JsonFuncExpr, ast.JsonObjectConstructor, ast.JsonArrayConstructor,
    ast.JsonArrayQueryConstructor, ast.JsonObjectAgg, ast.JsonArrayAgg, ast.JsonParseExpr, ast.JsonScalarExpr,
    ast.JsonSerializeExpr, ast.MergeSupportFunc,
)  # fmt: skip


def select_columns(targets: tuple[ast.Node, ...], scope: Scope) -> Columns:
    """The output columns of a SELECT's target list in its scope; None where they can't be known."""
    names: list[str] = []
    for target in targets:
        if not isinstance(target, ast.ResTarget):
            return None
        found = _target_columns(target, scope)
        if found is None:
            return None
        names.extend(found)
        if len(names) > MOST_COLUMNS:
            return None
    return tuple(names)


def own_name(value: ast.Node | None) -> str | None:
    """The name that an output column without alias has by what is in it; None where it is the same for anything."""
    name, strength = _name(value)
    return name if strength else None


def _target_columns(target: ast.ResTarget, scope: Scope) -> Columns:
    if target.name is not None:
        return (target.name,)
    value = target.val
    fields = star_of(value)
    if fields is None:
        name = None if _is_row_of_many(value) else _name(value)[0]
        return None if name is None else (name,)
    if not fields and scope.merges:
        return None
    sources = scope.sources if not fields else scope.find(fields[-1])
    names: list[str] = []
    for source in sources:
        if source.columns is None:
            return None
        names.extend(source.columns)
    return tuple(names) if sources else None


def _is_row_of_many(value: ast.Node | None) -> bool:
    """`(row).*`, which brings as many columns as the row has fields."""
    return isinstance(value, ast.A_Indirection) and isinstance((value.indirection or (None,))[-1], ast.A_Star)


def star_of(value: ast.Node | None) -> list[str] | None:
    """The names before the star of `*` or `t.*`; None for anything else."""
    if not isinstance(value, ast.ColumnRef) or not value.fields or not isinstance(value.fields[-1], ast.A_Star):
        return None
    return [field.sval for field in value.fields[:-1]]


def _name(value: ast.Node | None) -> tuple[str | None, int]:
    """The name and how sure it is, as the server ranks it: 2 a name proper, 1 a type's or CASE, 0 none.

    None for a name proper that only the server knows: it outranks what is around it all the same.
    """
    match value:
        case ast.ColumnRef(fields=fields) | ast.FuncCall(funcname=fields) if fields:
            name = _last(fields)
            return (name, 2) if name else ("?column?", 0)
        case ast.A_Indirection(arg=argument, indirection=steps):
            name = _last(steps or ())
            return (name, 2) if name else _name(argument)
        case ast.TypeCast(arg=argument, typeName=ast.TypeName(names=names)) if names:
            return _ranked(argument, _last(names))
        case ast.CollateClause(arg=argument):
            return _name(argument)
        case ast.CaseExpr(defresult=otherwise):
            return _ranked(otherwise, "case")
        case ast.SubLink():
            return _sublink_name(value)
        case ast.MinMaxExpr(op=op):
            return ("greatest" if op == enums.MinMaxOp.IS_GREATEST else "least"), 2
        case ast.A_Expr(kind=enums.A_Expr_Kind.AEXPR_NULLIF):
            return "nullif", 2
        case _ if isinstance(value, _UNSURE):
            return None, 2
        case _:
            fixed = _FIXED.get(type(value)) if value is not None else None
            return (fixed, 2) if fixed else ("?column?", 0)


def _ranked(inner: ast.Node | None, weak: str) -> tuple[str | None, int]:
    """A name proper of what is inside, or else the weak one."""
    name, strength = _name(inner)
    return (name, strength) if strength > 1 else (weak, 1)


def _last(names: tuple[ast.Node, ...]) -> str:
    """The last of the names, stars and subscripts aside; empty if there is none."""
    found = [name.sval or "" for name in names if isinstance(name, ast.String)]
    return found[-1] if found else ""


def _sublink_name(link: ast.SubLink) -> tuple[str | None, int]:
    if link.subLinkType == enums.SubLinkType.EXISTS_SUBLINK:
        return "exists", 2
    if link.subLinkType == enums.SubLinkType.ARRAY_SUBLINK:
        return "array", 2
    if link.subLinkType != enums.SubLinkType.EXPR_SUBLINK:
        return "?column?", 0
    # The name of the query's one output column.
    select = link.subselect
    while isinstance(select, ast.SelectStmt) and select.larg is not None:
        select = select.larg
    if isinstance(select, ast.SelectStmt) and select.valuesLists:
        return "column1", 2
    target = (select.targetList or (None,))[0] if isinstance(select, ast.SelectStmt) else None
    if target is None or (target.name is None and (star_of(target.val) is not None or _is_row_of_many(target.val))):
        return None, 2
    return target.name or _name(target.val)[0], 2
