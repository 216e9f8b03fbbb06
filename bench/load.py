"""Loads: what is run against an endpoint, and how fast it was. pgbench for statements, a bare socket for large results.

And what the disk takes for what a gate does before it lets an answer go.

Which load runs where is `scenarios.py`'s.
"""

from __future__ import annotations

import contextlib
import os
import re
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import quantiles
from typing import Protocol

import psycopg

from bench.processes import BenchError
from bench.stage import Endpoint

_READY = b"Z\x00\x00\x00\x05I"
_TPS = re.compile(r"tps = ([0-9.]+) \(without")
_COUNT = re.compile(r"transactions actually processed: ([0-9]+)")
_FAILED = re.compile(r"failed transactions: [1-9]")


@dataclass(frozen=True, slots=True)
class Speed:
    """What a load did."""

    count: int
    tps: float
    p50_us: float
    p99_us: float


class Load(Protocol):
    """Something to run against an endpoint."""

    def run(self, endpoint: Endpoint, binaries: Path) -> Speed:
        """Run it. Raises BenchError if anything in it fails."""
        ...


@dataclass(frozen=True, slots=True)
class Pgbench:
    """A script for pgbench, or one of its own by name, as often as it goes."""

    script: str
    mode: str
    clients: int
    # Of time, or of transactions for each client.
    seconds: int = 0
    transactions: int = 0
    # Whether `script` is the name of one that pgbench brings.
    builtin: bool = False

    def run(self, endpoint: Endpoint, binaries: Path) -> Speed:
        """Run it for its time. Raises BenchError."""
        with tempfile.TemporaryDirectory(prefix="penstock-bench-") as directory:
            script = Path(directory) / "script.sql"
            script.write_text(self.script)
            what = ["-b", self.script] if self.builtin else ["-f", script]
            length = ["-t", str(self.transactions)] if self.transactions else ["-T", str(self.seconds)]
            done = subprocess.run(
                [
                    binaries / "pgbench", "-n", "-M", self.mode, "-c", str(self.clients),
                    "-j", str(min(2, self.clients)), *length, *what, "-l", f"--log-prefix={directory}/log",
                ],
                env={**os.environ, **endpoint.environment()}, capture_output=True, text=True, check=False,
                timeout=150 + self.seconds * 3,
            )  # fmt: skip
            tps, count = _TPS.search(done.stdout), _COUNT.search(done.stdout)
            if done.returncode or tps is None or count is None or _FAILED.search(done.stdout):
                said = " | ".join((done.stderr.strip() or done.stdout.strip()).splitlines()[-4:])
                raise BenchError(f"pgbench against {endpoint.target} failed: {said}")
            p50, p99 = _percentiles(Path(directory))
        return Speed(int(count[1]), float(tps[1]), p50, p99)


def _percentiles(directory: Path) -> tuple[float, float]:
    latencies: list[int] = []
    for path in directory.glob("log.*"):
        with path.open() as lines:
            latencies += [int(line.split(" ", 3)[2]) for line in lines]
    return _middle_and_slow(latencies)


def _middle_and_slow(latencies: Sequence[float]) -> tuple[float, float]:
    if len(latencies) < 2:
        raise BenchError("too few transactions to tell anything")
    cuts = quantiles(latencies, n=100)
    return cuts[49], cuts[98]


@dataclass(frozen=True, slots=True)
class Sync:
    """An event's length at the end of a file and `fdatasync`, one after the other, on the disk of the gates' spools."""

    directory: Path
    repeats: int = 300

    def run(self, endpoint: Endpoint, binaries: Path) -> Speed:
        """Time each. Raises BenchError."""
        latencies: list[float] = []
        event = b"x" * 1000
        began = time.perf_counter()
        with tempfile.TemporaryFile(dir=self.directory, buffering=0) as file:
            for _ in range(self.repeats):
                before = time.perf_counter()
                file.write(event)
                os.fdatasync(file.fileno())
                latencies.append((time.perf_counter() - before) * 1e6)
        p50, p99 = _middle_and_slow(latencies)
        return Speed(self.repeats, self.repeats / (time.perf_counter() - began), p50, p99)


@dataclass(frozen=True, slots=True)
class Bulk:
    """One large result, several times, by a client that only counts its bytes: it takes next to no time of its own."""

    sql: str
    repeats: int = 2

    def run(self, endpoint: Endpoint, binaries: Path) -> Speed:
        """Fetch it. Raises BenchError."""
        with bare_socket(endpoint) as connection:
            durations = [_fetch(connection, self.sql) for _ in range(self.repeats)]
        mean = sum(durations) / len(durations)
        return Speed(len(durations), 1 / mean, mean * 1e6, max(durations) * 1e6)


@contextlib.contextmanager
def bare_socket(endpoint: Endpoint) -> Iterator[socket.socket]:
    """The socket of a session that libpq logged in to, for messages of our own."""
    place = endpoint.environment()
    with psycopg.connect(
        host=place["PGHOST"], port=endpoint.port, user=place["PGUSER"], password=endpoint.password,
        dbname=place["PGDATABASE"], sslmode="disable", connect_timeout=10,
    ) as session:  # fmt: skip
        connection = socket.socket(fileno=os.dup(session.pgconn.socket))
        with connection:
            connection.setblocking(True)
            connection.settimeout(120)
            yield connection


def _fetch(connection: socket.socket, sql: str) -> float:
    """Run a Query; the seconds until its ReadyForQuery."""
    text = sql.encode() + b"\x00"
    room = bytearray(1 << 18)
    began = time.perf_counter()
    connection.sendall(b"Q" + (len(text) + 4).to_bytes(4, "big") + text)
    size, tail, first = 0, b"", b""
    while not tail.endswith(_READY):
        got = connection.recv_into(room)
        if not got:
            raise BenchError("the session ended in the middle of a result")
        first = first or bytes(room[:1])
        size += got
        tail = (tail + room[max(0, got - len(_READY)) : got])[-len(_READY) :]
    if first not in (b"T", b"H") or size < 10_000:
        raise BenchError(f"no result for {sql}")
    return time.perf_counter() - began
