"""The spool: durable before it answers, bounded, and honest after a crash."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from penstock_core.audit.chain import Head
from penstock_core.audit.event import Event
from penstock_core.audit.form import Form
from penstock_core.audit.report import Verdict
from penstock_core.audit.verify import verify
from penstock_sidecar.shipping.spool import EventRefused, Spool, SpoolBroken, SpoolFull

MEGABYTE = 1_000_000


def intent(statement: str, sql: str = "SELECT 1") -> Event:
    return {"kind": "intent", "session": "s1", "statement": statement, "sql": sql}


def outcome(statement: str) -> Event:
    return {"kind": "outcome", "session": "s1", "statement": statement, "result": "ok", "rows": 1}


def clock() -> datetime:
    return datetime(2026, 11, 25, 9, 0, 0, 5, tzinfo=UTC)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "spool.db"


class Opener:
    """Opens spools on one path and closes what a test left open."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.opened: list[Spool] = []

    def __call__(self, stream: str = "pod/boot1", max_bytes: int = MEGABYTE, heartbeat: float = 30.0) -> Spool:
        spool = Spool.open(self.path, stream, max_bytes, clock, heartbeat=heartbeat)
        self.opened.append(spool)
        return spool


@pytest.fixture
def open_spool(path: Path) -> Iterator[Opener]:
    opener = Opener(path)
    yield opener
    for spool in opener.opened:
        spool.close()


async def fill(spool: Spool, sql_length: int) -> tuple[list[str], SpoolFull]:
    """Begin statements until the spool is full: those it took, and the refusal."""
    accepted: list[str] = []
    for number in range(10_000):
        try:
            await spool.append([intent(str(number), sql="x" * sql_length)])
        except SpoolFull as full:
            return accepted, full
        accepted.append(str(number))
    raise AssertionError("never full")


def kinds(events: list[Event]) -> list[str]:
    return [event["kind"] for event in events]


async def test_events_are_chained_in_the_order_of_their_appends(open_spool: Opener) -> None:
    spool = open_spool()
    await asyncio.gather(spool.append([{"kind": "open"}]), *(spool.append([intent(str(i))]) for i in range(20)))
    events = spool.pending()
    assert [event["seq"] for event in events] == list(range(1, 22))
    assert [event.get("statement") for event in events[1:]] == [str(i) for i in range(20)]
    assert events[0]["time"] == "2026-11-25T09:00:00.000005Z"
    assert verify(events).intact
    assert spool.head == Head("pod/boot1", 21, events[-1]["hash"])


async def test_many_appends_share_a_commit(open_spool: Opener) -> None:
    spool = open_spool()
    commits = 0

    def count() -> None:
        nonlocal commits
        commits += 1

    spool.on_commit(count)
    await asyncio.gather(*(spool.append([{"kind": "open"} if i == 0 else intent(str(i))]) for i in range(500)))
    assert spool.depth == 500
    assert commits < 50


async def test_what_the_collector_has_is_dropped(open_spool: Opener) -> None:
    spool = open_spool()
    await spool.append([{"kind": "open"}, intent("1"), outcome("1")])
    full = spool.bytes
    spool.acknowledge(2)
    await spool.append([intent("2")])
    assert [event["seq"] for event in spool.pending()] == [3, 4]
    assert spool.pending(after_seq=3)[0]["statement"] == "2"
    assert (spool.depth, spool.bytes < full) == (2, True)


async def test_a_stale_or_impossible_acknowledgement_drops_nothing_it_should_not(open_spool: Opener) -> None:
    spool = open_spool()
    await spool.append([{"kind": "open"}, intent("1")])
    spool.acknowledge(1)
    spool.acknowledge(0)
    spool.acknowledge(-5)
    spool.acknowledge(1, stream="someone/else")
    await spool.append([intent("2")])
    assert [event["seq"] for event in spool.pending()] == [2, 3]
    spool.acknowledge(10**9)
    await spool.append([intent("3")])
    # An acknowledgement beyond the end covers only what was there.
    assert [event["seq"] for event in spool.pending()] == [4]


async def test_a_full_spool_refuses_statements_and_still_takes_their_outcomes(open_spool: Opener) -> None:
    spool = open_spool(max_bytes=200_000)
    await spool.append([{"kind": "open"}])
    accepted, full = await fill(spool, sql_length=300)
    assert re.fullmatch(
        r"audit spool is full \(\d+ of 200000 bytes wait for the collector\): no room for intent", str(full)
    )
    assert isinstance(spool.refusal, SpoolFull)
    for statement in accepted:
        await spool.append([outcome(statement)])
    assert isinstance(spool.refusal, SpoolFull)
    await spool.append([{"kind": "loss", "count": 1, "cause": "spool full"}, {"kind": "close", "reason": "stopped"}])
    report = verify(spool.pending(limit=100_000))
    assert report.verdict is Verdict.INCOMPLETE, "for what is lost, and told"
    assert report.streams[0].notes == []


async def test_room_comes_back_with_the_acknowledgement(open_spool: Opener) -> None:
    spool = open_spool(max_bytes=50_000)
    await spool.append([{"kind": "open"}])
    await fill(spool, sql_length=1000)
    assert isinstance(spool.refusal, SpoolFull)
    freed = asyncio.Event()
    spool.on_commit(freed.set)
    spool.acknowledge(spool.head.seq)
    async with asyncio.timeout(5):
        await freed.wait()
    assert spool.refusal is None, "at once, without an append that would have to be tried first"
    await spool.append([intent("again")])


async def test_a_full_disk_is_said_as_such_and_passes(open_spool: Opener) -> None:
    spool = open_spool(max_bytes=100 * MEGABYTE)
    await spool.append([{"kind": "open"}])
    # SQLite reports a file that may not grow exactly as it reports a disk that is full.
    limit = spool._file._connection
    pages = limit.execute("PRAGMA page_count").fetchone()[0]
    limit.execute(f"PRAGMA max_page_count = {pages + 2}")
    _, full = await fill(spool, sql_length=3000)
    assert str(full) == "audit spool cannot grow: the disk is full"
    limit.execute("PRAGMA max_page_count = 1000000")
    await spool.append([intent("after")])
    assert spool.refusal is None
    assert verify(spool.pending(limit=10_000)).intact


async def test_an_event_that_cannot_be_recorded_harms_no_other(open_spool: Opener) -> None:
    spool = open_spool()
    await spool.append([{"kind": "open"}])
    bad = spool.append([intent("1"), {"kind": "intent", "duration": 0.5}])
    good = spool.append([intent("2")])
    with pytest.raises(EventRefused, match="float"):
        await bad
    await good
    assert [event.get("statement") for event in spool.pending()] == [None, "2"]
    assert spool.refusal is None


async def test_nothing_follows_a_close(open_spool: Opener) -> None:
    spool = open_spool()
    await spool.append([{"kind": "open"}, {"kind": "close", "reason": "stopped"}])
    with pytest.raises(EventRefused, match="stream pod/boot1 is closed"):
        await spool.append([intent("1")])


async def test_a_huge_statement_is_cut_not_refused(open_spool: Opener) -> None:
    spool = open_spool()
    await spool.append([{"kind": "open"}, intent("1", sql="x" * 5_000_000)])
    assert spool.pending()[1]["truncated"] == ["sql"]


async def test_so_is_one_that_shares_its_form_with_others(open_spool: Opener) -> None:
    spool = open_spool()
    form = Form({"kind": "intent", "session": "s1", "sql": "x" * 5_000_000}, ("statement",))
    await spool.append([{"kind": "open"}, form.body(statement=1), form.body(statement=2)])
    assert [(event["statement"], event["truncated"]) for event in spool.pending()[1:]] == [(1, ["sql"]), (2, ["sql"])]


async def test_an_idle_stream_beats(open_spool: Opener) -> None:
    spool = open_spool(heartbeat=0.05)
    await asyncio.sleep(0.15)
    assert spool.depth == 0, "a stream without its open event does not beat"
    await spool.append([{"kind": "open"}])
    await asyncio.sleep(0.3)
    beats = kinds(spool.pending())
    assert beats[0] == "open"
    assert 2 <= len(beats[1:]) <= 7
    assert set(beats[1:]) == {"heartbeat"}
    await spool.append([{"kind": "close"}])
    await asyncio.sleep(0.15)
    assert kinds(spool.pending())[-1] == "close"


async def test_the_next_start_ends_what_a_dead_process_left(open_spool: Opener) -> None:
    spool = open_spool("pod/boot1")
    await spool.append([{"kind": "open"}, intent("1"), outcome("1"), intent("2"), intent("3")])
    spool.acknowledge(4)  # The collector has intent 2 already; its outcome is still owed.
    spool.close()

    second = open_spool("pod/boot2")
    await second.append([{"kind": "open"}])
    assert [state.name for state in second.streams()] == ["pod/boot1", "pod/boot2"]
    left = second.pending(stream="pod/boot1")
    assert [(event["kind"], event.get("statement"), event.get("result")) for event in left] == [
        ("intent", "3", None),
        ("outcome", "2", "unknown"),
        ("outcome", "3", "unknown"),
        ("close", None, None),
    ]
    assert verify(left, partial=True).intact
    second.acknowledge(8, stream="pod/boot1")
    await second.append([intent("1")])
    assert [state.name for state in second.streams()] == ["pod/boot2"]


async def test_a_stream_that_was_closed_and_shipped_leaves_nothing(open_spool: Opener) -> None:
    spool = open_spool("pod/boot1")
    await spool.append([{"kind": "open"}, {"kind": "close"}])
    spool.acknowledge(2)
    spool.close()
    assert [state.name for state in open_spool("pod/boot2").streams()] == ["pod/boot2"]


async def test_a_closed_stream_is_still_shipped_by_the_next_start(open_spool: Opener) -> None:
    spool = open_spool("pod/boot1")
    await spool.append([{"kind": "open"}, {"kind": "close"}])
    spool.close()
    assert kinds(open_spool("pod/boot2").pending(stream="pod/boot1")) == ["open", "close"]


async def test_appending_after_close_fails(open_spool: Opener) -> None:
    spool = open_spool()
    spool.close()
    with pytest.raises(SpoolBroken, match="closed"):
        await spool.append([intent("1")])


def test_one_process_at_a_time(open_spool: Opener, path: Path) -> None:
    open_spool()
    with pytest.raises(SpoolBroken, match="is in use by another process"):
        Spool.open(path, "pod/boot2", MEGABYTE, clock)


def test_a_stream_name_is_used_once(open_spool: Opener) -> None:
    spool = open_spool("pod/boot1")

    async def begin() -> None:
        await spool.append([{"kind": "open"}])

    asyncio.run(begin())
    spool.close()
    with pytest.raises(SpoolBroken, match="has a stream pod/boot1 already"):
        open_spool("pod/boot1")


async def left_behind(open_spool: Opener) -> None:
    spool = open_spool("pod/boot1")
    await spool.append([{"kind": "open"}, *(intent(str(i)) for i in range(50))])
    spool.close()


def _garbage(path: Path) -> None:
    path.write_bytes(b"this is no database " * 1000)


def _torn(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def _altered(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        line = connection.execute("SELECT line FROM events WHERE id & 4095 = 7").fetchone()[0]
        connection.execute("UPDATE events SET line = ? WHERE line = ?", (line.replace(b"SELECT 1", b"SELECT 2"), line))
    connection.close()


def _removed(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("DELETE FROM events WHERE id & 4095 > 40")
    connection.close()


@pytest.mark.parametrize("damage", [_garbage, _torn, _altered, _removed])
def test_a_damaged_file_is_kept_aside_and_told_of(
    damage: Callable[[Path], None], open_spool: Opener, path: Path
) -> None:
    asyncio.run(left_behind(open_spool))
    damage(path)
    before = path.read_bytes()
    spool = open_spool("pod/boot2")

    async def begin() -> None:
        await spool.append([{"kind": "open"}])
        await spool.append([intent("1")])

    asyncio.run(begin())
    (kept,) = [file for file in path.parent.iterdir() if ".corrupt-" in file.name]
    assert kept.read_bytes() == before
    events = spool.pending()
    assert kinds(events) == ["open", "loss", "intent"]
    assert kept.name in events[1]["cause"]
    assert [state.name for state in spool.streams()] == ["pod/boot2"]
    assert verify(events).verdict is Verdict.INCOMPLETE


def test_a_foreign_database_is_left_alone(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE precious (x)")
    connection.close()
    with pytest.raises(SpoolBroken, match="is an SQLite database of something else"):
        Spool.open(path, "pod/boot", MEGABYTE, clock)
    assert path.exists()


def test_a_file_of_a_newer_version_is_left_alone(open_spool: Opener, path: Path) -> None:
    open_spool().close()
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(SpoolBroken, match="schema version 99"):
        Spool.open(path, "pod/boot2", MEGABYTE, clock)


def test_places_where_no_file_can_be(tmp_path: Path) -> None:
    (tmp_path / "directory").mkdir()
    with pytest.raises(SpoolBroken, match="Is a directory"):
        Spool.open(tmp_path / "directory", "pod/boot", MEGABYTE, clock)
    (tmp_path / "file").touch()
    with pytest.raises(SpoolBroken, match=r"File exists|Not a directory"):
        Spool.open(tmp_path / "file" / "spool.db", "pod/boot", MEGABYTE, clock)


def test_a_read_only_file_is_one_clear_line(open_spool: Opener, path: Path) -> None:
    open_spool().close()
    path.chmod(0o444)
    script = textwrap.dedent("""
        import os, sys
        from pathlib import Path
        from penstock_sidecar.shipping.spool import Spool, SpoolBroken
        if os.getuid() == 0:  # Root may write anything.
            for parent in Path(sys.argv[1]).parents[:3]:
                os.chmod(parent, 0o755)
            os.chmod(sys.argv[1] + ".lock", 0o666)
            os.setgid(65534); os.setuid(65534)
        try:
            Spool.open(Path(sys.argv[1]), "pod/boot2", 1_000_000)
        except SpoolBroken as error:
            print(error)
    """)
    done = subprocess.run([sys.executable, "-c", script, str(path)], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == (f"audit spool {path} cannot be written: Permission denied\n", "")


async def test_a_file_that_breaks_while_it_runs_stops_everything(open_spool: Opener, path: Path) -> None:
    spool = open_spool()
    await spool.append([{"kind": "open"}])
    with sqlite3.connect(path) as other:
        other.execute("DROP TABLE events")
    other.close()
    for _ in range(2):
        with pytest.raises(SpoolBroken, match="audit spool cannot be written: no such table"):
            await spool.append([intent("1")])
    assert isinstance(spool.refusal, SpoolBroken)


LOADED = """
import asyncio, sys
from pathlib import Path
from penstock_sidecar.shipping.spool import Spool

async def client(spool, number):
    for count in range(1_000_000):
        statement = f"{number}.{count}"
        await spool.append([{"kind": "intent", "session": "s", "statement": statement, "sql": "SELECT 1"}])
        sys.stdout.write(f"{statement}\\n")
        sys.stdout.flush()
        if count % 3:
            await spool.append([{"kind": "outcome", "session": "s", "statement": statement, "result": "ok"}])

async def main():
    spool = Spool.open(Path(sys.argv[1]), sys.argv[2], 1_000_000_000)
    await spool.append([{"kind": "open"}])
    await asyncio.gather(*(client(spool, number) for number in range(8)))

asyncio.run(main())
"""


def test_kill_9_loses_nothing_that_was_acknowledged(path: Path, tmp_path: Path) -> None:
    """Ten kills at different moments, one file: what the process saw as durable is there, and every chain is whole."""
    promised: dict[str, set[str]] = {}
    for kill in range(10):
        stream = f"pod/boot{kill}"
        process = subprocess.Popen([sys.executable, "-c", LOADED, str(path), stream], stdout=subprocess.PIPE)
        assert process.stdout is not None
        seen = [process.stdout.readline()]
        os.set_blocking(process.stdout.fileno(), True)
        for _ in range(37 * (kill + 1)):
            seen.append(process.stdout.readline())
        process.send_signal(signal.SIGKILL)
        seen += process.stdout.read().splitlines(keepends=True)
        process.stdout.close()
        process.wait()
        promised[stream] = {line.decode().strip() for line in seen if line.endswith(b"\n")}

    spool = Spool.open(path, "pod/last", 1_000_000_000, clock)
    try:
        for stream, statements in promised.items():
            events = [json.loads(line) for _, line in spool.lines(stream, 0, 1_000_000, 1 << 40)]
            report = verify(events)
            assert report.intact
            (one,) = report.streams
            assert (one.opened, one.closed, one.unfinished) == (True, True, {})
            assert statements <= {event["statement"] for event in events if event["kind"] == "intent"}
            assert any(event.get("result") == "unknown" for event in events)
        assert all(len(statements) > 30 for statements in promised.values())
    finally:
        spool.close()
