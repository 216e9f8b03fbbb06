"""Requests for approval that are objects of a cluster, seen and decided by one person with their own credentials.

The API server says who it is and whether they may; this program has no right to. What doesn't belong: where the
credentials are from (`auth/credentials.py`), which requests the trail told of (`store/cluster_requests.py`).
"""

from __future__ import annotations

import time
from collections.abc import Collection
from dataclasses import dataclass, replace
from urllib.parse import quote

import structlog

from penstock_collector.approvals.attempts import Attempts
from penstock_collector.approvals.comment import checked
from penstock_collector.approvals.holder import TooManyAttemptsError
from penstock_collector.auth.cluster_people import ClusterPeople
from penstock_collector.auth.personal_api import Answer, ApiServerUnavailable
from penstock_collector.metrics import CollectorMetrics
from penstock_collector.store.requests import Kept, UnknownRequestError
from penstock_core.approvals import kubernetes_request
from penstock_core.approvals.four_eyes import Approver, objection
from penstock_core.approvals.kubernetes_request import GROUP, Found
from penstock_core.approvals.standing import (
    Decision,
    NotAllowedError,
    NotPossibleError,
    access_ends,
    decided,
    moment,
    standing,
)
from penstock_core.resources.access_request import AccessRequestStatus

_log = structlog.get_logger(__name__)


class ClusterUnavailableError(NotPossibleError):
    """The API server can't be asked at the moment."""


class OutcomeUnknownError(NotPossibleError):
    """The decision was sent, and nobody knows whether it was taken."""


@dataclass(frozen=True, slots=True)
class Seen:
    """A request as the API server shows it to somebody, and as whom."""

    found: Found
    approver: Approver

    @property
    def kept(self) -> Kept:
        """As pages show requests."""
        request = self.found.request
        expires = moment(request.spec.expires_at)
        try:
            made = moment(self.found.made)
        except ValueError:
            made = expires
        ends, at = access_ends(request) or expires, standing(request, self.found.now)
        return Kept(0, 0, request, at, made.timestamp(), ends.timestamp(), trimmed=False)

    @property
    def objection(self) -> str:
        """Why they may not decide it, as far as that can be told before the API server says so."""
        return objection(self.found.request.spec, self.approver)


@dataclass(frozen=True, slots=True)
class Ready:
    """A decision that nothing speaks against but what the API server may say."""

    seen: Seen
    status: AccessRequestStatus


class ClusterRequests:
    """Those of one API server, if one is known."""

    def __init__(self, people: ClusterPeople | None, metrics: CollectorMetrics) -> None:
        self._people = people
        self._metrics = metrics
        self._attempts = Attempts()

    @property
    def _asked(self) -> ClusterPeople:
        if self._people is None:
            raise ClusterUnavailableError("this collector knows no API server")
        return self._people

    def attempt(self, name: str) -> None:
        """Somebody of that name tries to decide. Raises TooManyAttemptsError if they do so too often."""
        if not self._attempts.one_more(name.casefold(), time.monotonic()):
            raise TooManyAttemptsError("too many attempts to decide; wait a minute")

    async def look(self, token: str, namespace: str, name: str, also: Collection[str] = ()) -> Seen:
        """The request, and whoever has the token, who may stand in it by the names `also` too.

        Raises NotPossibleError, which says why not; TokenNotTaken.
        """
        try:
            # One after the other: a token that is not known is shown once.
            who = await self._asked.approver(token)
            answer = await self._asked.api.call(token, "GET", _path(namespace, name))
        except ApiServerUnavailable as error:
            raise _unavailable(error) from None
        found = _read(answer, namespace)
        others = frozenset(also) - {who.name}
        return Seen(found, replace(who, also=who.also | others))

    def ready(self, seen: Seen, uid: str, decision: Decision, comment: str, lasts: str = "") -> Ready:
        """The decision, of the object that its page showed. Raises NotPossibleError."""
        words = checked(comment, decision)
        request = seen.found.request
        if request.metadata.uid != uid:
            raise NotPossibleError(f"the request {request.name} is another one than you saw; look at it again")
        try:
            return Ready(seen, decided(request, seen.approver, decision, words, seen.found.now, lasts))
        except NotAllowedError:
            self._metrics.decided.labels("refused").inc()
            raise

    async def write(self, token: str, ready: Ready) -> None:
        """The decision, by the approver's own hand. Raises NotPossibleError, which says why not; TokenNotTaken."""
        found = ready.seen.found
        namespace, name = found.request.namespace, found.request.name
        body = kubernetes_request.patch(found, kubernetes_request.decision(ready.status))
        about = {"namespace": namespace, "request": name, "by": ready.seen.approver.name}
        try:
            answer = await self._asked.api.call(token, "PATCH", f"{_path(namespace, name)}/status", body)
        except ApiServerUnavailable as error:
            _log.warning("a decision was not taken by the API server", why=str(error), **about)
            if error.sent:
                raise OutcomeUnknownError(
                    f"the API server was told, and {error}; whether it took the decision is not known. Look at it again"
                ) from None
            raise _unavailable(error) from None
        if answer.status >= 300:
            refused = _refusal(answer, namespace, "decide requests")
            _log.warning("a decision was refused by the API server", why=str(refused), **about)
            self._metrics.decided.labels("refused").inc()
            raise refused
        self._metrics.decided.labels(ready.status.decision or "").inc()
        _log.info("request on the cluster decided", decision=ready.status.decision, **about)


def _path(namespace: str, name: str) -> str:
    return f"{GROUP}/namespaces/{quote(namespace, safe='')}/accessrequests/{quote(name, safe='')}"


def _read(answer: Answer, namespace: str) -> Found:
    if answer.status >= 300:
        raise _refusal(answer, namespace, "see requests")
    found = kubernetes_request.read(answer.body, answer.now)
    if found is None:
        raise NotPossibleError("the request is not of a version that this collector knows")
    return found


def _refusal(answer: Answer, namespace: str, what: str) -> NotPossibleError:
    if answer.status == 404:
        return UnknownRequestError("there is no such request on the cluster, or no longer")
    if answer.status == 403 and not kubernetes_request.by_policy(answer.body):
        return NotAllowedError(
            f"the API server lets you not {what} in the namespace {namespace}; "
            "have the ClusterRole penstock-approver bound to a group of yours there"
        )
    kind = NotAllowedError if answer.status == 403 else NotPossibleError
    return kind(kubernetes_request.refusal(answer.status, answer.body))


def _unavailable(error: ApiServerUnavailable) -> ClusterUnavailableError:
    return ClusterUnavailableError(f"the API server can't be asked: {error}; try again")
