"""The holder of requests: each step on the one writer, and afterwards those told who wait for it.

What doesn't belong: SQL (`store/requests.py`), who asks (`auth/`), HTTP (`web/`).
"""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass
from functools import partial

import structlog

from penstock_collector.approvals.attempts import Attempts
from penstock_collector.approvals.comment import checked
from penstock_collector.approvals.notices import Event as NoticeEvent
from penstock_collector.approvals.notices import Notice, Notices
from penstock_collector.approvals.polls import Polls
from penstock_collector.bell import Bell
from penstock_collector.metrics import CollectorMetrics
from penstock_collector.store import request_retention, requests
from penstock_collector.store.readers import Readers
from penstock_collector.store.requests import Changes, Kept
from penstock_collector.store.waiting_parties import WaitingParties
from penstock_collector.store.writer import Writer
from penstock_core.approvals.asking import Answered, Asking
from penstock_core.approvals.four_eyes import Approver
from penstock_core.approvals.standing import Decision, NotAllowedError, NotPossibleError
from penstock_core.resources.access_request import AccessRequest, Requester
from penstock_core.token_review import Pod

_log = structlog.get_logger(__name__)

LONGEST_POLL_SECONDS = 30.0
PING_SECONDS = 15.0
# Between two reads of a follower, so that a flood arrives in portions.
_PORTION_SECONDS = 0.1

# Records what a person did, with the objection if it is refused, in the transaction that did it.
Record = Callable[[sqlite3.Connection, str], None]


def unrecorded(_connection: sqlite3.Connection, _objection: str) -> None:
    """For steps that nobody reads of."""


class NotItsOwnError(NotPossibleError):
    """A pod asks in the name of another."""


class TooManyAttemptsError(NotPossibleError):
    """This person has tried to decide too often of late."""


@dataclass(frozen=True, slots=True)
class Book:
    """Whose requests they are: those of one service account's pods, or of one stand-alone gate."""

    name: str
    pod: Pod | None = None

    @classmethod
    def of(cls, owner: str, pod: Pod | None) -> Book:
        """By what the token proved; a pod's replicas have one book, since a retry may come from another of them."""
        return cls(f"gate {owner}") if pod is None else cls(f"pods {pod.namespace}/{pod.service_account}", pod)

    def namespace(self, asking: Asking) -> str:
        """Where the request belongs. Raises NotItsOwnError if it is not about the pod that asks."""
        workload = asking.requester.workload
        self.checked(asking.requester)
        if self.pod is None:
            return workload.namespace if workload is not None else "default"
        return self.pod.namespace

    def checked(self, requester: Requester) -> None:
        """Raises NotItsOwnError if a pod asks in the name of another."""
        if self.pod is None:
            return
        workload, proven = requester.workload, (self.pod.namespace, self.pod.service_account)
        if workload is None or (workload.namespace, workload.service_account) != proven:
            raise NotItsOwnError(
                f"the token proves a pod of {'/'.join(proven)}, and the request is of another workload"
            )


class Holder:
    """Holds the requests of one collector."""

    def __init__(
        self, writer: Writer, readers: Readers, metrics: CollectorMetrics, notices: Notices, url: str = ""
    ) -> None:
        self._writer = writer
        self._readers = readers
        self._metrics = metrics
        self._notices = notices
        self._url = url
        self.bell = Bell()
        self._polls = Polls()
        # Used on the writer's thread alone.
        self.parties = WaitingParties()
        self._attempts = Attempts()
        self.stopping = False
        # Set by tests whose clock is another.
        self.clock: Callable[[], float] = time.time

    async def ask(self, book: Book, asking: Asking) -> Answered:
        """May this statement run now? Raises NotItsOwnError, StoreError."""
        namespace = book.namespace(asking)

        def step(connection: sqlite3.Connection) -> tuple[requests.Asked, list[Notice]]:
            asked = requests.ask(connection, book.name, namespace, asking, self._url, self.clock(), self.parties)
            made = [one.kept for one in asked.each or (asked,) if one.step == "made" and one.kept is not None]
            return asked, [self.noted(connection, "request.made", one) for one in made]

        asked, notices = await self._writer.run(step)
        for one in asked.each or (asked,):
            self._metrics.asked.labels(one.step).inc()
            if one.step == "refused":
                _log.warning("request refused", book=book.name, why=one.answered.comment)
            if one.kept is not None and one.step in ("made", "used"):
                _log.info(f"request {one.step}", **particulars(one.kept.request))
                self.changed(one.kept.name)
        for notice in notices:
            self._notices.tell(notice)
        return asked.answered

    def noted(self, connection: sqlite3.Connection, event: NoticeEvent, kept: Kept) -> Notice:
        """What people are to be told, kept with what it tells of."""
        return self._notices.keep(connection, Notice.of(event, kept, self._url))

    async def look(self, book: Book, name: str, wait: float) -> Answered | None:
        """What has become of a request of this book, None if it has no such; once it is decided, or after `wait`.

        Nothing is used up. Raises StoreError, TooManyPollsError.
        """
        if wait <= 0:
            return await self._look(book, name)
        deadline = time.monotonic() + min(wait, LONGEST_POLL_SECONDS)
        with self._polls.waiting(book.name, name) as poll:
            while True:
                poll.begin()
                answered = await self._look(book, name)
                left = deadline - time.monotonic()
                if answered is None or answered.standing != "waiting" or left <= 0 or self.stopping:
                    return answered
                await poll.news(left)

    async def _look(self, book: Book, name: str) -> Answered | None:
        kept = await self._readers.run(partial(requests.find, name=name, book=book.name))
        return None if kept is None else requests.told(kept, self._url)

    async def decide(
        self,
        name: str,
        approver: Approver,
        decision: Decision,
        comment: str,
        lasts: str = "",
        record: Record = unrecorded,
    ) -> Kept:
        """A person decides, of access for how long. Raises NotPossibleError, whose text says why not; StoreError."""
        words = checked(comment, decision)
        kept = await self.step(
            name, approver, decision, "request.decided",
            lambda connection: requests.decide(connection, name, approver, decision, words, self.clock(), lasts),
            record,
        )  # fmt: skip
        _log.info("request decided", by=approver.name, decision=decision, **particulars(kept.request))
        return kept

    async def step(
        self,
        name: str,
        who: Approver,
        what: str,
        event: NoticeEvent | None,
        taken: Callable[[sqlite3.Connection], Kept],
        record: Record = unrecorded,
    ) -> Kept:
        """A person takes a step, told by that notice and recorded in the same transaction.

        Raises NotPossibleError, which says why not, and StoreError.
        """
        about = {"request": name, "by": who.name, "decision": what}
        if not self._attempts.one_more(who.name.casefold(), time.monotonic()):
            _log.warning("too many attempts to decide", **about)
            raise TooManyAttemptsError("too many attempts to decide; wait a minute")

        def step(connection: sqlite3.Connection) -> tuple[Kept | NotPossibleError, Notice | None]:
            try:
                kept = taken(connection)
            except NotPossibleError as error:
                record(connection, str(error))
                # Not raised in the transaction: that a request was found to have expired has to stay.
                return error, None
            record(connection, "")
            return kept, None if event is None else self.noted(connection, event, kept)

        kept, notice = await self._writer.run(step)
        if notice is not None:
            self._notices.tell(notice)
        if isinstance(kept, NotPossibleError):
            if isinstance(kept, NotAllowedError):
                self._metrics.decided.labels("refused").inc()
                _log.warning("attempt to decide refused", why=str(kept), **about)
            else:
                _log.info("nothing to decide", why=str(kept), **about)
            raise kept
        self._metrics.decided.labels(what).inc()
        self.changed(kept.name)
        return kept

    async def keep_time(self) -> None:
        """Keep down what is over, and tell the second list of what has waited too long. Raises StoreError."""
        for kept in await self._writer.run(lambda connection: requests.settle(connection, self.clock())):
            _log.info("access ended" if kept.request.spec.access is not None else "request expired", request=kept.name)
            self.changed(kept.name)
        after = self._notices.escalate_after
        if after is not None:
            late = await self._writer.run(
                lambda connection: [
                    self.noted(connection, "request.escalated", kept)
                    for kept in requests.overdue(connection, after, self.clock())
                ]
            )
            for notice in late:
                self._notices.tell(notice)

    async def dispose(self, days: int | None) -> int:
        """Delete what is too old or too much; how many. Raises StoreError."""
        total = 0
        while gone := await self._writer.run(
            lambda connection: request_retention.dispose(connection, days, self.clock())
        ):
            total += gone
        return total

    async def follow(
        self, after: int, allowed: Callable[[], bool], ping: float = PING_SECONDS
    ) -> AsyncGenerator[Changes | None]:
        """What changes behind a cursor; None every so often while nothing does. Raises StoreError."""
        while not self.stopping and allowed():
            turn = self.bell.turn()
            found = await self._readers.run(partial(requests.changes, after=after))
            after = found.cursor
            if found.requests:
                yield found
                await asyncio.sleep(_PORTION_SECONDS)
            elif not await turn.passed(ping):
                yield None

    def ring(self) -> None:
        """Those who follow look whether they still may."""
        self.bell.ring()

    def stop(self) -> None:
        """Let go of all that wait, since they would hold up the end of the program."""
        self.stopping = True
        self.bell.ring()
        self._polls.wake_all()

    def changed(self, name: str) -> None:
        """Tell those who wait for news of the request."""
        self._polls.wake(name)
        self.bell.ring()


def particulars(request: AccessRequest) -> dict[str, object]:
    """A request in a line of the log: never its text, which holds values."""
    spec = request.spec
    return {
        "request": request.name,
        "namespace": request.metadata.namespace,
        "database": spec.database_ref.name,
        "policy": spec.policy,
        "approval": spec.held_by.approval if spec.held_by is not None else "",
        "access": spec.access.duration if spec.access is not None else "",
        "emergency": spec.break_glass is not None,
        "verbs": list(spec.effect.verbs),
        "tables": list(spec.effect.tables)[:20],
    }
