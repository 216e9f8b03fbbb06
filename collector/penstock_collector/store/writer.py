"""The one writer of the store: jobs, each a transaction, one after the other in a thread.

What doesn't belong: what the jobs do.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import sqlite3
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from penstock_collector.store.database import StoreError, open_for_writing
from penstock_collector.store.fair_turns import CrowdedError, FairTurns, on_behalf_of

T = TypeVar("T")

# Jobs that may wait, in all and of one sender; one that comes when so many do is told to come back.
_MOST_WAITING = 512
_MOST_WAITING_OF_ONE = 64
_CHECK_SECONDS = 1.0


class Busy(StoreError):
    """Too many jobs wait for the disk."""


class Writer:
    """Owns the file: while it is open, no other process can write it."""

    def __init__(self, path: Path) -> None:
        """Open or make the file. Raises StoreError with one line."""
        self._lock = _lock(path)
        try:
            self._connection = open_for_writing(path)
        except StoreError:
            os.close(self._lock)
            raise
        self._path = path
        self._file = _place(path)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="penstock-writer")
        self._turns = FairTurns(1, of_one=1, waiting=_MOST_WAITING, waiting_of_one=_MOST_WAITING_OF_ONE)
        self._checking = asyncio.Lock()
        self._checked = float("-inf")
        self._complaint = ""

    async def run(self, job: Callable[[sqlite3.Connection], T]) -> T:
        """What `job` returns, once its transaction is on the disk; senders have turns. Raises StoreError, Busy."""
        who = on_behalf_of.get()
        try:
            await self._turns.enter(who)
        except CrowdedError as crowded:
            raise Busy(
                "this sender has too much waiting already" if crowded.own else "the audit database does not keep up"
            ) from None
        # What has begun goes on, whoever leaves meanwhile, and the next one's turn comes behind it.
        working = asyncio.get_running_loop().run_in_executor(self._thread, self._transact, job)
        working.add_done_callback(lambda done: self._ended(who, done))
        return await asyncio.shield(working)

    def _ended(self, who: str, done: asyncio.Future[T]) -> None:
        # Nobody may be left to whom its error is of interest.
        if not done.cancelled():
            done.exception()
        self._turns.leave(who)

    async def check(self) -> None:
        """Raises StoreError if nothing can be written. However many ask, the disk is asked once a second."""
        async with self._checking:
            if time.monotonic() >= self._checked + _CHECK_SECONDS:
                try:
                    await self.run(lambda connection: connection.execute("SELECT 1 FROM streams LIMIT 1"))
                    self._complaint = ""
                except StoreError as error:
                    self._complaint = str(error)
                self._checked = time.monotonic()
        if self._complaint:
            raise StoreError(self._complaint)

    def _transact(self, job: Callable[[sqlite3.Connection], T]) -> T:
        if _place(self._path) != self._file:
            # SQLite would go on writing to a file that nobody finds again, and we would go on acknowledging.
            raise StoreError(
                f"audit database {self._path} was removed or replaced; put it back, or restart the collector"
            )
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            result = job(self._connection)
            self._connection.execute("COMMIT")
        except sqlite3.Error as error:
            self._rollback()
            if getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_FULL:
                raise StoreError("the audit database cannot grow: the disk is full") from None
            raise StoreError(f"the audit database cannot be written: {error}") from None
        except BaseException:
            self._rollback()
            raise
        return result

    def _rollback(self) -> None:
        if self._connection.in_transaction:
            self._connection.execute("ROLLBACK")

    def close(self) -> None:
        """Finish what waits, and close the file."""
        self._thread.shutdown(wait=True)
        self._connection.close()
        os.close(self._lock)


def _place(path: Path) -> tuple[int, int] | None:
    """Which file stands there."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _lock(path: Path) -> int:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path.with_name(path.name + ".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise StoreError(f"audit database {path} cannot be opened: {error.strerror}") from None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        raise StoreError(f"audit database {path} is in use by another collector") from None
    return descriptor
