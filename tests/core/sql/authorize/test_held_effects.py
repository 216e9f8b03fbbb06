"""What texts do in the eyes of approvals, in whatever guise."""

from __future__ import annotations

from typing import Any

import pytest
from tests.core.sql.test_governor import table

from penstock_core.policy.effective import VERBS, ApprovalRule, EffectivePolicy, Mask, MaskRule, PolicySet, Rule
from penstock_core.policy.holding import Effects, Holding
from penstock_core.sql.catalog.model import Catalog
from penstock_core.sql.governor import Governor

ANY = ApprovalRule("any", "identity.kind == 'agent'", ("dba",), "1h", 0, Rule("web", "approvals[any]"))
DROPS = ApprovalRule("drops", "statement.verb == 'drop'", ("dba",), "1h", 0, Rule("web", "approvals[drops]"))
ORDERS = table("public", "orders", "id", "note")
CATALOG = Catalog(relations={ORDERS.key: ORDERS})
MASK = MaskRule(("public.orders.note",), Mask("redact", Rule("web", "masks[0]")))


def governor(*rules: ApprovalRule, masks: tuple[MaskRule, ...] = (), observed: bool = False) -> Governor:
    policies = PolicySet(("web",), VERBS, masks, approvals=rules)
    policy = EffectivePolicy("shop", None, policies) if observed else EffectivePolicy("shop", policies, None)
    return Governor(policy, CATALOG, b"k" * 32)


PLAIN, MASKED = governor(ANY), governor(ANY, masks=(MASK,))


def held(text: str, by: Governor = PLAIN) -> Holding:
    decision = by.decide(text, ("public",))
    assert decision.denial is None, decision.denial
    assert decision.holding is not None
    return decision.holding


@pytest.mark.parametrize(
    ("text", "verbs"),
    [
        ("SELECT 1", "select"),
        ("DELETE FROM orders", "delete"),
        ("DELETE FROM orders RETURNING id", "delete select"),
        ("WITH gone AS (DELETE FROM orders RETURNING id) SELECT id FROM gone", "delete select"),
        ("INSERT INTO orders VALUES (1) ON CONFLICT (id) DO UPDATE SET note = 'x'", "insert update"),
        (
            "MERGE INTO orders AS o USING (VALUES (1)) AS v (id) ON o.id = v.id"
            " WHEN MATCHED THEN DELETE WHEN NOT MATCHED THEN INSERT VALUES (1, 'x')",
            "merge delete insert",
        ),
        ("EXPLAIN ANALYZE DELETE FROM orders", "explain delete"),
        ("EXPLAIN DELETE FROM orders", "explain"),
        ("COPY orders FROM STDIN", "copy insert"),
        ("COPY orders TO STDOUT", "copy select"),
        ("COPY (DELETE FROM orders RETURNING id) TO STDOUT", "copy delete select"),
        ("TRUNCATE orders", "truncate"),
        ("CREATE TABLE other AS SELECT id FROM orders", "create select"),
        ("PREPARE p AS DELETE FROM orders", "prepare"),
        ("DECLARE c CURSOR FOR SELECT id FROM orders", "declare"),
        ("DECLARE c CURSOR WITH HOLD FOR SELECT id FROM orders", "declare select"),
        ("BEGIN; DELETE FROM orders; COMMIT", "begin delete commit"),
    ],
)
def test_all_that_a_text_does_counts(text: str, verbs: str) -> None:
    assert held(text).does.verbs == set(verbs.split())


@pytest.mark.parametrize("text", ["DELETE FROM orders", "WITH a AS (DELETE FROM orders RETURNING id) TABLE a"])
def test_masked_identities_are_held_alike(text: str) -> None:
    assert held(text, MASKED).does == held(text).does
    assert held(text).does.tables == {"public.orders"}


def test_what_is_made_under_a_name_is_known_for_when_it_runs() -> None:
    made = held("PREPARE p AS DELETE FROM orders")
    assert made.makes == Effects(frozenset({"prepare", "delete"}), frozenset({"public.orders"}))
    assert made.does == Effects(frozenset({"prepare"}))
    assert held("EXECUTE p").rules == (ANY,)


def test_code_of_the_clients_own_may_do_anything() -> None:
    assert not held("DO $$ BEGIN END $$").does.known
    assert held("DO $$ BEGIN END $$", governor(DROPS)).rules == (DROPS,)


@pytest.mark.parametrize(
    ("text", "planned", "several"),
    [
        ("DELETE FROM orders", True, False), ("TRUNCATE orders", False, False), ("SET jit = off", False, False),
        ("EXPLAIN ANALYZE SELECT 1", True, False), ("SELECT 1; SELECT 2", False, True), ("", False, False),
    ],
)  # fmt: skip
def test_what_the_planner_can_be_asked_about(text: str, planned: bool, several: bool) -> None:
    found = held(text)
    assert (found.planned, found.several) == (planned, several)


def test_what_the_planner_is_asked_about_is_what_runs() -> None:
    assert MASKED.decide("COPY (SELECT note FROM orders) TO STDOUT", ("public",)).priced.startswith("SELECT ")
    assert PLAIN.decide("DELETE FROM orders", ("public",)).priced == ""


@pytest.mark.parametrize("number", [5, 6, 7])
def test_what_the_planner_is_asked_about_has_the_literals_of_the_text(number: int) -> None:
    decision = PLAIN.decide(f"COPY (SELECT id FROM orders WHERE id = {number}) TO STDOUT", ("public",))
    assert f"= {number}" in decision.priced


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("SET app.tenant = '5'", {"app.tenant"}), ("SELECT set_config('App.Tenant', '5', true)", {"app.tenant"}),
        ("SET work_mem = '1MB'", set()), ("RESET app.tenant", {"app.tenant"}),
    ],
)  # fmt: skip
def test_settings_that_the_server_lists_nowhere_are_noted(text: str, names: set[str]) -> None:
    assert held(text, governor(DROPS)).sets == names


@pytest.mark.parametrize(
    ("text", "changes"),
    [
        ("SET datestyle = 'DMY'", True), ("SET LOCAL app.tenant = '5'", True), ("RESET ALL", True),
        ("SELECT set_config('timezone', 'UTC', false)", True), ("DISCARD ALL", True), ("DO $$ BEGIN END $$", True),
        ("PREPARE p AS SELECT set_config('timezone', 'UTC', false)", True),
        ("SET search_path = app", False), ("SELECT set_config('search_path', 'app', true)", False),
        ("SELECT 1", False), ("DELETE FROM orders", False), ("SHOW datestyle", False), ("COMMIT", False),
        ("EXECUTE p", False), ("SET search_path = app; SET datestyle = 'DMY'", True),
    ],
)  # fmt: skip
def test_what_changes_settings_is_told_but_for_the_search_path(text: str, changes: bool) -> None:
    assert held(text).changes_settings is changes


SHOWN = Catalog(
    relations={ORDERS.key: ORDERS},
    system_columns={("pg_catalog", name): ("tablename", "most_common_vals") for name in ("pg_stats_ext", "pg_stats")},
)


@pytest.mark.parametrize(
    ("text", "shows"),
    [
        ("SELECT most_common_vals FROM pg_stats_ext", True), ("SELECT 1 FROM pg_catalog.pg_stats", True),
        ("COPY pg_stats_ext TO STDOUT", True), ("SELECT lo_get(16400)", True),
        ("SELECT relname FROM pg_class", False), ("SELECT 1", False),
    ],
)  # fmt: skip
def test_what_shows_values_of_tables_that_it_does_not_name_is_of_any(text: str, shows: bool) -> None:
    policies = PolicySet(("web",), VERBS, approvals=(ANY,))
    by = Governor(EffectivePolicy("shop", policies, None), SHOWN, b"k" * 32)
    assert ("public.orders" in held(text, by).does.tables) is shows


def test_without_approvals_nothing_is_found_out() -> None:
    assert governor().decide("DELETE FROM orders", ("public",)).holding is None


def test_what_can_hold_nothing_of_a_text_is_not_looked_at_when_it_runs() -> None:
    assert held("SELECT 1", governor(DROPS)).concerns is False
    assert held("DROP TABLE orders", governor(DROPS)).rules == (DROPS,)


def test_what_is_observed_holds_nothing() -> None:
    found = held("DROP TABLE orders", governor(DROPS, observed=True))
    assert (found.rules, found.observed) == ((), (DROPS,))


def test_what_is_observed_beside_what_is_enforced() -> None:
    both: dict[str, Any] = {"allow": VERBS}
    enforced = PolicySet(("web",), approvals=(DROPS,), **both)
    observed = PolicySet(("web", "other"), approvals=(ANY, DROPS), **both)
    found = held("DROP TABLE orders", Governor(EffectivePolicy("shop", enforced, observed), CATALOG, b"k" * 32))
    assert (found.rules, found.observed) == ((DROPS,), (ANY,))
