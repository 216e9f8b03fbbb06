--- The catalog changes under prepared statements, cursors and views (L2), and the moment after DDL of another session (L4).
--- commits

-- a view is replaced under a prepared statement
PREPARE p AS SELECT txt FROM changing ORDER BY id LIMIT 2;
EXECUTE p;
@b(dba): CREATE OR REPLACE VIEW changing AS SELECT id, email AS txt FROM changing_base;
SELECT txt FROM changing ORDER BY id LIMIT 2;
EXECUTE p;

-- a view is replaced by the server's owner, past the gate
PREPARE p AS SELECT txt FROM changing ORDER BY id LIMIT 2;
EXECUTE p;
@b(dba): CREATE OR REPLACE VIEW changing AS SELECT id, email AS txt FROM changing_base;
EXECUTE p;
SELECT count(*) FROM changing WHERE txt > '8';

-- a view that appears in an earlier schema of the path
SET search_path = other, public;
PREPARE p AS SELECT note FROM plain ORDER BY id LIMIT 1;
EXECUTE p;
@b(dba): CREATE VIEW other.plain AS SELECT id, ssn AS note FROM public.staff;
EXECUTE p;
SELECT note FROM plain ORDER BY id LIMIT 1;

-- a foreign key to a masked column appears
PREPARE p AS SELECT note FROM plain ORDER BY id LIMIT 1;
PREPARE q AS UPDATE plain SET n = 1 WHERE id = 1 RETURNING note;
EXECUTE p;
@b(dba): ALTER TABLE plain DROP CONSTRAINT plain_pkey;
@b(dba): UPDATE plain SET note = (SELECT email FROM only_unique u WHERE u.id = 1 + plain.id % 20);
@b(dba): ALTER TABLE plain ADD FOREIGN KEY (note) REFERENCES only_unique (email);
EXECUTE p;
EXECUTE q;
SELECT note FROM plain ORDER BY id LIMIT 1;

-- a trigger appears after PREPARE of an INSERT
PREPARE p AS INSERT INTO plain_log (line) VALUES ('x') RETURNING line;
EXECUTE p;
@b(dba): CREATE TRIGGER spy BEFORE INSERT ON plain_log FOR EACH ROW EXECUTE FUNCTION spy();
EXECUTE p;
INSERT INTO plain_log (line) VALUES ('x');

-- a function of a system function's name appears in the path
SET search_path = other, pg_catalog, public;
PREPARE p AS SELECT upper(note) FROM plain ORDER BY id LIMIT 1;
EXECUTE p;
@b(dba): CREATE FUNCTION other.upper(text) RETURNS text LANGUAGE sql AS 'SELECT public.peek(1)';
EXECUTE p;
SELECT upper(note) FROM plain ORDER BY id LIMIT 1;

-- an operator appears in the path
SET search_path = other, pg_catalog, public;
PREPARE p AS SELECT id FROM plain WHERE n = 5;
EXECUTE p;
@b(dba): CREATE FUNCTION other.same(int, int) RETURNS bool LANGUAGE sql AS $$ SELECT public.peek(1) < '83' $$;
@b(dba): CREATE OPERATOR other.= (FUNCTION = other.same, LEFTARG = int, RIGHTARG = int);
EXECUTE p;

-- a view takes the place of the table that a prepared statement reads
PREPARE p AS SELECT note FROM staff ORDER BY id LIMIT 1;
EXECUTE p;
@b(dba): ALTER TABLE staff RENAME COLUMN note TO old_note;
@b(dba): ALTER TABLE staff RENAME TO former;
@b(dba): CREATE VIEW staff AS SELECT id, ssn AS note FROM former;
EXECUTE p;
SELECT note FROM staff ORDER BY id LIMIT 1;

-- the masked column takes the name of another at once
@b(dba): ALTER TABLE staff RENAME COLUMN note TO old_note;
SELECT ssn FROM staff ORDER BY id LIMIT 1;
SELECT * FROM staff ORDER BY id LIMIT 1;

-- the moment after a view was replaced
SELECT txt FROM changing ORDER BY id LIMIT 1;
@b(dba): CREATE OR REPLACE VIEW changing AS SELECT id, email AS txt FROM changing_base;
SELECT txt FROM changing ORDER BY id LIMIT 1;

-- the moment after a view was replaced, by a session that opens then
@b(dba): CREATE OR REPLACE VIEW changing AS SELECT id, email AS txt FROM changing_base;
@c(reader): SELECT txt FROM changing ORDER BY id LIMIT 1;

-- the moment after a column was added
@b(dba): ALTER TABLE plain ADD COLUMN email text DEFAULT 'fresh@x.example';
SELECT email FROM plain ORDER BY id LIMIT 1;
SELECT * FROM plain ORDER BY id LIMIT 1;

-- the moment after a table was replaced by a view of the same name
@b(dba): ALTER TABLE plain RENAME TO plain_before;
@b(dba): CREATE VIEW plain AS SELECT id, tenant, ssn AS note, salary AS n FROM staff;
SELECT note, n FROM plain ORDER BY id LIMIT 2;
SELECT id FROM plain WHERE n > 500 ORDER BY id;

-- the moment after a trigger was made
@b(dba): CREATE TRIGGER spy BEFORE UPDATE ON plain FOR EACH ROW EXECUTE FUNCTION spy();
UPDATE plain SET n = 1 WHERE id = 1;

-- the moment after a rule was made
@b(dba): CREATE RULE r AS ON UPDATE TO plain DO INSTEAD SELECT ssn FROM staff ORDER BY id LIMIT 2;
UPDATE plain SET n = 1 WHERE id = 1;

-- the moment after a policy was made
@b(dba): CREATE POLICY p ON plain USING (id IN (SELECT id FROM staff WHERE salary > 500));
@b(dba): ALTER TABLE plain ENABLE ROW LEVEL SECURITY;
@b(dba): ALTER TABLE plain FORCE ROW LEVEL SECURITY;
SELECT id FROM plain ORDER BY id;

-- the moment after a function was replaced
SELECT slugify('A b');
@b(dba): CREATE OR REPLACE FUNCTION slugify(text) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT public.peek(1)';
SELECT slugify('A b');

-- the moment after a cast was made
@b(dba): CREATE FUNCTION mood_int(mood) RETURNS int LANGUAGE sql AS 'SELECT salary FROM public.staff WHERE id = 1';
@b(dba): CREATE CAST (mood AS int) WITH FUNCTION mood_int(mood) AS IMPLICIT;
SELECT m + 1 FROM with_domain ORDER BY id;
SELECT m::int FROM with_domain ORDER BY id;

-- the moment after a domain got a check
@b(dba): ALTER DOMAIN positive ADD CHECK (peek(1) < '83') NOT VALID;
SELECT 5::positive;
INSERT INTO with_domain (id, d) VALUES (9, 9);

-- the moment after a default was set
@b(dba): ALTER TABLE plain ALTER COLUMN note SET DEFAULT peek(1);
INSERT INTO plain (id) VALUES (1000) RETURNING note;

-- the moment after a generated column was made
@b(dba): ALTER TABLE staff ADD COLUMN copy text GENERATED ALWAYS AS (ssn || '') STORED;
SELECT copy FROM staff ORDER BY id LIMIT 1;
SELECT * FROM staff ORDER BY id LIMIT 1;

-- the moment after a partition by masked values was attached
@b(dba): CREATE TABLE range_parts_2 (id int, tenant int, pay int, note text) PARTITION BY RANGE (pay);
@b(dba): CREATE TABLE range_2_low PARTITION OF range_parts_2 FOR VALUES FROM (MINVALUE) TO (500);
@b(dba): CREATE TABLE range_2_high PARTITION OF range_parts_2 FOR VALUES FROM (500) TO (MAXVALUE);
@b(dba): INSERT INTO range_parts_2 SELECT id, tenant, salary, note FROM staff;
SELECT id FROM range_parts_2;
SELECT count(*) FROM range_2_low;

-- the moment after a table became a child of another
@b(dba): CREATE TABLE late (id int, tenant int, note text, email text);
@b(dba): INSERT INTO late SELECT id, tenant, note, ssn FROM staff;
@b(dba): CREATE INDEX ON late (tenant, email);
@b(dba): ALTER TABLE late INHERIT creature;
SELECT id FROM creature WHERE tenant = 3;
SELECT email FROM late ORDER BY id LIMIT 1;

-- the moment after an index over a masked column was made
@b(dba): CREATE INDEX ON staff (tenant, salary);
@b(dba): SET enable_seqscan = off;
SELECT id FROM staff WHERE tenant = 3 LIMIT 1;

-- the moment after a materialized view was made
@b(dba): CREATE MATERIALIZED VIEW fresh AS SELECT id, salary AS x FROM staff ORDER BY salary;
SELECT x FROM fresh ORDER BY id LIMIT 1;
SELECT id FROM fresh;

-- the moment after a copy under another name was made, governed by its new name
@b(dba): CREATE TABLE fresh AS SELECT id, salary FROM staff;
SELECT salary FROM fresh ORDER BY id LIMIT 1;

-- DDL in a transaction counts at its commit
@b(dba): BEGIN;
@b(dba): CREATE OR REPLACE VIEW changing AS SELECT id, email AS txt FROM changing_base;
@b(dba): COMMIT;
SELECT txt FROM changing ORDER BY id LIMIT 1;

-- DDL in a transaction that is rolled back
@b(dba): BEGIN;
@b(dba): CREATE OR REPLACE VIEW changing AS SELECT id, email AS txt FROM changing_base;
@b(dba): ROLLBACK;
SELECT txt FROM changing ORDER BY id LIMIT 1;

-- the session of the DDL sees its own change
@b(dba): BEGIN;
@b(dba): CREATE OR REPLACE VIEW changing AS SELECT id, email AS txt FROM changing_base;
@b(dba): SELECT count(*) FROM changing;
@b(dba): ROLLBACK;

-- DDL within a function call or DO
@b(dba): DO $$ BEGIN EXECUTE 'CREATE OR REPLACE VIEW changing AS SELECT id, email AS txt FROM changing_base'; END $$;
SELECT txt FROM changing ORDER BY id LIMIT 1;

-- DDL in a Query of several statements
@b(dba): SELECT 1; CREATE OR REPLACE VIEW changing AS SELECT id, email AS txt FROM changing_base; SELECT 2;
SELECT txt FROM changing ORDER BY id LIMIT 1;

-- a cursor that is open while the view changes
BEGIN;
DECLARE c CURSOR FOR SELECT txt FROM changing ORDER BY id;
FETCH 1 FROM c;
COMMIT;
@b(dba): CREATE OR REPLACE VIEW changing AS SELECT id, email AS txt FROM changing_base;
BEGIN;
DECLARE c CURSOR FOR SELECT txt FROM changing ORDER BY id;
FETCH 1 FROM c;
COMMIT;

-- a dropped column does not break SELECT *
SELECT * FROM plain ORDER BY id LIMIT 1;
@b(dba): ALTER TABLE plain DROP COLUMN n;
SELECT * FROM plain ORDER BY id LIMIT 1;

-- a table that is dropped and made again as a view with another meaning
PREPARE p AS SELECT note FROM plain ORDER BY id LIMIT 1;
EXECUTE p;
@b(dba): DROP TABLE plain CASCADE;
@b(dba): CREATE VIEW plain AS SELECT id, tenant, ssn AS note FROM staff;
EXECUTE p;

-- a schema takes another's name
@b(dba): ALTER SCHEMA other RENAME TO another;
@b(dba): CREATE SCHEMA other;
@b(dba): CREATE VIEW other.users AS SELECT id, email AS plain, email FROM public.users;
SELECT email FROM other.users ORDER BY id LIMIT 1;

-- the enum and the comparison of a type change
@b(dba): ALTER TYPE mood ADD VALUE 'wild';
SELECT m FROM with_domain ORDER BY m;

-- a statement of the old name waits for a lock while the view changes
BEGIN;
SELECT txt FROM changing ORDER BY id LIMIT 1;
COMMIT;
@b(dba): ALTER VIEW changing RENAME TO changed;
@b(dba): CREATE VIEW changing AS SELECT id, email AS txt FROM changing_base;
SELECT txt FROM changing ORDER BY id LIMIT 1;

-- what a transaction made and undid, and another made under its name
-- as: maker
BEGIN;
SAVEPOINT s;
CREATE TABLE fresh (id int, email text);
SELECT * FROM fresh;
ROLLBACK TO s;
@b(superuser): CREATE VIEW public.fresh AS SELECT id, email AS txt FROM public.users;
@b(superuser): GRANT SELECT ON public.fresh TO app;
SELECT * FROM fresh ORDER BY id LIMIT 1;
COMMIT;

-- the same, prepared
-- as: maker
BEGIN;
CREATE TABLE fresh (id int, txt text);
PREPARE p AS SELECT * FROM fresh ORDER BY id LIMIT 1;
EXECUTE p;
ROLLBACK;
@b(superuser): CREATE VIEW public.fresh AS SELECT id, email AS txt FROM public.users;
@b(superuser): GRANT SELECT ON public.fresh TO app;
EXECUTE p;

-- a table that was there already, unknown to the gate
-- as: maker
@b(superuser): CREATE VIEW public.fresh AS SELECT id, email AS txt FROM public.users;
@b(superuser): GRANT SELECT ON public.fresh TO app;
BEGIN;
CREATE TABLE IF NOT EXISTS fresh (id int);
SELECT * FROM fresh ORDER BY id LIMIT 1;
COMMIT;

-- another of its name in another schema of the path
-- as: maker
@b(superuser): CREATE VIEW other.fresh AS SELECT id, email AS txt FROM public.users;
@b(superuser): GRANT SELECT ON other.fresh TO app;
BEGIN;
CREATE TABLE fresh (id int);
SET LOCAL search_path = other, public;
SELECT * FROM fresh ORDER BY id LIMIT 1;
COMMIT;

-- a view of what is in the order of masked values, in the transaction that makes it
-- as: maker
BEGIN;
CREATE VIEW fresh AS SELECT id FROM user_ids WHERE tenant = 5;
SELECT id FROM fresh LIMIT 1;
EXPLAIN (COSTS) SELECT id FROM fresh;
ROLLBACK;

-- a materialized view of that
-- as: maker
BEGIN;
CREATE MATERIALIZED VIEW fresh AS SELECT id FROM user_ids WHERE tenant = 5;
SELECT id FROM fresh LIMIT 1;
ROLLBACK;

-- in one text
-- as: maker
-- simple
CREATE VIEW fresh AS SELECT id FROM user_ids WHERE tenant = 5; SELECT id FROM fresh LIMIT 1;

-- what a transaction made, filled from masked columns, read before its commit
-- as: maker
-- allowed
BEGIN;
CREATE TABLE public.mart AS SELECT id, ssn, salary FROM staff;
SELECT * FROM public.mart ORDER BY id;
INSERT INTO public.mart SELECT id + 1000000, note FROM staff;
CREATE INDEX ON public.mart (ssn);
SELECT ssn FROM public.mart ORDER BY id LIMIT 3;
ALTER TABLE public.mart RENAME TO mart2;
SELECT max(salary) FROM public.mart2;
ROLLBACK;

-- what a transaction made is undone, and another has its name before the statement that read it runs again
-- as: maker
BEGIN;
SAVEPOINT a;
CREATE TABLE public.mart (id int, note text);
PREPARE p AS SELECT note FROM public.mart;
EXECUTE p;
ROLLBACK TO a;
@b(dba): CREATE VIEW public.mart AS SELECT id, ssn AS note FROM public.staff;
SELECT note FROM public.mart ORDER BY id LIMIT 1;
EXECUTE p;
COMMIT;
EXECUTE p;
@b(dba): DROP VIEW public.mart;

-- what a transaction would have made is another's, already there
-- as: maker
@b(dba): CREATE VIEW public.mart AS SELECT id, ssn AS note FROM public.staff;
BEGIN;
CREATE TABLE IF NOT EXISTS public.mart (id int, note text);
SELECT note FROM public.mart ORDER BY id LIMIT 1;
ROLLBACK;
CREATE TABLE public.mart (id int, note text); SELECT note FROM public.mart ORDER BY id LIMIT 1;
@b(dba): DROP VIEW public.mart;

-- a function of a system function's name appears in the schema that comes first
SET search_path = public, pg_catalog;
PREPARE p AS SELECT upper(note) FROM plain ORDER BY id LIMIT 1;
EXECUTE p;
@b(dba): CREATE FUNCTION public.upper(text) RETURNS text LANGUAGE sql AS 'SELECT public.peek(1)';
EXECUTE p;
SELECT upper(note) FROM plain ORDER BY id LIMIT 1;

-- a cursor that outlives its transaction while the view changes
BEGIN;
DECLARE c CURSOR WITH HOLD FOR SELECT txt FROM changing ORDER BY id;
FETCH 1 FROM c;
COMMIT;
@b(dba): CREATE OR REPLACE VIEW changing AS SELECT id, email AS txt FROM changing_base;
FETCH 1 FROM c;
DECLARE d CURSOR WITH HOLD FOR SELECT txt FROM changing ORDER BY id;
FETCH 1 FROM d;

-- a function that reads a view which changes
PREPARE p AS SELECT first_text();
EXECUTE p;
SELECT first_text();
@b(dba): CREATE OR REPLACE VIEW changing AS SELECT id, email AS txt FROM changing_base;
EXECUTE p;
SELECT first_text();
