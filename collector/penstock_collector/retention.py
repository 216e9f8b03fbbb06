"""Keeping the trail within its days and its size: when something is dropped, and how long ingest comes first meanwhile.

What doesn't belong: dropping itself (`store/retention.py`).
"""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import Callable
from functools import partial

import structlog

from penstock_collector.approvals.holder import Holder
from penstock_collector.settings import CollectorSettings
from penstock_collector.store import alarms, holds, readings, retention, room
from penstock_collector.store.alarms import OWN, Alarm
from penstock_collector.store.room import Room
from penstock_collector.store.writer import Writer

_log = structlog.get_logger(__name__)

_DAY = 86_400.0
_DAYS_EVERY_SECONDS = 600.0
# Between two portions, others have the store for twice as long: a portion has its commit, too.
PAUSE_SECONDS = 2 * retention.BUDGET_SECONDS
# What is too much goes in slices of what is there, the oldest first, until so much less is left.
_SLICES = 48
_ROOM_MADE = 0.02
# Who has looked at the alarm hears of it again after this.
_AGAIN_SECONDS = 7 * _DAY


def place_of(connection: sqlite3.Connection, settings: CollectorSettings, now: float) -> Room:
    """How much room the trail has, within what retention lets it have. Raises OSError."""
    most = room.most_bytes(settings.database, settings.size_kept)
    return room.measure(connection, settings.database, now, most, by_size_alone=settings.days_kept is None)


class Retention:
    """Looks from time to time, and drops in portions."""

    def __init__(
        self, settings: CollectorSettings, writer: Writer, holder: Holder, clock: Callable[[], float] = time.time
    ) -> None:
        self._settings = settings
        self._writer = writer
        self._holder = holder
        self._clock = clock
        self._next_days = float("-inf")

    async def look(self) -> None:
        """Drop what is too old, if it is time to, and what is too much. Raises StoreError, OSError."""
        if time.monotonic() >= self._next_days:
            await self._by_days()
            self._next_days = time.monotonic() + _DAYS_EVERY_SECONDS
        await self._by_size()
        more = True
        while more:
            more = await self._writer.run(retention.shrink)
            await asyncio.sleep(PAUSE_SECONDS)

    async def _by_days(self) -> None:
        days, now = self._settings.days_kept, self._clock()
        held = await self._writer.run(holds.standing)
        # Requests name their database in their text alone, so any hold keeps all of them.
        if ended := await self._holder.dispose(None if held else days):
            _log.info("deleted what ended requests held", requests=ended, days=days)
        if days is None:
            return
        cutoff = now - days * _DAY
        if dropped := await self._drop(cutoff, f"older than {days} days"):
            _log.info("dropped events older than the retention", events=dropped, days=days)
        # Who set a hold, and what was read while it stands, stays with it.
        cutoff = min([cutoff, *(hold.set_at for hold in held), *(0.0 for hold in held if hold.by_time)])
        while deleted := await self._writer.run(lambda connection: readings.dispose(connection, cutoff, now)):
            _log.info("deleted readings older than the retention", readings=deleted, days=days)
            await asyncio.sleep(PAUSE_SECONDS)

    async def _by_size(self) -> None:
        most = room.most_bytes(self._settings.database, self._settings.size_kept)
        used, oldest = await self._writer.run(
            lambda connection: (room.used_bytes(connection), retention.oldest(connection))
        )
        if most is None or used <= most or oldest is None:
            return
        now = self._clock()
        enough = int(most * (1 - _ROOM_MADE))
        dropped, cutoff = 0, oldest
        for part in range(1, _SLICES + 1):
            cutoff = oldest + (now - oldest) * part / _SLICES
            dropped += await self._drop(cutoff, f"more than {most} bytes", enough)
            if await self._writer.run(room.used_bytes) <= enough:
                break
        # Where nothing may go, there is nothing to tell but the alarm of the disk.
        if dropped:
            _log.info("dropped the oldest events for want of room", events=dropped, most=most)
            await self._tell(cutoff, now)

    async def _tell(self, cutoff: float, now: float) -> None:
        """Events went before their days were over."""
        days = self._settings.days_kept
        if days is None or cutoff <= now - days * _DAY:
            return
        kept = f"{(now - cutoff) / _DAY:.1f} days of the trail fit, and not the {days} that are to be kept"
        detail = f"{kept}: the oldest events were dropped"

        def sound(connection: sqlite3.Connection) -> None:
            if not alarms.acknowledged_since(connection, OWN, Alarm.DROPPED, now - _AGAIN_SECONDS):
                alarms.sound(connection, OWN, Alarm.DROPPED, 0, detail, now)

        await self._writer.run(sound)

    async def _drop(self, cutoff: float, why: str, enough: int = -1) -> int:
        """Drop what arrived before then, until no more than `enough` bytes are used; how many events."""
        dropped, after = 0, 0
        while True:
            portion = await self._writer.run(
                partial(retention.drop, cutoff=cutoff, after=after, now=self._clock(), why=why)
            )
            dropped += portion.events
            if portion.after is None or portion.used <= enough:
                return dropped
            after = portion.after
            await asyncio.sleep(PAUSE_SECONDS)
