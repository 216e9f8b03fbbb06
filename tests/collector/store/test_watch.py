"""Retention: old events go from the beginning of their streams, and what remains is whole."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from penstock_collector.search import STATEMENTS, Filters
from penstock_collector.store import alarms, watch
from penstock_collector.store.alarms import Alarm
from penstock_collector.store.database import open_for_writing
from penstock_collector.store.export import BEGINNING, portion
from penstock_collector.store.intake import take
from penstock_collector.store.lines import read_batch
from penstock_core.audit.chain import Head, canonical
from penstock_core.audit.report import Fault
from penstock_core.audit.verify import verify

DAY = 86_400.0


class Trail:
    """A store without a server."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection = connection
        self.heads: dict[str, Head] = {}

    def take(self, stream: str, count: int, now: float) -> None:
        body, head = b"", self.heads.get(stream, Head(stream))
        for _ in range(count):
            intent = {"kind": "intent", "session": "s", "statement": str(head.seq), "sql": f"SELECT t{head.seq}"}
            event, head = head.seal(intent, "2026-11-25T09:00:00Z")
            body += canonical(event) + b"\n"
        self.heads[stream] = head
        assert take(self.connection, stream, read_batch(body, stream), oldest=1, now=now).acknowledged == head.seq

    def events(self, stream: str) -> list[Any]:
        import json

        lines = [json.loads(line) for _, line in portion(self.connection, stream, BEGINNING, 100_000)]
        return [one for one in lines if "export" not in one]


@pytest.fixture
def trail(tmp_path: Path) -> Iterator[Trail]:
    connection = open_for_writing(tmp_path / "audit.db")
    yield Trail(connection)
    connection.close()


def test_each_silence_is_raised_once_and_can_be_dismissed(trail: Trail) -> None:
    trail.take("gw/a", 1, now=0)
    assert watch.sound_silence(trail.connection, 30, now=89) == 0
    assert watch.sound_silence(trail.connection, 30, now=91) == 1
    assert watch.sound_silence(trail.connection, 30, now=99) == 0
    (alarm,) = alarms.standing(trail.connection)
    assert (alarm.stream, alarm.kind, alarm.count) == ("gw/a", Alarm.SILENT, 1)
    # Its pod is gone for good; somebody has looked.
    assert alarms.acknowledge(trail.connection, Alarm.SILENT, "gw", 91, "ada", "", 100) == 1
    assert watch.sound_silence(trail.connection, 30, now=10_000) == 0
    assert alarms.standing(trail.connection) == []
    # Or not for good.
    trail.take("gw/a", 1, now=20_000)
    assert watch.sound_silence(trail.connection, 30, now=20_100) == 1


def test_old_events_go_and_the_rest_is_whole(trail: Trail) -> None:
    trail.take("gw/a", 30, now=1 * DAY)
    trail.take("gw/b", 10, now=2 * DAY)
    trail.take("gw/a", 5, now=9 * DAY)
    assert watch.dispose(trail.connection, days=7, now=9 * DAY) == 40 - 10 + 0
    assert watch.dispose(trail.connection, days=7, now=9 * DAY) == 0
    assert [event["seq"] for event in trail.events("gw/a")] == list(range(31, 36))
    assert len(trail.events("gw/b")) == 10
    findings = verify(trail.events(""), partial=True).findings
    assert [(one.stream, one.fault) for one in findings] == [("gw/b", Fault.NEVER_OPENED)], "it begins as it was sent"
    disposals = trail.connection.execute("SELECT stream, first_seq, last_seq, last_hash FROM disposals").fetchall()
    assert [row[:3] for row in disposals] == [("gw/a", 1, 30)]
    # The hash that the rest follows is kept, so that the cut can be checked.
    assert disposals[0][3] == trail.events("gw/a")[0]["prev"]


def test_what_is_gone_is_found_no_more(trail: Trail) -> None:
    trail.take("gw/a", 3, now=1 * DAY)
    trail.take("gw/a", 1, now=9 * DAY)
    watch.dispose(trail.connection, days=7, now=9 * DAY)
    found = STATEMENTS.page(trail.connection, Filters(q="select"))
    assert [one.sql for one in found.records] == ["SELECT t3"]
    # The text index agrees with its table.
    trail.connection.execute("INSERT INTO statements_text (statements_text, rank) VALUES ('integrity-check', 1)")


def test_a_stream_goes_on_after_all_of_it_went(trail: Trail) -> None:
    trail.take("gw/a", 3, now=1 * DAY)
    before = STATEMENTS.page(trail.connection, Filters()).cursor
    watch.dispose(trail.connection, days=7, now=9 * DAY)
    assert trail.events("gw/a") == []
    trail.take("gw/a", 2, now=9 * DAY)
    assert [event["seq"] for event in trail.events("gw/a")] == [4, 5]
    # Cursors never go back, or followers would miss what came.
    assert STATEMENTS.page(trail.connection, Filters()).cursor > before


def test_what_went_is_a_duplicate_when_it_is_sent_again(trail: Trail) -> None:
    trail.take("gw/a", 3, now=1 * DAY)
    old = b"".join(canonical(event) + b"\n" for event in trail.events("gw/a"))
    watch.dispose(trail.connection, days=7, now=9 * DAY)
    taken = take(trail.connection, "gw/a", read_batch(old, "gw/a"), oldest=1, now=9 * DAY)
    assert (taken.acknowledged, taken.duplicates, taken.stored) == (3, 3, [])


def test_much_goes_in_portions(trail: Trail, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "_DELETED_AT_ONCE", 10)
    for stream in ("gw/a", "gw/b", "gw/c"):
        trail.take(stream, 25, now=1 * DAY)
    portions = []
    while deleted := watch.dispose(trail.connection, days=7, now=9 * DAY):
        portions.append(deleted)
    assert (sum(portions), max(portions)) == (75, 10)
