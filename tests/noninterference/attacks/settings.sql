--- Settings that change what stored expressions give (L7), what messages show, or how rows are found.

SET extra_float_digits = -15;
UPDATE measured SET note = 'x' WHERE id = 1;

SET extra_float_digits = -15;
INSERT INTO measured (id, note) VALUES (100, 'x');

SET extra_float_digits = 1;
UPDATE measured SET note = 'y';

-- a virtual generated column with a CHECK over it
-- since: 18
SET extra_float_digits = -15;
UPDATE virtual_pay SET note = 'x';

-- since: 18
UPDATE virtual_pay SET note = 'x' WHERE id = 1 RETURNING id, shown;

-- since: 18
SELECT id, shown FROM virtual_pay ORDER BY id;

-- since: 18
SELECT id FROM virtual_pay WHERE length(shown) > 5 ORDER BY id;

SET bytea_output = 'escape';
SELECT id, raw FROM measured ORDER BY id LIMIT 2;

SET DateStyle = 'German';
UPDATE measured SET note = 'z' WHERE id = 2;

SET TimeZone = 'Asia/Tokyo';
UPDATE measured SET note = 'z' WHERE id = 2;

SET IntervalStyle = 'iso_8601';
UPDATE measured SET note = 'z' WHERE id = 2;

SET xmloption = 'document';
UPDATE measured SET note = 'z' WHERE id = 2;

SET lc_monetary = 'C';
UPDATE measured SET note = 'z' WHERE id = 2;

SET client_min_messages = 'debug5';
SELECT salary FROM staff ORDER BY id LIMIT 1;

SET client_min_messages = 'log';
SELECT salary FROM staff ORDER BY id LIMIT 1;

SET debug_print_plan = on;
SELECT salary FROM staff ORDER BY id LIMIT 1;

SET log_statement = 'all';

SET log_min_duration_statement = 0;

SET enable_indexscan = off;
SELECT id FROM users WHERE tenant = 5;

SET enable_seqscan = off;
SELECT id FROM users LIMIT 3;

SET enable_sort = off;
SELECT id FROM staff ORDER BY salary, id;

SET work_mem = '64kB';
SELECT id FROM users ORDER BY note LIMIT 3;

SET LOCAL work_mem = '64MB';

SET plan_cache_mode = force_generic_plan;

SET row_security = off;
SELECT id FROM walled ORDER BY id;

SET session_replication_role = replica;
UPDATE checked SET cap = 0 WHERE id = 1;

SET constraint_exclusion = off;
SELECT id FROM range_parts WHERE pay > 700;

SET check_function_bodies = off;

SET default_transaction_read_only = on;
SELECT salary FROM staff ORDER BY id LIMIT 1;

SET transform_null_equals = on;
SELECT id FROM staff WHERE ssn = NULL;

SET standard_conforming_strings = off; SELECT '\'; SELECT peek(1); --';

SET backslash_quote = on;

SET client_encoding = 'LATIN1';

SET NAMES 'SQL_ASCII';

SET ROLE postgres;

SET ROLE app;
SELECT salary FROM staff ORDER BY id LIMIT 1;

SET ROLE NONE;
RESET ROLE;

SET SESSION AUTHORIZATION postgres;

SET SESSION AUTHORIZATION DEFAULT;

SELECT set_config('role', 'postgres', false);

SELECT set_config('search_path', 'other', true);
SELECT * FROM users ORDER BY id LIMIT 1;

SELECT set_config('extra_float_digits', '-15', false);
UPDATE measured SET note = 'x' WHERE id = 1;

SELECT set_config(name, setting, false) FROM pg_settings WHERE name = 'work_mem';

UPDATE pg_settings SET setting = 'debug5' WHERE name = 'client_min_messages';

RESET ALL;
SELECT salary FROM staff ORDER BY id LIMIT 1;

SET auto_explain.log_min_duration = 0;

LOAD 'auto_explain';

SET session_preload_libraries = 'auto_explain';

SET dynamic_library_path = '/tmp';

SHOW data_directory;

SHOW TimeZone;

SHOW hba_file;

SELECT current_setting('config_file', true);

SET app.tenant = '5';
SELECT id FROM users WHERE tenant = current_setting('app.tenant')::int ORDER BY id LIMIT 2;

SET statement_timeout = '50s';
SELECT count(*) FROM staff WHERE salary > 0;

SET lock_timeout = '1s';
SELECT salary FROM staff ORDER BY id LIMIT 1;

SET synchronize_seqscans = off;

SET track_activity_query_size = 1024;

ALTER SYSTEM SET work_mem = '1MB';

ALTER ROLE app SET search_path = other;

ALTER DATABASE twin SET search_path = other;

BEGIN;
SET TRANSACTION ISOLATION LEVEL SERIALIZABLE;
SELECT salary FROM staff ORDER BY id LIMIT 1;
COMMIT;

SET CONSTRAINTS ALL DEFERRED;
UPDATE copies SET note = 'x' WHERE id = 1;

-- a partition key that depends on a setting
SET extra_float_digits = -15;
UPDATE setting_long SET note = 'x';

-- an index expression that depends on the form of bytes
SET bytea_output = 'escape';
UPDATE setting_bytes SET note = 'x';

-- a check that depends on the form of intervals
SET IntervalStyle = 'iso_8601';
UPDATE setting_spans SET note = 'x';
