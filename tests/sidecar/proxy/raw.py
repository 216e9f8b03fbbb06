"""A client that speaks bytes, at the server itself or through the gate, so that the two can be compared."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from penstock_cli.demo.postgres import EmbeddedPostgres
from penstock_sidecar.proxy import upstream
from penstock_sidecar.proxy.upstream import Server
from penstock_sidecar.wire import messages
from penstock_sidecar.wire.messages import SYNC, message, parse

PINNED = {"client_encoding": "UTF8", "standard_conforming_strings": "on"}
Message = tuple[bytes, bytes]
# What is sent, and the kind of message that is awaited then (none: the next is sent at once).
Step = tuple[bytes, bytes]


def bind(
    portal: str = "", statement: str = "", values: Sequence[bytes | None] = (), formats: Sequence[int] = (),
    results: Sequence[int] = (),
) -> bytes:  # fmt: skip
    """A Bind with parameters, and formats for them and for the results."""
    body = portal.encode() + b"\x00" + statement.encode() + b"\x00"
    body += struct.pack(f">H{len(formats)}h", len(formats), *formats) + struct.pack(">H", len(values))
    for value in values:
        body += struct.pack(">i", -1) if value is None else struct.pack(">I", len(value)) + value
    return message(b"B", body + struct.pack(f">H{len(results)}h", len(results), *results))


def describe(kind: str, name: str = "") -> bytes:
    """A Describe of a statement (S) or portal (P)."""
    return message(b"D", f"{kind}{name}\x00".encode())


def close(kind: str, name: str = "") -> bytes:
    """A Close of a statement (S) or portal (P)."""
    return message(b"C", f"{kind}{name}\x00".encode())


def run(text: str, *values: bytes | None, rows: int = 0) -> bytes:
    """Parse, Bind, Describe, Execute and Sync, all unnamed."""
    return parse("", text) + bind(values=values) + describe("P") + messages.execute("", rows) + SYNC


@dataclass
class Raw:
    """One connection after its greeting."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    parameters: dict[str, str] = field(default_factory=dict)
    pid: int = 0
    key: bytes = b""

    async def next(self) -> Message:
        """The next message. Raises IncompleteReadError at the end."""
        kind = await self.reader.readexactly(1)
        length = int.from_bytes(await self.reader.readexactly(4), "big")
        return kind, await self.reader.readexactly(length - 4)

    async def until(self, kind: bytes) -> list[Message]:
        """The messages up to one of that kind."""
        got = [await asyncio.wait_for(self.next(), 30)]
        while got[-1][0] != kind:
            got.append(await asyncio.wait_for(self.next(), 30))
        return got

    async def rest(self) -> list[Message]:
        """The messages up to the connection's end."""
        got: list[Message] = []
        try:
            while True:
                got.append(await asyncio.wait_for(self.next(), 30))
        except (asyncio.IncompleteReadError, ConnectionError):
            return got

    async def talk(self, steps: Sequence[Step]) -> list[Message]:
        """What is answered to it all."""
        got: list[Message] = []
        for data, kind in steps:
            self.writer.write(data)
            if kind:
                got += await self.until(kind)
        return got

    async def ask(self, sql: str) -> list[Message]:
        return await self.talk([(messages.query(sql), b"Z")])

    async def greet(self, startup: bytes) -> None:
        """Open through the gate, which asks for no password."""
        self.writer.write(startup)
        for kind, body in await self.until(b"Z"):
            if kind == b"S":
                name, value, _ = body.decode().split("\x00")
                self.parameters[name] = value
            elif kind == b"K":
                self.pid, self.key = int.from_bytes(body[:4], "big"), body[4:]
            elif kind == b"E":
                raise AssertionError(messages.read_error(body))


@dataclass
class Pair:
    """The server, and a gate before it."""

    gate: Any
    server: EmbeddedPostgres
    opened: list[Raw] = field(default_factory=list)

    @property
    def credentials(self) -> Path:
        return Path(self.gate.directory / "credentials")

    async def gated(self, version: int = messages.PROTOCOL_3_0, **parameters: str) -> Raw:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.gate.proxy.port)
        raw = Raw(reader, writer)
        self.opened.append(raw)
        await raw.greet(messages.startup({"user": "app", "database": "shop", **parameters}, version))
        return raw

    async def direct(self, **parameters: str) -> Raw:
        server = Server("127.0.0.1", self.server.port, "disable", self.credentials)
        session = await upstream.connect(server, {"database": "shop", **PINNED, **parameters})
        reader = asyncio.StreamReader()
        protocol = asyncio.StreamReaderProtocol(reader)
        session.transport.set_protocol(protocol)
        protocol.connection_made(session.transport)
        session.transport.resume_reading()
        writer = asyncio.StreamWriter(session.transport, protocol, reader, asyncio.get_running_loop())
        greeting = session.greeting
        self.opened.append(Raw(reader, writer, greeting.parameters, greeting.pid, greeting.key))
        return self.opened[-1]

    async def same(self, *steps: Step) -> list[Message]:
        """What both answer, which is the same."""
        through = await (await self.gated()).talk(steps)
        itself = await (await self.direct()).talk(steps)
        assert [_placeless(one) for one in through] == [_placeless(one) for one in itself]
        return through

    def end(self) -> None:
        for raw in self.opened:
            raw.writer.transport.abort()


def _placeless(one: Message) -> Message:
    """Without the place in the server's source that an error or notice comes from: the gate's own have none."""
    kind, body = one
    if kind not in b"EN":
        return one
    return kind, b"\x00".join(field for field in body.split(b"\x00") if field[:1] not in b"FLR")


def kinds(got: Sequence[Message]) -> str:
    """The messages by their type bytes."""
    return b"".join(kind for kind, _ in got).decode()


def states(got: Sequence[Message]) -> str:
    """The transaction statuses that were reported."""
    return b"".join(body for kind, body in got if kind == b"Z").decode()


def rows(got: Sequence[Message]) -> list[list[bytes | None]]:
    """The values of the rows."""
    return [columns(body) for kind, body in got if kind == b"D"]


def columns(body: bytes) -> list[bytes | None]:
    """The values of one row."""
    found: list[bytes | None] = []
    at = 2
    for _ in range(int.from_bytes(body[:2], "big")):
        length = int.from_bytes(body[at : at + 4], "big", signed=True)
        found.append(None if length < 0 else body[at + 4 : at + 4 + length])
        at += 4 + max(length, 0)
    return found


def errors(got: Sequence[Message]) -> list[str]:
    """The SQLSTATEs of the errors."""
    return [messages.read_error(body).sqlstate for kind, body in got if kind == b"E"]
