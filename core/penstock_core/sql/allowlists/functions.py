"""The functions and operators of pg_catalog that may be called: data, by name, grouped by what they are for.

What is listed computes from its arguments, or tells something about the session or the schema that is no row's value.
What is not listed is refused, above all what runs SQL or reads a relation by name (`query_to_xml`, `ts_stat`,
`ts_rewrite`), touches files, large objects, WAL or other sessions, or shows the text of rewritten statements
(`current_query`). What defines a table, view, function or trigger is no row's value and may be read: tools and
frameworks ask for it. Names exist in PostgreSQL 16 or later; a test checks them against the server.
"""

from __future__ import annotations

from penstock_core.sql.allowlists.words import words

TEXT = words("""
    ascii btrim casefold char char_length character_length chr concat concat_ws convert convert_from convert_to decode
    encode format initcap is_normalized left length like_escape lower lpad ltrim normalize octet_length bit_length
    overlay parse_ident position quote_ident quote_literal quote_nullable regexp_count regexp_instr regexp_like
    regexp_match regexp_matches regexp_replace regexp_split_to_array regexp_split_to_table regexp_substr repeat replace
    reverse right rpad rtrim similar_escape similar_to_escape split_part starts_with string_to_array string_to_table
    strpos substr substring text textlen to_ascii to_bin to_hex to_oct translate unicode_assigned unicode_version
    unistr upper bpchar name varchar like notlike textcat
""")

BYTES = words("""
    bit bit_count bytea crc32 crc32c get_bit get_byte md5 set_bit set_byte sha224 sha256 sha384 sha512 varbit
""")

NUMBERS = words("""
    abs acos acosd acosh asin asind asinh atan atan2 atan2d atand atanh bool cbrt ceil ceiling cos cosd cosh cot cotd
    degrees div erf erfc exp factorial float4 float8 floor gamma gcd int2 int4 int8 lcm lgamma ln log log10 min_scale
    mod money numeric oid pi pow power radians random random_normal round scale sign sin sind sinh sqrt tan tand tanh
    to_number trim_scale trunc width_bucket
""")

DATES = words("""
    age clock_timestamp date date_add date_bin date_part date_subtract date_trunc extract interval isfinite justify_days
    justify_hours justify_interval make_date make_interval make_time make_timestamp make_timestamptz now overlaps
    statement_timestamp time timeofday timestamp timestamptz timetz timezone to_char to_date to_timestamp
    transaction_timestamp
""")

ARRAYS = words("""
    array_append array_cat array_dims array_fill array_length array_lower array_ndims array_position array_positions
    array_prepend array_remove array_replace array_reverse array_sample array_shuffle array_sort array_to_json
    array_to_string array_upper cardinality generate_subscripts trim_array unnest
""")

JSON = words("""
    json_array_elements json_array_elements_text json_array_length json_build_array json_build_object json_each
    json_each_text json_extract_path json_extract_path_text json_object json_object_keys json_populate_record
    json_populate_recordset json_strip_nulls json_to_record json_to_recordset json_typeof jsonb_array_elements
    jsonb_array_elements_text jsonb_array_length jsonb_build_array jsonb_build_object jsonb_each jsonb_each_text
    jsonb_extract_path jsonb_extract_path_text jsonb_insert jsonb_object jsonb_object_keys jsonb_path_exists
    jsonb_path_exists_tz jsonb_path_match jsonb_path_match_tz jsonb_path_query jsonb_path_query_array
    jsonb_path_query_array_tz jsonb_path_query_first jsonb_path_query_first_tz jsonb_path_query_tz
    jsonb_populate_record jsonb_populate_record_valid jsonb_populate_recordset jsonb_pretty jsonb_set jsonb_set_lax
    jsonb_strip_nulls jsonb_to_record jsonb_to_recordset jsonb_typeof row_to_json to_json to_jsonb
""")

XML = words("""
    xml xml_is_well_formed xml_is_well_formed_content xml_is_well_formed_document xmlcomment xmlexists xmltext xpath
    xpath_exists
""")

AGGREGATES = words("""
    any_value array_agg avg bit_and bit_or bit_xor bool_and bool_or corr count covar_pop covar_samp every json_agg
    json_agg_strict json_object_agg json_object_agg_strict json_object_agg_unique json_object_agg_unique_strict
    jsonb_agg jsonb_agg_strict jsonb_object_agg jsonb_object_agg_strict jsonb_object_agg_unique
    jsonb_object_agg_unique_strict max min mode percentile_cont percentile_disc range_agg range_intersect_agg regr_avgx
    regr_avgy regr_count regr_intercept regr_r2 regr_slope regr_sxx regr_sxy regr_syy stddev stddev_pop stddev_samp
    string_agg sum var_pop var_samp variance xmlagg
""")

WINDOWS = words("""
    cume_dist dense_rank first_value lag last_value lead nth_value ntile percent_rank rank row_number
""")

RANGES = words("""
    datemultirange daterange int4multirange int4range int8multirange int8range isempty lower_inc lower_inf multirange
    nummultirange numrange range_merge tsmultirange tsrange tstzmultirange tstzrange upper_inc upper_inf
""")

TEXT_SEARCH = words("""
    array_to_tsvector get_current_ts_config json_to_tsvector jsonb_to_tsvector numnode phraseto_tsquery plainto_tsquery
    querytree setweight strip to_tsquery to_tsvector ts_debug ts_delete ts_filter ts_headline ts_lexize ts_parse
    ts_rank ts_rank_cd ts_token_type tsquery_phrase tsvector_to_array websearch_to_tsquery
""")

GEOMETRY_AND_NETWORK = words("""
    abbrev area box broadcast center cidr circle diagonal diameter family height host hostmask inet_merge
    inet_same_family isclosed ishorizontal isopen isparallel isperp isvertical line lseg macaddr macaddr8
    macaddr8_set7bit masklen netmask network npoints path pclose point polygon popen radius set_masklen slope width
""")

# What pools send when a connection comes back: it only gives up locks.
RELEASE = words("pg_advisory_unlock_all")

# What compares and converts rows, enums and types, and makes sets and identifiers.
GENERAL = words("""
    enum_first enum_last enum_range gen_random_uuid generate_series hashint4 hashint4extended hashint8 hashint8extended
    hashtext hashtextextended num_nonnulls num_nulls pg_typeof
    uuid_extract_timestamp uuid_extract_version uuidv4 uuidv7
""")

# About the session and the schema: names, kinds and definitions, never what rows hold nor how many there are.
SYSTEM = words("""
    acldefault aclexplode col_description current_database current_schema current_schemas current_setting
    current_user format_type getdatabaseencoding getpgusername has_any_column_privilege has_column_privilege
    has_database_privilege has_foreign_data_wrapper_privilege has_function_privilege has_language_privilege
    has_largeobject_privilege has_parameter_privilege has_schema_privilege has_sequence_privilege
    has_server_privilege has_table_privilege has_tablespace_privilege has_type_privilege icu_unicode_version
    inet_client_addr inet_client_port inet_server_addr inet_server_port obj_description oidvectortypes
    pg_available_extension_versions pg_available_extensions pg_backend_pid pg_basetype pg_char_to_encoding
    pg_client_encoding pg_collation_for pg_collation_is_visible pg_column_is_updatable pg_conf_load_time
    pg_conversion_is_visible pg_describe_object pg_encoding_max_length pg_encoding_to_char pg_function_is_visible
    pg_get_acl pg_get_constraintdef pg_get_expr pg_get_function_arg_default pg_get_function_arguments
    pg_get_function_identity_arguments pg_get_function_result pg_get_function_sqlbody pg_get_functiondef
    pg_get_indexdef pg_get_keywords pg_get_object_address pg_get_partition_constraintdef pg_get_partkeydef
    pg_get_replica_identity_index pg_get_ruledef pg_get_serial_sequence pg_get_statisticsobjdef
    pg_get_statisticsobjdef_columns pg_get_statisticsobjdef_expressions pg_get_triggerdef pg_get_userbyid
    pg_get_viewdef pg_has_role pg_identify_object pg_identify_object_as_address pg_index_column_has_property
    pg_index_has_property pg_indexam_has_property pg_is_in_recovery pg_is_other_temp_schema pg_is_wal_replay_paused
    pg_jit_available pg_my_temp_schema pg_opclass_is_visible pg_operator_is_visible pg_opfamily_is_visible
    pg_options_to_table pg_partition_ancestors pg_partition_root pg_partition_tree pg_postmaster_start_time
    pg_relation_is_publishable pg_relation_is_updatable pg_sequence_parameters pg_settings_get_flags
    pg_show_all_settings pg_size_bytes pg_size_pretty pg_statistics_obj_is_visible pg_table_is_visible
    pg_tablespace_location pg_timezone_abbrevs pg_timezone_names pg_trigger_depth pg_ts_config_is_visible
    pg_ts_dict_is_visible pg_ts_parser_is_visible pg_ts_template_is_visible pg_type_is_visible regclass
    row_security_active session_user shobj_description system_user to_regclass to_regcollation to_regnamespace
    to_regoper to_regoperator to_regproc to_regprocedure to_regrole to_regtype to_regtypemod version
""")

# Those of information_schema that its views are made of, which drivers call too.
INFORMATION_SCHEMA_FUNCTIONS = words("""
    _pg_char_max_length _pg_char_octet_length _pg_datetime_precision _pg_expandarray _pg_index_position
    _pg_interval_type _pg_numeric_precision _pg_numeric_precision_radix _pg_numeric_scale _pg_truetypid _pg_truetypmod
""")

# Numbers (int8) that depend on how wide masked values are, or on how a plan found rows by them: masked identities see
# NULL.
MEASURES = words("""
    pg_database_size pg_indexes_size pg_relation_size pg_sequence_last_value pg_stat_get_analyze_count
    pg_stat_get_autoanalyze_count pg_stat_get_autovacuum_count pg_stat_get_blocks_fetched pg_stat_get_blocks_hit
    pg_stat_get_dead_tuples pg_stat_get_ins_since_vacuum pg_stat_get_live_tuples pg_stat_get_mod_since_analyze
    pg_stat_get_numscans pg_stat_get_tuples_deleted pg_stat_get_tuples_fetched pg_stat_get_tuples_hot_updated
    pg_stat_get_tuples_inserted pg_stat_get_tuples_returned pg_stat_get_tuples_updated pg_stat_get_vacuum_count
    pg_table_size pg_tablespace_size pg_total_relation_size
""")

FUNCTIONS: frozenset[str] = (
    TEXT
    | BYTES
    | NUMBERS
    | DATES
    | ARRAYS
    | JSON
    | XML
    | AGGREGATES
    | WINDOWS
    | RANGES
    | TEXT_SEARCH
    | GEOMETRY_AND_NETWORK
    | RELEASE
    | GENERAL
    | SYSTEM
)

# What takes and gives up locks that have no meaning but to applications, and waits: where columns are masked, with
# arguments that no row has part in.
CONSTANT_CALLS: frozenset[str] = words("""
    pg_advisory_lock pg_advisory_lock_shared pg_advisory_unlock pg_advisory_unlock_shared pg_advisory_xact_lock
    pg_advisory_xact_lock_shared pg_sleep pg_sleep_for pg_sleep_until pg_try_advisory_lock pg_try_advisory_lock_shared
    pg_try_advisory_xact_lock pg_try_advisory_xact_lock_shared
""")

# The number of one's own transaction, which a row that it writes has as its `xmin`; asking for it may give it one.
TRANSACTION_CALLS: frozenset[str] = words("""
    pg_current_xact_id pg_current_xact_id_if_assigned txid_current txid_current_if_assigned
""")
# With those where columns are masked: what tells others something (so that several sessions dump the same rows), which
# needs no verb.
STEADY_CALLS: frozenset[str] = CONSTANT_CALLS | TRANSACTION_CALLS | {"pg_export_snapshot", "pg_notify"}
# What reads a text as a value of a type, whose name is another text: of the system's own types, and written out.
OF_NAMED_TYPES: frozenset[str] = words("pg_input_error_info pg_input_is_valid")
# Where a sequence goes on from, and the verb that it needs. Once, it may also be computed from what was read.
STEADY_OR_ONCE: dict[str, str] = {"setval": "update"}

# What takes numbers of sequences for new rows, and tells which were taken last: for who may insert them.
NUMBERING = words("currval lastval nextval")

# For identities that no column is masked for, besides: what changes nothing. It takes locks, waits, and tells about
# this database, its statistics, locks and transactions, never what others run nor what lies outside of it.
UNMASKED_FUNCTIONS: frozenset[str] = CONSTANT_CALLS | words("""
    amvalidate cash_words current_query currtid2 currval dexp dlog1 dlog10 dround dtrunc lastval makeaclitem
    mxid_age satisfies_hash_partition setseed xmlvalidate

    pg_blocking_pids pg_lock_status pg_safe_snapshot_blocking_pids

    pg_cursor pg_listening_channels pg_notification_queue_usage pg_prepared_statement pg_prepared_xact

    lo_close lo_get lo_lseek lo_lseek64 lo_open lo_tell lo_tell64 loread

    pg_collation_actual_version pg_column_compression pg_column_size pg_column_toast_chunk_id
    pg_database_collation_actual_version pg_database_size pg_extension_update_paths pg_filenode_relation
    pg_get_catalog_foreign_keys pg_get_publication_tables pg_get_sequence_data pg_indexam_progress_phasename
    pg_indexes_size pg_input_error_info pg_input_is_valid pg_mcv_list_items pg_relation_filenode
    pg_relation_filepath pg_relation_size pg_sequence_last_value pg_table_size pg_tablespace_databases
    pg_tablespace_size pg_total_relation_size

    pg_current_snapshot pg_current_wal_flush_lsn pg_current_wal_insert_lsn pg_current_wal_lsn pg_current_xact_id
    pg_current_xact_id_if_assigned pg_export_snapshot pg_last_committed_xact pg_last_wal_receive_lsn
    pg_last_wal_replay_lsn pg_last_xact_replay_timestamp pg_snapshot_xip pg_snapshot_xmax pg_snapshot_xmin
    pg_visible_in_snapshot pg_wal_lsn_diff pg_walfile_name pg_walfile_name_offset pg_xact_commit_timestamp
    pg_xact_commit_timestamp_origin pg_xact_status txid_current txid_current_if_assigned txid_current_snapshot
    txid_snapshot_xip txid_snapshot_xmax txid_snapshot_xmin txid_status txid_visible_in_snapshot

    pg_stat_clear_snapshot pg_stat_get_analyze_count pg_stat_get_autoanalyze_count pg_stat_get_autovacuum_count
    pg_stat_get_blocks_fetched pg_stat_get_blocks_hit pg_stat_get_dead_tuples pg_stat_get_function_calls
    pg_stat_get_function_self_time pg_stat_get_function_total_time pg_stat_get_ins_since_vacuum
    pg_stat_get_last_analyze_time pg_stat_get_last_autoanalyze_time pg_stat_get_last_autovacuum_time
    pg_stat_get_last_vacuum_time pg_stat_get_live_tuples pg_stat_get_mod_since_analyze pg_stat_get_numscans
    pg_stat_get_snapshot_timestamp pg_stat_get_tuples_deleted pg_stat_get_tuples_fetched
    pg_stat_get_tuples_hot_updated pg_stat_get_tuples_inserted pg_stat_get_tuples_returned
    pg_stat_get_tuples_updated pg_stat_get_vacuum_count
""")

# What changes something, for the same identities, and the verb of `allow` that it needs besides: large objects are
# made, written and removed like rows. Notices go out with any verb.
WRITING_FUNCTIONS: dict[str, str] = {
    "pg_notify": "",
    **dict.fromkeys(words("nextval lo_creat lo_create lo_from_bytea"), "insert"),
    **dict.fromkeys(words("lo_put lo_truncate lo_truncate64 lowrite setval"), "update"),
    "lo_unlink": "delete",
    **dict.fromkeys(words("brin_desummarize_range brin_summarize_new_values brin_summarize_range"), "alter"),
    "gin_clean_pending_list": "alter",
}

# Of these two, what reads and writes large objects: no policy can say what of them is masked.
LARGE_OBJECTS = words("""
    lo_close lo_creat lo_create lo_from_bytea lo_get lo_lseek lo_lseek64 lo_open lo_put lo_tell lo_tell64 lo_truncate
    lo_truncate64 lo_unlink loread lowrite
""")

# What does its work by calling another function, under that one's name too: by a body in SQL, or the same code.
CALLING: dict[str, str] = {"pg_sleep_for": "pg_sleep", "pg_sleep_until": "pg_sleep", "txid_status": "pg_xact_status"}

# What runs SQL that it is given as a text, or reads what it is given the name of, unseen: for those who may run code.
CODE_FUNCTIONS: frozenset[str] = words("""
    cursor_to_xml cursor_to_xmlschema database_to_xml database_to_xml_and_xmlschema database_to_xmlschema query_to_xml
    query_to_xml_and_xmlschema query_to_xmlschema schema_to_xml schema_to_xml_and_xmlschema schema_to_xmlschema
    table_to_xml table_to_xml_and_xmlschema table_to_xmlschema ts_rewrite ts_stat
""")

# Every operator name of pg_catalog.
OPERATORS: frozenset[str] = words("""
    !! !~ !~* !~~ !~~* # ## #- #> #>> % & && &< &<| &> * *< *<= *<> *= *> *>= + - -> ->> -|- / < <-> << <<= <<| <= <>
    <@ <^ = > >= >> >>= >^ ? ?# ?& ?- ?-| ?| ?|| @ @-@ @> @? @@ @@@ ^ ^@ | |&> |/ |>> || ||/ ~ ~* ~<=~ ~<~ ~= ~>=~ ~>~
    ~~ ~~*
""")
