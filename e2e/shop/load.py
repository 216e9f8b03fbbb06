"""An application under steady load: sessions that last and sessions that are renewed, as pools do, that read and write.

load.py PLACE SECONDS   until SIGTERM; each client waits so long between two statements. PLACE is a file, to which a
                        line of JSON goes for all that is tried, before it is, and for all that becomes of it

Each statement has a mark of its own, by which it is found in the server's log, the table and the trail. Knows no
Penstock. What doesn't belong: what must be true of it all (`e2e/load/accounting.py`).
"""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import signal
import socket
import sys
import time
from pathlib import Path
from typing import Any

import asyncpg

# How long a client keeps a session. A pool renews them; who holds one for ever is there, too.
LIVES = (None, None, 6.0, 3.0)
PATIENCE_SECONDS = 30.0
MASKED = "a***@example.com"


class Ledger:
    """A file that outlives the pod; a line is in it as soon as it is written, whatever becomes of the process."""

    def __init__(self, place: Path) -> None:
        self._file = os.open(place, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        self.pod = socket.gethostname()

    def write(self, what: str, **more: Any) -> None:
        line = {"what": what, "pod": self.pod, "time": time.time(), **more}
        os.write(self._file, (json.dumps(line) + "\n").encode())


class Client:
    """One session after the other."""

    def __init__(self, ledger: Ledger, number: int, pause: float, stopping: asyncio.Event) -> None:
        self._ledger = ledger
        self._number = number
        self._pause = pause
        self._stopping = stopping
        self._count = itertools.count(1)
        self._pod = ledger.pod.rpartition("-")[2]

    async def run(self) -> None:
        while not self._stopping.is_set():
            began = time.monotonic()
            try:
                session = await asyncpg.connect(timeout=PATIENCE_SECONDS, command_timeout=PATIENCE_SECONDS)
            except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError) as error:
                self._ledger.write("not connected", client=self._number, error=repr(error))
                await asyncio.sleep(self._pause)
                continue
            self._ledger.write("connected", client=self._number, seconds=time.monotonic() - began)
            await self._use(session, LIVES[self._number % len(LIVES)])

    async def _use(self, session: asyncpg.Connection[Any], life: float | None) -> None:
        end = None if life is None else time.monotonic() + life
        while not self._stopping.is_set() and (end is None or time.monotonic() < end):
            if not await self._statement(session):
                session.terminate()
                return
            await asyncio.sleep(self._pause)
        await session.close()

    async def _statement(self, session: asyncpg.Connection[Any]) -> bool:
        """Whether the session can go on."""
        number = next(self._count)
        mark = f"mark_{self._pod}_{self._number}_{number}"
        writes = number % 4 == 0
        self._ledger.write("sent", mark=mark, writes=writes)
        began = time.monotonic()
        try:
            if writes:
                await session.execute(f"INSERT INTO marks (mark) VALUES ('{mark}')")
            else:
                (row,) = await session.fetch(f"SELECT email, '{mark}' AS mark FROM customers WHERE id = 1")
                if tuple(row) != (MASKED, mark):
                    raise ValueError(f"wrong row: {tuple(row)}")
        except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError, ValueError) as error:
            self._ledger.write(
                "failed", mark=mark, error=repr(error), sqlstate=getattr(error, "sqlstate", None),
                lost=isinstance(error, OSError | asyncpg.InterfaceError | asyncpg.PostgresConnectionError),
            )  # fmt: skip
            return not session.is_closed() and isinstance(error, asyncpg.PostgresError)
        self._ledger.write("answered", mark=mark, seconds=time.monotonic() - began)
        return True


async def main(place: str, pause: str) -> None:
    stopping = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopping.set)
    ledger = Ledger(Path(place))
    ledger.write("began")
    await asyncio.gather(*(Client(ledger, number, float(pause), stopping).run() for number in range(len(LIVES))))
    ledger.write("ended")


asyncio.run(main(*sys.argv[1:3]))
