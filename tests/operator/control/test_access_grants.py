"""What comes of AccessRequests that people made themselves: what the policy offers, and nothing else."""

from __future__ import annotations

import copy
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from tests.operator.control.requests import Clock, in_force
from tests.operator.doubles import SHOP, synced

from penstock_core.approvals.standing import written
from penstock_core.resources.grant import policy_digest
from penstock_operator.control.access_grants import AccessGrants
from penstock_operator.control.kept_requests import KeptRequests
from penstock_operator.control.requests_guard import POLICY, RequestsGuard

NOW = datetime(2030, 1, 31, 12, tzinfo=UTC)
SOON = NOW + timedelta(minutes=1)


class Place:
    """The requests of a cluster, and what control makes of them."""

    def __init__(self, shop: Any) -> None:
        shop.policy = copy.deepcopy(shop.policy)
        shop.policy["spec"] |= {
            "subjects": [{"identity": {"groups": ["staff"]}}],
            "onRequest": {"approvers": {"groups": ["dba"]}, "maxDuration": "2h"},
            "breakGlass": {"reviewers": {"groups": ["security"]}, "maxDuration": "30m", "groups": ["on-call"]},
        }
        self.policies = synced(shop)
        self.kept, self.guard, self.clock = KeptRequests(), in_force(), Clock()
        self.clock.now = SOON.timestamp()
        self.grants = AccessGrants(self.kept, self.guard, ("oidc:",), self.clock)
        self.revision = 0
        self.kept.replace({}, 0)

    @property
    def bundle(self) -> Any:
        return self.policies.bundle(*SHOP)

    def made(self, name: str = "r-1", glass: bool = False, at: datetime = NOW, status: Any = None, **spec: Any) -> None:
        (policy,) = self.bundle.policies
        person = {"kind": "person", "subject": "ada", "issuer": "https://id.example", "groups": ["staff", "on-call"]}
        asked = {
            "databaseRef": {"name": "shop"},
            "access": {
                "policy": "web", "policyDigest": policy_digest(policy),
                "approvers": ["security"] if glass else ["dba"], "duration": "30m" if glass else "1h",
            },
            "requester": {"principal": person}, "reason": "orders hang", "nonce": "0" * 32,
            "expiresAt": written(at + timedelta(minutes=30 if glass else 60)),
            **({"breakGlass": {"reviewBy": written(at + timedelta(hours=72))}} if glass else {}),
        }  # fmt: skip
        for key, value in spec.items():
            asked[key] = {**asked[key], **value} if isinstance(value, dict) else value
        if status is None and not glass:
            until = written(at + timedelta(minutes=30))
            status = {"decision": "approved", "decidedBy": "bea", "decidedAt": written(at), "until": until}
        self.revision += 1
        self.kept.put(
            {
                "metadata": {
                    "name": name, "namespace": "shop", "uid": name, "resourceVersion": str(self.revision),
                    "creationTimestamp": at.strftime("%Y-%m-%dT%H:%M:%SZ"),
                },
                "spec": asked,
                **({"status": status} if status else {}),
            }
        )  # fmt: skip

    @property
    def lasting(self) -> list[str]:
        return [one.request for one in self.grants.of(self.bundle)]

    @property
    def told(self) -> list[tuple[str, str]]:
        return [(one.reason, one.words) for one in self.grants.findings(self.bundle)]


@pytest.fixture
def place(shop: Any) -> Place:
    return Place(shop)


def test_what_was_approved_lasts_until_its_end(place: Place) -> None:
    place.made()
    assert place.lasting == ["r-1"]
    place.clock.now = (NOW + timedelta(minutes=30)).timestamp()
    assert place.lasting == []


def test_what_waits_or_was_ended_does_not_last(place: Place) -> None:
    place.made("waits", status={})
    given = {"decision": "approved", "decidedBy": "bea", "decidedAt": written(NOW), "until": "2030-01-31T12:30:00Z"}
    place.made("over", status=given | {"endedAt": written(NOW), "endedBy": "ada"})
    assert place.lasting == []
    assert place.told == []


WORTHLESS: dict[str, tuple[dict[str, Any], str]] = {
    "of a policy that says something else": ({"access": {"policyDigest": "0" * 64}}, "says something else"),
    "of a policy that is not there": ({"access": {"policy": "none"}}, "there is no policy none"),
    "by other approvers": ({"access": {"approvers": ["dba", "staff"]}}, "names other approvers: dba"),
    "for too long": ({"access": {"duration": "3h"}}, "for 2h at most"),
    "that waits too long": ({"expiresAt": "2030-01-31T13:00:10Z"}, "can be approved for longer"),
    "of somebody whom it is not for": (
        {"requester": {"principal": {"kind": "person", "subject": "x", "issuer": "https://id.example"}}},
        "is not for person:x",
    ),
    "approved by who asked": (
        {"status": {"decision": "approved", "decidedBy": "oidc:ADA", "decidedAt": written(NOW),
                    "until": "2030-01-31T12:30:00Z"}},
        "has a part in the request",
    ),
    "approved for longer than the policy lets": (
        {"status": {"decision": "approved", "decidedBy": "bea", "decidedAt": written(NOW),
                    "until": "2030-01-31T14:30:00Z"}},
        "lasts longer",
    ),
    "an emergency that is too long": ({"glass": True, "expiresAt": "2030-01-31T12:31:00Z"}, "longer than the 30m"),
    "an emergency whose review is too late": (
        {"glass": True, "breakGlass": {"reviewBy": "2030-02-03T12:01:00Z"}}, "review is due later",
    ),
    "an emergency of others than its groups": (
        {"glass": True, "requester": {"principal": {
            "kind": "person", "subject": "ada", "issuer": "https://id.example", "groups": ["staff"]}}},
        "none of the groups that may break the glass (on-call)",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("changes", "said"), WORTHLESS.values(), ids=WORTHLESS)
def test_what_the_policy_does_not_offer_comes_to_nothing(place: Place, changes: dict[str, Any], said: str) -> None:
    place.made(**changes)
    assert place.lasting == []
    ((reason, words),) = place.told
    assert (reason, said in words) == ("AccessNotGiven", True), words


def test_an_emergency_is_told_at_once_and_when_its_review_is_overdue(place: Place) -> None:
    place.made(glass=True)
    assert place.lasting == ["r-1"]
    ((reason, words),) = place.told
    assert (reason, "person:ada broke the glass" in words, "orders hang" in words) == ("GlassBroken", True, True)
    place.clock.now = (NOW + timedelta(hours=72)).timestamp()
    assert [reason for reason, _ in place.told] == ["ReviewOverdue"]
    assert len(place.grants.unreviewed()) == 1
    place.made("r-2", glass=True, at=NOW + timedelta(hours=72))
    assert place.lasting == []
    assert "the review of r-1 was overdue" in dict(place.told)["AccessNotGiven"]
    review = {"reviewedAt": written(NOW + timedelta(hours=73)), "reviewedBy": "sam", "review": "as said"}
    place.made(glass=True, status=review)
    assert place.lasting == [], "reviewed after the next one was taken"
    place.made("r-3", glass=True, at=NOW + timedelta(hours=73))
    place.clock.now = (NOW + timedelta(hours=73, minutes=1)).timestamp()
    assert place.lasting == ["r-3"]


def test_without_the_admission_policy_nothing_lasts(place: Place) -> None:
    place.made()
    place.guard.take(POLICY, None)
    assert place.lasting == []
    assert AccessGrants(KeptRequests(), RequestsGuard(), (), place.clock).of(place.bundle) == ()


def test_what_lasts_is_told_to_gates_and_changes_no_generation(place: Place) -> None:
    place.policies.grants, place.kept.on_change = place.grants.of, place.policies.regrant
    before = place.policies.topic(*SHOP)
    assert before is not None
    place.made()
    assert before.changed.is_set()
    after = place.policies.topic(*SHOP)
    assert after is not None
    assert [one.request for one in after.bundle.grants] == ["r-1"]
    assert after.bundle.generation == before.bundle.generation
    place.clock.now = (NOW + timedelta(hours=1)).timestamp()
    place.policies.regrant()
    ended = place.policies.topic(*SHOP)
    assert ended is not None
    assert ended.bundle.grants == ()
