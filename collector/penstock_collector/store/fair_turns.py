"""Who gets the store next: in turn by whose work it is, so that nobody waits for all that another one wants.

What doesn't belong: the work, and who somebody is (`web/guards.py`, `web/gates.py` say so).
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from contextvars import ContextVar

# For whom this runs: "viewer …", "gate …"; "" is the collector itself.
on_behalf_of: ContextVar[str] = ContextVar("on_behalf_of", default="")
VIEWER = "viewer "


class CrowdedError(Exception):
    """Too much waits already; `own`: of the same one."""

    def __init__(self, *, own: bool) -> None:
        super().__init__()
        self.own = own


class FairTurns:
    """Some run at once; of the others, one of each in turn."""

    def __init__(self, at_once: int, *, of_one: int, waiting: int, waiting_of_one: int) -> None:
        """`of_one`: how many run at once for one; `waiting` and `waiting_of_one`: how many may wait."""
        self._free = at_once
        self._of_one = of_one
        self._most = waiting
        self._most_of_one = waiting_of_one
        self._running: Counter[str] = Counter()
        # In the order of their turns.
        self._queues: dict[str, deque[asyncio.Future[None]]] = {}

    async def enter(self, who: str) -> None:
        """Wait for a turn; whoever got it calls `leave`. Raises CrowdedError."""
        queue = self._queues.get(who)
        if self._free and queue is None and self._running[who] < self._of_one:
            self._take(who)
            return
        if queue is not None and len(queue) >= self._most_of_one:
            raise CrowdedError(own=True)
        if sum(map(len, self._queues.values())) >= self._most:
            raise CrowdedError(own=False)
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._queues.setdefault(who, deque()).append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self.leave(who)
            else:
                self._forget(who, turn)
            raise

    def leave(self, who: str) -> None:
        """The turn is over."""
        self._free += 1
        self._running[who] -= 1
        if not self._running[who]:
            del self._running[who]
        self._next()

    def _take(self, who: str) -> None:
        self._free -= 1
        self._running[who] += 1

    def _next(self) -> None:
        for who in tuple(self._queues):
            while self._free and self._running[who] < self._of_one and (queue := self._queues.get(who)):
                turn = queue.popleft()
                # To the end of the row, with what else waits for it.
                del self._queues[who]
                if queue:
                    self._queues[who] = queue
                if not turn.cancelled():
                    self._take(who)
                    turn.set_result(None)
                    break

    def _forget(self, who: str, turn: asyncio.Future[None]) -> None:
        queue = self._queues.get(who)
        if queue is not None and turn in queue:
            queue.remove(turn)
            if not queue:
                del self._queues[who]
