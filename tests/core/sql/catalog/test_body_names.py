"""What the names in bodies come to, held against the catalog, under whatever search path."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.core.sql.catalog.test_functions import sql, verdict

from penstock_core.sql.catalog.function_effects import NOTHING, FunctionEffects
from penstock_core.sql.catalog.model import Argument, Routine


def test_a_bare_relation_is_every_one_of_that_name() -> None:
    assert verdict(sql("TABLE t")).reads == {("public", "t"), ("attic", "t")}
    assert verdict(sql("TABLE t", settings=("search_path=attic, pg_temp",))).reads == {("attic", "t")}
    assert verdict(sql("TABLE t", settings=('search_path="$user", attic',))).reads == {("public", "t"), ("attic", "t")}
    assert verdict(sql("TABLE public.t")).reads == {("public", "t")}
    assert "relation nowhere, which is not known" in verdict(sql("TABLE nowhere")).unknown


def test_a_table_of_with_may_hide_a_relation_or_not() -> None:
    assert verdict(sql("WITH t AS (SELECT 1) TABLE t")).reads == {("public", "t"), ("attic", "t")}
    assert verdict(sql("WITH x AS (SELECT 1) TABLE x")) == replace(NOTHING, calls=frozenset({("app", "f")}))


def test_a_bare_function_is_every_one_of_that_name() -> None:
    spy = sql("SELECT pg_sleep(1)", "lower", "evil")
    assert verdict(sql("SELECT lower('x')"), spy).hazards == ("function pg_sleep",)
    assert verdict(sql("SELECT pg_catalog.lower('x')"), spy).hazards == ()
    assert verdict(sql("SELECT lower('x')", settings=("search_path=app",)), spy).hazards == ()
    assert verdict(sql("", parsed="RETURN lower('x')"), spy).hazards == ()


@pytest.mark.parametrize(
    ("body", "hazard"),
    [
        ("SELECT 1 FROM pg_stats", "pg_catalog.pg_stats"),
        ("SELECT 1 FROM pg_authid", "pg_catalog.pg_authid"),
        ("SELECT 1 FROM information_schema.user_mapping_options", "information_schema.user_mapping_options"),
        ("SELECT pg_sleep(1)", "function pg_sleep"),
        ("SELECT (x).pg_sleep FROM public.t x", "function pg_sleep"),
        ("SELECT 1::public.spy", "type public.spy"),
    ],
)
def test_what_masked_identities_may_not_use_is_told(body: str, hazard: str) -> None:
    assert verdict(sql(body)).hazards == (hazard,)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("SELECT query_to_xml('x', true, true, '')", "runs SQL that it is given"),
        ("SELECT app.nothing()", "function app.nothing is not known"),
        ("SELECT nothing()", "calls nothing, which may not be called"),
        ("SELECT 1 <~~> 2", "operator <~~>, which is not known"),
        ("SELECT 1::nothing", "type nothing, which is not known"),
        ("SELECT set_config('role', 'x', true)", "changes the setting role"),
        ("SELECT set_config('plpgsql.x', 'x', true)", "changes the setting plpgsql.x"),
        ("INSERT INTO pg_settings VALUES (1)", "writes to pg_settings"),
        ("UPDATE pg_catalog.pg_class SET relname = 'x'", "writes to pg_class"),
    ],
)
def test_what_is_not_known_is_told(body: str, words: str) -> None:
    assert words in verdict(sql(body)).unknown


def test_settings_of_a_function_are_listed() -> None:
    assert verdict(sql("SELECT 1", settings=("TimeZone=UTC", "work_mem=1MB"))).unknown == ""
    for setting in ("role=postgres", "statement_timeout=0", "client_min_messages=debug5", "session_replication_role=x"):
        assert "changes the setting" in verdict(sql("SELECT 1", settings=(setting,))).unknown


def test_types_of_the_signature_count() -> None:
    spy = Argument("i", "a", ("public", "spy"))
    assert verdict(sql("SELECT 1", arguments=(spy,))).hazards == ("type public.spy",)
    assert verdict(sql("SELECT 1", returns=("public", "spy"))).hazards == ("type public.spy",)
    assert verdict(sql("SELECT 1", returns=("public", "mood"))).hazards == ()


def test_an_aggregate_is_what_it_is_made_of() -> None:
    def of(*parts: tuple[str, str]) -> FunctionEffects:
        return verdict(Routine("app", "f", "a", "internal", parts=parts), sql("DELETE FROM public.t", "g"))

    assert of(("pg_catalog", "int4pl")).unknown == ""
    assert of(("app", "g")).verbs == {"delete"}
    assert "is made of ts_rewrite" in of(("pg_catalog", "ts_rewrite")).unknown
