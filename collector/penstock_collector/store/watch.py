"""What the passing of time brings: streams that fall silent.

What doesn't belong: what arrives (`intake.py`), when this runs (`penstock_collector.main`), retention (`retention.py`).
"""

from __future__ import annotations

import sqlite3

from penstock_collector.store import alarms, unfinished
from penstock_collector.store.alarms import Alarm


def sound_silence(connection: sqlite3.Connection, heartbeat: float, now: float) -> int:
    """Raise an alarm for each open stream that has missed three heartbeats; how many are raised now.

    Once for each silence, so that a stream whose pod is gone for good can be looked at and dismissed.
    """
    silent = connection.execute(
        """SELECT id, last_seq, last_received FROM streams s WHERE closed = 0 AND last_received < ? AND NOT EXISTS (
               SELECT 1 FROM alarms a WHERE a.stream = s.id AND a.kind = ? AND a.since >= s.last_received)""",
        (now - 3 * heartbeat, Alarm.SILENT.value),
    ).fetchall()
    for stream, seq, last in silent:
        alarms.sound(connection, stream, Alarm.SILENT, seq, f"nothing heard for more than {3 * heartbeat:g} s", last)
        unfinished.unheard(connection, stream)
    return len(silent)
