"""Which settings a session may change, by whichever statement."""

from __future__ import annotations

from dataclasses import replace

import psycopg
import pytest

from penstock_cli.demo.postgres import EmbeddedPostgres
from penstock_core.policy.effective import VERBS, EffectivePolicy, Limit, Mask, MaskRule, PolicySet, Rule
from penstock_core.sql.authorize.settings import timeout_milliseconds
from penstock_core.sql.catalog.model import Catalog, Column, Relation
from penstock_core.sql.decision import Action
from penstock_core.sql.governor import Governor

TEXT = "pg_catalog.text"
PEOPLE = Relation("public", "people", "r", (Column("name", TEXT, TEXT, TEXT, "S"),))
CATALOG = Catalog({PEOPLE.key: PEOPLE}, setting_prefixes=frozenset({"loaded_module"}), login="app")
MASK = MaskRule(("public.people.name",), Mask("null", Rule("p", "masks[0]")))
KEY = b"k" * 32
GOVERNOR = Governor(EffectivePolicy("d", PolicySet(("p",), frozenset({"select"}), masks=(MASK,)), None), CATALOG, KEY)
# One that nothing is masked for.
TRUSTING = Governor(EffectivePolicy("d", PolicySet(("p",), frozenset({"select"})), None), CATALOG, KEY)

ALLOWED = [
    "SET extra_float_digits = 3",
    "SET extra_float_digits TO -1",
    "SET application_name = 'psql'",
    "SET DateStyle = 'ISO'",
    "SET TimeZone TO 'UTC'",
    "SET TIME ZONE 'Europe/Berlin'",
    "SET TIME ZONE LOCAL",
    "SET statement_timeout = '30s'",
    "SET LOCAL lock_timeout = 100",
    "SET SESSION idle_in_transaction_session_timeout = 0",
    "SET NAMES 'utf8'",
    "SET client_encoding TO 'UTF8'",
    "SET client_encoding = 'UNICODE'",
    "SET client_min_messages TO WARNING",
    "SET standard_conforming_strings = on",
    "SET standard_conforming_strings TO 'true'",
    "SET row_security = on",
    "SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL SERIALIZABLE",
    "SET TRANSACTION READ ONLY",
    "SET TRANSACTION SNAPSHOT '00000003-0000001B-1'",
    "SET quote_all_identifiers = true",
    "SET app.tenant = '7'",
    "RESET ALL",
    "RESET statement_timeout",
    "SET jit = off",
    "SET geqo = off",
    "SET geqo TO 'on'",
    "SET bytea_output = 'hex'",
    "RESET standard_conforming_strings",
    "SET statement_timeout TO DEFAULT",
    "SHOW search_path",
    "SHOW ALL",
    "SHOW TRANSACTION ISOLATION LEVEL",
    "DISCARD ALL",
    "DISCARD PLANS",
    "DEALLOCATE ALL",
    "DEALLOCATE x",
    "CLOSE ALL",
    "UNLISTEN *",
    "SELECT set_config('jit', 'off', false)",
    "SELECT set_config('jit', $1, false)",
    "SELECT pg_catalog.set_config('statement_timeout', '1s', true)",
    "SELECT current_setting('server_version_num')",
    "BEGIN",
    "START TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY",
    "COMMIT AND CHAIN",
    "END",
    "ABORT",
    "SAVEPOINT a",
    "RELEASE a",
    "ROLLBACK TO SAVEPOINT a",
    "SET SCHEMA 'x'",
    "SET LOCAL work_mem = '1GB'",
    "SET synchronize_seqscans TO off",
    "SET row_security = off",
    "SET restrict_nonsystem_relation_kind = 'view'",
    "RESET ROLE",
    "RESET SESSION AUTHORIZATION",
    "SET SESSION AUTHORIZATION DEFAULT",
    "SET ROLE NONE",
    "SET LOCAL ROLE NONE",
    "SET ROLE app",
    'SET ROLE "app"',
    "SET SESSION AUTHORIZATION app",
    "SELECT set_config('role', 'none', false)",
    "SELECT set_config('role', 'app', false)",
]

REFUSED = [
    "SET standard_conforming_strings = off",
    "SET standard_conforming_strings = 'OFF'",
    'SET "Standard_Conforming_Strings" = off',
    "SET LOCAL standard_conforming_strings TO 0",
    "SET backslash_quote = on",
    "SET client_encoding = 'SJIS'",
    "SET NAMES 'LATIN1'",
    "SET debug_print_plan = on",
    "SET debug_print_parse = on",
    "SET log_statement = 'all'",
    "SET ROLE admin",
    'SET ROLE "App"',
    "SELECT set_config('role', $1, false)",
    "SELECT set_config('session_authorization', 'admin', false)",
    "SET SESSION AUTHORIZATION admin",
    "SET session_replication_role = replica",
    "SET auto_explain.log_min_duration = 0",
    "SET plpgsql.print_strict_params = on",
    "SET loaded_module.anything = 1",
    "SET search_path FROM CURRENT",
    "SET transform_null_equals = on",
    "SET local_preload_libraries = 'x'",
    "SET dynamic_library_path = 'x'",
    "SELECT set_config('role', 'admin', false)",
    "SELECT set_config('standard_conforming_strings', 'off', true)",
    "SELECT set_config('Standard_Conforming_Strings', $1, true)",
    "SELECT set_config($1, $2, true)",
    "SELECT set_config('ro' || 'le', 'admin', true)",
    "SELECT public.set_config('jit', 'off', true)",
    "ALTER SYSTEM SET work_mem = 1",
    "ALTER ROLE me SET search_path = x",
    "LOAD 'x'",
]


# What only concerns how the server works, where there is nothing to be found out by it.
ALLOWED_WITHOUT_MASKS = [
    "SET enable_seqscan = off",
    "SET default_table_access_method = 'x'",
    "SET check_function_bodies = off",
    "SELECT set_config('enable_sort', 'off', true)",
    "RESET enable_sort",
    "SET client_min_messages = log",
    "SET client_min_messages = debug5",
    "SET client_min_messages = 'LOG'",
    "SELECT (SELECT set_config('client_min_messages', 'log', false))",
    "PREPARE TRANSACTION 'x'",
    "COMMIT PREPARED 'x'",
    "ROLLBACK PREPARED 'x'",
]


@pytest.mark.parametrize("text", ALLOWED)
def test_allowed(text: str) -> None:
    decision = GOVERNOR.decide(text, ("public",))
    assert decision.denial is None
    assert (decision.action, decision.text) == (Action.ALLOW, text)
    # What a session may do with masks, it may have done before there were any.
    assert [one.decide(text, ("public",)).loosens for one in (GOVERNOR, TRUSTING)] == [False, False]


def test_a_session_that_began_with_another_role_keeps_it() -> None:
    unsure = Governor(GOVERNOR.policy, replace(CATALOG, login=""), KEY)
    for text in ("SET ROLE NONE", "SET ROLE app", "SET SESSION AUTHORIZATION app"):
        assert unsure.decide(text, ("public",)).action is Action.DENY
    assert unsure.decide("RESET ROLE", ("public",)).action is Action.ALLOW


@pytest.mark.parametrize("text", REFUSED)
def test_refused(text: str) -> None:
    assert GOVERNOR.decide(text, ("public",)).action is Action.DENY
    assert TRUSTING.decide(text, ("public",)).action is Action.DENY


@pytest.mark.parametrize("text", ALLOWED_WITHOUT_MASKS)
def test_allowed_where_nothing_is_masked(text: str) -> None:
    decision = TRUSTING.decide(text, ("public",))
    assert decision.action is Action.ALLOW
    # Transactions in two phases leave the session as it is.
    assert decision.loosens is (text.split(maxsplit=1)[0] in ("SET", "SELECT", "RESET"))
    assert GOVERNOR.decide(text, ("public",)).action is Action.DENY


def test_code_that_is_not_looked_into_may_have_set_anything() -> None:
    every = PolicySet(("p",), VERBS)
    governor = Governor(EffectivePolicy("d", every, None), CATALOG, KEY)
    assert governor.decide("DO $$BEGIN END$$", ("public",)).loosens
    assert not governor.decide("SELECT 1", ("public",)).loosens


def test_a_setting_that_is_looked_up_by_its_name_is_as_good_as_written_out() -> None:
    """By pg_dump, in case the server is too old for it."""
    text = "SELECT set_config(name, 'view', false) FROM {} WHERE {}"
    for source, where in (("pg_settings", "name = 'jit'"), ("pg_catalog.pg_settings", "name = 'jit'")):
        asked = text.format(source, where)
        decision = TRUSTING.decide(asked, ("public",))
        assert (decision.action, decision.text) == (Action.ALLOW, asked)
        assert GOVERNOR.decide(asked, ("public",)).text == asked
    for source, where in (
        ("pg_settings", "name = 'role'"),
        ("pg_settings", "name = 'standard_conforming_strings'"),
        ("pg_settings", "name IS DISTINCT FROM 'jit'"),
        ("pg_settings", "name <> 'jit'"),
        ("pg_settings", "name ~ 'jit'"),
        ("pg_settings", "name = 'jit' OR true"),
        ("pg_settings", "name = $1"),
        ("pg_settings", "nullif(name = 'jit', true)"),
        ("pg_settings AS s (setting, name)", "name = 'jit'"),
        ("pg_settings, people", "name = 'jit'"),
        ("people", "name = 'jit'"),
        ("mine.pg_settings", "name = 'jit'"),
    ):
        for governor in (TRUSTING, GOVERNOR):
            assert governor.decide(text.format(source, where), ("public",)).action is Action.DENY, (source, where)
    found = text.format("pg_settings", "name = 'jit'")
    hidden = f"WITH pg_settings AS (SELECT 'role' AS name) {found}"
    assert TRUSTING.decide(hidden, ("public",)).action is Action.DENY


@pytest.mark.parametrize(
    ("text", "changes", "resets"),
    [
        ("SET search_path = a, b", True, False),
        ("SET LOCAL search_path = a", True, False),
        ("SET SCHEMA 'a'", True, False),
        ("SELECT set_config('search_path', '', false)", True, False),
        ("SELECT set_config('Search_Path', $1, false)", True, False),
        ("RESET search_path", True, True),
        ("RESET ALL", True, True),
        ("DISCARD ALL", True, True),
        ("RESET ALL; SET search_path = a", True, False),
        ("SET search_path TO DEFAULT", True, False),
        ("SET timezone = 'UTC'", False, False),
        ("DISCARD TEMP", False, False),
    ],
)
def test_what_becomes_of_the_search_path_is_told(text: str, changes: bool, resets: bool) -> None:
    decision = GOVERNOR.decide(text, ("public",))
    assert (decision.changes_search_path, decision.resets_search_path) == (changes, resets)


LIMITED = Governor(
    EffectivePolicy(
        "d",
        PolicySet(
            ("p",),
            frozenset({"select", "update"}),
            statement_timeout=Limit(30_000, Rule("p", "guardrails.statementTimeout")),
        ),
        None,
    ),
    Catalog(),
    b"k" * 32,
)

WITHIN = [
    "SET statement_timeout = '30s'", "SET statement_timeout = 30000",
    "SET statement_timeout TO 1", "SET LOCAL statement_timeout = '5 s'",
    "SET SESSION statement_timeout = '500ms'", "SET statement_timeout = ' 20 s '", "SET statement_timeout TO DEFAULT",
    "RESET statement_timeout", "RESET ALL", "DISCARD ALL", "SELECT set_config('statement_timeout', '10000', true)",
    "SET lock_timeout = 0", "SET idle_session_timeout = '1d'", "SELECT set_config('jit', $1, false)",
]  # fmt: skip
BEYOND = [
    "SET statement_timeout = 0", "SET statement_timeout = '0'",
    "SET statement_timeout = '0s'", "SET statement_timeout = 30001",
    "SET LOCAL statement_timeout = '31s'", "SET statement_timeout = '1min'",
    "SET statement_timeout = '1 h'", "SET statement_timeout = '1d'",
    'SET "Statement_Timeout" = 0', "SET statement_timeout = -1", "SELECT set_config('statement_timeout', '0', false)",
    "SELECT set_config('STATEMENT_TIMEOUT', '60s', true)", "SELECT 1; SET statement_timeout = 0",
    "SELECT (SELECT pg_catalog.set_config('statement_timeout', '0', true))",
]  # fmt: skip
UNCLEAR = [
    "SET statement_timeout = '100us'", "SET statement_timeout = 0.4",
    "SET statement_timeout = '1.5s'", "SET statement_timeout = '1e3'",
    "SET statement_timeout = '0x10'", "SET statement_timeout = '010'",
    "SET statement_timeout = 30, 40", "SET statement_timeout = on",
    "SET statement_timeout = '30S'", "SET statement_timeout = 'soon'",
    "SET statement_timeout = ''", "SET statement_timeout = '٣s'",
    "SELECT set_config('statement_timeout', $1, true)", "SELECT set_config('statement_timeout', NULL, true)",
    "SELECT set_config('statement_timeout', '3' || '0s', true)",
    "SELECT set_config('statement_timeout', '30s'::varchar(1), true)",
    "SELECT set_config('statement_timeout', is_local => true, new_value => '0')",
]  # fmt: skip


@pytest.mark.parametrize("text", WITHIN)
def test_a_timeout_within_the_limit_may_be_set(text: str) -> None:
    assert LIMITED.decide(text, ("public",)).denial is None


@pytest.mark.parametrize("text", [*BEYOND, *UNCLEAR])
def test_a_timeout_beyond_the_limit_may_not(text: str) -> None:
    assert GOVERNOR.decide(text, ("public",)).denial is None
    denial = LIMITED.decide(text, ("public",)).denial
    assert denial is not None
    assert (denial.policy, denial.rule, denial.sqlstate) == ("p", "guardrails.statementTimeout", "42501")
    known = "not be more than 30000 ms" if text in BEYOND else "accepts only a time that is a plain constant"
    # A minus is no part of a time.
    assert known in denial.reason or "= -1" in text


def test_there_is_no_other_way_to_set_it() -> None:
    for text in (
        "UPDATE pg_settings SET setting = '0' WHERE name = 'statement_timeout'",
        "UPDATE pg_catalog.pg_settings SET setting = '0' WHERE name = 'statement_timeout'",
        "SELECT set_config(name, '0', true) FROM pg_settings WHERE name = 'statement_timeout'",
        "SELECT set_config(setting_name => 'statement_timeout', new_value => '0', is_local => true)",
        "ALTER ROLE me SET statement_timeout = 0", "ALTER DATABASE d SET statement_timeout = 0",
        "ALTER SYSTEM SET statement_timeout = 0", "SET statement_timeout FROM CURRENT",
        "DO $$ BEGIN SET statement_timeout = 0; END $$",
        "CREATE FUNCTION f() RETURNS int LANGUAGE sql SET statement_timeout = 0 AS 'SELECT 1'",
    ):  # fmt: skip
        assert LIMITED.decide(text, ("public",)).action is Action.DENY, text


@pytest.mark.parametrize(
    "value", ["0", "100000", "30s", " 20 s ", "5000 ms", "1min", "2h", "24d", "010", "100us", "1.5s", "0x10", "s"]
)
def test_times_are_read_as_the_server_reads_them(postgres: EmbeddedPostgres, value: str) -> None:
    with psycopg.connect(postgres.url("postgres")) as connection:
        try:
            connection.execute("SELECT set_config('statement_timeout', %s, false)", (value,))
        except psycopg.Error:
            assert timeout_milliseconds(value) is None
            return
        row = connection.execute("SELECT setting FROM pg_settings WHERE name = 'statement_timeout'").fetchone()
        assert row is not None
        # What is not read is refused.
        assert timeout_milliseconds(value) in (int(row[0]), None)
        assert timeout_milliseconds(value) is not None or value in ("010", "100us", "1.5s", "0x10")
