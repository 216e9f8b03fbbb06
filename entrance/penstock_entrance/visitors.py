"""Who is connected: bounded in number, so that nobody who can connect shuts out the others or takes all memory.

Who has not shown who he is makes way, the oldest first; who has, makes way for his own newer connections alone. What
doesn't belong: protocols, and how long anything may take (`guarded_http.py`).
"""

from __future__ import annotations

from typing import Protocol

from penstock_entrance.log_throttle import LogThrottle
from penstock_entrance.open_files import most_connections

# Of those that have not shown who they are.
MOST_STRANGERS = 1_000
# Of one who has: a gate that waits for a hundred decisions, or the people behind one name, have room.
MOST_OF_ONE = 200


class Visitor(Protocol):
    """A connection."""

    def make_way(self) -> None:
        """End at once."""


class Visitors:
    """The connections of one listener."""

    def __init__(self, *, strangers: int = MOST_STRANGERS, of_one: int = MOST_OF_ONE, most: int | None = None) -> None:
        self.log = LogThrottle()
        self._most = most_connections() if most is None else most
        self._most_strangers = min(strangers, max(1, self._most // 2))
        self._of_one = of_one
        self._strangers: dict[Visitor, None] = {}
        self._known: dict[str, dict[Visitor, None]] = {}
        self._names: dict[Visitor, str] = {}

    def __len__(self) -> int:
        return len(self._strangers) + len(self._names)

    def arrived(self, visitor: Visitor) -> None:
        """A new connection, whose other end is not known yet."""
        self._strangers[visitor] = None
        if len(self._strangers) > self._most_strangers:
            self._evict(self._strangers)
        elif len(self) > self._most:
            # There is always one: this one, if need be.
            self._evict(self._largest())

    def known(self, visitor: Visitor, name: str) -> None:
        """It has shown who it is. Behind a proxy, it may be somebody else at each request."""
        if visitor not in self._strangers and visitor not in self._names:
            return
        if self._names.get(visitor) == name:
            return
        self.left(visitor)
        self._names[visitor] = name
        of_one = self._known.setdefault(name, {})
        of_one[visitor] = None
        if len(of_one) > self._of_one:
            self._evict(of_one)

    def left(self, visitor: Visitor) -> None:
        """It is gone, or counts elsewhere from now on."""
        self._strangers.pop(visitor, None)
        name = self._names.pop(visitor, None)
        if name is not None:
            self._known[name].pop(visitor, None)
            if not self._known[name]:
                del self._known[name]

    def _largest(self) -> dict[Visitor, None]:
        """Those who have the most: strangers count as one."""
        return max((self._strangers, *self._known.values()), key=len)

    def _evict(self, of: dict[Visitor, None]) -> None:
        oldest = next(iter(of))
        self.left(oldest)
        self.log.warn("a connection made way for newer ones")
        oldest.make_way()
