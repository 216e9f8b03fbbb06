"""Access for a time on a cluster: which AccessRequests come to grants, by what policies say, and what is told of it.

People make these objects themselves; the API server keeps to it that they ask for themselves, and who decides. Whether
what they ask for is what the policy offers is found here, and once more by each gate. What doesn't belong: statements
that are held (`requests_holder.py`).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import structlog

from penstock_core.approvals.access import MOST_UNREVIEWED, grant, overdue
from penstock_core.approvals.four_eyes import has_part
from penstock_core.approvals.kubernetes_user import KubernetesUser, approver
from penstock_core.approvals.requester import identity_of
from penstock_core.approvals.standing import Standing, access_ends, moment, standing
from penstock_core.policy.access import grantee
from penstock_core.policy.subjects import is_for
from penstock_core.resources.access_policy import DatabaseAccessPolicy
from penstock_core.resources.access_request import AccessRequest
from penstock_core.resources.bundle import Bundle
from penstock_core.resources.grant import Grant, policy_digest
from penstock_core.resources.vocabulary import milliseconds
from penstock_operator.control.kept_requests import Kept, KeptRequests
from penstock_operator.control.requests_guard import RequestsGuard

# Objects know the second that they were made in.
_ROUNDED = timedelta(seconds=2)
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Finding:
    """What there is to be told of a request: a reason in one word, and words for people."""

    kept: Kept
    reason: str
    words: str
    warning: bool = True


class AccessGrants:
    """What lasts, by the requests that a watch sees."""

    def __init__(
        self,
        kept: KeptRequests,
        guard: RequestsGuard,
        prefixes: Iterable[str] = (),
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._kept = kept
        self._guard = guard
        self._prefixes = tuple(prefixes)
        self._clock = clock

    @property
    def now(self) -> datetime:
        return datetime.fromtimestamp(self._clock(), UTC)

    def of(self, bundle: Bundle) -> tuple[Grant, ...]:
        """What lasts of a Database: nothing, where nobody keeps to it who may decide."""
        if self._kept.lacking or self._guard.trouble:
            return ()
        found = (
            given
            for one in self._asked(bundle)
            if (given := grant(one.request, self.now)) is not None and not self.trouble(one, bundle)
        )
        return tuple(sorted(found, key=lambda one: one.request))

    def trouble(self, kept: Kept, bundle: Bundle) -> str:
        """Why a request comes to nothing, in words; empty if it comes to what it asks for."""
        request = kept.request
        policy = next((one for one in bundle.policies if one.name == request.spec.policy), None)
        if policy is None:
            return f"there is no policy {request.spec.policy} for Database {bundle.database.name}"
        if trouble := _not_offered(kept, policy):
            return trouble
        if request.spec.break_glass is not None:
            return self._not_again(kept)
        by = (request.status and request.status.decided_by) or ""
        # Names are compared more closely here than the API server can.
        if by and has_part(request.spec, approver(KubernetesUser(by), self._prefixes)):
            return f"{by} has a part in the request and can't approve it"
        return ""

    def findings(self, bundle: Bundle) -> Iterator[Finding]:
        """What people are told of what was asked of a Database, each once."""
        for one in self._asked(bundle):
            request, now = one.request, self.now
            glass, at = request.spec.break_glass, standing(one.request, now)
            who = _name(request)
            if at in (Standing.WAITING, Standing.IN_EFFECT) and (why := self.trouble(one, bundle)):
                yield Finding(one, "AccessNotGiven", f"the request of {who} comes to nothing: {why}")
            elif glass is not None and at is Standing.IN_EFFECT:
                words = f"{who} broke the glass: access by policy {request.spec.policy} until {request.spec.expires_at}"
                yield Finding(one, "GlassBroken", f"{words}. {request.spec.reason}")
            if overdue(request, now):
                groups = ", ".join(request.spec.approvers)
                yield Finding(one, "ReviewOverdue", f"the emergency of {who} was to be reviewed by now, by {groups}")

    def unreviewed(self) -> list[AccessRequest]:
        """Emergencies that nobody has reviewed, those that last among them."""
        found = (one.request for one in self._kept.all() if one.request.spec.break_glass is not None)
        return [one for one in found if standing(one, self.now) in (Standing.UNREVIEWED, Standing.IN_EFFECT)]

    def _asked(self, bundle: Bundle) -> Iterator[Kept]:
        database = bundle.database
        for one in self._kept.all():
            spec = one.request.spec
            if spec.access is not None and (one.request.namespace, spec.database_ref.name) == (
                database.namespace,
                database.name,
            ):
                yield one

    def _not_again(self, kept: Kept) -> str:
        """Why this emergency comes to nothing by those before it."""
        made = moment(kept.created)
        theirs = [
            one
            for one in self._kept.all()
            if one.request.spec.break_glass is not None
            and one.key != kept.key
            and (one.created, one.request.name) < (kept.created, kept.request.name)
            and grantee(one.request.spec.requester) == grantee(kept.request.spec.requester)
            and not _reviewed_before(one.request, made)
        ]
        for one in theirs:
            glass = one.request.spec.break_glass
            if glass is not None and moment(glass.review_by) <= made + _ROUNDED / 2:
                return f"the review of {one.request.name} was overdue; have somebody else review it first"
        if len(theirs) >= MOST_UNREVIEWED:
            return f"{len(theirs)} emergencies of this person were not reviewed; have some reviewed first"
        return ""


def _reviewed_before(request: AccessRequest, then: datetime) -> bool:
    status = request.status
    return status is not None and status.reviewed_at is not None and moment(status.reviewed_at) <= then


def _not_offered(kept: Kept, policy: DatabaseAccessPolicy) -> str:
    """Why the policy does not offer what is asked for."""
    spec = kept.request.spec
    access, glass = spec.access, spec.break_glass
    terms = policy.spec.on_request if glass is None else policy.spec.break_glass
    if access is None or terms is None:
        return f"policy {policy.name} can't be asked for in that way"
    if access.policy_digest != policy_digest(policy):
        return f"policy {policy.name} says something else than when it was asked for; ask anew"
    offers, says = policy.spec.on_request, policy.spec.break_glass
    groups = offers.approvers.groups if glass is None and offers is not None else says.reviewers.groups if says else ()
    if not set(access.approvers) <= set(groups):
        return f"policy {policy.name} names other approvers: {', '.join(groups)}"
    try:
        who = identity_of(spec.requester)
    except ValueError as error:
        return f"there is no such requester: {error}"
    if not any(is_for(policy, party) for party in who.parties):
        return f"policy {policy.name} is not for {who.name}"
    # By the groups that are claimed; gates go by those of the token.
    claimed = () if who.principal is None else who.principal.groups
    if glass is not None and says is not None and says.groups is not None and set(says.groups).isdisjoint(claimed):
        return f"{who.name} is in none of the groups that may break the glass ({', '.join(says.groups)})"
    longest = timedelta(milliseconds=milliseconds(terms.max_duration))
    if timedelta(milliseconds=milliseconds(access.duration)) > longest:
        return f"policy {policy.name} can be asked for for {terms.max_duration} at most"
    return _too_long(kept, policy, longest)


def _too_long(kept: Kept, policy: DatabaseAccessPolicy, longest: timedelta) -> str:
    """By the times of the object itself, which the API server gave it, or let nobody else write."""
    spec, status = kept.request.spec, kept.request.status
    made, expires = moment(kept.created), moment(spec.expires_at)
    offers, says = policy.spec.on_request, policy.spec.break_glass
    if spec.break_glass is not None and says is not None:
        if expires > made + longest + _ROUNDED:
            return f"it lasts longer than the {says.max_duration} that policy {policy.name} lets"
        if moment(spec.break_glass.review_by) > made + _length(says.review_within) + _ROUNDED:
            return f"its review is due later than policy {policy.name} says: within {says.review_within}"
        return ""
    if offers is not None and expires > made + _length(offers.expires_after) + _ROUNDED:
        return f"it can be approved for longer than the {offers.expires_after} that policy {policy.name} lets"
    until = access_ends(kept.request)
    decided = status and status.decided_at
    if until is not None and decided and until > moment(decided) + longest + timedelta(minutes=5):
        return (
            f"it lasts longer than the {policy.spec.on_request and policy.spec.on_request.max_duration} of the policy"
        )
    return ""


def _length(duration: str) -> timedelta:
    return timedelta(milliseconds=milliseconds(duration))


def _name(request: AccessRequest) -> str:
    try:
        return identity_of(request.spec.requester).name
    except ValueError:
        return "nobody"
