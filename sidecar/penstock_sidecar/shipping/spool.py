"""The spool: audit events become durable here before their statements run, and wait here for the collector.

`append` costs the event loop next to nothing: one thread seals, writes and syncs all that is waiting at once (group
commit), and wakes the loop once a group. What nobody waits for is written at once, so that it outlives the process,
and synced within SYNC_SECONDS. What doesn't belong: the files (`log.py`), bringing events to the collector
(`shipper.py`, in another process).
"""

from __future__ import annotations

import asyncio
import os
import queue
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TypeAlias

import structlog

from penstock_core.audit.chain import Head
from penstock_core.audit.event import Event
from penstock_sidecar.shipping.errors import EventRefused, SpoolBroken, SpoolError, SpoolFull
from penstock_sidecar.shipping.log import SpoolLog
from penstock_sidecar.shipping.opening import OpenedSpool, open_spool
from penstock_sidecar.shipping.sealing import Entry
from penstock_sidecar.shipping.spool_view import StreamView
from penstock_sidecar.shipping.stored_stream import StreamState

__all__ = [
    "HEARTBEAT_SECONDS",
    "Append",
    "Clock",
    "EventRefused",
    "Spool",
    "SpoolBroken",
    "SpoolError",
    "SpoolFull",
    "StreamState",
    "Told",
]

_log = structlog.get_logger(__name__)

Clock: TypeAlias = Callable[[], datetime]

HEARTBEAT_SECONDS = 30.0
# What a machine may lose that stops at once, of what nobody waited for.
SYNC_SECONDS = 0.25
# A write takes at most so many appends, so that the first of them does not wait for a flood.
_GROUP = 1024
# Appends that wait in memory for a disk that does not keep up; beyond, they fail at once.
_MOST_WAITING = 20_000


def utc_now() -> datetime:
    """The clock of every spool that is not under test."""
    return datetime.now(UTC)


# Called on the loop with why bodies could not be recorded; None where they were.
Told: TypeAlias = Callable[[SpoolError | None], object]


@dataclass(frozen=True, slots=True)
class Append:
    """Bodies that are the stream's next events, all or none."""

    bodies: Sequence[Event]
    told: Told
    # Whether somebody waits until they are durable; else it is told of when they are written.
    awaited: bool = True


@dataclass(frozen=True, slots=True)
class _Taken:
    """An append that waits for the writer, and the loop that it is told on."""

    entry: Entry
    told: Told
    loop: asyncio.AbstractEventLoop


@dataclass(frozen=True, slots=True)
class _Acknowledge:
    stream: str
    seq: int


@dataclass(frozen=True, slots=True)
class _Stop:
    pass


@dataclass(slots=True)
class _Group:
    """The jobs that are done at once."""

    appends: list[_Taken] = field(default_factory=list)
    acknowledged: dict[str, int] = field(default_factory=dict)
    stop: bool = False


class Spool:
    """One stream of events of this process, and what earlier processes left unshipped in the same file."""

    def __init__(self, opened: OpenedSpool, max_bytes: int, clock: Clock, heartbeat: float) -> None:
        self._log: SpoolLog = opened.log
        self._lock = opened.lock
        self._losses: list[Event] = opened.losses
        self._clock = clock
        self._heartbeat = heartbeat
        self._jobs: queue.SimpleQueue[list[_Taken] | _Acknowledge | _Stop] = queue.SimpleQueue()
        self._waiting = 0
        self._refusal: SpoolError | None = None
        self._closed = False
        self._listener: tuple[asyncio.AbstractEventLoop, Callable[[], None]] | None = None
        self.max_bytes = max_bytes
        # Copied after each commit, so that readers on the loop see one consistent state.
        self._streams = self._log.streams()
        self._bytes = self._log.used
        self._thread = threading.Thread(target=self._write, name="penstock-spool", daemon=True)
        self._thread.start()

    @classmethod
    def open(
        cls,
        path: Path,
        stream: str,
        max_bytes: int,
        clock: Clock = utc_now,
        *,
        heartbeat: float = HEARTBEAT_SECONDS,
    ) -> Spool:
        """Open or make the directory and begin `stream`, whose first append should be its `open` event.

        Streams that an earlier process left unfinished get their missing outcomes (`unknown`) and a close. What is
        damaged is kept aside and told of by a `loss` event. Raises SpoolBroken and SpoolFull with one line.
        """
        opened = open_spool(path, stream, max_bytes, clock())
        for loss in opened.losses:
            _log.error("events of the audit spool are not shipped", cause=loss["cause"])
        return cls(opened, max_bytes, clock, heartbeat)

    def append(self, bodies: Sequence[Event]) -> asyncio.Future[None]:
        """Record bodies as the stream's next events, all or none; the future is done when they are durable.

        Call it on the event loop, and leave the bodies as they are from then on. The future fails with SpoolFull or
        SpoolBroken.
        """
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        # Whoever does not wait for it must not get "exception was never retrieved"; the spool logs refusals.
        future.add_done_callback(_retrieve)
        self.append_each([Append(bodies, partial(_finish, future))])
        return future

    def append_each(self, appends: Sequence[Append]) -> None:
        """Several appends, for one waking of the writer; each is told of later on the running loop."""
        loop = asyncio.get_running_loop()
        refusal: SpoolError | None = None
        if self._closed:
            refusal = SpoolBroken("audit spool is closed")
        elif isinstance(self._refusal, SpoolBroken):
            refusal = self._refusal
        elif self._waiting >= _MOST_WAITING:
            refusal = SpoolFull(f"audit spool: the disk does not keep up, {self._waiting} appends wait")
        if refusal is not None:
            for append in appends:
                loop.call_soon(append.told, refusal)
            return
        now = self._clock()
        self._waiting += len(appends)
        self._jobs.put([_Taken(Entry(one.bodies, now, one.awaited), one.told, loop) for one in appends])

    def acknowledge(self, seq: int, stream: str | None = None) -> None:
        """The collector has the stream (the current one by default) up to `seq`: drop those events soon."""
        self._jobs.put(_Acknowledge(stream or self.head.stream, seq))

    def view(self) -> tuple[StreamView, ...]:
        """What there is to ship, oldest stream first, and in which files."""
        return self._log.views()

    def streams(self) -> tuple[StreamState, ...]:
        """All streams with something to ship, oldest first, and the current one."""
        return self._streams

    @property
    def head(self) -> Head:
        """Where the current stream stands on the disk."""
        return self._streams[-1].head

    @property
    def depth(self) -> int:
        """How many durable events the collector has not acknowledged, of all streams."""
        return sum(state.depth for state in self._streams)

    @property
    def bytes(self) -> int:
        """How many bytes of events wait, of `max_bytes`."""
        return self._bytes

    @property
    def refusal(self) -> SpoolError | None:
        """Why the last append was refused, or None while all is well: for health and metrics."""
        return self._refusal

    def on_commit(self, listener: Callable[[], None]) -> None:
        """Call `listener` on the running loop after each commit."""
        self._listener = (asyncio.get_running_loop(), listener)

    def close(self) -> None:
        """Write what was appended, and close the file. Append a `close` event first to end the stream."""
        if self._closed:
            return
        self._closed = True
        self._jobs.put(_Stop())
        self._thread.join()
        self._log.close()
        os.close(self._lock)

    # What follows runs in the writer thread.

    def _write(self) -> None:
        last_event = time.monotonic()
        synced = time.monotonic()
        while True:
            wanted = last_event + self._heartbeat
            if self._log.dirty:
                wanted = min(wanted, synced + SYNC_SECONDS)
            group = self._next_group(wanted - time.monotonic())
            now = time.monotonic()
            if group.appends or (not group.acknowledged and not group.stop and now >= last_event + self._heartbeat):
                last_event = now
            self._commit(group, sync=group.stop or now >= synced + SYNC_SECONDS, idle=last_event == now)
            if not self._log.dirty:
                synced = now
            if group.stop:
                return

    def _next_group(self, patience: float) -> _Group:
        """Everything that is waiting now; nothing at all once `patience` seconds went by."""
        group = _Group()
        try:
            job = self._jobs.get(timeout=max(0.0, patience))
            while True:
                match job:
                    case list():
                        group.appends += job
                    case _Acknowledge(stream, seq):
                        group.acknowledged[stream] = max(seq, group.acknowledged.get(stream, 0))
                    case _Stop():
                        group.stop = True
                if group.stop or len(group.appends) >= _GROUP:
                    return group
                job = self._jobs.get_nowait()
        except queue.Empty:
            return group

    def _commit(self, group: _Group, *, sync: bool, idle: bool) -> None:
        entries = [append.entry for append in group.appends]
        telling_loss = bool(entries) and bool(self._losses)
        if telling_loss:
            entries[0] = self._with_losses(entries[0])
        elif idle and self._is_idle(group):
            entries = [Entry([{"kind": "heartbeat"}], self._clock())]
        results = self._commit_entries(entries, group.acknowledged, sync=sync)
        if telling_loss and results[0] is None:
            self._losses = []
        self._note(entries, results, freed=bool(group.acknowledged) and self._log.has_room)
        self._streams = self._log.streams()
        self._bytes = self._log.used
        self._settle(group.appends, results[: len(group.appends)])

    def _commit_entries(
        self, entries: Sequence[Entry], acknowledged: dict[str, int], *, sync: bool
    ) -> list[SpoolError | None]:
        if isinstance(self._refusal, SpoolBroken):
            return [self._refusal] * len(entries)
        try:
            if acknowledged:
                self._log.acknowledge(acknowledged)
            results = self._log.commit(entries)
            if sync:
                self._log.sync()
            return results
        except SpoolError as error:
            if not entries:
                self._refuse(error)
            return [error] * len(entries)
        except Exception as error:
            # A fault of ours must not leave statements waiting forever for a thread that is gone.
            _log.exception("audit spool failed")
            return [SpoolBroken(f"audit spool failed: {error}")] * len(entries)

    def _is_idle(self, group: _Group) -> bool:
        state = self._log.current
        return not (group.appends or group.acknowledged or group.stop or state.closed) and state.head.seq > 0

    def _with_losses(self, entry: Entry) -> Entry:
        """The stream's first entry, telling right after its `open` event what was kept aside."""
        opening = [body for body in entry.bodies[:1] if body.get("kind") == "open"]
        return Entry([*opening, *self._losses, *entry.bodies[len(opening) :]], entry.when)

    def _note(self, entries: Sequence[Entry], results: Sequence[SpoolError | None], *, freed: bool) -> None:
        """Keep why appends are refused, and log when that begins and ends.

        `freed`: the collector took events and there is room again. It ends a refusal by itself, because whoever looks
        at `refusal` first appends nothing that could.
        """
        refusal = next((one for one in results if isinstance(one, SpoolFull | SpoolBroken)), None)
        if refusal is None:
            # That an outcome found its reserved room does not mean that there is room for new statements.
            taken = any(result is None and not entry.only_ends for entry, result in zip(entries, results, strict=True))
            if (taken or freed) and isinstance(self._refusal, SpoolFull):
                _log.info("audit spool takes events again")
                self._refusal = None
            return
        self._refuse(refusal)

    def _refuse(self, refusal: SpoolError) -> None:
        if type(refusal) is not type(self._refusal):
            _log.error(str(refusal))
        self._refusal = refusal

    def _settle(self, appends: Sequence[_Taken], results: Sequence[SpoolError | None]) -> None:
        """Hand results to the loops that wait for them, waking each once."""
        by_loop: dict[asyncio.AbstractEventLoop, list[tuple[Told, SpoolError | None]]] = {}
        for append, result in zip(appends, results, strict=True):
            by_loop.setdefault(append.loop, []).append((append.told, result))
        if self._listener is not None:
            by_loop.setdefault(self._listener[0], [])
        for loop, settled in by_loop.items():
            try:
                loop.call_soon_threadsafe(self._deliver, loop, settled)
            except RuntimeError:
                continue  # That loop is closed: nobody waits there any more.

    def _deliver(self, loop: asyncio.AbstractEventLoop, settled: Sequence[tuple[Told, SpoolError | None]]) -> None:
        """On the loop: tell those who wait, all of them whatever one of them does."""
        self._waiting -= len(settled)
        for told, error in settled:
            try:
                told(error)
            except Exception as fault:
                loop.call_exception_handler({"message": "who waits for the audit spool failed", "exception": fault})
        if self._listener is not None and self._listener[0] is loop:
            self._listener[1]()


def _finish(future: asyncio.Future[None], error: SpoolError | None) -> None:
    if future.done():
        return
    if error is None:
        future.set_result(None)
    else:
        future.set_exception(error)


def _retrieve(future: asyncio.Future[None]) -> None:
    if not future.cancelled():
        future.exception()
