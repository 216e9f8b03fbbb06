--- Names and scopes: whatever a name means to the server, it means to the gate.

WITH staff AS (SELECT 1 AS salary) SELECT salary FROM staff;

WITH staff AS (SELECT * FROM staff) SELECT salary FROM staff ORDER BY id;

WITH a AS (SELECT salary, id FROM staff), staff AS (SELECT 1 AS salary) SELECT salary FROM a ORDER BY id;

WITH staff AS (SELECT 1 AS id) SELECT salary FROM public.staff ORDER BY id;

WITH RECURSIVE staff AS (SELECT 1 AS id UNION ALL SELECT id + 1 FROM staff WHERE id < 3) SELECT * FROM staff;

SELECT x.a FROM staff AS x (a, b, c, d) WHERE c > 500 ORDER BY a;

SELECT x.salary FROM staff AS x (salary, id) ORDER BY 1;

SELECT salary FROM (SELECT id AS salary FROM staff) q ORDER BY 1;

SELECT "salary", "STAFF"."salary" FROM staff AS "STAFF" ORDER BY id;

SELECT SALARY FROM StAfF ORDER BY ID;

SELECT U&"s\0061lary" FROM staff ORDER BY id;

SELECT public.staff.salary FROM public.staff ORDER BY id;

SELECT twin.public.staff.salary FROM twin.public.staff ORDER BY id;

SELECT staff.salary.x FROM staff;

SELECT salary FROM ONLY staff ORDER BY id;

SELECT salary FROM staff * ORDER BY id;

SELECT j.salary FROM (staff JOIN plain USING (id)) AS j ORDER BY j.id;

SELECT j.* FROM staff JOIN plain USING (id) AS j ORDER BY j.id;

SELECT id FROM staff s WHERE EXISTS (SELECT FROM plain WHERE n = salary) ORDER BY id;

SELECT (SELECT salary) FROM staff ORDER BY id;

SELECT (SELECT s.salary FROM plain s LIMIT 1) FROM staff s;

SELECT (SELECT salary FROM plain WHERE plain.id = staff.id) FROM staff ORDER BY id;

SELECT s.ctid FROM staff s ORDER BY id;

SELECT tableoid::regclass, id FROM staff ORDER BY id;

SELECT xmin, cmin, xmax FROM staff ORDER BY id;

SELECT staff.id, plain.* FROM staff, plain WHERE staff.id = plain.id ORDER BY 1;

SELECT * FROM staff JOIN plain USING (id) ORDER BY id LIMIT 3;

SELECT * FROM (staff CROSS JOIN (SELECT 1 AS one) x) ORDER BY id LIMIT 3;

SELECT q.* FROM (SELECT s.*, s AS whole FROM staff s) q ORDER BY id LIMIT 3;

SELECT (q.whole).salary FROM (SELECT s AS whole FROM staff s) q ORDER BY (q.whole).id;

SELECT (ARRAY(SELECT s FROM staff s ORDER BY id))[1].salary;

SELECT (array_agg(s ORDER BY id))[1] FROM staff s;

SELECT ROW(s.*) FROM staff s ORDER BY id LIMIT 2;

SELECT ROW(s.*)::staff FROM staff s ORDER BY id LIMIT 2;

SELECT (SELECT s FROM staff s WHERE id = 1)::text;

SELECT to_json(ROW(s.salary, s.ssn)) FROM staff s ORDER BY id LIMIT 2;

SELECT s.row_to_json FROM staff s ORDER BY id LIMIT 2;

SELECT s.peek FROM staff s;

SELECT (id).peek FROM staff;

SELECT id.peek FROM staff;

SELECT salary FROM public.v_shown ORDER BY id;

SELECT v.salary FROM v_shown AS v (x, y, z, salary) ORDER BY x;

SELECT count(*) FROM staff, users WHERE staff.id = users.id AND staff.salary > users.salary;

SELECT * FROM other.users ORDER BY id;

SET search_path = other;
SELECT * FROM users ORDER BY id LIMIT 2;
SELECT id, tenant FROM public.users ORDER BY id LIMIT 2;

SET search_path = other, public;
SELECT email FROM users ORDER BY id LIMIT 2;
SELECT salary FROM staff ORDER BY id LIMIT 2;

SET search_path = '';
SELECT email FROM users LIMIT 1;
SELECT email FROM public.users ORDER BY id LIMIT 1;

SET search_path = pg_catalog;
SELECT email FROM public.users ORDER BY id LIMIT 1;

SET search_path = 'pg_temp, public';
SELECT email FROM users ORDER BY id LIMIT 1;

SELECT set_config('search_path', 'other', false);
SELECT * FROM users ORDER BY id LIMIT 1;

BEGIN;
SET LOCAL search_path = other;
SELECT * FROM users ORDER BY id LIMIT 1;
ROLLBACK;
SELECT id FROM users ORDER BY id LIMIT 1;

CREATE TEMP TABLE staff AS SELECT 1 AS id, 5 AS salary;
SELECT * FROM staff;
SELECT salary FROM public.staff ORDER BY id LIMIT 1;

CREATE TEMP TABLE loot AS SELECT id, salary, ssn FROM staff;
SELECT * FROM loot ORDER BY id;

SELECT id, salary INTO TEMP loot FROM staff;
SELECT * FROM loot ORDER BY id;

CREATE TEMP VIEW loot AS SELECT id, salary FROM staff;
SELECT * FROM loot ORDER BY id;

CREATE TEMP TABLE loot (LIKE staff INCLUDING ALL);
INSERT INTO loot SELECT * FROM staff;
SELECT * FROM loot ORDER BY id;

SELECT * FROM pg_temp.staff;

SELECT salary FROM "public"."staff" ORDER BY "id";

SELECT '' || salary AS id FROM staff ORDER BY id;

SELECT salary AS note FROM staff ORDER BY note, id;

SELECT id FROM staff GROUP BY id, salary ORDER BY salary, id;

SELECT id AS salary FROM staff ORDER BY salary;

SELECT id AS salary FROM staff GROUP BY salary ORDER BY 1;
