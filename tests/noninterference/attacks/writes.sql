--- Writes: what constraints, counts, RETURNING and conflicts tell about the rows that are there.

UPDATE staff SET note = 'x' WHERE salary > 500;

UPDATE staff SET note = 'x' WHERE salary > 500 RETURNING id;

UPDATE staff SET note = salary::text WHERE id < 4 RETURNING id, note;

UPDATE staff SET note = (SELECT salary::text) RETURNING note;

UPDATE staff SET note = (SELECT ssn FROM staff t WHERE t.id = staff.id) RETURNING note;

UPDATE staff s SET note = s.ssn RETURNING note;

UPDATE staff SET (note, tenant) = (SELECT ssn, salary FROM staff t WHERE t.id = staff.id) RETURNING note, tenant;

UPDATE staff SET note = t.ssn FROM staff t WHERE t.id = staff.id RETURNING staff.note;

UPDATE staff SET cap = 500;

UPDATE staff SET cap = 500 WHERE id = 1;

UPDATE staff SET salary = 100 WHERE id = 1;

UPDATE staff SET salary = salary WHERE id = 1;

UPDATE staff SET ssn = ssn;

UPDATE staff SET ssn = DEFAULT WHERE id = 1;

UPDATE staff SET tenant = NULL WHERE id = 1;

UPDATE staff SET tenant = NULL WHERE salary > 500;

UPDATE staff SET id = 1 WHERE id = 2;

UPDATE checked SET cap = 500;

UPDATE checked SET cap = cap WHERE id = 1;

UPDATE checked SET floor = 0 WHERE id = 1;

UPDATE checked SET note = 'x' WHERE id = 1;

UPDATE only_unique SET note = 'x' WHERE id = 1 RETURNING *;

UPDATE only_unique SET email = 'x@x.example' WHERE id = 1;

UPDATE partial_unique SET room = 2 WHERE id = 1;

UPDATE partial_unique SET note = 'x' WHERE id = 1;

UPDATE copies SET note = 'x' RETURNING *;

UPDATE copies SET email = NULL WHERE id = 1;

UPDATE plain SET note = staff.ssn FROM staff WHERE staff.id = plain.id RETURNING plain.note;

UPDATE plain SET n = salary FROM staff WHERE staff.id = plain.id AND salary > 500 RETURNING plain.id, plain.n;

UPDATE plain SET n = (SELECT count(*) FROM staff WHERE salary > plain.n * 10) RETURNING id, n;

UPDATE users SET tenant = 6 WHERE tenant = 5 RETURNING id, email;

UPDATE users SET email = 'x' WHERE id = 1;

UPDATE users SET note = email WHERE id < 3 RETURNING note;

UPDATE unique_users SET tenant = 6 WHERE tenant = 5;

UPDATE range_parts SET note = 'x' WHERE id = 1 RETURNING tableoid::regclass;

UPDATE range_parts SET pay = 1 WHERE id = 1;

UPDATE list_parts SET note = 'x' WHERE tenant = 3;

UPDATE range_low SET note = 'x';

UPDATE partly SET note = addr WHERE id = 1 RETURNING note;

UPDATE stamped SET n = 2 WHERE id = 1 RETURNING note;

UPDATE spied SET note = 'x' WHERE id = 1;

UPDATE walled SET note = 'x';

UPDATE measured SET note = 'x' WHERE pay > 1;

UPDATE human SET note = 'x' WHERE email > '5' RETURNING id;

UPDATE creature SET note = 'x' WHERE id < 10 RETURNING id;

UPDATE generated_users SET note = low WHERE id = 1 RETURNING note;

UPDATE generated_users SET email = 'x' WHERE id = 1 RETURNING low;

DELETE FROM staff WHERE salary > 500;

DELETE FROM staff WHERE salary > 500 RETURNING *;

DELETE FROM staff USING users WHERE users.id = staff.id AND users.salary > staff.salary RETURNING staff.id;

DELETE FROM only_unique WHERE id = 30;

DELETE FROM only_unique WHERE id = 1;

DELETE FROM users WHERE id = 1;

DELETE FROM range_parts WHERE tenant = 3 RETURNING id;

DELETE FROM plain WHERE n IN (SELECT salary - 100 FROM staff) RETURNING id;

DELETE FROM plain WHERE id = (SELECT salary % 100 FROM staff WHERE id = 1) RETURNING id;

DELETE FROM walled;

INSERT INTO staff (id, tenant, salary, ssn) VALUES (100, 1, 1, 'a') RETURNING *;

INSERT INTO staff (id, tenant, salary, cap) VALUES (100, 1, 600, 500);

INSERT INTO staff (id, tenant) VALUES (1, 1);

INSERT INTO staff (id, tenant) VALUES (1, 1) ON CONFLICT DO NOTHING RETURNING id;

INSERT INTO staff (id, tenant) VALUES (1, 1) ON CONFLICT (id) DO UPDATE SET note = staff.ssn RETURNING note;

INSERT INTO staff (id, tenant) VALUES (1, 1) ON CONFLICT (id) DO UPDATE SET note = 'x' WHERE staff.salary > 500 RETURNING id;

INSERT INTO staff (id, tenant) SELECT n, 1 FROM generate_series(1, 70) n ON CONFLICT (id) DO UPDATE SET note = 'x' WHERE staff.salary > 500;

INSERT INTO only_unique (id, email) VALUES (100, 'guess@x.example');

INSERT INTO only_unique (id, email) SELECT 100 + n, to_hex(n) || '@x.example' FROM generate_series(1, 9) n ON CONFLICT (email) DO NOTHING;

INSERT INTO only_unique (id, note) VALUES (100, 'no address');

INSERT INTO unique_users (id, tenant, email) VALUES (9000, 5, 'x') ON CONFLICT (tenant, email) DO NOTHING;

INSERT INTO partial_unique (id, room, ssn) VALUES (100, 1, '1');

INSERT INTO partial_unique (id, room, ssn) VALUES (100, 1, '9');

INSERT INTO copies (id, email) VALUES (100, 'x');

INSERT INTO plain SELECT id + 1000, salary, ssn, salary FROM staff RETURNING *;

INSERT INTO plain (id, note) SELECT 1000 + id, ssn FROM staff WHERE salary > 500 RETURNING id;

INSERT INTO plain_log (line) SELECT email FROM users WHERE id < 4 RETURNING line;

INSERT INTO plain_log (line) VALUES ((SELECT ssn FROM staff WHERE id = 1)) RETURNING line;

INSERT INTO plain (id, n) VALUES (1000, (SELECT salary FROM staff WHERE id = 1)) RETURNING n;

INSERT INTO plain (id, n) SELECT 1000, 1 / (salary - 107) FROM staff WHERE id = 7;

INSERT INTO range_parts (id, tenant, pay) VALUES (100, 1, 500) RETURNING tableoid::regclass;

INSERT INTO orders (id, user_id) VALUES (9999, 99999);

INSERT INTO orders (id, user_id, amount) SELECT 9000 + id, id, salary FROM staff WHERE id < 4 RETURNING amount;

INSERT INTO stamped VALUES (10, 'x', 1) RETURNING note;

INSERT INTO spied VALUES (10, 'x');

INSERT INTO with_domain (id, d) VALUES (10, -1);

INSERT INTO measured (id, pay) VALUES (100, 0.3) RETURNING pay;

MERGE INTO plain p USING staff s ON s.id = p.id AND s.salary > 500 WHEN MATCHED THEN UPDATE SET note = s.ssn;
SELECT id, note FROM plain WHERE id < 60 ORDER BY id;

MERGE INTO plain p USING staff s ON s.salary = p.n + 100 WHEN MATCHED THEN DELETE WHEN NOT MATCHED THEN DO NOTHING;

MERGE INTO staff s USING plain p ON p.id = s.id WHEN MATCHED AND s.salary > 500 THEN UPDATE SET note = 'x';

MERGE INTO staff s USING plain p ON p.id = s.id WHEN MATCHED AND s.salary > 500 THEN DELETE;

MERGE INTO staff s USING plain p ON p.id = s.salary - 100 WHEN NOT MATCHED THEN INSERT (id, tenant) VALUES (p.id + 1000, 1);

-- since: 17
MERGE INTO plain p USING staff s ON s.id = p.id WHEN MATCHED THEN UPDATE SET note = s.ssn RETURNING merge_action(), p.id, p.note, s.salary;

-- since: 17
MERGE INTO staff s USING plain p ON p.id = s.id WHEN MATCHED THEN UPDATE SET note = 'x' WHEN NOT MATCHED BY SOURCE THEN DELETE;

-- since: 18
UPDATE staff SET note = 'x' WHERE id = 1 RETURNING old.salary, new.salary, old, new;

-- since: 18
UPDATE staff SET note = 'x' WHERE id = 1 RETURNING WITH (OLD AS o, NEW AS n) o.ssn, n.ssn;

-- since: 18
DELETE FROM staff WHERE id = 1 RETURNING old.*, new.*;

WITH u AS (UPDATE staff SET note = 'x' WHERE salary > 500 RETURNING id, salary) SELECT count(*), max(salary) FROM u;

WITH d AS (DELETE FROM plain WHERE n IN (SELECT salary FROM staff) RETURNING *) SELECT count(*) FROM d;

WITH i AS (INSERT INTO plain_log (line) SELECT ssn FROM staff ORDER BY id RETURNING line) SELECT line FROM i ORDER BY line;

COPY staff FROM STDIN;
100	1	1	a	n	5000
SELECT id, salary FROM staff WHERE id = 100;

COPY only_unique (id, email) FROM STDIN;
100	guess@x.example

COPY plain (id, note) FROM STDIN;
1000	x

COPY plain_log (line) FROM STDIN WHERE line < (SELECT ssn FROM staff WHERE id = 1);
a

TRUNCATE staff;

LOCK TABLE staff IN ACCESS EXCLUSIVE MODE;

LOCK TABLE staff IN ACCESS SHARE MODE;

SELECT id FROM staff WHERE salary > 500 FOR UPDATE;

SELECT id FROM staff WHERE salary > 500 ORDER BY id FOR NO KEY UPDATE SKIP LOCKED;

DECLARE c CURSOR FOR SELECT id FROM staff WHERE salary > 500 FOR UPDATE;
FETCH 1 FROM c;
UPDATE staff SET note = 'x' WHERE CURRENT OF c RETURNING id;

DECLARE c CURSOR FOR SELECT id, salary FROM staff ORDER BY salary;
FETCH 3 FROM c;
MOVE FORWARD 2 FROM c;
FETCH BACKWARD 1 FROM c;
CLOSE c;

SELECT nextval('counter') FROM staff WHERE salary > 500;

SELECT setval('counter', (SELECT max(salary) FROM staff));

SELECT setval('counter', max(id)) FROM staff;

ALTER TABLE staff ADD COLUMN x int DEFAULT 1;

-- as: maker
ALTER TABLE staff ALTER COLUMN salary TYPE text USING salary::text;
SELECT salary FROM staff ORDER BY id;

-- as: maker
ALTER TABLE staff RENAME COLUMN salary TO plain_salary;
SELECT plain_salary FROM staff ORDER BY id;

-- as: maker
CREATE UNIQUE INDEX ON staff (ssn);

-- as: maker
CREATE UNIQUE INDEX ON staff (salary);

-- as: maker
ALTER TABLE staff ADD CHECK (salary < 990);

-- as: maker
ALTER TABLE staff ADD COLUMN copy int GENERATED ALWAYS AS (salary) STORED;
SELECT copy FROM staff ORDER BY id;

-- as: maker
CREATE TABLE loot AS SELECT id, salary FROM staff;
SELECT * FROM loot ORDER BY id;

-- as: maker
CREATE TABLE loot (LIKE staff INCLUDING ALL);
INSERT INTO loot SELECT * FROM staff;
SELECT * FROM loot ORDER BY id;

-- as: maker
CREATE FUNCTION loot() RETURNS int LANGUAGE sql AS 'SELECT salary FROM public.staff WHERE id = 1';
SELECT loot();

-- as: maker
CREATE RULE loot AS ON UPDATE TO plain DO ALSO SELECT salary FROM staff;
UPDATE plain SET n = 1 WHERE id = 1;

-- as: maker
CREATE TRIGGER loot AFTER UPDATE ON plain FOR EACH ROW EXECUTE FUNCTION spy();
UPDATE plain SET n = 1 WHERE id = 1;

-- as: maker
CREATE POLICY loot ON plain USING (id IN (SELECT id FROM staff WHERE salary > 500));
ALTER TABLE plain ENABLE ROW LEVEL SECURITY;
ALTER TABLE plain FORCE ROW LEVEL SECURITY;
SELECT id FROM plain ORDER BY id;

-- as: maker
ALTER TABLE own_rows DISABLE ROW LEVEL SECURITY;
SELECT id FROM own_rows ORDER BY id;

-- as: maker
CREATE STATISTICS s ON tenant, salary FROM staff;
ANALYZE staff;
SELECT id FROM staff WHERE tenant = 1 LIMIT 3;

-- as: maker
DROP TABLE staff;

-- as: maker
DO $$ BEGIN RAISE NOTICE '%', (SELECT salary FROM staff WHERE id = 1); END $$;

-- as: maker
GRANT SELECT ON staff TO PUBLIC;

-- as: maker
COMMENT ON COLUMN staff.salary IS 'x';

-- as: maker
CREATE INDEX ON plain (n);

INSERT INTO only_unique (id, email) SELECT 900, 'a';

INSERT INTO strictly_unique (id, note) VALUES (900, 'x');

INSERT INTO unique_by_default (id, note) VALUES (900, 'x');

INSERT INTO unique_by_default (id, email) VALUES (900, DEFAULT);

INSERT INTO unique_or_none (id, email) VALUES (900, NULL);

INSERT INTO only_unique (id, email) VALUES (900, NULL), (901, 'x@x.example');

-- a new row that a partial index looks at
INSERT INTO accounts (id, email, state) VALUES (100, 'guess', 'open');

INSERT INTO accounts (id, email, state) VALUES (100, 'guess', lower('OPEN'));

INSERT INTO accounts (id, email, active) VALUES (100, 'guess', true);

INSERT INTO kept (id, email) VALUES (100, 'guess');

UPDATE accounts SET state = 'open' WHERE id = 7;

-- as: maker
CREATE TABLE loot (LIKE users INCLUDING ALL);

-- as: maker
ALTER INDEX users_tenant_email RENAME TO loot;

-- as: maker
ALTER INDEX staff RENAME TO loot;

-- as: maker
CREATE STATISTICS loot ON (peek(id)), note FROM plain;
ANALYZE plain;
