"""What has settled is packed, and nobody who reads, sends again, forks or drops can tell."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.collector.conftest import Sender, ndjson

from penstock_collector.search import STATEMENTS, Filters, detail
from penstock_collector.store import blocks, export, holds, packing, retention
from penstock_collector.store.alarms import Alarm
from penstock_collector.store.database import open_for_writing
from penstock_collector.store.intake import Taken, take
from penstock_collector.store.lines import read_batch
from penstock_core.audit.chain import Head, canonical

NAME = "gw1/boot1"
DAY = 86_400.0


class Store:
    """A store, and a gate that fills it."""

    def __init__(self, path: Path) -> None:
        self.connection = open_for_writing(path)
        self.sender = Sender(NAME)
        self.sent: list[Any] = []

    def say(self, statements: int, now: float = 1.0, **fields: Any) -> list[Any]:
        """So many more statements arrive; their events."""
        first = len(self.sent) // 2
        events = [event for number in range(statements) for event in self.sender.statement(first + number, **fields)]
        self.sent += events
        self.take(events, now)
        return events

    def take(self, events: list[Any], now: float = 1.0, oldest: int = 1) -> Taken:
        return take(self.connection, NAME, read_batch(ndjson(events), NAME), oldest=oldest, now=now)

    def exported(self, limit: int = 1000) -> list[bytes]:
        """All lines of events, asked for in portions."""
        place, lines = export.BEGINNING, []
        while portion := export.portion(self.connection, NAME, place, limit):
            place = portion[-1][0]
            lines += [line for where, line in portion if where[1]]
        return lines

    def count(self, table: str) -> int:
        found: int = self.connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
        return found

    def alarms(self) -> set[str]:
        return {row[0] for row in self.connection.execute("SELECT kind FROM alarms WHERE cleared IS NULL")}


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    monkeypatch.setattr(packing, "BLOCK_EVENTS", 10)
    made = Store(tmp_path / "audit.db")
    yield made
    made.connection.close()


def test_lines_come_back_byte_for_byte_with_fields_that_nobody_knows_yet(store: Store) -> None:
    events = store.say(23, sql="SELECT 'ünï\n\u2028'", unheardOf={"deep": [1, None, "\x00…"]})
    assert (store.count("blocks"), store.count("events")) == (4, 6)
    for limit in (1, 3, 10, 1000):
        assert store.exported(limit) == [canonical(event) for event in events]


def test_a_block_has_whole_events_however_large(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packing, "_BLOCK_BYTES", 100)
    events = store.say(8)
    assert store.count("blocks") == 7, "one each, until too few are left for another"
    assert store.exported() == [canonical(event) for event in events]


def test_what_is_sent_again_is_known(store: Store) -> None:
    events = store.say(12)
    taken = store.take(events)
    assert (taken.duplicates, taken.stored, taken.acknowledged) == (24, [], 24)
    assert store.count("blocks") == 2


def test_a_fork_of_what_is_packed_is_kept_and_told(store: Store) -> None:
    events = store.say(12)
    head = Head(NAME, 2, events[1]["hash"])
    other, _ = head.seal({"kind": "heartbeat"}, "2026-11-25T09:03:00.000000Z")
    taken = store.take([other])
    assert (taken.forks, taken.duplicates) == (1, 0)
    assert Alarm.FORK.value in store.alarms()
    lines = store.exported(3)
    assert sorted(lines) == sorted(canonical(event) for event in (*events, other))
    assert [json.loads(line)["seq"] for line in lines] == sorted([*range(1, 25), 3])
    assert store.take([other]).duplicates == 1
    store.say(20)
    assert len(store.exported(7)) == 65


def test_a_fork_at_the_end_of_what_is_packed_goes_on_unbroken(store: Store) -> None:
    events = store.say(10)
    assert store.count("events") == 0
    other, head = Head(NAME, 19, events[18]["hash"]).seal({"kind": "heartbeat"}, "2026-11-25T10:00:00.000000Z")
    store.take([other])
    after, _ = head.seal({"kind": "heartbeat"}, "2026-11-25T10:01:00.000000Z")
    assert store.take([after]).acknowledged == 21
    assert Alarm.BREAK.value not in store.alarms()


def test_what_follows_something_else_than_the_last_of_a_block_is_a_break(store: Store) -> None:
    store.say(10)
    after, _ = Head(NAME, 20, "f" * 64).seal({"kind": "heartbeat"}, "2026-11-25T10:01:00.000000Z")
    store.take([after])
    assert Alarm.BREAK.value in store.alarms()


def test_nothing_behind_a_gap_is_packed(store: Store) -> None:
    events = [event for number in range(30) for event in store.sender.statement(number)]
    store.take(events[:4] + events[5:])
    assert store.count("blocks") == 0
    store.take(events[4:5])
    assert store.count("blocks") == 6
    assert store.exported() == [canonical(event) for event in events]


def test_a_place_has_its_page_when_it_is_packed(store: Store) -> None:
    store.say(12)
    shown = detail(store.connection, NAME, 5)
    assert shown is not None
    assert [json.loads(one)["kind"] for one in (*shown.events, *shown.related)] == ["intent", "outcome"]
    assert shown.statement is not None
    assert (shown.statement.seq, shown.statement.result, shown.statement.received) == (5, "ok", 1.0)
    shown = detail(store.connection, NAME, 6)
    assert shown is not None
    assert [json.loads(one)["seq"] for one in (*shown.events, *shown.related)] == [6, 5]


def test_an_outcome_completes_an_intent_that_is_packed(store: Store) -> None:
    key = {"session": "s1", "statement": 100}
    running = store.sender.seal({"kind": "intent", **key, "sql": "SELECT 100"})
    store.take([*running, *store.sender.seal(*({"kind": "heartbeat"} for _ in range(12)))])
    assert store.connection.execute("SELECT count(*) FROM events WHERE kind = 'intent'").fetchone()[0] == 0
    store.take(store.sender.seal({"kind": "outcome", **key, "result": "ok", "rows": 7}))
    found = STATEMENTS.page(store.connection, Filters()).records[0]
    assert (found.statement, found.result, found.rows) == ("100", "ok", 7)


def test_a_list_of_statements_opens_no_block(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    store.say(30)

    def opened(_block: bytes) -> list[blocks.Kept]:
        raise AssertionError("a hundred of them would be a hundred blocks")

    monkeypatch.setattr(blocks, "read", opened)
    for filters in (Filters(), Filters(q="select"), Filters(session="s1")):
        assert len(STATEMENTS.page(store.connection, filters).records) == 30
    assert len(STATEMENTS.changes(store.connection, Filters(), 0).records) == 30


def test_an_outcome_before_its_intent_waits_for_it(store: Store) -> None:
    events = [event for number in range(10) for event in store.sender.statement(number)]
    store.take(events[1:], oldest=2)
    assert store.count("events") == 9, "ten of nineteen are packed"
    store.take(events[:1])
    found = {one.statement: one.result for one in STATEMENTS.page(store.connection, Filters()).records}
    assert found["0"] == "ok"


def test_old_blocks_go_whole_and_what_is_held_in_one_stays(store: Store) -> None:
    store.say(10, now=1 * DAY)
    store.say(2, now=2 * DAY)
    store.say(10, now=9 * DAY)
    holds.place(
        store.connection, stream=NAME, database="", since="2026-11-25T09:06:00.000000Z", until="",
        reason="a claim", by="ada", now=1.0,
    )  # fmt: skip
    assert retention.drop(store.connection, 3 * DAY, 0, 10 * DAY, "old").events == 5
    assert [json.loads(line)["seq"] for line in store.exported()] == list(range(6, 45))
    assert retention.drop(store.connection, 3 * DAY, 0, 10 * DAY, "old").events == 0
    holds.release(store.connection, 1, "ada", 2.0)
    assert retention.oldest(store.connection) == 1 * DAY
    assert retention.drop(store.connection, 3 * DAY, 0, 10 * DAY, "old").events == 19
    assert retention.oldest(store.connection) == 9 * DAY
    rest = store.exported()
    assert [json.loads(line)["seq"] for line in rest] == list(range(25, 45))
    assert store.connection.execute("SELECT trimmed, trimmed_hash FROM streams").fetchone() == (
        24,
        json.loads(rest[0])["prev"],
    )
    found = STATEMENTS.page(store.connection, Filters()).records
    assert {one.received for one in found} == {9 * DAY}
    assert len(found) == 10
    assert store.take(store.sent).duplicates == 44


def test_a_block_that_was_damaged_is_told_and_not_believed(store: Store) -> None:
    store.say(10)
    (whole,) = store.connection.execute("SELECT lines FROM blocks ORDER BY id LIMIT 1").fetchone()
    damaged = bytearray(whole)
    damaged[len(damaged) // 2] ^= 1
    for lines in (bytes(damaged), whole[:-5], b"", b"\x02" + whole[1:]):
        with pytest.raises(sqlite3.DatabaseError, match="a block of events is damaged"):
            blocks.read(lines)
