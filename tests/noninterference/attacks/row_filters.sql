--- Rows that a policy filters out: nothing that reads, counts, orders, computes, fails or writes tells of them.

SELECT * FROM sales;

SELECT count(*), sum(amount), min(id), max(id), avg(factor) FROM sales;

SELECT id FROM sales WHERE id = 1001;

SELECT id FROM sales LIMIT 5;

SELECT id FROM sales WHERE amount < 60 LIMIT 3;

SELECT id FROM sales ORDER BY amount DESC LIMIT 3;

SELECT region, count(*) FROM sales GROUP BY region;

SELECT DISTINCT region, state FROM sales;

SELECT array_agg(id) FROM sales;

SELECT id, row_number() OVER (), sum(amount) OVER (ROWS UNBOUNDED PRECEDING) FROM sales;

SELECT EXISTS (SELECT FROM sales WHERE region = 'us');

SELECT (SELECT region FROM sales WHERE id = 1001) IS NULL;

SELECT id FROM sales WHERE 1000 / amount > 10;

SELECT count(*) FROM sales WHERE 1000 / (amount - 7) < 5;

SELECT count(*) FROM sales WHERE line::int > 3;

SELECT id FROM sales WHERE 'x' !~ line;

SELECT count(*) FROM sales WHERE 'x' !~ line;

SELECT sum(CASE WHEN region = 'us' THEN 1 / (amount - amount) ELSE 0 END) FROM sales;

SELECT count(*) FROM sales WHERE ln(factor) > 0;

SELECT count(*) FROM sales WHERE jsonb_array_length(doc) > 0;

SELECT count(*) FROM sales WHERE (doc ->> 'a')::int = 1;

SELECT sum(1000 / amount), max(line::int) FROM sales;

SELECT 1000 / amount FROM sales LIMIT 3;

SELECT id FROM sales ORDER BY line::int LIMIT 3;

SELECT line::int % 3, count(*) FROM sales GROUP BY 1;

SELECT amount FROM sales GROUP BY amount HAVING 1000 / amount > 10;

SELECT s.id FROM sales s JOIN plain p ON p.id = 1000 / s.amount;

SELECT p.id, s.id FROM plain p LEFT JOIN sales s ON p.id = s.line::int;

SELECT count(*) FROM sales s FULL JOIN plain p ON p.id = s.id;

SELECT id FROM plain WHERE id IN (SELECT 1000 / amount FROM sales);

SELECT id FROM plain p WHERE EXISTS (SELECT FROM sales WHERE line::int = p.id);

SELECT x.id FROM (SELECT id, 1000 / amount AS y FROM sales) x WHERE y > 10;

WITH x AS MATERIALIZED (SELECT id, line::int AS y FROM sales) SELECT id FROM x WHERE y > 10;

SELECT id FROM sales WHERE amount = ANY (SELECT amount FROM sales WHERE region = 'us');

SELECT i.id, s.region FROM sale_items i LEFT JOIN sales s ON s.id = i.sale;

SELECT id FROM sale_parts LIMIT 3;

SELECT count(*) FROM sale_parts WHERE 10 / n > 0;

SELECT id FROM sale_parts_low;

SELECT region, total FROM sale_sums;

SELECT * FROM sale_store;

SELECT sale_total();

SELECT ctid, id FROM sales WHERE id < 4;

SELECT id FROM sales TABLESAMPLE SYSTEM (50);

EXPLAIN SELECT * FROM sales;

EXPLAIN (ANALYZE, TIMING off, COSTS off, SUMMARY off) SELECT id FROM sales WHERE amount > 5;

SELECT relpages, reltuples FROM pg_class WHERE relname IN ('sales', 'sales_pkey', 'sale_parts_low');

SELECT pg_relation_size('sales'), pg_indexes_size('sales'), pg_total_relation_size('sale_parts_low');

SELECT n_live_tup, n_tup_ins, seq_tup_read, idx_tup_fetch FROM pg_stat_user_tables WHERE relname = 'sales';

SELECT n_distinct, most_common_vals::text, histogram_bounds::text FROM pg_stats WHERE tablename = 'sales';

COPY sales TO STDOUT;

COPY sales (id, line) TO STDOUT;

COPY (SELECT id FROM sales WHERE 1000 / amount > 1) TO STDOUT;

DECLARE c CURSOR FOR SELECT id FROM sales;
FETCH 3 FROM c;
MOVE 10 IN c;
FETCH ALL FROM c;

PREPARE p (int) AS SELECT id FROM sales WHERE 1000 / (amount - $1) > 1;
EXECUTE p(7);

SELECT id FROM sales WHERE id < 5 FOR UPDATE;

SELECT id FROM sales FOR UPDATE SKIP LOCKED;

DELETE FROM sales WHERE id = 1001;

DELETE FROM sales WHERE region = 'us';

UPDATE sales SET state = 'seen' RETURNING id;

INSERT INTO sales (id, region) VALUES (1001, 'eu');

INSERT INTO sales (id, region) VALUES (1001, 'eu') ON CONFLICT (id) DO NOTHING;

INSERT INTO sales (id, region) VALUES (1001, 'eu') ON CONFLICT (id) DO UPDATE SET state = sales.region RETURNING state;

MERGE INTO sales s USING plain p ON s.id = p.id + 1000 WHEN MATCHED THEN DELETE;

INSERT INTO sale_items VALUES (500, 1001, 1);

UPDATE sale_items SET sale = 1001 WHERE id = 1;

INSERT INTO plain (id, n) SELECT 500 + id, 1000 / amount FROM sales WHERE line::int < 5 RETURNING id, n;

UPDATE plain p SET n = s.amount FROM sales s WHERE s.id = p.id AND 1000 / s.amount > 1 RETURNING p.id, p.n;

DELETE FROM plain WHERE id IN (SELECT 1000 / amount FROM sales) RETURNING id;

CREATE TEMP TABLE loot AS SELECT * FROM sales;
SELECT count(*), sum(id), sum(amount), array_agg(region) FROM loot;

SELECT id FROM sales WHERE random() < 2;

SELECT nextval('counter') FROM sales WHERE id < 4;

SELECT s FROM sales s WHERE id < 4;

SELECT row_to_json(s) FROM sales s WHERE id < 4;

SET enable_seqscan = off;
SELECT id FROM sales WHERE region = 'eu' LIMIT 4;

SET TimeZone = 'Asia/Tokyo';
SELECT count(*) FROM sales WHERE made > '2030-01-05';

-- views, whose definitions are written out
-- allowed
SELECT * FROM sale_open WHERE region = 'us';
SELECT id, share FROM sale_open WHERE share > 5;
SELECT count(*), sum(number) FROM sale_open WHERE number < 5;
SELECT * FROM sale_top;
SELECT s.total, o.id FROM sale_sums s JOIN sale_open o USING (region) LIMIT 3;

SELECT * FROM sale_first;

SELECT place FROM sale_first WHERE id = 1001;

SELECT * FROM sale_open WHERE share > 5 FOR UPDATE;

SELECT * FROM sale_walled;

SELECT o FROM sale_open o WHERE 1000 / o.amount < 20;

WITH sales AS (SELECT 1 AS id) SELECT count(*) FROM sale_open, sales;

UPDATE sale_open SET amount = 1 WHERE id = 1001;

CREATE TEMP TABLE loot AS SELECT * FROM sale_open;
SELECT count(*), sum(share), array_agg(id) FROM loot;

EXPLAIN SELECT * FROM sale_open;

-- writing to the rows that are there
-- allowed
UPDATE sales SET amount = 5 WHERE id < 2000;
UPDATE sales SET amount = amount + 1 WHERE region = 'us';
UPDATE sales SET factor = 2 WHERE id = 3 RETURNING id, factor;
UPDATE sales SET line = '7' WHERE state = 'open' RETURNING id, line;
DELETE FROM sale_notes WHERE id < 4 RETURNING tenant, id, body;
DELETE FROM sale_notes;
UPDATE sale_log SET n = 1 WHERE id > 900 RETURNING *;
UPDATE sale_log SET n = 2 RETURNING id, changed;
INSERT INTO sale_log (id, region, n) VALUES (1001, 'eu', 1) RETURNING id, changed;
INSERT INTO sale_notes VALUES (5, 900, 'x', 1) RETURNING id;
INSERT INTO sale_notes VALUES (5, 900, 'x', 1) ON CONFLICT DO NOTHING;

UPDATE sales SET amount = 5 WHERE 1000 / amount > 10;

UPDATE sales SET amount = 5 WHERE id = 1001 AND 1000 / (amount - amount) > 10;

UPDATE sales SET amount = 5 WHERE 'x' ~ line AND id > 1000;

UPDATE sales SET amount = line::int WHERE id > 5 RETURNING id, amount;

UPDATE sales SET amount = 1000 / (amount - 100) RETURNING id;

UPDATE sales SET amount = 1 WHERE id = 1001 AND random() < 2;

UPDATE sale_log SET n = 1 WHERE id = 1001 AND greatest(n, date_part('x', timestamptz '2030-01-01Z')) IS NULL;

UPDATE sales s SET amount = p.n FROM plain p WHERE p.id = s.id - 1000 RETURNING s.id;

UPDATE sales s SET amount = 1 FROM plain p WHERE p.id = 1000 / s.amount;

UPDATE sales SET region = 'us' WHERE id = 3;

UPDATE sales SET region = 'us' WHERE id = 1001;

UPDATE sales SET state = 'void' RETURNING id;

UPDATE sales SET id = 1001 WHERE id = 1;

UPDATE sale_parts SET n = 60 WHERE id = 1;

DELETE FROM sale_parts WHERE 10 / n > 0;

DELETE FROM sale_notes WHERE 10 / n > 0 OR 'x' ~ body RETURNING id;

DELETE FROM sale_notes n USING plain p WHERE p.id = n.id RETURNING n.id;

WITH gone AS (DELETE FROM sale_notes WHERE n < 9 RETURNING id) SELECT count(*), sum(100 / id) FROM gone;

INSERT INTO sale_log (id, region) VALUES (1, 'us');

INSERT INTO sale_log (id, region) SELECT id, region FROM sales;

INSERT INTO sale_log SELECT id, 'eu', 1000 / amount FROM sales RETURNING id;

INSERT INTO sale_notes VALUES (6, 1, 'x', 1);

INSERT INTO sale_notes VALUES (5, 1, 'x', 1);

MERGE INTO sale_notes s USING plain p ON s.id = p.id WHEN MATCHED THEN DELETE;

COPY sale_log (id, region) FROM STDIN;

TRUNCATE sale_notes;

PREPARE p (text) AS DELETE FROM sale_notes WHERE id = $1::int;
EXECUTE p('x');

PREPARE p (int) AS UPDATE sales SET amount = 1 WHERE id = 1001 AND 1000 / $1 > amount;
SET plan_cache_mode = force_generic_plan;
EXECUTE p(0);

-- the count that a limit is held against
-- as: guarded
UPDATE sales SET amount = 5 WHERE region = 'us';

-- the rows that a limit is held against
-- as: guarded
DELETE FROM sale_notes WHERE id < 3 RETURNING id;

-- how often a setting was changed, by rows that are not there
SELECT count(*) FROM sales WHERE set_config('app.n', (coalesce(nullif(current_setting('app.n', true), ''), '0')::int + 1)::text, false) <> '';
SELECT current_setting('app.n', true);

SELECT sum(length(set_config('app.n', coalesce(current_setting('app.n', true), '') || id || ' ', false))) FROM sales WHERE amount > 0;
SELECT current_setting('app.n', true);

DELETE FROM sale_log WHERE set_config('app.n', coalesce(current_setting('app.n', true), '') || id || ' ', false) = '';
SELECT current_setting('app.n', true);

UPDATE sale_log SET n = length(set_config('app.n', coalesce(current_setting('app.n', true), '') || id || ' ', false)) WHERE region = 'us' OR id < 5;
SELECT current_setting('app.n', true);

SELECT count(*) FROM sales WHERE remember(id || ' ') <> '';
SELECT current_setting('app.seen', true);

DELETE FROM sale_log WHERE remember(id || ' ') = '';
SELECT current_setting('app.seen', true);
