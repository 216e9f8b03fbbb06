"""The spool: durable before it answers, bounded, and honest after a crash."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from tests.sidecar.shipping.spools import Opener, clock, fill, intent, kinds, outcome
from tests.sidecar.spooled import pending

from penstock_core.audit.chain import Head
from penstock_core.audit.event import BEGINS, ENDS
from penstock_core.audit.form import Form
from penstock_core.audit.report import Verdict
from penstock_core.audit.verify import verify
from penstock_sidecar.shipping.spool import EventRefused, Spool, SpoolBroken, SpoolFull


async def test_events_are_chained_in_the_order_of_their_appends(open_spool: Opener) -> None:
    spool = open_spool()
    await asyncio.gather(spool.append([{"kind": "open"}]), *(spool.append([intent(i)]) for i in range(20)))
    events = pending(spool)
    assert [event["seq"] for event in events] == list(range(1, 22))
    assert [event.get("statement") for event in events[1:]] == list(range(20))
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
    await asyncio.gather(*(spool.append([{"kind": "open"} if i == 0 else intent(i)]) for i in range(500)))
    assert spool.depth == 500
    assert commits < 50


async def test_what_the_collector_has_is_dropped(open_spool: Opener) -> None:
    spool = open_spool()
    await spool.append([{"kind": "open"}, intent(1)])
    await spool.append([outcome(1)])
    full = spool.bytes
    spool.acknowledge(2)
    await spool.append([intent(2)])
    assert [event["seq"] for event in pending(spool)] == [3, 4]
    assert pending(spool, after_seq=3)[0]["statement"] == 2
    assert (spool.depth, spool.bytes < full) == (2, True)


async def test_a_stale_or_impossible_acknowledgement_drops_nothing_it_should_not(open_spool: Opener) -> None:
    spool = open_spool()
    await spool.append([{"kind": "open"}, intent(1)])
    spool.acknowledge(1)
    spool.acknowledge(0)
    spool.acknowledge(-5)
    spool.acknowledge(1, stream="someone/else")
    await spool.append([intent(2)])
    assert [event["seq"] for event in pending(spool)] == [2, 3]
    spool.acknowledge(10**9)
    await spool.append([intent(3)])
    # An acknowledgement beyond the end covers only what was there.
    assert [event["seq"] for event in pending(spool)] == [4]


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
    report = verify(pending(spool, limit=100_000))
    assert report.verdict is Verdict.INCOMPLETE, "for what was lost, and is told"
    assert report.streams[0].notes == []


async def test_room_comes_back_with_the_acknowledgement(open_spool: Opener) -> None:
    spool = open_spool(max_bytes=50_000)
    await spool.append([{"kind": "open"}])
    await fill(spool, sql_length=1000)
    assert isinstance(spool.refusal, SpoolFull)
    freed = asyncio.Event()
    spool.on_commit(freed.set)
    spool.acknowledge(spool.head.seq)
    async with asyncio.timeout(30):
        await freed.wait()
    assert spool.refusal is None, "at once, without an append that would have to be tried first"
    await spool.append([intent(10_000)])


async def test_an_event_that_cannot_be_recorded_harms_no_other(open_spool: Opener) -> None:
    spool = open_spool()
    await spool.append([{"kind": "open"}])
    bad = spool.append([intent(1), {"kind": "intent", "duration": 0.5}])
    good = spool.append([intent(2)])
    with pytest.raises(EventRefused, match="float"):
        await bad
    await good
    assert [event.get("statement") for event in pending(spool)] == [None, 2]
    assert spool.refusal is None


async def test_nothing_follows_a_close(open_spool: Opener) -> None:
    spool = open_spool()
    await spool.append([{"kind": "open"}, {"kind": "close", "reason": "stopped"}])
    with pytest.raises(EventRefused, match="stream pod/boot1 is closed"):
        await spool.append([intent(1)])


async def test_a_huge_statement_is_cut_not_refused(open_spool: Opener) -> None:
    spool = open_spool()
    await spool.append([{"kind": "open"}, intent(1, sql="x" * 5_000_000)])
    assert pending(spool)[1]["truncated"] == ["sql"]


async def test_so_is_one_that_shares_its_form_with_others(open_spool: Opener) -> None:
    spool = open_spool()
    form = Form({"kind": "intent", "session": "s1", "sql": "x" * 5_000_000}, ("statement",))
    await spool.append([{"kind": "open"}, form.body(statement=1), form.body(statement=2)])
    assert [(event["statement"], event["truncated"]) for event in pending(spool)[1:]] == [(1, ["sql"]), (2, ["sql"])]


async def test_an_idle_stream_beats(open_spool: Opener) -> None:
    spool = open_spool(heartbeat=0.05)
    await asyncio.sleep(0.15)
    assert spool.depth == 0, "a stream without its open event does not beat"
    await spool.append([{"kind": "open"}])
    await asyncio.sleep(0.3)
    beats = kinds(pending(spool))
    assert beats[0] == "open"
    assert 2 <= len(beats[1:]) <= 7
    assert set(beats[1:]) == {"heartbeat"}
    await spool.append([{"kind": "close"}])
    await asyncio.sleep(0.15)
    assert kinds(pending(spool))[-1] == "close"


async def test_appending_after_close_fails(open_spool: Opener) -> None:
    spool = open_spool()
    spool.close()
    with pytest.raises(SpoolBroken, match="closed"):
        await spool.append([intent(1)])


LOADED = """
import asyncio, sys
from pathlib import Path
from tests.core.audit.as_defined import as_defined
from tests.sidecar.shipping.spools import append_each
from penstock_sidecar.shipping.spool import Spool

async def client(spool, number):
    for count in range(1_000_000):
        statement = 8 * count + number
        key = {"session": "s", "statement": statement}
        intent = as_defined({"kind": "intent", **key, "sql": "SELECT 1"})
        outcome = {"kind": "outcome", **key, "result": "ok"}
        if count % 4 == 3:
            # It is over before its intent is written.
            begun, ended = append_each(spool, [([intent], True), ([outcome], count % 8 == 7)])
            await begun
        else:
            await spool.append([intent])
        sys.stdout.write(f"{statement}\\n")
        sys.stdout.flush()
        if count % 4 in (1, 2):
            await spool.append([outcome])

async def main():
    spool = Spool.open(Path(sys.argv[1]), sys.argv[2], 1_000_000_000)
    await spool.append([{"kind": "open"}])
    await asyncio.gather(*(client(spool, number) for number in range(8)))

asyncio.run(main())
"""


def test_kill_9_loses_nothing_that_was_acknowledged(path: Path, tmp_path: Path) -> None:
    """Ten kills at different moments, one file: what the process saw as durable is there, and every chain is whole."""
    promised: dict[str, set[int]] = {}
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
        promised[stream] = {int(line) for line in seen if line.endswith(b"\n")}

    spool = Spool.open(path, "pod/last", 1_000_000_000, clock)
    try:
        for stream, statements in promised.items():
            events = pending(spool, limit=1_000_000, stream=stream)
            report = verify(events)
            assert report.intact
            (one,) = report.streams
            assert (one.opened, one.closed, one.unfinished) == (True, True, {})
            begun = [event["statement"] for event in events if event["kind"] in BEGINS]
            ended = [event["statement"] for event in events if event["kind"] in ENDS]
            assert statements <= set(begun)
            assert sorted(begun) == sorted(ended) == sorted(set(begun)), "each once"
            assert len(begun) + len(ended) > len([event for event in events if event["kind"] in BEGINS | ENDS])
            assert any(event.get("result") == "unknown" for event in events)
        assert all(len(statements) > 30 for statements in promised.values())
    finally:
        spool.close()
