"""The stream of readings in the store: sealed, in order, never changed, deleted from its beginning alone."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from penstock_collector.store import people, readings
from penstock_collector.store.database import open_for_writing
from penstock_collector.store.export import own_portion
from penstock_core.audit.verify import verify

NOW = 1_764_000_000.0
DAY = 86_400.0


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    opened = open_for_writing(tmp_path / "audit.db")
    yield opened
    opened.close()


def body(action: str, who: str = "ada") -> dict[str, object]:
    return {"kind": "reading", "action": action, "by": {"name": who}}


def exported(connection: sqlite3.Connection) -> list[dict[str, object]]:
    return [json.loads(line) for _, line in own_portion(connection, 0)]


def test_they_are_a_chain_that_verifies(connection: sqlite3.Connection) -> None:
    readings.append(connection, [body("searched"), body("opened")], NOW)
    readings.append(connection, [body("exported", "bea")], NOW + 1)
    report = verify(exported(connection), {(head := readings.head_of(connection)).stream: head})
    assert report.intact
    assert [stream.events for stream in report.streams] == [4]
    assert report.streams[0].opened
    assert head.stream.startswith("collector:")
    assert [one.action for one in readings.listed(connection)] == ["exported", "opened", "searched"]
    assert [one.who for one in readings.listed(connection, "bea")] == ["bea"]
    assert [one.seq for one in readings.listed(connection, action="searched")] == [2]
    assert [one.seq for one in readings.listed(connection, before=3)] == [2]


def test_two_collectors_have_two_streams(tmp_path: Path) -> None:
    names = set()
    for name in ("a.db", "b.db"):
        opened = open_for_writing(tmp_path / name)
        names.add(readings.head_of(opened).stream)
        opened.close()
    assert len(names) == 2


def test_a_transaction_that_fails_leaves_the_chain_as_it_was(connection: sqlite3.Connection) -> None:
    readings.append(connection, [body("searched")], NOW)
    connection.execute("BEGIN")
    readings.append(connection, [body("opened")], NOW)
    connection.execute("ROLLBACK")
    readings.append(connection, [body("exported")], NOW)
    assert verify(exported(connection)).intact
    assert [one["seq"] for one in exported(connection)] == [1, 2, 3]


def test_none_is_changed(connection: sqlite3.Connection) -> None:
    readings.append(connection, [body("searched")], NOW)
    with pytest.raises(sqlite3.IntegrityError, match="a reading stays as it was recorded"):
        connection.execute("UPDATE readings SET who = 'bea'")


def test_retention_takes_the_beginning_and_says_so(
    connection: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(readings, "_DELETED_AT_ONCE", 2)
    for day in range(5):
        readings.append(connection, [body("searched")], NOW + day * DAY)
    deleted = []
    while gone := readings.dispose(connection, NOW + 2 * DAY + 1, NOW + 4 * DAY + 1):
        deleted.append(gone)
    assert deleted == [2, 2]
    rest = exported(connection)
    assert [one["seq"] for one in rest] == [5, 6]
    assert verify(rest, partial=True).intact
    assert not verify(rest).intact
    ranges = connection.execute("SELECT first_seq, last_seq FROM disposals").fetchall()
    assert ranges == [(1, 2), (3, 4)]
    readings.append(connection, [body("opened")], NOW + 5 * DAY)
    assert verify(exported(connection), partial=True).intact
    assert readings.dispose(connection, NOW + 99 * DAY, NOW + 100 * DAY) == 2
    assert readings.dispose(connection, NOW + 99 * DAY, NOW + 100 * DAY) == 1
    readings.append(connection, [body("opened")], NOW + 100 * DAY)
    assert [one["seq"] for one in exported(connection)] == [8], "numbers go on where all before are gone"


def test_all_names_that_somebody_ever_had_are_kept(connection: sqlite3.Connection) -> None:
    people.meet(connection, "https://login.example", "00u1", {"00u1", "bea@shop.example"}, NOW)
    people.meet(connection, "https://login.example", "00u1", {"00u1", "bea.new@shop.example"}, NOW)
    people.meet(connection, "https://other.example", "00u1", {"00u1", "eve@other.example"}, NOW)
    assert people.met(connection) == [
        {"00u1", "bea@shop.example", "bea.new@shop.example"}, {"00u1", "eve@other.example"},
    ]  # fmt: skip
