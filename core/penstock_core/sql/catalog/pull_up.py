"""Which queries inside of a definition the planner merges into the one around, and what the others compute unasked.

Of a query that is merged ("pulled up") nothing is computed but what is asked for. One that stays a query of its own
computes all its outputs wherever its rows are carried as a whole: always, if it is a table of WITH, else in `UPDATE …
FROM`, `DELETE … USING`, `MERGE` and beside what `FOR UPDATE` locks. What fails there (a division by zero) shows.

So this is a list of what is known to be merged (PostgreSQL 15 to 18, `is_simple_subquery` and `SS_process_ctes`);
all else counts as a query of its own. Which columns that concerns is followed in `view_lineage.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pglast import ast, enums

from penstock_core.sql.allowlists.functions import AGGREGATES, FUNCTIONS, WINDOWS
from penstock_core.sql.allowlists.words import words
from penstock_core.sql.syntax.walk import below

# Functions whose number of results depends on their arguments, so that these decide how many rows show.
SET_RETURNING = words("""
    _pg_expandarray
    aclexplode generate_series generate_subscripts json_array_elements json_array_elements_text json_each json_each_text
    json_object_keys json_populate_recordset json_to_recordset jsonb_array_elements jsonb_array_elements_text jsonb_each
    jsonb_each_text jsonb_object_keys jsonb_path_query jsonb_path_query_tz jsonb_populate_recordset jsonb_to_recordset
    pg_available_extension_versions pg_available_extensions pg_get_keywords pg_options_to_table pg_partition_ancestors
    pg_partition_tree pg_show_all_settings pg_timezone_abbrevs pg_timezone_names
    regexp_matches regexp_split_to_table string_to_table ts_debug ts_parse ts_token_type unnest
""")

# Functions that give something else each time: what calls one is computed even where nobody asks for it.
VOLATILE = words("""
    array_sample array_shuffle clock_timestamp gen_random_uuid pg_advisory_unlock_all pg_is_in_recovery
    pg_is_wal_replay_paused pg_jit_available pg_partition_ancestors pg_partition_tree random random_normal timeofday
    uuidv4 uuidv7
""")

# Whether a function outside of pg_catalog gives one value for each row and claims not to be volatile: the planner goes
# by what functions claim.
Steady = Callable[[ast.FuncCall], bool]

# Functions of one row that give one value, the same for the same arguments within a statement.
_SIMPLE = FUNCTIONS - AGGREGATES - WINDOWS - SET_RETURNING - VOLATILE

# What the outputs of a query that is merged may consist of, besides functions of that kind.
_SIMPLE_NODES: tuple[type[ast.Node], ...] = (
    ast.ResTarget, ast.ColumnRef, ast.A_Star, ast.A_Const, ast.String, ast.Integer, ast.Float, ast.Boolean,
    ast.BitString, ast.TypeCast, ast.TypeName, ast.A_Expr, ast.BoolExpr, ast.NullTest, ast.BooleanTest, ast.CaseExpr,
    ast.CaseWhen, ast.CoalesceExpr, ast.MinMaxExpr, ast.SubLink, ast.A_ArrayExpr, ast.RowExpr, ast.CollateClause,
    ast.A_Indirection, ast.A_Indices, ast.SQLValueFunction,
)  # fmt: skip

# What makes a query stay one of its own.
_KEEPING = (
    "valuesLists", "withClause", "distinctClause", "groupClause", "havingClause", "windowClause", "sortClause",
    "limitCount", "limitOffset", "lockingClause",
)  # fmt: skip


def is_pulled_up(select: ast.SelectStmt, is_steady: Steady) -> bool:
    """Whether the planner surely merges that query into the one around it."""
    if select.op is not None and select.op != enums.SetOperation.SETOP_NONE:
        return False
    if not select.fromClause or any(getattr(select, name) for name in _KEEPING):
        return False
    simple = all(_is_simple(node, is_steady) for node in below(select.targetList, into_queries=False))
    return simple and not _is_changing(select.targetList, is_steady)


def _is_simple(node: ast.Node, is_steady: Steady) -> bool:
    if isinstance(node, ast.FuncCall):
        aggregates = node.agg_order or node.agg_filter or node.over or node.agg_star or node.agg_distinct
        return not aggregates and (_own_name(node) in _SIMPLE or is_steady(node))
    return isinstance(node, _SIMPLE_NODES) and not _is_own_operator(node)


def is_inlined(table: ast.CommonTableExpr, uses: int, is_steady: Steady) -> bool:
    """Whether the planner surely merges that table of WITH, which is used so often, into the query that uses it."""
    if table.ctematerialized == enums.CTEMaterialize.CTEMaterializeAlways or uses > 1:
        return False
    locking = any(isinstance(node, ast.LockingClause) for node in below(table.ctequery))
    return not locking and not _is_changing(table.ctequery, is_steady)


def is_set_returning(value: Any, is_steady: Steady) -> bool:
    """Whether how many rows there are may depend on that output."""
    return any(
        isinstance(node, ast.FuncCall) and _own_name(node) in (SET_RETURNING | {""}) and not is_steady(node)
        for node in below(value, into_queries=False)
    )


def _is_changing(node: Any, is_steady: Steady) -> bool:
    calls = (part for part in below(node) if isinstance(part, ast.FuncCall) or _is_own_operator(part))
    return any(
        not isinstance(part, ast.FuncCall) or (_own_name(part) in (VOLATILE | {""}) and not is_steady(part))
        for part in calls
    )


def _is_own_operator(node: ast.Node) -> bool:
    """An operator outside of pg_catalog, which definitions print with its schema: its function is not looked into."""
    if not isinstance(node, ast.A_Expr):
        return False
    return [one.sval for one in node.name or ()][:-1] not in ([], ["pg_catalog"])


def _own_name(call: ast.FuncCall) -> str:
    """The name of one of the system's own functions, as definitions are printed; empty for any other."""
    *schema, name = [part.sval or "" for part in call.funcname or ()]
    return name if schema in ([], ["pg_catalog"]) else ""


# ---- what can be computed for any value

_ANY_COLUMN = words("min max count bool_and bool_or every first_value last_value lag lead")
_WHOLE_NUMBERS = ("pg_catalog.int2", "pg_catalog.int4", "pg_catalog.int8", "pg_catalog.numeric(")
_OF_NUMBERS = words("sum avg")
_OF_TEXT = words("lower upper length char_length octet_length btrim ltrim rtrim")
_TEXTS = ("pg_catalog.text", "pg_catalog.varchar", "pg_catalog.bpchar")


def cannot_fail(value: Any, type_of: Callable[[ast.ColumnRef], str]) -> bool:
    """Whether an output, but for the columns it reads, can be computed for any value of these."""
    match value:
        case ast.FuncCall(args=None | ()):
            return _own_name(value) in WINDOWS | {"count"} and _is_plain_call(value)
        case ast.FuncCall(args=(ast.ColumnRef() as column,)) if _is_plain_call(value):
            name = _own_name(value)
            if name in _OF_NUMBERS:
                return type_of(column).startswith(_WHOLE_NUMBERS)
            return name in _ANY_COLUMN or (name in _OF_TEXT and _is_text(column, type_of))
        case ast.FuncCall(args=(argument,)):
            return _own_name(value) in _OF_TEXT and _is_plain_call(value) and _is_text(argument, type_of)
        case _:
            return isinstance(value, ast.A_Const) or _is_text(value, type_of)


def _is_text(value: Any, type_of: Callable[[ast.ColumnRef], str]) -> bool:
    """A text column, or one as text."""
    match value:
        case ast.TypeCast(arg=ast.ColumnRef() as column, typeName=ast.TypeName(names=names, arrayBounds=None | ())):
            is_text = [name.sval for name in names or ()] in (["text"], ["pg_catalog", "text"])
            return is_text and type_of(column).startswith(_TEXTS)
        case ast.ColumnRef():
            return type_of(value).startswith(_TEXTS)
        case _:
            return False


def _is_plain_call(call: ast.FuncCall) -> bool:
    """Without FILTER and ORDER BY, over a window of plain columns without offsets."""
    if call.agg_filter or call.agg_order or call.agg_within_group:
        return False
    over = call.over
    if over is None:
        return True
    parts = [*(over.partitionClause or ()), *(one.node for one in over.orderClause or ())]
    return not (over.startOffset or over.endOffset) and all(isinstance(one, ast.ColumnRef) for one in parts)
