"""One statement on one connection: sent by the extended protocol, read row by row, and stopped where it must not go on.

The extended protocol takes one statement at a time, whatever its text says. What is read is counted, and no value is
made of it. What doesn't belong: transactions and reconnecting (`session.py`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

import psycopg
from psycopg import pq

from penstock_agents.gate.arriving import bytes_received
from penstock_agents.gate.outcomes import Ending, Outcome, Trouble

_ROWS = {pq.ExecStatus.SINGLE_TUPLE, pq.ExecStatus.TUPLES_OK, pq.ExecStatus.TUPLES_CHUNK}
_COPYING = {pq.ExecStatus.COPY_IN, pq.ExecStatus.COPY_OUT, pq.ExecStatus.COPY_BOTH}
# How long an answer may take to end once it was cancelled.
_CANCEL_SECONDS = 5.0
# As much of a message, its detail or hint is read.
_LONGEST_WORDS = 4000
# As much of one answer is taken into memory, where that can be told.
MOST_BYTES = 64 << 20


@dataclass(frozen=True, slots=True)
class Room:
    """How much of an answer is kept."""

    rows: int
    bytes: int
    # As much of one value counts, since no more of it is shown.
    value_bytes: int
    # Whether the rest is stopped; else it is read and dropped, as the statement must be carried out to its end.
    stops: bool


class StuckError(Exception):
    """The connection is of no more use; why."""

    def __init__(self, ending: Ending) -> None:
        super().__init__(ending)
        self.ending = ending


async def run(
    connection: psycopg.AsyncConnection[object], sql: bytes, values: Sequence[bytes | None], room: Room
) -> Outcome:
    """Run a statement to its end. Raises StuckError, and after that, or when cancelled, the connection is no good."""
    try:
        return await _Reading(connection, room).run(sql, values)
    except (psycopg.OperationalError, psycopg.InterfaceError, OSError):
        raise StuckError(Ending.LOST) from None


async def stop(connection: psycopg.AsyncConnection[object]) -> None:
    """Have the server give up what it runs, and close the connection."""
    try:
        if connection.pgconn.transaction_status == pq.TransactionStatus.ACTIVE:
            await connection.cancel_safe(timeout=_CANCEL_SECONDS)
    except (psycopg.Error, OSError):
        # Closed, the gate cancels it itself.
        pass
    finally:
        await connection.close()


class _Reading:
    """One answer while it is read."""

    def __init__(self, connection: psycopg.AsyncConnection[object], room: Room) -> None:
        self._connection = connection
        self._pgconn = connection.pgconn
        self._room = room
        self._outcome = Outcome()
        self._kept = 0
        self._stopped = False
        self._before = bytes_received(self._pgconn.socket)

    async def run(self, sql: bytes, values: Sequence[bytes | None]) -> Outcome:
        self._pgconn.send_query_params(sql, list(values) or None)
        self._pgconn.set_single_row_mode()
        while self._pgconn.flush():
            await self._ready(write=True)
            self._pgconn.consume_input()
        while (result := await self._next()) is not None:
            await self._read(result)
        return self._outcome

    async def _next(self) -> pq.abc.PGresult | None:
        while self._pgconn.is_busy():
            await self._ready()
            received = bytes_received(self._pgconn.socket)
            if received is not None and self._before is not None and received - self._before > MOST_BYTES:
                raise StuckError(Ending.TOO_LARGE)
            self._pgconn.consume_input()
        return self._pgconn.get_result()

    async def _ready(self, *, write: bool = False) -> None:
        loop, descriptor = asyncio.get_running_loop(), self._pgconn.socket
        ready = loop.create_future()

        def tell() -> None:
            if not ready.done():
                ready.set_result(None)

        loop.add_reader(descriptor, tell)
        if write:
            loop.add_writer(descriptor, tell)
        try:
            await ready
        finally:
            loop.remove_reader(descriptor)
            if write:
                loop.remove_writer(descriptor)

    async def _read(self, result: pq.abc.PGresult) -> None:
        status = result.status
        if status in _COPYING:
            raise StuckError(Ending.NOT_HERE)
        if status in (pq.ExecStatus.FATAL_ERROR, pq.ExecStatus.BAD_RESPONSE):
            # An answer that was stopped ends with an error of the server's.
            if not self._stopped:
                self._outcome.trouble = trouble(result)
            return
        if status in _ROWS:
            await self._take(result)
        # It counts bytes from here: what one value takes, not what all rows do.
        self._before = bytes_received(self._pgconn.socket)
        if status in (pq.ExecStatus.COMMAND_OK, pq.ExecStatus.TUPLES_OK):
            self._outcome.affected = result.command_tuples

    async def _take(self, result: pq.abc.PGresult) -> None:
        outcome = self._outcome
        if not outcome.columns:
            outcome.columns = [_column(result, place) for place in range(result.nfields)]
        for row in range(result.ntuples):
            values = [result.get_value(row, place) for place in range(result.nfields)]
            size = sum(min(len(value), self._room.value_bytes) if value else 4 for value in values) + 4 * len(values)
            full = len(outcome.rows) >= self._room.rows or (outcome.rows and self._kept + size > self._room.bytes)
            if outcome.more or full:
                outcome.more = True
                if self._room.stops and not self._stopped:
                    self._stopped = True
                    await self._connection.cancel_safe(timeout=_CANCEL_SECONDS)
                return
            outcome.rows.append(values)
            self._kept += size


def _column(result: pq.abc.PGresult, place: int) -> tuple[str, str, int]:
    oid = result.ftype(place)
    known = psycopg.adapters.types.get(oid)
    kind = f"{known.name}[]" if known is not None and oid == known.array_oid else known.name if known else f"oid {oid}"
    return (result.fname(place) or b"").decode("utf-8", "replace"), kind, oid


def trouble(result: pq.abc.PGresult) -> Trouble:
    """An error as it came; a server says in which of its files it was raised, and a gate does not."""
    field = {one: _field(result, one) for one in pq.DiagnosticField}
    message = field[pq.DiagnosticField.MESSAGE_PRIMARY]
    by_gate = message.startswith("penstock: ") and not field[pq.DiagnosticField.SOURCE_FILE]
    return Trouble(
        Ending.ERROR, message, field[pq.DiagnosticField.SQLSTATE], field[pq.DiagnosticField.MESSAGE_DETAIL],
        field[pq.DiagnosticField.MESSAGE_HINT], by_gate,
    )  # fmt: skip


def _field(result: pq.abc.PGresult, field: pq.DiagnosticField) -> str:
    return (result.error_field(field) or b"").decode("utf-8", "replace")[:_LONGEST_WORDS]
