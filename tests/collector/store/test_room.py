"""How much room is left, how fast it goes, and when somebody should know."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from penstock_collector.store import alarms, room
from penstock_collector.store.alarms import OWN, Alarm
from penstock_collector.store.database import open_for_writing
from penstock_collector.store.room import Room

GB = 1_000_000_000
DAY, HOUR = 86_400.0, 3_600.0


@pytest.fixture
def store(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    connection = open_for_writing(tmp_path / "audit.db")
    yield connection
    connection.close()


def filled(free: float, by_day: float | None = None, by_hour: float | None = None, **more: Any) -> Room:
    return Room(int(free * GB), 100 * GB, GB, GB, by_day=by_day, by_hour=by_hour, **more)


def test_what_is_there_is_measured(store: sqlite3.Connection, tmp_path: Path) -> None:
    before = room.measure(store, tmp_path / "audit.db", 0)
    store.execute("UPDATE store_probe SET filler = zeroblob(3000000)")
    after = room.measure(store, tmp_path / "audit.db", 0)
    assert 2_900_000 < after.used - before.used < 3_200_000
    assert after.size >= after.used
    assert 0 < after.free <= after.disk
    # What was deleted in the file can be used again.
    store.execute("UPDATE store_probe SET filler = x''")
    emptied = room.measure(store, tmp_path / "audit.db", 0)
    assert emptied.used < 1_000_000 < emptied.size


def test_a_rate_is_of_the_last_hour_and_of_the_last_day(store: sqlite3.Connection, tmp_path: Path) -> None:
    used = room.used_bytes(store)
    now = 10 * DAY
    samples = [(now - 20 * HOUR, used - 30 * GB), (now - 0.5 * HOUR, used - GB)]
    store.executemany("INSERT INTO store_sizes VALUES (?, ?)", samples)
    found = room.measure(store, tmp_path / "audit.db", now)
    assert found.by_day is not None
    assert found.by_hour is not None
    assert found.by_day == pytest.approx(30 * GB / 20 * 24, rel=0.01)
    assert found.by_hour == pytest.approx(GB / 0.5 * 24, rel=0.01)


def test_a_moment_is_no_rate(store: sqlite3.Connection, tmp_path: Path) -> None:
    store.execute("INSERT INTO store_sizes VALUES (?, 0)", (10 * DAY - 60,))
    found = room.measure(store, tmp_path / "audit.db", 10 * DAY)
    assert (found.by_hour, found.by_day, found.days_left) == (None, None, None)


def test_samples_are_few_and_a_clock_that_was_set_back_does_no_harm(store: sqlite3.Connection) -> None:
    for minute in range(3 * 24 * 60):
        room.sample(store, minute * 60.0)
    (count,) = store.execute("SELECT count(*) FROM store_sizes").fetchone()
    assert 285 <= count <= 295
    room.sample(store, 60.0)
    assert [row[0] for row in store.execute("SELECT time FROM store_sizes")] == [60.0]


@pytest.mark.parametrize(
    ("place", "days"),
    [
        (filled(70.064), None),
        (filled(70.067108864, by_day=7 * GB), 10.0),
        (filled(70.067108864, by_day=7 * GB, by_hour=14 * GB), 5.0),
        (filled(70.067108864, by_day=14 * GB, by_hour=GB), 5.0),
        (filled(70.067108864, by_day=-GB), None),
        (filled(70.067108864, by_day=0), None),
        # Retention keeps it to 36 GB, which the disk has; and to 90, which it has not.
        (filled(70.067108864, by_day=7 * GB, most=36 * GB), 5.0),
        (filled(70.067108864, by_day=7 * GB, most=90 * GB), 10.0),
        (filled(0, by_day=GB), 0.0),
    ],
)
def test_how_long_it_lasts(place: Room, days: float | None) -> None:
    assert place.days_left == (None if days is None else pytest.approx(days))


def test_the_alarm_comes_long_before_and_ends_when_there_is_room_again(store: sqlite3.Connection) -> None:
    room.watch(store, filled(70, by_day=7 * GB), now=1)
    assert alarms.standing(store) == []
    room.watch(store, filled(40, by_day=7 * GB), now=2)
    (alarm,) = alarms.standing(store)
    assert (alarm.stream, alarm.owner, alarm.kind) == ("", "", Alarm.DISK)
    assert alarm.detail == (
        "39.9 GB of 100.0 GB are left for the trail, enough for 6 days at the rate of the last day (7.0 GB a day)"
    )
    # On the edge it neither ends nor comes again.
    room.watch(store, filled(52, by_day=7 * GB), now=3)
    assert len(alarms.standing(store)) == 1
    room.watch(store, filled(70, by_day=7 * GB), now=4)
    assert alarms.standing(store) == []


@pytest.mark.parametrize(
    ("place", "raised"),
    [
        (filled(9), True),
        (filled(11), False),
        # An import fills it within the day, an hour of work does not make it the rule.
        (filled(40, by_hour=60 * GB, by_day=GB), True),
        (filled(40, by_hour=20 * GB, by_day=GB), False),
        (replace(filled(9), size=30 * GB), False),
        # Retention will drop what is not old enough; unless it goes by size alone.
        (filled(50, by_day=GB, most=5 * GB), True),
        (filled(50, by_day=GB, most=5 * GB, by_size_alone=True), False),
        (filled(5, by_day=GB, most=90 * GB, by_size_alone=True), True),
        (filled(50, most=2 * GB), False),
    ],
)
def test_when_it_is_raised(place: Room, raised: bool, store: sqlite3.Connection) -> None:
    room.watch(store, place, now=1)
    assert len(alarms.standing(store)) == raised


def test_who_has_looked_is_left_alone_for_a_day(store: sqlite3.Connection) -> None:
    room.watch(store, filled(5), now=1)
    assert alarms.acknowledge(store, Alarm.DISK, "", 2, "ada", "ordered a larger one", 3) == 1
    room.watch(store, filled(5), now=DAY)
    assert alarms.standing(store) == []
    room.watch(store, filled(5), now=2 * DAY)
    assert len(alarms.standing(store)) == 1
    assert alarms.acknowledged_since(store, OWN, Alarm.DISK, 0)


@pytest.mark.parametrize(
    ("days", "words"), [(0.01, "14 minutes"), (0.5, "12 hours"), (36.4, "36 days"), (1e9, "more than a hundred years")]
)
def test_days_in_words(days: float, words: str) -> None:
    assert room.in_days(days) == words


@pytest.mark.parametrize(("size", "words"), [(12, "12 B"), (1500, "1.5 kB"), (4.2e9, "4.2 GB"), (9e12, "9.0 TB")])
def test_sizes_in_words(size: float, words: str) -> None:
    assert room.in_units(size) == words
