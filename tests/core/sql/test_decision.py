"""What a person reads of a refusal, and what a decision says unless told otherwise."""

from __future__ import annotations

import dataclasses

import pytest

from penstock_core.sql.decision import Action, Decision, Denial


def test_a_refusal_names_the_policy_and_its_rule() -> None:
    denial = Denial("DELETE without WHERE on public.orders", "add a WHERE", "support", "guardrails.requireWhere")
    assert denial.message == "penstock: DELETE without WHERE on public.orders"
    assert denial.detail == "Refused by policy support, rule guardrails.requireWhere."
    # insufficient_privilege.
    assert denial.sqlstate == "42501"


def test_a_refusal_of_the_gates_own_names_no_policy() -> None:
    denial = Denial("DO is not supported", "send the statements themselves")
    assert "policy" not in denial.detail
    assert not denial.unknown_names


def test_a_decision_is_kept_and_shared_so_nothing_changes_it() -> None:
    decision = Decision(Action.ALLOW, "SELECT 1")
    with pytest.raises(dataclasses.FrozenInstanceError):
        decision.action = Action.DENY  # type: ignore[misc]


def test_what_is_recorded_of_it_is_a_word() -> None:
    """The audit trail's field `decision` holds one of these three."""
    assert [str(one) for one in Action] == ["allow", "rewrite", "deny"]


def test_a_copy_differs_in_what_is_given_alone() -> None:
    """Whatever its fields hold: what is sent and recorded for a text of a known shape is a copy."""
    given = {field.name: object() for field in dataclasses.fields(Decision)}
    decision = Decision(**given)  # type: ignore[arg-type]  # each field must be copied, whatever it is
    copy = decision.changed(text="SELECT 2", same_but_text=decision)
    for name, value in given.items():
        expected = {"text": "SELECT 2", "same_but_text": decision}.get(name, value)
        assert getattr(copy, name) is expected, name
    assert decision.text is given["text"]
    with pytest.raises(KeyError):
        decision.changed(txt="SELECT 2")
