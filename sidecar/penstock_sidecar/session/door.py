"""The door that all sessions of one gate share, between changes of the catalog and statements decided by the catalog.

A session whose identity has masks is *inside* from the moment a statement of it is decided until the server has
answered it. A session that is about to commit a change of the catalog *closes* the door: nothing is decided from then
on until the change is answered and the catalog has been read that holds by then.

What was inside already may reach the server after the change. What writes is waited for. What only reads goes on, but
is *in doubt*: its results are held back, and once the catalog has been read, the statement is decided again; the client
gets them if the decision is the same. A change that commits at a time of its own choosing waits for reads, too.

Waiting is the runtime's business (`proxy/rules_provider.py`); this keeps the count. No I/O.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol


class Inside(Protocol):
    """What is asked of a session: `flow.Flow`."""

    @property
    def writing(self) -> bool: ...

    def doubt(self) -> None: ...


def _nobody_waits() -> None:
    """Where no runtime listens."""


def _nobody_asks(who: Inside, changed: bool) -> None:
    """Where there are no other workers."""


class Door:
    """Who is inside, who closed it, and whether the catalog that statements are decided by is fresh."""

    def __init__(self) -> None:
        self._inside: set[Inside] = set()
        self._closed_by: set[Inside] = set()
        # How many changes of the catalog have ended, and how many of them the catalog has that is decided by.
        self.changes = 0
        self.seen = 0
        # How many sessions wait until it opens, and those whose results do.
        self.waiting = 0
        self.in_doubt: set[Inside] = set()
        # Those of them that met a second change before they were decided again: by the catalog of now, which may be as
        # it was before the first, nobody can tell what they were answered by.
        self.lost: set[Inside] = set()
        # Sessions that ended while they changed something, each with the server's process that may still do it.
        self.ended: dict[Inside, int] = {}
        # Whether other workers of the gate have doors of this database, which have to be closed with it.
        self.shared = False
        # Called when a session that closed it lets go, with whether it may have changed something.
        self.on_released: Callable[[Inside, bool], None] = _nobody_asks
        # Called when somebody left while it is closed, and when it has opened.
        self.on_left: Callable[[], None] = _nobody_waits
        self.on_open: Callable[[], None] = _nobody_waits

    @property
    def open(self) -> bool:
        """Whether statements may be decided."""
        return not self._closed_by and self.changes == self.seen

    @property
    def wanted(self) -> bool:
        """Whether sessions wait for it to open. They go before the next change, or they would wait for the last."""
        return bool(self.waiting or self.in_doubt)

    def enter(self, who: Inside) -> None:
        """A statement of that session is decided by the present catalog."""
        self._inside.add(who)

    def leave(self, who: Inside) -> None:
        """Everything that session had on its way is answered, or of no use to anybody."""
        self._inside.discard(who)
        self.out_of_doubt(who)
        if self._closed_by or self.waiting or self.in_doubt:
            self.on_left()

    def close(self, who: Inside, *, alone: bool) -> bool:
        """Close it for that session if nobody has to be waited for; whether that is so. `alone`: also not for reads."""
        if self.shared or (self.wanted and not self.open):
            return False
        if self.before(who, alone=alone):
            return False
        self._closed_by.add(who)
        return True

    def force(self, who: Inside) -> None:
        """Close it for that session, which has to wait for others."""
        self._closed_by.add(who)

    def closed_by(self, who: Inside) -> bool:
        """Whether that session closed it."""
        return who in self._closed_by

    def before(self, who: Inside, *, alone: bool) -> list[Inside]:
        """Whom that session has to wait for."""
        return [one for one in self._inside if one is not who and (alone or one.writing or one in self.ended)]

    def commits(self, who: Inside) -> None:
        """The change is being sent: what others have on its way may be answered by another catalog from now on."""
        self.lost |= self.in_doubt - {who}
        for one in self._inside - {who}:
            self.in_doubt.add(one)
            one.doubt()

    def out_of_doubt(self, who: Inside) -> bool:
        """That session's doubt ends; whether the catalog of now tells how."""
        known = who not in self.lost
        self.in_doubt.discard(who)
        self.lost.discard(who)
        return known

    def give_up(self, who: Inside) -> None:
        """That session commits nothing after all."""
        if who in self._closed_by:
            self._closed_by.discard(who)
            self.on_released(who, False)
            self._opened()

    def changed(self, who: Inside) -> None:
        """The commit is answered, whatever the answer; the catalog has to be read."""
        self._closed_by.discard(who)
        self.changes += 1
        self.on_released(who, True)

    def expire(self) -> None:
        """The catalog is too old to decide by."""
        self.changes += 1

    def read(self, changes: int) -> None:
        """A catalog is in force whose reading began after that many changes."""
        self.seen = max(self.seen, changes)
        self._opened()

    def end(self, who: Inside, process: int) -> None:
        """That session ended, and what it had on its way may still change something on the server."""
        self.ended[who] = process

    def gone(self, who: Inside) -> None:
        """The server's process of a session that ended is no more."""
        if self.ended.pop(who, None) is None:
            return
        if who in self._closed_by:
            self.changed(who)
        self.leave(who)

    @property
    def held_by_ended(self) -> bool:
        """Whether a session that ended had closed it."""
        return any(who in self._closed_by for who in self.ended)

    def _opened(self) -> None:
        if self.open:
            self.on_open()
