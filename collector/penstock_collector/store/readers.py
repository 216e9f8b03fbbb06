"""Reading the store: each question in a thread of its own, in turn by who asks, and no longer than it may take.

What doesn't belong: the questions.
"""

from __future__ import annotations

import asyncio
import sqlite3
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from penstock_collector.store.database import StoreError, connect
from penstock_collector.store.fair_turns import VIEWER, CrowdedError, FairTurns, on_behalf_of

T = TypeVar("T")

# Threads for people's searches, and how many of them one person may have; threads for all else, which is short.
_SEARCHES = 4
_SEARCHES_OF_ONE = 2
_OTHERS = 2
_MOST_WAITING = 512
# A person's open pages look at the same moment.
_MOST_WAITING_OF_ONE = 40
# The engine looks so often, in steps of its own, whether it should stop.
_STEPS = 20_000


class TooSlow(StoreError):
    """A search took longer than it may."""


class TooMany(StoreError):
    """Too many questions wait."""


class _Question:
    """What is asked, and whether an answer is still wanted."""

    def __init__(self, deadline: float) -> None:
        self.deadline = deadline
        self.left = False

    def is_over(self) -> int:
        return int(self.left or time.monotonic() > self.deadline)


class Readers:
    """Connections that only read, so that a search holds up neither loop nor writer, nor one another's."""

    def __init__(self, path: Path, patience: float = 10.0) -> None:
        self._path = path
        self._patience = patience
        self._local = threading.local()
        self._opened: list[sqlite3.Connection] = []
        waiting = {"waiting": _MOST_WAITING, "waiting_of_one": _MOST_WAITING_OF_ONE}
        self._searches = (
            ThreadPoolExecutor(_SEARCHES, thread_name_prefix="penstock-search"),
            FairTurns(_SEARCHES, of_one=_SEARCHES_OF_ONE, **waiting),
        )
        self._others = (
            ThreadPoolExecutor(_OTHERS, thread_name_prefix="penstock-reader"),
            FairTurns(_OTHERS, of_one=_OTHERS, waiting=_MOST_WAITING, waiting_of_one=_MOST_WAITING),
        )

    async def run(self, question: Callable[[sqlite3.Connection], T]) -> T:
        """The answer of `question`, which gets a connection within a read transaction; it ends when nobody waits for
        it any more. Raises StoreError, TooSlow, TooMany.
        """
        who = on_behalf_of.get()
        threads, turns = self._searches if who.startswith(VIEWER) else self._others
        asked = _Question(time.monotonic() + self._patience)
        try:
            async with asyncio.timeout(self._patience):
                await turns.enter(who)
        except CrowdedError as crowded:
            raise TooMany(f"too many {'of your ' if crowded.own else ''}searches wait already; come back") from None
        except TimeoutError:
            raise TooSlow("too many searches are before this one; come back") from None
        working = asyncio.get_running_loop().run_in_executor(threads, self._ask, question, asked)
        working.add_done_callback(lambda done: _ended(turns, who, done))
        try:
            return await asyncio.shield(working)
        finally:
            asked.left = True

    def _ask(self, question: Callable[[sqlite3.Connection], T], asked: _Question) -> T:
        try:
            connection = self._connection()
            connection.set_progress_handler(asked.is_over, _STEPS)
            # One snapshot for all that the question reads.
            connection.execute("BEGIN")
            try:
                return question(connection)
            finally:
                connection.set_progress_handler(None, 0)
                connection.execute("ROLLBACK")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode == sqlite3.SQLITE_INTERRUPT:
                raise TooSlow("this search takes too long; narrow it by time, identity or stream") from None
            raise StoreError(f"audit database cannot be read: {error}") from None
        except sqlite3.DatabaseError as error:
            raise StoreError(f"audit database cannot be read: {error}") from None

    def _connection(self) -> sqlite3.Connection:
        if not hasattr(self._local, "connection"):
            connection = connect(self._path)
            connection.row_factory = sqlite3.Row
            connection.execute("PRAGMA query_only = ON")
            self._local.connection = connection
            self._opened.append(connection)
        opened: sqlite3.Connection = self._local.connection
        return opened

    def close(self) -> None:
        """Wait for running questions, and close the connections."""
        for threads, _ in (self._searches, self._others):
            threads.shutdown(wait=True)
        for connection in self._opened:
            connection.close()


def _ended(turns: FairTurns, who: str, done: asyncio.Future[T]) -> None:
    # Nobody may be left to whom its error is of interest.
    if not done.cancelled():
        done.exception()
    turns.leave(who)
