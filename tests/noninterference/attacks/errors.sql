--- Words of the server: errors and notices that quote rows, values or the statement as it was rewritten.

SELECT email::int FROM users WHERE id = 1;

SELECT to_number(ssn, '9') FROM staff WHERE id = 1;

SELECT ssn::date FROM staff WHERE id = 1;

SELECT ssn::json FROM staff WHERE id = 1;

SELECT ssn::inet FROM staff WHERE id = 1;

SELECT ssn::uuid FROM staff WHERE id = 1;

SELECT ssn::regclass FROM staff WHERE id = 1;

SELECT to_date(ssn, 'YYYY') FROM staff WHERE id = 1;

SELECT ssn::mood FROM staff WHERE id = 1;

SELECT salary::positive FROM staff WHERE id = 1;

SELECT chr(salary - 107) FROM staff WHERE id = 7;

SELECT factorial(salary) FROM staff WHERE id = 1;

SELECT 10 ^ salary FROM staff WHERE id = 1;

SELECT repeat('x', salary * 10000000) FROM staff WHERE id = 1;

SELECT sqrt(500 - salary) FROM staff ORDER BY id;

SELECT substring(ssn, 1, 500 - salary) FROM staff ORDER BY id;

SELECT regexp_replace(ssn, ssn, '[') FROM staff;

SELECT 'a' ~ ssn FROM staff WHERE id = 1;

SELECT 'a' ~ ('[' || ssn) FROM staff WHERE id = 1;

SELECT 'a' LIKE ssn ESCAPE ssn FROM staff WHERE id = 1;

SELECT ARRAY[1, 2][salary] FROM staff ORDER BY id;

SELECT (SELECT n FROM plain WHERE n < salary) FROM staff WHERE id = 1;

SELECT sum(salary::bigint * 9223372036854775807) FROM staff;

SELECT salary FROM staff GROUP BY id;

SELECT salry FROM staff;

SELECT s.salary FROM staff;

SELECT * FROM staf;

SELECT salary FROM staff WHERE;

SELECT id, salary FROM staff GROUP BY tenant;

SELECT sum(id) OVER (ORDER BY salary) FROM staff WHERE sum(id) > 1;

SELECT salary + ssn FROM staff;

SELECT upper(salary) FROM staff;

SELECT id FROM staff WHERE salary = 'x';

SELECT id FROM staff WHERE id = ROW(1);

SELECT id FROM staff ORDER BY 7;

INSERT INTO staff (id) VALUES (1);

INSERT INTO staff (id, tenant) VALUES (1, 1);

INSERT INTO plain (id) VALUES (1);

INSERT INTO plain (id, n) VALUES ('x', 1);

INSERT INTO plain (id, nothing) VALUES (1, 1);

INSERT INTO with_domain (id, d) VALUES (1, -5);

UPDATE staff SET tenant = NULL;

UPDATE plain SET id = 1;

UPDATE plain SET n = note::int;

UPDATE plain SET n = staff.ssn::int FROM staff WHERE staff.id = plain.id;

EXECUTE nothing;

FETCH 1 FROM nothing;

DEALLOCATE nothing;

CLOSE nothing;

ROLLBACK TO nothing;

SELECT 1 FROM plain WHERE id = 1 FOR UPDATE OF nothing;

BEGIN;
SELECT salary FROM staff ORDER BY id LIMIT 1;
SELECT 1 / 0;
SELECT 'x'::int;
ROLLBACK;

BEGIN;
UPDATE staff SET note = 'x' WHERE id = 1;
SELECT nothing;
ROLLBACK;

DO $$ BEGIN RAISE EXCEPTION '%', (SELECT salary FROM staff WHERE id = 1); END $$;

CREATE TEMP TABLE IF NOT EXISTS plain AS SELECT salary FROM staff;
CREATE TEMP TABLE IF NOT EXISTS plain AS SELECT salary FROM staff;

DROP TABLE IF EXISTS nothing_like_it;

SELECT '\x' || ssn::bytea FROM staff WHERE id = 1;

SELECT E'a\x00b';

SELECT convert_from(ssn::bytea, 'UTF8'), convert_to(ssn, 'LATIN1') FROM staff WHERE id = 1;

-- names that nothing has, and what is like them
SELECT emial, u.tennant FROM users u;

SELECT lowr(ssn) FROM staff;

SELECT ssn::txt FROM staff;

SELECT id FROM sttaff WHERE ssn > 'a';
