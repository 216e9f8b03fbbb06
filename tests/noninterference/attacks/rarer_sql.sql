--- Newer and rarer SQL over masked columns and hazards.
--- as: reader

-- since: 17
SELECT s.id, j.* FROM staff s, JSON_TABLE(to_jsonb(s), '$' COLUMNS (pay int PATH '$.salary', n text PATH '$.ssn', NESTED '$.note' COLUMNS (x text PATH '$'))) j ORDER BY s.id;

-- since: 17
SELECT JSON_VALUE(to_jsonb(s), '$.salary' RETURNING int DEFAULT -1 ON ERROR), JSON_EXISTS(to_jsonb(s), '$ ? (@.salary > $x)' PASSING 500 AS x) FROM staff s ORDER BY id;

-- since: 17
SELECT JSON_QUERY(jsonb_agg(s ORDER BY id), '$[*] ? (@.salary > 500).id' WITH WRAPPER) FROM staff s;

-- since: 17
SELECT JSON_SERIALIZE(JSON_SCALAR(salary) RETURNING bytea), JSON(ssn || '1' WITH UNIQUE KEYS) FROM staff WHERE id = 1;

-- since: 16
SELECT JSON_ARRAY(SELECT salary FROM staff ORDER BY id);

-- since: 16
SELECT JSON_ARRAY(SELECT id FROM users WHERE tenant = 5);

-- since: 16
SELECT JSON_ARRAYAGG(id) FROM users WHERE tenant = 5;

-- since: 16
SELECT JSON_OBJECTAGG(tenant: id) FROM users WHERE tenant = 5;

-- since: 16
SELECT JSON_OBJECTAGG(id: salary ABSENT ON NULL RETURNING jsonb) FROM staff;

SELECT jsonb_object_agg(tenant, id) FROM users WHERE tenant = 5;

SELECT json_object_agg(tenant, id) FROM users WHERE tenant = 5;

SELECT jsonb_object_agg(tenant, id) OVER (PARTITION BY tenant) FROM users WHERE tenant = 5;

-- since: 16
SELECT any_value(id) FROM users WHERE tenant = 5;

SELECT tenant, salary, count(*), GROUPING(tenant, salary) FROM staff GROUP BY GROUPING SETS ((tenant, salary), (salary), ()) ORDER BY 1, 2, 4;

SELECT tenant, (array_agg(id))[1] FROM users WHERE tenant < 5 GROUP BY GROUPING SETS ((tenant), ()) ORDER BY 1;

SELECT tenant, salary, max(ssn) FROM staff GROUP BY DISTINCT ROLLUP (tenant, salary), ROLLUP (tenant, ssn) ORDER BY 1, 2, 3;

SELECT x.* FROM staff s, LATERAL unnest(ARRAY[s.salary, s.id]) WITH ORDINALITY AS x(v, n) ORDER BY s.id, n;

SELECT id FROM users WHERE tenant = 5 ORDER BY tenant FETCH FIRST 1 ROW WITH TIES;

SELECT id FROM users WHERE tenant < 6 ORDER BY tenant FETCH FIRST 3 ROWS WITH TIES;

SELECT id FROM users WHERE tenant = 5 LIMIT (SELECT 1) OFFSET (SELECT 1);

SELECT id FROM staff ORDER BY salary USING >, id;

SELECT id FROM staff ORDER BY salary USING OPERATOR(pg_catalog.<), id LIMIT 3;

SELECT id, first_value(id) OVER w, nth_value(id, 2) OVER w, last_value(id) OVER w FROM users WHERE tenant = 5 WINDOW w AS (PARTITION BY tenant);

SELECT id, first_value(id) OVER (PARTITION BY tenant ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING EXCLUDE CURRENT ROW) FROM users WHERE tenant = 5;

SELECT id, cume_dist() OVER (ORDER BY salary), percent_rank() OVER (ORDER BY salary), dense_rank() OVER (ORDER BY ssn) FROM staff;

SELECT id, count(*) OVER (PARTITION BY salary), min(id) OVER (PARTITION BY ssn ORDER BY salary GROUPS BETWEEN 1 PRECEDING AND CURRENT ROW EXCLUDE GROUP) FROM staff;

SELECT id, sum(id) OVER (ORDER BY salary RANGE BETWEEN 50 PRECEDING AND 50 FOLLOWING EXCLUDE TIES) FROM staff;

SELECT id, lag(id, 1, -1) OVER (), lead(id) OVER () FROM users WHERE tenant = 5;

SELECT id, array_agg(id) OVER (ROWS BETWEEN 1 PRECEDING AND 1 FOLLOWING EXCLUDE CURRENT ROW) FROM users WHERE tenant = 5;

SELECT percentile_disc(ARRAY[0.1, 0.5, 0.9]) WITHIN GROUP (ORDER BY salary), percentile_disc(0.5) WITHIN GROUP (ORDER BY ssn) FROM staff;

SELECT rank(500) WITHIN GROUP (ORDER BY salary), dense_rank(500) WITHIN GROUP (ORDER BY salary), cume_dist('5') WITHIN GROUP (ORDER BY ssn) FROM staff;

SELECT range_agg(int4range(salary, salary + 10)), multirange(int4range(min(salary), max(salary) + 1)) FROM staff;

SELECT range_intersect_agg(int4range(0, salary)), range_merge(int4range(salary, salary + 1), int4range(0, 1)) FROM staff GROUP BY salary;

SELECT unnest(range_agg(int4range(salary, salary + 3))) FROM staff;

SELECT id FROM staff WHERE int4multirange(int4range(0, 500)) @> salary;

SELECT (id, salary, ssn) < (1, 500, 'a'), (salary, id) = (107, 7), ROW(salary) IS DISTINCT FROM ROW(107) FROM staff ORDER BY id;

SELECT (SELECT (salary, ssn) FROM staff WHERE id = 7) = (107, 'x');

SELECT id FROM staff WHERE (salary, id) = ANY (SELECT 107, 7);

SELECT FROM staff WHERE salary > 500;

SELECT jsonb_populate_record(s, '{"id": 1}') FROM staff s ORDER BY id LIMIT 2;

SELECT (jsonb_populate_record(s, '{"id": 1}')).salary FROM staff s ORDER BY id LIMIT 2;

-- needs: libxml
SELECT xmlagg(xmlelement(name s, xmlattributes(salary AS pay), ssn) ORDER BY id) FROM staff;

-- needs: libxml
SELECT x.* FROM staff s, XMLTABLE('/r' PASSING xmlelement(name r, xmlelement(name a, s.salary)) COLUMNS n FOR ORDINALITY, pay int PATH 'a') x ORDER BY s.id;

-- needs: libxml
SELECT xpath('/a/text()', xmlelement(name a, ssn)), xmlexists('/a' PASSING xmlelement(name a, ssn)), xml_is_well_formed(ssn) FROM staff WHERE id = 1;

-- needs: libxml
SELECT xmlagg(xmlelement(name i, id)) FROM users WHERE tenant = 5;

-- needs: libxml
SELECT xmlserialize(CONTENT xmlforest(salary, ssn) AS text), xmlpi(name x, ssn), xmlcomment(ssn), xmlconcat(xmlelement(name a, salary)) FROM staff WHERE id = 1;

SELECT ts_headline(ssn, 'a'), to_tsvector('simple', ssn), tsvector_to_array(to_tsvector('simple', ssn)), phraseto_tsquery('simple', ssn) FROM staff WHERE id < 4;

SELECT * FROM ts_debug('simple', (SELECT ssn FROM staff WHERE id = 1));

SELECT * FROM ts_parse('default', (SELECT ssn FROM staff WHERE id = 1));

SELECT ts_lexize('simple', ssn) FROM staff WHERE id < 3;

-- a recursion, breadth first
WITH RECURSIVE t(id) AS (SELECT id FROM users WHERE tenant = 5 UNION ALL SELECT id + 100000 FROM t WHERE id < 5000) SEARCH BREADTH FIRST BY id SET o SELECT id FROM t LIMIT 2;

WITH RECURSIVE t(id) AS (SELECT id FROM users WHERE tenant = 5 UNION ALL SELECT id + 100000 FROM t WHERE id < 5000) SELECT id FROM t LIMIT 1;

WITH RECURSIVE t AS (SELECT id, ARRAY[id] AS p FROM users WHERE id = 1 UNION ALL SELECT u.id, p || u.id FROM users u, t WHERE u.tenant = 5 AND u.id <> ALL (p) AND cardinality(p) < 2) SELECT * FROM t LIMIT 3;

SELECT p.id, l.* FROM plain p, LATERAL (SELECT id FROM users WHERE tenant = p.id LIMIT 1) l WHERE p.id < 4;

SELECT p.id, l.* FROM plain p LEFT JOIN LATERAL (SELECT u.id FROM users u WHERE u.tenant = p.id OFFSET 1 LIMIT 1) l ON true WHERE p.id < 4;

SELECT p.id, (SELECT u.id FROM users u WHERE u.tenant = p.id LIMIT 1), ARRAY(SELECT u.id FROM users u WHERE u.tenant = p.id) FROM plain p WHERE p.id < 4;

SELECT string_agg(id::text, ',') FILTER (WHERE id > 0), string_agg(DISTINCT tenant::text, ',') FROM users WHERE tenant = 5;

SELECT array_agg(ARRAY[id, tenant]) FROM users WHERE tenant = 5;

SELECT bit_xor(salary), bit_and(salary), bit_or(salary), bool_and(salary > 100), regr_count(salary, id), covar_pop(salary, id) FROM staff;

-- since: 17
SELECT random(1, salary) < 0, to_bin(salary), to_oct(salary), unicode_assigned(ssn), to_regtypemod(ssn) FROM staff WHERE id = 1;

-- since: 18
SELECT array_sort(array_agg(ssn)), array_reverse(array_agg(salary ORDER BY id)), casefold(max(ssn)), crc32(max(ssn)::bytea) FROM staff;

-- since: 18
SELECT array_reverse(array_agg(id)) FROM users WHERE tenant = 5;

-- since: 18
SELECT salary::bytea, gamma(salary / 100.0), lgamma(salary), reverse(ssn::bytea) FROM staff ORDER BY id;

-- since: 18
SELECT json_strip_nulls(to_json(s), true), jsonb_strip_nulls(to_jsonb(s)) FROM staff s WHERE id = 1;

-- as: writer
INSERT INTO plain_log (line, n) SELECT 'x', id FROM users WHERE tenant = 5;
SELECT id, n FROM plain_log ORDER BY id;

-- as: writer
INSERT INTO plain_log (line, n) SELECT 'x', id FROM users WHERE tenant = 5 RETURNING id, n;

-- as: writer
MERGE INTO plain_log l USING (SELECT id FROM users WHERE tenant = 5) u ON false WHEN NOT MATCHED THEN INSERT (line, n) VALUES ('x', u.id);
SELECT id, n FROM plain_log ORDER BY id;

-- as: writer
UPDATE plain SET n = (SELECT id FROM users WHERE tenant = plain.tenant LIMIT 1) WHERE id < 5 RETURNING id, n;

-- as: writer
UPDATE plain SET n = u.id FROM users u WHERE u.tenant = plain.tenant AND plain.id < 5 RETURNING plain.id, plain.n;

-- as: writer
INSERT INTO plain (id, n) SELECT tenant + 2000, id FROM users WHERE tenant < 3 ON CONFLICT DO NOTHING RETURNING id, n;
SELECT id, n FROM plain WHERE id >= 2000 ORDER BY id;

-- as: writer
UPDATE v_check SET note = 'x' WHERE id = 1;

-- as: writer
UPDATE v_filter SET note = 'x' WHERE id < 10 RETURNING id;

-- as: writer
UPDATE v_case SET id = id WHERE class = 'rich';

-- as: writer
-- since: 18
MERGE INTO staff s USING plain p ON p.id = s.id WHEN MATCHED THEN UPDATE SET note = 'x' RETURNING old.salary, new.salary, old.ssn, merge_action();

-- as: writer
-- since: 18
MERGE INTO staff s USING plain p ON p.id = s.id WHEN MATCHED AND p.id < 3 THEN DELETE RETURNING old, new, (old).salary;

-- as: writer
-- since: 18
INSERT INTO staff (id, tenant) VALUES (1, 1) ON CONFLICT (id) DO UPDATE SET note = 'x' RETURNING old.salary, old.ssn, new.salary, old.note;

-- as: writer
-- since: 18
INSERT INTO staff (id, tenant) VALUES (1, 1) ON CONFLICT (id) DO UPDATE SET note = 'x' RETURNING WITH (OLD AS salary) salary.salary, salary.id, (salary IS NULL);

-- as: writer
-- since: 18
UPDATE staff SET note = 'x' WHERE id < 4 RETURNING WITH (OLD AS o, NEW AS n) o.id, (SELECT max(t.salary) FROM staff t WHERE t.salary < o.salary), to_jsonb(o), n::text;

-- as: writer
UPDATE nested SET who.note = 'x' WHERE id = 1 RETURNING who;

-- as: writer
UPDATE nested SET tags[1] = (who).ssn WHERE id = 1 RETURNING tags;

-- as: writer
UPDATE nested SET tags = ARRAY[(who).salary::text] RETURNING tags;

-- as: writer
INSERT INTO nested (id, who) SELECT 50 + id, s FROM staff s WHERE id < 3 RETURNING (who).salary;

-- as: writer
INSERT INTO nested (id, who) SELECT 50 + id, ROW(s.*)::staff FROM staff s WHERE id < 3 RETURNING (who).salary;

-- as: writer
INSERT INTO plain (id, note) VALUES (1, 'x') ON CONFLICT (id) WHERE id > 0 DO UPDATE SET note = (SELECT ssn FROM staff WHERE staff.id = plain.id) WHERE plain.n < (SELECT max(salary) FROM staff) RETURNING note;

-- as: writer
INSERT INTO staff (id, tenant, note) VALUES (1, 1, 'a'), (2, 1, 'b') ON CONFLICT (id) DO UPDATE SET note = excluded.note || staff.salary WHERE EXISTS (SELECT FROM plain WHERE n < staff.salary) RETURNING id, note;

-- as: writer
INSERT INTO staff AS s (id, tenant) SELECT id, tenant FROM plain WHERE id < 5 ON CONFLICT ON CONSTRAINT staff_pkey DO UPDATE SET (note, tenant) = (SELECT s.ssn, 5) RETURNING s.*;

-- as: writer
UPDATE staff SET note = 'x' WHERE (SELECT salary > 500) RETURNING id;

-- as: writer
UPDATE staff SET tenant = tenant + (salary > 500)::int RETURNING id, tenant;

-- as: writer
UPDATE staff s SET note = t.note FROM (SELECT id, salary::text AS note FROM staff) t WHERE t.id = s.id AND s.id < 5 RETURNING s.note;

-- as: writer
UPDATE staff SET (note) = ROW(ssn) WHERE id < 3 RETURNING note;

-- as: writer
WITH s AS (SELECT id, salary FROM staff) UPDATE plain SET n = salary FROM s WHERE s.id = plain.id AND plain.id < 5 RETURNING n;

-- as: writer
WITH gone AS (DELETE FROM staff WHERE id < 10 RETURNING *), back AS (INSERT INTO plain (id, n, note) SELECT id + 3000, salary, ssn FROM gone RETURNING *) SELECT n, note FROM back ORDER BY id;

-- as: writer
WITH gone AS (DELETE FROM staff WHERE id < 10 RETURNING staff) SELECT gone.staff FROM gone;

-- as: writer
DELETE FROM plain p USING staff s WHERE s.id = p.id AND s.salary > 500 RETURNING p.id, s.salary, s;

-- as: writer
-- since: 18
COPY by_pay TO STDOUT;

-- as: writer
COPY (SELECT id FROM users WHERE tenant = 5) TO STDOUT WITH (FORMAT csv, FORCE_QUOTE (id));

-- as: writer
COPY (SELECT FROM staff WHERE salary > 500) TO STDOUT;

-- as: writer
-- needs: citext
SELECT ssn::citext = 'ABC', max(ssn::citext), regexp_match(ssn::citext, 'A') FROM staff GROUP BY ssn;

-- as: writer
-- needs: uuid-ossp
SELECT uuid_generate_v5(uuid_ns_url(), ssn) FROM staff WHERE id < 3;
