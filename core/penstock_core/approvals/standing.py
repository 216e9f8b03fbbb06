"""Where a request stands, and the steps from there: decided once, used once, never after its end.

The clock is the holder's own: the requester's has no part in it. Who may decide is `four_eyes.py`'s; how access for a
time ends and is reviewed is `access.py`'s.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Literal

from penstock_core.approvals.four_eyes import Approver, objection
from penstock_core.resources.access_request import AccessRequest, AccessRequestStatus
from penstock_core.resources.vocabulary import milliseconds

Decision = Literal["approved", "denied"]


class Standing(StrEnum):
    """What has become of a request."""

    WAITING = "waiting"
    APPROVED = "approved"
    DENIED = "denied"
    # Nobody decided in time, or what was approved was not used in time.
    EXPIRED = "expired"
    USED = "used"
    # Access for a time: it lasts; it is over; and after an emergency, nobody or somebody has reviewed it.
    IN_EFFECT = "in effect"
    ENDED = "ended"
    UNREVIEWED = "unreviewed"
    REVIEWED = "reviewed"


class NotPossibleError(Exception):
    """The step is not possible; the text is one line that says why and what to do."""


class NotAllowedError(NotPossibleError):
    """This approver may not decide the request."""


def standing(request: AccessRequest, now: datetime) -> Standing:
    """Where the request stands at that time."""
    status = request.status or AccessRequestStatus()
    if request.spec.access is not None:
        return _of_access(request, now)
    if status.consumed_at is not None:
        return Standing.USED
    if status.decision == "denied":
        return Standing.DENIED
    if now >= moment(request.spec.expires_at):
        return Standing.EXPIRED
    return Standing.APPROVED if status.decision == "approved" else Standing.WAITING


def _of_access(request: AccessRequest, now: datetime) -> Standing:
    status = request.status or AccessRequestStatus()
    if (until := access_ends(request)) is not None:
        if now < until:
            return Standing.IN_EFFECT
        if request.spec.break_glass is None:
            return Standing.ENDED
        return Standing.UNREVIEWED if status.reviewed_at is None else Standing.REVIEWED
    if status.decision == "denied":
        return Standing.DENIED
    return Standing.EXPIRED if now >= moment(request.spec.expires_at) else Standing.WAITING


def access_ends(request: AccessRequest) -> datetime | None:
    """Until when access for a time lasts, or lasted; None if it was not given."""
    spec, status = request.spec, request.status or AccessRequestStatus()
    given = spec.expires_at if spec.break_glass is not None else status.until
    if spec.access is None or given is None:
        return None
    ends = moment(given)
    return ends if status.ended_at is None else min(ends, moment(status.ended_at))


def decided(
    request: AccessRequest, approver: Approver, decision: Decision, comment: str, now: datetime, lasts: str = ""
) -> AccessRequestStatus:
    """The status with the decision. Raises NotAllowedError, and NotPossibleError where there is nothing to decide.

    `lasts`: for how long access is approved, no longer than was asked for; empty for as long.
    """
    if trouble := objection(request.spec, approver):
        raise NotAllowedError(trouble)
    at = standing(request, now)
    if at is not Standing.WAITING:
        words = {
            Standing.IN_EFFECT: "is in effect already; it can be ended, and asked for anew afterwards",
            Standing.ENDED: "is over; access has to be asked for anew",
            Standing.UNREVIEWED: "was an emergency, which is reviewed and not decided",
            Standing.REVIEWED: "was an emergency, which is reviewed and not decided",
            Standing.APPROVED: f"was approved by {_decider(request)}",
            Standing.DENIED: f"was denied by {_decider(request)}",
            Standing.USED: "was approved and used",
            Standing.EXPIRED: f"expired at {request.spec.expires_at}; run the statement again to ask anew",
        }
        raise NotPossibleError(f"the request {request.name} {words[at]}")
    return (request.status or AccessRequestStatus()).model_copy(
        update={
            "decision": decision,
            "decided_by": approver.name,
            "decided_at": written(now),
            "comment": comment or None,
            "until": _until(request, lasts, now) if decision == "approved" else None,
        }
    )


def _until(request: AccessRequest, lasts: str, now: datetime) -> str | None:
    """When approved access ends. Raises NotPossibleError."""
    access = request.spec.access
    if access is None:
        if lasts:
            raise NotPossibleError(
                f"the request {request.name} is for a statement, which runs once and has no duration"
            )
        return None
    asked = milliseconds(access.duration)
    given = milliseconds(lasts) if lasts else asked
    if not 0 < given <= asked:
        raise NotPossibleError(f"the request {request.name} is for {access.duration}; approve that, or less")
    return written(now + timedelta(milliseconds=given))


def used(request: AccessRequest, now: datetime) -> AccessRequestStatus:
    """The status with the approval used. Raises NotPossibleError unless it is approved, and neither used nor expired.

    Whoever keeps requests takes this step before the statement is sent, and lets one alone take it.
    """
    at = standing(request, now)
    if at is not Standing.APPROVED or request.status is None:
        raise NotPossibleError(f"the request {request.name} can't be used: it is {at.value}")
    return request.status.model_copy(update={"consumed_at": written(now)})


def moment(timestamp: str) -> datetime:
    """A valid timestamp of a resource (RFC 3339), with its time zone; what is below a microsecond is cut."""
    return datetime.fromisoformat(timestamp)


def written(now: datetime) -> str:
    """A time as resources have it: RFC 3339, in UTC, with microseconds."""
    return now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _decider(request: AccessRequest) -> str:
    return (request.status and request.status.decided_by) or "somebody"
