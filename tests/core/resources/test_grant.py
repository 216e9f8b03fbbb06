"""A policy's digest stands for all that it says and for nothing else; an offer says what can be asked for."""

from __future__ import annotations

from tests.core.policy.test_access import INCIDENT, policy

from penstock_core.resources.grant import Offer, policy_digest


def test_a_digest_is_the_same_wherever_the_policy_was_read() -> None:
    assert policy_digest(INCIDENT.bare()) == policy_digest(INCIDENT)
    labelled = INCIDENT.model_copy(
        update={"metadata": INCIDENT.metadata.model_copy(update={"labels": {"team": "shop"}, "generation": 7})}
    )
    assert policy_digest(labelled) == policy_digest(INCIDENT)


def test_whatever_else_it_says_is_another_digest() -> None:
    said = [
        policy("a"),
        policy("b"),
        policy("a", guardrails={"maxPlanCost": 1.5}),
        policy("a", allow=["select", "delete"]),
        policy("a", allow=["delete", "select"]),
        policy("a", audit={"sqlText": "full"}),
    ]
    assert len({policy_digest(one) for one in said}) == len(said)


def test_an_offer_says_for_whom_it_is_and_on_which_terms() -> None:
    offer = Offer.of(INCIDENT)
    assert (offer.policy, offer.policy_digest) == ("incident", policy_digest(INCIDENT))
    assert offer.subjects == INCIDENT.spec.subjects
    assert offer.on_request == INCIDENT.spec.on_request
    assert offer.break_glass == INCIDENT.spec.break_glass
