"""Which texts are be limited to a number of rows, and which can't be."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.core.sql.test_governor import table

from penstock_core.policy.effective import VERBS, EffectivePolicy, Limit, PolicySet, Rule
from penstock_core.sql.catalog.model import Catalog, Relation
from penstock_core.sql.decision import Action
from penstock_core.sql.governor import Governor

LIMIT = Limit(10, Rule("web", "guardrails.maxRowsReturned"))
ORDERS = table("public", "orders", "id", "note")
RULED = replace(table("public", "ruled", "id"), has_rules=True)
VIEW = Relation("public", "seen", "v", ORDERS.columns)
CATALOG = Catalog(relations={one.key: one for one in (ORDERS, RULED, VIEW)})
POLICIES = PolicySet(("web",), VERBS, max_rows_returned=LIMIT)
GOVERNOR = Governor(EffectivePolicy("shop", POLICIES, None), CATALOG, b"k" * 32)


@pytest.mark.parametrize(
    "text",
    [
        "SELECT * FROM orders", "SELECT 1;", "TABLE orders", "VALUES (1), (2)",
        "WITH a AS (SELECT 1) TABLE a", "SHOW ALL",
        "INSERT INTO orders VALUES (1) RETURNING id", "UPDATE orders SET id = 1 RETURNING *",
        "DELETE FROM orders RETURNING 1",
        "WITH gone AS (DELETE FROM orders RETURNING id) SELECT * FROM gone", "SELECT set_config('jit', 'off', false)",
        # Rules could make a SELECT of it, those of a view's base table too.
        "INSERT INTO ruled VALUES (1)", "UPDATE seen SET id = 1",
    ],
)  # fmt: skip
def test_what_may_return_rows_is_held_to_the_limit(text: str) -> None:
    decision = GOVERNOR.decide(text, ("public",))
    assert (decision.denial, decision.row_limit) == (None, LIMIT)


@pytest.mark.parametrize(
    "text",
    [
        "BEGIN", "COMMIT", "SAVEPOINT a", "SET jit = off", "RESET ALL", "DISCARD ALL", "DEALLOCATE ALL", "CLOSE ALL",
        "",
        "INSERT INTO orders VALUES (1)", "UPDATE orders SET id = 1", "DELETE FROM orders", "COPY orders FROM STDIN",
        "INSERT INTO orders SELECT id FROM orders", "BEGIN; INSERT INTO orders VALUES (1); COMMIT",
    ],
)  # fmt: skip
def test_what_returns_none_is_left_alone(text: str) -> None:
    decision = GOVERNOR.decide(text, ("public",))
    assert (decision.denial, decision.row_limit) == (None, None)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("COPY orders TO STDOUT", "COPY … TO"),
        ("COPY (SELECT 1) TO STDOUT", "COPY … TO"),
        ("SELECT 1; SELECT 2", "several statements"),
        ("BEGIN; SELECT 1", "several statements"),
        ("SET jit = off; SHOW jit", "several statements"),
        ("SELECT 1; COPY orders TO STDOUT", "COPY … TO"),
        ("INSERT INTO orders VALUES (1); DELETE FROM orders RETURNING *", "several statements"),
        ("BEGIN; INSERT INTO ruled VALUES (1)", "several statements"),
    ],
)
def test_what_can_not_be_held_to_it_is_refused(text: str, reason: str) -> None:
    decision = GOVERNOR.decide(text, ("public",))
    assert decision.action is Action.DENY
    assert decision.denial is not None
    assert reason in decision.denial.reason
    assert (decision.denial.policy, decision.denial.rule) == ("web", "guardrails.maxRowsReturned")


def test_where_it_is_only_observed_nothing_is_held_to_it() -> None:
    observing = Governor(EffectivePolicy("shop", None, POLICIES), CATALOG, b"k" * 32)
    assert observing.decide("SELECT 1", ("public",)).row_limit is None
    copied = observing.decide("COPY orders TO STDOUT", ("public",))
    assert (copied.action, copied.observed) == (Action.ALLOW, Action.DENY)
    looser = PolicySet(("a",), VERBS)
    both = Governor(EffectivePolicy("shop", looser, POLICIES), CATALOG, b"k" * 32)
    assert both.decide("SELECT 1", ("public",)).row_limit is None
