--- Guardrails: limits on rows, needed conditions, denied functions.
--- as: guarded

SELECT id FROM plain ORDER BY id;

SELECT id FROM plain ORDER BY id LIMIT 5;

SELECT id FROM staff ORDER BY id LIMIT 6;

COPY plain TO STDOUT;

BEGIN;
DECLARE c CURSOR FOR SELECT id FROM plain ORDER BY id;
FETCH 5 FROM c;
FETCH 5 FROM c;
FETCH 5 FROM c;
COMMIT;

BEGIN;
DECLARE c CURSOR FOR SELECT id FROM plain ORDER BY id;
FETCH ALL FROM c;
COMMIT;

UPDATE plain SET n = 1;

UPDATE plain SET n = 1 WHERE true;

UPDATE plain SET n = 1 WHERE id > -1;

UPDATE plain SET n = 1 WHERE id IN (SELECT id FROM plain);

UPDATE plain SET n = 1 WHERE id = id + 0;

UPDATE plain SET n = 1 WHERE id IS NOT NULL OR salary IS NULL;

UPDATE staff SET note = 'x' WHERE salary = salary;

UPDATE plain SET n = 1 WHERE id = 1;

DELETE FROM plain;

DELETE FROM plain WHERE 1 = 1;

DELETE FROM plain WHERE id = 1 OR id <> 1;

DELETE FROM plain USING plain o WHERE o.id = plain.id;

WITH d AS (DELETE FROM plain RETURNING id) SELECT count(*) FROM d;

MERGE INTO plain USING (SELECT 1) x ON true WHEN MATCHED THEN DELETE;

SELECT pg_sleep(0);

SELECT pg_catalog.pg_sleep(0);

SELECT "pg_sleep"(0);

SELECT 1 FROM plain WHERE pg_sleep(0) IS NULL LIMIT 1;

SELECT 1; SELECT id FROM plain ORDER BY id;

SELECT array_agg(id ORDER BY id) FROM plain;

TABLE plain;

VALUES (1), (2), (3), (4), (5), (6);

EXPLAIN SELECT id FROM plain;

SHOW ALL;

-- by a function, a procedure, a block
SELECT wipe();

SELECT wipe_one(1);

CALL wipe_all();

DO $$ BEGIN DELETE FROM plain; END $$;

SELECT pg_sleep_for('0.01 s');

SELECT pg_catalog.pg_sleep_until(now());

-- since: 17
MERGE INTO plain p USING (SELECT -1 AS id) q ON p.id = q.id WHEN NOT MATCHED BY SOURCE THEN DELETE;
