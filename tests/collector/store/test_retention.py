"""Retention: old events go from the beginning of their streams, and what remains is whole; what is held stays."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.core.audit.as_defined import as_defined

from penstock_collector.search import STATEMENTS, Filters
from penstock_collector.store import holds, readings, retention
from penstock_collector.store.database import open_for_writing
from penstock_collector.store.export import BEGINNING, own_portion, portion
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
            intent = {"kind": "intent", "session": "s", "statement": head.seq + 1, "sql": f"SELECT t{head.seq}"}
            event, head = head.seal(as_defined(intent), "2026-11-25T09:00:00Z")
            body += canonical(event) + b"\n"
        self.heads[stream] = head
        assert take(self.connection, stream, read_batch(body, stream), oldest=1, now=now).acknowledged == head.seq

    def events(self, stream: str) -> list[Any]:
        lines = [json.loads(line) for _, line in portion(self.connection, stream, BEGINNING, 100_000)]
        return [one for one in lines if "export" not in one]


@pytest.fixture
def trail(tmp_path: Path) -> Iterator[Trail]:
    connection = open_for_writing(tmp_path / "audit.db")
    yield Trail(connection)
    connection.close()


def drop(trail: Trail, cutoff: float = 2 * DAY, now: float = 9 * DAY) -> int:
    """All that may go, in as few portions as a machine that is fast enough takes; how many events."""
    dropped, after = 0, 0
    while True:
        portion = retention.drop(trail.connection, cutoff, after, now, "older than 7 days", lambda: 0.0)
        dropped += portion.events
        if portion.after is None:
            return dropped
        after = portion.after


def hold(trail: Trail, **covered: str) -> int:
    given = {"stream": "", "database": "", "since": "", "until": "", **covered}
    return holds.place(trail.connection, **given, reason="a claim", by="ada", now=1.0).id


def test_old_events_go_and_the_rest_is_whole(trail: Trail) -> None:
    trail.take("gw/a", 30, now=1 * DAY)
    trail.take("gw/b", 10, now=2 * DAY)
    trail.take("gw/a", 5, now=9 * DAY)
    assert drop(trail) == 40 - 10 + 0
    assert drop(trail) == 0
    assert [event["seq"] for event in trail.events("gw/a")] == list(range(31, 36))
    assert len(trail.events("gw/b")) == 10
    faults = {one.fault for one in verify(trail.events(""), partial=True).findings}
    assert faults <= {Fault.NEVER_OPENED}, "they begin as they were sent"
    disposals = trail.connection.execute("SELECT stream, first_seq, last_seq, last_hash FROM disposals").fetchall()
    assert [row[:3] for row in disposals] == [("gw/a", 1, 30)]
    # The hash that the rest follows is kept, so that the cut can be checked.
    assert disposals[0][3] == trail.events("gw/a")[0]["prev"]


def test_what_is_gone_is_found_no_more(trail: Trail) -> None:
    trail.take("gw/a", 3, now=1 * DAY)
    trail.take("gw/a", 1, now=9 * DAY)
    drop(trail)
    found = STATEMENTS.page(trail.connection, Filters(q="select"))
    assert [one.sql for one in found.records] == ["SELECT t3"]
    # The text index agrees with its table.
    trail.connection.execute("INSERT INTO forms_text (forms_text, rank) VALUES ('integrity-check', 1)")


def test_a_stream_goes_on_after_all_of_it_went(trail: Trail) -> None:
    trail.take("gw/a", 3, now=1 * DAY)
    before = STATEMENTS.page(trail.connection, Filters()).cursor
    drop(trail)
    assert trail.events("gw/a") == []
    trail.take("gw/a", 2, now=9 * DAY)
    assert [event["seq"] for event in trail.events("gw/a")] == [4, 5]
    # Cursors never go back, or followers would miss what came.
    assert STATEMENTS.page(trail.connection, Filters()).cursor > before


def test_what_went_is_a_duplicate_when_it_is_sent_again(trail: Trail) -> None:
    trail.take("gw/a", 3, now=1 * DAY)
    old = b"".join(canonical(event) + b"\n" for event in trail.events("gw/a"))
    drop(trail)
    taken = take(trail.connection, "gw/a", read_batch(old, "gw/a"), oldest=1, now=9 * DAY)
    assert (taken.acknowledged, taken.duplicates, taken.stored) == (3, 3, [])


def test_much_goes_in_portions_that_end_when_their_time_is_up(trail: Trail) -> None:
    for stream in ("gw/a", "gw/b", "gw/c"):
        trail.take(stream, 100, now=1 * DAY)
    moments = iter(range(1_000_000))

    def clock() -> float:
        """Each look takes so long that two are too many."""
        return next(moments) * retention.BUDGET_SECONDS * 0.6

    portions, after = [], 0
    while True:
        portion = retention.drop(trail.connection, 2 * DAY, after, 9 * DAY, "", clock)
        portions.append(portion.events)
        if portion.after is None:
            break
        after = portion.after
    assert sum(portions) == 300
    assert max(portions) <= 2 * retention._ROWS_AT_ONCE
    faults = {one.fault for one in verify(trail.events(""), partial=True).findings}
    assert faults <= {Fault.NEVER_OPENED}, "they begin as they were sent"


def test_what_went_is_declared_in_a_chain(trail: Trail) -> None:
    trail.take("gw/a", 30, now=1 * DAY)
    trail.take("gw/a", 5, now=9 * DAY)
    drop(trail)
    opened, dropped = [json.loads(line) for _, line in own_portion(trail.connection, 0)]
    assert opened["kind"] == "open"
    rest = trail.events("gw/a")
    assert (dropped["kind"], dropped["why"]) == ("dropped", "older than 7 days")
    assert dropped["ranges"] == [{"stream": "gw/a", "first": 1, "last": 30, "hash": rest[0]["prev"]}]
    assert readings.listed(trail.connection) == [], "nobody did it"
    row = trail.connection.execute("SELECT trimmed, trimmed_hash FROM streams").fetchone()
    assert row == (30, rest[0]["prev"])


@pytest.mark.parametrize(
    ("covered", "left"),
    [
        ({}, []),
        ({"stream": "gw/a"}, ["gw/a"]),
        ({"stream": "gw/b", "database": "shop"}, ["gw/b"]),
        ({"database": "shop"}, ["gw/b"]),
        ({"stream": "gw/a", "database": "shop"}, []),
        # By the time of the event, and by that of its arrival.
        ({"since": "2026-11-25T09:00:00.000000Z", "until": "2026-11-25T09:00:00.000000Z"}, ["gw/a", "gw/b"]),
        ({"since": "2026-11-25T09:00:01.000000Z"}, []),
        ({"until": "2026-11-25T08:59:59.000000Z"}, ["gw/a", "gw/b"]),
        ({"until": "1970-01-01T23:59:59.000000Z"}, []),
        ({"since": "1970-01-02T00:00:00.000000Z", "until": "1970-01-02T00:00:00.000000Z"}, ["gw/a", "gw/b"]),
        ({"database": "shop", "since": "2026-11-25T09:00:00.000000Z"}, ["gw/b"]),
    ],
)
def test_nothing_that_is_held_goes(covered: dict[str, str], left: list[str], trail: Trail) -> None:
    trail.take("gw/a", 30, now=1 * DAY)
    trail.take("gw/b", 30, now=1 * DAY)
    trail.connection.execute("UPDATE streams SET database = 'carts, shop' WHERE name = 'gw/b'")
    number = hold(trail, **covered) if covered else None
    drop(trail)
    assert sorted({event["stream"] for event in trail.events("")}) == left
    assert len(trail.events("")) == 30 * len(left)
    if number is not None:
        assert holds.release(trail.connection, number, "bea", 5.0) is not None
        assert holds.release(trail.connection, number, "bea", 6.0) is None
        drop(trail)
        assert trail.events("") == []


def test_what_is_before_a_hold_goes_and_what_is_behind_it_stays(trail: Trail) -> None:
    for day in (1, 2, 3):
        trail.take("gw/a", 40, now=day * DAY)
    hold(trail, since="1970-01-03T00:00:00.000000Z", until="1970-01-03T12:00:00.000000Z")
    assert drop(trail, cutoff=8 * DAY) == 40
    assert [event["seq"] for event in trail.events("gw/a")] == list(range(41, 121))


def test_a_hold_of_what_is_not_known_is_refused(trail: Trail) -> None:
    trail.take("gw/a", 1, now=1 * DAY)
    trail.connection.execute("UPDATE streams SET database = 'carts, shop'")
    for covered in ({"stream": "gw/b"}, {"stream": "gw"}, {"database": "sho"}, {"database": "carts, shop"}):
        with pytest.raises(holds.NoHold, match="is known; name it as the page Streams does"):
            hold(trail, **covered)
    hold(trail, stream="gw/a", database="shop")


def test_a_hold_stays_as_it_was_set(trail: Trail) -> None:
    trail.take("gw/a", 1, now=1 * DAY)
    number = hold(trail, stream="gw/a")
    for change in (
        "DELETE FROM holds",
        "UPDATE holds SET stream = 'gw/b'",
        "UPDATE holds SET set_by = 'eve'",
    ):
        with pytest.raises(sqlite3.IntegrityError, match="a hold stays"):
            trail.connection.execute(change)
    holds.release(trail.connection, number, "bea", 5.0)
    with pytest.raises(sqlite3.IntegrityError, match="a hold stays"):
        trail.connection.execute("UPDATE holds SET released_at = NULL")


def test_more_holds_than_can_be_looked_at_are_refused(trail: Trail, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(holds, "MOST_STANDING", 2)
    for stream in ("gw/a", "gw/b", "gw/c"):
        trail.take(stream, 1, now=1 * DAY)
    first = hold(trail, stream="gw/a")
    hold(trail, stream="gw/b")
    with pytest.raises(holds.NoHold, match="2 holds stand"):
        hold(trail, stream="gw/c")
    holds.release(trail.connection, first, "ada", 5.0)
    hold(trail, stream="gw/c")


def test_lines_that_are_no_events_go_with_their_place_and_by_themselves(trail: Trail) -> None:
    trail.take("gw/a", 3, now=1 * DAY)
    take(trail.connection, "gw/a", read_batch(b"?\n?!\n", "gw/a"), oldest=1, now=1 * DAY)
    take(trail.connection, "gw/b", read_batch(b"?\n" + b"!\n" * 60, "gw/b"), oldest=1, now=1 * DAY)
    take(trail.connection, "gw/c", read_batch(b"?\n", "gw/c"), oldest=1, now=8 * DAY)
    drop(trail)
    names = "SELECT s.name FROM quarantine q JOIN streams s ON s.id = q.stream"
    assert [row[0] for row in trail.connection.execute(names)] == ["gw/c"]
    # They go on where they were.
    assert take(trail.connection, "gw/a", [], oldest=1, now=9 * DAY).acknowledged == 5


def test_a_fork_goes_whole_however_many_branches_it_has(trail: Trail) -> None:
    trail.take("gw/a", 1, now=1 * DAY)
    body = b""
    for branch in range(70):
        event, _ = Head("gw/a").seal({"kind": "open", "version": str(branch)}, "2026-11-25T09:00:00Z")
        body += canonical(event) + b"\n"
    take(trail.connection, "gw/a", read_batch(body, "gw/a"), oldest=1, now=1 * DAY)
    trail.take("gw/a", 2, now=9 * DAY)
    assert drop(trail) == 71
    assert [event["seq"] for event in trail.events("gw/a")] == [2, 3]


def test_what_is_missing_before_the_new_beginning_is_waited_for_no_more(trail: Trail) -> None:
    """Or the sender, which has it no more, or sends it again and again, would never be acknowledged."""
    trail.take("gw/a", 3, now=1 * DAY)
    head, trail.heads["gw/a"] = (
        trail.heads["gw/a"],
        trail.heads["gw/a"].seal({"kind": "heartbeat"}, "2026-01-01T00:00:00Z")[1],
    )
    missing, _ = head.seal({"kind": "heartbeat"}, "2026-01-01T00:00:00Z")
    event, head = trail.heads["gw/a"].seal({"kind": "heartbeat"}, "2026-01-01T00:00:00Z")
    lines = canonical(event) + b"\n"
    assert take(trail.connection, "gw/a", read_batch(lines, "gw/a"), oldest=1, now=1 * DAY).acknowledged == 3
    drop(trail)
    late = read_batch(canonical(missing) + b"\n", "gw/a")
    assert take(trail.connection, "gw/a", late, oldest=1, now=9 * DAY).acknowledged == 5


def test_a_file_shrinks_when_much_went(trail: Trail, tmp_path: Path) -> None:
    for _ in range(10):
        trail.take("gw/a", 300, now=1 * DAY)
    trail.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    before = (tmp_path / "audit.db").stat().st_size
    drop(trail)
    steps = 0
    while retention.shrink(trail.connection):
        steps += 1
    trail.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    assert steps > 3
    assert (tmp_path / "audit.db").stat().st_size < before / 3
