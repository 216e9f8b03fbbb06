"""How long a statement that is on its way may go unrecorded, where its answer waits for its record: a moment.

What has ended by then is one event in the trail. All sessions share one timer, and each has one moment at a time: one
for each statement would cost as much as what it is for. So a statement that comes amid one has its own behind it. What
the end of a moment means is `penstock_sidecar.session`'s.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable
from typing import TypeAlias

# What looks something up is over in less, also at a gate that is busy; of what takes longer, the sync of its intent is
# over long before its answer is, and whoever looks at the trail sees it run as soon as anybody could.
MOMENT_SECONDS = 0.005

# By the ticket of its batch.
Over: TypeAlias = Callable[[int], None]


class Moments:
    """Those that have begun and are not over, of all sessions of a gate."""

    def __init__(self) -> None:
        self._begun: deque[tuple[float, Over, int]] = deque()
        self._timer: asyncio.TimerHandle | None = None

    def begin(self, over: Over, ticket: int) -> None:
        """Call `over` with that ticket in a moment."""
        self._begun.append((time.monotonic() + MOMENT_SECONDS, over, ticket))
        if self._timer is None:
            # To be asked for each time, the loop would cost a system call.
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(MOMENT_SECONDS, self._end, loop)

    def _end(self, loop: asyncio.AbstractEventLoop) -> None:
        now, begun, self._timer = time.monotonic(), self._begun, None
        while begun and begun[0][0] <= now:
            _, over, ticket = begun.popleft()
            over(ticket)
        if begun and self._timer is None:
            self._timer = loop.call_later(max(0.001, begun[0][0] - now), self._end, loop)
