"""What a holder of requests answers a gate that asks."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from tests.core.approvals.test_binding import asking, within

from penstock_core.approvals.asking import MOST_WAITING, Answered, Asking, Make, Refuse, Tell, Use, answer
from penstock_core.approvals.four_eyes import Approver
from penstock_core.approvals.standing import decided, used
from penstock_core.resources.access_request import AccessRequest

NOW = datetime(2030, 1, 31, 12, tzinfo=UTC)
BEA = Approver("bea", groups=frozenset({"dba"}))


def request(name: str, what: Asking | None = None, now: datetime = NOW) -> AccessRequest:
    spec = (what or asking()).spec(now).model_dump(mode="json", exclude_none=True)
    return AccessRequest.model_validate({"metadata": {"name": name, "namespace": "shop"}, "spec": spec})


def approved(name: str) -> AccessRequest:
    waiting = request(name)
    return waiting.model_copy(update={"status": decided(waiting, BEA, "approved", "", NOW)})


def denied(name: str) -> AccessRequest:
    waiting = request(name)
    return waiting.model_copy(update={"status": decided(waiting, BEA, "denied", "not today", NOW)})


def test_nothing_is_there() -> None:
    assert answer(asking(), [], NOW) == Make()


def test_a_request_lives_as_long_as_the_policy_says_and_a_week_at_most() -> None:
    assert asking().spec(NOW).expires_at == "2030-01-31T13:00:00.000000Z"
    assert asking(expiresAfter="9999h").spec(NOW).expires_at == "2030-02-07T12:00:00.000000Z"


def test_one_that_waits_is_found_again() -> None:
    waiting = request("r-1")
    assert answer(asking(nonce="ff" * 16), [waiting], NOW) == Tell(waiting)
    assert answer(asking(), [waiting], NOW + timedelta(hours=2)) == Make()


def test_an_approval_is_used_the_oldest_first_and_before_anything_else() -> None:
    one, other = approved("r-2"), approved("r-3")
    assert answer(asking(), [request("r-1"), denied("r-0"), one, other], NOW) == Use(one)
    gone = one.model_copy(update={"status": used(one, NOW)})
    assert answer(asking(), [gone, other], NOW) == Use(other)
    assert answer(asking(), [gone], NOW) == Make()


def test_an_approval_is_good_for_nothing_else() -> None:
    others = [within("statement", sql="DELETE FROM orders"), within("heldBy", policyGeneration=4)]
    for other in others:
        assert answer(other, [approved("r-1")], NOW) == Make()


def test_a_denial_stands_as_long_as_the_request_would_have() -> None:
    no = denied("r-1")
    assert answer(asking(), [no], NOW + timedelta(minutes=59)) == Tell(no)
    assert answer(asking(), [no], NOW + timedelta(hours=1)) == Make()
    told = Answered.of(no, "denied", "https://audit.example/requests/r-1")
    assert (told.request, told.decided_by, told.comment) == ("r-1", "bea", "not today")


def test_one_requester_can_not_fill_the_book() -> None:
    open_ones = [
        request(f"r-{number}", within("statement", sql=f"DELETE FROM t WHERE id = {number}"))
        for number in range(MOST_WAITING)
    ]
    refused = answer(asking(), open_ones, NOW)
    assert isinstance(refused, Refuse)
    assert refused.why == "20 requests of this requester wait already; have some decided first"
    assert answer(within("requester", actsFor=[]), open_ones, NOW) == Make()
    assert answer(asking(), open_ones, NOW + timedelta(hours=1)) == Make()
