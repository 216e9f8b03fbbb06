"""The door that all sessions of one gate share: a change of the catalog, and statements decided by the catalog that was,
never pass at the same time.

A session whose identity has masks is *inside* from the moment a statement of it is decided until the server has
answered it. A session that is about to commit a change of the catalog *closes* the door: no other statement is decided
from then on, and the commit is sent once nobody is inside. When the commit is answered, the door stays closed until the
catalog has been read that holds from then on. Waiting is the runtime's business (`proxy/gate.py`); this keeps the
count. No I/O.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable


def _nobody_waits() -> None:
    """Where no runtime listens."""


class Door:
    """Who is inside, who closed it, and whether the catalog that statements are decided by is fresh."""

    def __init__(self) -> None:
        self._inside: set[Hashable] = set()
        self._closed_by: set[Hashable] = set()
        # How many changes of the catalog have ended, and how many of them the catalog has that is decided by.
        self.changes = 0
        self.seen = 0
        # Sessions that ended while a statement of theirs was on its way, each with the server's process that may still
        # run it.
        self.ended: dict[Hashable, int] = {}
        # Called when somebody left while the door is closed, and when it may have opened.
        self.on_left: Callable[[], None] = _nobody_waits
        self.on_open: Callable[[], None] = _nobody_waits

    @property
    def open(self) -> bool:
        """Whether statements may be decided."""
        return not self._closed_by and self.changes == self.seen

    def enter(self, who: Hashable) -> None:
        """A statement of that session is decided by the present catalog."""
        self._inside.add(who)

    def leave(self, who: Hashable) -> None:
        """Everything that session had on its way is answered."""
        self._inside.discard(who)
        if self._closed_by:
            self.on_left()

    def close(self, who: Hashable) -> None:
        """That session is about to commit a change."""
        self._closed_by.add(who)

    def closed_by(self, who: Hashable) -> bool:
        """Whether that session is about to."""
        return who in self._closed_by

    def others_inside(self, who: Hashable) -> frozenset[Hashable]:
        """Whom that session has to wait for."""
        return frozenset(self._inside - {who})

    def give_up(self, who: Hashable) -> None:
        """That session commits nothing after all."""
        self._closed_by.discard(who)
        self._opened()

    def changed(self, who: Hashable) -> None:
        """The commit is answered, whatever the answer; the catalog has to be read."""
        self._closed_by.discard(who)
        self.changes += 1

    def expire(self) -> None:
        """The catalog is too old to decide by."""
        self.changes += 1

    def read(self, changes: int) -> None:
        """A catalog is in force whose reading began after that many changes."""
        self.seen = max(self.seen, changes)
        self._opened()

    def end(self, who: Hashable, process: int) -> None:
        """That session ended, with statements on their way that the server's process may still run."""
        if who in self._inside or who in self._closed_by:
            self.ended[who] = process

    def gone(self, who: Hashable) -> None:
        """The server's process of a session that ended is no more."""
        del self.ended[who]
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
