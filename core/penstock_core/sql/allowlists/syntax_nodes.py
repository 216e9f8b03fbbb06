"""Every class of syntax node that a query or a statement that writes may hold, and what each of its fields is. Data.

A field is *bound*, when `penstock_core.sql.bind` looks at what is in it, or *inert*, when nothing in it can name,
read or run anything; `INERT` has the reasons. A class or field that is in neither is refused where it is set, so that
what a newer parser adds starts as refused. Nodes of statements that change the schema are in `schema_nodes.py`.
"""

from __future__ import annotations

from dataclasses import dataclass

from pglast import ast

from penstock_core.sql.allowlists.words import words


@dataclass(frozen=True, slots=True)
class Fields:
    """The known fields of one class."""

    bound: frozenset[str] = frozenset()
    inert: frozenset[str] = frozenset()


def _of(bound: str = "", inert: str = "") -> Fields:
    return Fields(words(bound), words(inert))


# Why nothing in a field matters, by its name, or by `Class.field` where the name alone does not tell.
INERT: dict[str, str] = {
    "absent_on_null": "an option of JSON constructors",
    "agg_distinct": "compares the arguments by their types' own order; types whose order runs code are refused",
    "agg_star": "counts rows",
    "agg_within_group": "where the arguments of the aggregate are written",
    "argnumber": "set after parsing",
    "A_Const.isnull": "a constant",
    "A_Const.val": "a constant",
    "A_Expr.kind": "which form the operator is written in; the operator is in `name`",
    "all": "whether a set operation keeps duplicates",
    "action": "whether ON CONFLICT updates; what it updates is in `targetList`",
    "argisrow": "set after parsing",
    "boolop": "AND, OR or NOT",
    "booltesttype": "IS TRUE and its kin",
    "boolval": "a constant",
    "bsval": "a constant",
    "btype": "what happens on an empty value or an error; its expression is bound",
    "catalogname": "the server refuses a name of another database",
    "chain": "begins the next transaction with the same settings",
    "coerce": "set after parsing",
    "colname": "a name that the statement itself makes",
    "colno": "a position among the columns of one assignment",
    "coltype": "which kind of column of JSON_TABLE it is; its parts are bound",
    "column_name": "a name that the statement itself makes",
    "commandType": "bound as the action of the clause",
    "conname": "a constraint of the target; a name that does not exist is an error",
    "ctecolcollations": "set after parsing",
    "ctecolnames": "set after parsing",
    "ctecoltypes": "set after parsing",
    "ctecoltypmods": "set after parsing",
    "ctematerialized": "how a CTE is computed; what it computes is bound",
    "cterecursive": "set after parsing",
    "cterefcount": "set after parsing",
    "cursor_name": "a cursor, which reads what passed through here",
    "cursor_param": "set after parsing",
    "cvarno": "set after parsing",
    "cycle_col_list": "columns of the CTE itself",
    "cycle_mark_column": "a name that the statement itself makes",
    "cycle_mark_typmod": "set after parsing",
    "cycle_path_column": "a name that the statement itself makes",
    "deferred": "when constraints are checked",
    "defaction": "which form an option is written in",
    "direction": "which rows of a cursor; what they show was decided when it was declared",
    "encoding": "an encoding of JSON",
    "for_ordinality": "numbers the rows",
    "format_type": "text or JSON",
    "formatted_expr": "set after parsing",
    "frameOptions": "which rows a window frame holds; its bounds are bound",
    "func_variadic": "how the arguments are passed; the function is refused or allowed by its name",
    "funcformat": "which syntax a call is written in",
    "fval": "a constant",
    "groupDistinct": "drops duplicate grouping sets",
    "howMany": "which rows of a cursor; what they show was decided when it was declared",
    "if_not_exists": "whether a name that exists is an error",
    "indent": "an option of XML output",
    "inh": "whether rows of children belong to the relation; a masked relation's subquery keeps it",
    "is_local": "how long a setting lasts",
    "is_not_null": "a check of a value that is bound",
    "is_rowsfrom": "which syntax functions in FROM are written in",
    "is_select_into": "which syntax the statement is written in",
    "is_slice": "whether a subscript is a range",
    "isall": "bound as `*`",
    "ismove": "whether a cursor's rows are skipped or returned",
    "item_type": "which kind of JSON a value is tested for",
    "ival": "a constant",
    "jointype": "which rows without a match are kept",
    "jumble_args": "set after parsing",
    "lateral": "bound as what the item sees",
    "limitOption": "whether ties of the last row are returned",
    "matchKind": "bound as what the clause sees",
    "ncolumns": "the number of columns of one assignment",
    "nulltesttype": "IS NULL or IS NOT NULL",
    "MinMaxExpr.op": "GREATEST or LEAST",
    "SelectStmt.op": "which set operation",
    "SQLValueFunction.op": "which of CURRENT_DATE and its kin; they tell about the session and the clock",
    "JsonFuncExpr.op": "which of JSON_VALUE and its kin",
    "XmlExpr.op": "which of the XML constructors; their arguments are bound",
    "option": "whether the name is for the old or the new row",
    "ordinality": "numbers the rows",
    "override": "whether an identity column takes the given value",
    "quotes": "an option of JSON output",
    "recursive": "bound as what the CTEs see",
    "refname": "a window of the same query",
    "refs": "set after parsing",
    "row_format": "which syntax a row is written in",
    "rtindex": "set after parsing",
    "savepoint_name": "a name of the session's own",
    "agglevelsup": "set after parsing",
    "search_breadth_first": "the order of a recursive CTE's own rows",
    "search_col_list": "columns of the CTE itself",
    "search_seq_column": "a name that the statement itself makes",
    "GroupingSet.kind": "which kind of grouping set",
    "sortby_dir": "ascending or descending",
    "sortby_nulls": "whether NULL comes first",
    "strength": "which lock is taken; any of them needs the verb update",
    "subLinkId": "set after parsing",
    "subLinkType": "which form a subquery has in an expression",
    "sval": "a constant, or a name that the node around it binds",
    "typemod": "set after parsing",
    "typeMod": "set after parsing",
    "typmod": "set after parsing",
    "unique": "whether keys of a JSON object may repeat",
    "unique_keys": "whether keys of a JSON object may repeat",
    "waitPolicy": "what happens where another session holds a lock",
    "WindowDef.name": "a name that the statement itself makes",
    "wrapper": "an option of JSON output",
    "XmlExpr.name": "the name of an XML element",
    "xmloption": "DOCUMENT or CONTENT",
    "colnames": "names that the statement itself makes",
    "arg_names": "names of XML attributes",
    "JsonArgument.name": "a name that the statement itself makes",
    "JsonTablePathSpec.name": "a name that the statement itself makes",
    "JsonTableColumn.name": "a name that the statement itself makes",
    "NamedArgExpr.name": "a parameter of the function that is called",
    "CollateClause.collname": "a collation orders what it is given and reads nothing",
    "arrayBounds": "dimensions of an array, which PostgreSQL ignores",
    "VariableShowStmt.name": "reading a setting is harmless: SECURITY.md promises nothing about settings",
    "conditionname": "a channel that the session no longer listens to",
    "constraints": "constraints of which the moment of the check changes",
    "onCommit": "what becomes of a temporary table's rows",
    "gid": "a name of a prepared transaction",
    "tableSpaceName": "where the new table is stored",
    "skipData": "whether the new table stays empty",
    "colNames": "names that the statement itself makes",
    "missing_ok": "whether a name that does not exist is an error",
    "concurrent": "how long locks are held",
    "restart_seqs": "restarts sequences of the tables that are emptied",
    "indexcolname": "set after parsing",
    "ordering": "refused by the server in ON CONFLICT",
    "nulls_ordering": "refused by the server in ON CONFLICT",
}
# What an expression, a clause of a query or an item of FROM may consist of. All that is bound of these is bound alike,
# whatever it stands in: `penstock_core.sql.bind.expressions` walks it.
EXPRESSIONS: dict[type[ast.Node], Fields] = {
    ast.A_ArrayExpr: _of("elements"),
    ast.A_Indices: _of("lidx uidx", "is_slice"),
    ast.BoolExpr: _of("args", "boolop"),
    ast.BooleanTest: _of("arg", "booltesttype"),
    ast.CaseWhen: _of("expr result"),
    ast.CoalesceExpr: _of("args"),
    ast.GroupingFunc: _of("args", "refs agglevelsup"),
    ast.GroupingSet: _of("content", "kind"),
    ast.JsonAggConstructor: _of("output agg_filter agg_order over"),
    ast.JsonArgument: _of("val", "name"),
    ast.JsonArrayAgg: _of("constructor arg", "absent_on_null"),
    ast.JsonArrayConstructor: _of("exprs output", "absent_on_null"),
    ast.JsonBehavior: _of("expr", "btype coerce"),
    ast.JsonFuncExpr: _of("context_item pathspec passing output on_empty on_error", "op column_name wrapper quotes"),
    ast.JsonIsPredicate: _of("expr format", "item_type unique_keys"),
    ast.JsonKeyValue: _of("key value"),
    ast.JsonObjectAgg: _of("constructor arg", "absent_on_null unique"),
    ast.JsonObjectConstructor: _of("exprs output", "absent_on_null unique"),
    ast.JsonOutput: _of("typeName returning"),
    ast.JsonParseExpr: _of("expr", "unique_keys"),
    ast.JsonReturning: _of("format", "typmod"),
    ast.JsonScalarExpr: _of("expr"),
    ast.JsonSerializeExpr: _of("expr output"),
    ast.JsonTablePathSpec: _of("string", "name"),
    ast.JsonValueExpr: _of("raw_expr format", "formatted_expr"),
    ast.MergeSupportFunc: _of(),
    ast.MinMaxExpr: _of("args", "op"),
    ast.MultiAssignRef: _of("source", "colno ncolumns"),
    ast.NamedArgExpr: _of("arg", "name argnumber"),
    ast.NullTest: _of("arg", "nulltesttype argisrow"),
    ast.ResTarget: _of("val indirection name"),
    ast.RowExpr: _of("args", "row_format colnames"),
    ast.TypeCast: _of("arg typeName"),
    ast.WindowDef: _of("partitionClause orderClause startOffset endOffset", "name refname frameOptions"),
    ast.XmlExpr: _of("named_args args", "op name arg_names xmloption indent typmod"),
    ast.XmlSerialize: _of("expr typeName", "xmloption indent"),
    # Columns of XMLTABLE and JSON_TABLE.
    ast.RangeTableFuncCol: _of("typeName colexpr coldefexpr", "colname for_ordinality is_not_null"),
    ast.JsonTableColumn: _of("typeName pathspec format columns on_empty on_error", "coltype name wrapper quotes"),
    # Without parts that could name anything.
    ast.A_Const: _of("", "isnull val"),
    ast.A_Star: _of(),
    ast.BitString: _of("", "bsval"),
    ast.Boolean: _of("", "boolval"),
    ast.CurrentOfExpr: _of("", "cvarno cursor_name cursor_param"),
    ast.Float: _of("", "fval"),
    ast.Integer: _of("", "ival"),
    ast.JsonFormat: _of("", "format_type encoding"),
    ast.ParamRef: _of("number"),
    ast.SQLValueFunction: _of("", "op typmod"),
    ast.SetToDefault: _of("", "typeMod"),
    ast.String: _of("", "sval"),
}

# Those that have a rule of their own in `penstock_core.sql.bind`.
RULED: dict[type[ast.Node], Fields] = {
    # Expressions.
    ast.ColumnRef: _of("fields"),
    ast.A_Indirection: _of("arg indirection"),
    ast.FuncCall: _of(
        "funcname args agg_order agg_filter over", "agg_within_group agg_star agg_distinct func_variadic funcformat"
    ),
    ast.A_Expr: _of("name lexpr rexpr", "kind"),
    ast.SubLink: _of("testexpr operName subselect", "subLinkType subLinkId"),
    ast.TypeName: _of("names typmods setof pct_type", "typemod arrayBounds"),
    ast.CollateClause: _of("arg", "collname"),
    ast.SortBy: _of("node useOp", "sortby_dir sortby_nulls"),
    ast.CaseExpr: _of("arg args defresult"),
    ast.JsonArrayQueryConstructor: _of("query output format", "absent_on_null"),
    # Queries.
    ast.SelectStmt: _of(
        "distinctClause intoClause targetList fromClause whereClause groupClause havingClause windowClause valuesLists "
        "sortClause limitOffset limitCount lockingClause withClause larg rarg",
        "groupDistinct limitOption op all",
    ),
    ast.WithClause: _of("ctes", "recursive"),
    ast.CommonTableExpr: _of(
        "ctename aliascolnames ctequery search_clause cycle_clause",
        "ctematerialized cterecursive cterefcount ctecolnames ctecoltypes ctecoltypmods ctecolcollations",
    ),
    ast.CTESearchClause: _of("", "search_col_list search_breadth_first search_seq_column"),
    ast.CTECycleClause: _of(
        "cycle_mark_value cycle_mark_default",
        "cycle_col_list cycle_mark_column cycle_path_column cycle_mark_typmod",
    ),
    ast.LockingClause: _of("lockedRels", "strength waitPolicy"),
    # FROM.
    ast.Alias: _of("aliasname colnames"),
    ast.RangeVar: _of("schemaname relname alias relpersistence", "catalogname inh"),
    ast.JoinExpr: _of("larg rarg usingClause join_using_alias quals alias isNatural", "jointype rtindex"),
    ast.RangeSubselect: _of("subquery alias", "lateral"),
    ast.RangeFunction: _of("functions alias coldeflist", "lateral ordinality is_rowsfrom"),
    ast.RangeTableFunc: _of("docexpr rowexpr namespaces columns alias", "lateral"),
    ast.JsonTable: _of("context_item pathspec passing columns on_error alias", "lateral"),
    ast.RangeTableSample: _of("relation method args repeatable"),
    # Statements that write.
    ast.InsertStmt: _of("relation cols selectStmt onConflictClause returningClause withClause", "override"),
    ast.OnConflictClause: _of("infer targetList whereClause", "action"),
    # A constraint's name is one of the target's.
    ast.InferClause: _of("indexElems whereClause", "conname"),
    ast.UpdateStmt: _of("relation targetList whereClause fromClause returningClause withClause"),
    ast.DeleteStmt: _of("relation usingClause whereClause returningClause withClause"),
    ast.MergeStmt: _of("relation sourceRelation joinCondition mergeWhenClauses returningClause withClause"),
    ast.MergeWhenClause: _of("condition targetList values", "matchKind commandType override"),
    ast.ReturningClause: _of("options exprs"),
    ast.ReturningOption: _of("value", "option"),
    ast.CopyStmt: _of("relation query attlist is_from is_program filename options whereClause"),
    # Statements around queries.
    ast.PrepareStmt: _of("name argtypes query"),
    ast.ExecuteStmt: _of("name params"),
    ast.DeclareCursorStmt: _of("portalname options query"),
    ast.FetchStmt: _of("portalname", "direction howMany ismove"),
    ast.ExplainStmt: _of("query options"),
    ast.CreateTableAsStmt: _of("query into objtype", "is_select_into if_not_exists"),
    ast.IntoClause: _of("rel options accessMethod", "colNames onCommit skipData tableSpaceName"),
    ast.TransactionStmt: _of("kind options", "savepoint_name chain gid"),
    ast.VariableSetStmt: _of("kind name args", "jumble_args is_local"),
    ast.VariableShowStmt: _of("", "name"),
    ast.DiscardStmt: _of("target"),
    ast.DeallocateStmt: _of("name", "isall"),
    ast.ClosePortalStmt: _of("portalname"),
    ast.UnlistenStmt: _of("", "conditionname"),
    ast.ConstraintsSetStmt: _of("", "constraints deferred"),
    ast.DropStmt: _of("objects removeType behavior", "missing_ok concurrent"),
    ast.TruncateStmt: _of("relations behavior", "restart_seqs"),
}

KNOWN: dict[type[ast.Node], Fields] = {**EXPRESSIONS, **RULED}

# A SelectStmt is one of three forms, and each has fields that the others have not.
_ENDS = "sortClause limitOffset limitCount lockingClause withClause"
PLAIN_SELECT = _of(
    f"distinctClause intoClause targetList fromClause whereClause groupClause havingClause windowClause {_ENDS}",
    "groupDistinct limitOption op",
)
VALUES = _of(f"valuesLists intoClause {_ENDS}", "limitOption op")
SET_OPERATION = _of(f"larg rarg intoClause {_ENDS}", "limitOption op all")
# So is a CopyStmt.
COPY_FROM = _of("relation attlist is_from is_program filename options whereClause")
COPY_QUERY_TO = _of("query is_from is_program filename options")
COPY_TABLE_TO = _of("relation attlist is_from is_program filename options")
# An element of ON CONFLICT (…), which the class has more fields for than may stand there.
CONFLICT_ELEMENT = _of("name expr", "indexcolname ordering nulls_ordering")
# A column of a function in FROM that returns records.
COLUMN_OF_FUNCTION = _of("colname typeName collClause", "is_local")
# An option of a statement.
OPTION = _of("defname arg", "defaction")

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
