"""The program and connections of every bad kind: nothing is left of them but a line, and the good ones go on.

Five hundred here; `make soak` makes ten thousand and prints what was measured.
"""

from __future__ import annotations

import asyncio
import json
import socket
import ssl
import struct
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest
from tests.sidecar.program import SSL, STARTUP, Program, yard

from penstock_cli.demo.postgres import EmbeddedPostgres
from penstock_sidecar.wire import messages
from penstock_sidecar.wire.messages import SYNC, bind, execute, message, parse, query

READY = b"Z\x00\x00\x00\x05I"
MEGABYTE = 1 << 20
AT_ONCE = 24

# Before a session: sent, and left at that.
OPENINGS: dict[str, bytes] = {
    "nothing": b"",
    "HTTP": b"GET / HTTP/1.1\r\nHost: gate\r\n\r\n",
    "text": b"hello, is this a database?\r\n",
    "zeroes": bytes(64),
    "too short a length": struct.pack(">II", 4, messages.PROTOCOL_3_0),
    "too long a length": struct.pack(">II", 1 << 30, messages.PROTOCOL_3_0),
    "half a startup packet": STARTUP[:12],
    "a startup packet that goes on": struct.pack(">II", len(STARTUP) + 3, messages.PROTOCOL_3_0) + STARTUP[8:] + b"abc",
    "no user": messages.startup({"database": "yard"}),
    "another database": messages.startup({"user": "app", "database": "elsewhere"}),
    "a role": messages.startup({"user": "app", "database": "yard", "role": "postgres"}),
    "replication": messages.startup({"user": "app", "database": "yard", "replication": "true"}),
    "not UTF-8": struct.pack(">II", 20, messages.PROTOCOL_3_0) + b"user\x00\xff\xfe\xfd\xfc\x00\x00\x00",
    "protocol 2": struct.pack(">II", 8, 2 << 16),
    "protocol 9": messages.startup({"user": "app"}, 9 << 16),
    "a cancel request for nobody": messages.cancel_request(4711, b"key!"),
    "a cancel request cut off": messages.cancel_request(4711, b"key!")[:11],
    "a cancel request without a key": messages.cancel_request(4711, b""),
    "TLS asked for and left": SSL,
    "TLS asked for and startup sent along": SSL + STARTUP,
    "TLS asked for again and again": SSL * 5,
    "half a client hello": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    "no client hello": b"\x16\x03\x01\x00\x10" + b"\xff" * 16,
    "a query at once": query("SELECT 1"),
}
# Within a session.
TALKS: dict[str, bytes] = {
    "garbage": b"\x00\xff\x17garbage, and more of it",
    "an unknown type": message(b"y", b"?"),
    "a message of the server's": message(b"T", bytes(6)),
    "an impossible length": b"Q\x00\x00\x00\x03",
    "a huge length": b"Q\x7f\xff\xff\xffSELECT",
    "a huge length for what is small": b"E\x7f\xff\xff\xff",
    "half a header": b"Q\x00\x00",
    "half a query": query("SELECT 1")[:9],
    "a query without an end": message(b"Q", b"SELECT 1"),
    "a query with two ends": message(b"Q", b"SELECT 1\x00\x00"),
    "a Parse without an end": message(b"P", b"name\x00SELECT 1"),
    "a Bind of nothing": message(b"B", b""),
    "a Bind with counts that lie": message(b"B", b"\x00\x00" + struct.pack(">HH", 60000, 1)),
    "an Execute without a name": message(b"E", b"p"),
    "a Close of nothing": message(b"C", b""),
    "a password": messages.password(b"unasked"),
    "COPY data unasked": message(b"d", b"1\n") * 50,
    "the end of COPY unasked": message(b"c", b"") + message(b"f", b"x\x00"),
    "statements out of turn": execute("") + bind("", "") + parse("", "SELECT 1") + SYNC,
    "what nobody prepared": bind("p", "nobody") + execute("p") + SYNC,
    "a startup packet again": STARTUP,
    "TLS again": SSL,
    "not SQL": query("SELEKT ,,,"),
    "not UTF-8": message(b"Q", b"SELECT '\xff\xfe'\x00"),
    "a pipeline without an end": parse("", "SELECT 1") * 200,
    "a statement under way": query("SELECT count(*) FROM generate_series(1, 3000000)"),
    "a result that nobody reads": query("SELECT repeat('x', 1000) FROM generate_series(1, 20000)"),
    "an open transaction": query("BEGIN") + query("CREATE TABLE IF NOT EXISTS yard_ (a int)"),
    "something after the end": messages.TERMINATE + query("SELECT 1"),
    "the fast path": message(b"F", bytes(10)),
}
# Who only left, as probes do, is not told of; who said what may be said is answered, and that is all.
LEFT = (
    "nothing", "half a startup packet", "a cancel request for nobody", "a cancel request cut off",
    "TLS asked for and left", "half a client hello", "a huge length", "half a header", "half a query",
    "a statement under way", "a result that nobody reads", "an open transaction", "something after the end",
)  # fmt: skip
ANSWERED = (
    "COPY data unasked", "the end of COPY unasked", "statements out of turn", "what nobody prepared", "not SQL",
    "not UTF-8", "a pipeline without an end", "the fast path",
)  # fmt: skip
KINDS = [(kind, data, False) for kind, data in OPENINGS.items()] + [(kind, data, True) for kind, data in TALKS.items()]
ENDINGS = ("close", "reset", "shut down", "wait")
COUNTS = pytest.mark.parametrize(
    "count", [500, pytest.param(10_000, marks=[pytest.mark.soak, pytest.mark.timeout(900)])]
)


@pytest.fixture
def gate(postgres: EmbeddedPostgres, tmp_path: Path) -> Iterator[Program]:
    program = Program.start(tmp_path, yard(postgres))
    yield program
    program.clear_away()


class Bad:
    """One bad connection."""

    def __init__(self, gate: Program, number: int) -> None:
        self._gate = gate
        self._dice = Random(number)
        self._kind, self._data, self._within = KINDS[number % len(KINDS)]
        self._ending = self._dice.choice(ENDINGS)
        self._tls = not self._kind.startswith("TLS") and "hello" not in self._kind and number % 5 == 0

    async def happen(self, context: ssl.SSLContext) -> None:
        try:
            async with asyncio.timeout(30):
                if self._tls:
                    reader, writer = await asyncio.open_connection("127.0.0.1", self._gate.port, ssl=context)
                else:
                    reader, writer = await asyncio.open_connection("127.0.0.1", self._gate.port)
                await self._go_on(reader, writer)
        except (ConnectionError, ssl.SSLError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            return

    async def _go_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            if self._within:
                writer.write(STARTUP)
                await reader.readuntil(READY)
            data = self._data
            cut = self._dice.randrange(len(data) + 1) if data and self._dice.random() < 0.2 else len(data)
            writer.write(data[:cut])
            await writer.drain()
            await self._end(reader, writer)
        finally:
            writer.transport.abort()

    async def _end(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._ending == "reset":
            connection: socket.socket = writer.get_extra_info("socket")
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        elif self._ending == "shut down" and writer.can_write_eof():
            writer.write_eof()
            await asyncio.wait_for(reader.read(), 15)
        elif self._ending == "wait":
            await asyncio.sleep(self._dice.random() * 0.3)


async def happen(gate: Program, count: int, first: int = 0) -> None:
    context = ssl.create_default_context(cafile=gate.directory / "tls.crt")
    context.set_alpn_protocols(["postgresql"])
    context.check_hostname = False
    room = asyncio.Semaphore(AT_ONCE)

    async def one(number: int) -> None:
        async with room:
            await Bad(gate, number).happen(context)

    await asyncio.gather(*(one(number) for number in range(first, first + count)))


def metric(gate: Program, name: str) -> float:
    with urllib.request.urlopen(f"http://127.0.0.1:{gate.health}/metrics", timeout=5) as answer:
        lines = [line for line in answer.read().decode().splitlines() if line.startswith(f"{name} ")]
    return float(lines[0].split()[1])


def at_rest(gate: Program) -> None:
    """Until nobody is there any more."""
    for _ in range(300):
        if metric(gate, "penstock_sessions_open") == 0:
            return
        time.sleep(0.1)
    raise AssertionError(f"{metric(gate, 'penstock_sessions_open')} connections are left")


@COUNTS
def test_nothing_is_left_of_bad_connections(gate: Program, count: int) -> None:
    # Each kind once, so that whatever is loaded late is there.
    asyncio.run(happen(gate, 2 * len(KINDS)))
    at_rest(gate)
    before = (gate.memory(), gate.sockets(), gate.threads(), metric(gate, "penstock_tasks"))
    began = time.monotonic()
    asyncio.run(happen(gate, count, 2 * len(KINDS)))
    took = time.monotonic() - began
    at_rest(gate)
    time.sleep(1)
    after = (gate.memory(), gate.sockets(), gate.threads(), metric(gate, "penstock_tasks"))
    # Good clients are served as before.
    with gate.connect(tls=True) as client:
        client.sendall(query("SELECT 'still here'"))
        assert b"still here" in client.recv(65536)
    assert gate.end() == 0
    log = gate.log()
    bad = [line for line in log if line.get("level") == "warning"]
    summed = [line for line in bad if line["event"].endswith("more connections ended badly")]
    told = len(bad) - len(summed) + sum(int(line["event"].split()[0]) for line in summed)
    print(  # noqa: T201 - the figures are what it is run for
        f"\n{count} bad connections in {took:.0f} s: memory {(after[0] - before[0]) / MEGABYTE:+.1f} MB from "
        f"{before[0] / MEGABYTE:.0f} MB, sockets {before[1]} then {after[1]}, tasks {before[3]:.0f} then "
        f"{after[3]:.0f}; {told} told of in {len(bad)} lines"
    )
    assert [line for line in log if "text" in line or line["level"] in ("error", "critical")] == []
    assert all("\n" not in json.dumps(line) for line in log)
    # It levels off after some ten thousand.
    assert after[0] - before[0] < 20 * MEGABYTE
    assert after[1] <= before[1]
    assert after[2] <= before[2] + 2
    assert after[3] <= before[3]
    # About half of them have done something wrong; the others only left.
    assert count * 0.2 < told <= count + 2 * len(KINDS)
    assert len(bad) < 60 * (2 + took / 10) + 60


def test_each_kind_is_told_of_in_words(gate: Program) -> None:
    """Each has one line that names the client, or none."""
    quiet: list[str] = []
    for kind, data, within in KINDS:
        seen = len(gate.log())
        with socket.create_connection(("127.0.0.1", gate.port), timeout=20) as client:
            if within:
                client.sendall(STARTUP)
                greeting = b""
                while not greeting.endswith(READY):
                    greeting += client.recv(65536)
            client.sendall(data)
            client.shutdown(socket.SHUT_WR)
            received: Any = b"?"
            while received:
                try:
                    received = client.recv(65536)
                except ConnectionResetError:
                    break
        for _ in range(3):
            lines = [line for line in gate.log()[seen:] if line.get("level") == "warning"]
            if lines:
                break
            time.sleep(0.03)
        assert len(lines) <= 1, (kind, lines)
        if lines:
            assert len(lines[0]["event"].split()) > 3, lines
            assert lines[0]["client"].startswith("127.0.0.1:")
        else:
            quiet.append(kind)
    assert set(quiet) == {*LEFT, *ANSWERED}
