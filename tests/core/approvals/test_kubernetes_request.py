"""What the API server answers, read: requests, users, refusals; and what it is sent when a person decides."""

from __future__ import annotations

import copy
from datetime import UTC, datetime
from typing import Any

import pytest
from tests.core.approvals.users import SPEC

from penstock_core.approvals import kubernetes_request
from penstock_core.approvals.four_eyes import Approver
from penstock_core.approvals.kubernetes_user import KubernetesUser
from penstock_core.approvals.standing import decided

NOW = datetime(2026, 11, 29, 9, 12, tzinfo=UTC)
OBJECT: dict[str, Any] = {
    "apiVersion": "penstock.dev/v1alpha1",
    "kind": "AccessRequest",
    "metadata": {
        "name": "r-1", "namespace": "shop", "uid": "u-1", "resourceVersion": "7",
        "creationTimestamp": "2026-11-29T09:00:00Z", "managedFields": [{"manager": "control"}],
    },
    "spec": SPEC,
}  # fmt: skip
POLICY = (
    "accessrequests.penstock.dev \"r-1\" is forbidden: ValidatingAdmissionPolicy 'penstock-requests' with binding "
    "'penstock-requests' denied request: eve may not decide: they asked for it"
)


def test_a_request_is_read_with_when_it_was_made() -> None:
    found = kubernetes_request.read(OBJECT, NOW)
    assert found is not None
    assert (found.request.name, found.request.metadata.uid, found.made, found.now) == (
        "r-1", "u-1", "2026-11-29T09:00:00Z", NOW,
    )  # fmt: skip


@pytest.mark.parametrize("part", ["metadata", "spec"])
@pytest.mark.parametrize("odd", [None, "x", 5, [], {"later": True}])
def test_what_is_of_another_version_is_no_request(part: str, odd: Any) -> None:
    assert kubernetes_request.read(OBJECT | {part: odd}, NOW) is None


def test_a_decision_is_of_that_very_object_in_that_version() -> None:
    found = kubernetes_request.read(copy.deepcopy(OBJECT), NOW)
    assert found is not None
    status = decided(found.request, Approver("bea", groups=frozenset({"dba"})), "approved", "", NOW)
    assert kubernetes_request.patch(found, kubernetes_request.decision(status)) == {
        "metadata": {"resourceVersion": "7", "uid": "u-1"},
        "status": {"decision": "approved", "decidedBy": "bea", "decidedAt": "2026-11-29T09:12:00.000000Z"},
    }


def test_who_we_are() -> None:
    info = {"username": "oidc:bea", "groups": ["dba"], "uid": "u", "extra": {"claim": ["bea@shop.example"]}}
    assert kubernetes_request.user({"status": {"userInfo": info}}) == KubernetesUser(
        "oidc:bea", frozenset({"dba"}), "u", {"claim": ["bea@shop.example"]}
    )


@pytest.mark.parametrize(
    "answer",
    [
        {},
        {"status": None},
        {"status": {"userInfo": 5}},
        {"status": {"userInfo": {"groups": "dba", "extra": {"a": "b"}}}},
    ],
)
def test_an_answer_that_says_nobody(answer: dict[str, Any]) -> None:
    assert kubernetes_request.user(answer) == KubernetesUser("")


@pytest.mark.parametrize(
    ("status", "message", "said", "policy"),
    [
        (403, POLICY, "eve may not decide: they asked for it", True),
        (403, 'User "eve" cannot\npatch', 'User "eve" cannot patch', False),
        (409, "Operation cannot be fulfilled", "the request was changed meanwhile; look at it again", False),
        (500, None, "the API server answers 500", False),
        (500, "x" * 501, "x" * 499 + "…", False),
    ],
)
def test_a_refusal_is_one_line(status: int, message: str | None, said: str, policy: bool) -> None:
    answer = {} if message is None else {"message": message}
    assert kubernetes_request.refusal(status, answer) == said
    assert kubernetes_request.by_policy(answer) is policy


@pytest.mark.parametrize("date", [None, "", "yesterday", "Sun, 99 Nov 2026 09:12:00 GMT"])
def test_without_the_servers_time_it_is_ones_own(date: str | None) -> None:
    assert kubernetes_request.server_time(date, NOW) == NOW


def test_the_servers_time_counts() -> None:
    assert kubernetes_request.server_time("Sun, 29 Nov 2026 09:12:00 GMT", datetime(2000, 1, 1, tzinfo=UTC)) == NOW
