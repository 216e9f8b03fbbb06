"""One agent's session at the gate: a connection that is there when it is needed, and one statement at a time on it.

Each call is a transaction of its own and leaves nothing behind: what reads is rolled back, and the session is as it was
at its beginning after each. What is told of an outcome is `calls.py`'s.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from contextlib import suppress

import anyio
import psycopg
from psycopg import pq

from penstock_agents.gate import wire
from penstock_agents.gate.address import GateAddress
from penstock_agents.gate.credentials import Credential
from penstock_agents.gate.outcomes import Ending, Outcome, Trouble
from penstock_agents.gate.wire import Room, StuckError

# How many calls may wait for one session.
MOST_WAITING = 256
# How long the server's own limit may be exceeded before the connection is given up.
_GRACE_SECONDS = 10.0
# While a statement waits for approval at the gate, a person's session is told so more often than that.
_NOTICE_SECONDS = 40.0
_NOTHING = Room(rows=0, bytes=0, value_bytes=0, stops=False)
_MOST_NOTICES, _LONGEST_NOTICE = 20, 500
_CONNECT_SECONDS = 20.0
_LAST_READS = 3

Connection = psycopg.AsyncConnection[object]


class GateSession:
    """A session of one identity. It connects when something is asked of it, and again after it was cut off."""

    def __init__(self, address: GateAddress, credential: Credential, statement_seconds: float) -> None:
        self._address = address
        self._credential = credential
        self._seconds = statement_seconds
        self._connection: Connection | None = None
        self._lock = asyncio.Lock()
        self._waiting = 0
        self._notices: list[str] = []
        self._deadline: asyncio.Timeout | None = None
        self.used = time.monotonic()

    async def read(self, sql: str, room: Room, values: Sequence[str] = ()) -> Outcome:
        """Run a statement in a transaction that can write nothing, and that is rolled back. Raises CredentialError."""
        return await self._alone(sql, room, values, reads=True)

    async def write(self, sql: str, room: Room) -> Outcome:
        """Run a statement that is committed if it succeeds. Raises CredentialError."""
        return await self._alone(sql, room, (), reads=False)

    async def close_if_idle(self, seconds: float) -> bool:
        """Close the connection if nothing was asked for so long; whether nothing is open."""
        if self._waiting == 0 and time.monotonic() - self.used > seconds:
            await self.close()
        return self._connection is None and self._waiting == 0

    async def close(self) -> None:
        """End the session."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with anyio.CancelScope(shield=True):
                await connection.close()

    async def _alone(self, sql: str, room: Room, values: Sequence[str], *, reads: bool) -> Outcome:
        if self._waiting >= MOST_WAITING:
            return Outcome(trouble=Trouble(Ending.BUSY))
        self._waiting += 1
        try:
            async with self._lock:
                return await self._on_connection(sql, room, values, reads=reads)
        finally:
            self._waiting -= 1
            self.used = time.monotonic()

    async def _on_connection(self, sql: str, room: Room, values: Sequence[str], *, reads: bool) -> Outcome:
        connection = await self._connected()
        if isinstance(connection, Trouble):
            return Outcome(trouble=connection)
        self._notices = []
        try:
            outcome = await (self._reading if reads else self._writing)(connection, sql, room, values)
        except StuckError as error:
            await self._give_up()
            return Outcome(trouble=Trouble(error.ending), notices=self._notices)
        except BaseException:
            # The client went away, or this is a fault of ours: what runs is of use to nobody.
            await self._give_up()
            raise
        # Settings, prepared statements, temporary tables and locks of the session.
        await self._settle(connection, "DISCARD ALL")
        outcome.notices = self._notices
        return outcome

    async def _reading(self, connection: Connection, sql: str, room: Room, values: Sequence[str]) -> Outcome:
        begun = await self._run(connection, "BEGIN READ ONLY")
        if begun.trouble is not None:
            return begun
        outcome = await self._run(connection, sql, room, values)
        await self._settle(connection, "ROLLBACK")
        return outcome

    async def _writing(self, connection: Connection, sql: str, room: Room, values: Sequence[str]) -> Outcome:
        outcome = await self._run(connection, sql, room, values)
        if connection.pgconn.transaction_status != pq.TransactionStatus.IDLE:
            await self._settle(connection, "ROLLBACK")
            if outcome.trouble is None:
                outcome = Outcome(trouble=Trouble(Ending.NOT_HERE))
        return outcome

    async def _settle(self, connection: Connection, sql: str) -> None:
        """What makes the session good for the next call; if it fails, the next call has another one."""
        if connection.closed:
            return
        try:
            ended = await self._run(connection, sql)
        except StuckError:
            await self._give_up()
            return
        if ended.trouble is not None or connection.pgconn.transaction_status != pq.TransactionStatus.IDLE:
            await self._give_up()

    async def _run(
        self, connection: Connection, sql: str, room: Room = _NOTHING, values: Sequence[str] = ()
    ) -> Outcome:
        encoded = [value.encode() for value in values]
        try:
            async with asyncio.timeout(self._seconds + _GRACE_SECONDS) as self._deadline:
                return await wire.run(connection, sql.encode(), encoded, room)
        except TimeoutError:
            raise StuckError(Ending.TOO_SLOW) from None
        finally:
            self._deadline = None

    async def _give_up(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with anyio.CancelScope(shield=True):
                await wire.stop(connection)

    async def _connected(self) -> Connection | Trouble:
        if self._connection is not None and not _alive(self._connection):
            await self._give_up()
        if self._connection is None:
            opened = await self._connect(await self._credential())
            if isinstance(opened, Trouble):
                return opened
            self._connection = opened
        return self._connection

    async def _connect(self, token: str) -> Connection | Trouble:
        try:
            async with asyncio.timeout(_CONNECT_SECONDS):
                connection: Connection = await psycopg.AsyncConnection.connect(
                    autocommit=True, password=token, passfile="", **self._address.parameters(self._seconds)
                )
        except TimeoutError:
            return Trouble(Ending.NO_SESSION, "the gate did not answer in time")
        except (psycopg.Error, OSError) as error:
            return _refused(error, token)
        connection.add_notice_handler(self._note)
        return connection

    def _note(self, notice: psycopg.errors.Diagnostic) -> None:
        message = notice.message_primary or ""
        if len(self._notices) < _MOST_NOTICES:
            self._notices.append(message[:_LONGEST_NOTICE])
        if message.startswith("penstock: ") and self._deadline is not None and not notice.source_file:
            # A person's session waits at the gate for approval, and is told so again and again.
            self._deadline.reschedule(asyncio.get_running_loop().time() + self._seconds + _NOTICE_SECONDS)


def _alive(connection: Connection) -> bool:
    """Whether nothing has ended it since it was used: what the gate says at a session's end has come by then."""
    if connection.closed or connection.pgconn.transaction_status != pq.TransactionStatus.IDLE:
        return False
    with suppress(psycopg.Error, OSError):
        # Once for the last words of the session, and once for its end.
        for _ in range(_LAST_READS):
            connection.pgconn.consume_input()
    return not connection.closed


def _refused(error: Exception, token: str) -> Trouble:
    """Why there is no session: libpq has the gate's words in one text, each of its fields on lines of its own."""
    text = str(error).replace(token, "…")
    _, fatal, said = text.rpartition("FATAL:")
    said, _, hint = said.partition("\nHINT:")
    said, _, detail = said.partition("\nDETAIL:")
    words = [" ".join(part.split())[:1000] for part in (said, detail, hint)]
    if not fatal:
        return Trouble(Ending.NO_SESSION, " ".join(text.split())[:1000])
    return Trouble(Ending.NO_SESSION, words[0], "", words[1], words[2], by_gate=words[0].startswith("penstock: "))
