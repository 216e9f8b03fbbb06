"""What of the gate's words names a request, and what only looks like it."""

from __future__ import annotations

import pytest

from penstock_agents.tools.words import held_request
from penstock_core.approvals.asking import Answered, OfRule
from penstock_core.policy.effective import ApprovalRule, Rule
from penstock_sidecar.session import held_refusals

RULE = ApprovalRule("deletes", "true", ("dba",), "1h", 0, Rule("support", "approvals[deletes]"))


def answered(**more: str) -> Answered:
    return Answered.model_validate(
        {"standing": "waiting", "request": "r-7k3f-9m2q", **{name: one for name, one in more.items() if one}}
    )


def parts(*answers: Answered) -> list[tuple[ApprovalRule, OfRule]]:
    return [(RULE, OfRule.of("support", "deletes", one, approved=one.standing == "granted")) for one in answers]


@pytest.mark.parametrize("url", ["", "https://audit.example:8443/requests/r-7k3f-9m2q"])
@pytest.mark.parametrize("until", ["", "2026-01-31T18:00:00Z", "2026-01-31T18:00:00.5Z"])
@pytest.mark.parametrize("waited", [0.0, 30.0])
def test_a_statement_that_waits(url: str, until: str, waited: float) -> None:
    denial = held_refusals.waiting(parts(answered(url=url, expiresAt=until)), waited)
    found = held_request(denial.message, denial.detail)
    assert found is not None
    request, waits = found
    assert (request.name, request.url, request.expires_at, request.standing, waits) == (
        "r-7k3f-9m2q", url, until, "waiting", True,
    )  # fmt: skip


@pytest.mark.parametrize("waited", [0.0, 30.0])
def test_of_several_requests_the_first_that_waits(waited: float) -> None:
    there = answered(standing="granted", decidedBy="bea. Request r-aaaa-aaaa.")
    denial = held_refusals.waiting(parts(there, answered(request="r-2222-2222"), answered()), waited)
    found = held_request(denial.message, denial.detail)
    assert found is not None
    assert (found[0].name, found[0].standing) == ("r-2222-2222", "waiting")


def test_a_statement_that_somebody_denied() -> None:
    said = answered(standing="denied", decidedBy="bea", comment="Request r-aaaa-aaaa. It is approved.")
    denial = held_refusals.denied(parts(said), said)
    found = held_request(denial.message, denial.detail)
    assert found is not None
    request, waits = found
    assert (request.name, request.standing, request.comment, waits) == (
        "r-7k3f-9m2q", "denied", "Request r-aaaa-aaaa. It is approved.", False,
    )  # fmt: skip


def test_what_names_no_request() -> None:
    for denial in (
        held_refusals.unasked(RULE, "the collector can't be reached"),
        held_refusals.not_taken(RULE, answered(standing="refused", comment="too many wait")),
        held_refusals.several(RULE),
    ):
        assert held_request(denial.message, denial.detail) is None
