"""Settings that sessions may change, by SET, RESET or set_config(), and to what. Reading any of them is harmless.

Refused is what changes who one is (`role`), how text is read (`standard_conforming_strings`) and what the server's log
holds (`log_statement`, `debug_print_plan`); where columns are masked also what messages show (`client_min_messages`)
and what steers the planner, for the order of rows may tell something.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pglast import ast, enums

from penstock_core.policy.effective import Limit
from penstock_core.sql.allowlists.words import words
from penstock_core.sql.refusal import Refused, refused

_ANY: frozenset[str] = words("""
    application_name bytea_output client_connection_check_interval datestyle default_transaction_deferrable
    default_transaction_isolation default_transaction_read_only extra_float_digits
    idle_in_transaction_session_timeout idle_session_timeout intervalstyle jit lc_messages lc_monetary lc_numeric
    lc_time lock_timeout search_path statement_timeout tcp_keepalives_count tcp_keepalives_idle
    tcp_keepalives_interval tcp_user_timeout timezone transaction_deferrable transaction_isolation
    transaction_read_only transaction_timeout xmlbinary xmloption
""")

# Besides, where nothing is masked: what steers the planner and the server's work, and what messages show.
_UNMASKED: frozenset[str] = words("""
    array_nulls backend_flush_after check_function_bodies client_min_messages commit_delay commit_siblings
    constraint_exclusion cpu_index_tuple_cost cpu_operator_cost cpu_tuple_cost cursor_tuple_fraction deadlock_timeout
    default_statistics_target default_table_access_method default_tablespace default_text_search_config
    default_toast_compression effective_cache_size effective_io_concurrency enable_async_append enable_bitmapscan
    enable_distinct_reordering enable_gathermerge enable_group_by_reordering enable_hashagg enable_hashjoin
    enable_incremental_sort enable_indexonlyscan enable_indexscan enable_material enable_memoize enable_mergejoin
    enable_nestloop enable_parallel_append enable_parallel_hash enable_partition_pruning
    enable_partitionwise_aggregate enable_partitionwise_join enable_presorted_aggregate enable_self_join_elimination
    enable_seqscan enable_sort enable_tidscan escape_string_warning exit_on_error from_collapse_limit geqo geqo_effort
    geqo_generations geqo_pool_size geqo_seed geqo_selection_bias geqo_threshold gin_fuzzy_search_limit
    gin_pending_list_limit hash_mem_multiplier icu_validation_level io_combine_limit jit_above_cost
    jit_inline_above_cost jit_optimize_above_cost join_collapse_limit logical_decoding_work_mem
    maintenance_io_concurrency maintenance_work_mem max_parallel_maintenance_workers max_parallel_workers
    max_parallel_workers_per_gather min_parallel_index_scan_size min_parallel_table_scan_size
    parallel_leader_participation parallel_setup_cost parallel_tuple_cost password_encryption plan_cache_mode
    quote_all_identifiers random_page_cost recursive_worktable_factor restrict_nonsystem_relation_kind row_security
    seq_page_cost stats_fetch_consistency synchronize_seqscans synchronous_commit temp_buffers temp_tablespaces
    timezone_abbreviations vacuum_buffer_usage_limit vacuum_cost_delay vacuum_cost_limit vacuum_cost_page_dirty
    vacuum_cost_page_hit vacuum_cost_page_miss vacuum_freeze_min_age vacuum_freeze_table_age wal_skip_threshold
    work_mem
""")

# What a function may set for its own time (`CREATE FUNCTION … SET work_mem = …`) without being taken for more than its
# body says: who may do what, how text is read, what messages show and how long a statement runs stay as they are.
FUNCTION_SETTINGS: frozenset[str] = words("""
    constraint_exclusion datestyle default_text_search_config enable_bitmapscan enable_hashjoin enable_indexscan
    enable_mergejoin enable_nestloop enable_seqscan enable_sort from_collapse_limit intervalstyle jit
    join_collapse_limit lock_timeout plan_cache_mode random_page_cost search_path timezone work_mem
""")

# Only these values, lower-case.
_ONLY: dict[str, frozenset[str]] = {
    "standard_conforming_strings": frozenset({"on", "true", "yes", "1"}),
    "client_encoding": frozenset({"utf8", "utf-8", "unicode"}),
    "client_min_messages": frozenset({"notice", "warning", "error"}),
    "row_security": frozenset({"on", "true", "yes", "1"}),
}

# Modules whose settings show plans or run code; a session's own settings have other first parts (`app.tenant`).
_MODULES = words("""
    anon auto_explain citus pg_hint_plan pg_stat_statements pgaudit pglogical plan_filter plperl plpgsql plpython pltcl
    postgres_fdw sepgsql set_user timescaledb
""")


# How the server reads times; it takes more than these (fractions, microseconds, octal numbers), which are not needed.
_TIME = re.compile(" *(0|[1-9][0-9]{0,9}) *(ms|s|min|h|d)? *", re.ASCII)
_UNITS = {None: 1, "ms": 1, "s": 1000, "min": 60_000, "h": 3_600_000, "d": 86_400_000}
_TIMEOUT = "statement_timeout"


@dataclass(frozen=True, slots=True)
class Bounds:
    """What of settings an identity may change in one database."""

    # First parts of the settings that loaded modules define.
    modules: frozenset[str] = frozenset()
    # Whether anything is masked for the identity.
    masked: bool = True
    # What the policy limits statement_timeout to.
    longest: Limit | None = None


def timeout_milliseconds(value: str) -> int | None:
    """What the server makes of a value of statement_timeout; None where that is not certain."""
    found = _TIME.fullmatch(value)
    return None if found is None else int(found[1]) * _UNITS[found[2]]


def check_set(node: ast.VariableSetStmt, bounds: Bounds) -> bool:
    """Whether that SET or RESET may change search_path. Raises Refused for one that is not allowed.

    Setting statement_timeout back is no way around its limit: the session began with no more than that.
    """
    name = (node.name or "").lower()
    kind = node.kind
    kinds = enums.VariableSetKind
    if kind == kinds.VAR_RESET_ALL:
        return True
    if kind == kinds.VAR_SET_MULTI:
        if name not in ("transaction", "session characteristics") and (bounds.masked or name != "transaction snapshot"):
            raise refused(f"SET {name.upper()} is not allowed", "leave it out")
        return False
    if kind == kinds.VAR_SET_VALUE:
        values = _values(node.args)
        _check(name, values, bounds)
        if name == _TIMEOUT and bounds.longest is not None:
            _check_timeout(values, bounds.longest)
    elif kind in (kinds.VAR_SET_DEFAULT, kinds.VAR_RESET):
        # Back to what the session began with, which the gate pinned.
        _check(name, None, bounds)
    else:
        raise refused(f"SET {name} FROM CURRENT is not allowed", "set it to a value")
    return name == "search_path"


def check_set_config(call: ast.FuncCall, bounds: Bounds) -> bool:
    """The same for a call of set_config(name, value, is_local): the name must be written out."""
    name = _constant(call.args[0]) if call.args and len(call.args) == 3 else None
    if name is None or (len(call.funcname or ()) > 1 and (call.funcname or ())[0].sval != "pg_catalog"):
        raise refused("set_config() of a setting that is not written out is not allowed", "use SET")
    argument = (call.args or ())[1]
    value = _constant(argument)
    name = name.lower()
    _check(name, None if name in _ANY else (value,), bounds)
    if name == _TIMEOUT and bounds.longest is not None:
        # A cast could make another value of it.
        _check_timeout([value if isinstance(argument, ast.A_Const) else None], bounds.longest)
    return name == "search_path"


def write_out(select: ast.SelectStmt) -> None:
    """`set_config(name, …) FROM pg_settings WHERE name = 'x'`, as pg_dump has it, with 'x' for the name: for what is
    found by it, it comes to the same.
    """
    where = select.whereClause
    if not (isinstance(where, ast.A_Expr) and where.kind == enums.A_Expr_Kind.AEXPR_OP and _is(where.name, "=")):
        return
    if not (_is_name(where.lexpr) and isinstance(where.rexpr, ast.A_Const)):
        return
    for target in select.targetList or ():
        call = target.val
        if isinstance(call, ast.FuncCall) and _is(call.funcname, "set_config") and call.args and _is_name(call.args[0]):
            call.args = (where.rexpr, *call.args[1:])


def _is_name(node: Any) -> bool:
    return isinstance(node, ast.ColumnRef) and _is(node.fields, "name")


def _is(names: Sequence[Any] | None, name: str) -> bool:
    return names is not None and len(names) == 1 and isinstance(names[0], ast.String) and names[0].sval == name


def _check(name: str, values: Sequence[str | None] | None, bounds: Bounds) -> None:
    """Whether the setting may be set, and (where values are given) to these."""
    prefix, dot, _ = name.partition(".")
    if dot:
        if prefix in _MODULES or prefix in bounds.modules:
            raise _refused(name)
        return
    if name in _ANY or (not bounds.masked and name in _UNMASKED):
        return
    if name not in _ONLY:
        raise _refused(name)
    if values is not None and not (len(values) == 1 and (values[0] or "").lower() in _ONLY[name]):
        raise refused(
            f"setting {name} may not be set to {', '.join(value or 'that' for value in values)}",
            f"it can be {' or '.join(sorted(_ONLY[name]))}",
        )


def _check_timeout(values: Sequence[str | None], longest: Limit) -> None:
    (value,) = values if len(values) == 1 else (None,)
    asked = None if value is None else timeout_milliseconds(value)
    if asked is None:
        reason, remedy = "statement_timeout may only be set to a time that is written out", "write one such as '30s'"
    elif not 0 < asked <= longest.value:
        # 0 is no timeout at all.
        reason = f"statement_timeout may not be more than {longest.value} ms"
        remedy = "set it to less, or leave it as it is"
    else:
        return
    raise refused(reason, remedy, longest.rule)


def _refused(name: str) -> Refused:
    return refused(f"setting {name} may not be changed", "leave it as it is")


def _values(nodes: Sequence[Any] | None) -> list[str | None]:
    return [_constant(node) for node in nodes or ()]


def _constant(node: Any) -> str | None:
    """The text of a constant that is written out; None for anything else."""
    if isinstance(node, ast.TypeCast):
        return _constant(node.arg)
    if not isinstance(node, ast.A_Const):
        return None
    match node.val:
        case ast.String(sval=text):
            return text
        case ast.Integer(ival=number):
            return str(number)
        case ast.Boolean(boolval=truth):
            return "on" if truth else "off"
        case _:
            return None
