"""The period that evidence is of.

What doesn't belong: which events are in it for which reason (`summary.py`).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime

from penstock_core.audit.event import Event


class PeriodError(ValueError):
    """It is no moment, or no period; the text says why."""


@dataclass(frozen=True, slots=True)
class Period:
    """From a moment up to, and without, another; both in UTC."""

    since: datetime
    until: datetime

    def __post_init__(self) -> None:
        if self.since >= self.until:
            raise PeriodError(f"the period ends at {text(self.until)}, which is not after {text(self.since)}")

    def contains(self, event: Event) -> bool:
        """Whether it was sealed within. Without a time that can be read it was not."""
        try:
            moment = datetime.fromisoformat(event["time"])
        except (LookupError, TypeError, ValueError):
            return False
        return moment.tzinfo is not None and self.since <= moment < self.until

    def __str__(self) -> str:
        return f"{text(self.since)} to {text(self.until)}"


def moment(value: str) -> datetime:
    """A day (its beginning in UTC) or an RFC 3339 time with its zone, in UTC. Raises PeriodError."""
    try:
        if len(value) == len("2026-07-01"):
            day = date.fromisoformat(value)
            return datetime(day.year, day.month, day.day, tzinfo=UTC)
        found = datetime.fromisoformat(value)
        if found.tzinfo is not None:
            return found.astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    raise PeriodError(
        f"{value!r} is neither a day, such as 2026-07-01, nor a time with its zone (2026-07-01T09:00:00Z)"
    )


def text(value: datetime) -> str:
    """As a day where it begins one, else as a time; in UTC."""
    if value == value.replace(hour=0, minute=0, second=0, microsecond=0):
        return value.date().isoformat()
    return value.isoformat(timespec="auto").replace("+00:00", "Z")
