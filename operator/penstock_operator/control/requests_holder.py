"""Holds requests for approval as AccessRequest objects: makes them, tells of them, uses approvals, deletes them.

Any number of replicas may be asked at once: an approval is used by a write that the API server takes from one alone,
and a request's name follows from what is asked for, so that two who make it make one. What becomes of a request is
decided in `penstock_core.approvals`. What doesn't belong: HTTP (`asking.py`).
"""

from __future__ import annotations

import asyncio
import math
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from http import HTTPStatus
from weakref import WeakValueDictionary

import structlog

from penstock_core.approvals.asking import Answered, Asking, Make, Refuse, Tell, Use, bound_to
from penstock_core.approvals.four_eyes import has_part
from penstock_core.approvals.kubernetes_user import KubernetesUser, approver
from penstock_core.approvals.room import no_room, parties
from penstock_core.approvals.standing import NotPossibleError, Standing, access_ends, moment, standing, used
from penstock_core.approvals.together import Step, answers, together, told
from penstock_core.resources.access_request import AccessRequest, Requester
from penstock_core.token_review import Pod
from penstock_operator.cluster.api import Api, ApiError
from penstock_operator.control.kept_requests import Kept, KeptRequests, Owner, account_of, requester_of
from penstock_operator.control.policies import Policies
from penstock_operator.control.request_objects import document_of, name_of, path_of
from penstock_operator.control.requests_guard import RequestsGuard
from penstock_operator.control.requests_trust import RefusedError, trusted

# Of all who use one service account, the people of a gateway for one: requests that wait, and those that nobody decided
# and that are still kept. What one of them may have of that is `penstock_core.approvals.room`'s.
MOST_WAITING_OF_AN_ACCOUNT = 1_000
MOST_UNDECIDED_OF_AN_ACCOUNT = 2_000
# Others at work on the same request: another replica, an approver.
_TRIES = 8
_SWEEP_SECONDS = 60.0
_HOUR = 3600.0
# What nobody decided says nothing to anybody soon after its end.
_UNDECIDED_KEPT_SECONDS = _HOUR
# A request that another replica has just made may not be known here yet.
_UNKNOWN_SECONDS = 2.0
LONGEST_WAIT_SECONDS = 30.0
MOST_POLLS, MOST_POLLS_OF_A_POD = 2_000, 50
_log = structlog.get_logger(__name__)


class UnavailableError(Exception):
    """Nothing can be said now; the text says why."""


class RequestsHolder:
    """What both calls of a gate come to."""

    def __init__(
        self,
        api: Api,
        policies: Policies,
        guard: RequestsGuard,
        prefixes: Iterable[str] = (),
        kept_hours: float = 168,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.kept = KeptRequests()
        self._api = api
        self._policies = policies
        self._guard = guard
        self._prefixes = tuple(prefixes)
        self._kept_seconds = kept_hours * _HOUR
        self._clock = clock
        self._locks: WeakValueDictionary[Owner, asyncio.Lock] = WeakValueDictionary()
        self._polls: Counter[str] = Counter()

    async def ask(self, pod: Pod, asking: Asking) -> Answered:
        """May this statement run now? Raises NotItsOwnError, UnavailableError."""
        self._must_be_ready()
        _, refused = self._trusted(asking, pod)
        if refused is not None:
            return refused
        requester = requester_of(pod.namespace, asking.requester)
        lock = self._locks.setdefault(requester, asyncio.Lock())
        async with lock:
            try:
                answered = await self._answered(requester, asking, pod)
            except ApiError as problem:
                _log.warning("a request could not be answered", problem=str(problem))
                raise UnavailableError(f"requests for approval can't be kept now: {problem}") from problem
        return answered

    async def look(self, pod: Pod, name: str, seconds: float, stopping: asyncio.Event) -> Answered | None:
        """What has become of one of its requests; as long as it waits, not before that time is over. It uses nothing.

        None: there is no such request of the pod's service account. Raises UnavailableError.
        """
        self._must_be_ready()
        if self._polls.total() >= MOST_POLLS or self._polls[pod.uid] >= MOST_POLLS_OF_A_POD:
            raise UnavailableError("too many wait for news of requests; ask again in a moment")
        self._polls[pod.uid] += 1
        try:
            return await self._look(pod, name, min(seconds, LONGEST_WAIT_SECONDS), stopping)
        finally:
            self._polls[pod.uid] -= 1
            self._polls += Counter()

    async def sweep(self) -> None:
        """Delete what has been over for its time, for ever."""
        while True:
            await asyncio.sleep(_SWEEP_SECONDS)
            await self.sweep_once()

    async def sweep_once(self) -> None:
        """Every replica does; who comes second finds nothing to delete."""
        now = self._clock()
        for kept in self.kept.all():
            if now < _over(kept) + (self._kept_seconds if kept.decided else _UNDECIDED_KEPT_SECONDS):
                continue
            precondition = {"uid": kept.uid, "resourceVersion": str(kept.revision)}
            try:
                await self._api.delete(path_of(*kept.key), {"preconditions": precondition})
            except ApiError as problem:
                if problem.status != HTTPStatus.NOT_FOUND:
                    _log.warning("a request that is over could not be deleted", problem=str(problem))
                    continue
            self.kept.forget(kept.key)

    def _must_be_ready(self) -> None:
        lacking = [*self._policies.lacking, *self.kept.lacking]
        if lacking:
            raise UnavailableError(f"not ready: waiting for {', '.join(lacking)}")
        if self._guard.trouble:
            raise UnavailableError(self._guard.trouble)

    def _trusted(self, asking: Asking, pod: Pod) -> tuple[Asking, Answered | None]:
        """The question by the policies of this moment; or what it is refused with. Raises NotItsOwnError."""
        try:
            return trusted(asking, pod, self._policies), None
        except RefusedError as problem:
            return asking, _refused(str(problem))

    async def _answered(self, requester: Owner, asked: Asking, pod: Pod) -> Answered:
        for _ in range(_TRIES):
            # Others were at work on it, or the API server: the policies may be others by now, and who keeps to them.
            self._must_be_ready()
            asking, refused = self._trusted(asked, pod)
            if refused is not None:
                return refused
            now = self._now()
            known = self.kept.of(requester)
            steps = answers(asking, [one.request for one in known], now)
            made = sum(isinstance(step, Make) for _, step in steps)
            if made and (trouble := self._too_many(asking.requester, now, made)):
                return _refused(trouble)
            if (answered := await self._taken(asking, steps, known, now)) is not None:
                return answered
        raise UnavailableError("others are at work on this request; ask again in a moment")

    async def _taken(
        self, asking: Asking, steps: Sequence[tuple[Asking, Step]], known: list[Kept], now: datetime
    ) -> Answered | None:
        """What each rule's question comes to, one after another; None if somebody was faster.

        Of several approvals the first is what whoever asks at the same time fails at, since all use them in one order.
        If this process ends in between, what is used by then is lost, and nothing has run.
        """
        for _, step in steps:
            if isinstance(step, Use) and (trouble := self._objection(step.request)):
                return _refused(trouble)
        found: list[tuple[Asking, Answered]] = []
        for part, step in steps:
            answered = await self._one(part, step, known, now)
            if answered is None:
                return None
            found.append((part, answered))
        return together(asking, found)

    async def _one(self, asking: Asking, step: Step, known: list[Kept], now: datetime) -> Answered | None:
        match step:
            case Tell(request):
                return told(request, now)
            case Refuse(why):
                return _refused(why)
            case Use(request):
                return await self._use(request)
            case Make():
                return await self._make(asking, known, now)

    def _objection(self, request: AccessRequest) -> str:
        """Why an approval is not used; names are compared more closely here than the API server can."""
        by = _approver(request)
        if not has_part(request.spec, approver(KubernetesUser(by), self._prefixes)):
            return ""
        _log.error("an approval is not used: its approver has a part in the request", request=request.name, by=by)
        return f"{by} has a part in the request {request.name} and can't approve it"

    async def _use(self, request: AccessRequest) -> Answered | None:
        """Grant, once the API server has taken it that the approval is used; None if somebody was faster."""
        for _ in range(_TRIES):
            kept = self.kept.get(request.namespace, request.name)
            if kept is None or kept.request.spec != request.spec or not self._is_current(request):
                return None
            try:
                status = used(kept.request, self._now())
            except NotPossibleError:
                return None
            body = {
                "metadata": {"resourceVersion": str(kept.revision), "uid": kept.uid},
                "status": {"consumedAt": status.consumed_at},
            }
            try:
                self.kept.put(await self._api.merge(f"{path_of(*kept.key)}/status", body))
            except ApiError as problem:
                if problem.status not in (HTTPStatus.CONFLICT, HTTPStatus.NOT_FOUND):
                    raise
                await self._refresh(*kept.key)
                continue
            _log.info("approval used", request=request.name, namespace=request.namespace, by=_approver(request))
            # If the policies changed while the API server wrote it, it is used up and grants nothing.
            return Answered.of(request, "granted") if self._is_current(request) else None
        return None

    def _is_current(self, request: AccessRequest) -> bool:
        """Whether the request is bound to what the policies say at this moment, and nobody but approvers decides it."""
        held, database = request.spec.held_by, request.spec.database_ref.name
        topic = self._policies.topic(request.namespace, database)
        if held is None or topic is None or self._guard.trouble:
            return False
        return (held.policy_generation, held.policy_digest) == (topic.bundle.generation, topic.digest)

    async def _make(self, asking: Asking, known: list[Kept], now: datetime) -> Answered | None:
        """None if another request has the name: it is known then."""
        namespace, digest = account_of(asking.requester)[0], asking.digest
        taken = {one.request.name for one in known if bound_to(one.request.spec) == digest}
        name = name_of(digest, "")
        while name in taken or self.kept.get(namespace, name) is not None:
            name = name_of(digest, name)
        try:
            made = await self._api.create(path_of(namespace), document_of(name, namespace, asking, now))
        except ApiError as problem:
            if problem.status != HTTPStatus.CONFLICT:
                raise
            await self._refresh(namespace, name)
            return None
        kept = self.kept.put(made)
        if kept is None:
            raise ApiError(0, "the API server answered with something other than the request")
        _log.info("request made", request=name, namespace=namespace, database=asking.database_ref.name)
        return Answered.of(kept.request, "waiting")

    def _too_many(self, requester: Requester, now: datetime, more: int) -> str:
        account = account_of(requester)
        undecided = [one.request for one in self.kept.of_account(account) if not one.decided]
        waiting = [one for one in undecided if standing(one, now) is Standing.WAITING]
        if trouble := no_room(requester, (parties(one.spec.requester) for one in waiting), more):
            return trouble
        if trouble := no_room(requester, (parties(one.spec.requester) for one in undecided), more, "undecided"):
            return trouble
        if len(waiting) + more > MOST_WAITING_OF_AN_ACCOUNT:
            return f"{len(waiting)} requests of service account {account[1]} wait already; have some decided first"
        if len(undecided) + more > MOST_UNDECIDED_OF_AN_ACCOUNT:
            return f"{len(undecided)} requests of service account {account[1]} were not decided of late; ask in an hour"
        return ""

    async def _refresh(self, namespace: str, name: str) -> None:
        """Ask the API server, where the watch is not as far as others are."""
        try:
            found = await self._api.get(path_of(namespace, name))
            # What the API server says itself counts, whatever number it has: after a restore these go back.
            self.kept.forget((namespace, name))
            self.kept.put(found)
        except ApiError as problem:
            if problem.status != HTTPStatus.NOT_FOUND:
                raise
            self.kept.forget((namespace, name))

    async def _look(self, pod: Pod, name: str, seconds: float, stopping: asyncio.Event) -> Answered | None:
        end = time.monotonic() + seconds
        if self.kept.get(pod.namespace, name) is None:
            await self.kept.news(pod.namespace, name, _UNKNOWN_SECONDS, stopping)
        while True:
            kept = self.kept.get(pod.namespace, name)
            if kept is None or account_of(kept.request.spec.requester) != (pod.namespace, pod.service_account):
                return None
            now = self._now()
            at = standing(kept.request, now)
            left = min(end - time.monotonic(), kept.expires - now.timestamp())
            if at is not Standing.WAITING or left <= 0 or stopping.is_set():
                return _seen(kept.request, at)
            await self.kept.news(pod.namespace, name, left, stopping)

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._clock(), UTC)


def _over(kept: Kept) -> float:
    """Since when nothing more can come of it; in an emergency that nobody has reviewed, never."""
    request = kept.request
    if request.spec.break_glass is not None:
        reviewed = request.status and request.status.reviewed_at
        return moment(reviewed).timestamp() if reviewed else math.inf
    until = access_ends(request)
    return kept.expires if until is None else max(kept.expires, until.timestamp())


def _seen(request: AccessRequest, at: Standing) -> Answered:
    """For one who only looks."""
    match at:
        case Standing.WAITING:
            return Answered.of(request, "waiting")
        case Standing.APPROVED | Standing.IN_EFFECT:
            return Answered.of(request, "granted")
        case Standing.DENIED:
            return Answered.of(request, "denied")
    over = "has expired" if at is Standing.EXPIRED else "was approved and used"
    return _refused(f"the request {request.name} {over}; run the statement again to ask anew")


def _approver(request: AccessRequest) -> str:
    return (request.status and request.status.decided_by) or ""


def _refused(why: str) -> Answered:
    return Answered(standing="refused", comment=why)
