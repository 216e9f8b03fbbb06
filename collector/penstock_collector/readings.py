"""Recording who reads what: durable before the answer is given, several together in one commit.

What doesn't belong: how it is sealed (`store/readings.py`), which paths are readings (`web/app.py`).
"""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import Callable, Mapping
from contextvars import Context
from dataclasses import dataclass, field
from functools import partial

import structlog

from penstock_collector.auth.viewer import Viewer
from penstock_collector.metrics import CollectorMetrics
from penstock_collector.store import readings
from penstock_collector.store.database import StoreError
from penstock_collector.store.writer import Busy, Writer
from penstock_core.audit.event import Event

_log = structlog.get_logger(__name__)

# So many may wait for the disk.
_MOST_WAITING = 500
_MOST_AT_ONCE = 200
_LONGEST_VALUE = 500
_MOST_VALUES = 20
# Of failed attempts to sign in, so many are recorded in a minute; of the others, how many they were.
_FAILURES_A_MINUTE = 60


@dataclass(frozen=True, slots=True)
class Reading:
    """Somebody did something here."""

    action: str
    by: Viewer | None = None
    # From where: the address of the other end.
    address: str = ""
    # A path, or the name of what it was about.
    what: str = ""
    filters: Mapping[str, str] = field(default_factory=dict)
    # What became of it, where that does not go without saying.
    result: str = ""
    reason: str = ""

    def body(self) -> Event:
        """For the chain; whatever a stranger can make long is cut."""
        filters = {_cut(name): _cut(value) for name, value in list(self.filters.items())[:_MOST_VALUES] if value}
        texts = {
            "session": self.by.session if self.by is not None else "",
            "what": _cut(self.what),
            "result": self.result,
            "reason": _cut(self.reason),
        }
        return {
            "kind": "reading",
            "action": self.action,
            **({"by": self.by.document()} if self.by is not None else {}),
            **({"client": {"addr": self.address}} if self.address else {}),
            # A list, since keys of events are ASCII.
            **({"filters": [{"name": name, "value": value} for name, value in filters.items()]} if filters else {}),
            **{name: value for name, value in texts.items() if value},
        }


def _cut(text: str) -> str:
    clean = text.encode(errors="replace").decode()
    return clean if len(clean) <= _LONGEST_VALUE else clean[: _LONGEST_VALUE - 1] + "…"


class Readings:
    """Records readings in the store."""

    def __init__(self, writer: Writer, metrics: CollectorMetrics, clock: Callable[[], float] = time.time) -> None:
        self._writer = writer
        self._metrics = metrics
        self._clock = clock
        self._waiting: list[tuple[Event, asyncio.Future[None]]] = []
        self._writing: asyncio.Task[None] | None = None
        # Failures of the minute that runs, and those of it that were left out.
        self._minute, self._failures, self._left_out = 0, 0, 0

    async def record(self, reading: Reading) -> None:
        """Return once it is on the disk. Raises StoreError: then nothing may be given."""
        if len(self._waiting) >= _MOST_WAITING:
            raise Busy("too many readings wait to be recorded")
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((reading.body(), future))
        if self._writing is None:
            # For all who wait, and so on behalf of none of them.
            self._writing = asyncio.create_task(self._write(), name="readings", context=Context())
        await future
        self._metrics.readings.labels(reading.action).inc()

    async def failure(self, reading: Reading) -> None:
        """An attempt that failed, by whoever it was: a flood of these fills no disk. Raises StoreError."""
        minute = int(self._clock() // 60)
        if minute != self._minute:
            self._minute, self._failures = minute, 0
        self._failures += 1
        if self._failures > _FAILURES_A_MINUTE:
            self._left_out += 1
            return
        left_out, self._left_out = self._left_out, 0
        more = {"leftOut": str(left_out)} if left_out else {}
        await self.record(
            Reading(
                reading.action, reading.by, reading.address, reading.what, {**reading.filters, **more}, reading.result,
                reading.reason,
            )
        )  # fmt: skip

    def seal(self, connection: sqlite3.Connection, reading: Reading) -> None:
        """Record it within a transaction of the writer's, together with what it tells of."""
        self._metrics.readings.labels(reading.action).inc()
        readings.append(connection, [reading.body()], self._clock())

    async def _write(self) -> None:
        try:
            while self._waiting:
                batch, self._waiting = self._waiting[:_MOST_AT_ONCE], self._waiting[_MOST_AT_ONCE:]
                bodies = [body for body, _ in batch]
                problem: StoreError | None = None
                try:
                    await self._writer.run(partial(readings.append, bodies=bodies, now=self._clock()))
                except StoreError as error:
                    _log.error("readings can't be recorded, and so are not given", why=str(error))
                    problem = error
                except Exception as error:
                    _log.exception("readings can't be recorded, and so are not given")
                    problem = StoreError(f"a reading can't be recorded ({type(error).__name__})")
                for _, future in batch:
                    if future.done():
                        continue
                    if problem is None:
                        future.set_result(None)
                    else:
                        future.set_exception(StoreError(str(problem)))
        finally:
            self._writing = None
