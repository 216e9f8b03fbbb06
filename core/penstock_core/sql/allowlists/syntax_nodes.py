"""The classes of syntax nodes that may stand inside an expression or its clauses. What is not listed is refused.

Those that need more than that their parts be looked at have a rule of their own in `expressions.py` or `queries.py`.
"""

from __future__ import annotations

from pglast import ast

from penstock_core.sql.allowlists.words import words

# Nothing but their parts matters: what they compute, they compute from these by rules that nobody can redefine.
TRANSPARENT: frozenset[type[ast.Node]] = frozenset(
    {
        ast.A_ArrayExpr,
        ast.A_Indices,
        ast.BoolExpr,
        ast.BooleanTest,
        ast.CaseWhen,
        ast.CoalesceExpr,
        ast.GroupingFunc,
        ast.GroupingSet,
        ast.JsonAggConstructor,
        ast.JsonArgument,
        ast.JsonArrayAgg,
        ast.JsonArrayConstructor,
        ast.JsonBehavior,
        ast.JsonFuncExpr,
        ast.JsonIsPredicate,
        ast.JsonKeyValue,
        ast.JsonObjectAgg,
        ast.JsonObjectConstructor,
        ast.JsonOutput,
        ast.JsonParseExpr,
        ast.JsonReturning,
        ast.JsonScalarExpr,
        ast.JsonSerializeExpr,
        ast.JsonTablePathSpec,
        ast.JsonValueExpr,
        ast.MergeSupportFunc,
        ast.MinMaxExpr,
        ast.MultiAssignRef,
        ast.NamedArgExpr,
        ast.NullTest,
        ast.ResTarget,
        ast.RowExpr,
        ast.WindowDef,
        ast.XmlExpr,
        ast.XmlSerialize,
    }
)

# Syntax of newer servers that an older one reads as a call of a function of that name, which could be the user's.
FORMERLY_FUNCTIONS: dict[type[ast.Node], frozenset[str]] = {
    ast.JsonArrayAgg: words("json_arrayagg"),
    ast.JsonArrayConstructor: words("json_array"),
    ast.JsonArrayQueryConstructor: words("json_array"),
    ast.JsonFuncExpr: words("json_exists json_query json_value"),
    ast.JsonObjectAgg: words("json_objectagg"),
    ast.JsonObjectConstructor: words("json_object"),
    ast.JsonParseExpr: words("json"),
    ast.JsonScalarExpr: words("json_scalar"),
    ast.JsonSerializeExpr: words("json_serialize"),
    ast.JsonTable: words("json_table"),
    ast.MergeSupportFunc: words("merge_action"),
}

# Without parts that could name anything.
LEAVES: frozenset[type[ast.Node]] = frozenset(
    {
        ast.A_Const,
        ast.A_Star,
        ast.BitString,
        ast.Boolean,
        # The row that a cursor stands at: cursors read what passed through here themselves.
        ast.CurrentOfExpr,
        ast.Float,
        ast.Integer,
        ast.JsonFormat,
        ast.ParamRef,
        ast.SQLValueFunction,
        ast.SetToDefault,
        ast.String,
    }
)
