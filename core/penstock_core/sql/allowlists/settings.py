"""Settings that sessions may change, by SET, RESET or set_config(), and to what. Data; reading any of them is harmless.

Left out is what changes who one is (`role`, but for the login's own), how text is read (`standard_conforming_strings`)
and what the server's log holds (`log_statement`, `debug_print_plan`); where columns are masked also what messages show
(`client_min_messages`) and what chooses plans, for the order of rows may tell something. How much memory a plan gets
may be set, and how the order of joins is searched for.
"""

from __future__ import annotations

from penstock_core.sql.allowlists.words import words

ANY: frozenset[str] = words("""
    application_name bytea_output client_connection_check_interval datestyle default_transaction_deferrable
    default_transaction_isolation default_transaction_read_only extra_float_digits hash_mem_multiplier
    idle_in_transaction_session_timeout idle_session_timeout intervalstyle jit lc_messages lc_monetary lc_numeric
    lc_time lock_timeout maintenance_work_mem quote_all_identifiers restrict_nonsystem_relation_kind search_path
    statement_timeout
    tcp_keepalives_count tcp_keepalives_idle tcp_keepalives_interval tcp_user_timeout temp_buffers timezone
    transaction_deferrable transaction_isolation transaction_read_only transaction_timeout work_mem xmlbinary
    xmloption
""")

# Besides, where nothing is masked: what steers the planner and the server's work, and what messages show.
UNMASKED: frozenset[str] = words("""
    array_nulls backend_flush_after check_function_bodies client_min_messages commit_delay commit_siblings
    constraint_exclusion cpu_index_tuple_cost cpu_operator_cost cpu_tuple_cost cursor_tuple_fraction deadlock_timeout
    default_statistics_target default_table_access_method default_tablespace default_text_search_config
    default_toast_compression effective_cache_size effective_io_concurrency enable_async_append enable_bitmapscan
    enable_distinct_reordering enable_gathermerge enable_group_by_reordering enable_hashagg enable_hashjoin
    enable_incremental_sort enable_indexonlyscan enable_indexscan enable_material enable_memoize enable_mergejoin
    enable_nestloop enable_parallel_append enable_parallel_hash enable_partition_pruning
    enable_partitionwise_aggregate enable_partitionwise_join enable_presorted_aggregate enable_self_join_elimination
    enable_seqscan enable_sort enable_tidscan escape_string_warning exit_on_error from_collapse_limit geqo_effort
    geqo_generations geqo_pool_size geqo_seed geqo_selection_bias geqo_threshold gin_fuzzy_search_limit
    gin_pending_list_limit icu_validation_level io_combine_limit jit_above_cost jit_inline_above_cost
    jit_optimize_above_cost join_collapse_limit logical_decoding_work_mem maintenance_io_concurrency
    max_parallel_maintenance_workers max_parallel_workers max_parallel_workers_per_gather min_parallel_index_scan_size
    min_parallel_table_scan_size parallel_leader_participation parallel_setup_cost parallel_tuple_cost
    password_encryption plan_cache_mode random_page_cost recursive_worktable_factor row_security
    seq_page_cost stats_fetch_consistency synchronize_seqscans synchronous_commit temp_tablespaces
    timezone_abbreviations vacuum_buffer_usage_limit vacuum_cost_delay vacuum_cost_limit vacuum_cost_page_dirty
    vacuum_cost_page_hit vacuum_cost_page_miss vacuum_freeze_min_age vacuum_freeze_table_age wal_skip_threshold
""")

# What the planner's estimates are computed by.
COSTS: frozenset[str] = words("""
    cpu_index_tuple_cost cpu_operator_cost cpu_tuple_cost cursor_tuple_fraction effective_cache_size parallel_setup_cost
    parallel_tuple_cost random_page_cost recursive_worktable_factor seq_page_cost
""")

# What a function may set for its own time (`CREATE FUNCTION … SET work_mem = …`) without being taken for more than its
# body says: who may do what, how text is read, what messages show and how long a statement runs stay as they are.
FUNCTION_SETTINGS: frozenset[str] = words("""
    constraint_exclusion datestyle default_text_search_config enable_bitmapscan enable_hashjoin enable_indexscan
    enable_mergejoin enable_nestloop enable_seqscan enable_sort from_collapse_limit intervalstyle jit
    join_collapse_limit lock_timeout plan_cache_mode random_page_cost search_path timezone work_mem
""")

# Only these values, lower-case.
ONLY: dict[str, frozenset[str]] = {
    "standard_conforming_strings": frozenset({"on", "true", "yes", "1"}),
    "client_encoding": frozenset({"utf8", "utf-8", "unicode"}),
    "client_min_messages": frozenset({"notice", "warning", "error"}),
    # Joins of a dozen tables are planned by trying all orders, or some: drivers switch between these.
    "geqo": frozenset({"on", "true", "yes", "1", "off", "false", "no", "0"}),
    # Off, it makes an error of what would be filtered, as pg_dump wants it.
    "row_security": frozenset({"on", "true", "yes", "1", "off", "false", "no", "0"}),
    # Off, unordered rows come in the same order each time; on is the server's default, and no session's to choose.
    "synchronize_seqscans": frozenset({"off", "false", "no", "0"}),
}
# Who one is: back to what the session began with, or to the login's own role, which changes nothing.
WHO: dict[str, frozenset[str]] = {"role": frozenset({"none"}), "session_authorization": frozenset({"default"})}

# Modules whose settings show plans or run code; a session's own settings have other first parts (`app.tenant`).
MODULES = words("""
    anon auto_explain citus pg_hint_plan pg_stat_statements pgaudit pglogical plan_filter plperl plpgsql plpython pltcl
    postgres_fdw sepgsql set_user timescaledb
""")
