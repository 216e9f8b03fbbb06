--- Masked columns in every place of a query: what is compared, sorted, grouped or counted is the mask's output.
--- as: reader

SELECT * FROM staff ORDER BY id;

SELECT id FROM staff WHERE salary > 500;

SELECT id FROM staff WHERE ssn LIKE 'a%';

SELECT id FROM staff WHERE salary BETWEEN 200 AND 300 OR ssn ~ '^[0-4]';

SELECT count(*) FROM staff WHERE salary IN (107, 108);

SELECT id FROM staff WHERE (salary, ssn) > (500, 'a');

SELECT max(salary), min(ssn), sum(salary), avg(salary), stddev(salary) FROM staff;

SELECT tenant, max(salary) FROM staff GROUP BY tenant ORDER BY tenant;

SELECT salary, count(*) FROM staff GROUP BY salary ORDER BY salary;

SELECT tenant FROM staff GROUP BY tenant HAVING sum(salary) > 6000 ORDER BY tenant;

SELECT count(DISTINCT salary), count(DISTINCT ssn) FROM staff;

SELECT id FROM staff ORDER BY salary, id LIMIT 5;

SELECT id FROM staff ORDER BY salary DESC, ssn, id OFFSET 3 LIMIT 2;

SELECT id, rank() OVER (ORDER BY salary, id) FROM staff ORDER BY id;

SELECT id, salary - lag(salary) OVER (ORDER BY id) FROM staff ORDER BY id;

SELECT id, ntile(4) OVER (ORDER BY salary, id) FROM staff ORDER BY id;

SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY salary) FROM staff;

SELECT mode() WITHIN GROUP (ORDER BY salary) FROM staff;

SELECT id FROM staff s WHERE EXISTS (SELECT FROM staff t WHERE t.salary > s.salary) ORDER BY id;

SELECT a.id, b.id FROM staff a JOIN staff b ON a.salary = b.salary AND a.id < b.id WHERE a.id < 4 AND b.id < 4 ORDER BY 1, 2;

SELECT a.id FROM staff a JOIN staff b USING (ssn, id) ORDER BY 1;

SELECT id FROM staff NATURAL JOIN (SELECT 107 AS salary) x ORDER BY id;

SELECT id FROM staff WHERE salary = ANY (ARRAY[107, 200, 300]) ORDER BY id;

SELECT id FROM staff WHERE salary > ALL (SELECT n FROM plain WHERE id < 10) ORDER BY id;

SELECT id FROM staff WHERE salary = (SELECT max(salary) FROM staff) ORDER BY id;

SELECT CASE WHEN salary > 500 THEN 'rich' ELSE 'poor' END, id FROM staff ORDER BY id;

SELECT CASE salary WHEN 107 THEN 1 WHEN 108 THEN 2 END FROM staff ORDER BY id;

SELECT coalesce(nullif(salary, 107), -1), nullif(ssn, '') FROM staff ORDER BY id;

SELECT greatest(salary, 500), least(salary, 500), id FROM staff ORDER BY id;

SELECT 1 / (salary - 107) FROM staff WHERE id = 7;

SELECT id FROM staff WHERE 1 / (salary - 107) > 0 ORDER BY id;

SELECT CASE WHEN salary > 500 THEN 1 / 0 END FROM staff;

SELECT ssn::int FROM staff WHERE id = 1;

SELECT ('x' || salary)::int FROM staff WHERE id = 1;

SELECT salary::text::date FROM staff WHERE id = 1;

SELECT array_agg(salary ORDER BY id), string_agg(ssn, ',' ORDER BY id) FROM staff;

SELECT json_agg(staff ORDER BY id) FROM staff;

SELECT row_to_json(s) FROM staff s ORDER BY id LIMIT 2;

SELECT to_jsonb(s) -> 'salary' FROM staff s ORDER BY id LIMIT 2;

SELECT s::text FROM staff s ORDER BY id LIMIT 2;

SELECT s FROM staff s ORDER BY id LIMIT 2;

SELECT (s).salary, (s).* FROM staff s ORDER BY id LIMIT 2;

SELECT hashtext(s::text), md5(s::text) FROM staff s ORDER BY id;

SELECT s IS NULL, s IS NOT NULL, count(s) FROM staff s GROUP BY s;

SELECT s = t FROM staff s, staff t WHERE s.id = 1 AND t.id = 2;

SELECT s < t FROM staff s, staff t WHERE s.id = 1 AND t.id = 2;

SELECT s.id FROM staff s ORDER BY s LIMIT 3;

SELECT DISTINCT s FROM staff s WHERE id < 3 ORDER BY s;

SELECT pg_typeof(salary), pg_typeof(s) FROM staff s WHERE id = 1;

SELECT length(ssn), octet_length(ssn), bit_length(ssn), char_length(ssn) FROM staff ORDER BY id;

SELECT pg_column_size(ssn), pg_column_size(s) FROM staff s ORDER BY id;

SELECT t.* FROM (SELECT * FROM staff) t WHERE t.salary < 300 ORDER BY t.id;

SELECT q.x FROM (SELECT salary AS x, id FROM staff) q WHERE q.x > 500 ORDER BY q.id;

WITH s AS (SELECT * FROM staff) SELECT id FROM s WHERE salary > 500 ORDER BY id;

WITH RECURSIVE up AS (SELECT id, salary FROM staff WHERE id = 1 UNION ALL SELECT s.id, s.salary FROM staff s JOIN up ON s.id = up.id + 1 AND s.salary > 300) SELECT id FROM up ORDER BY id;

SELECT id, (SELECT count(*) FROM staff t WHERE t.salary < s.salary) FROM staff s ORDER BY id;

SELECT l.x FROM staff s, LATERAL (SELECT s.salary * 2 AS x) l ORDER BY s.id;

SELECT id FROM staff TABLESAMPLE SYSTEM (50) REPEATABLE (1) ORDER BY id;

SELECT id FROM staff TABLESAMPLE BERNOULLI (50) REPEATABLE (1) ORDER BY id;

SELECT unnest(ARRAY[salary, id]) FROM staff ORDER BY id LIMIT 4;

SELECT generate_series(1, salary % 3) FROM staff WHERE id < 10;

SELECT id FROM staff, generate_series(1, salary % 3) ORDER BY id;

SELECT x FROM staff, string_to_table(ssn, 'a') x WHERE id < 5;

SELECT id FROM staff LIMIT (SELECT salary % 5 FROM staff WHERE id = 1);

SELECT id FROM staff ORDER BY id OFFSET (SELECT salary % 5 FROM staff WHERE id = 1) LIMIT 1;

VALUES ((SELECT salary FROM staff WHERE id = 1), (SELECT ssn FROM staff WHERE id = 1));

TABLE staff;

SELECT id, salary FROM staff UNION SELECT id, 0 FROM plain WHERE id < 3 ORDER BY 1, 2;

SELECT id, salary FROM staff EXCEPT SELECT id, 500 FROM staff ORDER BY 1;

SELECT salary FROM staff INTERSECT SELECT n + 100 FROM plain ORDER BY 1;

SELECT GROUPING(salary), count(*) FROM staff GROUP BY ROLLUP (salary) ORDER BY 1, 2;

SELECT salary, ssn, count(*) FROM staff GROUP BY CUBE (salary, ssn) ORDER BY 1, 2, 3;

SELECT count(*) FILTER (WHERE salary > 500) FROM staff;

SELECT bool_or(salary > 990), every(salary > 101) FROM staff;

SELECT width_bucket(salary, 0, 1000, 10), count(*) FROM staff GROUP BY 1 ORDER BY 1;

SELECT corr(salary, id), regr_slope(salary, id) FROM staff;

SELECT ssn COLLATE "C" < 'm', id FROM staff ORDER BY id;

SELECT ssn ILIKE '%a%', ssn SIMILAR TO '[a-f]%', ssn ~* 'A' FROM staff ORDER BY id;

SELECT to_tsvector(ssn) @@ to_tsquery('a | b') FROM staff ORDER BY id;

SELECT ts_rank(to_tsvector(ssn), to_tsquery('a')) FROM staff ORDER BY id;

SELECT regexp_matches(ssn, '[a-f]') FROM staff ORDER BY id;

SELECT substring(ssn, 1, 1), left(ssn, 1), right(ssn, 1), ascii(ssn), reverse(ssn) FROM staff ORDER BY id;

SELECT encode(ssn::bytea, 'hex'), sha256(ssn::bytea) FROM staff ORDER BY id;

SELECT format('%s %L %I', ssn, ssn, ssn) FROM staff ORDER BY id;

SELECT jsonb_build_object('a', salary), json_build_array(ssn) FROM staff ORDER BY id;

SELECT (jsonb_each(to_jsonb(s))).value FROM staff s WHERE id = 1;

SELECT jsonb_path_query(to_jsonb(s), '$.salary ? (@ > 500)') FROM staff s;

SELECT int4range(0, salary) @> 500 FROM staff ORDER BY id;

SELECT salary::bit(10), salary # 1, ~salary, salary & 1, salary << 1 FROM staff ORDER BY id;

SELECT salary % 2 = 0, -salary, @ salary, |/ salary FROM staff ORDER BY id;

SELECT make_interval(days => salary), make_date(2000, 1 + salary % 12, 1) FROM staff ORDER BY id;

SELECT overlay(ssn PLACING 'x' FROM 1), position('a' IN ssn), trim(ssn), ssn || ssn FROM staff ORDER BY id;

SELECT id FROM partly WHERE addr LIKE 'a%' ORDER BY id;

-- of a mask that keeps something, what it keeps may show
SELECT id, addr, born, card, gone FROM partly ORDER BY id;

SELECT count(DISTINCT addr), count(DISTINCT born), count(gone) FROM partly;

SELECT addr, count(*) FROM partly GROUP BY addr ORDER BY addr;

SELECT id FROM partly WHERE born > '1985-06-01' ORDER BY id;

SELECT id FROM partly WHERE extract(doy FROM born) > 100 ORDER BY id;

SELECT id FROM partly WHERE card LIKE '1%' ORDER BY id;

SELECT date_trunc('month', born), age('2030-01-01'::date, born) FROM partly ORDER BY id;

SELECT id FROM partly WHERE gone IS NULL ORDER BY id;

SELECT id FROM partly WHERE gone = 'x' OR gone <> 'x' ORDER BY id;

-- a table without some of its columns
SELECT * FROM dropped ORDER BY id;

SELECT dropped FROM dropped ORDER BY id;

-- a composite column of a governed table's type
SELECT id, who FROM nested ORDER BY id;

SELECT (who).salary, (who).ssn FROM nested ORDER BY id;

SELECT id FROM nested WHERE (who).salary > 500 ORDER BY id;

SELECT nested FROM nested ORDER BY id;

SELECT email FROM other.users ORDER BY id;

SELECT u.email, o.email FROM public.users u JOIN other.users o USING (id) ORDER BY id;
