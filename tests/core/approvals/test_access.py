"""Access for a time is asked for within what the policy offers, decided by others, ended early, and reviewed after."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from tests.core.policy.test_access import AGENT, INCIDENT, NOW, PERSON, POD, STANDING, bundle, requester

from penstock_core.approvals.access import (
    MOST_UNREVIEWED,
    AskingAccess,
    access_spec,
    answer_access,
    ended,
    grant,
    overdue,
    reviewed,
)
from penstock_core.approvals.asking import MOST_WAITING, Make, Refuse, Tell
from penstock_core.approvals.four_eyes import Approver
from penstock_core.approvals.standing import NotAllowedError, NotPossibleError, Standing, decided, moment, standing
from penstock_core.identity import Identity
from penstock_core.policy.access import granted
from penstock_core.resources.access_request import AccessRequest
from penstock_core.resources.grant import Offer

OFFER = Offer.of(INCIDENT)
BEA = Approver("bea", groups=frozenset({"dba"}))
SAM = Approver("sam", groups=frozenset({"security"}))
ADA = Approver("Ada", groups=frozenset({"dba", "security"}))
SOON = NOW + timedelta(minutes=1)


def asking(who: Identity = PERSON, **changes: Any) -> AskingAccess:
    return AskingAccess.model_validate(
        {
            "databaseRef": {"name": "shop"}, "policy": "incident", "duration": "2h", "reason": "orders hang",
            "requester": requester(who), "nonce": "0" * 32, **changes,
        }
    )  # fmt: skip


GLASS = {"breakGlass": True, "duration": "30m"}


def made(about: AskingAccess | None = None, now: datetime = NOW, name: str = "r-1") -> AccessRequest:
    spec = access_spec(about or asking(), OFFER, now).model_dump(mode="json", exclude_none=True)
    return AccessRequest.model_validate({"metadata": {"name": name, "namespace": "shop"}, "spec": spec})


def approved(request: AccessRequest | None = None, lasts: str = "", by: Approver = BEA) -> AccessRequest:
    request = request or made()
    return request.model_copy(update={"status": decided(request, by, "approved", "", NOW, lasts)})


def refusal(about: AskingAccess, *known: AccessRequest, offer: Offer | None = OFFER, now: datetime = NOW) -> str:
    found = answer_access(about, offer, "shop", known, now)
    assert isinstance(found, Refuse), found
    return found.why


def test_it_is_asked_for_approved_and_ends() -> None:
    assert answer_access(asking(), OFFER, "shop", [], NOW) == Make()
    request = made()
    assert standing(request, NOW) is Standing.WAITING
    assert grant(request, NOW) is None
    given = approved(request)
    assert standing(given, SOON) is Standing.IN_EFFECT
    found = grant(given, SOON)
    assert found is not None
    assert (moment(found.until), found.decided_by) == (NOW + timedelta(hours=2), "bea")
    assert granted(bundle(found), PERSON, SOON) == (found,)
    assert standing(given, NOW + timedelta(hours=2)) is Standing.ENDED
    assert grant(given, NOW + timedelta(hours=2)) is None


def test_nobody_decided_in_time() -> None:
    request = made()
    late = moment(request.spec.expires_at)
    assert standing(request, late) is Standing.EXPIRED
    with pytest.raises(NotPossibleError, match="expired"):
        decided(request, BEA, "approved", "", late)


def test_who_approves_may_give_less_and_never_more() -> None:
    found = grant(approved(lasts="15m"), SOON)
    assert found is not None
    assert moment(found.until) == NOW + timedelta(minutes=15)
    for lasts in ("2h1s", "999999h", "0s"):
        with pytest.raises(NotPossibleError, match="approve that, or less"):
            approved(lasts=lasts)


def test_what_was_approved_is_not_made_longer() -> None:
    with pytest.raises(NotPossibleError, match="is in effect already"):
        approved(approved(lasts="15m"), "2h")
    over = approved(lasts="15m")
    with pytest.raises(NotPossibleError, match="is over"):
        decided(over, BEA, "approved", "", NOW + timedelta(minutes=16))


def test_nobody_approves_what_is_theirs() -> None:
    for who, by in ((PERSON, ADA), (AGENT, ADA), (AGENT, Approver("bot", groups=frozenset({"dba"})))):
        with pytest.raises(NotAllowedError, match="they asked for it"):
            approved(made(asking(who)), by=by)
    for by in (
        SAM,
        Approver("x", "agent", frozenset({"dba"})),
        Approver("x", groups=frozenset({"dba"}), delegated=True),
    ):
        with pytest.raises(NotAllowedError):
            approved(by=by)


NOT_OFFERED: dict[str, tuple[dict[str, Any], str]] = {
    "longer than the policy lets": ({"duration": "4h1s"}, "for 4h at most, and not for 4h1s"),
    "no time at all": ({"duration": "0s"}, "4h at most"),
    "without a reason": ({"reason": " \n"}, "say what the access is for"),
    "another version of it": ({"policyDigest": "0" * 64}, "was changed a moment ago"),
    "another policy": ({"policy": "other"}, "no policy other of database shop"),
    "an emergency that is too long": ({**GLASS, "duration": "31m"}, "for 30m at most"),
}


@pytest.mark.parametrize(("changes", "said"), NOT_OFFERED.values(), ids=NOT_OFFERED)
def test_what_the_policy_does_not_offer_is_refused_in_words(changes: dict[str, Any], said: str) -> None:
    assert said in refusal(asking(**changes))


def test_only_its_subjects_ask_for_it() -> None:
    stranger = requester(PERSON)
    stranger["principal"]["groups"] = ["staff"]
    assert "is not for person:ada" in refusal(asking(requester=stranger))
    assert "is not for nobody" in refusal(asking(requester={}))
    assert "can be asked for" in refusal(asking(), offer=None)
    assert "taken in an emergency alone" in refusal(asking(), offer=OFFER.model_copy(update={"on_request": None}))
    assert "not taken in an emergency" in refusal(asking(**GLASS), offer=OFFER.model_copy(update={"break_glass": None}))


def test_a_reason_is_a_remark() -> None:
    for reason in ("", "x" * 65536):
        with pytest.raises(ValueError, match=r"^reason: "):
            AskingAccess.read(asking().model_copy(update={"reason": reason}).model_dump_json().encode())


def test_asking_again_finds_the_request() -> None:
    request = made()
    assert answer_access(asking(duration="1h"), OFFER, "shop", [request], SOON) == Tell(request)
    given = approved(request)
    assert answer_access(asking(), OFFER, "shop", [given], SOON) == Tell(given), "it is no way to more time"
    assert answer_access(asking(), OFFER, "shop", [given], NOW + timedelta(hours=2)) == Make()
    assert answer_access(asking(POD), OFFER, "shop", [request], SOON) == Make()
    assert answer_access(asking(databaseRef={"name": "other"}), OFFER, "shop", [request], SOON) == Make()


def test_a_denial_stands_as_long_as_the_request_would_have_lived() -> None:
    request = made()
    denied = request.model_copy(update={"status": decided(request, BEA, "denied", "no", NOW)})
    assert answer_access(asking(), OFFER, "shop", [denied], SOON) == Tell(denied)
    assert answer_access(asking(), OFFER, "shop", [denied], moment(request.spec.expires_at)) == Make()


def test_one_who_asks_for_everything_has_to_wait() -> None:
    def of(database: str) -> AccessRequest:
        return made(asking(databaseRef={"name": database}))

    others = [of(f"db-{number}") for number in range(MOST_WAITING)]
    assert f"{MOST_WAITING} requests of this requester wait already" in refusal(asking(), *others)


# ---- ended early


def test_who_has_it_ends_it_and_so_do_approvers() -> None:
    for who in (ADA, BEA, Approver("x", groups=frozenset({"owners"}))):
        given = approved()
        over = given.model_copy(update={"status": ended(given, who, SOON)})
        assert standing(over, SOON) is Standing.ENDED
        assert grant(over, SOON) is None
        with pytest.raises(NotPossibleError, match="there is nothing to end"):
            ended(over, who, SOON)


def test_others_don_t_end_it() -> None:
    for who in (SAM, Approver("ada", "agent"), Approver("ada", delegated=True)):
        with pytest.raises(NotAllowedError, match="may not end it"):
            ended(approved(), who, SOON)


# ---- emergencies


def emergency(now: datetime = NOW, name: str = "r-1") -> AccessRequest:
    return made(asking(**GLASS), now, name)


def review(
    request: AccessRequest, by: Approver = SAM, comment: str = "all as said", now: datetime = SOON
) -> AccessRequest:
    return request.model_copy(update={"status": reviewed(request, by, comment, now)})


AFTER = NOW + timedelta(minutes=30)
LATE = NOW + timedelta(hours=72)


def test_an_emergency_begins_at_once_and_is_reviewed_afterwards() -> None:
    request = emergency()
    assert standing(request, NOW) is Standing.IN_EFFECT
    found = grant(request, NOW)
    assert found is not None
    assert (found.break_glass, found.decided_by, moment(found.until)) == (True, "", AFTER)
    assert granted(bundle(found), PERSON, NOW) == (found,)
    assert standing(request, AFTER) is Standing.UNREVIEWED
    assert grant(request, AFTER) is None
    done = review(request, now=AFTER)
    assert standing(done, LATE) is Standing.REVIEWED
    assert done.status is not None
    assert (done.status.reviewed_by, done.status.review) == ("sam", "all as said")


def test_nobody_decides_about_an_emergency() -> None:
    for now, said in ((NOW, "in effect already"), (AFTER, "reviewed and not decided")):
        with pytest.raises(NotPossibleError, match=said):
            decided(emergency(), SAM, "denied", "no", now)


def test_nobody_reviews_what_they_did_themselves() -> None:
    for who in (ADA, BEA, Approver("x", "service", frozenset({"security"}))):
        with pytest.raises(NotAllowedError, match="may not review"):
            review(emergency(), who, now=AFTER)


def test_it_is_reviewed_once_after_its_end_and_in_words() -> None:
    with pytest.raises(NotPossibleError, match="end it first"):
        review(emergency(), now=SOON)
    with pytest.raises(NotPossibleError, match="give a comment"):
        review(emergency(), comment=" ", now=AFTER)
    with pytest.raises(NotPossibleError, match="was reviewed by sam"):
        review(review(emergency(), now=AFTER), now=AFTER)
    with pytest.raises(NotPossibleError, match="is no emergency"):
        review(approved(), now=AFTER)
    early = emergency()
    over = early.model_copy(update={"status": ended(early, ADA, SOON)})
    assert standing(review(over, now=SOON), SOON) is Standing.REVIEWED


def test_whose_review_is_overdue_has_no_other_emergency() -> None:
    request = emergency()
    assert not overdue(request, LATE - timedelta(seconds=1))
    assert overdue(request, LATE)
    assert "the review of r-1 is overdue" in refusal(asking(**GLASS), request, now=LATE)
    assert answer_access(asking(**GLASS), OFFER, "shop", [review(request, now=LATE)], LATE) == Make()
    assert answer_access(asking(), OFFER, "shop", [request], LATE) == Make(), "what others approve is another matter"
    assert answer_access(asking(**GLASS), OFFER, "shop", [request], AFTER) == Make()


def test_two_emergencies_at_once_are_one() -> None:
    request = emergency()
    assert answer_access(asking(**GLASS), OFFER, "shop", [request], SOON) == Tell(request)
    waits = made()
    assert answer_access(asking(**GLASS), OFFER, "shop", [waits], SOON) == Make(), "it does not wait for an approver"


def test_many_emergencies_are_reviewed_first() -> None:
    many = [emergency(name=f"r-{number}") for number in range(MOST_UNREVIEWED)]
    assert "were not reviewed" in refusal(asking(**GLASS), *many, now=AFTER)


@pytest.mark.parametrize("who", [AGENT, POD], ids=["an agent", "a pod"])
def test_only_persons_break_the_glass(who: Identity) -> None:
    assert "only a person" in refusal(asking(who, **GLASS))


def test_and_of_its_groups() -> None:
    other = requester(PERSON)
    other["principal"]["groups"] = ["support"]
    assert "none of its groups (on-call)" in refusal(asking(requester=other, **GLASS))


def test_a_policy_for_all_offers_nothing() -> None:
    assert "taken in an emergency alone" in refusal(asking(policy="standing"), offer=Offer.of(STANDING))
