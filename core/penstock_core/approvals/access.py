"""Access for a time, as whoever holds requests sees it: what is asked, what is answered, how it ends, its review.

What can be asked for is said by the policies, as offers (`penstock_core.resources.grant`). Where a request stands is
`standing.py`'s; what a policy in effect comes to is `penstock_core.policy`'s.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Annotated

from pydantic import Field

from penstock_core.approvals.asking import MOST_WAITING, Make, Refuse, Tell
from penstock_core.approvals.four_eyes import Approver, has_part, objection
from penstock_core.approvals.requester import identity_of
from penstock_core.approvals.standing import (
    NotAllowedError,
    NotPossibleError,
    Standing,
    access_ends,
    moment,
    standing,
    written,
)
from penstock_core.bodies import read_body
from penstock_core.policy.access import grantee
from penstock_core.policy.subjects import matches
from penstock_core.resources.access_policy import BreakGlass
from penstock_core.resources.access_request import (
    AccessRequest,
    AccessRequestSpec,
    AccessRequestStatus,
    Digest,
    Requester,
)
from penstock_core.resources.grant import Grant, Offer
from penstock_core.resources.model import Model, NameReference
from penstock_core.resources.vocabulary import HEX, Duration, Remark, ResourceName, milliseconds

# Emergencies of one person that nobody has reviewed; more are refused until some are.
MOST_UNREVIEWED = 20
_OVER = frozenset({Standing.ENDED, Standing.UNREVIEWED, Standing.REVIEWED})


class AskingAccess(Model):
    """What a holder of requests is asked: may this policy be in effect for me, for so long?"""

    database_ref: NameReference
    """The Database that the policy is for."""
    policy: ResourceName
    """The policy."""
    policy_digest: Digest | None = None
    """A hash of what it says, as whoever asks knows it; without it, it is as the holder knows it."""
    duration: Duration
    """For how long."""
    reason: Remark
    """What for, in the requester's words."""
    break_glass: bool = False
    """Whether it is an emergency, and can't wait for an approver."""
    requester: Requester
    """Who asks."""
    nonce: Annotated[str, Field(min_length=32, max_length=64, pattern=HEX)]
    """Random."""

    @classmethod
    def read(cls, body: bytes) -> AskingAccess:
        """What was sent. Raises ValueError, whose text names the field and repeats nothing of its value."""
        return read_body(cls, body)


def answer_access(
    asking: AskingAccess, offer: Offer | None, namespace: str, known: Sequence[AccessRequest], now: datetime
) -> Tell | Make | Refuse:
    """What a holder does about it, by what the policy offers and by the requests that it has of this requester.

    Others' are passed over. What lasts, or waits, is told; a denial stands as long as the request would have lived.
    """
    if offer is None or offer.policy != asking.policy:
        return Refuse(f"no policy {asking.policy} of database {asking.database_ref.name} can be asked for")
    if trouble := _not_offered(asking, offer, namespace):
        return Refuse(trouble)
    theirs = [one for one in known if grantee(one.spec.requester) == grantee(asking.requester)]
    same = [one for one in theirs if _same(one.spec, asking, offer)]
    for sought in (Standing.IN_EFFECT, Standing.WAITING):
        found = [one for one in same if standing(one, now) is sought]
        # An emergency does not wait for what was asked for in the ordinary way.
        if found and not (asking.break_glass and sought is Standing.WAITING):
            return Tell(found[0])
    if asking.break_glass:
        return _emergency(theirs, now)
    denied = [one for one in same if standing(one, now) is Standing.DENIED and now < moment(one.spec.expires_at)]
    if denied:
        return Tell(denied[-1])
    waiting = sum(standing(one, now) is Standing.WAITING for one in theirs)
    if waiting >= MOST_WAITING:
        return Refuse(f"{waiting} requests of this requester wait already; have some decided first")
    return Make()


def _not_offered(asking: AskingAccess, offer: Offer, namespace: str) -> str:
    """Why the policy can't be asked for so; empty if it can."""
    name = f"policy {offer.policy}"
    if asking.policy_digest not in (None, offer.policy_digest):
        return f"{name} was changed a moment ago; ask again"
    try:
        who = identity_of(asking.requester)
    except ValueError as error:
        return f"there is no such requester: {error}"
    if not any(matches(offer.subjects, party, namespace) for party in who.parties):
        return f"{name} is not for {who.name}"
    if not asking.reason.strip():
        return "say what the access is for"
    terms = offer.break_glass if asking.break_glass else offer.on_request
    if terms is None:
        how = "asked for, and not taken in an emergency" if asking.break_glass else "taken in an emergency alone"
        return f"{name} can be {how}"
    if isinstance(terms, BreakGlass) and (trouble := _no_emergency(asking.requester, terms)):
        return trouble
    if not 1000 <= milliseconds(asking.duration) <= milliseconds(terms.max_duration):
        return f"{name} can be asked for for {terms.max_duration} at most, and not for {asking.duration}"
    return ""


def _no_emergency(requester: Requester, terms: BreakGlass) -> str:
    principal = requester.principal
    if principal is None or principal.kind != "person" or requester.acts_for:
        return "only a person who acts for themselves can break the glass"
    if terms.groups is not None and set(terms.groups).isdisjoint(principal.groups):
        return (
            f"{principal.subject} may not break the glass: they are in none of its groups ({', '.join(terms.groups)})"
        )
    return ""


def _same(spec: AccessRequestSpec, asking: AskingAccess, offer: Offer) -> bool:
    access = spec.access
    return (
        access is not None
        and spec.database_ref.name == asking.database_ref.name
        and (access.policy, access.policy_digest) == (offer.policy, offer.policy_digest)
    )


def _emergency(theirs: Iterable[AccessRequest], now: datetime) -> Make | Refuse:
    """Whose last emergencies nobody has reviewed in time gets no other."""
    unreviewed = [one for one in theirs if standing(one, now) is Standing.UNREVIEWED]
    if late := [one for one in unreviewed if overdue(one, now)]:
        return Refuse(f"the review of {late[0].name} is overdue; have somebody else review it first")
    if len(unreviewed) >= MOST_UNREVIEWED:
        return Refuse(f"{len(unreviewed)} emergencies of this person were not reviewed; have some reviewed first")
    return Make()


def access_spec(asking: AskingAccess, offer: Offer, now: datetime) -> AccessRequestSpec:
    """What a new request says. Raises ValidationError where none can hold it."""
    terms = offer.break_glass if asking.break_glass else offer.on_request
    if terms is None:
        raise ValueError(f"{offer.policy} offers nothing of the kind")
    spec: dict[str, object] = {
        "databaseRef": asking.database_ref, "requester": asking.requester, "reason": asking.reason,
        "nonce": asking.nonce,
    }  # fmt: skip
    if isinstance(terms, BreakGlass):
        groups, lives = terms.reviewers.groups, asking.duration
        spec["breakGlass"] = {"reviewBy": _later(now, terms.review_within)}
    else:
        groups, lives = terms.approvers.groups, terms.expires_after
    spec["expiresAt"] = _later(now, lives)
    spec["access"] = {
        "policy": offer.policy, "policyDigest": offer.policy_digest, "approvers": groups, "duration": asking.duration,
    }  # fmt: skip
    return AccessRequestSpec.model_validate(spec)


def _later(now: datetime, duration: str) -> str:
    return written(now + timedelta(milliseconds=milliseconds(duration)))


def grant(request: AccessRequest, now: datetime) -> Grant | None:
    """What gates are told of a request; None unless its access is in effect."""
    access, until = request.spec.access, access_ends(request)
    if access is None or until is None or standing(request, now) is not Standing.IN_EFFECT:
        return None
    return Grant.model_validate(
        {
            "request": request.name,
            "policy": access.policy,
            "policyDigest": access.policy_digest,
            "requester": request.spec.requester,
            "approvers": access.approvers,
            "duration": access.duration,
            "until": written(until),
            "decidedBy": (request.status and request.status.decided_by) or "",
            "breakGlass": request.spec.break_glass is not None,
        }
    )


def overdue(request: AccessRequest, now: datetime) -> bool:
    """Whether an emergency was to be reviewed by now, and was not."""
    glass = request.spec.break_glass
    return (
        glass is not None
        and standing(request, now) in (Standing.UNREVIEWED, Standing.IN_EFFECT)
        and now >= moment(glass.review_by)
    )


def ended(request: AccessRequest, who: Approver, now: datetime) -> AccessRequestStatus:
    """The status with the access ended before its time. Raises NotAllowedError, NotPossibleError."""
    if who.kind != "person" or who.delegated:
        raise NotAllowedError(f"{who.name} may not end it: only a person who acts for themselves can")
    if not has_part(request.spec, who) and who.groups.isdisjoint(request.spec.approvers):
        groups = ", ".join(request.spec.approvers)
        raise NotAllowedError(
            f"{who.name} may not end it: it is not theirs, and they are in none of its groups ({groups})"
        )
    at = standing(request, now)
    if at is not Standing.IN_EFFECT:
        raise NotPossibleError(f"there is nothing to end: the request {request.name} is {at.value}")
    status = request.status or AccessRequestStatus()
    return status.model_copy(update={"ended_at": written(now), "ended_by": who.name})


def review_objection(request: AccessRequest, who: Approver, now: datetime) -> str:
    """Why they may not review the emergency now, in one line; empty if they may."""
    if request.spec.break_glass is None:
        return f"there is nothing to review: the request {request.name} is no emergency"
    if trouble := objection(request.spec, who):
        return trouble.replace("may not decide", "may not review", 1)
    at = standing(request, now)
    if at is Standing.IN_EFFECT:
        return f"the access of {request.name} lasts until {request.spec.expires_at}; end it first, or review it then"
    if at is Standing.REVIEWED:
        return f"the request {request.name} was reviewed by {request.status and request.status.reviewed_by}"
    return ""


def reviewed(request: AccessRequest, who: Approver, comment: str, now: datetime) -> AccessRequestStatus:
    """The status with the review. Raises NotAllowedError, NotPossibleError."""
    if trouble := review_objection(request, who, now):
        allowed = request.spec.break_glass is None or not objection(request.spec, who)
        raise NotPossibleError(trouble) if allowed else NotAllowedError(trouble)
    if not comment.strip():
        raise NotPossibleError("a review says what was found: give a comment")
    status = request.status or AccessRequestStatus()
    return status.model_copy(update={"reviewed_at": written(now), "reviewed_by": who.name, "review": comment})


def is_over(at: Standing) -> bool:
    """Whether access was given, and lasts no more."""
    return at in _OVER
