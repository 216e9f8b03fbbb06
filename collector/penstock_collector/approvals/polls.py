"""Gates that wait for news of a request: no more than there is room for, and each woken by its own request alone.

What doesn't belong: what the news is (`holder.py`).
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import Iterator

# In all, and of one book.
MOST = 1_000
MOST_OF_A_BOOK = 100


class TooManyPollsError(RuntimeError):
    """No more of them may wait."""


class Poll:
    """One that waits. `begin` before looking at what there is, so that no news is missed."""

    def __init__(self) -> None:
        self._news = asyncio.Event()

    def begin(self) -> None:
        """What came before is known."""
        self._news.clear()

    def wake(self) -> None:
        """There is news."""
        self._news.set()

    async def news(self, seconds: float) -> None:
        """Wait for news, no longer than that."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._news.wait()


class Polls:
    """All that wait."""

    def __init__(self) -> None:
        self._polls: dict[str, set[Poll]] = {}
        self._books: Counter[str] = Counter()

    @contextlib.contextmanager
    def waiting(self, book: str, name: str) -> Iterator[Poll]:
        """Wait for the request of that name. Raises TooManyPollsError."""
        if self._books[book] >= MOST_OF_A_BOOK or self._books.total() >= MOST:
            raise TooManyPollsError("too many wait for decisions already; come back")
        poll = Poll()
        self._polls.setdefault(name, set()).add(poll)
        self._books[book] += 1
        try:
            yield poll
        finally:
            self._books[book] -= 1
            self._polls[name].discard(poll)
            if not self._books[book]:
                del self._books[book]
            if not self._polls[name]:
                del self._polls[name]

    def wake(self, name: str) -> None:
        """The request has changed."""
        for poll in self._polls.get(name, ()):
            poll.wake()

    def wake_all(self) -> None:
        """The program ends."""
        for name in self._polls:
            self.wake(name)
