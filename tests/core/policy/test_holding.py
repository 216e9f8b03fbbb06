"""Which approvals hold what: each condition by each verb, what is not known, what fails."""

from __future__ import annotations

from typing import Any

import pytest

from penstock_core.conditions import Truth
from penstock_core.policy.effective import VERBS, ApprovalRule, Rule
from penstock_core.policy.holding import (
    Effects,
    Holding,
    asks_estimates,
    estimates,
    holding,
    judged,
    judged_for,
    with_observed,
)


def rule(when: str, name: str = "held", policy: str = "web") -> ApprovalRule:
    return ApprovalRule(name, when, ("dba",), "1h", 0, Rule(policy, f"approvals[{name}]"))


def effects(*verbs: str, tables: tuple[str, ...] = (), known: bool = True) -> Effects:
    return Effects(frozenset(verbs), frozenset(tables), known)


NOTHING: dict[str, object] = {}
PERSON: dict[str, object] = {"identity.kind": "person", "identity.groups": ["staff"]}
CASES: dict[str, tuple[str, Effects, dict[str, object], Truth]] = {
    "its verb": ("statement.verb in ['drop', 'delete']", effects("delete"), NOTHING, Truth.TRUE),
    "another verb": ("statement.verb == 'drop'", effects("delete"), NOTHING, Truth.FALSE),
    "one of its verbs": ("statement.verb == 'delete'", effects("select", "delete"), NOTHING, Truth.TRUE),
    "one of its verbs, by not": ("statement.verb != 'select'", effects("select", "delete"), NOTHING, Truth.TRUE),
    "all of its verbs": ("'delete' in statement.verbs", effects("select", "delete"), NOTHING, Truth.TRUE),
    "its table": ("'public.orders' in statement.tables", effects("select", tables=("public.orders",)), {}, Truth.TRUE),
    "another table": ("'public.orders' in statement.tables", effects("select"), NOTHING, Truth.FALSE),
    "code that nobody has read": ("statement.verb == 'drop'", effects("do", known=False), {}, Truth.TRUE),
    "and to any table": ("'public.orders' in statement.tables", effects("do", known=False), NOTHING, Truth.ABSENT),
    "who is not known": ("identity.kind == 'agent'", effects("select"), NOTHING, Truth.ABSENT),
    "who is not known, by not": ("identity.kind != 'person'", effects("select"), NOTHING, Truth.ABSENT),
    "who is known": ("identity.kind != 'person'", effects("select"), PERSON, Truth.FALSE),
    "not to be evaluated": ("identity.groups[7] == 'x'", effects("select"), PERSON, Truth.ERROR),
    "not to be evaluated for one verb": (
        "statement.verb == 'delete' || identity.groups[7] == 'x'", effects("delete", "select"), PERSON, Truth.ERROR,
    ),
    "what is estimated": ("statement.estimatedRows > 1000", effects("update"), estimates(1000.2, 3.0), Truth.TRUE),
    "what is estimated, not more": ("statement.estimatedRows > 1000", effects("update"), estimates(9, 3), Truth.FALSE),
    "no estimate": ("statement.estimatedCost > 1000", effects("call"), estimates(None, None), Truth.ABSENT),
    "what has no rows": ("statement.estimatedRows > 0", effects("set"), NOTHING, Truth.FALSE),
    "in a block": ("statement.inTransaction", effects("select"), {"statement.inTransaction": True}, Truth.TRUE),
    "no condition": ("statement.verb ==", effects("select"), NOTHING, Truth.ERROR),
    "nothing": ("statement.verb != 'x'", effects(), NOTHING, Truth.FALSE),
}  # fmt: skip


@pytest.mark.parametrize(("when", "does", "facts", "truth"), CASES.values(), ids=CASES)
def test_what_a_condition_comes_to(when: str, does: Effects, facts: dict[str, object], truth: Truth) -> None:
    verdict = judged(rule(when), does, facts)
    assert verdict.truth is truth
    assert bool(verdict.why) is (truth in (Truth.ABSENT, Truth.ERROR))


@pytest.mark.parametrize(
    ("when", "does", "kept"),
    [
        ("statement.verb == 'drop'", effects("select"), False),
        ("statement.verb == 'drop' && identity.kind == 'agent'", effects("select"), False),
        ("statement.verb == 'drop' && identity.kind == 'agent'", effects("drop"), True),
        ("identity.kind == 'agent'", effects("select"), True),
        ("identity.kind == 'agent'", effects("begin"), False),
        ("identity.kind == 'agent'", effects("commit", "begin"), False),
        ("statement.verb != 'select'", effects("commit", "select", "begin"), False),
        ("statement.verb != 'select'", effects("commit", "set", "begin"), True),
        ("statement.verb != 'x'", effects("begin", known=False), True),
        ("statement.estimatedRows > 5", effects("update"), True),
        ("statement.estimatedRows > 5", effects("show"), False),
        ("now > timestamp('2026-01-01T00:00:00Z')", effects("select"), True),
    ],
)
def test_rules_that_can_hold_nothing_of_a_text_are_left_out(when: str, does: Effects, kept: bool) -> None:
    found = holding((rule(when),), Holding(does), by_name=False)
    assert found.concerns is kept
    assert (found.rules == (rule(when),)) is kept


def test_what_runs_by_name_may_be_held_by_any_rule() -> None:
    drop = rule("statement.verb == 'drop'")
    assert holding((drop,), Holding(effects("execute")), by_name=True).rules == (drop,)


def test_rules_of_observing_policies_are_told_apart() -> None:
    one, other = rule("statement.verb == 'drop'"), rule("statement.verb == 'drop'", policy="other")
    enforced, all_ = Holding(effects("drop"), rules=(one,)), Holding(effects("drop"), rules=(one, other))
    found: Any = with_observed(enforced, all_)
    assert (found.rules, found.observed) == ((one,), (other,))
    found = with_observed(None, all_)
    assert (found.rules, found.observed) == ((), (one, other))
    assert with_observed(enforced, None) is enforced
    assert with_observed(None, None) is None


def test_only_rules_about_estimates_ask_for_them() -> None:
    assert asks_estimates([rule("statement.verb == 'drop'"), rule("statement.estimatedCost > 5")])
    assert not asks_estimates([rule("statement.verb == 'drop'"), rule("broken ==")])


def test_what_nobody_has_read_has_every_verb_that_a_policy_knows() -> None:
    assert {str(one["statement.verb"]) for one in effects("do", known=False).facts()} > VERBS
    assert effects("a", tables=("t",)) | effects("b", known=False) == effects("a", "b", tables=("t",), known=False)


def test_of_several_whose_rights_decide_each_may_hold_it() -> None:
    agents, staff = rule("identity.kind == 'agent'"), rule("'staff' in identity.groups")
    agent: dict[str, object] = {"identity.kind": "agent", "identity.groups": ["bots"]}
    for held in (agents, staff):
        assert judged_for(held, effects("select"), [agent, PERSON]).truth is Truth.TRUE
    assert judged_for(agents, effects("select"), [PERSON]).truth is Truth.FALSE
    # Of nobody, nothing is known.
    assert judged_for(agents, effects("select"), []).truth is Truth.ABSENT
