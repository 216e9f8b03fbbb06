--- What is left behind for each row that is read or changed, and tells in which order they were.

UPDATE noted SET note = 'y' WHERE tenant = 5;
SELECT n FROM plain_log ORDER BY id;

DELETE FROM noted WHERE tenant = 5;
SELECT n FROM plain_log ORDER BY id;

MERGE INTO noted USING plain p ON p.id = noted.tenant AND p.id = 5 WHEN MATCHED THEN UPDATE SET note = 'y';
SELECT n FROM plain_log ORDER BY id;

-- by a view that passes on, and by one with a trigger in its place
UPDATE noted_ids SET note = 'y' WHERE tenant = 5;
SELECT n FROM plain_log ORDER BY id;

UPDATE dated_ids SET note = 'y' WHERE tenant = 5;
SELECT n FROM plain_log ORDER BY id;

-- by what inherits
UPDATE noted_parent SET note = 'y' WHERE tenant = 5;
SELECT n FROM plain_log ORDER BY id;

-- rows of a table without masked columns, found by one with such
DELETE FROM counted_out c USING users u WHERE u.id = c.id AND u.tenant = 5;
SELECT n FROM plain_log ORDER BY id;

UPDATE dated SET note = 'y' WHERE tenant = 5;
SELECT id FROM dated WHERE tenant = 5 ORDER BY at, id;

-- commits
LISTEN jobs;
DELETE FROM dated WHERE tenant = 5;
SELECT 1;

-- defaults
UPDATE noted SET at = DEFAULT WHERE tenant = 5;
SELECT id FROM noted WHERE tenant = 5 ORDER BY at, id;

UPDATE noted SET (email, at) = ROW(DEFAULT, DEFAULT) WHERE tenant = 5;
UPDATE noted SET (tenant, at) = ROW(tenant, DEFAULT) WHERE tenant = 5;
SELECT id FROM noted WHERE tenant = 5 ORDER BY at, id;

UPDATE noted SET place = DEFAULT WHERE tenant = 5;
SELECT id, rank() OVER (ORDER BY place) FROM noted WHERE tenant = 5 ORDER BY id;

MERGE INTO noted USING plain p ON p.id = noted.tenant AND p.id = 5 WHEN MATCHED THEN UPDATE SET place = DEFAULT;
SELECT id, rank() OVER (ORDER BY place) FROM noted WHERE tenant = 5 ORDER BY id;

-- functions that keep what they are given, the system's own among them
SELECT count(*) FROM users WHERE tenant = 5 AND set_config('app.seen', coalesce(current_setting('app.seen', true), '') || id || ' ', false) <> '';
SELECT current_setting('app.seen', true);

SELECT id FROM users WHERE tenant = 5 AND set_config('app.seen', coalesce(current_setting('app.seen', true), '') || id || ' ', false) <> '' ORDER BY id;
SELECT current_setting('app.seen', true);

SELECT id FROM users WHERE tenant = 5 AND set_config('app.first', coalesce(nullif(current_setting('app.first', true), ''), id::text), true) = id::text;

UPDATE users SET name = set_config('app.seen', coalesce(current_setting('app.seen', true), '') || id || ' ', false) WHERE tenant = 5;
SELECT current_setting('app.seen', true);

SELECT count(*) FROM users WHERE tenant = 5 AND remember(id::text || ' ') IS NOT NULL;
SELECT current_setting('app.seen', true);

UPDATE users SET name = remember(id::text || ' ') WHERE tenant = 5;
SELECT current_setting('app.seen', true);

-- commits
LISTEN jobs;
SELECT count(announce(id)) FROM users WHERE tenant = 5;
SELECT 1;

-- by row security
SELECT id FROM watched WHERE tenant = 5 ORDER BY id;
SELECT current_setting('app.seen', true);

-- an operator that writes
SELECT sum(id |#| 1) FROM users WHERE tenant = 5;
SELECT n FROM plain_log ORDER BY id;

-- windows see what is called before the rows are sorted
-- since: 18
SELECT id, rank() OVER (ORDER BY uuidv7()) FROM users WHERE tenant = 5;

SELECT id, max(nextval('counter')) OVER (PARTITION BY id) - min(nextval('counter')) OVER () > 9 FROM users WHERE tenant = 5;

-- a view that tells the time
UPDATE users u SET created = (SELECT r.t + u.id * interval '0' FROM right_now r) WHERE tenant = 5;
SELECT id FROM users WHERE tenant = 5 ORDER BY created, id;

SELECT u.id FROM users u, LATERAL (SELECT r.t + u.id * interval '0' AS t FROM right_now r) v WHERE u.tenant = 5 ORDER BY v.t, u.id;

-- one row tells nothing, nor does what runs once
-- allowed
UPDATE noted SET note = 'y', at = DEFAULT WHERE id = 5 RETURNING id;
DELETE FROM dated WHERE id = 5;
UPDATE noted SET tenant = 7 WHERE tenant = 5;

-- nor does the row that a cursor stands on
-- allowed
BEGIN;
DECLARE c CURSOR FOR SELECT id FROM noted WHERE tenant = 5 ORDER BY id FOR UPDATE;
FETCH 2 FROM c;
UPDATE noted SET note = 'y', at = DEFAULT WHERE CURRENT OF c RETURNING id;
DELETE FROM noted WHERE CURRENT OF c;
ROLLBACK;
