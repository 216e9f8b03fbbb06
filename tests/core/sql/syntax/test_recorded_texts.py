"""What the trail can say of a decision: why columns are masked, what was sent, what the client was told."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.core.sql.test_governor import CATALOG, KEY, MASKING, rule

from penstock_core.policy.effective import VERBS, EffectivePolicy, Mask, MaskRule, PolicySet, SqlTextMode
from penstock_core.sql.decision import Decision
from penstock_core.sql.governor import Governor

HASHED = PolicySet(("web",), VERBS, (MaskRule(("public.people.email",), Mask("hash", rule("masks[0]"))),))


def decide(text: str, policies: PolicySet = HASHED, mode: SqlTextMode = "normalized") -> Decision:
    policy = EffectivePolicy("shop", replace(policies, sql_text=mode), None)
    return Governor(policy, CATALOG, KEY).decide(text, ("public",))


def test_each_masked_column_has_its_mask_policy_and_rule() -> None:
    decision = decide("SELECT * FROM people")
    assert [one.document() for one in decision.masks] == [
        {"column": "public.people.email", "mask": "hash", "policy": rule("x").policy, "rule": "masks[0]"}
    ]
    assert decide("SELECT 1").masks == ()


def test_what_was_sent_is_recorded_without_values() -> None:
    decision = decide("SELECT email FROM people WHERE name = 'hunter2'")
    (part,) = decision.recorded
    assert part.rewritten.startswith("SELECT")
    assert "public.people" in part.rewritten
    assert "hunter2" not in part.rewritten
    assert "'" not in part.rewritten


@pytest.mark.parametrize("mode", ["full", "normalized", "hash"])
def test_the_masks_key_is_in_no_record(mode: SqlTextMode) -> None:
    decision = decide("SELECT email FROM people WHERE name = 'hunter2'; SELECT email FROM people", mode=mode)
    sent = decision.text
    assert "'" in sent
    secrets = [one for one in sent.split("'")[1::2] if len(one) > 8]
    assert secrets
    stored = str((decision.audit_text, decision.parts, decision.masks))
    assert not [one for one in secrets if one in stored and one != "hunter2"]
    assert ("hunter2" in stored) == (mode == "full")
    assert any(part.rewritten for part in decision.parts) == (mode != "hash")


def test_each_statement_has_what_was_sent_for_it() -> None:
    decision = decide("SELECT id FROM people; SELECT 1 FROM orders")
    first, second = decision.recorded
    assert "public.people" in first.rewritten
    assert "orders" in second.rewritten
    assert "people" not in second.rewritten


def test_texts_of_one_shape_share_what_is_recorded() -> None:
    policy = EffectivePolicy("shop", HASHED, None)
    one = Governor(policy, CATALOG, KEY)
    decisions = [one.decide(f"SELECT email FROM people WHERE id = '{number}'", ("public",)) for number in range(4)]
    assert len({decision.parts for decision in decisions}) == 1
    assert all(decision.masks == decisions[0].masks for decision in decisions)


@pytest.mark.parametrize("mode", ["normalized", "hash"])
def test_reasons_and_hints_quote_no_value(mode: SqlTextMode) -> None:
    decision = decide("SELECT set_config('hunter2', 'x', false)", MASKING, mode)
    assert decision.denial is not None
    assert "hunter2" in decision.denial.reason
    assert "hunter2" not in decision.audit_reason + decision.audit_remedy
    assert decision.audit_reason
    assert decision.audit_remedy
    assert decide("SELECT set_config('hunter2', 'x', false)", MASKING, "full").audit_reason == ""
