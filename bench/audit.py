"""`python -m bench.audit`: what the collector's store takes in, how fast it is searched, and what it needs of the disk.

A made-up trail (`made_trail.py`) goes through the store's own writer, batch by batch, and in turn into a plain SQLite
table. What is measured and what is not: README.md. What doesn't belong: the gate's own cost (`__main__.py`).
"""

from __future__ import annotations

import asyncio
import json
import sqlite3
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path

import click

from bench.audit_searches import Latency, Searches, latency
from bench.made_trail import MadeTrail
from penstock_collector.retention import PAUSE_SECONDS
from penstock_collector.store import retention, room
from penstock_collector.store.database import StoreError
from penstock_collector.store.intake import take
from penstock_collector.store.lines import read_batch
from penstock_collector.store.readers import Readers
from penstock_collector.store.writer import Writer

_OUT = Path(__file__).with_name("out") / "audit.json"
_OF_A_BATCH = 100
_AT_ONCE = 2_000
# The plain table begins anew after so many, or it would take the room of all lines.
_PLAIN_MOST = 100_000
# When batches arrive, as the store is told: a second apart.
_BEGINNING = 1_800_000_000.0
# So much is dropped, the oldest, while more comes in.
_DROPPED_SHARE = 0.1
_SAY_SECONDS = 5.0
# What a batch may take while retention runs, at most.
_LONGEST_STALL_MS = 100.0
_NOTHING = Latency(0.0, 0.0, 0.0)


@dataclass(slots=True)
class Report:
    """The figures of a run."""

    statements: int
    # Statements a second, and CPU for each, of the store and of the plain table.
    store_rate: float = 0.0
    store_cpu_us: float = 0.0
    plain_rate: float = 0.0
    plain_cpu_us: float = 0.0
    bytes_per_statement: float = 0.0
    plain_bytes_per_statement: float = 0.0
    # Of the store's tables and indexes, each; nothing where SQLite can't tell.
    parts: dict[str, float] = field(default_factory=dict)
    searches: dict[str, Latency] = field(default_factory=dict)
    # What a batch took at rest, and while retention ran; what retention dropped meanwhile, and its portions.
    at_rest: Latency = _NOTHING
    in_retention: Latency = _NOTHING
    dropped_events: int = 0
    portions: Latency = _NOTHING
    longest_portion_cpu_ms: float = 0.0

    def table(self) -> Iterator[str]:
        """For people."""
        yield f"{self.statements} statements"
        yield f"{'':<28}{'store':>12}{'plain table':>14}"
        yield f"{'statements a second':<28}{self.store_rate:>12,.0f}{self.plain_rate:>14,.0f}"
        yield f"{'CPU for each, µs':<28}{self.store_cpu_us:>12.0f}{self.plain_cpu_us:>14.0f}"
        yield f"{'bytes for each':<28}{self.bytes_per_statement:>12.0f}{self.plain_bytes_per_statement:>14.0f}"
        for name, size in self.parts.items():
            if size >= 1:
                yield f"  {name:<26}{size:>12.0f}"
        yield f"{'search, ms':<28}{'p50':>12}{'p99':>14}"
        for name, one in self.searches.items():
            yield f"  {name:<26}{one.p50_ms:>12.1f}{one.p99_ms:>14.1f}"
        yield f"{'a batch, ms':<28}{'p50':>12}{'p99':>14}{'longest':>14}"
        for name, one in (("at rest", self.at_rest), ("in retention", self.in_retention)):
            yield f"  {name:<26}{one.p50_ms:>12.1f}{one.p99_ms:>14.1f}{one.longest_ms:>14.1f}"
        one = self.portions
        yield f"  {'a portion of retention':<26}{one.p50_ms:>12.1f}{one.p99_ms:>14.1f}{one.longest_ms:>14.1f}"
        yield f"{self.dropped_events} events went; longest CPU of a portion: {self.longest_portion_cpu_ms:.1f} ms"
        reached = "reached" if self.in_retention.longest_ms <= _LONGEST_STALL_MS else "missed"
        yield f"longest batch while retention runs, ms: ≤ {_LONGEST_STALL_MS:.0f}, {reached}"


class _Plain:
    """The same lines as rows of a table without anything, committed as the store commits."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._connection: sqlite3.Connection | None = None
        self._rows = 0
        self.size = 0

    def take(self, lines: list[bytes]) -> None:
        connection = self._open()
        connection.execute("BEGIN IMMEDIATE")
        connection.executemany("INSERT INTO lines (line) VALUES (?)", [(line.decode(),) for line in lines])
        connection.execute("COMMIT")
        self._rows += len(lines)

    def _open(self) -> sqlite3.Connection:
        if self._connection is None or self._rows >= 2 * _PLAIN_MOST:
            self.close()
            self._connection = sqlite3.connect(self._path, isolation_level=None)
            self._connection.execute("PRAGMA journal_mode = WAL")
            self._connection.execute("PRAGMA synchronous = FULL")
            self._connection.execute("CREATE TABLE lines (id INTEGER PRIMARY KEY, line TEXT NOT NULL)")
        return self._connection

    def close(self) -> None:
        """End it; what it took is added to `size`."""
        if self._connection is not None:
            self.size += room.used_bytes(self._connection)
            self._connection.close()
            self._path.unlink()
            self._connection, self._rows = None, 0


class _Run:
    """One run, step by step."""

    def __init__(self, directory: Path, statements: int, *, pairs: bool) -> None:
        self.report = Report(statements)
        self._path = directory / "audit.db"
        self._plain = _Plain(directory / "plain.db")
        self._writer = Writer(self._path)
        self._trail = MadeTrail(pairs=pairs)
        self._now = _BEGINNING
        self._said = time.monotonic()

    async def measure(self, repeats: int) -> Report:
        """All of it."""
        try:
            await self._fill()
            _say("measuring sizes")
            await self._writer.run(self._sizes)
            _say("searching")
            readers = Readers(self._path, patience=60.0)
            try:
                self.report.searches = await Searches(readers).measure(repeats)
            finally:
                readers.close()
            _say("dropping the oldest while more comes in")
            await self._drop()
        finally:
            self._writer.close()
            self._plain.close()
        return self.report

    async def _fill(self) -> None:
        report, done, took = self.report, 0, list[float]()
        spent = {"store": [0.0, 0.0], "plain": [0.0, 0.0]}
        while done < report.statements:
            some = min(_AT_ONCE, report.statements - done)
            batches = list(self._trail.batches(some, _OF_A_BATCH))
            with _Clock(spent["store"]):
                for stream, lines in batches:
                    took.append(await self._take(stream, lines))
            with _Clock(spent["plain"]):
                for _, lines in batches:
                    self._plain.take(lines)
            done += some
            if time.monotonic() - self._said >= _SAY_SECONDS:
                self._said = time.monotonic()
                _say(f"{done} of {report.statements} statements, {done / spent['store'][0]:,.0f} a second")
        self._plain.close()
        report.at_rest = latency(took)
        report.store_rate, report.plain_rate = (done / spent[name][0] for name in ("store", "plain"))
        report.store_cpu_us, report.plain_cpu_us = (spent[name][1] / done * 1e6 for name in ("store", "plain"))
        report.plain_bytes_per_statement = self._plain.size / done

    async def _take(self, stream: str, lines: list[bytes]) -> float:
        """As the collector takes a batch in; how many milliseconds it took."""
        began = time.perf_counter()
        batch = await asyncio.to_thread(read_batch, b"\n".join([*lines, b""]), stream)
        self._now += 1.0
        await self._writer.run(partial(take, stream=stream, batch=batch, oldest=1, now=self._now))
        return (time.perf_counter() - began) * 1e3

    def _sizes(self, connection: sqlite3.Connection) -> None:
        count = self.report.statements
        self.report.bytes_per_statement = room.used_bytes(connection) / count
        try:
            rows = connection.execute("SELECT name, sum(pgsize) FROM dbstat GROUP BY name ORDER BY 2 DESC").fetchall()
        except sqlite3.OperationalError:
            return
        self.report.parts = {row[0]: round(row[1] / count, 1) for row in rows}

    async def _drop(self) -> None:
        cutoff = _BEGINNING + (self._now - _BEGINNING) * _DROPPED_SHARE
        dropping, taken = asyncio.create_task(self._drop_before(cutoff)), list[float]()
        while not dropping.done():
            for stream, lines in self._trail.batches(_OF_A_BATCH, _OF_A_BATCH):
                taken.append(await self._take(stream, lines))
        self.report.dropped_events = await dropping
        self.report.in_retention = latency(taken)

    async def _drop_before(self, cutoff: float) -> int:
        """As retention does it, with its pauses."""
        dropped, after, took, began = 0, 0, list[float](), 0.0

        def drop(connection: sqlite3.Connection) -> retention.Portion:
            nonlocal began
            began, cpu = time.perf_counter(), time.thread_time()
            portion = retention.drop(connection, cutoff, after, self._now, "measured")
            spent = (time.thread_time() - cpu) * 1e3
            self.report.longest_portion_cpu_ms = max(self.report.longest_portion_cpu_ms, spent)
            return portion

        while True:
            portion = await self._writer.run(drop)
            # Since its turn came, until it was committed.
            took.append((time.perf_counter() - began) * 1e3)
            dropped += portion.events
            if portion.after is None:
                self.report.portions = latency(took)
                return dropped
            after = portion.after
            await asyncio.sleep(PAUSE_SECONDS)


class _Clock:
    """Adds time and CPU to a pair."""

    def __init__(self, spent: list[float]) -> None:
        self._spent = spent

    def __enter__(self) -> None:
        self._began = time.perf_counter(), time.process_time()

    def __exit__(self, *_: object) -> None:
        self._spent[0] += time.perf_counter() - self._began[0]
        self._spent[1] += time.process_time() - self._began[1]


@click.command()
@click.option("--statements", type=click.IntRange(1000), default=1_000_000, show_default=True, help="How many.")
@click.option("--repeats", type=click.IntRange(1), default=50, show_default=True, help="Of each search.")
@click.option("--pairs", is_flag=True, help="Intents and outcomes apart, as with onFailure: block.")
@click.option("--directory", type=click.Path(path_type=Path, exists=True, file_okay=False), help="Where the store is.")
@click.option("--out", type=click.Path(path_type=Path), default=_OUT, help="Where the figures are written.")
def command(statements: int, repeats: int, pairs: bool, directory: Path | None, out: Path) -> None:
    """Measure the collector's store beside plain SQLite inserts of the same lines."""
    try:
        with tempfile.TemporaryDirectory(prefix="penstock-bench-", dir=directory) as place:
            report = asyncio.run(_measured(Path(place), statements, repeats, pairs=pairs))
    except (StoreError, OSError) as error:
        raise click.ClickException(str(error)) from None
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(asdict(report), indent=1) + "\n")
    for line in report.table():
        click.echo(line)
    _say(f"figures are in {out}")


async def _measured(place: Path, statements: int, repeats: int, *, pairs: bool) -> Report:
    return await _Run(place, statements, pairs=pairs).measure(repeats)


def _say(text: str) -> None:
    print(f"bench: {text}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    command()
