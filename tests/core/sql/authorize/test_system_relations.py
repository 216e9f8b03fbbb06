"""The system's own relations: what goes in their place, and only once it is asked for."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.core.sql.test_governor import CATALOG, KEY, MASKING, PLAIN, reason

from penstock_core.policy.effective import EffectivePolicy, PolicySet
from penstock_core.sql.decision import Action, Decision
from penstock_core.sql.governor import Governor

KNOWN = {
    ("pg_catalog", "pg_class"): ("oid", "relname", "relpages", "reltuples"),
    ("pg_catalog", "pg_stats"): ("schemaname", "attname", "most_common_vals"),
    ("pg_catalog", "pg_stat_activity"): ("pid", "usename", "query"),
    ("pg_catalog", "pg_stat_user_tables"): ("relid", "schemaname", "relname", "n_tup_ins"),
}
SYSTEM = replace(CATALOG, system_columns={**CATALOG.system_columns, **KNOWN})
# Nothing is masked for it, and it may not do everything.
READER = replace(PLAIN, allow=frozenset({"select"}))


def decided(text: str, policies: PolicySet = MASKING) -> Decision:
    return Governor(EffectivePolicy("shop", policies, None), SYSTEM, KEY).decide(text, ("public",))


@pytest.mark.parametrize("text", ["SELECT relname FROM pg_class", "SELECT oid FROM pg_catalog.pg_class AS c"])
def test_what_hides_nothing_of_what_is_asked_for_stays_as_it_is(text: str) -> None:
    decision = decided(text)
    assert (decision.action, decision.text) == (Action.ALLOW, text)


def test_what_is_hidden_is_null_of_its_own_type_or_what_stands_for_not_known() -> None:
    decision = decided("SELECT relpages FROM pg_class")
    assert decision.text == (
        "SELECT relpages FROM (SELECT oid AS oid, relname AS relname, CASE WHEN false THEN relpages END AS relpages,"
        " CAST('-1' AS pg_catalog.float4) AS reltuples FROM pg_catalog.pg_class) AS pg_class"
    )


def test_of_statistics_only_names_show() -> None:
    text = decided("SELECT relname, n_tup_ins FROM pg_stat_user_tables").text
    assert "CASE WHEN false THEN n_tup_ins END" in text
    assert "relname AS relname" in text


def test_what_others_run_shows_to_those_who_may_do_anything() -> None:
    hidden = decided("SELECT query FROM pg_stat_activity", READER).text
    assert "CASE WHEN false THEN query END" in hidden
    every = frozenset({"select", "insert", "update", "delete", "truncate", "create", "alter", "drop"})
    free = replace(PLAIN, allow=every, require_where=(), deny_functions=())
    assert decided("SELECT query FROM pg_stat_activity", free).action is Action.ALLOW


def test_secrets_are_refused() -> None:
    assert reason(decided("SELECT rolname FROM pg_authid")) == "pg_catalog.pg_authid may not be read"
    assert reason(decided("SELECT rolname FROM pg_authid", READER)) == "pg_catalog.pg_authid may not be read"


def test_which_catalog_a_row_is_of_is_kept() -> None:
    assert "tableoid" in decided("SELECT tableoid, relpages FROM pg_class").text
    assert "ctid may not be read" in reason(decided("SELECT p.ctid, c.relname FROM people p, pg_class c"))


def test_of_statistics_about_values_no_row_shows() -> None:
    assert "FROM pg_catalog.pg_stats WHERE false) AS pg_stats" in decided("SELECT attname FROM pg_stats").text
    assert decided("SELECT attname FROM pg_stats", READER).text == "SELECT attname FROM pg_stats"
