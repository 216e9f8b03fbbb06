--- Partitions by a masked column (L5), inheritance (L9), and what else is stored where masked values say.
--- as: reader

SELECT id FROM range_parts;

SELECT id, tableoid FROM range_parts ORDER BY id;

SELECT id, tableoid::regclass FROM part_ids ORDER BY id;

SELECT id FROM range_low ORDER BY id;

SELECT count(*) FROM range_low;

SELECT count(*) FROM list_a;

SELECT count(*) FROM expression_even;

SELECT count(*) FROM hash_0;

SELECT id FROM range_parts WHERE pay < 400 ORDER BY id;

SELECT id FROM part_ids;

SELECT id FROM part_ids LIMIT 1;

SELECT array_agg(id) FROM list_parts;

SELECT id FROM ONLY range_parts;

SELECT id, ctid FROM range_parts ORDER BY id;

COPY range_parts TO STDOUT;

COPY (SELECT * FROM range_parts) TO STDOUT;

COPY (SELECT id FROM part_ids) TO STDOUT;

COPY hash_parts (id) TO STDOUT;

-- as: writer
UPDATE range_parts SET note = 'x' RETURNING id;

-- as: writer
UPDATE part_ids SET tenant = 9 WHERE id = 1;

-- as: writer
DELETE FROM list_parts RETURNING id;

-- as: writer
INSERT INTO list_parts (id, secret) VALUES (100, 'a') RETURNING id;

-- as: maker
ALTER TABLE range_parts DETACH PARTITION range_low;
SELECT count(*) FROM range_parts;

-- as: maker
TRUNCATE range_low;
SELECT id FROM range_parts ORDER BY id;

-- as: maker
CREATE TABLE range_extra PARTITION OF range_parts FOR VALUES FROM (5000) TO (6000);

-- as: maker
CREATE TABLE range_default PARTITION OF list_parts FOR VALUES IN ('z');

-- as: maker
ALTER TABLE range_low ADD CHECK (id > 10);

SELECT id FROM creature ORDER BY id LIMIT 5;

SELECT id FROM creature LIMIT 5;

SELECT id, ctid FROM creature ORDER BY id LIMIT 5;

SELECT max(ctid) FROM creature;

SELECT id FROM creature WHERE ctid = '(1,1)';

SELECT id FROM creature TABLESAMPLE SYSTEM (10) REPEATABLE (1);

SELECT id FROM creature TABLESAMPLE BERNOULLI (10) REPEATABLE (1) ORDER BY id;

SELECT id, tableoid::regclass FROM creature ORDER BY id LIMIT 5;

SELECT id FROM ONLY creature;

SELECT id, ctid FROM ONLY creature;

SELECT creature FROM creature ORDER BY id LIMIT 3;

SELECT pg_column_size(c) FROM creature c ORDER BY id LIMIT 3;

SELECT array_agg(id) FROM creature WHERE tenant = 5;

SELECT id FROM creature WHERE tenant = 5 LIMIT 1;

EXPLAIN SELECT id FROM creature;

EXPLAIN (COSTS OFF) SELECT id FROM creature WHERE tenant = 5;

SELECT pg_relation_size('creature');

COPY (SELECT id FROM creature) TO STDOUT;

SELECT place FROM v_ctid;

-- as: writer
UPDATE creature SET note = 'y' WHERE tenant = 5 RETURNING id, ctid;

-- as: writer
DELETE FROM creature WHERE tenant = 5 RETURNING id;

-- as: writer
UPDATE creature SET tenant = 6 WHERE id = 1 RETURNING tableoid::regclass;

-- as: writer
UPDATE creature SET note = 'x' WHERE ctid = '(0,1)' RETURNING id;

SELECT id, ctid FROM plain ORDER BY id LIMIT 3;

SELECT ctid, id FROM clustered_users ORDER BY id LIMIT 3;

SELECT id FROM clustered_users LIMIT 3;

SELECT id FROM wide;

SELECT id FROM wide LIMIT 5;

SELECT max(id) FROM (SELECT id FROM wide LIMIT 10) q;

-- as: maker
CLUSTER users USING users_tenant_email;
SELECT id FROM users LIMIT 3;

-- as: maker
ALTER TABLE users CLUSTER ON users_tenant_email;
SELECT id FROM users LIMIT 3;

-- as: maker
CREATE INDEX ON staff (tenant, salary);
SELECT id FROM staff WHERE tenant = 3 LIMIT 1;
