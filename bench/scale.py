"""What a gate does as tables and identities become many: memory, and how long anybody waits for somebody else's sake.

One session, for whom nothing is masked, sends statements all the time; its slowest one is how long the gate did nothing
else. Meanwhile the others log in, the policies are written anew without a difference, and a table is made. The
identities and their files are `crowd.py`'s; `python -m bench --scale` runs it.
"""

from __future__ import annotations

import contextlib
import statistics
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psycopg

from bench.crowd import BUILDER, BYSTANDER, Crowd
from bench.figures import Figure
from bench.processes import BenchError, Program
from bench.stage import DBNAME, USER, wait_until_ready
from penstock_cli.demo.loopback import free_port
from penstock_cli.demo.postgres import EmbeddedPostgres
from penstock_sidecar.proxy.rules_provider import CHECK_SECONDS

TABLES = (1_000, 5_000, 20_000)
IDENTITIES = (1, 10, 50)
_COLUMNS = 20
# Of one transaction: each table takes a lock.
_BATCH = 250
# How long what a change sets off may take until nobody waits for it any more.
_SETTLING_SECONDS = 240.0
_QUIET_SECONDS = 3.0
_PAUSE_SECONDS = 0.002
_CHANGES = 5


@dataclass
class Steady:
    """A session that asks the same again and again, and the longest that it waited, in seconds."""

    connection: psycopg.Connection
    longest: float = 0.0
    last_slow: float = 0.0
    # Sends nothing meanwhile.
    rests: bool = False
    _ends: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        while not self._ends.is_set():
            if self.rests:
                time.sleep(_PAUSE_SECONDS)
                continue
            began = time.perf_counter()
            self.connection.execute("SELECT 1")
            ended = time.perf_counter()
            if ended - began > self.longest:
                self.longest = ended - began
            if ended - began > 0.05:
                self.last_slow = ended
            time.sleep(_PAUSE_SECONDS)

    def end(self) -> None:
        self._ends.set()

    def taken(self) -> float:
        """The longest since it was asked the last time, what runs right now included."""
        self.connection.execute("SELECT 1")
        longest, self.longest = self.longest, 0.0
        return longest

    def quiet(self) -> None:
        """Wait until nothing was slow for a while."""
        end = time.perf_counter() + _SETTLING_SECONDS
        since = time.perf_counter()
        while time.perf_counter() < end:
            if time.perf_counter() - max(since, self.last_slow) > _QUIET_SECONDS:
                return
            time.sleep(0.1)


def measure(
    directory: Path, tables: tuple[int, ...] = TABLES, identities: tuple[int, ...] = IDENTITIES
) -> Iterator[Figure]:
    """One figure after the other; `clients` of each is the number of identities, its mode that of tables."""
    directory.chmod(0o711)
    server = EmbeddedPostgres.start(
        directory / "postgres", settings={"autovacuum": "off", "max_connections": "300", "shared_buffers": "256MB"}
    )
    with contextlib.ExitStack() as running:
        running.callback(server.stop)
        server.psql(f"CREATE ROLE {USER} LOGIN PASSWORD '{server.password}'; CREATE DATABASE {DBNAME} OWNER {USER};")
        sink = free_port()
        command = [sys.executable, "-m", "bench.sink", str(sink)]
        running.callback(Program.start("sink", command, directory / "sink.log").end)
        there = 0
        for count in tables:
            _fill(server, there, count)
            there = count
            for many in identities:
                _say(f"{count} tables, {many} identities")
                crowd = Crowd(directory / f"gate-{count}-{many}", server.port, DBNAME, many)
                yield from _measure_gate(crowd, count, sink, server)


def _fill(server: EmbeddedPostgres, there: int, count: int) -> None:
    """Tables of twenty columns, each with a key, one column to mask and an index beside it."""
    others = ", ".join(f"field{number} {kind}" for number, kind in zip(range(_COLUMNS - 3), _kinds(), strict=False))
    for begin in range(there, count, _BATCH):
        server.psql(
            f"""
            SET ROLE {USER};
            DO $$ BEGIN
                FOR n IN {begin} .. {min(begin + _BATCH, count) - 1} LOOP
                    EXECUTE format('CREATE TABLE table%s (id bigint PRIMARY KEY, email text, name%s text, {others})',
                        n, n);
                END LOOP;
            END $$;
            """,
            DBNAME,
        )
    server.psql("VACUUM ANALYZE pg_catalog.pg_attribute, pg_catalog.pg_class;", DBNAME)


def _kinds() -> Iterator[str]:
    while True:
        yield from ("text", "integer NOT NULL DEFAULT 0", "timestamptz", "numeric(10,2)", "boolean")


def _measure_gate(crowd: Crowd, tables: int, sink: int, server: EmbeddedPostgres) -> Iterator[Figure]:
    port, health = free_port(), free_port()
    crowd.prepare(port, health, sink, server.password)
    program = Program.start(
        f"penstock ({crowd.directory.name})",
        [sys.executable, "-m", "penstock_cli", "--log-level", "warning", "proxy", "--config", crowd.directory],
        crowd.directory / "gate.log",
    )
    with contextlib.ExitStack() as running:
        running.callback(program.end)
        wait_until_ready(program, health)
        steady = Steady(_login(crowd, port, BYSTANDER))
        thread = threading.Thread(target=steady.run, daemon=True)
        thread.start()
        running.callback(thread.join)
        running.callback(steady.end)
        yield from _events(crowd, tables, port, steady, program)
        yield from _after_ddl(crowd, tables, port, steady, program, server)


def _events(crowd: Crowd, tables: int, port: int, steady: Steady, program: Program) -> Iterator[Figure]:
    def figure(measure: str, seconds: float) -> Figure:
        return _figure(crowd, tables, measure, seconds)

    def seconds(number: int, session: psycopg.Connection) -> float:
        return _seconds(session, number % tables)

    steady.quiet()
    steady.taken()
    time.sleep(_QUIET_SECONDS)
    yield figure("stall at rest", steady.taken())
    logins, firsts, sessions = [], [], []
    for number, name in enumerate(crowd.names):
        began = time.perf_counter()
        sessions.append(_login(crowd, port, name))
        logins.append(time.perf_counter() - began)
        firsts.append(seconds(number, sessions[-1]))
    yield figure("first login", max(logins))
    yield figure("first decision", max(firsts))
    yield figure("stall at logins", steady.taken())
    rss = program.rss_kb()
    _say(f"  memory: {rss // 1024} MiB")
    yield Figure("scale, memory", f"{tables} tables", crowd.identities, "penstock", rss_kb=rss)
    newcomer = crowd.names[0]
    for change in ("policy", "catalog"):
        builder = _login(crowd, port, BUILDER)
        if change == "policy":
            crowd.write_resources(note="written again")
            time.sleep(1.5)
        else:
            builder.execute(f"CREATE TABLE made{tables}_{crowd.identities} (id int PRIMARY KEY, email text)")
        began = time.perf_counter()
        _login(crowd, port, BYSTANDER).close()
        other = time.perf_counter() - began
        began = time.perf_counter()
        _login(crowd, port, newcomer).close()
        login = time.perf_counter() - began
        next_ones = [seconds(number + 7, session) for number, session in enumerate(sessions)]
        steady.quiet()
        yield figure(f"stall after {change}", steady.taken())
        yield figure(f"login unmasked after {change}", other)
        yield figure(f"login after {change}", login)
        yield figure(f"next decision after {change}", max(next_ones))
        builder.close()
    rss = program.rss_kb()
    _say(f"  memory after changes: {rss // 1024} MiB")
    yield Figure("scale, memory after changes", f"{tables} tables", crowd.identities, "penstock", rss_kb=rss)
    for session in sessions:
        session.close()


def _after_ddl(
    crowd: Crowd, tables: int, port: int, steady: Steady, program: Program, server: EmbeddedPostgres
) -> Iterator[Figure]:
    """How long a statement of an identity with masks waits that is sent right after a change of the schema was done,
    and what the gate takes of the machine for it; and how long anybody waits where the change did not come through it.
    """
    builder, session = _login(crowd, port, BUILDER), _login(crowd, port, crowd.names[0])
    made = f"ddl{tables}_{crowd.identities}"
    builder.execute(f"CREATE TABLE {made} (id int PRIMARY KEY, email text)")
    _seconds(session, 1)
    steady.quiet()
    steady.rests = True
    waits, worked = [], program.settled_cpu_seconds()
    for number in range(_CHANGES):
        builder.execute(f"ALTER TABLE {made} ADD COLUMN more{number} text")
        waits.append(_seconds(session, 1))
    worked = (program.settled_cpu_seconds() - worked) / _CHANGES
    yield _figure(crowd, tables, "wait after DDL", statistics.median(waits))
    yield _figure(crowd, tables, "CPU of the gate for DDL", worked)
    steady.rests = False
    steady.taken()
    builder.execute(f"ALTER TABLE {made} ADD COLUMN last text")
    _seconds(session, 1)
    steady.quiet()
    yield _figure(crowd, tables, "stall after DDL", steady.taken())
    server.psql(f"ALTER TABLE {made} ADD COLUMN unseen text", DBNAME)
    time.sleep(CHECK_SECONDS + 2)
    steady.quiet()
    yield _figure(crowd, tables, "stall after DDL behind the gate", steady.taken())
    builder.close()
    session.close()


def _figure(crowd: Crowd, tables: int, measure: str, seconds: float) -> Figure:
    _say(f"  {measure}: {seconds * 1000:.0f} ms")
    return Figure(f"scale, {measure}", f"{tables} tables", crowd.identities, "penstock", p50_us=seconds * 1e6)


def _seconds(session: psycopg.Connection, table: int) -> float:
    """How long a statement with a mask takes."""
    began = time.perf_counter()
    while True:
        try:
            session.execute(f"SELECT email FROM table{table} LIMIT 1").fetchall()
        except psycopg.errors.LockNotAvailable:
            # It waited as long as a statement may, and has to be sent again.
            continue
        return time.perf_counter() - began


def _login(crowd: Crowd, port: int, name: str) -> psycopg.Connection:
    end = time.monotonic() + 120
    while True:
        try:
            return psycopg.connect(
                host="127.0.0.1", port=port, user="token", password=crowd.token(name), dbname=DBNAME,
                sslmode="disable", autocommit=True, connect_timeout=120,
            )  # fmt: skip
        except psycopg.OperationalError as error:
            if time.monotonic() > end:
                raise BenchError(f"nobody can log in: {error}") from None
            time.sleep(0.2)


def _say(text: str) -> None:
    print(f"bench: {text}", file=sys.stderr, flush=True)
