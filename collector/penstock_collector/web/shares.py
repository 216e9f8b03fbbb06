"""What one sender may have of the intake, so that the others get theirs: batches at once, and new streams in a while.

What doesn't belong: who sends (`gates.py`), taking in (`ingest.py`), whose turn it is to be stored
(`store/fair_turns.py`).
"""

from __future__ import annotations

import time
from collections import Counter, OrderedDict, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from starlette.requests import Request

from penstock_entrance.log_throttle import LogThrottle

# A gate sends one after the other, and some share a token; each may be megabytes in memory.
MOST_BATCHES = 8
# A gate that starts again and again begins some dozens.
MOST_NEW_STREAMS = 200
NEW_STREAMS_SECONDS = 3600.0
_MOST_REMEMBERED = 20_000


class ShareUsedUpError(Exception):
    """The sender has all it may; the message is one line for it."""


class Shares:
    """All senders' shares."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        # What senders, and those who fail to sign in, may have of the log.
        self.log = LogThrottle()
        self._batches: Counter[str] = Counter()
        self._seen: OrderedDict[str, None] = OrderedDict()
        self._begun: OrderedDict[str, deque[float]] = OrderedDict()

    @contextmanager
    def batch(self, sender: str) -> Iterator[None]:
        """While a batch is read and stored. Raises ShareUsedUpError."""
        if self._batches[sender] >= MOST_BATCHES:
            raise ShareUsedUpError(
                f"this sender has {MOST_BATCHES} batches under way already; send one after the other"
            )
        self._batches[sender] += 1
        try:
            yield
        finally:
            self._batches[sender] -= 1
            if not self._batches[sender]:
                del self._batches[sender]

    def has_seen(self, stream: str) -> bool:
        """Whether it is known to exist."""
        if stream in self._seen:
            self._seen.move_to_end(stream)
        return stream in self._seen

    def saw(self, stream: str) -> None:
        """It exists."""
        self._seen[stream] = None
        if len(self._seen) > _MOST_REMEMBERED:
            self._seen.popitem(last=False)

    def begin_stream(self, sender: str) -> None:
        """One that did not exist yet. Raises ShareUsedUpError."""
        begun = self._begun.setdefault(sender, deque())
        self._begun.move_to_end(sender)
        if len(self._begun) > _MOST_REMEMBERED:
            self._begun.popitem(last=False)
        now = self._clock()
        while begun and begun[0] <= now - NEW_STREAMS_SECONDS:
            begun.popleft()
        if len(begun) >= MOST_NEW_STREAMS:
            raise ShareUsedUpError(
                f"this sender began {MOST_NEW_STREAMS} streams within an hour; go on with one of them"
            )
        begun.append(now)


def shares_of(request: Request) -> Shares:
    """Of the collector that a request came to."""
    shares: Shares = request.app.state.shares
    return shares
