--- Functions, operators, casts and types that read tables by name, run SQL, keep state, or are the database's own (L1).
--- as: reader

SELECT query_to_xml('SELECT email FROM users LIMIT 1', true, true, '');

SELECT table_to_xml('staff', true, true, '');

SELECT schema_to_xml('public', true, true, '');

SELECT database_to_xml(true, true, '');

SELECT cursor_to_xml('c', 1, true, true, '');

SELECT query_to_xmlschema('SELECT 1', true, true, '');

SELECT * FROM ts_stat('SELECT to_tsvector(ssn) FROM staff');

SELECT ts_rewrite('a', 'SELECT ''a''::tsquery, to_tsquery(ssn) FROM staff');

SELECT currtid2('staff', '(0,1)');

SELECT pg_get_viewdef('v_filter'::regclass);

SELECT pg_get_functiondef('peek(int)'::regprocedure);

SELECT pg_get_expr(adbin, adrelid) FROM pg_attrdef;

SELECT pg_get_partkeydef('range_parts'::regclass);

SELECT pg_get_partition_constraintdef('range_low'::regclass);

SELECT pg_relation_size('staff'), pg_total_relation_size('staff'), pg_table_size('users');

SELECT pg_stat_get_live_tuples('staff'::regclass), pg_stat_get_tuples_inserted('staff'::regclass);

SELECT pg_stat_get_numscans('users_tenant_email'::regclass);

SELECT pg_sequence_last_value('counter'::regclass);

SELECT lastval();

SELECT currval('counter');

SELECT brin_summarize_new_values('users_tenant_email'::regclass);

SELECT gin_clean_pending_list('users_tenant_email'::regclass);

SELECT pg_read_file('/etc/passwd');

SELECT pg_ls_dir('.');

SELECT pg_stat_file('PG_VERSION');

SELECT lo_import('/etc/passwd');

SELECT lo_from_bytea(0, (SELECT ssn::bytea FROM staff WHERE id = 1));

SELECT pg_notify('x', (SELECT ssn FROM staff WHERE id = 1));

SELECT pg_advisory_lock(salary) FROM staff;

SELECT pg_try_advisory_lock((SELECT salary FROM staff WHERE id = 1));

SELECT pg_sleep(salary / 1e6) FROM staff;

SELECT pg_logical_emit_message(false, 'x', ssn) FROM staff;

SELECT current_query();

-- varies: transactions have numbers
SELECT txid_current(), pg_current_xact_id();

-- how often it is called depends on masked values
SELECT id FROM staff WHERE salary > 500 AND txid_current() > 0;

SELECT pg_current_wal_lsn();

SELECT pg_backend_pid() > 0;

SELECT peek(1);

SELECT public.peek(id) FROM plain;

SELECT id FROM plain WHERE peek(id) > '8';

SELECT id FROM plain ORDER BY peek(id);

SELECT users_of(5);

SELECT id FROM users_of(5);

SELECT wipe();

SELECT * FROM wipe();

CALL wipe_all();

DO $$ BEGIN DELETE FROM plain; END $$;

SELECT 1 <<< 2;

SELECT 1 OPERATOR(public.<<<) 2;

SELECT ARRAY[1, 2] @> ARRAY[1] AND 1 <<< ANY (ARRAY[2, 3]);

SELECT mail_agg(id) FROM plain;

SELECT spy_agg(n) FROM plain;

SELECT 'x'::spying;

SELECT CAST('x' AS spying);

SELECT '{x}'::spying[];

SELECT (1, 'x')::pair::text;

SELECT p::text FROM with_pair;

SELECT p FROM with_pair;

SELECT upper(p) FROM with_pair;

SELECT p || '' FROM with_pair;

SELECT 'x' || p FROM with_pair;

SELECT string_agg(p, ',') FROM with_pair;

SELECT p + 1 FROM with_pair;

SELECT id FROM with_pair WHERE p = 'x';

SELECT CASE WHEN true THEN p ELSE 'x' END FROM with_pair;

SELECT coalesce(p, 'x') FROM with_pair;

SELECT ARRAY[p::text, 'x'] FROM with_pair;

SELECT p FROM with_pair UNION SELECT 'x';

SELECT jsonb_populate_record(NULL::pair, '{"a": 1}');

SELECT * FROM json_to_record('{"x": "a"}') AS t(x spying);

SELECT jsonb_populate_record(NULL::staff, '{"salary": 5}');

SELECT * FROM jsonb_to_recordset('[{"a": 1}]') AS t(a int, b pair);

SELECT xpath('/a', '<a/>');

SELECT * FROM xmltable('/a' PASSING '<a/>' COLUMNS x spying PATH 'x');

-- since: 17
SELECT * FROM json_table('{"a": "x"}', '$' COLUMNS (x spying PATH '$.a'));

-- since: 17
SELECT json_value('{"a": "x"}', '$.a' RETURNING spying);

-- since: 17
SELECT json_query('{"a": "x"}', '$.a' RETURNING pair);

-- since: 16
SELECT 'x' IS JSON, json_objectagg(id: note) FROM plain WHERE id < 3;

-- since: 16
SELECT pg_input_is_valid('x', 'spying');

-- since: 16
SELECT pg_input_is_valid('x', 'spy' || 'ing');

-- since: 16
SELECT pg_input_is_valid('x', note) FROM plain WHERE id = 1;

-- since: 16
SELECT id, pg_input_is_valid(ssn, 'integer') FROM staff ORDER BY id;

SELECT to_regclass('staff'), to_regproc('peek'), 'staff'::regclass, 'peek'::regproc;

SELECT 'staff'::regclass::oid > 0;

SELECT has_table_privilege('staff', 'select'), has_column_privilege('staff', 'salary', 'select');

SELECT obj_description('staff'::regclass), col_description('staff'::regclass, 3);

SELECT format_type(atttypid, atttypmod) FROM pg_attribute WHERE attrelid = 'staff'::regclass AND attnum > 0 ORDER BY attnum;

SELECT any_value(salary) FROM staff;

SELECT random() < 2, clock_timestamp() > now();


SELECT array_position(ARRAY['a', 'b']::spying[], 'a');

SELECT span(1, 2), '[1,2)'::span;

SELECT range_agg(s) FROM with_domain;

SELECT d + 1, m FROM with_domain ORDER BY id;

SELECT slugify(ssn) FROM staff ORDER BY id;

SELECT small(note) FROM plain;

SELECT pg_catalog.pg_get_userbyid(10);

SELECT binary_upgrade_set_next_pg_type_oid(1);

SELECT pg_terminate_backend(pg_backend_pid());

SELECT pg_cancel_backend(1);

SELECT pg_reload_conf();

SELECT pg_rotate_logfile();

SELECT dblink('x', 'SELECT 1');

SELECT ssn::xml FROM staff;

SELECT row_security_active('walled');

SELECT inet_client_addr() IS NULL, current_user, session_user, current_database();

SELECT pg_column_compression(note), pg_collation_for(ssn) FROM staff WHERE id = 1;

SELECT pg_identify_object('pg_class'::regclass, 'staff'::regclass, 0);

SELECT pg_describe_object('pg_class'::regclass, 'staff'::regclass, 3);

SELECT satisfies_hash_partition('hash_parts'::regclass, 2, 0, ''::text);

SELECT satisfies_hash_partition('hash_parts'::regclass, 2, 0, email) FROM hash_parts;

SELECT pg_partition_root('range_low');

SELECT * FROM pg_partition_tree('range_parts');
