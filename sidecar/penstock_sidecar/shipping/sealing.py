"""Events on their way into the spool: what one append brings, and sealed as the stream's next lines.

What doesn't belong: files (`segments.py`, `log.py`) and threads (`spool.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeAlias

from penstock_core.audit.chain import Head, written
from penstock_core.audit.event import Event
from penstock_core.audit.form import EventBody
from penstock_core.audit.size import MAX_BODY, fit

# A statement by its session and its number in it.
Statement: TypeAlias = tuple[Any, Any]

# These tell how something that was accepted ended, so they may use the room that is kept free.
ENDINGS = frozenset({"outcome", "loss", "close"})


@dataclass(frozen=True, slots=True)
class Entry:
    """What one append brings: bodies that are recorded together or not at all."""

    bodies: Sequence[Event]
    when: datetime
    # Whether somebody waits until it is durable.
    awaited: bool = True

    @property
    def kinds(self) -> frozenset[str]:
        return frozenset(str(body.get("kind")) for body in self.bodies)

    @property
    def only_ends(self) -> bool:
        """Whether it only tells how something ended that was accepted before."""
        return self.kinds <= ENDINGS


def seal(head: Head, entry: Entry) -> tuple[Head, list[bytes]]:
    """Each body sealed as the next event: the head after them, and their canonical lines. Raises ChainError."""
    time = timestamp(entry.when)
    sealed = []
    for body in entry.bodies:
        if isinstance(body, EventBody):
            line, hash_ = body.form.seal(body, head, time)
            after = Head(head.stream, head.seq + 1, hash_)
        else:
            event, after = head.seal(body, time)
            line = written(event)
        if len(line) > MAX_BODY:
            event, after = head.seal(fit(dict(body)), time)
            line = written(event)
        head = after
        sealed.append(line)
    return head, sealed


def timestamp(when: datetime) -> str:
    """RFC 3339 in UTC with microseconds, the form of `time` in events."""
    return when.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def begun_and_ended(bodies: Sequence[Event]) -> tuple[set[Statement], set[Statement]]:
    """The statements whose intents are among the bodies, and those whose outcomes are."""
    begun = {statement_of(body) for body in bodies if body.get("kind") == "intent"}
    return begun, {statement_of(body) for body in bodies if body.get("kind") == "outcome"}


def statement_of(body: Event) -> Statement:
    """What joins an intent and its outcome within a stream."""
    return body.get("session"), body.get("statement")


def unknown_outcome(statement: Statement) -> Event:
    """The outcome of an intent whose real one was lost with the process."""
    session, number = statement
    return {"kind": "outcome", "session": session, "statement": number, "result": "unknown"}
