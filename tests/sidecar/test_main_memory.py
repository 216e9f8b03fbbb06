"""The program's memory stays flat, whatever passes through it: measured from outside, in plain text and over TLS.

`make soak` runs the full sizes and prints what was measured.
"""

from __future__ import annotations

import contextlib
import socket
import struct
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.sidecar.program import Program, yard

from penstock_cli.demo.postgres import EmbeddedPostgres
from penstock_sidecar.wire.messages import SYNC, execute, parse, query

MEGABYTE = 1 << 20
# What may be in memory more than before, at any moment, however large the message.
BOUND = 24 * MEGABYTE
ENDED = b"Z\x00\x00\x00\x05I"

sizes = pytest.mark.parametrize(
    "size", [60 * MEGABYTE, pytest.param(300 * MEGABYTE, marks=[pytest.mark.soak, pytest.mark.timeout(600)])]
)
totals = pytest.mark.parametrize(
    "total", [200 * MEGABYTE, pytest.param(10_240 * MEGABYTE, marks=[pytest.mark.soak, pytest.mark.timeout(600)])]
)
ways = pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])


@pytest.fixture(scope="module")
def gate(postgres: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Program]:
    program = Program.start(tmp_path_factory.mktemp("gate"), yard(postgres))
    # What the first sessions bring with them is the gate's.
    for tls in (False, True):
        client = program.connect(tls=tls)
        drain(client, query("SELECT repeat('x', 5000000)"))
        client.close()
    yield program
    program.clear_away()


class Measured:
    """The most that the gate took in memory while something went on."""

    def __init__(self, gate: Program, what: str) -> None:
        self._gate = gate
        self._what = what

    def __enter__(self) -> Measured:
        self._gate.forget_peak()
        self._before = self._gate.memory()
        self._began = time.monotonic()
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: object) -> None:
        grown = self._gate.peak() - self._before
        if kind is None:
            print(  # noqa: T201 - the figures are what it is run for
                f"\n{self._what}: {self._before / MEGABYTE:.0f} MB before, at most {grown / MEGABYTE:+.1f} MB, "
                f"{time.monotonic() - self._began:.1f} s",
                end="",
            )
            assert grown < BOUND


def drain(client: socket.socket, *parts: bytes) -> int:
    """Send it, read until the server is ready again; how many bytes came."""
    for part in parts:
        client.sendall(part)
    buffer = bytearray(MEGABYTE)
    count, tail = 0, b""
    while tail != ENDED:
        length = client.recv_into(buffer)
        if not length:
            raise AssertionError(f"it closed after {count} bytes")
        count += length
        tail = (tail + bytes(buffer[max(0, length - 6) : length]))[-6:]
    return count


def large_bind(size: int) -> Iterator[bytes]:
    """A Bind with one parameter of that many bytes, in pieces."""
    head = b"\x00\x00" + struct.pack(">HHI", 0, 1, size)
    yield b"B" + struct.pack(">I", 4 + len(head) + size + 2) + head
    piece = b"x" * MEGABYTE
    for at in range(0, size, MEGABYTE):
        yield piece[: size - at]
    yield b"\x00\x00"


@pytest.mark.behaviour(15)
@ways
@sizes
def test_a_large_parameter_passes(gate: Program, size: int, tls: bool) -> None:
    client = gate.connect(tls=tls)
    with Measured(gate, f"a parameter of {size // MEGABYTE} MB"):
        text = parse("", "SELECT octet_length($1::text)")
        drain(client, text, *large_bind(size), execute(""), SYNC)
    client.close()


@pytest.mark.behaviour(15)
@ways
@sizes
def test_a_large_row_passes(gate: Program, size: int, tls: bool) -> None:
    client = gate.connect(tls=tls)
    with Measured(gate, f"a row of {size // MEGABYTE} MB"):
        assert drain(client, query(f"SELECT repeat('x', {size})")) > size
    client.close()


@pytest.mark.behaviour(15)
@ways
@sizes
def test_a_large_error_passes(gate: Program, size: int, tls: bool) -> None:
    client = gate.connect(tls=tls)
    with Measured(gate, f"an error of {size // MEGABYTE} MB"):
        # The server's words hold the value.
        assert drain(client, query(f"SELECT repeat('x', {size})::int")) > size
    client.close()


@pytest.mark.behaviour(16)
@ways
@totals
def test_a_large_result_passes(gate: Program, total: int, tls: bool) -> None:
    client = gate.connect(tls=tls)
    with Measured(gate, f"a result of {total // MEGABYTE} MB"):
        text = f"SELECT repeat('x', 2000) FROM generate_series(1, {total // 2000})"
        assert drain(client, query(text)) > total
    client.close()


@pytest.mark.behaviour(16)
@ways
@totals
def test_clients_that_stop_reading_take_no_memory(gate: Program, total: int, tls: bool) -> None:
    text = f"SELECT repeat('x', 2000) FROM generate_series(1, {total // 2000})"
    clients = [gate.connect(tls=tls) for _ in range(8)]
    with Measured(gate, f"eight clients that don't read {total // MEGABYTE} MB each"):
        for client in clients:
            client.sendall(query(text))
        time.sleep(3)
        # One goes on after all, and gets everything.
        assert drain(clients[0]) > total
    for client in clients:
        client.close()
    settled(lambda: gate.sockets() <= 4, "the sockets of clients that left are still there")


@pytest.mark.behaviour(16)
@ways
def test_a_server_that_does_not_read_holds_a_large_parameter_back(
    gate: Program, postgres: EmbeddedPostgres, tls: bool
) -> None:
    size = 60 * MEGABYTE
    client = gate.connect(tls=tls)
    drain(client, query("SELECT 1"))
    client.settimeout(1.0)
    with Measured(gate, f"a parameter of {size // MEGABYTE} MB for a server that sleeps"):
        # The server is busy with the first while the second comes.
        client.sendall(query("SELECT pg_sleep(4)") + parse("", "SELECT octet_length($1::text)"))
        bound = b"".join(large_bind(size))
        with pytest.raises(TimeoutError):
            client.sendall(bound)
    client.close()


@pytest.mark.behaviour(20)
@ways
def test_idle_sessions_keep_little_of_what_passed(gate: Program, tls: bool) -> None:
    size, count = 5 * MEGABYTE, 40
    before = gate.memory()
    clients = [gate.connect(tls=tls) for _ in range(count)]
    for client in clients:
        drain(client, query(f"SELECT repeat('x', {size})"))
        drain(client, parse("", "SELECT octet_length($1::text)"), *large_bind(size), execute(""), SYNC)
    each = (gate.memory() - before) / count
    print(f"\nan idle session after 5 MB either way: {each / 1024:.0f} KB", end="")  # noqa: T201 - as above
    for client in clients:
        client.close()
    assert each < 160 * 1024


@pytest.mark.behaviour(20)
@ways
def test_nor_do_they_where_the_server_speaks_tls(postgres15: EmbeddedPostgres, tmp_path: Path, tls: bool) -> None:
    count = 30
    with contextlib.ExitStack() as ends:
        gate = Program.start(tmp_path, yard(postgres15), server_tls="require")
        ends.callback(gate.clear_away)
        drain(ends.enter_context(gate.connect(tls=tls)), query("SELECT repeat('x', 5000000)"))
        before = gate.memory()
        clients = [ends.enter_context(gate.connect(tls=tls)) for _ in range(count)]
        for client in clients:
            drain(client, query(f"SELECT repeat('x', {5 * MEGABYTE})"))
            drain(client, parse("", "SELECT octet_length($1::text)"), *large_bind(5 * MEGABYTE), execute(""), SYNC)
        each = (gate.memory() - before) / count
    print(f"\nan idle session with TLS to the server: {each / 1024:.0f} KB", end="")  # noqa: T201 - as above
    assert each < 256 * 1024


def settled(condition: Callable[[], bool], words: str) -> None:
    for _ in range(600):
        if condition():
            return
        time.sleep(0.05)
    raise AssertionError(words)
