"""Reads the catalog from the server over connections of its own, with Penstock's credentials.

What is asked is `penstock_core.sql.catalog.reading`'s, what the answers mean `snapshot`'s there; when, is
`rules_provider.py`'s.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import gc
from collections.abc import Awaitable, Callable, Iterator
from typing import TypeVar

from penstock_core.sql.catalog.model import Catalog
from penstock_core.sql.catalog.parts import Parts
from penstock_core.sql.catalog.reading import Known, Reading
from penstock_core.sql.catalog.snapshot import Snapshots
from penstock_sidecar.proxy import upstream
from penstock_sidecar.proxy.upstream import Server, UpstreamError
from penstock_sidecar.session.opening import PINNED
from penstock_sidecar.session.refusals import fatal
from penstock_sidecar.wire import messages
from penstock_sidecar.wire.messages import ErrorFields

# How long reading the catalog may take, however large it is.
READ_SECONDS = 60.0
# How long a server is waited for to say goodbye in TLS.
_FAREWELL_SECONDS = 2.0
_BLOCKED = """
SELECT pid FROM pg_catalog.unnest(ARRAY[OTHERS]) AS pid
WHERE BY OPERATOR(pg_catalog.=) ANY (pg_catalog.pg_blocking_pids(pid))
"""
# By the address as the server has it, sessions with the same database that are not this one.
_BESIDE = """
SELECT pg_catalog.host(pg_catalog.inet_client_addr()), pid, usename, application_name
FROM pg_catalog.pg_stat_activity
WHERE client_addr OPERATOR(pg_catalog.=) pg_catalog.inet_client_addr()
AND datname OPERATOR(pg_catalog.=) pg_catalog.current_database()
AND pid OPERATOR(pg_catalog.<>) pg_catalog.pg_backend_pid()
AND backend_type OPERATOR(pg_catalog.=) 'client backend'
"""
_Answer = TypeVar("_Answer")
_STATEMENT_TIMEOUT = "SELECT setting FROM pg_catalog.pg_settings WHERE name OPERATOR(pg_catalog.=) 'statement_timeout'"


class CatalogReader:
    """Reads one database's catalog, and later what changed of it."""

    def __init__(self, server: Server, dbname: str) -> None:
        self._server = server
        self._parameters = {"database": dbname, "application_name": "penstock catalog", **PINNED}
        self._known: Known | None = None
        self._snapshots = Snapshots()
        self._generation = 0
        self._last: Enquiry | None = None
        # Of a new session with the same login, in milliseconds; 0: no limit.
        self.statement_timeout = 0
        self.catalog: Catalog | None = None

    async def read(self) -> bool:
        """Read what changed; whether anything did. Raises UpstreamError."""
        reading = await self._enquire(self._read)
        if reading.whole:
            await asyncio.to_thread(_give_back)
        return reading.changed

    def documents(self) -> dict[str, str]:
        """What the catalog was made from, by the names of `STATEMENTS`."""
        return {} if self._known is None else self._known.parts.documents()

    async def processes(self) -> frozenset[int]:
        """The server's processes that serve a session now. Raises UpstreamError."""
        return await self._enquire(_processes)

    async def blocked(self, processes: list[int], by: int) -> list[int]:
        """Those of the server's processes that wait for a lock of that one. Raises UpstreamError."""
        numbers = ", ".join(map(str, processes))
        text = _BLOCKED.replace("OTHERS", numbers).replace("BY", str(by))

        async def ask(enquiry: Enquiry) -> list[int]:
            return [int(pid) for (pid,) in await enquiry.ask(text)]

        return await self._enquire(ask)

    async def beside(self) -> dict[int, str]:
        """The server's processes that serve others from the gate's own address, and whom: role and application.

        None where the server sees another address than the gate has. Raises UpstreamError.
        """

        async def ask(enquiry: Enquiry) -> dict[int, str]:
            rows = await enquiry.ask(_BESIDE)
            return {
                int(pid): f"{role} ({application})" if application else role
                for seen, pid, role, application in rows
                if seen == enquiry.address
            }

        return await self._enquire(ask)

    async def _enquire(self, what: Callable[[Enquiry], Awaitable[_Answer]]) -> _Answer:
        session = await upstream.connect(self._server, self._parameters)
        enquiry = Enquiry(session.transport)
        self._last = enquiry
        try:
            async with asyncio.timeout(READ_SECONDS):
                return await what(enquiry)
        except TimeoutError:
            raise UpstreamError(fatal("57014", f"reading the catalog took longer than {READ_SECONDS:.0f} s")) from None
        except (OSError, EOFError):
            raise UpstreamError(
                fatal("08006", "the database closed the connection while its catalog was read")
            ) from None
        finally:
            session.transport.write(messages.TERMINATE)
            session.transport.close()

    async def closed(self) -> None:
        """Wait, for a moment at most, until the connection of the last reading is no more: before a program ends."""
        if self._last is not None:
            await self._last.closed(_FAREWELL_SECONDS)

    async def _read(self, enquiry: Enquiry) -> Reading:
        self.statement_timeout = int((await enquiry.ask(_STATEMENT_TIMEOUT))[0][0])
        reading = Reading(self._known)
        text = await asyncio.to_thread(_next, reading)
        while text is not None:
            rows = await enquiry.ask(text)
            text = await asyncio.to_thread(_next, reading, *(rows[0] if rows else ()))
        if reading.changed and reading.known is not None:
            # Large databases take a while to put together; the loop goes on meanwhile.
            parts, generation = reading.known.parts, self._generation + 1
            self.catalog = await asyncio.to_thread(_put_together, self._snapshots, parts, generation)
            self._generation = generation
        self._known = reading.known
        return reading


def _next(reading: Reading, *answer: str) -> str | None:
    """What to ask next."""
    with _unwatched():
        return reading.next(*answer)


def _put_together(snapshots: Snapshots, parts: Parts, generation: int) -> Catalog:
    """The snapshot, with all that is found in it for any policy."""
    with _unwatched():
        catalog = snapshots.of(parts, generation)
        catalog.overview.prepare()
    return catalog


@contextlib.contextmanager
def _unwatched() -> Iterator[None]:
    """A great many objects come to stay. To look for garbage among them holds up the loop, so it is not done while they
    are made, and they are handed straight to the oldest generation, which is looked through last.
    """
    gc.disable()
    try:
        yield
        gc.freeze()
        gc.unfreeze()
    finally:
        gc.enable()


def _give_back() -> None:
    """Give the memory that reading took back to the system, where its library knows how: the next reading is far."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


class Enquiry(asyncio.Protocol):
    """Asks SQL by the simple protocol, one statement at a time, and reads rows of text."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._buffer = bytearray()
        self._rows: list[list[str]] = []
        self._error: ErrorFields | None = None
        self._answer: asyncio.Future[list[list[str]]] | None = None
        self._gone = asyncio.Event()
        transport.set_protocol(self)
        transport.resume_reading()

    @property
    def address(self) -> str:
        """The gate's own, on this connection; empty where it has none."""
        name = self._transport.get_extra_info("sockname")
        return str(name[0]) if isinstance(name, tuple) else ""

    async def ask(self, sql: str) -> list[list[str]]:
        """The statement's rows. Raises UpstreamError where it fails, EOFError or OSError where the server is gone."""
        if self._transport.is_closing():
            raise EOFError("it closed the connection")
        self._rows, self._error = [], None
        self._answer = asyncio.get_running_loop().create_future()
        self._transport.write(messages.query(sql))
        return await self._answer

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while len(self._buffer) >= 5:
            end = 1 + int.from_bytes(self._buffer[1:5], "big")
            if len(self._buffer) < end:
                return
            # Documents may have many megabytes: no copy of them is made but the text.
            with memoryview(self._buffer) as buffer, buffer[5:end] as body:
                self._message(buffer[0], body)
            del self._buffer[:end]

    def _message(self, kind: int, body: memoryview) -> None:
        if kind == ord("D"):
            self._rows.append(_columns(body))
        elif kind == ord("E"):
            self._error = messages.read_error(bytes(body))
        elif kind == ord("Z") and self._answer is not None and not self._answer.done():
            if self._error is None:
                self._answer.set_result(self._rows)
            else:
                text = f"the catalog can't be read: {self._error.message}"
                self._answer.set_exception(UpstreamError(fatal(self._error.sqlstate, text)))

    async def closed(self, seconds: float) -> None:
        """Wait until the connection is closed; then leave it to itself."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._gone.wait()

    def connection_lost(self, exc: Exception | None) -> None:
        self._gone.set()
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(exc or EOFError("it closed the connection"))


async def _processes(enquiry: Enquiry) -> frozenset[int]:
    rows = await enquiry.ask("SELECT pid FROM pg_catalog.pg_stat_activity")
    return frozenset(int(pid) for (pid,) in rows)


def _columns(row: memoryview) -> list[str]:
    values: list[str] = []
    at = 2
    for _ in range(int.from_bytes(row[:2], "big")):
        length = int.from_bytes(row[at : at + 4], "big", signed=True)
        at += 4
        values.append(str(row[at : at + max(length, 0)], "utf-8"))
        at += max(length, 0)
    return values
