"""Of which columns it is told what conditions came to: those that show by it, and no others."""

from __future__ import annotations

from dataclasses import replace

from tests.core.sql.masking.test_masked_columns import PEOPLE, SOURCE, catalog, derived, mask, policies
from tests.core.sql.test_governor import table

from penstock_core.policy.effective import ConditionedMask, EffectivePolicy, MaskRule, PolicySet
from penstock_core.sql.catalog.model import Relation
from penstock_core.sql.decision import AppliedCondition, Decision
from penstock_core.sql.governor import Governor

VIEW = Relation("public", "mails", "v", (derived("mail", SOURCE, copies=True),), sources=frozenset({PEOPLE.key}))
WORLD = catalog(PEOPLE, VIEW, table("public", "plain", "id"))


def conditioned(pattern: str, *, lifted: bool, path: str = "masks[0]") -> ConditionedMask:
    return ConditionedMask(MaskRule((pattern,), mask("redact", path=path)), "now == now", lifted)


def decided(text: str, found: PolicySet) -> Decision:
    return Governor(EffectivePolicy("shop", found, None), WORLD, bytes(32)).decide(text, ("public",))


def told(text: str, found: PolicySet) -> tuple[AppliedCondition, ...]:
    return decided(text, found).conditions


def applied(*columns: str, lifted: bool = True, path: str = "masks[0]") -> AppliedCondition:
    return AppliedCondition("p", f"{path}.unless", "now == now", lifted, columns)


LIFTED = replace(policies(), conditioned=(conditioned("public.people.email", lifted=True),))


def test_what_is_lifted_is_told_of_what_reads_it_and_of_views_over_it() -> None:
    assert told("SELECT email FROM people", LIFTED) == (applied("public.people.email"),)
    assert told("SELECT mail FROM mails", LIFTED)[0].columns[-1] == "public.mails.mail"
    assert told("SELECT id FROM plain", LIFTED) == ()
    assert told("SELECT 1", LIFTED) == ()


def test_what_another_mask_is_for_is_not_lifted() -> None:
    both = replace(policies(("*.*.email", mask("hash", "q"))), conditioned=LIFTED.conditioned)
    decision = decided("SELECT email FROM people", both)
    assert (decision.masked, decision.conditions) == (("public.people.email",), ())


def test_what_can_not_be_evaluated_is_told_where_it_masks() -> None:
    failed = conditioned("public.people.email", lifted=False)
    kept = replace(policies(("public.people.email", failed.mask.mask)), conditioned=(failed,))
    assert told("SELECT email FROM people", kept) == (applied("public.people.email", lifted=False),)
    assert told("SELECT id FROM plain", kept) == ()


def test_each_condition_is_told_by_itself() -> None:
    lifted = (conditioned("*.people.id", lifted=True), conditioned("*.people.*", lifted=True, path="masks[3]"))
    found = told("SELECT id FROM people", replace(policies(), conditioned=lifted))
    assert found == (
        applied("public.people.id"),
        applied("public.people.Odd", "public.people.email", "public.people.id", path="masks[3]"),
    )


def test_what_is_observed_is_told_too() -> None:
    governor = Governor(EffectivePolicy("shop", None, LIFTED), WORLD, bytes(32))
    assert governor.decide("SELECT email FROM people", ("public",)).conditions == (applied("public.people.email"),)


def test_what_is_refused_lifts_nothing() -> None:
    decision = decided("DELETE FROM people", LIFTED)
    assert (decision.denial is not None, decision.conditions) == (True, ())
