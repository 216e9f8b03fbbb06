"""What of pg_catalog and information_schema may be named: relations (and which of their columns not), types.

Data. Left out is what shows rows' values or how they lie on disk (statistics, large objects), what other sessions run
(activity, prepared statements, cursors), secrets (`pg_authid`, user mappings) and the server's files.
"""

from __future__ import annotations

from penstock_core.sql.allowlists.words import words

SYSTEM_SCHEMAS: frozenset[str] = frozenset({"pg_catalog", "information_schema"})

# Hidden in every table; where a row lies and which transaction wrote it depends on values that are masked.
SYSTEM_COLUMNS: frozenset[str] = frozenset({"tableoid", "ctid", "xmin", "xmax", "cmin", "cmax"})


_PLAIN = words("""
    pg_aggregate pg_am pg_amop pg_amproc pg_attrdef pg_auth_members pg_available_extension_versions
    pg_available_extensions pg_cast pg_collation pg_constraint pg_conversion pg_database pg_default_acl pg_depend
    pg_description pg_enum pg_event_trigger pg_extension pg_foreign_data_wrapper pg_foreign_table pg_group pg_index
    pg_indexes pg_inherits pg_init_privs pg_language pg_namespace pg_opclass pg_operator pg_opfamily
    pg_partitioned_table pg_policies pg_policy pg_publication pg_publication_namespace pg_publication_rel
    pg_publication_tables pg_range pg_roles pg_seclabel pg_seclabels pg_sequence pg_settings pg_shdepend
    pg_shdescription pg_shseclabel pg_statistic_ext pg_tables pg_tablespace pg_timezone_abbrevs pg_timezone_names
    pg_transform pg_trigger pg_ts_config pg_ts_config_map pg_ts_dict pg_ts_parser pg_ts_template pg_type pg_user
""")

# Relations of pg_catalog → their columns that masked identities may not read.
CATALOGS: dict[str, frozenset[str]] = {
    **dict.fromkeys(_PLAIN, frozenset()),
    # How much a table holds, by size and row count.
    "pg_class": words("relpages reltuples relallvisible relallfrozen relfrozenxid relminmxid"),
    # The value that rows have which are older than the column.
    "pg_attribute": words("attmissingval"),
    # Bodies of functions and views may quote values.
    "pg_proc": words("prosrc probin prosqlbody"),
    "pg_views": words("definition"),
    "pg_matviews": words("definition"),
    "pg_sequences": words("last_value"),
}

INFORMATION_SCHEMA: dict[str, frozenset[str]] = {
    **dict.fromkeys(
        words("""
            administrable_role_authorizations applicable_roles attributes character_sets check_constraints
            collation_character_set_applicability collations column_domain_usage column_privileges column_udt_usage
            columns constraint_column_usage constraint_table_usage data_type_privileges domain_constraints
            domain_udt_usage domains element_types enabled_roles foreign_data_wrappers foreign_tables
            information_schema_catalog_name key_column_usage parameters referential_constraints role_column_grants
            role_routine_grants role_table_grants role_udt_grants role_usage_grants routine_privileges schemata
            sequences sql_features sql_implementation_info sql_parts sql_sizing table_constraints table_privileges
            tables triggered_update_columns udt_privileges usage_privileges user_defined_types view_column_usage
            view_routine_usage view_table_usage
        """),
        frozenset(),
    ),
    "routines": words("routine_definition"),
    "triggers": words("action_statement action_condition"),
    "views": words("view_definition"),
}

# Besides those above, for identities that no column is masked for, who may read all columns of those too: what tells
# about this database and this session. Hidden is what others run, who may be in other databases, and what may hold
# passwords (also statistics of `pg_authid`); not so for those who may run code, for it could read that too.
UNMASKED_CATALOGS: dict[str, frozenset[str]] = {
    **dict.fromkeys(
        words("""
            pg_cursors pg_largeobject pg_largeobject_metadata pg_locks pg_prepared_statements pg_prepared_xacts
            pg_rewrite pg_rules pg_stat_all_indexes pg_stat_all_tables pg_stat_archiver pg_stat_bgwriter
            pg_stat_checkpointer pg_stat_database pg_stat_database_conflicts pg_stat_gssapi pg_stat_io
            pg_stat_progress_analyze pg_stat_progress_cluster pg_stat_progress_copy pg_stat_progress_create_index
            pg_stat_progress_vacuum pg_stat_slru pg_stat_ssl pg_stat_sys_indexes pg_stat_sys_tables
            pg_stat_user_functions pg_stat_user_indexes pg_stat_user_tables pg_stat_wal pg_stat_xact_all_tables
            pg_stat_xact_sys_tables pg_stat_xact_user_functions pg_stat_xact_user_tables pg_statio_all_indexes
            pg_statio_all_sequences pg_statio_all_tables pg_statio_sys_indexes pg_statio_sys_sequences
            pg_statio_sys_tables pg_statio_user_indexes pg_statio_user_sequences pg_statio_user_tables
            pg_stats_ext pg_stats_ext_exprs pg_wait_events
        """),
        frozenset(),
    ),
    "pg_db_role_setting": words("setconfig"),
    "pg_foreign_server": words("srvoptions"),
    "pg_stat_activity": words("query"),
    "pg_stats": words("histogram_bounds most_common_elems most_common_vals"),
    "pg_subscription": words("subconninfo"),
}

# Types of pg_catalog that may be named, as the parser names them (`int` is int4).
TYPES: frozenset[str] = words("""
    aclitem any anyarray anyelement bit bool box bpchar bytea char cid cidr circle date datemultirange daterange float4
    float8 inet int2 int2vector int4 int4multirange int4range int8 int8multirange int8range interval json jsonb jsonpath
    line lseg macaddr macaddr8 money name numeric nummultirange numrange oid oidvector path pg_lsn pg_snapshot point
    polygon record regclass regcollation regconfig regdictionary regnamespace regoper regoperator regproc regprocedure
    regrole regtype text tid time timestamp timestamptz timetz tsmultirange tsquery tsrange tstzmultirange tstzrange
    tsvector txid_snapshot uuid varbit varchar void xid xid8 xml
""")
