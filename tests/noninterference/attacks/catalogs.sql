--- Catalogs, statistics and plans: what the server knows about masked values.
--- as: reader

SELECT most_common_vals FROM pg_stats WHERE tablename = 'users' AND attname = 'email';

SELECT attname, n_distinct, correlation, null_frac, avg_width FROM pg_stats WHERE tablename = 'staff';

SELECT stanumbers1 FROM pg_statistic;

SELECT * FROM pg_stats_ext;

SELECT * FROM pg_stats_ext_exprs;

SELECT relpages, reltuples FROM pg_class WHERE relname IN ('users', 'staff', 'range_low', 'list_a') ORDER BY relname;

SELECT relname, relkind FROM pg_class WHERE reltuples > 10 ORDER BY relname;

SELECT c FROM pg_class c WHERE relname = 'staff';

SELECT * FROM pg_class WHERE relname = 'range_low';

SELECT relpages FROM (SELECT * FROM pg_class) q WHERE relname = 'list_a';

SELECT n_live_tup, seq_scan, idx_scan FROM pg_stat_user_tables WHERE relname = 'staff';

SELECT idx_scan, idx_tup_read FROM pg_stat_user_indexes;

SELECT * FROM pg_statio_user_tables;

SELECT * FROM pg_stat_all_tables WHERE relname LIKE 'range%';

SELECT query FROM pg_stat_activity;

SELECT statement FROM pg_prepared_statements;

SELECT * FROM pg_cursors;

-- varies: numbers of processes and transactions
SELECT * FROM pg_locks;

SELECT locktype, relation::regclass::text, page, tuple, transactionid IS NULL, classid, objid, objsubid, mode, granted, fastpath, waitstart FROM pg_locks ORDER BY 1, 2, 9;

SELECT rolname, rolpassword FROM pg_authid;

SELECT * FROM pg_shadow;

SELECT attname, attmissingval FROM pg_attribute WHERE attrelid = 'staff'::regclass;

SELECT relname, pg_get_expr(relpartbound, oid) FROM pg_class WHERE relispartition ORDER BY relname;

SELECT prosrc FROM pg_proc WHERE proname = 'peek';

SELECT last_value FROM counter;

SELECT last_value FROM pg_sequences WHERE sequencename = 'counter';

SELECT s.seqrelid::regclass, d.* FROM pg_sequence s, pg_get_sequence_data(s.seqrelid) d ORDER BY 1;

SELECT last_value FROM pg_get_sequence_data((SELECT oid FROM pg_class WHERE relname = 'counter'));

SELECT (pg_get_sequence_data('counter')).last_value;

-- varies: numbers of processes and transactions
SELECT pg_export_snapshot();

SELECT pg_export_snapshot() FROM users;

SELECT * FROM pg_largeobject;

SELECT * FROM pg_hba_file_rules;

SELECT * FROM pg_file_settings;

SELECT name, setting FROM pg_settings WHERE name = 'data_directory';

SELECT definition FROM pg_views WHERE viewname = 'v_filter';

SELECT * FROM pg_matviews WHERE matviewname = 'by_rank';

SELECT indexdef FROM pg_indexes WHERE tablename = 'users' ORDER BY indexname;

SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = 'checked'::regclass ORDER BY conname;

SELECT column_name, column_default FROM information_schema.columns WHERE table_name = 'staff' ORDER BY ordinal_position;

SELECT * FROM information_schema.element_types;

SELECT check_clause FROM information_schema.check_constraints ORDER BY constraint_name;

SELECT * FROM pg_stat_database;

SELECT * FROM pg_stat_progress_analyze;

SELECT * FROM pg_backend_memory_contexts;

SELECT * FROM pg_shmem_allocations;

SELECT * FROM pg_replication_slots;

SELECT * FROM pg_stat_wal;

SELECT datname, datfrozenxid FROM pg_database;

SELECT relname, relfrozenxid, relminmxid, relallvisible FROM pg_class WHERE relname = 'staff';

SELECT * FROM pg_toast.pg_toast_2619;

SELECT oid, relname FROM pg_class WHERE relname = 'staff';

EXPLAIN SELECT id FROM users WHERE email > '8';

EXPLAIN (COSTS OFF) SELECT id FROM users WHERE salary > 500;

EXPLAIN (VERBOSE, COSTS OFF) SELECT salary FROM staff;

EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF) SELECT id FROM staff WHERE salary > 500;

EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF) SELECT id FROM range_parts WHERE id = 1;

EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF, BUFFERS) SELECT id FROM part_ids;

EXPLAIN (FORMAT JSON) SELECT id FROM users WHERE tenant = 5;

EXPLAIN SELECT id FROM part_ids;

EXPLAIN SELECT * FROM by_rank;

EXPLAIN SELECT id FROM user_ids WHERE tenant = 5;

EXPLAIN SELECT id FROM creature;

EXPLAIN SELECT id FROM plain WHERE n = 5;

-- since: 16
EXPLAIN (GENERIC_PLAN) SELECT salary FROM staff WHERE id = $1;

-- since: 17
EXPLAIN (ANALYZE, SERIALIZE TEXT, COSTS OFF, TIMING OFF, SUMMARY OFF) SELECT salary FROM staff;

-- since: 17
EXPLAIN (MEMORY) SELECT salary FROM staff;

PREPARE p AS SELECT salary FROM staff WHERE id = $1;
EXPLAIN EXECUTE p(1);

-- as: writer
EXPLAIN ANALYZE UPDATE staff SET note = 'x' WHERE salary > 500;

-- as: writer
EXPLAIN UPDATE plain SET note = 'x' WHERE id = 1;

-- as: writer
ANALYZE staff;

-- as: writer
VACUUM staff;

-- as: writer
CHECKPOINT;

EXPLAIN (PENSTOCK) SELECT * FROM staff WHERE salary > 5000;

EXPLAIN (PENSTOCK) DELETE FROM users WHERE email = (SELECT min(email) FROM users);

EXPLAIN (PENSTOCK) SELECT 1'; SELECT email FROM users; --';

EXPLAIN (PENSTOCK) EXPLAIN (PENSTOCK) TABLE users;

EXPLAIN(penstock)EXPLAIN ANALYZE SELECT email FROM users;

explain ( Penstock ) VALUES ($1);
