"""What an agent may do that acts for somebody: by a table, and whatever the policies, no more than either alone."""

from __future__ import annotations

import ast
import inspect
from dataclasses import fields, replace
from functools import reduce
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
    TAGS,
    WEB,
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
    stricter,
)
from penstock_core.policy.mask_conditions import troubles
from penstock_core.resources import DatabaseAccessPolicy

HELPER = Principal("agent", "helper", "https://id.example.com", ("dpo",))
BOT_FOR_ADA = Identity(BOT.workload, BOT.principal, (ADA.principal,))  # type: ignore[arg-type]  # she is one
SA_BOTS = {"serviceAccount": {"name": "bots"}}
OFFICERS, NO_OFFICERS = "'dpo' in identity.groups", "!('dpo' in identity.groups)"


def unless(condition: str, with_: dict[str, Any] = HASH) -> dict[str, Any]:
    return mask(with_, "public.t.c") | {"unless": condition}


def hashed(name: str, kind: Any = "hash", party: Any = "beneficiary", column: str = "public.t.c") -> MaskRule:
    return MaskRule((column,), Mask(kind, Rule(name, "masks[0]"), parties=frozenset({party})))


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
            masks=(hashed("a", "email", "agent"), hashed("p", "null", column="public.t.d")),
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
    assert effective(bundle(*policies), BOT_FOR_ADA) == EffectivePolicy("shop", enforced, observed, 7, tags=TAGS)


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
    assert [rule.mask.rule.policy for rule in found.masks] == (["m"] if masked else [])
    assert [one.lifted for one in found.conditioned] == told


def test_a_condition_that_fails_for_one_of_them_is_told_of() -> None:
    policies = bundle(policy("m", PEOPLE, masks=[unless("identity.groups[9] == ''")]), policy("a", AGENTS))
    parties = conditioned_policies(policies, BOT_FOR_ADA, Circumstances())
    found = [rule for one, facts in parties for rule, _ in troubles(one, facts)]
    assert found == [Rule("m", "masks[0].unless")]


def test_every_field_of_a_policy_set_is_combined() -> None:
    """One that is forgotten would have its default for whoever acts for somebody: a rule that holds for neither."""
    calls = [node for node in ast.walk(ast.parse(inspect.getsource(intersection))) if isinstance(node, ast.Call)]
    (made,) = (call for call in calls if isinstance(call.func, ast.Name) and call.func.id == "PolicySet")
    assert {one.arg for one in made.keywords} == {field.name for field in fields(PolicySet)}


# ── Whatever the policies ──


def of_nobody(found: PolicySet) -> PolicySet:
    """The same without by whose policies its masks are there."""
    masks = (replace(rule, mask=replace(rule.mask, parties=frozenset())) for rule in found.masks)
    return replace(found, masks=tuple(masks))


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
    assert refusals(one) <= refusals(of_nobody(whole))
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


# What masks make of values, for each type a model of its own; what does not fit shows null.
TEXTS = [
    "",
    "a",
    "ab",
    "abc",
    "abcd",
    "abcx",
    "xbcd",
    "abcde",
    "abxde",
    "ada@example.com",
    "bob@example.com",
    "ada@x.org",
]
NUMBERS = [-30, -7, 0, 1, 4, 5, 9, 10, 14, 15, 20, 29, 30, 100]


def text_shown(mask: Mask | None, value: str) -> object:
    if mask is None or mask.kind == "hash":
        return value
    if mask.kind in ("redact", "constant"):
        return "***"
    if mask.kind == "email":
        name, at, host = value.partition("@")
        return f"{name[:1]}***@{host}" if at else "***"
    if mask.kind == "partial":
        first, last, size = mask.keep_first, mask.keep_last, len(value)
        if size <= first + last:
            return mask.fill * size
        return value[:first] + mask.fill * (size - first - last) + value[size - last :]
    return None


def number_shown(mask: Mask | None, value: int) -> object:
    if mask is None or mask.kind == "hash":
        return value
    if mask.kind in ("redact", "constant"):
        return 0
    return value // mask.size * mask.size if mask.kind == "bucket" else None


_masks = st.lists(
    st.sampled_from(
        [
            EMAIL, HASH, NULL, {"redact": {}}, {"constant": {"value": "7"}}, {"bucket": {"size": 5}},
            {"bucket": {"size": 10}}, {"bucket": {"size": 15}}, {"bucket": {"size": 0.5}}, {"partial": {"keepLast": 1}},
            {"partial": {"keepLast": 2}}, {"partial": {"keepFirst": 2}}, {"partial": {"keepFirst": 1, "keepLast": 1}},
            {"partial": {"keepLast": 2, "fill": "a"}},
        ]
    ),
    max_size=3,
)  # fmt: skip


def of_column(found: EffectivePolicy) -> Mask | None:
    assert found.enforced is not None
    masks = [rule.mask for rule in found.enforced.masks]
    return reduce(stricter, masks) if masks else None


@given(_masks, _masks, _masks)
def test_what_both_see_can_be_told_from_what_either_sees(
    agents: list[dict[str, Any]], peoples: list[dict[str, Any]], common: list[dict[str, Any]]
) -> None:
    policies = bundle(
        policy("a", AGENTS, masks=[mask(one, "public.t.c") for one in agents]),
        policy("p", PEOPLE, masks=[mask(one, "public.t.c") for one in peoples]),
        policy("all", AGENTS, PEOPLE, masks=[mask(one, "public.t.c") for one in common]),
    )
    both = of_column(effective(policies, BOT_FOR_ADA))
    for party in BOT_FOR_ADA.parties:
        alone = of_column(effective(policies, party))
        for shown, values in ((text_shown, TEXTS), (number_shown, NUMBERS)):
            told: dict[object, object] = {}
            for value in values:
                seen = shown(both, value)  # type: ignore[operator]  # each with its own values
                # What looks alike to one of them looks alike to both.
                assert told.setdefault(shown(alone, value), seen) == seen  # type: ignore[operator]


@pytest.mark.parametrize(
    ("agents", "peoples", "kind"),
    [
        (HASH, HASH, "hash"),
        (HASH, {"redact": {}}, "redact"),
        ({"month": {}}, {"year": {}}, "year"),
        ({"bucket": {"size": 10}}, {"bucket": {"size": 100}}, "bucket"),
        ({"bucket": {"size": 10}}, {"bucket": {"size": 15}}, "null"),
        ({"partial": {"keepLast": 4}}, {"partial": {"keepLast": 4}}, "partial"),
        ({"partial": {"keepLast": 4}}, {"partial": {"keepFirst": 4}}, "null"),
        (HASH, EMAIL, "null"),
    ],
)
def test_where_neither_tells_all_that_the_other_does_nothing_is_shown(
    agents: dict[str, Any], peoples: dict[str, Any], kind: str
) -> None:
    policies = bundle(
        policy("a", AGENTS, masks=[mask(agents, "public.t.c")]),
        policy("p", PEOPLE, masks=[mask(peoples, "public.t.c")]),
    )
    found = of_column(effective(policies, BOT_FOR_ADA))
    assert found is not None
    assert found.kind == kind


def test_whose_own_masks_meet_the_stricter_holds_before_they_meet_the_others() -> None:
    policies = bundle(
        policy("a", AGENTS, masks=[mask({"partial": {"keepLast": 4}}, "public.t.c")]),
        policy("all", AGENTS, PEOPLE, masks=[mask(HASH, "public.t.c")]),
    )
    found = of_column(effective(policies, BOT_FOR_ADA))
    assert found is not None
    assert found.kind == "hash"


@given(sets())
def test_who_passed_the_work_on_decides_nothing(policies: list[DatabaseAccessPolicy]) -> None:
    between = Identity(BOT.workload, BOT.principal, (HELPER, ADA.principal))  # type: ignore[arg-type]
    assert effective(bundle(*policies), between) == effective(bundle(*policies), BOT_FOR_ADA)


@given(sets(), st.data())
def test_the_order_of_policies_makes_no_difference(policies: list[DatabaseAccessPolicy], data: st.DataObject) -> None:
    shuffled = data.draw(st.permutations(policies))
    assert effective(bundle(*shuffled), BOT_FOR_ADA) == effective(bundle(*policies), BOT_FOR_ADA)


WEB_FOR_ADA = WEB.acting_for(ADA.principal)  # type: ignore[arg-type]  # she is one


def test_a_pod_that_acts_for_a_person_may_what_both_may() -> None:
    """By the same rules as an agent."""
    policies = bundle(
        policy("pods", allow=["select", "delete"], masks=[mask(NULL, "public.t.a")]),
        policy("people", PEOPLE, allow=["select", "insert"], masks=[mask(HASH, "public.t.b")]),
    )
    enforced = effective(policies, WEB_FOR_ADA).enforced
    assert enforced is not None
    assert enforced.allow == {"select"}
    assert {rule.columns for rule in enforced.masks} == {("public.t.a",), ("public.t.b",)}
    assert effective(bundle(policy("pods")), WEB_FOR_ADA).enforced is None
    assert effective(bundle(policy("people", PEOPLE)), WEB_FOR_ADA).enforced is None


def test_a_context_that_is_required_is_there_within_one() -> None:
    policies = bundle(
        policy("pods", guardrails={"requireContext": True}),
        policy("people", PEOPLE, guardrails={"requireContext": True}),
        policy("a-pods", mode="observe", guardrails={"requireContext": True}),
    )
    alone = effective(policies, WEB)
    assert alone.enforced is not None
    assert alone.observed is not None
    assert alone.enforced.require_context == Rule("pods", "guardrails.requireContext")
    assert alone.observed.require_context == Rule("a-pods", "guardrails.requireContext")
    within_one = effective(policies, WEB_FOR_ADA)
    assert within_one.enforced is not None
    assert within_one.observed is not None
    assert within_one.enforced.require_context is within_one.observed.require_context is None
    # An agent's token that names a person is no context.
    agents = bundle(policy("agents", AGENTS), policy("people", PEOPLE, guardrails={"requireContext": True}))
    found = effective(agents, BOT_FOR_ADA).enforced
    assert found is not None
    assert found.require_context == Rule("people", "guardrails.requireContext")
