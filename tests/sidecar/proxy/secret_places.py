"""Places of statements, and of what surrounds them, where somebody may have typed a secret."""

from __future__ import annotations

# In each, {} stands for the secret, a word of letters and digits, so that it can stand without quotes as well.
ROLES = """
ALTER ROLE bob PASSWORD '{}'
ALTER ROLE bob WITH PASSWORD '{}'
ALTER ROLE bob WITH ENCRYPTED PASSWORD '{}'
ALTER ROLE bob WITH UNENCRYPTED PASSWORD '{}'
ALTER ROLE bob PASSWORD E'{}'
ALTER ROLE bob PASSWORD U&'{}'
ALTER ROLE bob PASSWORD N'{}'
ALTER ROLE bob PASSWORD $${}$$
ALTER ROLE bob PASSWORD $a${}$a$
ALTER ROLE bob PASSWORD {}
ALTER ROLE bob PASSWORD "{}"
ALTER ROLE bob PASSWORD = '{}'
ALTER ROLE bob PASSWORD('{}')
ALTER ROLE bob VALID UNTIL '{}'
ALTER ROLE bob LOGIN '{}'
ALTER ROLE bob SET app.token TO {}
ALTER ROLE bob SET app.token = "{}"
ALTER ROLE bob IN DATABASE shop SET app.token TO {}
ALTER ROLE ALL SET app.token TO {}
ALTER USER bob PASSWORD '{}'
ALTER USER bob IDENTIFIED BY '{}'
ALTER USER bob IDENTIFIED BY {}
ALTER USER CURRENT_USER WITH PASSWORD '{}'
ALTER ROLE bob {}
ALTER GROUP bob PASSWORD '{}'
CREATE USER bob '{}'
CREATE USER bob WITH PASSWORD '{}' IN ROLE penstock
CREATE USER bob WITH LOGIN PASSWORD {}
CREATE USER bob SYSID {}
CREATE ROLE bob LOGIN PASSWORD '{}' VALID UNTIL 'infinity'
CREATE ROLE bob PASSWORD '{}' /* {} */
CREATE GROUP bob PASSWORD '{}'
SET password_encryption TO {}
SET PASSWORD FOR bob = '{}'
SET PASSWORD = {}
GRANT ALL ON told.people TO bob IDENTIFIED BY '{}'
"""
FOREIGN = """
CREATE USER MAPPING FOR bob SERVER s OPTIONS (user 'bob', password '{}')
CREATE USER MAPPING FOR PUBLIC SERVER s OPTIONS (password $${}$$)
CREATE USER MAPPING FOR bob SERVER s OPTIONS (password {})
CREATE USER MAPPING FOR bob SERVER s OPTIONS (password = '{}')
ALTER USER MAPPING FOR bob SERVER s OPTIONS (SET password '{}')
ALTER USER MAPPING FOR bob SERVER s OPTIONS (ADD password {})
CREATE SERVER s FOREIGN DATA WRAPPER f OPTIONS (host 'h', password '{}')
CREATE SERVER s TYPE '{}' VERSION '{}' FOREIGN DATA WRAPPER f
ALTER SERVER s OPTIONS (SET password '{}')
CREATE FOREIGN DATA WRAPPER f OPTIONS (token '{}')
CREATE FOREIGN TABLE told.f (a int OPTIONS (token '{}')) SERVER s OPTIONS (token '{}')
ALTER FOREIGN TABLE told.f OPTIONS (SET token '{}')
IMPORT FOREIGN SCHEMA a FROM SERVER s INTO told OPTIONS (token '{}')
CREATE SUBSCRIPTION s CONNECTION 'host=h password={}' PUBLICATION p
CREATE SUBSCRIPTION s CONNECTION {} PUBLICATION p
CREATE SUBSCRIPTION s CONNECTION 'host=h' PUBLICATION p WITH (slot_name = {})
CREATE SUBSCRIPTION s CONNECTION 'host=h' PUBLICATION p WITH (slot_name = '{}')
ALTER SUBSCRIPTION s CONNECTION 'host=h password={}'
ALTER SUBSCRIPTION s SET (slot_name = {})
ALTER SUBSCRIPTION s SET (slot_name = '{}')
SELECT dblink_connect('host=h user=u password={}')
SELECT dblink_connect('c', 'postgresql://u:{}@h/shop')
SELECT * FROM dblink('password={}', 'SELECT 1') AS t(a int)
SELECT * FROM dblink_exec('password=x', 'UPDATE t SET a = ''{}''')
SELECT dblink('postgresql://u:{}@h/shop', 'SELECT 1')
"""
COPIES = """
COPY told.people TO PROGRAM 'curl -u u:{} http://h'
COPY told.people FROM PROGRAM 'curl -H "Authorization: {}" http://h'
COPY told.people TO PROGRAM $x$curl {}$x$
COPY told.people TO PROGRAM {}
COPY told.people TO PROGRAM "{}"
COPY told.people FROM '/tmp/{}'
COPY (SELECT '{}') TO STDOUT
COPY (SELECT id FROM told.people WHERE email = '{}') TO STDOUT
COPY told.people TO STDOUT (NULL '{}')
COPY told.people TO STDOUT (NULL {})
COPY told.people TO STDOUT (NULL "{}")
COPY told.people TO STDOUT (FORMAT csv, DELIMITER {})
COPY told.people TO STDOUT (FORMAT {})
COPY told.people TO STDOUT (FORMAT '{}')
COPY told.people TO STDOUT (HEADER {})
COPY told.people TO STDOUT (ENCODING {})
COPY told.people TO STDOUT (ENCODING '{}')
COPY told.people TO STDOUT (FORMAT csv, FORCE_QUOTE {})
COPY told.people TO STDOUT (token {})
COPY told.people TO STDOUT (token (a, {}))
COPY told.people TO STDOUT WITH NULL AS '{}'
COPY told.people TO STDOUT NULL {}
COPY told.people TO STDOUT CSV QUOTE '{}'
COPY told.people TO STDOUT DELIMITERS '{}'
COPY told.people TO STDOUT USING DELIMITERS '{}' WITH NULL AS '{}'
"""
SETTINGS = """
SET app.token TO {}
SET app.token = '{}'
SET app.token = E'{}'
SET app.token = "{}"
SET app.token TO a, {}
SET app.token TO a, '{}', {}
SET SESSION app.token = {}
SET LOCAL app.token = {}
set local App.Token = {}
SET "app"."token" TO {}
SET app.token TO -{}
SET app.token {}
SET TIME ZONE {}
SET TIME ZONE '{}'
SET TIME ZONE INTERVAL '{}'
SET LOCAL TIME ZONE {}
SET TIMEZONE TO {}
SET NAMES '{}'
SET NAMES {}
SET SCHEMA '{}'
SET search_path = '{}'
SET client_encoding = '{}'
SET client_encoding TO {}
SET application_name = '{}'
SET application_name TO {}
SET datestyle TO {}
SET statement_timeout = '{}'
SET statement_timeout TO {}
SET SEED TO '{}'
SET XML OPTION {}
SET TRANSACTION SNAPSHOT '{}'
SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL {}
SET ROLE '{}'
SET SESSION AUTHORIZATION '{}'
SET default_transaction_isolation TO {}
SELECT set_config('app.token', '{}', false)
SELECT set_config('{}', '{}', false)
SELECT pg_catalog.set_config('client_encoding', '{}', true)
SELECT current_setting('{}')
ALTER DATABASE shop SET app.token TO {}
ALTER DATABASE shop SET app.token = '{}'
ALTER SYSTEM SET primary_conninfo = 'password={}'
ALTER SYSTEM SET app.token TO {}
ALTER FUNCTION f() SET app.token TO {}
ALTER TABLE told.people SET (autovacuum_enabled = {})
ALTER TABLE told.people SET (fillfactor = '{}')
ALTER TABLE told.people ALTER COLUMN email SET (n_distinct = {})
CREATE TABLE told.t (a int) WITH (fillfactor = {})
CREATE TABLE told.t (a int) WITH (fillfactor = '{}')
CREATE INDEX ON told.people (id) WITH (fillfactor = {})
CREATE VIEW told.v WITH (security_barrier = {}) AS SELECT 1
CREATE TEXT SEARCH DICTIONARY told.d (TEMPLATE = simple, StopWords = '{}')
CREATE TEXT SEARCH DICTIONARY told.d (TEMPLATE = simple, StopWords = {})
ALTER TEXT SEARCH DICTIONARY told.d (StopWords = {})
CREATE COLLATION told.c (LOCALE = '{}')
CREATE COLLATION told.c (PROVIDER = {})
CREATE DATABASE other TEMPLATE = '{}'
CREATE DATABASE other ENCODING '{}' LOCALE '{}'
CREATE DATABASE other LOCALE {} ENCODING = {}
CREATE EXTENSION e WITH SCHEMA told VERSION {}
ALTER EXTENSION e UPDATE TO {}
EXPLAIN CREATE TABLE told.t WITH (fillfactor = {}) AS SELECT 1
ALTER SUBSCRIPTION s SKIP (lsn = {})
CREATE TYPE told.b (INPUT = boolin, OUTPUT = boolout, DEFAULT = {})
CREATE TABLESPACE s LOCATION '/x/{}'
"""
LITERALS = """
SELECT '{}'
SELECT "id", '{}' FROM told.people
SELECT E'{}\\'
SELECT E'{}\\n{}'
SELECT U&'{}'
SELECT U&'{}!0041' UESCAPE '!'
SELECT B'{}'
SELECT X'{}'
SELECT N'{}'
SELECT $${}$$
SELECT $tag${}$tag$
SELECT $tag$ $${}$$ $tag$
SELECT $ü${}$ü$
SELECT 'a'
 '{}'
SELECT 'it''s {}'
SELECT text '{}'
SELECT timestamptz '{}'
SELECT interval '{}'
SELECT interval(3) '{}'
SELECT '{}'::int
SELECT CAST('{}' AS int)
SELECT '{}'::told.nothing
SELECT ARRAY['{}']
SELECT '{"password": "{}"}'::jsonb ->> 'password'
SELECT xmlparse(DOCUMENT '<a>{}</a>')
SELECT 1{}
SELECT 0x{}
SELECT 1.5e{}
SELECT '{}' AS a UNION SELECT '{}' ORDER BY 1
SELECT id FROM told.people WHERE email LIKE '%{}%'
SELECT id FROM told.people WHERE email IN ('{}', '{}')
SELECT id FROM told.people WHERE email ~ '{}'
SELECT id FROM told.people WHERE id = '{}'
SELECT id FROM told.people ORDER BY email = '{}' LIMIT 1
SELECT count(*) FILTER (WHERE email = '{}') FROM told.people
SELECT CASE WHEN true THEN '{}' END
SELECT extract('{}' FROM now())
SELECT now() AT TIME ZONE '{}'
SELECT position('{}' IN 'a'), overlay('a' PLACING '{}' FROM 1), trim(both '{}' FROM 'a')
SELECT encode(digest('{}', 'sha1'), 'hex')
SELECT pgp_sym_encrypt('a', '{}')
SELECT crypt('{}', gen_salt('bf'))
SELECT nextval('{}')
SELECT '{}'::regclass
SELECT to_regclass('{}')
SELECT pg_read_file('{}')
SELECT lo_import('{}')
SELECT pg_notify('a', '{}')
SELECT pg_notify('{}', 'a')
SELECT query_to_xml('SELECT ''{}''', true, true, '')
SELECT nothing('{}')
SELECT nothing FROM told.people WHERE email = '{}'
SELECT id FROM told.nothing WHERE email = '{}'
SELECT format('%s', '{}'), 1/0
VALUES ('{}')
TABLE told.people LIMIT '{}'
INSERT INTO told.people (id, email) VALUES (1, '{}')
INSERT INTO told.people (id, email) VALUES ('{}', 'a')
INSERT INTO told.people (id, email) SELECT 200, '{}' RETURNING email
INSERT INTO told.people (id, email) VALUES (2, 'a') ON CONFLICT (id) DO UPDATE SET email = '{}'
UPDATE told.people SET email = '{}' WHERE id = 3
UPDATE told.people SET id = 1 WHERE email = '{}' OR id < 4
DELETE FROM told.people WHERE email = '{}'
MERGE INTO told.people USING (SELECT 1 AS i) s ON id = i WHEN MATCHED THEN UPDATE SET email = '{}'
WITH d AS (SELECT '{}' AS a) SELECT * FROM d
WITH d AS (UPDATE told.people SET email = '{}' WHERE id = 5 RETURNING id) SELECT * FROM d
EXPLAIN SELECT '{}'
EXPLAIN (FORMAT {}) SELECT 1
EXPLAIN (FORMAT '{}') SELECT 1
EXPLAIN (PENSTOCK) SELECT email FROM told.people WHERE email = '{}'
EXPLAIN ANALYZE DELETE FROM told.people WHERE email = '{}'
VACUUM (INDEX_CLEANUP {}) told.people
REINDEX (TABLESPACE '{}') TABLE told.people
DECLARE c CURSOR WITH HOLD FOR SELECT '{}'
PREPARE p AS SELECT '{}'
PREPARE q (text) AS SELECT $1
EXECUTE q('{}')
EXECUTE nothing('{}')
CREATE TABLE told.c AS SELECT '{}'::text
CREATE TABLE told.e AS EXECUTE q('{}')
CREATE TABLE told.d (a text DEFAULT '{}')
CREATE TABLE told.g (a text CHECK (a <> '{}'), b text GENERATED ALWAYS AS (a || '{}') STORED)
CREATE TABLE told.h PARTITION OF told.people FOR VALUES IN ('{}')
ALTER TABLE told.people ALTER COLUMN email SET DEFAULT '{}'
CREATE INDEX ON told.people (id) WHERE email = '{}'
CREATE POLICY p ON told.people USING (email = '{}')
CREATE POLICY p ON told.people AS {} USING (true)
CREATE CONSTRAINT TRIGGER t AFTER INSERT ON told.people DEFERRABLE EXECUTE PROCEDURE f(a, {})
CREATE VIEW told.w AS SELECT '{}'
CREATE RULE r AS ON INSERT TO told.people DO INSTEAD UPDATE told.people SET email = '{}'
CREATE TRIGGER t AFTER INSERT ON told.people EXECUTE FUNCTION f('{}')
CREATE TRIGGER t AFTER INSERT ON told.people EXECUTE FUNCTION f({})
CREATE DOMAIN told.o AS text CHECK (VALUE <> '{}')
CREATE TYPE told.m AS ENUM ('{}')
ALTER TYPE told.m ADD VALUE '{}'
CREATE AGGREGATE told.a (text) (SFUNC = textcat, STYPE = text, INITCOND = '{}')
CREATE AGGREGATE told.a (text) (SFUNC = textcat, STYPE = text, INITCOND = {})
COMMENT ON TABLE told.people IS '{}'
SECURITY LABEL ON TABLE told.people IS '{}'
NOTIFY a, '{}'
LOAD '{}'
PREPARE TRANSACTION '{}'
COMMIT PREPARED '{}'
ROLLBACK PREPARED '{}'
DO $${}$$
DO 'BEGIN PERFORM ''{}''; END'
DO $$BEGIN PERFORM '{}'; END$$
DO $$BEGIN RAISE EXCEPTION '{}'; END$$
DO LANGUAGE plpgsql $$BEGIN EXECUTE 'SELECT ''{}'''; END$$
CREATE FUNCTION told.f() RETURNS text LANGUAGE sql AS $$SELECT '{}'$$
CREATE FUNCTION told.f() RETURNS text LANGUAGE sql AS 'SELECT ''{}'''
CREATE FUNCTION told.f() RETURNS text LANGUAGE sql RETURN '{}'
CREATE FUNCTION told.f() RETURNS text LANGUAGE sql BEGIN ATOMIC SELECT '{}'; SELECT '{}'; END
CREATE FUNCTION told.f(a text DEFAULT '{}') RETURNS text LANGUAGE sql AS ''
CREATE FUNCTION told.f() RETURNS text LANGUAGE sql SET app.token TO {} AS ''
CREATE FUNCTION told.f() RETURNS text LANGUAGE c AS '{}', '{}'
CREATE PROCEDURE told.p() LANGUAGE plpgsql AS $f$BEGIN PERFORM '{}'; END$f$
CALL told.nothing('{}')
"""
COMMENTS = """
SELECT 1 -- {}
SELECT 1 /* {} */
/* {} */ SELECT 1
/* {} /* {} */ */ SELECT 1
SELECT /* {}
 -- {}
 /* {} */
SELECT 1; -- {}
SELECT id FROM told.people /*{}*/ WHERE id = 1 -- {}
SELECT FROM FROM /* {} */
"""
BROKEN = """
SELECT '{}
SELECT "{}
SELECT E'{}
SELECT $${}
SELECT $a${}$b$
SELECT U&'{}
SELECT U&"\\{}"
SELECT B'{}
SELECT FROM WHERE '{}'
SELECT '{}' '{}'
SELECT ({}
SELECT {} {} {}
SELECT ''{}''
SELECT E'\\u{}'
SELECT E'\\x{}', E'\\U{}'
{}
{} {}
'{}'
\\password {}
\\connect postgresql://u:{}@h/shop
postgresql://u:{}@h/shop
password={}
SELECT 1 ; {}
SELECT 1 ; ALTER ROLE bob PASSWORD {}
"""
SEVERAL = """
SELECT 1; SELECT '{}'; SELECT 2
SELECT '{}'; SELECT 1/0; SELECT '{}'
BEGIN; SET LOCAL app.token TO {}; SELECT '{}'; ROLLBACK
BEGIN; UPDATE told.people SET email = '{}' WHERE id = 9; COMMIT; SELECT 1/0
SELECT 1; SET app.token TO {}; DROP DATABASE "x"
SELECT email FROM told.people; SELECT id FROM told.people WHERE email = '{}'; COPY (SELECT '{}') TO STDOUT
CREATE FUNCTION told.z() RETURNS int LANGUAGE sql BEGIN ATOMIC SELECT 1; SELECT length('{}'); END; SELECT '{}'
PREPARE r AS SELECT '{}'; EXECUTE r; DEALLOCATE r
DECLARE k CURSOR FOR SELECT '{}'; FETCH k
"""


def texts() -> list[str]:
    """All of them; those that go on in the next line begin there with a space."""
    lines = "\n".join((ROLES, FOREIGN, COPIES, SETTINGS, LITERALS, COMMENTS, BROKEN, SEVERAL)).replace("\n ", "\v ")
    return [line.replace("\v", "\n") for line in lines.split("\n") if line]
