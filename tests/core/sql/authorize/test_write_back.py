"""What was read of a masked column may be written back, where a policy says so: then it stays as it is stored."""

from __future__ import annotations

from dataclasses import replace

from tests.core.sql.test_governor import MASKING, decide, reason

from penstock_core.policy.effective import PolicySet
from penstock_core.sql.decision import Action

ALLOW = frozenset({"select", "insert", "update", "delete"})


def policy(**choices: bool) -> PolicySet:
    masks = tuple(replace(rule, mask=replace(rule.mask, **choices)) for rule in MASKING.masks)
    return replace(MASKING, allow=ALLOW, masks=masks)


def test_without_the_choice_a_masked_column_is_not_set() -> None:
    assert "is masked for you" in reason(decide("UPDATE people SET email = 'x', name = 'y'", enforced=policy()))


def test_what_was_read_keeps_what_is_stored_and_anything_else_fails() -> None:
    decision = decide("UPDATE people SET email = $1, name = 'y'", enforced=policy(ignores_write_back=True))
    assert decision.action is Action.REWRITE
    assert "THEN people.email" in decision.text
    assert "name = 'y'" in decision.text


def test_what_no_value_is_given_for_is_not_written_back() -> None:
    for value in ("DEFAULT", "(SELECT 'x')"):
        text = (
            f"UPDATE people SET (email) = ROW({value})" if value == "DEFAULT" else f"UPDATE people SET email = {value}"
        )
        decision = decide(text, enforced=policy(ignores_write_back=True))
        assert decision.action is Action.DENY or "people.email" in decision.text


def test_where_writing_is_allowed_the_value_is_stored() -> None:
    decision = decide("UPDATE people SET email = 'x'", enforced=policy(writable=True))
    assert decision.text == "UPDATE public.people SET email = 'x'"
