"""What identities cost: a login by each way beside one to the server, sessions of a thousand people, and how soon an
approved statement runs.

The identities and their files are `crowd.py`'s; `python -m bench --people` runs it.
"""

from __future__ import annotations

import contextlib
import socket
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx2
import psycopg

from bench.crowd import AGENT, APPROVER, BYSTANDER, ERASER, Crowd
from bench.figures import Figure, Target
from bench.processes import BenchError, Program
from bench.stage import DBNAME, USER, wait_until_ready
from penstock_cli.demo.loopback import free_port
from penstock_cli.demo.postgres import EmbeddedPostgres
from penstock_sidecar.wire import messages, oauthbearer
from penstock_sidecar.wire.framing import FROM_SERVER, Look

PEOPLE = 1_000
LOGINS = 200
_APPROVALS = 20
_WAITING_SECONDS = 30.0
# Larger than any header of HTTP: what an issuer makes that lists every group.
_LONG_TOKEN_BYTES = 8_000


def measure(directory: Path, people: int = PEOPLE, logins: int = LOGINS) -> Iterator[Figure]:
    """One figure after the other; `mode` is the way of the login, `clients` how many."""
    directory.chmod(0o711)
    server = EmbeddedPostgres.start(
        directory / "postgres", settings={"autovacuum": "off", "max_connections": str(people + 100)}
    )
    with contextlib.ExitStack() as running:
        running.callback(server.stop)
        server.psql(f"CREATE ROLE {USER} LOGIN PASSWORD '{server.password}'; CREATE DATABASE {DBNAME} OWNER {USER};")
        server.psql(f"SET ROLE {USER}; CREATE TABLE table0 (id int PRIMARY KEY, email text)", DBNAME)
        crowd = Crowd(directory / "gate", server.port, DBNAME, people)
        collector = _collector(crowd, directory, running)
        port, health = free_port(), free_port()
        crowd.prepare(port, health, collector, server.password)
        gate = Program.start(
            "penstock (people)",
            [sys.executable, "-m", "penstock_cli", "--log-level", "warning", "proxy", "--config", crowd.directory],
            directory / "gate.log",
        )
        running.callback(gate.end)
        wait_until_ready(gate, health)
        yield from _logins(crowd, port, server, logins)
        yield _approved(crowd, port, server, f"http://127.0.0.1:{collector}")
        yield from _sessions(crowd, port, gate)


def _collector(crowd: Crowd, directory: Path, running: contextlib.ExitStack) -> int:
    """A running collector's port."""
    port = free_port()
    streams, viewers = crowd.write_collector_tokens(directory)
    environment = {
        "PENSTOCK_COLLECTOR_LISTEN": f"127.0.0.1:{port}",
        "PENSTOCK_COLLECTOR_DATABASE": str(directory / "audit.db"),
        "PENSTOCK_COLLECTOR_STREAM_TOKENS_FILE": str(streams),
        "PENSTOCK_COLLECTOR_VIEWER_TOKENS_FILE": str(viewers),
    }
    program = Program.start(
        "penstock collector",
        [sys.executable, "-m", "penstock_cli", "--log-level", "warning", "collector"],
        directory / "collector.log",
        environment=environment,
    )
    running.callback(program.end)
    wait_until_ready(program, port)
    return port


def _logins(crowd: Crowd, port: int, server: EmbeddedPostgres, count: int) -> Iterator[Figure]:
    """In turn, so that whatever else the machine does meets all of them."""
    padding = "g" * (_LONG_TOKEN_BYTES * 3 // 4)

    def gate(token: str, tls: str = "disable") -> Callable[[], None]:
        return lambda: _connect(port, token, tls).close()

    plain = crowd.token(BYSTANDER)
    # Its tickets are made before each login that is taken.
    bearer = _connect(port, plain, "disable")
    ways: dict[str, Callable[[], None]] = {
        "server's password": lambda: _connect(server.port, server.password, "disable", USER).close(),
        "token": gate(plain),
        "token, TLS": gate(plain, "require"),
        "token of 8 KB": gate(crowd.token(BYSTANDER, groups=[padding])),
        "OAUTHBEARER": lambda: _bearer(port, plain),
        "agent for a person": gate(crowd.token(BYSTANDER, act={"sub": AGENT})),
    }
    taken: dict[str, list[float]] = {name: [] for name in (*ways, "ticket")}
    for number in range(count + 1):
        for name, log_in in (*ways.items(), ("ticket", _by_ticket(port, bearer))):
            began = time.perf_counter()
            log_in()
            # The first of each brings with it what all later ones find.
            if number:
                taken[name].append(time.perf_counter() - began)
    bearer.close()
    for name, seconds in taken.items():
        percentiles = statistics.quantiles(seconds, n=100)
        _say(f"{name}: {percentiles[49] * 1000:.2f} ms, slowest of a hundred {percentiles[98] * 1000:.2f} ms")
        target: Target = "direct" if name == "server's password" else "penstock"
        yield Figure(
            "login", name, count, target, p50_us=percentiles[49] * 1e6, p99_us=percentiles[98] * 1e6
        )  # fmt: skip


def _by_ticket(port: int, bearer: psycopg.Connection) -> Callable[[], None]:
    """A login with a ticket that is made now."""
    row = psycopg.ClientCursor(bearer).execute("SHOW penstock.ticket").fetchone()
    if row is None:
        raise BenchError("the gate gives no ticket")
    return lambda: _connect(port, row[1], "disable", row[0]).close()


def _connect(port: int, password: str, tls: str, user: str = "token") -> psycopg.Connection:
    return psycopg.connect(
        host="127.0.0.1", port=port, user=user, password=password, dbname=DBNAME, sslmode=tls,
        autocommit=True, connect_timeout=60, options="-c penstock.login=password" if user == "token" else "",
    )  # fmt: skip


def _bearer(port: int, token: str) -> None:
    """Log in as libpq 18 does once its application has a token, and leave."""
    startup = messages.startup({"user": "token", "database": DBNAME, "options": "-c penstock.login=oauthbearer"})
    initial = b"n,,\x01auth=Bearer " + token.encode() + b"\x01\x01"
    with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
        connection.sendall(startup)
        _until(connection, b"R")
        mechanism = oauthbearer.MECHANISM.encode() + b"\x00"
        connection.sendall(messages.message(b"p", mechanism + len(initial).to_bytes(4, "big") + initial))
        _until(connection, b"Z")


def _until(connection: socket.socket, kind: bytes) -> None:
    """Read messages until one of that kind came. Raises BenchError."""
    data = b""
    while True:
        while len(data) >= 5 and len(data) > (length := int.from_bytes(data[1:5], "big")):
            found, data = data[:1], data[length + 1 :]
            if found == kind:
                return
            if found == b"E" or FROM_SERVER[found[0]] == Look.UNKNOWN:
                raise BenchError("the gate refused a login by OAUTHBEARER")
        got = connection.recv(65536)
        if not got:
            raise BenchError("the gate closed a login by OAUTHBEARER")
        data += got


def _approved(crowd: Crowd, port: int, server: EmbeddedPostgres, collector: str) -> Figure:
    """How long after the approver's yes a statement that waits for it has run, as its client sees it."""
    seconds = []
    headers = {"Authorization": f"Bearer {crowd.approver_token}"}
    with (
        _connect(port, crowd.token(ERASER), "disable") as session,
        httpx2.Client(base_url=collector, headers=headers, timeout=_WAITING_SECONDS) as approver,
        ThreadPoolExecutor(1) as beside,
    ):
        for number in range(_APPROVALS):
            server.psql(f"INSERT INTO table0 VALUES ({number})", DBNAME)
            waiting = beside.submit(_ended, session, number)
            name = _asked(approver)
            approver.post(f"/v1/requests/{name}/decision", json={"decision": "approved"}).raise_for_status()
            began = time.perf_counter()
            seconds.append(waiting.result(_WAITING_SECONDS) - began)
    _say(f"approval to execution: {statistics.median(seconds) * 1000:.1f} ms, at most {max(seconds) * 1000:.1f}")
    return Figure(
        "approval to execution", APPROVER, _APPROVALS, "penstock",
        p50_us=statistics.median(seconds) * 1e6, p99_us=max(seconds) * 1e6,
    )  # fmt: skip


def _ended(session: psycopg.Connection, number: int) -> float:
    """When a held statement has run."""
    if session.execute(f"DELETE FROM table0 WHERE id = {number}").rowcount != 1:
        raise BenchError("an approved statement did not delete its row")
    return time.perf_counter()


def _asked(approver: httpx2.Client) -> str:
    """The name of the one request that waits."""
    end = time.monotonic() + _WAITING_SECONDS
    while time.monotonic() < end:
        for one in approver.get("/v1/requests", params={"standing": "waiting"}).raise_for_status().json()["requests"]:
            return str(one["name"])
        time.sleep(0.02)
    raise BenchError("no request was made for a held statement")


def _sessions(crowd: Crowd, port: int, gate: Program) -> Iterator[Figure]:
    """Everybody logs in, reads with a mask of a policy of their own, and stays."""
    seconds = []
    before = gate.rss_kb()
    with contextlib.ExitStack() as opened:
        for name in crowd.names:
            began = time.perf_counter()
            session = opened.enter_context(_connect(port, crowd.token(name), "disable"))
            session.execute("SELECT email FROM table0 LIMIT 1").fetchall()
            seconds.append(time.perf_counter() - began)
        rss = gate.rss_kb()
    percentiles = statistics.quantiles(seconds, n=100)
    count = len(seconds)
    _say(f"{count} people: {rss // 1024} MiB, {(rss - before) / count:.1f} kB each")
    yield Figure(
        "people", "login and first statement", count, "penstock",
        p50_us=percentiles[49] * 1e6, p99_us=percentiles[98] * 1e6, rss_kb=rss,
    )  # fmt: skip
    yield Figure("people", "each", count, "penstock", rss_kb=round((rss - before) / count))


def _say(text: str) -> None:
    print(f"bench: {text}", file=sys.stderr, flush=True)
