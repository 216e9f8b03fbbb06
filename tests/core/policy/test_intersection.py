"""What an agent may do that acts for somebody: by a table, and whatever the policies, no more than either alone."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.core.policy.test_combine import (
    ADA,
    AGENTS,
    BOT,
    DROPS,
    EMAIL,
    HASH,
    NULL,
    PEOPLE,
    approval,
    bundle,
    mask,
    only,
    policy,
    refusals,
    sets,
    within,
)

from penstock_core.conditions import Circumstances
from penstock_core.identity import Identity, Principal
from penstock_core.policy import intersection
from penstock_core.policy.combine import conditioned_policies, effective
from penstock_core.policy.effective import (
    ON_FAILURE,
    ROW_ORDER,
    SQL_TEXT,
    ApprovalRule,
    EffectivePolicy,
    Limit,
    Mask,
    MaskRule,
    PolicySet,
    RowFilter,
    Rule,
)
from penstock_core.policy.mask_conditions import troubles
from penstock_core.resources import DatabaseAccessPolicy

HELPER = Principal("agent", "helper", "https://id.example.com", ("dpo",))
BOT_FOR_ADA = Identity(BOT.workload, BOT.principal, (ADA.principal,))  # type: ignore[arg-type]  # she is one
SA_BOTS = {"serviceAccount": {"name": "bots"}}
OFFICERS, NO_OFFICERS = "'dpo' in identity.groups", "!('dpo' in identity.groups)"


def unless(condition: str, with_: dict[str, Any] = HASH) -> dict[str, Any]:
    return mask(with_, "public.t.c") | {"unless": condition}


def hashed(name: str, kind: Any = "hash") -> MaskRule:
    return MaskRule(("public.t.c",), Mask(kind, Rule(name, "masks[0]")))


TABLE: dict[str, tuple[list[DatabaseAccessPolicy], PolicySet | None, PolicySet | None]] = {
    "none for the person": ([policy("a", AGENTS)], None, None),
    "none for the agent": ([policy("p", PEOPLE)], None, None),
    "the pod's own policy is the agent's alone": ([policy("pod", SA_BOTS)], None, None),
    "and stands for one of the agent": ([policy("pod", SA_BOTS), policy("p", PEOPLE)], only("p", "pod"), None),
    "one for both is enough": ([policy("all", AGENTS, PEOPLE)], only("all"), None),
    "what both may": (
        [
            policy("a", AGENTS, allow=["select", "insert"], allowFunctions=["app.f", "app.g"], allowChannels=["x", "y"],
                   masks=[mask(EMAIL, "public.t.c")]),
            policy("p", PEOPLE, allow=["insert", "delete"], allowFunctions=["app.g", "app.h"], allowChannels=["y", "z"],
                   masks=[mask(NULL, "public.t.d")]),
        ],
        only(
            "a", "p", allow=frozenset({"insert"}), allow_functions=(("app.g", Rule("a", "allowFunctions")),),
            allow_channels=frozenset({"y"}),
            masks=(
                MaskRule(("public.t.d",), Mask("null", Rule("p", "masks[0]"))),
                hashed("a", "email"),
            ),
        ),
        None,
    ),
    "whose policies mask nothing may listen to all": (
        [policy("a", AGENTS), policy("p", PEOPLE, allowChannels=["x"], masks=[mask(HASH, "public.t.c")])],
        only("a", "p", allow_channels=frozenset({"x"}), masks=(hashed("p"),)), None,
    ),
    "what is refused to one of them": (
        [
            policy("a", AGENTS, guardrails={"requireWhere": ["delete"], "maxRowsReturned": 5, "maxPlanCost": 9},
                   rowFilters=[{"table": "public.t", "where": "x = 1"}], audit={"sqlText": "full"}),
            policy("p", PEOPLE, guardrails={"denyFunctions": ["pg_sleep"], "maxRowsReturned": 7, "maxRowsChanged": 1},
                   rowFilters=[{"table": "public.t", "where": "y = 2"}], audit={"sqlText": "hash"}, rowOrder="always"),
        ],
        only(
            "a", "p", require_where=(("delete", Rule("a", "guardrails.requireWhere")),),
            deny_functions=(("pg_sleep", Rule("p", "guardrails.denyFunctions")),),
            max_rows_returned=Limit(5, Rule("a", "guardrails.maxRowsReturned")),
            max_rows_changed=Limit(1, Rule("p", "guardrails.maxRowsChanged")),
            max_plan_cost=intersection.CostLimit(9, Rule("a", "guardrails.maxPlanCost")),
            row_filters=(
                RowFilter(("public", "t"), "x = 1", Rule("a", "rowFilters[0]")),
                RowFilter(("public", "t"), "y = 2", Rule("p", "rowFilters[0]")),
            ),
            row_order="always", sql_text="hash",
        ),
        None,
    ),
    "what is held for one of them": (
        [policy("p", PEOPLE, approvals=[approval("reads")]), policy("a", AGENTS, approvals=[approval("drops")])],
        only(
            "a", "p",
            approvals=tuple(
                ApprovalRule(name, DROPS, ("dba",), "1h", 0, Rule(of, f"approvals[{name}]"))
                for of, name in (("a", "drops"), ("p", "reads"))
            ),
        ),
        None,
    ),
    "one of them is only observed: the other's holds, and what would be is told": (
        [policy("a", AGENTS, mode="observe", allow=["delete"]), policy("p", PEOPLE, allow=["select", "delete"])],
        only("p", allow=frozenset({"select", "delete"})),
        only("a", "p", allow=frozenset({"delete"})),
    ),
    "the other one": (
        [policy("a", AGENTS, allow=["select", "delete"]), policy("p", PEOPLE, mode="observe", allow=["delete"])],
        only("a", allow=frozenset({"select", "delete"})),
        only("a", "p", allow=frozenset({"delete"})),
    ),
    "both are only observed": (
        [policy("a", AGENTS, mode="observe"), policy("p", PEOPLE, mode="observe", allow=["insert"])],
        None, only("a", "p", allow=frozenset()),
    ),
    "observing lets nobody in for whom no policy is": ([policy("a", AGENTS, mode="observe")], None, None),
    "what may come, beside what is": (
        [policy("all", AGENTS, PEOPLE, allow=["select", "insert"]), policy("soon", PEOPLE, mode="observe", allow=[],
                                                                          masks=[mask(NULL, "public.t.c")])],
        only("all", allow=frozenset({"select", "insert"})),
        only("all", "soon", allow=frozenset({"select", "insert"}), masks=(hashed("soon", "null"),)),
    ),
}  # fmt: skip


@pytest.mark.parametrize(("policies", "enforced", "observed"), TABLE.values(), ids=TABLE)
def test_what_policies_come_to_for_both(
    policies: list[DatabaseAccessPolicy], enforced: PolicySet | None, observed: PolicySet | None
) -> None:
    assert effective(bundle(*policies), BOT_FOR_ADA) == EffectivePolicy("shop", enforced, observed, generation=7)


# Where the mask stands, its condition → whether the mask is left, and what is told of the condition.
CONDITIONS: dict[str, tuple[tuple[Any, ...], str, bool, list[bool]]] = {
    "lifted for the person, and the agent is none such": ((AGENTS, PEOPLE), OFFICERS, True, []),
    "lifted for the agent, and not for the person": ((AGENTS, PEOPLE), NO_OFFICERS, True, []),
    "lifted for both": ((AGENTS, PEOPLE), "identity.issuer == 'https://id.example.com'", False, [True]),
    "the person's own mask, lifted for the person": ((PEOPLE,), OFFICERS, False, [True]),
    "the agent's own mask, not lifted by the person's group": ((AGENTS,), OFFICERS, True, []),
    "by the pod, which is the agent's": ((AGENTS, PEOPLE), "identity.namespace == 'shop'", True, []),
    "fails for the person alone": (
        (AGENTS, PEOPLE), "identity.kind == 'agent' || identity.groups[9] == ''", True, [False]
    ),
}  # fmt: skip


@pytest.mark.parametrize(("subjects", "condition", "masked", "told"), CONDITIONS.values(), ids=CONDITIONS)
def test_a_mask_is_lifted_if_it_is_lifted_for_both(
    subjects: tuple[Any, ...], condition: str, masked: bool, told: list[bool]
) -> None:
    policies = bundle(
        policy("m", *subjects, masks=[unless(condition)]), policy("all", AGENTS, PEOPLE, masks=[]),
    )  # fmt: skip
    found = effective(policies, BOT_FOR_ADA).enforced
    assert found is not None
    assert found.masks == ((hashed("m"),) if masked else ())
    assert [one.lifted for one in found.conditioned] == told


def test_a_condition_that_fails_for_one_of_them_is_told_of() -> None:
    policies = bundle(policy("m", PEOPLE, masks=[unless("identity.groups[9] == ''")]), policy("a", AGENTS))
    parties = conditioned_policies(policies, BOT_FOR_ADA, Circumstances())
    found = [rule for one, facts in parties for rule, _ in troubles(one, facts)]
    assert found == [Rule("m", "masks[0].unless")]


# ── Whatever the policies ──


def shows(found: PolicySet, column: str) -> float:
    """How strict the mask of one column is; infinite where it is not masked."""
    kinds = [rule.mask.strictness[0] for rule in found.masks if column in rule.columns]
    return min(kinds, default=float("inf"))


def assert_no_more(both: EffectivePolicy, alone: EffectivePolicy) -> None:
    if (alone.enforced, alone.observed) == (None, None):
        assert (both.enforced, both.observed) == (None, None)
    if alone.enforced is None or (both.enforced, both.observed) == (None, None):
        return
    assert both.enforced is not None
    one, whole = alone.enforced, both.enforced
    assert whole.allow <= one.allow
    assert dict(whole.allow_functions).keys() <= dict(one.allow_functions).keys()
    if one.conceals:
        assert whole.conceals
        assert whole.allow_channels <= one.allow_channels
    assert refusals(one) <= refusals(whole)
    for column in ("a.b.c", "*.*.email", "public.t.x"):
        assert shows(whole, column) <= shows(one, column)
    for limit in ("max_rows_returned", "max_rows_changed", "max_plan_cost", "statement_timeout"):
        assert within(getattr(one, limit), getattr(whole, limit))
    assert ROW_ORDER.index(whole.row_order) <= ROW_ORDER.index(one.row_order)
    assert SQL_TEXT.index(both.sql_text) <= SQL_TEXT.index(alone.sql_text)
    assert ON_FAILURE.index(both.on_failure) <= ON_FAILURE.index(alone.on_failure)


@given(sets())
def test_both_may_no_more_than_either_alone(policies: list[DatabaseAccessPolicy]) -> None:
    whole = effective(bundle(*policies), BOT_FOR_ADA)
    for party in BOT_FOR_ADA.parties:
        assert_no_more(whole, effective(bundle(*policies), party))


@given(sets())
def test_who_passed_the_work_on_decides_nothing(policies: list[DatabaseAccessPolicy]) -> None:
    between = Identity(BOT.workload, BOT.principal, (HELPER, ADA.principal))  # type: ignore[arg-type]
    assert effective(bundle(*policies), between) == effective(bundle(*policies), BOT_FOR_ADA)


@given(sets(), st.data())
def test_the_order_of_policies_makes_no_difference(policies: list[DatabaseAccessPolicy], data: st.DataObject) -> None:
    shuffled = data.draw(st.permutations(policies))
    assert effective(bundle(*shuffled), BOT_FOR_ADA) == effective(bundle(*policies), BOT_FOR_ADA)
