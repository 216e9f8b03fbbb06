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
        return None if _is_unsure(value) else (_name(value)[0],)
    if not fields and scope.merges:
        return None
    sources = scope.sources if not fields else scope.find(fields[-1])
    names: list[str] = []
    for source in sources:
        if source.columns is None:
            return None
        names.extend(source.columns)
    return tuple(names) if sources else None


def _is_unsure(value: ast.Node | None) -> bool:
    """Also `(row).*`, which brings as many columns as the row has fields."""
    if isinstance(value, ast.A_Indirection):
        return isinstance((value.indirection or (None,))[-1], ast.A_Star)
    return isinstance(value, _UNSURE)


def star_of(value: ast.Node | None) -> list[str] | None:
    """The names before the star of `*` or `t.*`; None for anything else."""
    if not isinstance(value, ast.ColumnRef) or not value.fields or not isinstance(value.fields[-1], ast.A_Star):
        return None
    return [field.sval for field in value.fields[:-1]]


def _name(value: ast.Node | None) -> tuple[str, int]:
    """The name and how sure it is, as the server ranks it: 2 a name proper, 1 a type's or CASE, 0 none."""
    match value:
        case ast.ColumnRef(fields=fields) | ast.FuncCall(funcname=fields) if fields:
            return _last(fields), 2
        case ast.A_Indirection(arg=argument, indirection=steps):
            names = [step.sval for step in steps or () if isinstance(step, ast.String)]
            return (names[-1], 2) if names and names[-1] else _name(argument)
        case ast.TypeCast(arg=argument, typeName=ast.TypeName(names=names)) if names:
            name, strength = _name(argument)
            return (name, strength) if strength > 1 else (_last(names), 1)
        case ast.CollateClause(arg=argument):
            return _name(argument)
        case ast.CaseExpr(defresult=otherwise):
            name, strength = _name(otherwise)
            return (name, strength) if strength > 1 else ("case", 1)
        case ast.SubLink():
            return _sublink_name(value)
        case ast.MinMaxExpr(op=op):
            return ("greatest" if op == enums.MinMaxOp.IS_GREATEST else "least"), 2
        case ast.A_Expr(kind=enums.A_Expr_Kind.AEXPR_NULLIF):
            return "nullif", 2
        case _:
            fixed = _FIXED.get(type(value)) if value is not None else None
            return (fixed, 2) if fixed else ("?column?", 0)


def _last(names: tuple[ast.Node, ...]) -> str:
    last = names[-1]
    return last.sval or "" if isinstance(last, ast.String) else "?column?"


def _sublink_name(link: ast.SubLink) -> tuple[str, int]:
    if link.subLinkType == enums.SubLinkType.EXISTS_SUBLINK:
        return "exists", 2
    if link.subLinkType == enums.SubLinkType.ARRAY_SUBLINK:
        return "array", 2
    select = link.subselect
    if link.subLinkType == enums.SubLinkType.EXPR_SUBLINK and isinstance(select, ast.SelectStmt) and select.targetList:
        target = select.targetList[0]
        return target.name or _name(target.val)[0], 2
    return "?column?", 0
