"""The one writer of the store: jobs, each a transaction, one after the other in a thread; and whether it can commit.

What doesn't belong: what the jobs do, how much room there is (`room.py`).
"""

from __future__ import annotations

import asyncio
import contextlib
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
# However many ask whether anything can be written, the disk is asked no more often; and waited for no longer.
_CHECK_SECONDS = 1.0
_PATIENCE_SECONDS = 3.0
# What is written to see whether anything can be. Once something failed, as much as a batch may take: a full disk still
# has a page here and there, and a sender would be let in and sent away in turn.
_PROBE_BYTES = 1
_PROBE_BYTES_AFTER_FAILURE = 2 * 1024 * 1024
_PROBE_SECONDS_AFTER_FAILURE = 5.0
# What SQLite says when it is not the job that is wrong.
_OF_THE_STORE = frozenset(
    {
        sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_PROTOCOL, sqlite3.SQLITE_NOMEM,
    }
)  # fmt: skip


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
        self._complaint, self._check_again = "", float("-inf")
        self._probing: asyncio.Future[str] | None = None
        # As the jobs have it: when one was committed last, and whether one failed that no probe has made good.
        self._committed, self._failed = float("-inf"), False

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

    @property
    def complaint(self) -> str:
        """Why nothing can be written, as of the last check; "" if it can."""
        return self._complaint

    async def check(self) -> None:
        """Raises StoreError if no batch can be committed at the moment."""
        async with self._checking:
            now = time.monotonic()
            if self._failed or now - self._committed >= _CHECK_SECONDS:
                if now >= self._check_again:
                    self._complaint = await self._probe()
                    pause = _PROBE_SECONDS_AFTER_FAILURE if self._failed else _CHECK_SECONDS
                    self._check_again = time.monotonic() + pause
            else:
                self._complaint = ""
        if self._complaint:
            raise StoreError(self._complaint)

    async def _probe(self) -> str:
        """Commit something; why that can't be done, "" if it was."""
        if self._probing is None:
            self._probing = asyncio.get_running_loop().run_in_executor(self._thread, self._write_probe)
        done, _ = await asyncio.wait([self._probing], timeout=_PATIENCE_SECONDS)
        if not done:
            return "the audit database does not answer: its disk hangs, or another program has locked it"
        result, self._probing = self._probing.result(), None
        return result

    def _write_probe(self) -> str:
        size = _PROBE_BYTES_AFTER_FAILURE if self._failed else _PROBE_BYTES
        write = "UPDATE store_probe SET filler = randomblob(?)"
        try:
            self._transact(lambda connection: connection.execute(write, (size,)))
            if size > _PROBE_BYTES:
                self._transact(lambda connection: connection.execute(write, (_PROBE_BYTES,)))
        except StoreError as error:
            return str(error)
        self._failed = False
        return ""

    def _transact(self, job: Callable[[sqlite3.Connection], T]) -> T:
        if _place(self._path) != self._file:
            # SQLite would go on writing to a file that nobody finds again, and we would go on acknowledging.
            self._committed = float("-inf")
            raise StoreError(
                f"audit database {self._path} was removed or replaced; put it back, or restart the collector"
            )
        self._rollback()
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            result = job(self._connection)
            self._connection.execute("COMMIT")
        except sqlite3.Error as error:
            self._rollback()
            code = getattr(error, "sqlite_errorcode", 0) & 0xFF
            self._failed = self._failed or code in _OF_THE_STORE
            if code == sqlite3.SQLITE_FULL:
                raise StoreError("the audit database cannot grow: the disk is full") from None
            raise StoreError(f"the audit database cannot be written: {error}") from None
        except BaseException:
            self._rollback()
            raise
        self._committed = time.monotonic()
        return result

    def _rollback(self) -> None:
        # On a broken disk this may fail too; it is tried again before the next transaction.
        with contextlib.suppress(sqlite3.Error):
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
