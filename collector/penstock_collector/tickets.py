"""One-time tickets as the gates of one collector have them: each step on the one writer, and what is said of it.

What doesn't belong: SQL (`store/tickets.py`), whose gates they are (`auth/`), HTTP (`web/`).
"""

from __future__ import annotations

import time
from collections.abc import Callable

import structlog

from penstock_collector.metrics import CollectorMetrics
from penstock_collector.store import tickets
from penstock_collector.store.readers import Readers
from penstock_collector.store.writer import Writer
from penstock_core.tickets.ticket import Judged, Made, Proved, Salt, encoded
from penstock_core.tickets.ticket import Kept as KeptUntil
from penstock_core.tickets.verifier import ITERATIONS, salt_of

_log = structlog.get_logger(__name__)


class TooManyTicketsError(Exception):
    """No more tickets are kept for now; the text is one line that says of whom."""


class TakenError(Exception):
    """There is a ticket of that name already."""


class TicketOffice:
    """Keeps the tickets of one collector."""

    def __init__(self, writer: Writer, readers: Readers, metrics: CollectorMetrics) -> None:
        self._writer = writer
        self._readers = readers
        self._metrics = metrics
        self._key = b""
        # Set by tests whose clock is another.
        self.clock: Callable[[], float] = time.time

    async def salt(self, book: str, name: str) -> Salt:
        """With what salt a ticket's secret is proved, whether there is one of that name or not. Raises StoreError."""
        self._key = self._key or await self._readers.run(tickets.salts_key)
        return Salt(salt=encoded(salt_of(f"{book}/{name}", self._key)), iterations=ITERATIONS)

    async def keep(self, book: str, name: str, made: Made) -> KeptUntil:
        """Keep a ticket that a gate made. Raises TooManyTicketsError, TakenError, StoreError."""
        now = self.clock()
        step = await self._writer.run(lambda connection: tickets.keep(connection, book, name, made, now))
        self._metrics.tickets.labels("kept" if step == "kept" else "refused").inc()
        if step == "taken":
            raise TakenError
        if step != "kept":
            whose = "for this person" if step == "too many of the bearer" else "at this gate"
            _log.warning("ticket refused", book=book, why=step)
            raise TooManyTicketsError(f"too many tickets {whose} are open; use one, or wait until they have expired")
        _log.info("ticket kept", book=book, ticket=name, database=made.database, bearer=made.bearer.party.subject)
        return KeptUntil(until_ms=int((now + made.seconds) * 1000))

    async def use(self, book: str, name: str, proved: Proved) -> Judged:
        """Whether a ticket is good for who has proved this; it is used up by that. Raises StoreError."""
        judged = await self._writer.run(lambda connection: tickets.use(connection, book, name, proved, self.clock()))
        self._metrics.tickets.labels("used" if judged.standing == "granted" else judged.standing).inc()
        if judged.standing == "granted":
            _log.info("ticket used", book=book, ticket=name, databases=list(proved.databases))
        elif judged.standing != "wrong":
            # Of wrong ones there may be as many as anybody likes; the gate tells of them now and then.
            _log.warning("ticket not good", book=book, ticket=name, why=judged.standing)
        return judged

    async def keep_time(self) -> None:
        """End what has expired, and forget what ended long ago. Raises StoreError."""
        await self._writer.run(lambda connection: tickets.settle(connection, self.clock()))
