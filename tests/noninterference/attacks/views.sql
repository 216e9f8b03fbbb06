--- Views that compute what nobody selects (L8), or whose rows go by masked values.
--- as: reader

SELECT * FROM v_plain ORDER BY id;

SELECT * FROM v_shown ORDER BY id;

SELECT id FROM v_shown WHERE salary > 500 ORDER BY id;

SELECT id FROM v_filter ORDER BY id;

SELECT count(*) FROM v_filter;

SELECT id FROM v_order;

SELECT id FROM v_order LIMIT 1;

SELECT id FROM v_limit ORDER BY id;

SELECT id FROM v_lock ORDER BY id;

SELECT count(*) FROM v_lock;

SELECT id FROM v_lock_of ORDER BY id;

SELECT id FROM v_materialized ORDER BY id;

SELECT 1 FROM v_materialized LIMIT 1;

SELECT id FROM v_volatile ORDER BY id;

SELECT count(*) FROM v_set;

SELECT count(*) FROM v_union;

SELECT id FROM v_union_all ORDER BY id;

SELECT count(*) FROM v_except;

SELECT id FROM v_window ORDER BY id;

SELECT id, n FROM v_row_number ORDER BY id;

SELECT id FROM v_row_number;

SELECT * FROM v_distinct ORDER BY tenant;

SELECT * FROM v_group ORDER BY tenant;

SELECT * FROM v_having ORDER BY tenant;

SELECT * FROM v_exists ORDER BY id;

SELECT id FROM v_sublink ORDER BY id;

SELECT id, x FROM v_sublink ORDER BY id;

SELECT id FROM v_lateral ORDER BY id;

SELECT id FROM v_join ORDER BY id;

SELECT id FROM v_left_join ORDER BY id;

SELECT id FROM v_offset ORDER BY id;

SELECT id FROM v_recursive ORDER BY id;

SELECT id FROM v_values ORDER BY id;

SELECT id FROM v_barrier ORDER BY id;

SELECT id FROM v_check ORDER BY id;

SELECT id, class FROM v_case ORDER BY id;

SELECT id FROM v_case ORDER BY id;

SELECT id, zero FROM v_constant ORDER BY id;

SELECT id FROM v_sample ORDER BY id;

SELECT place, id FROM v_ctid ORDER BY id;

SELECT id FROM v_function ORDER BY id;

SELECT seen FROM v_function WHERE id = 1;

SELECT * FROM v_system;

SELECT * FROM v_stats;

SELECT id FROM user_ids WHERE tenant = 5;

SELECT id FROM (SELECT * FROM v_plain) q ORDER BY id;

SELECT p.id FROM plain p JOIN v_filter v USING (id) ORDER BY p.id;

SELECT id FROM plain WHERE id IN (SELECT id FROM v_filter) ORDER BY id;

EXPLAIN SELECT id FROM v_filter;

EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF) SELECT id FROM part_ids WHERE id = 1;

-- as: writer
UPDATE v_plain SET note = 'x' WHERE id = 1;

-- as: writer
UPDATE v_filter SET note = 'x' RETURNING id;

-- as: writer
INSERT INTO v_check (id, note) VALUES (500, 'x');

-- as: writer
DELETE FROM v_shown WHERE salary > 500 RETURNING id;

-- as: writer
SELECT id FROM v_plain WHERE id < 5 FOR UPDATE;

SELECT * FROM by_rank ORDER BY id;

SELECT r FROM by_rank ORDER BY id;

SELECT id FROM by_rank ORDER BY r, id;

SELECT * FROM counted ORDER BY tenant;

SELECT * FROM counted;

SELECT ids FROM by_array ORDER BY tenant;

-- as: maker
REFRESH MATERIALIZED VIEW counted;

-- as: maker
REFRESH MATERIALIZED VIEW by_rank;
SELECT id FROM by_rank;

-- as: maker
CREATE VIEW leak AS SELECT id, salary FROM staff;
SELECT * FROM leak ORDER BY id;

-- as: maker
CREATE VIEW leak AS SELECT id FROM staff WHERE salary > 500;
SELECT * FROM leak ORDER BY id;

-- as: maker
CREATE MATERIALIZED VIEW leak AS SELECT id, salary FROM staff;
SELECT * FROM leak ORDER BY id;
