"""What a gate tells of itself: statements that ran unrecorded, events that come late, clocks that are wrong."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from penstock_collector.store import alarms
from penstock_collector.store.alarms import Alarm
from penstock_collector.store.database import open_for_writing
from penstock_collector.store.intake import take
from penstock_collector.store.lines import read_batch
from penstock_core.audit.chain import Head, canonical

NOW = 1_764_000_000.0


class Gate:
    """A stream and the store that it is sent to."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection = connection
        self.head = Head("gw1/boot1")

    def send(self, *bodies: dict[str, Any], at: float = NOW, now: float = NOW, late: float = 900) -> None:
        lines = b""
        time = datetime.fromtimestamp(at, UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
        for body in bodies:
            event, self.head = self.head.seal(body, time)
            lines += canonical(event) + b"\n"
        self.lines = lines
        self.resend(now, late)

    def resend(self, now: float, late: float = 900) -> None:
        batch = read_batch(self.lines, "gw1/boot1")
        take(self.connection, "gw1/boot1", batch, oldest=1, now=now, workload="shop/web", late=late)

    def standing(self) -> dict[Alarm, alarms.Standing]:
        return {one.kind: one for one in alarms.standing(self.connection)}


@pytest.fixture
def gate(tmp_path: Path) -> Iterator[Gate]:
    connection = open_for_writing(tmp_path / "audit.db")
    yield Gate(connection)
    connection.close()


def test_what_ran_unrecorded_is_counted(gate: Gate) -> None:
    gate.send({"kind": "loss", "count": 1234, "cause": "spool full"})
    gate.send({"kind": "loss", "count": 1})
    alarm = gate.standing()[Alarm.UNRECORDED]
    assert (alarm.count, alarm.first_seq, alarm.last_seq, alarm.owner) == (1235, 1, 2, "shop/web")
    assert alarm.detail == "1 statement ran unrecorded"
    gate.resend(NOW)
    assert gate.standing()[Alarm.UNRECORDED].count == 1235


@pytest.mark.parametrize("count", [None, 0, -5, True, "9", 2**60])
def test_a_loss_that_says_no_number_is_an_alarm_too(count: Any, gate: Gate) -> None:
    if count == 2**60:
        # The chain takes no such number.
        count = 2**53 - 1
        gate.send({"kind": "loss", "count": count})
        assert gate.standing()[Alarm.UNRECORDED].count == count
        return
    gate.send({"kind": "loss", "cause": "spool damaged", **({} if count is None else {"count": count})})
    alarm = gate.standing()[Alarm.UNRECORDED]
    assert (alarm.count, alarm.detail) == (1, "statements may have run unrecorded: spool damaged")


def test_a_cause_is_cut(gate: Gate) -> None:
    gate.send({"kind": "loss", "count": 2, "cause": "x" * 100_000})
    assert len(gate.standing()[Alarm.UNRECORDED].detail) < 300


def test_events_that_come_late_until_they_come_in_time(gate: Gate) -> None:
    gate.send({"kind": "open"}, at=NOW - 899)
    assert gate.standing() == {}
    gate.send({"kind": "heartbeat"}, at=NOW - 19 * 86_400)
    assert gate.standing()[Alarm.LATE].detail == "event 2, the newest of its batch, came 19 days after its time"
    # What comes again tells nothing new.
    gate.resend(NOW + 10_000)
    assert gate.standing()[Alarm.LATE].count == 1
    gate.send({"kind": "heartbeat"}, at=NOW - 10)
    assert gate.standing() == {}


def test_a_batch_is_as_late_as_its_newest(gate: Gate) -> None:
    gate.send({"kind": "open"})
    old, gate.head = gate.head.seal({"kind": "heartbeat"}, "2020-01-01T00:00:00Z")
    new, gate.head = gate.head.seal(
        {"kind": "heartbeat"}, datetime.fromtimestamp(NOW, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    )
    gate.lines = canonical(old) + b"\n" + canonical(new) + b"\n"
    gate.resend(NOW)
    assert gate.standing() == {}


def test_a_clock_that_is_ahead(gate: Gate) -> None:
    gate.send({"kind": "open"}, at=NOW + 299)
    assert gate.standing() == {}
    gate.send({"kind": "heartbeat"}, at=NOW + 7 * 86_400)
    assert (
        gate.standing()[Alarm.CLOCK].detail
        == "event 2 came 7 days before its time: the gate's clock, or ours, is wrong"
    )
    gate.send({"kind": "heartbeat"}, at=NOW)
    assert gate.standing() == {}


def test_who_has_looked_at_a_gap_is_asked_again_about_another_one(gate: Gate) -> None:
    gate.send({"kind": "open"})
    _, gate.head = gate.head.seal({"kind": "heartbeat"}, "2025-11-24T00:00:00Z")
    gate.send({"kind": "heartbeat"})
    assert Alarm.GAP in gate.standing()
    alarms.acknowledge(gate.connection, Alarm.GAP, None, NOW, "ada", "", NOW)
    gate.send({"kind": "heartbeat"}, now=NOW + 1)
    assert Alarm.GAP not in gate.standing()
    batch = read_batch(gate.lines, "gw1/boot1")
    take(gate.connection, "gw1/boot1", batch, oldest=3, now=NOW + 2)
    _, gate.head = gate.head.seal({"kind": "heartbeat"}, "2025-11-24T00:00:00Z")
    gate.send({"kind": "heartbeat"}, now=NOW + 3)
    assert Alarm.GAP in gate.standing()
