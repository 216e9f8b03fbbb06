"""A request is decided once, used once, and not after its end."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from tests.core.approvals.test_four_eyes import DBA, SPEC

from penstock_core.approvals.four_eyes import Approver
from penstock_core.approvals.standing import (
    Decision,
    NotAllowedError,
    NotPossibleError,
    Standing,
    decided,
    moment,
    standing,
    used,
    written,
)
from penstock_core.resources.access_request import AccessRequest

END = datetime(2030, 1, 31, 12, tzinfo=UTC)
EARLY = END - timedelta(minutes=30)
BEA = Approver("bea", groups=DBA)
WAITING = AccessRequest.model_validate({"metadata": {"name": "r-1", "namespace": "shop"}, "spec": SPEC})


def decide(request: AccessRequest, decision: Decision, now: datetime = EARLY, by: Approver = BEA) -> AccessRequest:
    return request.model_copy(update={"status": decided(request, by, decision, "fine", now)})


def use(request: AccessRequest, now: datetime = EARLY) -> AccessRequest:
    return request.model_copy(update={"status": used(request, now)})


def test_approved_and_used() -> None:
    assert standing(WAITING, EARLY) is Standing.WAITING
    approved = decide(WAITING, "approved")
    assert standing(approved, EARLY) is Standing.APPROVED
    assert approved.status is not None
    assert (approved.status.decided_by, approved.status.comment) == ("bea", "fine")
    assert approved.status.decided_at == "2030-01-31T11:30:00.000000Z"
    done = use(approved)
    assert standing(done, EARLY) is standing(done, END) is Standing.USED


def test_denied() -> None:
    denied = decide(WAITING, "denied")
    assert standing(denied, EARLY) is standing(denied, END) is Standing.DENIED
    with pytest.raises(NotPossibleError, match="it is denied"):
        use(denied)


def test_what_nobody_decided_or_used_in_time_is_over() -> None:
    approved = decide(WAITING, "approved", END - timedelta(microseconds=1))
    for request in (WAITING, approved):
        assert standing(request, END) is Standing.EXPIRED
        with pytest.raises(NotPossibleError, match="it is expired"):
            use(request, END)
    with pytest.raises(NotPossibleError, match=r"expired at 2030-01-31T12:00:00Z; run the statement again"):
        decide(WAITING, "approved", END)


def test_once_is_enough() -> None:
    approved = decide(WAITING, "approved")
    for decision in ("approved", "denied"):
        with pytest.raises(NotPossibleError, match=r"the request r-1 was approved by bea"):
            decide(approved, decision)
    with pytest.raises(NotPossibleError, match="it is used"):
        use(use(approved))
    with pytest.raises(NotPossibleError, match="was approved and used"):
        decide(use(approved), "denied")
    with pytest.raises(NotPossibleError, match="it is waiting"):
        use(WAITING)


def test_who_has_a_part_in_it_decides_nothing() -> None:
    with pytest.raises(NotAllowedError):
        decide(WAITING, "denied", by=Approver("bot", groups=DBA))


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("2030-01-31T12:00:00Z", END),
        ("2030-01-31T13:00:00.123456789+01:00", END.replace(microsecond=123456)),
        ("2030-01-31T12:00:00.5Z", END.replace(microsecond=500000)),
    ],
)
def test_times(text: str, same: datetime) -> None:
    assert moment(text) == same
    assert moment(written(same)) == same
