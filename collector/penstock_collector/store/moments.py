"""Moments as the store has them: microseconds, counted from a beginning that leaves them six bytes for some years.

What doesn't belong: when something arrived (`arrivals.py`).
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

_BEGINNING = datetime(2026, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def counted(time: str) -> int:
    """Of an event's time, which was checked when it came; what is finer is left out."""
    return (datetime.fromisoformat(time) - _BEGINNING) // _MICROSECOND


def told(moment: int) -> str:
    """As events have it."""
    time = _BEGINNING + timedelta(microseconds=moment)
    return time.isoformat(timespec="microseconds").replace("+00:00", "Z")
