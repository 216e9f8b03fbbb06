"""What tests of the spool share: events, a clock that stands still, and spools on one path."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from tests.core.audit.as_defined import as_defined

from penstock_core.audit.event import Event
from penstock_sidecar.shipping.spool import Append, Spool, SpoolError, SpoolFull

MEGABYTE = 1_000_000


def intent(statement: int, sql: str = "SELECT 1") -> Event:
    return as_defined({"kind": "intent", "session": "s1", "statement": statement, "sql": sql})


def outcome(statement: int) -> Event:
    return {"kind": "outcome", "session": "s1", "statement": statement, "result": "ok", "rows": 1}


def clock() -> datetime:
    return datetime(2026, 11, 25, 9, 0, 0, 5, tzinfo=UTC)


class Opener:
    """Opens spools on one path and closes what a test left open."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.opened: list[Spool] = []

    def __call__(self, stream: str = "pod/boot1", max_bytes: int = MEGABYTE, heartbeat: float = 30.0) -> Spool:
        spool = Spool.open(self.path, stream, max_bytes, clock, heartbeat=heartbeat)
        self.opened.append(spool)
        return spool


async def fill(spool: Spool, sql_length: int) -> tuple[list[int], SpoolFull]:
    """Begin statements until the spool is full: those it took, and the refusal."""
    accepted: list[int] = []
    for number in range(10_000):
        try:
            await spool.append([intent(number, sql="x" * sql_length)])
        except SpoolFull as full:
            return accepted, full
        accepted.append(number)
    raise AssertionError("never full")


def kinds(events: list[Event]) -> list[str]:
    return [event["kind"] for event in events]


def files(path: Path, pattern: str) -> list[Path]:
    return sorted(path.glob(pattern))


async def until_full(spool: Spool, disk: Path) -> int:
    """Begin statements on a disk on which ever less is free: how many were taken. Raises AssertionError."""
    for number in range(1000):
        room = os.statvfs(disk)
        (disk / f"ballast{number}").write_bytes(bytes(max(0, (room.f_bavail - 3) * room.f_frsize)))
        try:
            await spool.append([intent(number, sql="x" * 3000)])
        except SpoolFull:
            return number
    raise AssertionError("never full")


def append_each(spool: Spool, groups: Sequence[tuple[Sequence[Event], bool]]) -> list[asyncio.Future[None]]:
    """Several appends at once, each with whether somebody waits until it is durable; done when that is told."""
    futures: list[asyncio.Future[None]] = [asyncio.get_running_loop().create_future() for _ in groups]

    def told(future: asyncio.Future[None], error: SpoolError | None) -> None:
        if error is None:
            future.set_result(None)
        else:
            future.set_exception(error)

    spool.append_each(
        [
            Append(bodies, partial(told, future), awaited)
            for (bodies, awaited), future in zip(groups, futures, strict=True)
        ]
    )
    return futures
