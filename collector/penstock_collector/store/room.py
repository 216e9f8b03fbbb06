"""How much room the trail takes and has left, how fast it grows, and when nothing is left if it goes on so.

What doesn't belong: making room (`retention.py`), whether anything can be written (`writer.py`).
"""

from __future__ import annotations

import os
import sqlite3
from dataclasses import dataclass
from pathlib import Path

from penstock_collector.store import alarms
from penstock_collector.store.alarms import Alarm

_MINUTE, _HOUR, _DAY = 60.0, 3_600.0, 86_400.0
_SAMPLED_EVERY = 5 * _MINUTE
# A rate needs so much time behind it; of a shorter one, a burst would make days of growth.
_SHORTEST = {_HOUR: 10 * _MINUTE, _DAY: 6 * _HOUR}
# The alarm is raised when so many days are left at the rate of the last day, or of the last hour, or so little of the
# disk.
_LONG_BEFORE = {_DAY: 7.0, _HOUR: 1.0}
_LEAST_FREE = 0.1
# It ends only once there is so many times as much, so that it does not come and go.
_CLEARLY = 1.25
# What the disk needs beside the trail: the write-ahead log grows to this before it is taken up.
_KEPT_FREE = 64 * 1024 * 1024
# Unless it is said how large the trail may be, so much of the disk.
_SHARE = 0.8


@dataclass(frozen=True, slots=True)
class Room:
    """The store's place at one moment; all in bytes."""

    # Of the disk: what this program may still take, and all of it.
    free: int
    disk: int
    # The files of the store, and what in them holds something.
    size: int
    used: int
    # How far retention lets it grow; None if by days alone.
    most: int | None = None
    # Whether what is beyond that is to go, however old it is: then there is nothing to warn of.
    by_size_alone: bool = False
    # Growth a day, by the last hour and the last day; None where it is too early to tell.
    by_hour: float | None = None
    by_day: float | None = None

    @property
    def left(self) -> int:
        """What can still be stored before the disk is full, or retention has to drop what is not old enough."""
        return self._on_disk if self.most is None else max(0, min(self._on_disk, self.most - self.used))

    @property
    def is_bound_by_size(self) -> bool:
        """Whether retention drops something before the disk is full."""
        return self.most is not None and self.most - self.used < self._on_disk

    @property
    def _on_disk(self) -> int:
        return max(0, self.free - min(_KEPT_FREE, self.disk // 20)) + max(0, self.size - self.used)

    @property
    def days_left(self) -> float | None:
        """Until nothing is left, at the faster rate; None if it does not grow."""
        found = [days for rate in (self.by_hour, self.by_day) if (days := self.days_at(rate)) is not None]
        return min(found, default=None)

    def days_at(self, rate: float | None) -> float | None:
        """Until nothing is left, at so many bytes a day; None if it does not grow."""
        return self.left / rate if rate and rate > 0 else None


def measure(
    connection: sqlite3.Connection, path: Path, now: float, most: int | None = None, *, by_size_alone: bool = False
) -> Room:
    """As it is now. Raises OSError if the disk does not answer."""
    disk = os.statvfs(path.parent)
    files = (path, path.with_name(path.name + "-wal"))
    used = used_bytes(connection)
    return Room(
        disk.f_bavail * disk.f_frsize,
        disk.f_blocks * disk.f_frsize,
        sum(file.stat().st_size for file in files if file.exists()),
        used,
        most,
        by_size_alone,
        _rate(connection, _HOUR, used, now),
        _rate(connection, _DAY, used, now),
    )


def most_bytes(path: Path, asked: int | None) -> int | None:
    """How far the store may grow, None if as far as the disk; unless it is said, it is most of the disk."""
    if asked is None:
        disk = os.statvfs(path.parent)
        return int(disk.f_blocks * disk.f_frsize * _SHARE)
    return asked or None


def used_bytes(connection: sqlite3.Connection) -> int:
    """Of the database, what holds something."""
    pages, unused, size = (
        int(connection.execute(f"PRAGMA {name}").fetchone()[0])
        for name in ("page_count", "freelist_count", "page_size")
    )
    return (pages - unused) * size


def _rate(connection: sqlite3.Connection, window: float, used: int, now: float) -> float | None:
    row = connection.execute(
        "SELECT time, used FROM store_sizes WHERE time >= ? AND time <= ? ORDER BY time LIMIT 1", (now - window, now)
    ).fetchone()
    if row is None or now - row[0] < _SHORTEST[window]:
        return None
    return float(used - row[1]) / (now - float(row[0])) * _DAY


def sample(connection: sqlite3.Connection, now: float) -> None:
    """Note how much is used, if it is time."""
    latest = connection.execute("SELECT max(time) FROM store_sizes WHERE time <= ?", (now,)).fetchone()[0]
    if latest is not None and now - latest < _SAMPLED_EVERY:
        return
    connection.execute("INSERT OR REPLACE INTO store_sizes (time, used) VALUES (?, ?)", (now, used_bytes(connection)))
    # The clock may have been set back.
    connection.execute("DELETE FROM store_sizes WHERE time < ? OR time > ?", (now - _DAY - _SAMPLED_EVERY, now))


def watch(connection: sqlite3.Connection, room: Room, now: float) -> None:
    """Raise the alarm long before the disk is full, and end it when there is room again."""
    if scarce(room, 1.0):
        if not alarms.acknowledged_since(connection, alarms.OWN, Alarm.DISK, now - _DAY):
            alarms.sound(connection, alarms.OWN, Alarm.DISK, 0, words(room), now)
    elif not scarce(room, _CLEARLY):
        alarms.clear(connection, alarms.OWN, Alarm.DISK, now)


def scarce(room: Room, factor: float) -> bool:
    """Whether it is time to do something about it."""
    rates = ((room.by_day, _LONG_BEFORE[_DAY]), (room.by_hour, _LONG_BEFORE[_HOUR]))
    soon = any((days := room.days_at(rate)) is not None and days < least * factor for rate, least in rates)
    if room.is_bound_by_size:
        return soon and not room.by_size_alone
    return soon or room.left < room.disk * _LEAST_FREE * factor


def words(room: Room) -> str:
    """For people: `8.8 GB of 10.0 GB are left, enough for 36 days at the rate of the last day (240.0 MB a day)`."""
    said = f"{in_units(room.left)} of {in_units(room.disk)} are left for the trail"
    days = room.days_left
    if days is None:
        return said
    window = "hour" if days == room.days_at(room.by_hour) else "day"
    rate = room.by_hour if window == "hour" else room.by_day
    return f"{said}, enough for {in_days(days)} at the rate of the last {window} ({in_units(rate or 0)} a day)"


def in_days(days: float) -> str:
    """As people say it: `36 days`, `5 hours`."""
    if days >= 2:
        return f"{days:,.0f} days".replace(",", "\u202f") if days < 36_500 else "more than a hundred years"
    hours = days * 24
    return f"{hours:.0f} hours" if hours >= 2 else f"{hours * 60:.0f} minutes"


def in_units(size: float) -> str:
    """Bytes, in the unit that people think of them in."""
    for unit in ("B", "kB", "MB", "GB"):
        if abs(size) < 1000:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} TB"
