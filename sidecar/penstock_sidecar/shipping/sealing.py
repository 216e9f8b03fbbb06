"""Events on their way into the spool: what one append brings, and sealed as the stream's next lines.

What doesn't belong: files (`segments.py`, `log.py`) and threads (`spool.py`).
"""

from __future__ import annotations

from collections.abc import Sequence, Set
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from penstock_core.audit.chain import Head, written
from penstock_core.audit.event import BEGINS, ENDS, Event
from penstock_core.audit.form import EventBody
from penstock_core.audit.size import MAX_BODY, fit
from penstock_sidecar.shipping.whole_statement import Statement, WholeStatement, statement_of

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

    def without_ends_of(self, statements: Set[Statement]) -> Entry:
        """The same without the outcomes of these."""
        bodies = self.bodies
        kept = [body for body in bodies if body.get("kind") != "outcome" or statement_of(body) not in statements]
        return self if len(kept) == len(bodies) else replace(self, bodies=kept)


def seal(head: Head, entry: Entry) -> tuple[Head, list[bytes]]:
    """Each body sealed as the next event: the head after them, and their canonical lines. Raises ChainError."""
    time = timestamp(entry.when)
    sealed: list[bytes] = []
    for body in entry.bodies:
        after, line = _written(head, body, time)
        if len(line) <= MAX_BODY:
            head = after
            sealed.append(line)
            continue
        # What is too large as a whole may be told in two events, of which nothing has to be cut.
        for part in (body.intent, body.outcome) if isinstance(body, WholeStatement) else (body,):
            head, line = _fitted(head, part, time)
            sealed.append(line)
    return head, sealed


def _written(head: Head, body: Event, time: str) -> tuple[Head, bytes]:
    form = body.form if isinstance(body, EventBody | WholeStatement) else None
    if form is not None:
        line, hash_ = form.seal(body, head, time)
        return Head(head.stream, head.seq + 1, hash_), line
    event, after = head.seal(dict(body), time)
    return after, written(event)


def _fitted(head: Head, body: Event, time: str) -> tuple[Head, bytes]:
    after, line = _written(head, body, time)
    return (after, line) if len(line) <= MAX_BODY else _written(head, fit(dict(body)), time)


def timestamp(when: datetime) -> str:
    """RFC 3339 in UTC with microseconds, the form of `time` in events."""
    return when.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def begun_and_ended(bodies: Sequence[Event]) -> tuple[set[Statement], set[Statement]]:
    """The statements of whose beginning the bodies tell, and those of whose end they do."""
    begun = {statement_of(body) for body in bodies if body.get("kind") in BEGINS}
    return begun, {statement_of(body) for body in bodies if body.get("kind") in ENDS}


def unknown_outcome(statement: Statement) -> Event:
    """The outcome of an intent whose real one was lost with the process."""
    session, number = statement
    return {"kind": "outcome", "session": session, "statement": number, "result": "unknown"}
