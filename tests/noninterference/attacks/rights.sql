--- Three ways, one answer: what needs a verb needs it by every door, and a function that may write needs what it does.
--- as: reader

INSERT INTO plain (id) VALUES (500);

UPDATE plain SET n = 1 WHERE id = 1;

DELETE FROM plain WHERE id = 1;

SELECT wipe();

SELECT wipe() FROM plain;

SELECT id FROM plain WHERE wipe() = 1;

SELECT wipe_fast(id) FROM plain;

VALUES (wipe());

CALL wipe_all();

DO $$ BEGIN PERFORM wipe(); END $$;

WITH d AS (DELETE FROM plain RETURNING id) SELECT count(*) FROM d;

WITH i AS (INSERT INTO plain (id) VALUES (500) RETURNING id) SELECT * FROM i;

PREPARE p AS DELETE FROM plain WHERE id = 1;
EXECUTE p;

EXPLAIN ANALYZE DELETE FROM plain WHERE id = 1;

COPY plain FROM STDIN;
500	1	x	1

COPY (DELETE FROM plain RETURNING id) TO STDOUT;

CREATE TABLE loot (id int);

CREATE TABLE loot AS SELECT 1 AS id;

SELECT 1 AS id INTO loot;

CREATE TEMP TABLE own (id int);
INSERT INTO own VALUES (1);
SELECT * FROM own;

DROP TABLE IF EXISTS nothing_here;

TRUNCATE plain;

SELECT nextval('counter');

SELECT setval('counter', 5);

SELECT id FROM plain WHERE id = 1 FOR UPDATE;

SELECT id FROM staff WHERE id = 1 FOR KEY SHARE;

-- statistics are rewritten by who may alter
ANALYZE plain;

SELECT lo_create(0);

SELECT pg_advisory_lock(1);

LOCK TABLE plain IN ACCESS SHARE MODE;

LOCK TABLE plain;

NOTIFY x;

LISTEN x;

MERGE INTO plain USING (SELECT 1 AS id) x ON plain.id = x.id WHEN MATCHED THEN DELETE;

VACUUM plain;

REINDEX TABLE plain;

GRANT ALL ON plain TO PUBLIC;

SET ROLE postgres;

CREATE EXTENSION hstore;

IMPORT FOREIGN SCHEMA x FROM SERVER y INTO public;

SECURITY LABEL ON TABLE plain IS 'x';

PREPARE TRANSACTION 'x';

CREATE DATABASE loot;

SELECT * FROM plain, wipe() LIMIT 1;

SELECT * FROM ROWS FROM (wipe(), generate_series(1, 2));

SELECT (SELECT wipe());

SELECT id FROM plain ORDER BY wipe() LIMIT 1;

SELECT count(*) FILTER (WHERE wipe() = 1) FROM plain;

SELECT CASE WHEN true THEN wipe() END;

DECLARE c CURSOR WITH HOLD FOR SELECT wipe();

CREATE TEMP TABLE own AS SELECT wipe();

CREATE TEMP TABLE own (id int DEFAULT wipe());
INSERT INTO own DEFAULT VALUES;
