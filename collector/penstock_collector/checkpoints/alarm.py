"""The alarm of checkpoints that are not kept: raised when one fails or takes too long, ended by the next that is kept.

What doesn't belong: making and keeping them (`keeper.py`), how alarms are kept (`store/alarms.py`).
"""

from __future__ import annotations

import sqlite3

from penstock_collector.store import alarms
from penstock_collector.store.alarms import OWN, Alarm

# A place that answers nothing at all, such as a volume whose server is gone.
LONGEST_SECONDS = 300.0
# Who has looked at it is left alone for so long.
_AGAIN_SECONDS = 86_400.0
_LONGEST_DETAIL = 300


class CheckpointAlarm:
    """How the checkpoints of one collector do. All methods are called with the transaction of a writer."""

    def __init__(self) -> None:
        # Since when none is kept that should be.
        self._since: float | None = None

    def failed(self, connection: sqlite3.Connection, why: str, now: float) -> None:
        """The one that is due was not kept."""
        self._sound(connection, f"no checkpoint can be kept: {why}", now)

    def overdue(self, connection: sqlite3.Connection, began: float, now: float) -> None:
        """One is being written since then, and the place does not answer."""
        if now - began >= LONGEST_SECONDS:
            detail = f"a checkpoint is overdue: its place does not answer for {(now - began) / 60:.0f} minutes"
            self._sound(connection, detail, now)

    def kept(self, connection: sqlite3.Connection, now: float) -> None:
        """One is where it should be."""
        self._since = None
        alarms.clear(connection, OWN, Alarm.CHECKPOINT, now)

    def _sound(self, connection: sqlite3.Connection, detail: str, now: float) -> None:
        self._since = now if self._since is None else self._since
        if not alarms.acknowledged_since(connection, OWN, Alarm.CHECKPOINT, max(self._since, now - _AGAIN_SECONDS)):
            alarms.sound(connection, OWN, Alarm.CHECKPOINT, 0, detail[:_LONGEST_DETAIL], now)
