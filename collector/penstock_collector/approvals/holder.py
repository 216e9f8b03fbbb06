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
from penstock_collector.approvals.notices import Notice, Notices
from penstock_collector.approvals.polls import Polls
from penstock_collector.bell import Bell
from penstock_collector.metrics import CollectorMetrics
from penstock_collector.store import requests
from penstock_collector.store.database import Readers
from penstock_collector.store.requests import Changes, Kept
from penstock_collector.store.writer import Writer
from penstock_core.approvals.asking import Answered, Asking
from penstock_core.approvals.four_eyes import Approver
from penstock_core.approvals.standing import Decision, NotAllowedError, NotPossibleError
from penstock_core.resources.access_request import AccessRequest
from penstock_core.token_review import Pod

_log = structlog.get_logger(__name__)

LONGEST_POLL_SECONDS = 30.0
PING_SECONDS = 15.0
MOST_FOLLOWERS = 200
# Between two reads of a follower, so that a flood arrives in portions.
_PORTION_SECONDS = 0.1


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
        if self.pod is None:
            return workload.namespace if workload is not None else "default"
        proven = (self.pod.namespace, self.pod.service_account)
        if workload is None or (workload.namespace, workload.service_account) != proven:
            raise NotItsOwnError(
                f"the token proves a pod of {'/'.join(proven)}, and the request is of another workload"
            )
        return self.pod.namespace


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
        self._bell = Bell()
        self._polls = Polls()
        self._attempts = Attempts()
        self._stopping = False
        self.followers = 0
        # Set by tests whose clock is another.
        self.clock: Callable[[], float] = time.time

    async def ask(self, book: Book, asking: Asking) -> Answered:
        """May this statement run now? Raises NotItsOwnError, StoreError."""
        namespace = book.namespace(asking)
        asked = await self._writer.run(
            lambda connection: requests.ask(connection, book.name, namespace, asking, self._url, self.clock())
        )
        self._metrics.asked.labels(asked.step).inc()
        if asked.step == "refused":
            _log.warning("request refused", book=book.name, why=asked.answered.comment)
        if asked.kept is not None and asked.step in ("made", "used"):
            _log.info(f"request {asked.step}", **particulars(asked.kept.request))
            self._changed(asked.kept.name)
        if asked.kept is not None and asked.step == "made":
            self._notices.tell(Notice.of("request.made", asked.kept, self._url))
        return asked.answered

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
                if answered is None or answered.standing != "waiting" or left <= 0 or self._stopping:
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
        record: Callable[[sqlite3.Connection, str], None] = lambda _connection, _objection: None,
    ) -> Kept:
        """A person decides; what comes of it is recorded in the same transaction, with the objection if it is refused.

        Raises NotPossibleError, whose text says why not, and StoreError.
        """
        words = checked(comment, decision)
        who = {"request": name, "by": approver.name, "decision": decision}
        if not self._attempts.one_more(approver.name.casefold(), time.monotonic()):
            _log.warning("too many attempts to decide", **who)
            raise TooManyAttemptsError("too many attempts to decide; wait a minute")

        def step(connection: sqlite3.Connection) -> Kept | NotPossibleError:
            try:
                kept = requests.decide(connection, name, approver, decision, words, self.clock())
            except NotPossibleError as error:
                record(connection, str(error))
                # Not raised in the transaction: that a request was found to have expired has to stay.
                return error
            record(connection, "")
            return kept

        kept = await self._writer.run(step)
        if isinstance(kept, NotPossibleError):
            if isinstance(kept, NotAllowedError):
                self._metrics.decided.labels("refused").inc()
                _log.warning("attempt to decide refused", why=str(kept), **who)
            else:
                _log.info("nothing to decide", why=str(kept), **who)
            raise kept
        self._metrics.decided.labels(decision).inc()
        _log.info("request decided", by=approver.name, decision=decision, **particulars(kept.request))
        self._changed(kept.name)
        self._notices.tell(Notice.of("request.decided", kept, self._url))
        return kept

    async def keep_time(self) -> None:
        """Keep down what has expired, and tell the second list of what has waited too long. Raises StoreError."""
        expired = await self._writer.run(lambda connection: requests.settle(connection, self.clock()))
        for name in expired:
            _log.info("request expired", request=name)
            self._changed(name)
        after = self._notices.escalate_after
        if after is not None:
            late = await self._writer.run(lambda connection: requests.overdue(connection, after, self.clock()))
            for kept in late:
                self._notices.tell(Notice.of("request.escalated", kept, self._url))

    async def dispose(self, days: int | None) -> int:
        """Delete what is too old or too much; how many. Raises StoreError."""
        total = 0
        while gone := await self._writer.run(lambda connection: requests.dispose(connection, days, self.clock())):
            total += gone
        return total

    async def follow(
        self, after: int, allowed: Callable[[], bool], ping: float = PING_SECONDS
    ) -> AsyncGenerator[Changes | None]:
        """What changes behind a cursor; None every so often while nothing does. Raises StoreError."""
        self.followers += 1
        try:
            while not self._stopping and allowed():
                turn = self._bell.turn()
                found = await self._readers.run(partial(requests.changes, after=after))
                after = found.cursor
                if found.requests:
                    yield found
                    await asyncio.sleep(_PORTION_SECONDS)
                elif not await turn.passed(ping):
                    yield None
        finally:
            self.followers -= 1

    def ring(self) -> None:
        """Those who follow look whether they still may."""
        self._bell.ring()

    def stop(self) -> None:
        """Let go of all that wait, since they would hold up the end of the program."""
        self._stopping = True
        self._bell.ring()
        self._polls.wake_all()

    def _changed(self, name: str) -> None:
        self._polls.wake(name)
        self._bell.ring()


def particulars(request: AccessRequest) -> dict[str, object]:
    """A request in a line of the log: never its text, which holds values."""
    spec = request.spec
    return {
        "request": request.name,
        "namespace": request.metadata.namespace,
        "database": spec.database_ref.name,
        "policy": spec.held_by.policy,
        "approval": spec.held_by.approval,
        "verbs": list(spec.effect.verbs),
        "tables": list(spec.effect.tables)[:20],
    }
