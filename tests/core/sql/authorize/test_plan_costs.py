"""Which texts are limited in what the planner estimates, and what it is asked about."""

from __future__ import annotations

import pytest
from tests.core.sql.test_governor import table

from penstock_core.policy.effective import CostLimit, EffectivePolicy, Mask, MaskRule, PolicySet, Rule
from penstock_core.sql.catalog.model import Catalog
from penstock_core.sql.decision import Action
from penstock_core.sql.governor import Governor

LIMIT = CostLimit(1e6, Rule("web", "guardrails.maxPlanCost"))
ORDERS = table("public", "orders", "id", "note")
CATALOG = Catalog(relations={ORDERS.key: ORDERS})
ALLOW = frozenset({"select", "insert", "update", "delete", "create", "drop"})
POLICIES = PolicySet(("web",), ALLOW, max_plan_cost=LIMIT)
MASKING = PolicySet(
    ("web",),
    ALLOW,
    (MaskRule(("public.orders.note",), Mask("redact", Rule("web", "masks[0]"))),),
    max_plan_cost=LIMIT,
)
GOVERNOR = Governor(EffectivePolicy("shop", POLICIES, None), CATALOG, b"k" * 32)
MASKED = Governor(EffectivePolicy("shop", MASKING, None), CATALOG, b"k" * 32)


@pytest.mark.parametrize(
    ("text", "priced"),
    [
        ("SELECT * FROM orders", ""),
        ("INSERT INTO orders VALUES (1)", ""),
        ("WITH a AS (DELETE FROM orders RETURNING id) TABLE a", ""),
        ("CREATE TABLE other AS SELECT 1", ""),
        ("SELECT 1 INTO other", ""),
        ("DECLARE c CURSOR FOR TABLE orders", ""),
        ("EXECUTE p (1)", ""),
        ("COPY orders TO STDOUT", "SELECT * FROM orders"),
        ("COPY (SELECT id FROM orders WHERE id = 5) TO STDOUT", "SELECT id FROM orders WHERE id = 5"),
        ("EXPLAIN ANALYZE DELETE FROM orders", "DELETE FROM orders"),
        ("EXPLAIN (ANALYZE on, COSTS off) SELECT id FROM orders", "SELECT id FROM orders"),
    ],
)
def test_what_is_planned_is_held_to_the_limit(text: str, priced: str) -> None:
    decision = GOVERNOR.decide(text, ("public",))
    assert (decision.denial, decision.cost_limit, decision.priced) == (None, LIMIT, priced)


@pytest.mark.parametrize("number", [5, 6, 7])
def test_what_the_planner_is_asked_about_has_the_literals_of_the_text(number: int) -> None:
    for governor in (GOVERNOR, MASKED):
        decision = governor.decide(f"COPY (SELECT id FROM orders WHERE id = {number}) TO STDOUT", ("public",))
        assert f"= {number}" in decision.priced


def test_what_is_rewritten_is_asked_about_as_it_runs() -> None:
    decision = MASKED.decide("COPY orders TO STDOUT", ("public",))
    assert decision.action is Action.REWRITE
    assert decision.priced in decision.text
    assert "note" in decision.priced


@pytest.mark.parametrize(
    "text",
    [
        "BEGIN", "SET jit = off", "SHOW jit", "PREPARE p AS TABLE orders", "FETCH ALL FROM c", "COPY orders FROM STDIN",
        "EXPLAIN SELECT * FROM orders", "CREATE TABLE other (id int)", "",
        "BEGIN; COMMIT",
    ],
)  # fmt: skip
def test_what_is_not_planned_is_left_alone(text: str) -> None:
    decision = GOVERNOR.decide(text, ("public",))
    assert (decision.denial, decision.cost_limit) == (None, None)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("SELECT 1; SELECT 2", "several statements"),
        ("BEGIN; SELECT 1", "several statements"),
        ("SET seq_page_cost = 0", "setting seq_page_cost"),
        ("SET LOCAL cpu_tuple_cost TO 0.0001", "setting cpu_tuple_cost"),
        ("SELECT set_config('random_page_cost', '0', true)", "setting random_page_cost"),
    ],
)
def test_ways_around_it_are_refused(text: str, reason: str) -> None:
    decision = GOVERNOR.decide(text, ("public",))
    assert decision.denial is not None
    assert reason in decision.denial.reason
    assert (decision.denial.policy, decision.denial.rule) == ("web", "guardrails.maxPlanCost")
    free = Governor(EffectivePolicy("shop", PolicySet(("web",), ALLOW), None), CATALOG, b"k" * 32)
    assert free.decide(text, ("public",)).denial is None


def test_where_it_is_only_observed_nothing_is_held_to_it() -> None:
    observing = Governor(EffectivePolicy("shop", None, POLICIES), CATALOG, b"k" * 32)
    assert observing.decide("SELECT 1", ("public",)).cost_limit is None
