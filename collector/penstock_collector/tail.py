"""Following the trail: each follower reads behind its own cursor when the bell rings, at its own pace.

So a slow follower costs no memory and holds up nobody: what it cannot show any more it is told of as a gap, and no
record can fall between a page and its stream. What doesn't belong: the form in which followers get it (`web/`).
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import contextmanager
from functools import partial

from penstock_collector.bell import Bell
from penstock_collector.lookup import NewRecords, R
from penstock_collector.store.readers import Readers

# Between two reads of a follower, so that a flood arrives in portions and not one by one.
_PORTION_SECONDS = 0.1
PING_SECONDS = 15.0
# Open pages, in all and of one viewer.
MOST_FOLLOWERS = 200
MOST_OF_ONE = 20


class TooManyFollowers(RuntimeError):
    """No more followers are let in."""


class Tail:
    """Rings when something was stored, and ends all followers when the collector stops."""

    def __init__(self, readers: Readers) -> None:
        self._readers = readers
        self._bell = Bell()
        self._stopping = False
        self._places: Counter[str] = Counter()

    def ring(self) -> None:
        """Something was stored."""
        self._bell.ring()

    def stop(self) -> None:
        """End all followers."""
        self._stopping = True
        self.ring()

    @property
    def followers(self) -> int:
        """How many follow."""
        return self._places.total()

    @contextmanager
    def place(self, viewer: str) -> Iterator[None]:
        """A follower's place, as long as it follows. Raises TooManyFollowers."""
        if self.followers >= MOST_FOLLOWERS:
            raise TooManyFollowers(f"{MOST_FOLLOWERS} viewers follow already")
        if self._places[viewer] >= MOST_OF_ONE:
            raise TooManyFollowers(f"you follow on {MOST_OF_ONE} pages already; close some")
        self._places[viewer] += 1
        try:
            yield
        finally:
            self._places[viewer] -= 1
            if not self._places[viewer]:
                del self._places[viewer]

    async def follow(
        self,
        changes: Callable[[sqlite3.Connection, int], NewRecords[R]],
        after: int,
        allowed: Callable[[], bool],
        ping: float = PING_SECONDS,
    ) -> AsyncGenerator[NewRecords[R] | None]:
        """What `changes` finds behind `after`; None every so often while nothing happens, so that a dead connection
        shows.

        Ends when `allowed` says no, or the collector stops. Raises StoreError.
        """
        while not self._stopping and allowed():
            turn = self._bell.turn()
            found = await self._readers.run(partial(_behind, changes, after))
            after = found.cursor
            if found.records:
                yield found
                await asyncio.sleep(_PORTION_SECONDS)
            if not await turn.passed(ping):
                yield None


def _behind(
    changes: Callable[[sqlite3.Connection, int], NewRecords[R]], after: int, connection: sqlite3.Connection
) -> NewRecords[R]:
    return changes(connection, after)
