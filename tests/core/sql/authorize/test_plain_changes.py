"""Masked identities may change what holds no masks, if they have the verb; and nothing that could take masks off."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.core.sql.test_governor import KEY, MASKING, table
from tests.core.sql.twins.test_twins import view
from tests.core.sql.twins.world import POLICIES, POLICY, Twins

from penstock_core.policy.effective import VERBS, EffectivePolicy
from penstock_core.sql.catalog.model import Catalog, Constraint, ConstraintKind
from penstock_core.sql.decision import Action
from penstock_core.sql.governor import Governor

EVERYTHING = replace(POLICY, enforced=replace(POLICIES, allow=VERBS))
READING = replace(POLICY, enforced=replace(POLICIES, allow=frozenset({"select"})))

ALLOWED = {
    "index": "CREATE INDEX ON log (line)",
    "index of an expression": "CREATE UNIQUE INDEX log_lower ON public.log (lower(line) DESC, id) WHERE n > 0",
    "column": "ALTER TABLE log ADD COLUMN more text DEFAULT 'x' CHECK (more <> '')",
    "columns": "ALTER TABLE log ADD a int, ADD b bigserial, ALTER n TYPE bigint USING n::bigint, ALTER n SET NOT NULL,"
    " ALTER line SET DEFAULT 'x'",
    "column, dropped": "ALTER TABLE log DROP COLUMN n",
    "constraint": "ALTER TABLE log ADD CONSTRAINT positive CHECK (n > 0), ADD UNIQUE (n)",
    "foreign key": "ALTER TABLE log ADD CONSTRAINT who FOREIGN KEY (n) REFERENCES u (id) ON DELETE SET NULL NOT VALID",
    "foreign key of a column": "ALTER TABLE log ADD x int REFERENCES u ON UPDATE CASCADE ON DELETE CASCADE",
    "foreign keys of a new table": "CREATE TABLE more (id int PRIMARY KEY, over int REFERENCES more, who int REFERENCES"
    " public.u (id) DEFERRABLE INITIALLY DEFERRED, FOREIGN KEY (over) REFERENCES more (id) MATCH FULL)",
    "made with foreign keys": "CREATE TABLE public.mart (id int PRIMARY KEY); CREATE TABLE public.stall (id int"
    " REFERENCES public.mart); ALTER TABLE public.mart ADD FOREIGN KEY (id) REFERENCES public.u;"
    " INSERT INTO public.stall VALUES (NULL)",
    "index by operator classes": "CREATE INDEX ON log"
    " (line varchar_pattern_ops, line pg_catalog.text_pattern_ops DESC)",
    "column of a table with a trigger": "ALTER TABLE watched ADD more int DEFAULT 1, ADD CHECK (more > 0)",
    "index of a table with a trigger": "CREATE INDEX ON watched (id)",
    "renamed": "ALTER TABLE log RENAME TO diary",
    "renamed column": "ALTER TABLE log RENAME n TO number",
    "analyzed": "ANALYZE log",
    "analyzed column": "ANALYZE public.log (line)",
    "comment": "COMMENT ON TABLE log IS 'what happened'; COMMENT ON COLUMN u.id IS 'x'",
    "view": "CREATE VIEW lines AS SELECT line, count(*) AS n FROM log GROUP BY line",
    "view of all": "CREATE OR REPLACE VIEW lines AS SELECT * FROM log",
    "materialized view": "CREATE MATERIALIZED VIEW lines AS SELECT DISTINCT line FROM log",
    "schema": "CREATE SCHEMA IF NOT EXISTS mart",
    "sequence": "CREATE SEQUENCE numbers START 5 INCREMENT 2",
    "renamed view of plain": "ALTER VIEW calendar RENAME TO almanac",
    "dropped with the views of it": "CREATE VIEW public.days AS SELECT * FROM public.calendar; DROP VIEW calendar"
    " CASCADE",
    "statistics": "CREATE STATISTICS IF NOT EXISTS of_log (ndistinct, mcv) ON line, n FROM log",
    "statistics of expressions": "CREATE STATISTICS of_log ON lower(line), (n % 10) FROM public.log",
    "storage": "ALTER TABLE log SET (fillfactor = 80, autovacuum_enabled = true), RESET (fillfactor)",
    "statistics of a column": "ALTER TABLE log ALTER COLUMN n SET STATISTICS 200",
    "validated": "ALTER TABLE log ADD CONSTRAINT few CHECK (n < 1000000) NOT VALID; ALTER TABLE log"
    " VALIDATE CONSTRAINT few",
    "renamed constraint": "ALTER TABLE log ADD CONSTRAINT few CHECK (n < 1000000); ALTER TABLE log"
    " RENAME CONSTRAINT few TO many",
    "renamed index": "ALTER INDEX log_pkey RENAME TO log_key",
    "renamed index of a schema": "ALTER INDEX IF EXISTS public.log_pkey RENAME TO log_key",
    "enum": "CREATE TYPE fresh AS ENUM ('a', 'b')",
    "enum of a schema": "CREATE TYPE public.fresh AS ENUM ()",
    "word of an enum": "ALTER TYPE mood ADD VALUE IF NOT EXISTS 'fair' BEFORE 'bad'",
    "like another": "CREATE TABLE more (LIKE log)",
    "like another in all": "CREATE TABLE public.more (a int, LIKE public.log INCLUDING ALL, CHECK (n > 0));"
    " INSERT INTO public.more (a, n) VALUES (1, 1); SELECT * FROM public.more",
    "like a temporary table": "CREATE TEMP TABLE own (id int, line text); CREATE TABLE more (LIKE own)",
    "lock": "LOCK TABLE log IN ACCESS EXCLUSIVE MODE",
    "lock of governed": "LOCK TABLE u, log IN SHARE ROW EXCLUSIVE MODE",
}

REFUSED = {
    "index of governed": "CREATE INDEX ON u (id)",
    "index by the user's function": "CREATE INDEX ON log (peek(n))",
    "index by the user's operators": "CREATE INDEX ON log (line fair_ops)",
    "index by the user's operators of a known name": "CREATE INDEX ON log (line public.text_pattern_ops)",
    "index by a method of somebody's": "CREATE INDEX ON log USING mine (line)",
    "column of governed": "ALTER TABLE u ADD more text",
    "storage of governed": "ALTER TABLE u SET (fillfactor = 80)",
    "column of a whole whose part is governed": "ALTER TABLE family ADD more text",
    "type that runs code": "ALTER TABLE log ADD x public.leaky",
    "default that runs code": "ALTER TABLE log ALTER line SET DEFAULT peek(1)",
    "conversion that runs code": "ALTER TABLE log ALTER line TYPE text USING peek(n)",
    "foreign key to a masked column": "ALTER TABLE log ADD FOREIGN KEY (line) REFERENCES u (email)",
    "foreign key of a column to a masked one": "ALTER TABLE log ADD x text REFERENCES public.u (email)",
    "foreign key of a new table to a masked column": "CREATE TABLE more (mail varchar(40) REFERENCES u (email))",
    "foreign key to a pair": "CREATE TABLE more (a int, b text, FOREIGN KEY (a, b) REFERENCES u (id, ssn))",
    "foreign key to the system's own": "CREATE TABLE more (a oid REFERENCES pg_catalog.pg_class (oid))",
    "foreign key to nothing": "CREATE TABLE more (a int REFERENCES not_there_at_all)",
    "foreign key to a column that is not there": "CREATE TABLE more (a int REFERENCES u (not_there_at_all))",
    "foreign key of a governed table": "ALTER TABLE u ADD FOREIGN KEY (id) REFERENCES log",
    "cascade of foreign keys": "DROP TABLE firm CASCADE",
    "cascade of children": "DROP TABLE family CASCADE",
    "cascade of functions": "DROP TABLE log CASCADE",
    "cascade of what is not known": "DROP TABLE public.not_there_at_all CASCADE",
    "cascade": "ALTER TABLE log DROP COLUMN n CASCADE",
    "triggers": "ALTER TABLE log DISABLE TRIGGER ALL",
    "row security": "ALTER TABLE log DISABLE ROW LEVEL SECURITY",
    "inheritance": "ALTER TABLE log INHERIT family",
    "partition": "ALTER TABLE split DETACH PARTITION split_one",
    "owner": "ALTER TABLE log OWNER TO postgres",
    "renamed governed": "ALTER TABLE u RENAME TO v2",
    "renamed governed column": "ALTER TABLE u RENAME email TO mail",
    "renamed view": "ALTER VIEW v RENAME TO w",
    "analyze governed": "ANALYZE u",
    "analyze everything": "ANALYZE",
    "vacuum": "VACUUM log",
    "vacuum with analyze": "VACUUM (ANALYZE) log",
    "view of governed": "CREATE VIEW loot AS SELECT email FROM u",
    "view of governed, by its plain column": "CREATE VIEW loot AS SELECT id FROM u",
    "view of governed, below": "CREATE VIEW loot AS SELECT (SELECT max(ssn) FROM u) AS x FROM log",
    "view that calls": "CREATE VIEW loot AS SELECT peek(n) FROM log",
    "view of settings": "CREATE VIEW loot AS SELECT * FROM pg_settings",
    "view in place of a governed one": "CREATE OR REPLACE VIEW v AS SELECT id, line AS address, line AS loud, line AS"
    " note FROM log",
    "temporary view": "CREATE TEMP VIEW loot AS SELECT * FROM log",
    "view of a temporary table": "CREATE TEMP TABLE own (id int); CREATE VIEW loot AS SELECT * FROM own",
    "materialized view of governed": "CREATE MATERIALIZED VIEW loot AS SELECT email FROM u",
    "materialized view by a method of somebody's": "CREATE MATERIALIZED VIEW loot USING mine AS SELECT id FROM log",
    "refresh of nothing": "REFRESH MATERIALIZED VIEW v",
    "schema with tables": "CREATE SCHEMA loot CREATE TABLE x (id int)",
    "sequence of a column": "CREATE SEQUENCE numbers OWNED BY u.id",
    "sequence of a type": "CREATE SEQUENCE numbers AS public.leaky",
    "statistics of governed": "CREATE STATISTICS s ON id, email FROM u",
    "statistics that run code": "CREATE STATISTICS s ON (peek(n)), n FROM log",
    "statistics of a type that runs code": "CREATE STATISTICS s ON (line::public.leaky), n FROM log",
    "statistics of a column of governed": "ALTER TABLE u ALTER email SET STATISTICS 0",
    "validated of governed": "ALTER TABLE u VALIDATE CONSTRAINT c",
    "renamed constraint of governed": "ALTER TABLE u RENAME CONSTRAINT u_pkey TO u_key",
    "renamed index of governed": "ALTER INDEX u_pkey RENAME TO u_key",
    "renamed index that is a table": "ALTER INDEX u RENAME TO u2",
    "renamed index that is a plain table": "ALTER INDEX log RENAME TO log2",
    "renamed index that nobody knows": "ALTER INDEX not_there_at_all RENAME TO u_key",
    "enum of the session": "CREATE TYPE pg_temp.text AS ENUM ('a')",
    "renamed word of an enum": "ALTER TYPE public.mood RENAME VALUE 'good' TO 'bad'",
    "type of fields": "CREATE TYPE fresh AS (a int)",
    "range": "CREATE TYPE fresh AS RANGE (subtype = int)",
    "like governed": "CREATE TABLE more (LIKE u)",
    "like governed, in all": "CREATE TABLE more (LIKE u INCLUDING ALL)",
    "like a whole whose part is governed": "CREATE TABLE more (LIKE family)",
    "like a view of governed": "CREATE TABLE more (LIKE v)",
    "like a catalog": "CREATE TABLE more (LIKE pg_catalog.pg_class)",
    "like nothing": "CREATE TABLE more (LIKE not_there_at_all)",
    "lock of a catalog": "LOCK TABLE pg_class",
    "function": "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'",
    "trigger": "CREATE TRIGGER t BEFORE INSERT ON log FOR EACH ROW EXECUTE FUNCTION watch()",
    "policy": "CREATE POLICY p ON log",
    "grant": "GRANT SELECT ON log TO PUBLIC",
    "comment on others": "COMMENT ON ROLE postgres IS 'x'",
    "reindex": "REINDEX TABLE log",
    "cluster": "CLUSTER log",
    "domain": "CREATE DOMAIN d AS text",
}

# With `select` alone: the session's own tables, and what changes nothing.
OWN = {
    "filled": "CREATE TEMP TABLE own (id int, x text); INSERT INTO own VALUES (1, 'a') RETURNING id",
    "filled from governed": "CREATE TEMP TABLE own (id int, x text); INSERT INTO own SELECT id, email FROM public.u;"
    " TABLE own",
    "named by its schema": "CREATE TEMP TABLE own (id int); INSERT INTO pg_temp.own VALUES (1)",
    "changed": "CREATE TEMP TABLE own AS SELECT id, email FROM u; UPDATE own SET email = 'x' WHERE id = 1;"
    " DELETE FROM own WHERE id = 2; SELECT * FROM own",
    "put in or changed": "CREATE TEMP TABLE own (id int PRIMARY KEY, n int); INSERT INTO own VALUES (1, 1);"
    " INSERT INTO own VALUES (1, 1) ON CONFLICT (id) DO UPDATE SET n = own.n + 1 RETURNING n",
    "emptied": "CREATE TEMP TABLE own AS SELECT 1 AS x; TRUNCATE own; SELECT count(*) FROM own",
    "indexed": "CREATE TEMP TABLE own AS SELECT id, email FROM public.u; CREATE INDEX ON own (email);"
    " ANALYZE own; TABLE own",
    "given another column": "CREATE TEMP TABLE own AS SELECT id, email FROM public.u; ALTER TABLE own ADD COLUMN x int"
    " DEFAULT 5, ADD CHECK (id > 0), ALTER COLUMN email SET DEFAULT 'none'; ALTER TABLE own ALTER COLUMN x TYPE text"
    " USING x || '!'; TABLE own",
    "like another's": "CREATE TEMP TABLE own (LIKE log INCLUDING DEFAULTS); INSERT INTO own (id, line) VALUES (1, 'a');"
    " TABLE own",
    "dropped if it exists": "DROP TABLE IF EXISTS not_there_at_all",
    "dropped if it exists, with what depends on it": "DROP TABLE IF EXISTS public.not_there_at_all CASCADE",
    "view dropped if it exists": "DROP VIEW IF EXISTS public.not_there_at_all",
    "locked to read": "LOCK TABLE u IN ACCESS SHARE MODE",
}
NOT_OWN = {
    "another's": "INSERT INTO log (line) VALUES ('x')",
    "another's of the same name": "CREATE TEMP TABLE log (id int); INSERT INTO log VALUES (1)",
    "another's emptied": "CREATE TEMP TABLE own (id int); TRUNCATE own, log",
    "another's dropped": "DROP TABLE IF EXISTS log",
    "another's dropped by its schema": "DROP TABLE IF EXISTS attic.u",
    "one of several dropped": "DROP TABLE IF EXISTS not_there_at_all, log",
    "index dropped": "DROP INDEX IF EXISTS not_there_at_all",
    "another's locked": "LOCK TABLE log IN ROW EXCLUSIVE MODE",
    "another's indexed": "CREATE INDEX ON log (line)",
    "another's analyzed": "ANALYZE log",
}


@pytest.mark.parametrize("name", ALLOWED)
def test_what_holds_no_masks_may_be_changed_by_who_has_the_verbs(twins: Twins, name: str) -> None:
    decision = twins.governor(EVERYTHING).decide(ALLOWED[name], ("public",))
    assert decision.action is not Action.DENY, decision.denial
    left, right = twins.run(decision)
    assert left.ok, left.message
    assert view(left, ordered=False) == view(right, ordered=False)
    assert twins.governor(READING).decide(ALLOWED[name], ("public",)).action is Action.DENY


def test_errors_of_a_foreign_key_to_a_governed_table_keep_no_words(twins: Twins) -> None:
    text = "INSERT INTO log (n) VALUES (-7); ALTER TABLE log ADD FOREIGN KEY (n) REFERENCES u"
    decision = twins.governor(EVERYTHING).decide(text, ("public",))
    assert decision.redact_errors
    assert "REFERENCES public.u (id)" in decision.text
    left, right = twins.run(decision)
    assert (left.sqlstate, right.sqlstate) == ("23503", "23503")


@pytest.mark.parametrize("name", REFUSED)
def test_what_could_take_masks_off_is_refused_whatever_the_verbs(twins18: Twins, name: str) -> None:
    decision = twins18.governor(EVERYTHING).decide(REFUSED[name], ("public",))
    assert decision.action is Action.DENY, decision.text
    assert decision.denial is not None
    assert decision.denial.sqlstate != "42601"
    assert "not understood (" not in decision.denial.reason


@pytest.mark.parametrize(("kind", "allowed"), [("i", True), ("u", True), ("e", True), ("c", False), ("f", False)])
def test_an_index_is_known_by_what_has_one(kind: ConstraintKind, allowed: bool) -> None:
    """A check may have the name that an index of another table has."""
    named = Constraint(kind, frozenset({"id"}), name="by_id")
    plain, people = replace(table("public", "plain", "id"), constraints=(named,)), table("public", "people", "email")
    catalog = Catalog(relations={one.key: one for one in (plain, people)}, search_path=("public",))
    governor = Governor(EffectivePolicy("shop", replace(MASKING, allow=VERBS), None), catalog, KEY)
    decision = governor.decide("ALTER INDEX by_id RENAME TO plain_by_id", ("public",))
    assert (decision.text == "ALTER INDEX public.by_id RENAME TO plain_by_id") is allowed
    assert (decision.action is Action.DENY) is not allowed


@pytest.mark.parametrize("name", OWN)
def test_own_tables_need_no_verb(twins: Twins, name: str) -> None:
    decision = twins.governor(READING).decide(OWN[name], ("public",))
    assert decision.action is not Action.DENY, decision.denial
    left, right = twins.run(decision)
    assert left.ok, left.message
    assert view(left, ordered=False) == view(right, ordered=False)


@pytest.mark.parametrize("name", NOT_OWN)
def test_others_do(twins18: Twins, name: str) -> None:
    assert twins18.governor(READING).decide(NOT_OWN[name], ("public",)).action is Action.DENY


def test_what_is_said_not_to_exist_is_not_dropped(twins18: Twins) -> None:
    """Even if it has come to be since the catalog was read."""
    decision = twins18.governor(READING).decide("DROP TABLE IF EXISTS public.fresh, other", ("public",))
    assert decision.text == "DROP TABLE IF EXISTS pg_temp.fresh, pg_temp.other"


# ---- what the open transaction made itself

MADE_HERE = {
    "filled": "CREATE TABLE fresh (id int PRIMARY KEY, x text); INSERT INTO fresh VALUES (1, 'a'); TABLE fresh",
    "filled from governed": "CREATE TABLE public.fresh AS SELECT id, email FROM public.u;"
    " UPDATE public.fresh SET email = 'x'; DELETE FROM public.fresh WHERE id = 1; SELECT * FROM public.fresh",
    "selected into": "SELECT id, email INTO fresh FROM public.u; SELECT email FROM fresh",
    "changed": "CREATE TABLE fresh (id int); ALTER TABLE fresh ADD x text DEFAULT 'x'; CREATE INDEX ON fresh (x);"
    " COMMENT ON TABLE fresh IS 'x'; ANALYZE fresh; LOCK TABLE fresh; TRUNCATE fresh; INSERT INTO fresh VALUES (1)"
    " RETURNING x; DROP TABLE fresh",
    "renamed": "CREATE TABLE fresh (id int); ALTER TABLE fresh RENAME TO newer; SELECT * FROM newer",
    "view": "CREATE VIEW fresh AS SELECT line FROM log; SELECT count(*) FROM fresh",
    "view of its table": "CREATE TABLE fresh AS SELECT line FROM log; CREATE VIEW newer AS SELECT * FROM fresh;"
    " SELECT * FROM newer",
    "materialized view": "CREATE MATERIALIZED VIEW fresh AS SELECT line FROM log; REFRESH MATERIALIZED VIEW fresh;"
    " SELECT * FROM fresh",
}
NOT_MADE_HERE = {
    "perhaps there": "CREATE TABLE IF NOT EXISTS fresh (id int); SELECT * FROM fresh",
    "perhaps there, of a query": "CREATE TABLE IF NOT EXISTS fresh AS SELECT 1; SELECT * FROM fresh",
    "another's of that name": "CREATE TABLE attic.log (id int); CREATE TABLE u (id int); SELECT * FROM u",
    "in another schema": "CREATE TABLE attic.fresh (id int); SELECT * FROM fresh",
    "by another spelling": "CREATE TABLE fresh (id int); SELECT * FROM public.fresh",
    "dropped": "CREATE TABLE fresh (id int); DROP TABLE fresh; SELECT * FROM fresh",
    "under its former name": "CREATE TABLE fresh (id int); ALTER TABLE fresh RENAME TO newer; SELECT * FROM fresh",
    "not its own, under a new name": "ALTER TABLE log RENAME TO fresh; SELECT * FROM fresh",
    "undone": "SAVEPOINT s; CREATE TABLE fresh (id int); ROLLBACK TO s; SELECT * FROM fresh",
    "committed": "BEGIN; CREATE TABLE fresh (id int); COMMIT; SELECT * FROM fresh",
    "under another path": "CREATE TABLE fresh (id int); SET search_path = attic; SELECT * FROM fresh",
    "a view of settings": "CREATE VIEW fresh AS SELECT relname FROM pg_class; SELECT * FROM fresh",
    "a temporary view of it": "CREATE TABLE fresh (id int); CREATE TEMP VIEW newer AS SELECT * FROM fresh",
}


@pytest.mark.parametrize("name", MADE_HERE)
def test_what_the_transaction_made_is_used_by_who_has_the_verbs(twins: Twins, name: str) -> None:
    decision = twins.governor(EVERYTHING).decide(MADE_HERE[name], ("public",))
    assert decision.action is not Action.DENY, decision.denial
    left, right = twins.run(decision)
    assert left.ok, left.message
    assert view(left, ordered=False) == view(right, ordered=False)
    making = replace(POLICY, enforced=replace(POLICIES, allow=frozenset({"select", "create"})))
    if {"insert", "update", "alter"} & set(decision.verbs):
        assert twins.governor(making).decide(MADE_HERE[name], ("public",)).action is Action.DENY


@pytest.mark.parametrize("name", NOT_MADE_HERE)
def test_what_it_may_not_have_made_is_not(twins18: Twins, name: str) -> None:
    decision = twins18.governor(EVERYTHING).decide(NOT_MADE_HERE[name], ("public",))
    assert decision.action is Action.DENY, decision.text


def test_what_was_made_is_told_and_known_in_later_texts(twins18: Twins) -> None:
    governor, nothing = twins18.governor(EVERYTHING), frozenset[str]()

    def decide(text: str, *made: tuple[str, str]) -> tuple[set[tuple[str, str]], set[tuple[str, str]]]:
        decision = governor.decide(text, None, nothing, (), frozenset(made))
        assert decision.action is not Action.DENY, decision.denial
        return set(decision.makes), set(decision.unmakes)

    fresh, newer = ("", "fresh"), ("public", "newer")
    assert decide("CREATE TABLE fresh (id int); CREATE TABLE public.newer (id int)") == ({fresh, newer}, set())
    assert decide("CREATE TEMP TABLE fresh (id int); CREATE TABLE pg_temp.newer (id int)") == (set(), set())
    assert decide("SELECT * FROM fresh JOIN public.newer USING (id)", fresh, newer) == (set(), set())
    assert decide("DROP TABLE fresh", fresh, newer) == (set(), {fresh})
    assert decide("ALTER TABLE public.newer RENAME TO fresh", newer) == ({("public", "fresh")}, {newer})
    assert decide("COMMIT", fresh, newer) == (set(), {fresh, newer})
    assert decide("RELEASE s; SAVEPOINT t", fresh) == (set(), set())
    assert decide("RESET search_path", fresh, newer) == (set(), {fresh})
    assert governor.decide("SELECT * FROM fresh", None).action is Action.DENY
    assert governor.decide("CREATE VIEW fresh AS SELECT 1 FROM pg_class", None).makes == frozenset()
