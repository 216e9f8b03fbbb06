"""Statements of a period, each with its beginning and its end, of events in which these stand apart or together.

What doesn't belong: what is told of them (`summary.py`); whether each has an end (`penstock_core.audit.stream_check`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from penstock_core.audit.event import BEGINS, ENDS, Event

# Decisions and results of what did not run.
_REFUSED = ("deny", "denied")
_NOT_RUN = ("unexecuted", "skipped")


@dataclass(frozen=True, slots=True)
class Statement:
    """One that began in the period, and what is known of its end."""

    begun: Event
    ended: Event | None

    def __getitem__(self, name: str) -> Any:
        """A field of its beginning; None where there is none."""
        return self.begun.get(name)

    @property
    def result(self) -> str:
        """As its end tells it; `unknown` without one."""
        return str(self.ended.get("result", "unknown")) if self.ended is not None else "unknown"

    @property
    def rows(self) -> int:
        found = (self.ended or {}).get("rows", 0)
        return found if isinstance(found, int) else 0

    @property
    def refused(self) -> bool:
        return self["decision"] == _REFUSED[0] or self.result == _REFUSED[1]

    @property
    def ran(self) -> bool:
        """Whether the server got it, as far as is known."""
        return not self.refused and self.result not in _NOT_RUN


class Statements:
    """Puts beginnings and ends together. What is over is forgotten."""

    def __init__(self) -> None:
        self._begun: dict[tuple[str, str, str], Event] = {}

    def take(self, event: Event, *, within: bool) -> Statement | None:
        """The next event of some stream, and whether it is of the period; the statement that it ends, if there is one.

        A statement is of the period in which it began.
        """
        kind = event["kind"]
        key = (str(event["stream"]), str(event.get("session", "")), str(event.get("statement", "")))
        if kind in BEGINS and kind in ENDS:
            return Statement(event, event) if within else None
        if kind in BEGINS:
            if within:
                self._begun[key] = event
            return None
        begun = self._begun.pop(key, None) if kind in ENDS else None
        return Statement(begun, event) if begun is not None else None

    def without_end(self) -> Iterator[Statement]:
        """Those that have not ended yet."""
        for begun in self._begun.values():
            yield Statement(begun, None)
