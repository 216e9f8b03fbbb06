"""What prepares, explains and keeps queries, and what changes the schema: for whom it passes, and as what."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.core.sql.test_governor import CATALOG, KEY, MASKING, PLAIN, decide, governor, reason, table

from penstock_core.policy.effective import EffectivePolicy
from penstock_core.sql.decision import Action, Denial
from penstock_core.sql.governor import Governor

NO_DENIAL = Denial("", "")
EVERYTHING = frozenset({"select", "insert", "update", "delete", "truncate", "create", "alter", "drop"})
# Whoever may do all, with nothing masked and nothing to guard.
OWNER = replace(PLAIN, allow=EVERYTHING, require_where=(), deny_functions=())
MASKED_OWNER = replace(MASKING, allow=EVERYTHING, require_where=(), deny_functions=())
MASKED = "(SELECT id AS id, CAST('***' AS pg_catalog.text) AS email, name AS name FROM public.people)"

NEEDS = {
    "CREATE TABLE fresh (id int)": "create",
    "CREATE TABLE fresh AS SELECT 1": "create",
    "SELECT 1 AS one INTO fresh": "create",
    "CREATE MATERIALIZED VIEW fresh AS SELECT 1": "create",
    "CREATE VIEW fresh AS SELECT note FROM orders": "create",
    "CREATE INDEX ON people (name)": "create",
    "CREATE SEQUENCE fresh": "create",
    "CREATE SCHEMA fresh CREATE TABLE t (id int)": "create",
    "CREATE TYPE fresh AS (a int)": "create",
    "CREATE DOMAIN fresh AS int CHECK (VALUE > 0)": "create",
    "CREATE POLICY fresh ON people USING (id = '1')": "create",
    "COMMENT ON TABLE people IS 'x'": "create",
    "ALTER TABLE people ADD COLUMN age int DEFAULT 1": "alter",
    "ALTER TABLE people RENAME COLUMN name TO called": "alter",
    "ALTER SEQUENCE fresh RESTART": "alter",
    "GRANT SELECT ON people TO PUBLIC": "alter",
    "REVOKE SELECT ON people FROM PUBLIC": "alter",
    "REFRESH MATERIALIZED VIEW fresh": "alter",
    "REINDEX TABLE people": "alter",
    "VACUUM people": "alter",
    "ANALYZE": "alter",
    "DROP TABLE people": "drop",
    "DROP VIEW fresh CASCADE": "drop",
    "DROP FUNCTION report(int)": "drop",
    "DROP SCHEMA fresh": "drop",
    "TRUNCATE people, orders CASCADE": "truncate",
    "LOCK TABLE people": "update",
}

CODE = [
    "DO $$ BEGIN DELETE FROM people; END $$",
    "CALL report()",
    "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'",
    "CREATE TRIGGER t BEFORE INSERT ON people FOR EACH ROW EXECUTE FUNCTION f()",
    "CREATE RULE r AS ON INSERT TO people DO INSTEAD DELETE FROM orders",
    "CREATE AGGREGATE a (int) (SFUNC = int4pl, STYPE = int)",
    "CREATE CAST (int AS text) WITH INOUT",
    "CREATE ACCESS METHOD heap2 TYPE TABLE HANDLER heap_tableam_handler",
    "CREATE EXTENSION citext",
    "SELECT query_to_xml('DELETE FROM people', true, false, '')",
    "SELECT * FROM ts_stat('SELECT x FROM y')",
    "SELECT * FROM dblink('host=elsewhere', 'SELECT 1') AS t (a int)",
    "SELECT * FROM tools.crosstab('DELETE FROM people RETURNING 1, 2, 3') AS t (a int)",
]

NOBODY = [
    "CREATE ROLE somebody",
    "ALTER ROLE somebody SUPERUSER",
    "DROP ROLE somebody",
    "GRANT admin TO somebody",
    "CREATE DATABASE other",
    "DROP DATABASE other",
    "ALTER SYSTEM SET work_mem = 1",
    "CREATE SUBSCRIPTION s CONNECTION 'host=x' PUBLICATION p",
    "CREATE PUBLICATION p FOR ALL TABLES",
    "CREATE SERVER s FOREIGN DATA WRAPPER w",
    "CREATE USER MAPPING FOR somebody SERVER s",
    "CREATE EVENT TRIGGER e ON ddl_command_end EXECUTE FUNCTION f()",
    "CREATE TABLESPACE t LOCATION '/x'",
    "CREATE LANGUAGE l HANDLER h",
    "REASSIGN OWNED BY a TO b",
    "DROP OWNED BY a",
    "LOAD 'x'",
    "CHECKPOINT",
    "SECURITY LABEL ON TABLE people IS 'x'",
]


@pytest.mark.parametrize("text", NEEDS)
def test_a_change_of_the_schema_needs_its_verb(text: str) -> None:
    decision = decide(text, enforced=OWNER)
    assert (decision.action, decision.text, decision.writes) == (Action.ALLOW, text, True)
    without = replace(OWNER, allow=EVERYTHING - {NEEDS[text]})
    assert f"needs the verb {NEEDS[text]};" in reason(decide(text, enforced=without))


# Where nothing masked is in it.
HARMLESS = ("SELECT 1", "CREATE MATERIALIZED", "CREATE VIEW", "CREATE SEQUENCE", "COMMENT ON TABLE", "LOCK TABLE")


@pytest.mark.parametrize(
    "text", sorted(NEEDS.keys() - {"CREATE TABLE fresh (id int)", "CREATE TABLE fresh AS SELECT 1"})
)
def test_where_columns_are_masked_little_of_the_schema_may_change(text: str) -> None:
    if text.startswith(HARMLESS):
        assert decide(text, enforced=MASKED_OWNER).denial is None
    else:
        assert decide(text, enforced=MASKED_OWNER).action is Action.DENY


def test_what_masks_spread_through_stays() -> None:
    assert decide("DROP TABLE public.orders", enforced=MASKED_OWNER).denial is None
    assert decide("DROP VIEW IF EXISTS fresh", enforced=MASKED_OWNER).denial is None
    for text in ("DROP TABLE people", "DROP TABLE public.orders, public.people"):
        assert "public.people cannot be dropped: it has masked columns" in reason(decide(text, enforced=MASKED_OWNER))
    assert decide("DROP TABLE public.orders CASCADE", enforced=MASKED_OWNER).denial is None
    for text in ("DROP TABLE public.fresh CASCADE", "DROP TABLE public.orders, fresh CASCADE"):
        assert "removes what nobody named" in reason(decide(text, enforced=MASKED_OWNER))


@pytest.mark.parametrize("text", CODE)
def test_code_passes_only_where_everything_may_be_done(text: str) -> None:
    assert decide(text, enforced=OWNER).action is Action.ALLOW
    assert "could do what no policy allows (truncate)" in reason(
        decide(text, enforced=replace(OWNER, allow=EVERYTHING - {"truncate"}))
    )
    guarded = decide(text, enforced=replace(OWNER, require_where=PLAIN.require_where))
    assert "could bypass a guardrail" in reason(guarded)
    assert guarded.denial is not None
    assert guarded.denial.rule == "guardrails.requireWhere"
    assert decide(text, enforced=MASKED_OWNER).action is Action.DENY


def test_what_others_run_is_shown_to_those_who_may_run_code_alone() -> None:
    text = "SELECT query FROM pg_stat_activity"
    assert decide(text, enforced=OWNER).action is Action.ALLOW
    for less in (replace(OWNER, allow=EVERYTHING - {"drop"}), replace(OWNER, require_where=PLAIN.require_where)):
        assert "CASE WHEN false THEN query END AS query" in decide(text, enforced=less).text
    assert "CASE WHEN false THEN query END AS query" in decide(text, enforced=MASKED_OWNER).text


@pytest.mark.parametrize("text", NOBODY)
def test_the_servers_own_affairs_are_nobodys(text: str) -> None:
    said = reason(decide(text, enforced=OWNER))
    assert "is the business of whoever runs the server" in said
    assert "DATABASE" not in text or text.split(" other", maxsplit=1)[0] in said


@pytest.mark.parametrize(
    "text",
    [
        "CREATE VIEW v AS SELECT upper(name) FROM people",
        "CREATE TABLE t (a text DEFAULT upper('x'))",
        "CREATE TABLE t (a text CHECK (upper(a) = a))",
        "ALTER TABLE people ALTER name SET DEFAULT upper('x')",
        "CREATE TABLE t (a text DEFAULT ('x'::text).upper)",
        "CREATE TABLE t (a text, CHECK (t.upper = a))",
        "ALTER TABLE people ADD COLUMN a text DEFAULT ('x'::text).upper",
        "ALTER TABLE people ALTER name TYPE text USING (name).upper",
        "CREATE INDEX ON people (upper(name))",
        "CREATE POLICY p ON people USING (upper(name) = 'X')",
        "CREATE SCHEMA s CREATE VIEW v AS SELECT upper('x')",
        "CREATE MATERIALIZED VIEW v AS SELECT upper('x')",
    ],
)
def test_a_denied_function_is_not_kept_for_later(text: str) -> None:
    guarded = replace(OWNER, deny_functions=PLAIN.deny_functions)
    assert "function upper is denied" in reason(decide(text, enforced=guarded))


def test_a_denied_function_is_not_called_otherwise() -> None:
    guarded = replace(OWNER, deny_functions=PLAIN.deny_functions)
    for text in ("ALTER FUNCTION report(int) RENAME TO other", "ALTER FUNCTION public.report(int) SET SCHEMA other"):
        assert "function public.report is denied" in reason(decide(text, enforced=guarded))
        assert decide(text, enforced=OWNER).denial is None


def test_what_changes_sequences_needs_its_verb() -> None:
    reading = replace(OWNER, allow=frozenset({"select", "create"}))
    assert "needs the verb insert;" in reason(decide("SELECT nextval('s')", enforced=reading))
    assert "needs the verb update;" in reason(decide("SELECT pg_catalog.setval('s', 1)", enforced=reading))
    assert "needs the verb insert;" in reason(decide("SELECT ('s'::regclass).nextval", enforced=reading))
    # It is called when somebody inserts, by what that may do.
    assert decide("CREATE TABLE t (id int DEFAULT nextval('s'))", enforced=reading).denial is None
    for text in ("SELECT nextval('s')", "SELECT setval('s', 1)", "SELECT lastval()"):
        assert decide(text, enforced=OWNER).denial is None


def test_settings_are_not_changed_through_views() -> None:
    for text in ("CREATE VIEW v AS TABLE pg_settings", "CREATE TEMP VIEW v AS SELECT proname FROM ONLY pg_proc AS p"):
        assert "could be used to change it" in reason(decide(text, enforced=OWNER))
    assert decide("CREATE VIEW v AS SELECT DISTINCT name FROM pg_settings", enforced=OWNER).denial is None
    knobs = replace(table("public", "knobs", "name", "setting"), kind="v", passes_on=True)
    shown = replace(table("public", "shown", "name", "setting"), kind="v", sources=frozenset({knobs.key}))
    seen = replace(CATALOG, relations={**CATALOG.relations, knobs.key: knobs, shown.key: shown})
    judge = Governor(EffectivePolicy("shop", OWNER, None), seen, KEY)
    for text in ("UPDATE shown SET setting = 'off' WHERE name = 'x'", "CREATE VIEW v AS SELECT * FROM shown"):
        assert "it shows the system's own relations" in reason(judge.decide(text, ("public",)))
    assert judge.decide("SELECT * FROM shown", ("public",)).denial is None


def test_the_servers_files_are_not_read_by_a_field() -> None:
    text = "ALTER TABLE people ADD COLUMN a text DEFAULT ('/etc/passwd'::text).pg_read_file"
    assert "function pg_read_file may not be called" in reason(decide(text, enforced=OWNER))


def test_a_view_of_secrets_is_refused_as_the_query_is() -> None:
    assert "may not be read" in reason(decide("CREATE VIEW v AS SELECT * FROM pg_authid", enforced=OWNER))


def test_what_a_change_names_is_recorded() -> None:
    assert decide("ALTER TABLE people ADD x int", enforced=OWNER).relations == ("public.people",)
    assert decide("DROP TABLE people", enforced=OWNER).relations == ("public.people",)
    assert decide("TRUNCATE sales.orders", enforced=OWNER).relations == ("sales.orders",)


# ---- prepared statements and cursors in SQL


def test_what_is_prepared_is_decided_then_and_what_is_executed_says_nothing() -> None:
    prepared = decide("PREPARE p (text) AS SELECT email FROM people WHERE id = $1")
    assert prepared.text == f"PREPARE p(pg_catalog.text) AS SELECT email FROM {MASKED} AS people WHERE id = $1"
    assert prepared.verbs == ("prepare", "select")
    executed = decide("EXECUTE p('1')")
    assert (executed.verbs, executed.redact_errors, executed.writes) == (("execute",), True, True)
    assert not decide("EXECUTE p('1')", enforced=PLAIN).redact_errors


def test_a_cursor_is_over_what_a_query_would_show() -> None:
    declared = decide("DECLARE c CURSOR FOR SELECT email FROM people")
    assert declared.text == f"DECLARE c CURSOR FOR SELECT email FROM {MASKED} AS people"
    assert declared.verbs == ("declare", "select")
    fetched = decide("FETCH 10 FROM c")
    assert (fetched.verbs, fetched.redact_errors, fetched.writes) == (("fetch",), True, False)
    assert decide("MOVE ALL IN c").action is not Action.DENY


def test_guardrails_hold_for_what_is_prepared() -> None:
    assert "DELETE without WHERE" in reason(decide("PREPARE p AS DELETE FROM letters", ("archive",)))
    assert "needs the verb update;" in reason(decide("PREPARE p AS UPDATE letters SET body = ''", ("archive",)))


def test_explain_tells_nothing_of_governed_relations() -> None:
    assert decide("EXPLAIN SELECT body FROM archive.letters").action is Action.ALLOW
    assert "statistics" in reason(decide("EXPLAIN SELECT name FROM people"))
    assert decide("EXPLAIN ANALYZE SELECT email FROM people", enforced=PLAIN).action is Action.ALLOW
    assert "DELETE without WHERE" in reason(decide("EXPLAIN ANALYZE DELETE FROM people", enforced=PLAIN))


# ---- temporary tables


def test_a_temporary_table_is_known_from_then_on_and_named_surely() -> None:
    made = decide("CREATE TEMP TABLE mine AS SELECT email FROM people")
    assert made.temporary == {"mine"}
    assert made.denial is None
    one = governor()
    read = one.decide("SELECT email FROM mine", ("public",), made.temporary)
    assert (read.action, read.text) == (Action.REWRITE, "SELECT email FROM pg_temp.mine")
    assert one.decide("SELECT email FROM mine", ("public",)).action is Action.DENY
    filled = one.decide("INSERT INTO mine VALUES ('x')", ("public",), made.temporary)
    assert filled.text == "INSERT INTO pg_temp.mine VALUES ('x')"


def test_a_temporary_table_does_not_take_the_name_of_another() -> None:
    one = governor()
    refusal = one.decide("SELECT name FROM people", ("public",), frozenset({"people"}))
    assert reason(refusal) == "people is the name of a temporary table and of public.people"
    assert one.decide("SELECT name FROM pg_temp.people", ("public",), frozenset({"people"})).denial is None
    assert one.decide("SELECT name FROM public.people", ("public",), frozenset({"people"})).denial is None


def test_temporary_tables_need_no_verb_to_come_and_go() -> None:
    assert decide("CREATE TEMP TABLE mine (id int, at date)").action is Action.ALLOW
    dropped = governor().decide("DROP TABLE mine", ("public",), frozenset({"mine"}))
    assert dropped.text == "DROP TABLE pg_temp.mine"
    assert "needs the verb drop;" in reason(decide("DROP TABLE mine"))
    both = governor().decide("DROP TABLE mine, letters", ("public",), frozenset({"mine"}))
    assert "needs the verb drop;" in reason(both)
    assert decide("DISCARD TEMP").drops_temporary
    assert decide("DISCARD ALL").drops_temporary
    assert not decide("DISCARD PLANS").drops_temporary


def test_one_text_may_make_and_use_it() -> None:
    decision = decide("CREATE TEMP TABLE mine AS SELECT email FROM people; SELECT * FROM mine")
    assert decision.text.endswith("; SELECT * FROM pg_temp.mine")


def test_a_table_that_stays_may_be_made_of_what_is_read_where_that_is_allowed() -> None:
    may = replace(MASKING, allow=frozenset({"select", "create"}))
    decision = decide("CREATE TABLE copies AS SELECT email FROM people", enforced=may)
    assert decision.text == f"CREATE TABLE copies AS SELECT email FROM {MASKED} AS people"
    assert decision.temporary == frozenset()
    assert "needs the verb create;" in reason(decide("CREATE TABLE copies AS SELECT email FROM people"))


@pytest.mark.parametrize(
    "text",
    ["CREATE TEMP TABLE t (id int)", "CREATE TEMP TABLE t AS SELECT 1", "SELECT 1 INTO TEMP t", "DROP TABLE pg_temp.t"],
)
def test_event_triggers_are_code_of_the_databases_own(text: str) -> None:
    watched = replace(CATALOG, event_functions=("public.watch",))
    for enforced, refused in ((MASKED_OWNER, True), (OWNER, False)):
        decision = Governor(EffectivePolicy("shop", enforced, None), watched, KEY).decide(text, ("public",))
        assert (decision.denial is not None and "public.watch" in decision.denial.reason) == refused
        assert decide(text, enforced=enforced).denial is None


def test_channels_are_listened_to_where_a_policy_vouches_for_them_or_nothing_is_masked() -> None:
    listed = replace(MASKING, allow_channels=frozenset({"jobs", "Odd One"}))
    for text, channel in (("LISTEN jobs", "jobs"), ("LISTEN JOBS", "jobs"), ('LISTEN "Odd One"', "Odd One")):
        assert decide(text, enforced=listed).denial is None
        assert "allowChannels" in (decide(text, enforced=MASKING).denial or NO_DENIAL).remedy
        assert decide(text, enforced=PLAIN).denial is None
        for enforced, hears in ((listed, True), (MASKING, False), (PLAIN, True)):
            assert governor(enforced=enforced).hears(channel) is hears
    assert "LISTEN Jobs" in reason(decide('LISTEN "Jobs"', enforced=listed))
    assert governor(enforced=None, observed=MASKING).hears("jobs")
    assert decide("UNLISTEN jobs; UNLISTEN *", enforced=MASKING).denial is None
