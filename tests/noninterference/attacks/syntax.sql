--- Syntax that the parser knows by bare names: each is printed anew beside governed tables, and means what it meant.
--- allowed
--- as: reader

SELECT id, x FROM staff, unnest(ARRAY[1, 2]) AS x WHERE id < 3 ORDER BY 1, 2;

SELECT s.id, a, b FROM staff s, unnest(ARRAY[1, 2], ARRAY['x', 'y']) AS t(a, b) WHERE s.id = a ORDER BY 1;

SELECT s.id, t.* FROM staff s, unnest(ARRAY[1, 2], ARRAY['x', 'y']) WITH ORDINALITY AS t(a, b, n) WHERE s.id = n ORDER BY 1;

SELECT s.id, t.* FROM staff s, ROWS FROM (unnest(ARRAY[1, 2]), generate_series(1, 2)) AS t(a, b) WHERE s.id = a ORDER BY 1;

SELECT extract(year FROM created), extract(epoch FROM created), salary FROM users WHERE id = 1;

SELECT overlay(note PLACING 'x' FROM 1 FOR 2), substring(note FROM 1 FOR 3), substring(note FROM 'n(o)te'), position('t' IN note) FROM staff WHERE id = 1;

SELECT trim(leading 'n' FROM note), trim(both FROM note), ltrim(note, 'n'), btrim(note) FROM staff WHERE id = 1;

SELECT created AT TIME ZONE 'UTC', created AT TIME ZONE 'Asia/Tokyo' FROM users WHERE id = 1;

-- since: 17
SELECT created AT LOCAL FROM users WHERE id = 1;

SELECT coalesce(note, 'x'), nullif(note, 'x'), greatest(id, 2), least(id, 2) FROM staff WHERE id = 1;

SELECT GROUPING(tenant), tenant, count(*) FROM staff GROUP BY ROLLUP (tenant) ORDER BY 1, 2;

SELECT COLLATION FOR (note), note COLLATE "C" FROM staff WHERE id = 1;

SELECT note LIKE 'n%', note NOT LIKE 'x%', note ILIKE 'N%', note SIMILAR TO 'n%', note LIKE 'n!%' ESCAPE '!' FROM staff WHERE id = 1;

SELECT id BETWEEN 1 AND 2, id BETWEEN SYMMETRIC 2 AND 1, id NOT BETWEEN 5 AND 6 FROM staff WHERE id = 1;

SELECT (created, created) OVERLAPS (created, created + interval '1 day') FROM users WHERE id = 1;

SELECT current_date IS NOT NULL, current_timestamp IS NOT NULL, localtime IS NOT NULL, current_user, session_user, current_catalog, current_schema FROM staff WHERE id = 1;

SELECT id IS DISTINCT FROM 2, id IS NOT DISTINCT FROM 1, active IS TRUE, active IS NOT UNKNOWN FROM users WHERE id = 1;

SELECT note IS NORMALIZED, normalize(note, NFC) FROM staff WHERE id = 1;

SELECT id IN (1, 2), id = ANY ('{1,2}'), id <> ALL (ARRAY[5]), (id, tenant) IN ((1, 1), (2, 2)) FROM staff WHERE id = 1;

SELECT ROW(id, note) = ROW(1, 'note 1'), (id, note) < (2, 'a'), ROW(id, note) IS NULL FROM staff WHERE id = 1;

SELECT ARRAY[id, 2], ARRAY[[1, id], [2, 3]], (ARRAY[1, 2, 3])[1:2], (ARRAY[id])[1] FROM staff WHERE id = 1;

SELECT id::text, CAST(id AS bigint), int4 '5', date '2030-01-01', interval '1' day, interval(0) '1.5' FROM staff WHERE id = 1;

SELECT CASE WHEN id = 1 THEN 'a' ELSE 'b' END, CASE id WHEN 1 THEN 'a' END FROM staff WHERE id < 3 ORDER BY id;

SELECT count(*), count(id) FILTER (WHERE id > 2), sum(DISTINCT tenant), string_agg(note, ',' ORDER BY id) FROM staff WHERE id < 5;

SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY id), rank(3) WITHIN GROUP (ORDER BY id) FROM staff;

SELECT sum(id) OVER (PARTITION BY tenant ORDER BY id ROWS BETWEEN 1 PRECEDING AND CURRENT ROW EXCLUDE TIES) FROM staff WHERE id < 6 ORDER BY id;

SELECT sum(id) OVER w, rank() OVER (w ORDER BY id) FROM staff WHERE id < 6 WINDOW w AS (PARTITION BY tenant) ORDER BY id;

SELECT sum(id) OVER (ORDER BY id RANGE BETWEEN 1 PRECEDING AND 1 FOLLOWING), sum(id) OVER (ORDER BY id GROUPS 1 PRECEDING) FROM staff WHERE id < 5 ORDER BY id;

SELECT id, note FROM staff WHERE id < 3 UNION ALL SELECT id, note FROM plain WHERE id < 3 ORDER BY 1, 2;

(SELECT id FROM staff WHERE id < 3) EXCEPT (SELECT 1) ORDER BY id;

SELECT * FROM (VALUES (1, 'a'), (2, 'b')) AS v (id, x) JOIN staff USING (id) ORDER BY id;

SELECT id FROM staff WHERE id < 5 ORDER BY id DESC NULLS LAST FETCH FIRST 2 ROWS ONLY;

SELECT DISTINCT ON (tenant) tenant, id FROM staff ORDER BY tenant, id;

WITH RECURSIVE t AS (SELECT id, tenant FROM staff WHERE id = 1 UNION ALL SELECT s.id, s.tenant FROM staff s JOIN t ON s.id = t.id + 1 WHERE s.id < 5) SEARCH DEPTH FIRST BY id SET o CYCLE id SET c USING p SELECT id FROM t ORDER BY o;

SELECT s.id, l.n FROM staff s CROSS JOIN LATERAL (SELECT count(*) AS n FROM orders o WHERE o.user_id = s.id) l WHERE s.id < 4 ORDER BY 1;

SELECT s.id FROM staff s LEFT JOIN plain p ON p.id = s.id RIGHT JOIN orders o ON o.id = s.id FULL JOIN users u ON u.id = s.id WHERE u.id < 3 ORDER BY 1;

SELECT doc -> 'a', doc ->> 'a', doc #> '{a}', doc @> '{"a": 1}', doc ? 'a', doc['a'], tags[1], tags || 'c'::text FROM nested ORDER BY id LIMIT 1;

SELECT jsonb_path_exists(doc, '$.a'), jsonb_set(doc, '{b}', '2'), doc - 'a' FROM nested ORDER BY id LIMIT 1;

-- since: 16
SELECT JSON_ARRAY(id, note), JSON_OBJECT('a': id), JSON_ARRAYAGG(id ORDER BY id), note IS JSON FROM staff WHERE id = 1 GROUP BY id, note;

-- since: 17
SELECT JSON_VALUE(doc, '$.a'), JSON_EXISTS(doc, '$.a'), JSON_QUERY(doc, '$'), JSON(note) FROM nested n JOIN (SELECT 1 AS id, '{}' AS note) x USING (id);

-- since: 17
SELECT s.id, j.a FROM staff s, JSON_TABLE('[{"a": 1}]', '$[*]' COLUMNS (a int PATH '$.a')) j WHERE s.id = j.a;

-- needs: libxml
SELECT xmlelement(name a, note), xmlforest(id AS i) FROM staff WHERE id = 1;

-- needs: libxml
SELECT s.id, x.a FROM staff s, xmltable('/r' PASSING xml '<r><a>1</a></r>' COLUMNS a int PATH 'a') x WHERE s.id = x.a;

-- locks on rows are for those who change rows, as on the server
-- as: writer
SELECT id FROM staff WHERE id = 1 FOR KEY SHARE;

SELECT E'a\nb' || note, U&'\0061', $$x$$, B'101', X'1F', 1e3, 0.5, 'it''s' FROM staff WHERE id = 1;

SELECT -id, +id, @ -id, id % 2, 2 ^ id, |/ 4, id || '' FROM staff WHERE id = 1;

SELECT note ~ '^n', note !~ 'x', note ~* 'N', note ^@ 'no', to_tsvector('simple', note) @@ to_tsquery('simple', 'note') FROM staff WHERE id = 1;

SELECT "id" AS "Select", note AS "from", tenant "order" FROM staff AS "table" WHERE "id" = 1;

SELECT $1::int + id FROM staff WHERE id = 1; -- $ 5

SELECT EXISTS (SELECT FROM staff WHERE id = 1), NOT EXISTS (SELECT 1 FROM staff WHERE id = 0);

SELECT id FROM staff WHERE (SELECT true) AND id = (SELECT min(id) FROM staff);

SELECT int4range(1, id) @> 1, '[1,2]'::int4range * '[2,3]'::int4range, daterange('2030-01-01', NULL) FROM staff WHERE id = 2;

SELECT generate_series(1, 2), id FROM staff WHERE id < 3 ORDER BY 2, 1;

SELECT id FROM generate_series('2030-01-01'::date, '2030-01-03', '1 day') d, staff WHERE id = 1;

SELECT s.* FROM staff s JOIN LATERAL jsonb_to_recordset('[{"a": 1}]') AS r(a int) ON r.a = s.id;

SELECT s.id, r.* FROM staff s, json_to_record('{"a": 1}') AS r(a int, b text) WHERE s.id = r.a;

-- as: writer
UPDATE staff SET note = u.x FROM unnest(ARRAY[1, 2], ARRAY['p', 'q']) AS u (id, x) WHERE staff.id = u.id RETURNING staff.id, staff.note;

-- as: writer
INSERT INTO plain_log (line, n) SELECT * FROM unnest(ARRAY['a', 'b'], ARRAY[1, 2]) RETURNING line, n;

-- as: writer
INSERT INTO staff (id, tenant) SELECT * FROM UNNEST(ARRAY[1001, 1002], ARRAY[1, 2]) RETURNING id;

-- as: writer
INSERT INTO plain_log (line) OVERRIDING USER VALUE VALUES (DEFAULT), ('x') RETURNING line;

-- as: writer
UPDATE plain SET (note, n) = ('x', 2), tenant = DEFAULT WHERE id = 1 RETURNING *;

-- as: writer
UPDATE nested SET tags[1] = 'z', doc['b'] = '2' WHERE id = 1 RETURNING tags, doc;

-- as: writer
DELETE FROM plain AS p USING staff s WHERE s.id = p.id AND p.id = 1 RETURNING p.id, s.note;

-- as: writer
INSERT INTO plain (id, note) VALUES (1, 'x') ON CONFLICT ON CONSTRAINT plain_pkey DO UPDATE SET note = excluded.note || plain.note RETURNING note;
