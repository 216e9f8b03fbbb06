"""Asking what would become of a statement: the answer is told as rows, and runs nothing of the statement."""

from __future__ import annotations

from dataclasses import replace

import pglast
import pytest
from tests.core.sql.test_governor import CATALOG, KEY, MASKING, governor, rule

from penstock_core.policy.effective import ApprovalRule, EffectivePolicy, Limit, PolicySet
from penstock_core.sql.decision import Action
from penstock_core.sql.governor import Governor
from penstock_core.sql.told_decisions import asked_about

DELETES = ApprovalRule("deletes", "statement.verb == 'delete'", ("dba", "own'ers"), "1h", 0, rule("approvals[deletes]"))
HOLDING = replace(
    MASKING,
    approvals=(DELETES,),
    max_rows_returned=Limit(10, rule("guardrails.maxRowsReturned")),
)  # fmt: skip


def told(text: str, policies: PolicySet | None = HOLDING, observed: PolicySet | None = None) -> list[tuple[str, ...]]:
    """The rows that the answer's SELECT sends."""
    tags = (("public.people.email", "pii.email"), ("*.*.note", "free.text"))
    one = Governor(EffectivePolicy("shop", policies, observed, 7, tags=tags), CATALOG, KEY)
    decision = one.decide(f"EXPLAIN (PENSTOCK) {text}", ("public",))
    assert (decision.action, decision.verbs, decision.writes) == (Action.REWRITE, ("explain",), False)
    (statement,) = pglast.parse_sql(decision.text)
    values = statement.stmt.fromClause[0].subquery.valuesLists
    return [tuple(constant.arg.val.sval for constant in row) for row in values]


def test_what_is_masked_by_which_rule_and_what_it_is_classified_as() -> None:
    rows = told("SELECT email FROM people")
    assert ("decision", "allowed", "", "") in rows
    assert ("masked", "public.people.email", "redact", "masks[0] of policy support") in rows
    assert ("tagged", "public.people.email", "pii.email", "") in rows
    assert ("at most", "10", "rows returned", "guardrails.maxRowsReturned of policy support") in rows
    assert ("verb", "select", "", "") in rows


def test_why_it_is_refused_and_what_to_do() -> None:
    rows = told("DELETE FROM orders")
    assert ("decision", "refused", "", "") in rows
    (reason,) = [row for row in rows if row[0] == "reason"]
    assert reason[1] == "DELETE without WHERE on public.orders"
    assert reason[2:] == ("add a WHERE that chooses the rows you mean", "guardrails.requireWhere of policy support")


def test_who_may_have_to_approve_it() -> None:
    rows = told("DELETE FROM orders WHERE id = '1'")
    (held,) = [row for row in rows if row[0] == "may be held"]
    assert held[1:] == (
        "deletes", "until a member of dba or own'ers approves it", "approvals[deletes] of policy support",
    )  # fmt: skip
    assert not [row for row in told("SELECT 1") if row[0] == "may be held"]


def test_of_policies_that_only_observe_what_would_be() -> None:
    rows = told("DELETE FROM orders", None, MASKING)
    assert ("decision", "allowed", "", "") in rows
    assert ("would be", "refused", "by policies that only observe so far", "") in rows
    items = [row[0] for row in told("SELECT email FROM people", None, HOLDING)]
    assert ("would be masked" in items, "masked" in items, "at most" in items) == (True, False, False)
    assert "would be held" in [row[0] for row in told("DELETE FROM orders WHERE id = '1'", None, HOLDING)]


@pytest.mark.parametrize(
    "text", ['DELETE FROM "o\'\\rders" WHERE true', "SELECT 'a\\', $$b'$$, E'\\'' FROM \"пeople\"", "nonsense ' \0"]
)
def test_nothing_of_the_text_gets_out_of_the_constants(text: str) -> None:
    for row in told(text):
        assert len(row) == 4


def test_the_second_of_a_shape_is_told_about_itself() -> None:
    one = governor()
    for value in ("1", "1 OR true", "true", "2"):
        text = f"DELETE FROM orders WHERE {value}"
        asked = one.decide(f"EXPLAIN (PENSTOCK) {text}", ("public",))
        refused = one.decide(text, ("public",)).action is Action.DENY
        assert ("'refused'" in asked.text) is refused


@pytest.mark.parametrize("text", ["EXPLAIN (PENSTOCK) SELECT 1", f"SELECT '{'x' * 9000}'"])
def test_what_can_not_be_told(text: str) -> None:
    for defers in (True, False):
        one = Governor(EffectivePolicy("shop", MASKING, None, 7), CATALOG, KEY, defers=defers)
        decision = one.decide(f"EXPLAIN (PENSTOCK) {text}", ("public",))
        if text.startswith("SELECT") and not defers:
            assert decision.action is Action.REWRITE
            continue
        assert decision.action is Action.DENY
        assert decision.denial is not None
        assert not decision.denial.deferred


def test_who_may_nothing_learns_nothing() -> None:
    decision = governor(None).decide("EXPLAIN (PENSTOCK) SELECT email FROM people", ("public",))
    assert decision.action is Action.DENY


def test_what_is_no_question() -> None:
    for text in (
        "EXPLAIN SELECT 1",
        "EXPLAIN (PENSTOCK, ANALYZE) SELECT 1",
        "/* */ EXPLAIN (PENSTOCK) SELECT 1",
        "EXPLAIN (PENSTOCK)",
    ):
        assert asked_about(text) is None
    assert asked_about(" explain(penstock)select 1") == "select 1"
