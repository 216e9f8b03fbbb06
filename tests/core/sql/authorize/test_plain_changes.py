"""Masked identities may change what holds no masks, if they have the verb; and nothing that could take masks off."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.core.sql.twins.test_twins import view
from tests.core.sql.twins.world import POLICIES, POLICY, Twins

from penstock_core.policy.effective import VERBS
from penstock_core.sql.decision import Action

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
    "made and filled": "CREATE TABLE public.mart AS SELECT id, email, ssn FROM public.u; INSERT INTO public.mart"
    " SELECT id + 10, email FROM public.u; SELECT * FROM public.mart ORDER BY id",
    "made and changed": "CREATE TABLE public.mart (id int PRIMARY KEY, note text); INSERT INTO public.mart VALUES"
    " (1, 'a'), (2, 'b') ON CONFLICT (id) DO NOTHING; UPDATE public.mart SET note = 'c' WHERE id = 1;"
    " CREATE INDEX ON public.mart (note); ALTER TABLE public.mart ADD more int DEFAULT 3; ANALYZE public.mart;"
    " DELETE FROM public.mart WHERE id = 2 RETURNING note; SELECT * FROM mart",
    "made and renamed": "CREATE TABLE public.mart_new AS SELECT id, email FROM public.u; ALTER TABLE public.mart_new"
    " RENAME TO mart; SELECT * FROM public.mart ORDER BY id",
    "made in place of another": "CREATE TABLE public.log_new AS SELECT line, n FROM public.log; ALTER TABLE public.log"
    " RENAME TO log_old; ALTER TABLE public.log_new RENAME TO log",
    "made and joined to governed": "CREATE TABLE public.mart AS SELECT id FROM public.u; SELECT m.id, u.email FROM"
    " public.mart m JOIN public.u ON u.id = m.id ORDER BY 1",
    "view made and renamed": "CREATE VIEW public.lines_new AS SELECT line FROM log; ALTER VIEW public.lines_new RENAME"
    " TO lines",
    "made, emptied and dropped": "SELECT id, note INTO public.mart FROM public.u; TRUNCATE public.mart;"
    " DROP TABLE public.mart CASCADE",
    "lock": "LOCK TABLE log IN ACCESS EXCLUSIVE MODE",
    "lock of governed": "LOCK TABLE u, log IN SHARE ROW EXCLUSIVE MODE",
}

REFUSED = {
    "index of governed": "CREATE INDEX ON u (id)",
    "index by the user's function": "CREATE INDEX ON log (peek(n))",
    "index by the user's operators": "CREATE INDEX ON log (line fair_ops)",
    "index by a method of somebody's": "CREATE INDEX ON log USING mine (line)",
    "column of governed": "ALTER TABLE u ADD more text",
    "column of a whole whose part is governed": "ALTER TABLE family ADD more text",
    "type that runs code": "ALTER TABLE log ADD x public.leaky",
    "default that runs code": "ALTER TABLE log ALTER line SET DEFAULT peek(1)",
    "conversion that runs code": "ALTER TABLE log ALTER line TYPE text USING peek(n)",
    "foreign key": "ALTER TABLE log ADD FOREIGN KEY (n) REFERENCES u (id)",
    "foreign key of a column": "ALTER TABLE log ADD x int REFERENCES u (id)",
    "cascade of foreign keys": "DROP TABLE firm CASCADE",
    "cascade of children": "DROP TABLE family CASCADE",
    "cascade of functions": "DROP TABLE log CASCADE",
    "cascade of what is not known": "DROP TABLE public.not_there_at_all CASCADE",
    "made if it is not there": "CREATE TABLE IF NOT EXISTS public.mart (id int); SELECT * FROM public.mart",
    "made of a query if it is not there": "CREATE TABLE IF NOT EXISTS public.mart AS SELECT 1 AS id; TABLE public.mart",
    "only explained": "EXPLAIN CREATE TABLE public.mart AS SELECT 1 AS id; SELECT * FROM public.mart",
    "made and undone": "CREATE TABLE public.mart (id int); ROLLBACK; SELECT * FROM public.mart",
    "made, undone to a savepoint": "CREATE TABLE public.mart (id int); ROLLBACK TO SAVEPOINT a; TABLE public.mart",
    "made and committed": "CREATE TABLE public.mart (id int); COMMIT; SELECT * FROM public.mart",
    "made in another schema": "CREATE TABLE attic.mart (id int); SELECT * FROM public.mart",
    "made with a foreign key": "CREATE TABLE public.mart (id int); ALTER TABLE public.mart ADD FOREIGN KEY (id)"
    " REFERENCES public.u (id)",
    "made and read by a view": "CREATE TABLE public.mart (id int); CREATE VIEW public.lines AS TABLE public.mart",
    "view made and read": "CREATE VIEW public.lines AS SELECT line FROM log; SELECT * FROM public.lines",
    "view made and written to": "CREATE VIEW public.lines AS SELECT line FROM log; DELETE FROM public.lines",
    "view perhaps in place of another": "CREATE OR REPLACE VIEW public.lines AS SELECT line FROM log; ALTER VIEW"
    " public.lines RENAME TO rows_of_log",
    "made with the name of a governed one": "CREATE TABLE attic.secret (id int); ALTER TABLE public.secret RENAME TO s",
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
    "lock of a catalog": "LOCK TABLE pg_class",
    "function": "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'",
    "trigger": "CREATE TRIGGER t BEFORE INSERT ON log FOR EACH ROW EXECUTE FUNCTION watch()",
    "policy": "CREATE POLICY p ON log",
    "grant": "GRANT SELECT ON log TO PUBLIC",
    "comment on others": "COMMENT ON ROLE postgres IS 'x'",
    "reindex": "REINDEX TABLE log",
    "cluster": "CLUSTER log",
    "domain": "CREATE DOMAIN d AS text",
    "statistics": "CREATE STATISTICS s ON line, n FROM log",
}

# With `select` alone: the session's own tables, and what changes nothing.
OWN = {
    "filled": "CREATE TEMP TABLE own (id int, x text); INSERT INTO own VALUES (1, 'a') RETURNING id",
    "filled from governed": "CREATE TEMP TABLE own (id int, x text); INSERT INTO own SELECT id, email FROM u;"
    " TABLE own",
    "named by its schema": "CREATE TEMP TABLE own (id int); INSERT INTO pg_temp.own VALUES (1)",
    "changed": "CREATE TEMP TABLE own AS SELECT id, email FROM u; UPDATE own SET email = 'x' WHERE id = 1;"
    " DELETE FROM own WHERE id = 2; SELECT * FROM own",
    "put in or changed": "CREATE TEMP TABLE own (id int PRIMARY KEY, n int); INSERT INTO own VALUES (1, 1);"
    " INSERT INTO own VALUES (1, 1) ON CONFLICT (id) DO UPDATE SET n = own.n + 1 RETURNING n",
    "emptied": "CREATE TEMP TABLE own AS SELECT 1 AS x; TRUNCATE own; SELECT count(*) FROM own",
    "indexed": "CREATE TEMP TABLE own AS SELECT id, email FROM public.u; CREATE INDEX ON own (email);"
    " ANALYZE own; TABLE own",
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


@pytest.mark.parametrize("name", REFUSED)
def test_what_could_take_masks_off_is_refused_whatever_the_verbs(twins18: Twins, name: str) -> None:
    decision = twins18.governor(EVERYTHING).decide(REFUSED[name], ("public",))
    assert decision.action is Action.DENY, decision.text
    assert decision.denial is not None
    assert decision.denial.sqlstate != "42601"
    assert "not understood (" not in decision.denial.reason


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


# What a transaction that is still open has made, as a session remembers it.
MADE = frozenset(
    {("public", "mart", "r"), ("attic", "cellar", "r"), ("public", "lines", "v"), ("attic", "secret", "r")}
)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("SELECT * FROM public.mart", "SELECT * FROM public.mart"),
        ("SELECT * FROM mart", "SELECT * FROM mart"),
        ("INSERT INTO cellar VALUES (1)", "INSERT INTO cellar VALUES (1)"),
        ("CREATE INDEX ON cellar (id)", "CREATE INDEX ON cellar (id)"),
        ("ALTER TABLE mart ADD x int", "ALTER TABLE mart ADD x int"),
        ("INSERT INTO mart SELECT line FROM log", "INSERT INTO mart SELECT line FROM log"),
        ("ALTER TABLE attic.cellar RENAME TO board", "ALTER TABLE attic.cellar RENAME TO board"),
        ("ALTER VIEW public.lines RENAME TO more", "ALTER VIEW public.lines RENAME TO more"),
        ("SELECT plain FROM attic.u, mart", "SELECT plain FROM attic.u, mart"),
    ],
)
@pytest.mark.parametrize("path", [("public",), None])
def test_what_the_open_transaction_made_is_its_own(
    twins18: Twins, text: str, wanted: str, path: tuple[str, ...] | None
) -> None:
    decision = twins18.governor(EVERYTHING).decide(text, path, made=MADE)
    assert decision.text == wanted, decision.denial
    assert twins18.governor(EVERYTHING).decide(text, path).action is Action.DENY


@pytest.mark.parametrize(
    "text",
    [
        "SELECT * FROM public.cellar",
        "SELECT * FROM public.lines",
        "INSERT INTO public.lines VALUES (1)",
        "DELETE FROM lines",
        "CREATE INDEX ON public.lines (line)",
        "CREATE TEMP TABLE mart (id int); SELECT * FROM mart",
        "ROLLBACK; SELECT * FROM public.mart",
        "COMMIT; SELECT * FROM mart",
    ],
)
def test_other_names_are_not(twins18: Twins, text: str) -> None:
    assert twins18.governor(EVERYTHING).decide(text, ("public",), made=MADE).action is Action.DENY


@pytest.mark.parametrize("path", [("public",), ("attic", "public"), None])
def test_a_name_that_something_governed_has_means_that(twins18: Twins, path: tuple[str, ...] | None) -> None:
    decision = twins18.governor(EVERYTHING).decide("SELECT body FROM secret", path, made=MADE)
    assert decision.masked == ("public.secret.body",)


@pytest.mark.parametrize(
    "text",
    ["SELECT * FROM mart", "INSERT INTO public.mart VALUES (1)", "DROP TABLE public.mart", "CREATE INDEX ON mart (id)"],
)
def test_what_was_made_needs_verbs_like_any_other(twins18: Twins, text: str) -> None:
    nothing = replace(POLICY, enforced=replace(POLICIES, allow=frozenset({"truncate"})))
    assert twins18.governor(nothing).decide(text, ("public",), made=MADE).action is Action.DENY


def test_a_decision_tells_what_it_makes(twins18: Twins) -> None:
    governor = twins18.governor(EVERYTHING)
    for text, makes in (
        ("CREATE TABLE public.mart (id int)", {("public", "mart", "r")}),
        ("CREATE TABLE mart (id int)", {("public", "mart", "r")}),
        ("CREATE TEMP TABLE mart (id int)", set()),
        ("CREATE TABLE IF NOT EXISTS public.mart (id int)", set()),
        ("SELECT 1 AS x INTO attic.mart", {("attic", "mart", "r")}),
        ("CREATE VIEW public.lines AS SELECT line FROM log", {("public", "lines", "v")}),
        ("EXPLAIN CREATE TABLE public.mart AS SELECT 1 AS x", set()),
    ):
        assert governor.decide(text, ("public",)).makes == makes, text
    assert governor.decide("CREATE TABLE mart (id int)", None).makes == frozenset()
    renamed = governor.decide("ALTER TABLE public.mart RENAME TO fair", ("public",), made=MADE)
    assert renamed.makes == {("public", "fair", "r")}


def test_where_a_bare_new_table_comes_to_be_must_be_known(twins18: Twins) -> None:
    governor = twins18.governor(EVERYTHING)
    text = "CREATE TABLE mart (id int)"
    assert governor.decide(text, ("attic", "public")).makes == {("attic", "mart", "r")}
    for path in (("nowhere", "public"), ("pg_catalog", "public"), (), None):
        assert governor.decide(text, path).makes == frozenset()
