"""What of pg_catalog and information_schema may be named: relations (and which of their columns show NULL), types.

Data. Left out is what shows rows' values or how they lie on disk (statistics, large objects), what other sessions run
(activity), secrets (`pg_authid`) and the server's files. Of prepared statements and cursors also one's
own are left out: their texts hold the masks, and with these the key of `hash`.

Definitions (of views, functions, rules, defaults) are part of the schema and hold no row's value: they may be read.
"""

from __future__ import annotations

from penstock_core.sql.allowlists.words import words

SYSTEM_SCHEMAS: frozenset[str] = frozenset({"pg_catalog", "information_schema"})

# Hidden in every table; where a row lies and which transaction wrote it depends on values that are masked.
SYSTEM_COLUMNS: frozenset[str] = frozenset({"tableoid", "ctid", "xmin", "xmax", "cmin", "cmax"})


_PLAIN = words("""
    pg_aggregate pg_am pg_amop pg_amproc pg_attrdef pg_auth_members pg_available_extension_versions
    pg_available_extensions pg_cast pg_collation pg_constraint pg_conversion pg_database pg_default_acl pg_depend
    pg_description pg_enum pg_event_trigger pg_extension pg_group pg_index pg_indexes pg_inherits pg_init_privs
    pg_language pg_largeobject_metadata pg_matviews pg_namespace pg_opclass pg_operator pg_opfamily pg_parameter_acl
    pg_partitioned_table pg_policies pg_policy pg_proc pg_publication pg_publication_namespace pg_publication_rel
    pg_publication_tables pg_range pg_rewrite pg_rules pg_seclabel pg_seclabels pg_sequence pg_settings pg_shdepend
    pg_shdescription pg_shseclabel pg_stat_gssapi pg_stat_ssl pg_statistic_ext pg_tables pg_tablespace
    pg_timezone_abbrevs pg_timezone_names pg_transform pg_trigger pg_ts_config pg_ts_config_map pg_ts_dict
    pg_ts_parser pg_ts_template pg_type pg_views pg_wait_events
""")

# What may hold passwords, of other servers and of logins there: nobody sees it who may not run code.
_SECRETS: dict[str, frozenset[str]] = {
    "pg_attribute": words("attfdwoptions"),
    "pg_db_role_setting": words("setconfig"),
    "pg_foreign_data_wrapper": words("fdwoptions"),
    "pg_foreign_server": words("srvoptions"),
    "pg_foreign_table": words("ftoptions"),
    "pg_roles": words("rolconfig"),
    "pg_subscription": words("subconninfo"),
    "pg_user": words("useconfig"),
    "pg_user_mapping": words("umoptions"),
    "pg_user_mappings": words("umoptions"),
}

# Relations of pg_catalog → their columns that masked identities see as NULL.
CATALOGS: dict[str, frozenset[str]] = {
    **dict.fromkeys(_PLAIN, frozenset()),
    **_SECRETS,
    # How much a table holds, by size and row count.
    "pg_class": words("relpages reltuples relallvisible relallfrozen relfrozenxid relminmxid"),
    # The value that rows have which are older than the column.
    "pg_attribute": _SECRETS["pg_attribute"] | {"attmissingval"},
    # Of a sequence that numbers a masked column it is the largest value. Of others, ask the sequence itself.
    "pg_sequences": words("last_value"),
}

# Of the hidden columns, those that have a value of their own for what is not known, as SQL; it shows in place of NULL,
# which those who copy statistics do not expect.
NOT_KNOWN: dict[tuple[str, str], str] = {("pg_class", "reltuples"): "'-1'::pg_catalog.float4"}

_TABLE = words("relid schemaname relname")
# Of the values in tables.
_STATISTICS = words("pg_stats pg_stats_ext pg_stats_ext_exprs")
_INDEX = words("relid indexrelid schemaname relname indexrelname")

# Relations of pg_catalog → the only columns of theirs that masked identities do not see as NULL: tools ask them for
# names. How often an index was used, how many pages were read or whether an update found room in its page depends on
# the values that are stored.
NAMES_ONLY: dict[str, frozenset[str]] = {
    **{
        f"pg_{family}_{whose}_tables": _TABLE
        for family in ("stat", "stat_xact", "statio")
        for whose in ("all", "sys", "user")
    },
    **{f"pg_{family}_{whose}_indexes": _INDEX for family in ("stat", "statio") for whose in ("all", "sys", "user")},
    **{f"pg_statio_{whose}_sequences": _TABLE for whose in ("all", "sys", "user")},
    "pg_stat_database": words("datid datname"),
    # And none of their rows (`VISIBLE_ROWS`).
    **dict.fromkeys(_STATISTICS, words("schemaname tablename")),
    "pg_stat_activity": words("""
        application_name backend_start backend_type client_addr client_hostname client_port datid datname pid
        query_start state state_change usename usesysid xact_start
    """),
    "pg_locks": words("""
        locktype database relation virtualxid transactionid classid objid objsubid virtualtransaction pid mode granted
        fastpath waitstart
    """),
}

# Of some of these, the rows that masked identities see: of others' locks, the advisory ones; of its own, none on rows,
# pages, indexes or what is stored apart, which tell by which values a plan found its rows. Nor how many help with one.
VISIBLE_ROWS: dict[str, str] = {
    # Those of masked columns hold their values, and those of other columns are of rows that were chosen by chance.
    **dict.fromkeys(_STATISTICS, "false"),
    "pg_stat_activity": "leader_pid IS NULL",
    "pg_locks": "(locktype = 'advisory' OR pid = pg_catalog.pg_backend_pid()) AND mode <> 'SIReadLock'"
    " AND locktype NOT IN ('page', 'tuple') AND (relation IS NULL OR EXISTS (SELECT FROM pg_catalog.pg_class c"
    " WHERE c.oid = relation AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S')))",
}

# What shows values of rows whose tables it does not name: statistics, large objects. Of views and functions, the same
# words tell that they use it.
VALUES_SHOWN: frozenset[str] = frozenset(
    f"pg_catalog.{name}"
    for name in (*_STATISTICS, "pg_statistic", "pg_statistic_ext_data", "pg_stats_ext_exprs", "pg_largeobject")
) | {"function lo_get", "function loread"}

INFORMATION_SCHEMA: dict[str, frozenset[str]] = {
    **dict.fromkeys(
        words("""
            administrable_role_authorizations applicable_roles attributes character_sets check_constraints
            collation_character_set_applicability collations column_column_usage column_domain_usage column_privileges
            column_udt_usage columns constraint_column_usage constraint_table_usage data_type_privileges
            domain_constraints domain_udt_usage domains element_types enabled_roles foreign_data_wrappers
            foreign_servers foreign_tables information_schema_catalog_name key_column_usage parameters
            referential_constraints role_column_grants role_routine_grants role_table_grants role_udt_grants
            role_usage_grants routine_column_usage routine_privileges routine_routine_usage routine_sequence_usage
            routine_table_usage routines schemata sequences sql_features sql_implementation_info sql_parts sql_sizing
            table_constraints table_privileges tables triggered_update_columns triggers udt_privileges usage_privileges
            user_defined_types view_column_usage view_routine_usage view_table_usage views
        """),
        frozenset(),
    ),
}

# Besides those above, for identities that no column is masked for, who see all columns of those too: what tells about
# this database and this session. NULL is what others run, who may be in other databases, and what may hold passwords
# (also statistics of `pg_authid`); not so for those who may run code, for it could read that too.
UNMASKED_CATALOGS: dict[str, frozenset[str]] = {
    **dict.fromkeys(
        words("""
            pg_cursors pg_largeobject pg_prepared_statements pg_prepared_xacts pg_stat_archiver pg_stat_bgwriter
            pg_stat_checkpointer pg_stat_database_conflicts pg_stat_io pg_stat_progress_analyze pg_stat_progress_cluster
            pg_stat_progress_copy pg_stat_progress_create_index pg_stat_progress_vacuum pg_stat_slru
            pg_stat_user_functions pg_stat_wal pg_stat_xact_user_functions pg_stats_ext pg_stats_ext_exprs
        """),
        frozenset(),
    ),
    **dict.fromkeys(NAMES_ONLY, frozenset()),
    **_SECRETS,
    "pg_stat_activity": words("query"),
    "pg_stats": words("histogram_bounds most_common_elems most_common_vals"),
}

# The domains that the information schema is made of; their checks are comparisons with constants.
INFORMATION_SCHEMA_TYPES: frozenset[str] = words("cardinal_number character_data sql_identifier time_stamp yes_or_no")

# Types of pg_catalog that may be named, as the parser names them (`int` is int4).
TYPES: frozenset[str] = words("""
    aclitem any anyarray anyelement bit bool box bpchar bytea char cid cidr circle date datemultirange daterange float4
    float8 inet int2 int2vector int4 int4multirange int4range int8 int8multirange int8range interval json jsonb jsonpath
    line lseg macaddr macaddr8 money name numeric nummultirange numrange oid oidvector path pg_lsn pg_snapshot point
    polygon record regclass regcollation regconfig regdictionary regnamespace regoper regoperator regproc regprocedure
    regrole regtype text tid time timestamp timestamptz timetz tsmultirange tsquery tsrange tstzmultirange tstzrange
    tsvector txid_snapshot uuid varbit varchar void xid xid8 xml
""")
