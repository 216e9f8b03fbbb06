"""Nobody decides what they have a part in, by whatever name they come."""

from __future__ import annotations

from typing import Any

import pytest

from penstock_core.approvals.four_eyes import Approver, objection
from penstock_core.resources.access_request import AccessRequestSpec

SPEC: dict[str, Any] = {
    "databaseRef": {"name": "shop"},
    "heldBy": {"policy": "support", "approval": "deletes", "policyGeneration": 3, "approvers": ["dba", "owners"]},
    "statement": {"sql": "DELETE FROM orders"},
    "requester": {
        "workload": {"namespace": "shop", "serviceAccount": "web"},
        "principal": {"kind": "agent", "subject": "bot", "issuer": "https://id.example"},
        "actsFor": [{"kind": "person", "subject": "ada@shop.example", "issuer": "https://id.example"}],
    },
    "expiresAt": "2030-01-31T12:00:00Z",
    "nonce": "00112233445566778899aabbccddeeff",
}
REQUEST = AccessRequestSpec.model_validate(SPEC)
DBA = frozenset({"dba"})


def test_another_member_of_the_approvers_groups_may() -> None:
    assert objection(REQUEST, Approver("bea", groups=DBA)) == ""
    assert objection(REQUEST, Approver("cem", groups=frozenset({"staff", "owners"}))) == ""


@pytest.mark.parametrize(
    ("approver", "words"),
    [
        (Approver("ada@shop.example", groups=DBA), "ada@shop.example may not decide: they asked for it"),
        (Approver("ADA@shop.example", groups=DBA), "asked for it"),
        (Approver("oidc:ada", groups=DBA, also=frozenset({"ada@shop.example"})), "oidc:ada may not decide: they asked"),
        (Approver("bot", groups=DBA), "asked for it"),
        (Approver("system:serviceaccount:shop:web", groups=DBA), "asked for it"),
        (Approver("other-bot", kind="agent", groups=DBA), "only a person who acts for themselves"),
        (Approver("ci", kind="service", groups=DBA), "only a person who acts for themselves"),
        (Approver("bea", groups=DBA, delegated=True), "only a person who acts for themselves"),
        (Approver("bea"), r"in none of the approvers' groups (dba, owners)"),
        (Approver("bea", groups=frozenset({"DBA", "dba2"})), "in none of the approvers' groups"),
    ],
)
def test_who_may_not(approver: Approver, words: str) -> None:
    assert words in objection(REQUEST, approver)
