"""Made-up changes of a schema, in an order that a seed decides: some of each kind that PostgreSQL has.

Many fail, as names are drawn from few: what counts is what those that succeed leave behind.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator

# By the name of a place in a template, what may stand there.
NAMES: dict[str, tuple[str, ...]] = {
    "schema": ("one", "two", "three"),
    "table": ("one.people", "one.orders", "two.items", "two.people", "two.parts"),
    "new": ("people", "orders", "items", "parts", "renamed"),
    "view": ("one.shown", "one.seen", "two.shown", "two.listed"),
    "column": ("a", "b", "c", "d", "e"),
    "whole": ("one.events", "two.events"),
    "leaf": ("one.events_1", "one.events_2", "two.events_3"),
    "type": ("int", "text", "numeric(10,2)", "varchar(20)", "timestamptz", "one.mood", "one.short", "one.pair",
             "one.people", "one.mood[]", "two.span", "bigint"),
    "function": ("one.f", "one.g", "two.f"),
    "kind": ("IMMUTABLE", "STABLE", "VOLATILE"),
    "number": ("1", "2", "3", "40"),
    "word": ("'x'", "'y'", "'it''s'"),
    "index": ("one_idx", "two_idx", "three_idx"),
    "role": ("PUBLIC", "pg_monitor"),
    "label": ("happy", "sad", "odd"),
    "extension": ("citext", "hstore", "pg_trgm", "btree_gist"),
    "sequence": ("one.counter", "two.counter"),
}  # fmt: skip

CHANGES: tuple[str, ...] = (
    # ---- tables
    "CREATE TABLE {table} (a int PRIMARY KEY, b text, c int DEFAULT 7, d text COLLATE \"C\")",
    "CREATE TABLE {table} (a serial PRIMARY KEY, b {type}, c {type}, e int GENERATED ALWAYS AS (a + 2) STORED)",
    "CREATE TABLE {table} (a int GENERATED ALWAYS AS IDENTITY, b one.mood DEFAULT 'happy', c one.short, d one.pair)",
    "CREATE TABLE {table} (LIKE {table} INCLUDING ALL)",
    "CREATE TABLE {table} (extra int) INHERITS ({table})",
    "CREATE TABLE {table} AS SELECT * FROM {table}",
    "DROP TABLE {table}",
    "DROP TABLE {table} CASCADE",
    "ALTER TABLE {table} RENAME TO {new}",
    "ALTER TABLE {table} SET SCHEMA {schema}",
    "ALTER TABLE {table} ADD COLUMN {column} {type}",
    "ALTER TABLE {table} ADD COLUMN {column} int DEFAULT {number}",
    "ALTER TABLE {table} ADD COLUMN {column} int GENERATED ALWAYS AS (a + {number}) STORED",
    "ALTER TABLE {table} DROP COLUMN {column}",
    "ALTER TABLE {table} DROP COLUMN {column} CASCADE",
    "ALTER TABLE {table} RENAME COLUMN {column} TO {column}",
    "ALTER TABLE {table} RENAME COLUMN {column} TO \"Odd {column}\"",
    "ALTER TABLE {table} ALTER COLUMN {column} TYPE {type} USING NULL",
    "ALTER TABLE {table} ALTER COLUMN {column} SET NOT NULL",
    "ALTER TABLE {table} ALTER COLUMN {column} DROP NOT NULL",
    "ALTER TABLE {table} ALTER COLUMN {column} SET DEFAULT {number}",
    "ALTER TABLE {table} ALTER COLUMN {column} SET DEFAULT {function}({number})",
    "ALTER TABLE {table} ALTER COLUMN {column} SET DEFAULT nextval('{sequence}')",
    "ALTER TABLE {table} ALTER COLUMN {column} DROP DEFAULT",
    "ALTER TABLE {table} ALTER COLUMN {column} SET STATISTICS 50",
    "ALTER TABLE {table} ADD CONSTRAINT small CHECK ({column}::text <> {word})",
    "ALTER TABLE {table} ADD CONSTRAINT tested CHECK ({function}({number}) < 100) NOT VALID",
    "ALTER TABLE {table} ADD CONSTRAINT shorter CHECK ({column}::text::one.short <> '')",
    "ALTER TABLE {table} ADD CONSTRAINT aged CHECK (extract(year FROM {column}::text::timestamptz) > 1)",
    "ALTER TABLE {table} VALIDATE CONSTRAINT tested",
    "ALTER TABLE {table} ADD CONSTRAINT other UNIQUE ({column}, {column})",
    "ALTER TABLE {table} ADD CONSTRAINT refers FOREIGN KEY ({column}) REFERENCES {table} ON DELETE CASCADE",
    "ALTER TABLE {table} RENAME CONSTRAINT refers TO refers_{column}",
    "ALTER TABLE {table} DROP CONSTRAINT {constraint}",
    "ALTER TABLE {table} INHERIT {table}",
    "ALTER TABLE {table} NO INHERIT {table}",
    "ALTER TABLE {table} SET (fillfactor = 70)",
    "ALTER TABLE {table} OWNER TO CURRENT_USER",
    "TRUNCATE {table}",
    "INSERT INTO {table} (b) VALUES (NULL)",
    "CREATE TEMP TABLE hidden (a int PRIMARY KEY, b one.mood)",
    "DROP TABLE pg_temp.hidden",
    # ---- partitions
    "CREATE TABLE {whole} (a int, b text, c int) PARTITION BY RANGE (a)",
    "CREATE TABLE {whole} (a int, b text) PARTITION BY LIST ({function}(a))",
    "CREATE TABLE {leaf} (a int NOT NULL, b text, c int)",
    "CREATE TABLE {leaf} PARTITION OF {whole} FOR VALUES FROM ({number}) TO (50)",
    "ALTER TABLE {whole} ATTACH PARTITION {leaf} FOR VALUES FROM ({number}0) TO (900)",
    "ALTER TABLE {whole} DETACH PARTITION {leaf}",
    "ALTER TABLE {whole} RENAME COLUMN b TO {column}",
    "DROP TABLE {whole} CASCADE",
    "DROP TABLE {leaf}",
    # ---- views
    "CREATE VIEW {view} AS SELECT * FROM {table}",
    "CREATE VIEW {view} AS SELECT t.a, u.b FROM {table} t JOIN {table} u USING (a) WHERE t.{column} IS NOT NULL",
    "CREATE VIEW {view} AS SELECT a, {function}(a) AS b FROM {table} GROUP BY a",
    "CREATE VIEW {view} AS SELECT a, b, c FROM {table} GROUP BY a",
    "CREATE VIEW {view} AS SELECT * FROM {view}",
    "CREATE VIEW {view} AS SELECT b = 'happy'::one.mood AS a, t AS b FROM {table} t",
    "CREATE OR REPLACE VIEW {view} AS SELECT a, upper(b::text) AS b FROM {table}",
    "CREATE OR REPLACE VIEW {view} AS SELECT a, b FROM {table} ORDER BY {column}",
    "CREATE MATERIALIZED VIEW {view} AS SELECT a, b FROM {table}",
    "ALTER VIEW {view} RENAME COLUMN {column} TO {column}",
    "ALTER VIEW {view} RENAME TO {new}_view",
    "ALTER VIEW {view} SET SCHEMA {schema}",
    "ALTER VIEW {view} SET (security_barrier = true)",
    "ALTER VIEW {view} ALTER COLUMN {column} SET DEFAULT {number}",
    "REFRESH MATERIALIZED VIEW {view}",
    "DROP VIEW {view} CASCADE",
    "DROP MATERIALIZED VIEW {view} CASCADE",
    "CREATE RULE kept AS ON UPDATE TO {table} DO ALSO SELECT {number}",
    "DROP RULE kept ON {table}",
    # ---- indexes
    "CREATE INDEX {index} ON {table} ({column}) INCLUDE ({column})",
    "CREATE UNIQUE INDEX {index} ON {table} ({column}, lower({column}::text)) WHERE {column} IS NOT NULL",
    "CREATE UNIQUE INDEX {index} ON {table} ({column}) WHERE b = 'x' AND c > {number}",
    "CREATE INDEX {index} ON {table} ({function}(a))",
    "CREATE INDEX {index} ON {table} USING hash ({column})",
    "ALTER INDEX {schema}.{index} RENAME TO {index}",
    "DROP INDEX {schema}.{index}",
    "CLUSTER {table} USING {index}",
    "REINDEX TABLE {table}",
    "REINDEX INDEX CONCURRENTLY {schema}.{index}",
    # ---- policies and triggers
    "ALTER TABLE {table} ENABLE ROW LEVEL SECURITY",
    "ALTER TABLE {table} DISABLE ROW LEVEL SECURITY",
    "CREATE POLICY own ON {table} USING (a > {number}) WITH CHECK ({function}(a) > 1)",
    "CREATE POLICY others ON {table} USING (EXISTS (SELECT FROM {table} o WHERE o.{column} IS NULL))",
    "ALTER POLICY own ON {table} USING ({column} IS NOT NULL)",
    "ALTER POLICY own ON {table} RENAME TO owned",
    "DROP POLICY own ON {table}",
    "CREATE FUNCTION one.touched() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'",
    "CREATE OR REPLACE FUNCTION one.touched() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.a = 1; RETURN NEW; END'",
    "ALTER FUNCTION one.touched() RENAME TO touched_{column}",
    "DROP FUNCTION one.touched() CASCADE",
    "CREATE TRIGGER first BEFORE INSERT ON {table} FOR EACH ROW EXECUTE FUNCTION one.touched()",
    "CREATE TRIGGER again AFTER UPDATE OF {column} ON {table} FOR EACH ROW WHEN (NEW.a > {number})"
    " EXECUTE FUNCTION one.touched()",
    "ALTER TRIGGER first ON {table} RENAME TO zeroth",
    "ALTER TABLE {table} DISABLE TRIGGER first",
    "DROP TRIGGER first ON {table}",
    "CREATE EVENT TRIGGER watching ON ddl_command_end EXECUTE FUNCTION one.watches()",
    "CREATE FUNCTION one.watches() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END'",
    "ALTER EVENT TRIGGER watching DISABLE",
    "DROP EVENT TRIGGER watching",
    # ---- functions
    "CREATE FUNCTION {function}(int) RETURNS int LANGUAGE sql {kind} AS 'SELECT $1 + {number}'",
    "CREATE OR REPLACE FUNCTION {function}(int) RETURNS int LANGUAGE sql {kind} AS 'SELECT $1 - {number}'",
    "CREATE OR REPLACE FUNCTION {function}(int) RETURNS int LANGUAGE plpgsql {kind} AS"
    " 'BEGIN EXECUTE ''CREATE TABLE made ()''; RETURN 1; END'",
    "CREATE FUNCTION {function}(x {type} DEFAULT NULL) RETURNS {type} LANGUAGE sql AS 'SELECT NULL'",
    "CREATE FUNCTION two.parsed(x int) RETURNS bigint BEGIN ATOMIC SELECT count(*) FROM {table} WHERE a > x; END",
    "CREATE FUNCTION two.shows() RETURNS SETOF {table} LANGUAGE sql AS 'SELECT * FROM {table}'",
    "ALTER FUNCTION {function}(int) {kind}",
    "ALTER FUNCTION {function}(int) SET SCHEMA {schema}",
    "ALTER FUNCTION {function}(int) RENAME TO h",
    "ALTER FUNCTION {function}(int) SET search_path = one, pg_temp",
    "DROP FUNCTION {function}(int) CASCADE",
    "DROP FUNCTION two.parsed(int)",
    "DROP FUNCTION two.shows()",
    "CREATE AGGREGATE two.total(int) (SFUNC = int4pl, STYPE = int)",
    "CREATE OR REPLACE AGGREGATE two.total(int) (SFUNC = int4larger, STYPE = int)",
    "DROP AGGREGATE two.total(int)",
    # ---- types
    "CREATE TYPE one.mood AS ENUM ('happy', 'sad')",
    "ALTER TYPE one.mood ADD VALUE '{label}{number}'",
    "ALTER TYPE one.mood RENAME VALUE '{label}' TO '{label}'",
    "ALTER TYPE one.mood RENAME TO moods",
    "ALTER TYPE one.moods RENAME TO mood",
    "ALTER TYPE one.mood SET SCHEMA {schema}",
    "CREATE DOMAIN one.short AS text CHECK (VALUE <> 'bad')",
    "CREATE DOMAIN two.shorter AS one.short DEFAULT 'x'",
    "ALTER DOMAIN one.short ADD CONSTRAINT checked CHECK (length(VALUE) < {number}0) NOT VALID",
    "ALTER DOMAIN one.short ADD CONSTRAINT called CHECK ({function}(length(VALUE)) < 100) NOT VALID",
    "ALTER DOMAIN one.short DROP CONSTRAINT {constraint}",
    "ALTER DOMAIN one.short SET DEFAULT {word}",
    "ALTER DOMAIN one.short RENAME TO shortened",
    "ALTER DOMAIN one.shortened RENAME TO short",
    "CREATE TYPE one.pair AS (left_one int, right_one text)",
    "ALTER TYPE one.pair ADD ATTRIBUTE {column} {type}",
    "ALTER TYPE one.pair DROP ATTRIBUTE {column}",
    "ALTER TYPE one.pair RENAME ATTRIBUTE right_one TO {column}",
    "ALTER TYPE one.pair RENAME TO pairs",
    "ALTER TYPE one.pairs RENAME TO pair",
    "CREATE TYPE two.span AS RANGE (subtype = int)",
    "ALTER TYPE two.span RENAME TO spans",
    "DROP TYPE {type} CASCADE",
    "CREATE OPERATOR one.=== (FUNCTION = one.f, RIGHTARG = int)",
    "DROP OPERATOR one.=== (NONE, int)",
    "CREATE CAST (one.pair AS int) WITH FUNCTION one.of_pair(one.pair) AS ASSIGNMENT",
    "CREATE FUNCTION one.of_pair(one.pair) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT 1'",
    "DROP CAST (one.pair AS int)",
    "CREATE COLLATION one.plain FROM \"C\"",
    "ALTER TABLE {table} ALTER COLUMN b TYPE text COLLATE one.plain",
    "ALTER COLLATION one.plain RENAME TO plainer",
    # ---- schemas, sequences, extensions and all else
    "CREATE SCHEMA {schema}",
    "ALTER SCHEMA {schema} RENAME TO {schema}",
    "DROP SCHEMA three CASCADE",
    "CREATE SEQUENCE {sequence}",
    "ALTER SEQUENCE {sequence} OWNED BY {table}.{column}",
    "ALTER SEQUENCE {sequence} OWNED BY NONE",
    "ALTER SEQUENCE {sequence} RENAME TO counters",
    "DROP SEQUENCE {sequence} CASCADE",
    "CREATE EXTENSION {extension} SCHEMA {schema}",
    "ALTER EXTENSION {extension} ADD FUNCTION {function}(int)",
    "ALTER EXTENSION {extension} DROP FUNCTION {function}(int)",
    "ALTER EXTENSION {extension} SET SCHEMA {schema}",
    "DROP EXTENSION {extension} CASCADE",
    "ALTER TABLE {table} ADD COLUMN mail one.citext",
    "GRANT SELECT ON {table} TO {role}",
    "REVOKE ALL ON {table} FROM {role}",
    "GRANT USAGE ON SCHEMA {schema} TO {role}",
    "GRANT EXECUTE ON FUNCTION {function}(int) TO {role}",
    "COMMENT ON TABLE {table} IS {word}",
    "COMMENT ON COLUMN {table}.a IS {word}",
    "CREATE STATISTICS one.stats ON a, b FROM {table}",
    "ANALYZE {table}",
    "VACUUM {table}",
    "CREATE PUBLICATION told FOR TABLE {table}",
    "CREATE TEXT SEARCH CONFIGURATION one.words (COPY = pg_catalog.english)",
    "ALTER TABLE {table} ALTER COLUMN b SET DEFAULT to_tsvector('one.words'::regconfig, 'x')::text",
    "ALTER TEXT SEARCH CONFIGURATION one.words RENAME TO wordy",
)  # fmt: skip
_CONSTRAINTS = ("small", "tested", "shorter", "other", "refers", "people_pkey", "checked", "called")
_PLACE = re.compile(r"\{(\w+)\}")

# What is there at first, so that many of them succeed.
BEGINNING = """
CREATE SCHEMA one; CREATE SCHEMA two;
CREATE TYPE one.mood AS ENUM ('happy', 'sad');
CREATE DOMAIN one.short AS text CHECK (VALUE <> 'bad');
CREATE TYPE one.pair AS (left_one int, right_one text);
CREATE FUNCTION one.f(int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT $1 + 1';
CREATE FUNCTION one.touched() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE TABLE one.people (a serial PRIMARY KEY, b text, c one.mood, d one.short DEFAULT 'x');
CREATE TABLE two.items (a int PRIMARY KEY REFERENCES one.people, b one.mood DEFAULT 'sad', c one.pair);
CREATE VIEW one.shown AS SELECT a, b, c = 'sad' AS d FROM one.people WHERE d IS NOT NULL;
CREATE VIEW two.listed AS SELECT s.a, i.b FROM one.shown s JOIN two.items i USING (a);
"""


def changes(seed: int) -> Iterator[str]:
    """Statements without an end, each kind about as often; the same for the same seed."""
    chance = random.Random(seed)  # no secret
    while True:
        kinds = list(CHANGES)
        chance.shuffle(kinds)
        for kind in kinds:
            yield _PLACE.sub(lambda place: chance.choice({**NAMES, "constraint": _CONSTRAINTS}[place[1]]), kind)
