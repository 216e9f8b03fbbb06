--- Refused once, though harmless: each must be allowed.
--- allowed

SELECT slugify(note) FROM plain ORDER BY id LIMIT 2;

SELECT slugify('Some Title');

UPDATE stamped SET n = 2 WHERE id = 1 RETURNING note;

INSERT INTO stamped (id) VALUES (50) RETURNING note;

-- pgjdbc's getPrimaryKeys
SELECT (information_schema._pg_expandarray(i.indkey)).n AS key_seq FROM pg_catalog.pg_index i WHERE i.indrelid = 'plain'::regclass;

-- DBeaver
SELECT c.oid, c.* FROM pg_catalog.pg_class c WHERE c.relname = 'plain';

SELECT a.* FROM pg_catalog.pg_attribute a WHERE a.attrelid = 'plain'::regclass AND a.attnum > 0 ORDER BY a.attnum;

-- pgAdmin's login
SELECT count(*) > 0 FROM pg_show_all_settings() WHERE name = 'server_version';

-- Metabase
SELECT relname, n_live_tup FROM pg_stat_user_tables WHERE relname = 'plain';

SELECT reltuples FROM pg_class WHERE relname = 'plain';

-- Sequelize
SELECT relid, relname FROM pg_statio_all_tables WHERE relname = 'plain';

-- Prisma
SELECT viewname, definition FROM pg_views WHERE schemaname = 'public' AND viewname = 'v_plain';

SELECT pg_get_viewdef('v_plain'::regclass, true);

SELECT pg_get_functiondef('slugify(text)'::regprocedure);

SELECT pg_size_pretty(pg_table_size('plain'));

SET synchronize_seqscans = off;

SELECT locktype, mode, granted FROM pg_locks WHERE relation = 'plain'::regclass;

INSERT INTO plain (id, note) VALUES (600, 'x') ON CONFLICT (id) DO UPDATE SET note = 'y' RETURNING (xmax = 0) AS inserted;

SELECT xmin, id FROM plain WHERE id = 1;

SELECT pg_try_advisory_lock(123), pg_advisory_unlock(123);

SELECT pg_advisory_xact_lock(hashtext('job'));

SELECT pg_sleep(0);

-- needs: pgcrypto
SELECT encode(digest('x', 'sha256'), 'hex'), crypt('x', '$1$abcdefgh') IS NOT NULL, length(gen_salt('md5')) > 0;

SET LOCAL work_mem = '8MB';

SET work_mem = '8MB';

-- as: maker
ANALYZE plain;

LISTEN jobs;
NOTIFY jobs, 'x';
UNLISTEN jobs;

EXPLAIN SELECT id FROM plain WHERE id = 1;

SET geqo = off;

-- as: reader
LOCK TABLE plain IN ACCESS SHARE MODE;

-- as: reader
CREATE TEMP TABLE own (id int);
INSERT INTO own VALUES (1), (2);
SELECT * FROM own ORDER BY id;
DROP TABLE own;

-- as: reader
DROP TABLE IF EXISTS not_there_at_all;

SET ROLE app;

SET ROLE NONE;

RESET ROLE;

SET SESSION AUTHORIZATION DEFAULT;

SELECT set_config('role', 'app', false);

SELECT indexrelname FROM pg_stat_user_indexes WHERE relname = 'plain';

SELECT EXISTS (SELECT * FROM pg_proc WHERE proname = 'slugify');

SELECT count(p.*) FROM pg_proc p WHERE p.proname = 'slugify';

SELECT last_value FROM plain_log_id_seq;

SELECT setval(pg_get_serial_sequence('plain_log', 'id'), coalesce(max(id), 1), max(id) IS NOT NULL) FROM plain_log;

-- as: maker
CREATE TABLE fresh (id int PRIMARY KEY, note text);
CREATE INDEX ON fresh (note);
ALTER TABLE fresh ADD COLUMN n int;
COMMENT ON TABLE fresh IS 'x';
INSERT INTO fresh VALUES (1, 'x', 2);
ANALYZE fresh;
SELECT * FROM fresh;
DROP TABLE fresh;

-- as: maker
CREATE VIEW fresh AS SELECT id, note FROM plain;
SELECT count(*) FROM fresh;

-- as: maker
CREATE MATERIALIZED VIEW fresh AS SELECT tenant, count(*) AS n FROM plain GROUP BY tenant;
REFRESH MATERIALIZED VIEW fresh;
SELECT * FROM fresh ORDER BY tenant;

-- a migration, in one text
-- as: maker
-- simple
CREATE TABLE public.fresh (id bigserial PRIMARY KEY, note text NOT NULL); CREATE INDEX fresh_note ON public.fresh (note); INSERT INTO public.fresh (note) SELECT note FROM plain; CREATE VIEW notes AS SELECT note FROM public.fresh; SELECT count(*) FROM notes;

-- dbt's model: filled from a masked table, renamed, indexed, looked at
-- as: maker
CREATE TABLE public.fresh__tmp AS SELECT id, email, tenant FROM users WHERE id < 5;
ALTER TABLE public.fresh__tmp RENAME TO fresh;
CREATE INDEX ON public.fresh (tenant);
COMMENT ON TABLE public.fresh IS 'x';
ANALYZE public.fresh;
SELECT id, email FROM public.fresh ORDER BY id;
DROP TABLE public.fresh;

SELECT d + 1, m, s FROM with_domain ORDER BY id;

-- a range type of the database's own, its constructor and its multirange
SELECT id, span(1, 3) && s, span_multirange(s) @> 2, '{[1,4)}'::span_multirange FROM with_domain ORDER BY id;

SELECT id, note FROM own_rows ORDER BY id;

SELECT id, note FROM v_plain ORDER BY id LIMIT 2;

SELECT id, salary FROM v_shown ORDER BY id LIMIT 2;

SELECT * FROM counted ORDER BY tenant;

UPDATE users SET note = 'x', name = 'y' WHERE id = 1 RETURNING id, email, name;

UPDATE staff SET note = 'x' WHERE id = 1;

-- new rows that can't collide with masked values
INSERT INTO only_unique (id, note) VALUES (900, 'x'), (901, 'y') RETURNING id, email;
INSERT INTO only_unique (id, email) VALUES (902, NULL), (903, DEFAULT);
INSERT INTO only_unique (id, note) SELECT 904, 'x' ON CONFLICT DO NOTHING;
INSERT INTO unique_users (id, tenant, note) VALUES (9000, 1, 'x');
INSERT INTO copies (id, note) VALUES (900, 'x');

DELETE FROM plain WHERE id = 1;

INSERT INTO orders (id, user_id, amount) VALUES (9999, 1, 2.5) RETURNING *;

SELECT u.id, u.email, count(o.id) FROM users u LEFT JOIN orders o ON o.user_id = u.id WHERE u.tenant = 5 GROUP BY u.id ORDER BY u.id;

SELECT id, email FROM users WHERE tenant = 5 ORDER BY created DESC, id DESC LIMIT 10;

SELECT date_trunc('day', created) AS day, count(*) FROM users GROUP BY 1 ORDER BY 1;

SELECT current_setting('server_version_num')::int > 0, version() LIKE 'PostgreSQL%';

SELECT nextval('counter') > 0;

SELECT pg_is_in_recovery(), current_schemas(true), pg_encoding_to_char(6);

SHOW transaction_isolation;

BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;
SELECT id FROM plain ORDER BY id LIMIT 1;
COMMIT;

DISCARD ALL;

SELECT 1;

SELECT id, tableoid::regclass FROM plain ORDER BY id LIMIT 1;

-- the information schema's own types, and what is only about names
SELECT table_name::text, '5'::information_schema.cardinal_number, NULL::information_schema.sql_identifier FROM information_schema.tables WHERE table_name = 'plain';
SELECT count(*) FROM information_schema.foreign_servers;
SELECT count(*) FROM information_schema.routine_table_usage WHERE routine_name = 'slugify';

-- since: 17
SELECT type, name FROM pg_wait_events WHERE name = 'ClientRead';

-- a trigger that keeps the time of the last change, of a table with masks too
UPDATE updated SET note = 'x' WHERE id = 1 RETURNING id, updated_at > now() - interval '1 day' AS fresh;

-- where nothing is masked, as Flyway does
-- as: dba
SET ROLE 'app';
SET ROLE NONE;
RESET ROLE;
SET SESSION AUTHORIZATION DEFAULT;
SELECT set_config('role', 'app', false);
SELECT set_config('role', 'none', false);

-- new rows that a partial index leaves out
INSERT INTO partial_unique (id, room) VALUES (100, 1);
INSERT INTO partial_unique (id, room, ssn) VALUES (101, 1, NULL), (102, 1, DEFAULT);
INSERT INTO accounts (id, email, state) VALUES (100, 'guess', 'draft'), (101, 'guess', 'paid');
INSERT INTO accounts (id, email) VALUES (102, 'guess');
INSERT INTO accounts (id, email, state, active) VALUES (103, 'guess', DEFAULT, false);
INSERT INTO accounts (id, state, active) VALUES (104, 'open', true);
INSERT INTO kept (id, email, deleted) VALUES (100, 'guess', '2030-01-01');

-- the same by COPY
COPY only_unique (id, note) FROM STDIN;
100	x
101	y
COPY partial_unique (id, room) FROM STDIN;
100	1

SELECT int4range(1, 5), int8range(1, 5, '[]'), numrange(1.5, 2), daterange('2030-01-01', NULL), int4multirange(int4range(1, 5)), tstzrange(NULL, '2030-01-01');

SELECT txid_current() > 0, pg_current_xact_id()::text <> '', txid_current_if_assigned() > 0;

-- since: 16
SELECT pg_input_is_valid('5', 'integer'), pg_input_is_valid('x', 'pg_catalog.int4'), pg_input_is_valid('{1}', 'int4[]'), (pg_input_error_info('x', 'numeric(4,2)')).sql_error_code;

-- as: maker
CREATE STATISTICS plain_kinds (mcv) ON tenant, note FROM plain;
ALTER TABLE plain ALTER COLUMN note SET STATISTICS 200;
ANALYZE plain;

-- as: maker
CREATE TYPE weather AS ENUM ('rain', 'sun');
ALTER TYPE colour ADD VALUE 'blue' BEFORE 'green';

-- as: maker
ALTER TABLE orders ADD CONSTRAINT worth CHECK (amount > 0) NOT VALID;
ALTER TABLE orders VALIDATE CONSTRAINT worth;
ALTER TABLE orders RENAME CONSTRAINT worth TO paid;
ALTER INDEX orders_user RENAME TO orders_by_user;

-- as: maker
ALTER TABLE plain SET (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.05), ALTER n SET DEFAULT 1;
ALTER TABLE plain RESET (fillfactor);

-- as: maker
CREATE TABLE public.orders_copy (LIKE orders INCLUDING ALL);
INSERT INTO public.orders_copy SELECT * FROM orders WHERE id < 5;
SELECT id, amount FROM public.orders_copy ORDER BY id;

-- as: reader
CREATE TEMP TABLE own (LIKE plain INCLUDING DEFAULTS);
INSERT INTO own SELECT * FROM plain WHERE id < 3;
SELECT * FROM own ORDER BY id;
