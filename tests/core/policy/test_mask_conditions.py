"""What `unless` makes of policies for an identity, by a table; and that the table tells if it made anything else."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.core.policy.test_combine import ADA, BOT, WEB, bundle, mask, policy

from penstock_core.conditions import Circumstances, Truth, Verdict, values
from penstock_core.identity import Identity
from penstock_core.policy import combine, mask_conditions
from penstock_core.policy.combine import effective
from penstock_core.policy.effective import Rule
from penstock_core.resources import DatabaseAccessPolicy
from penstock_core.resources.masks import MaskSpec

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
DAY = Circumstances(NOON, "10.0.0.7")
NIGHT = Circumstances(NOON.replace(hour=23), "10.0.0.7")
ALL = ({"serviceAccount": {"name": "web"}}, {"identity": {"kind": "person"}}, {"identity": {"kind": "agent"}})
HASH, NULL = {"hash": {}}, {"null": {}}
OFFICERS, BY_DAY = "'dpo' in identity.groups", "now.getHours() < 18"
BROKEN = "identity.groups[9] == ''"


def unless(condition: str, with_: dict[str, Any] = HASH, *columns: str) -> dict[str, Any]:
    return mask(with_, *(columns or ("public.t.c",))) | {"unless": condition}


def one(*masks: dict[str, Any], name: str = "p", **spec: Any) -> DatabaseAccessPolicy:
    return policy(name, *ALL, masks=list(masks), **spec)


# Policies, identity and circumstances → the masks that are left, and the conditions that lifted some, or failed.
Case = tuple[list[DatabaseAccessPolicy], Identity, Circumstances, list[str], list[str]]
TABLE: dict[str, Case] = {
    "it holds": ([one(unless(OFFICERS))], ADA, DAY, [], ["lifted p masks[0].unless"]),
    "it does not hold": ([one(unless(OFFICERS))], BOT, DAY, ["hash p masks[0]"], []),
    "it asks for what is not there": ([one(unless(OFFICERS))], WEB, DAY, ["hash p masks[0]"], []),
    "it asks for what is not there, to be something else": (
        [one(unless("!('contractors' in identity.groups)"))], WEB, DAY, ["hash p masks[0]"], []
    ),
    "it can't be evaluated": ([one(unless(BROKEN))], ADA, DAY, ["hash p masks[0]"], ["failed p masks[0].unless"]),
    "by day": ([one(unless(BY_DAY))], WEB, DAY, [], ["lifted p masks[0].unless"]),
    "by night": ([one(unless(BY_DAY))], WEB, NIGHT, ["hash p masks[0]"], []),
    "the time is not known": ([one(unless(BY_DAY))], WEB, Circumstances(), ["hash p masks[0]"], []),
    "from where it may": (
        [one(unless("session.clientAddress == '10.0.0.7'"))], WEB, DAY, [], ["lifted p masks[0].unless"]
    ),
    "it lifts its own mask alone": (
        [one(mask(HASH, "public.t.c"), unless(OFFICERS, NULL), unless(OFFICERS, NULL, "a.b.c"))], ADA, DAY,
        ["hash p masks[0]"], ["lifted p masks[1].unless", "lifted p masks[2].unless"],
    ),
    "and leaves the stricter mask where it does not hold": (
        [one(mask(HASH, "public.t.c"), unless(OFFICERS, NULL))], BOT, DAY, ["null p masks[1]", "hash p masks[0]"], []
    ),
    "another policy's mask of the column stays": (
        [one(unless(OFFICERS, NULL)), one(mask(HASH, "public.t.c"), name="q")], ADA, DAY,
        ["hash q masks[0]"], ["lifted p masks[0].unless"],
    ),
    "as does a weaker policy's own, for whom it is not lifted": (
        [one(unless(OFFICERS, NULL)), one(unless("identity.kind == 'agent'"), name="q")], ADA, DAY,
        ["hash q masks[0]"], ["lifted p masks[0].unless"],
    ),
    "a mask for no column is none to lift": (
        [one(mask(HASH, tags=["no.such"]) | {"unless": OFFICERS})], ADA, DAY, [], []
    ),
}  # fmt: skip


def outcome(policies: list[DatabaseAccessPolicy], who: Identity, around: Circumstances) -> tuple[list[str], list[str]]:
    found = effective(bundle(*policies), who, around).enforced
    assert found is not None
    masks = [f"{each.mask.kind} {each.mask.rule.policy} {each.mask.rule.path}" for each in found.masks]
    told = [
        f"{'lifted' if each.lifted else 'failed'} {each.rule.policy} {each.rule.path}" for each in found.conditioned
    ]
    return masks, told


@pytest.mark.parametrize(("policies", "who", "around", "masks", "told"), TABLE.values(), ids=TABLE)
def test_what_unless_comes_to(
    policies: list[DatabaseAccessPolicy], who: Identity, around: Circumstances, masks: list[str], told: list[str]
) -> None:
    assert outcome(policies, who, around) == (masks, told)


def test_observing_policies_have_conditions_too() -> None:
    enforced, observed = one(mask(HASH, "public.t.d")), one(unless(OFFICERS), name="q", mode="observe")
    for who, left in ((ADA, 1), (BOT, 2)):
        found = effective(bundle(enforced, observed), who, DAY)
        assert found.enforced is not None
        assert found.observed is not None
        assert (len(found.enforced.masks), found.enforced.conditioned) == (1, ())
        assert len(found.observed.masks) == left
        assert [each.condition for each in found.observed.conditioned] == [OFFICERS] * (2 - left)


# ── It would show ──

Judge = Callable[[MaskSpec, Mapping[str, object]], Verdict]


def turned(truth: Truth, into: Truth) -> Judge:
    """What comes to one thing is taken for another."""

    def judge(spec: MaskSpec, facts: Mapping[str, object]) -> Verdict:
        verdict = mask_conditions.judged(spec, facts)
        return Verdict(into) if spec.unless is not None and verdict.truth is truth else verdict

    return judge


def inverted(spec: MaskSpec, facts: Mapping[str, object]) -> Verdict:
    verdict = mask_conditions.judged(spec, facts)
    swapped = {Truth.TRUE: Truth.FALSE, Truth.FALSE: Truth.TRUE}
    return Verdict(swapped.get(verdict.truth, verdict.truth)) if spec.unless is not None else verdict


def for_all(truth: Truth) -> Judge:
    return lambda spec, _: Verdict(truth if spec.unless is not None else Truth.FALSE)


MUTATIONS: dict[str, Judge] = {
    "the condition is ignored": for_all(Truth.FALSE),
    "the mask is ignored": for_all(Truth.TRUE),
    "the condition is inverted": inverted,
    "what can't be evaluated lifts": turned(Truth.ERROR, Truth.TRUE),
    "what can't be evaluated is not told": turned(Truth.ERROR, Truth.FALSE),
    "what is not there lifts": turned(Truth.ABSENT, Truth.TRUE),
    "masks without conditions are lifted, too": lambda spec, facts: (
        mask_conditions.judged(spec, facts) if spec.unless else Verdict(Truth.TRUE)
    ),
    "the time stands still": lambda spec, facts: mask_conditions.judged(spec, {**facts, "now": NOON}),
    "all are one": lambda spec, facts: mask_conditions.judged(spec, values(ADA, "shop", DAY)),
}


@pytest.mark.parametrize("judge", MUTATIONS.values(), ids=MUTATIONS)
def test_the_table_tells_when_conditions_decide_otherwise(judge: Judge, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(combine, "judged", judge)
    assert any(outcome(*case[:3]) != case[3:] for case in TABLE.values())


# ── Whatever the conditions ──

_conditions = st.sampled_from(
    [None, OFFICERS, BY_DAY, BROKEN, "identity.kind == 'agent'", "!('dpo' in identity.groups)"]
)
_masks = st.builds(
    lambda with_, text: mask(with_, "public.t.c") | ({} if text is None else {"unless": text}),
    st.sampled_from([HASH, NULL]), _conditions,
)  # fmt: skip


@given(st.lists(_masks, max_size=4), st.sampled_from([ADA, BOT, WEB]), st.sampled_from([DAY, NIGHT, Circumstances()]))
def test_each_mask_is_there_or_lifted(masks: list[dict[str, Any]], who: Identity, around: Circumstances) -> None:
    found = effective(bundle(one(*masks)), who, around).enforced
    assert found is not None
    there = {each.mask.rule.path for each in found.masks}
    lifted = {each.mask.mask.rule.path for each in found.conditioned if each.lifted}
    assert (there | lifted, there & lifted) == ({f"masks[{place}]" for place in range(len(masks))}, set())
    assert all("unless" in masks[int(path[6:-1])] for path in lifted)


# ── What to say, and when to ask again ──


def test_what_can_not_be_evaluated_is_told_with_its_place() -> None:
    policies = [one(unless(OFFICERS), unless(BROKEN)), one(unless("now == now"), name="q")]
    found = list(mask_conditions.troubles(policies, values(ADA, "shop", DAY)))
    assert found == [(Rule("p", "masks[1].unless"), "Index error: index=9 size=2")]


def test_conditions_that_time_may_change() -> None:
    policies = [one(unless(OFFICERS), unless(BY_DAY), mask(HASH, "a.b.c")), one(unless(BY_DAY), name="q")]
    assert [each.text for each in mask_conditions.timed(policies)] == [BY_DAY, BY_DAY]
    assert mask_conditions.timed([one(unless(OFFICERS))]) == ()


def test_a_policy_that_nobody_checked_shows_nothing_more() -> None:
    broken = one(unless(OFFICERS)).spec.masks[0].model_copy(update={"unless": "no such thing"})
    verdict = mask_conditions.judged(broken, values(ADA, "shop", DAY))
    assert (verdict.truth, verdict.holds) == (Truth.ERROR, False)
