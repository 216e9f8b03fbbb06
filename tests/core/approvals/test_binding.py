"""What an approval is good for: the same statement of the same requester, and no other."""

from __future__ import annotations

from typing import Any

import pytest

from penstock_core.approvals.asking import Asking

ASKING: dict[str, Any] = {
    "databaseRef": {"name": "shop"},
    "heldBy": {"policy": "support", "approval": "deletes", "policyGeneration": 3, "approvers": ["dba"]},
    "statement": {
        "sql": "DELETE FROM orders WHERE id = $1",
        "parametersDigest": "ab" * 32,
        "settings": [{"name": "search_path", "value": "public"}, {"name": "role", "value": "none"}],
    },
    "requester": {
        "workload": {"namespace": "shop", "serviceAccount": "web", "pod": "web-1", "podUid": "u-1"},
        "principal": {"kind": "agent", "subject": "bot", "issuer": "https://id.example", "groups": ["agents"]},
        "actsFor": [{"kind": "person", "subject": "ada", "issuer": "https://id.example"}],
    },
    "expiresAfter": "1h",
    "nonce": "00112233445566778899aabbccddeeff",
}


def asking(**changed: object) -> Asking:
    return Asking.model_validate({**ASKING, **changed})


def within(part: str, **changed: object) -> Asking:
    return asking(**{part: {**ASKING[part], **changed}})


@pytest.mark.parametrize(
    "other",
    [
        asking(nonce="ff" * 16, reason="a retry", expiresAfter="2h"),
        asking(effect={"verbs": ["delete"], "estimatedRows": 4}),
        within("heldBy", approvers=["owners"]),
        within("requester", workload={**ASKING["requester"]["workload"], "pod": "web-2", "podUid": "u-2"}),
        within("statement", settings=list(reversed(ASKING["statement"]["settings"]))),
    ],
)
def test_a_retry_is_the_same(other: Asking) -> None:
    assert other.digest == asking().digest


@pytest.mark.parametrize(
    "other",
    [
        asking(databaseRef={"name": "other"}),
        within("heldBy", policyGeneration=4),
        within("heldBy", policyDigest="ab" * 32),
        within("heldBy", approval="schema"),
        within("heldBy", policy="other"),
        asking(effect={"tables": ["public.orders"]}),
        within("statement", sql="DELETE FROM orders WHERE id = $1 "),
        within("statement", parametersDigest="cd" * 32),
        within("statement", parametersDigest=None),
        within("statement", settings=[]),
        within("statement", settings=[{"name": "search_path", "value": "secret"}, ASKING["statement"]["settings"][1]]),
        within("requester", actsFor=[]),
        within("requester", actsFor=[{**ASKING["requester"]["actsFor"][0], "subject": "bob"}]),
        within("requester", principal={**ASKING["requester"]["principal"], "issuer": "https://other.example"}),
        within("requester", principal={**ASKING["requester"]["principal"], "groups": []}),
        within("requester", workload={**ASKING["requester"]["workload"], "serviceAccount": "job"}),
        within("requester", workload=None),
    ],
)
def test_whatever_changes_the_meaning_makes_it_another(other: Asking) -> None:
    assert other.digest != asking().digest
