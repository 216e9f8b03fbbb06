"""What a gate's own events tell that is wrong with it: statements that ran unrecorded, delays, a clock that is wrong.

What doesn't belong: what is wrong with the events themselves (`intake.py`), silence (`watch.py`).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from datetime import UTC, datetime

from penstock_collector.store import alarms
from penstock_collector.store.alarms import Alarm
from penstock_collector.store.lines import Sealed
from penstock_core.audit.chain import MAX_SAFE_INTEGER

# Clocks may differ by so much before it is an alarm.
_AHEAD_SECONDS = 300.0
_LONGEST_CAUSE = 200


def judge(connection: sqlite3.Connection, stream: int, new: Sequence[Sealed], late: float, now: float) -> None:
    """Raise and end the alarms that these events of a stream give reason to. `late`: so many seconds are too many."""
    for line in new:
        if line.kind == "loss":
            _unrecorded(connection, stream, line, now)
    moments = [(moment, line) for line in new if (moment := _moment(line)) is not None]
    if not moments:
        return
    moment, latest = max(moments, key=lambda one: one[0])
    behind = now - moment
    if behind > late:
        detail = f"event {latest.seq}, the newest of its batch, came {_span(behind)} after its time"
        alarms.sound(connection, stream, Alarm.LATE, latest.seq, detail, now)
    else:
        alarms.clear(connection, stream, Alarm.LATE, now)
    if behind < -_AHEAD_SECONDS:
        detail = f"event {latest.seq} came {_span(-behind)} before its time: the gate's clock, or ours, is wrong"
        alarms.sound(connection, stream, Alarm.CLOCK, latest.seq, detail, now)
    else:
        alarms.clear(connection, stream, Alarm.CLOCK, now)


def _unrecorded(connection: sqlite3.Connection, stream: int, line: Sealed, now: float) -> None:
    count, cause = line.event.get("count"), line.text("cause")[:_LONGEST_CAUSE]
    because = f": {cause}" if cause else ""
    if isinstance(count, int) and not isinstance(count, bool) and 0 < count <= MAX_SAFE_INTEGER:
        what = "1 statement" if count == 1 else f"{count} statements"
        detail = f"{what} ran unrecorded{because}"
    else:
        count, detail = 1, f"statements may have run unrecorded{because}"
    alarms.sound(connection, stream, Alarm.UNRECORDED, line.seq, detail, now, count)


def _moment(line: Sealed) -> float | None:
    """Unix time of an event; None if there is no such date."""
    try:
        return datetime.fromisoformat(line.text("time")).astimezone(UTC).timestamp()
    except (ValueError, OverflowError):
        return None


def _span(seconds: float) -> str:
    """`19 days`, `5 hours`, `20 minutes`."""
    for size, unit in ((86_400, "days"), (3_600, "hours")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds / 60:.0f} minutes"
