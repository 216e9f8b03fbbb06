"""The shipper's process: killed at any moment, stopped, started again, alone with its spool; the gate never waits."""

from __future__ import annotations

import asyncio
import fcntl
import os
import random
import signal
import time
from pathlib import Path
from typing import Any

import httpx2
from tests.sidecar.shipping.shipped import Bench, statement, warnings

from penstock_sidecar.shipping.shipper_process import ShipperProcess


def runs(pid: int) -> bool:
    """Whether it is more than a process that somebody has to hear of."""
    try:
        return ") Z " not in Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return False


async def at_work(bench: Bench, shipper: ShipperProcess) -> int:
    """The process, once something arrived."""
    await bench.spool.append([{"kind": "open"}])
    await bench.shipped()
    return shipper.pid


async def test_a_process_that_is_killed_at_any_moment_loses_nothing_and_ships_nothing_twice(bench: Bench) -> None:
    await bench.collect()
    shipper = bench.ship()
    await bench.spool.append([{"kind": "open"}])
    rng = random.Random()
    number, killed = 0, set[int]()
    for _ in range(6):
        end = time.monotonic() + rng.uniform(0.05, 1.2)
        while time.monotonic() < end or shipper.pid in {0, *killed}:
            # No more than it has room for, however slow the machine is.
            for _ in range(50 if bench.spool.depth < 10_000 else 0):
                bench.spool.append(statement(number := number + 1))
            # Durable at once, whether anybody ships or not.
            async with asyncio.timeout(5):
                await bench.spool.append(statement(number := number + 1))
            await asyncio.sleep(0.01)
        killed.add(shipper.pid)
        os.kill(shipper.pid, signal.SIGKILL)
    await bench.until(lambda: bench.spool.depth == 0, 40)
    events = await bench.collected()
    assert [event["seq"] for event in events] == list(range(1, 2 + 2 * number))
    assert (shipper.starts, len(killed), shipper.trouble) == (7, 6, None)
    assert bench.running is not None
    async with httpx2.AsyncClient(trust_env=False) as http:
        told = await http.get(bench.running.url + "/v1/streams", headers={"authorization": "Bearer reader"})
    assert told.json()["alarms"] == []


async def test_that_it_ended_is_told_once_and_that_it_is_there_again(bench: Bench, said: list[dict[str, Any]]) -> None:
    await bench.collect()
    shipper = bench.ship()
    pid = await at_work(bench, shipper)
    assert (shipper.trouble, shipper.lag) == (None, 0.0)
    os.kill(pid, signal.SIGKILL)
    await bench.until(lambda: shipper.pid != pid)
    ended = "the audit shipper ended (status -9) and is started again; events wait in the spool"
    assert shipper.trouble == ended
    await bench.until(lambda: shipper.trouble is None)
    assert warnings(said) == [ended]
    assert shipper.pid not in (0, pid)
    assert not runs(pid)


async def test_one_that_says_nothing_for_long_is_replaced(bench: Bench) -> None:
    await bench.collect()
    shipper = bench.ship(silent=8.0)
    pid = await at_work(bench, shipper)
    os.kill(pid, signal.SIGSTOP)
    await bench.spool.append(statement(1))
    await bench.until(lambda: shipper.lag > 1)
    await bench.until(lambda: bench.spool.depth == 0, 30)
    assert not runs(pid)


async def test_it_leaves_signals_to_all_of_a_gate_to_the_gate(bench: Bench) -> None:
    """Ctrl-C, and a service manager that ends each process of a unit."""
    await bench.collect()
    shipper = bench.ship()
    pid = await at_work(bench, shipper)
    for number in (signal.SIGTERM, signal.SIGINT):
        os.kill(pid, number)
    await bench.spool.append(statement(1))
    assert await shipper.flush(10)
    assert (shipper.pid, shipper.starts) == (pid, 1)


async def test_two_never_ship_one_spool(bench: Bench) -> None:
    await bench.collect()
    # As a shipper that was left behind would have it.
    other = os.open(bench.directory / "spool" / "lock-shipper", os.O_RDWR | os.O_CREAT)
    fcntl.flock(other, fcntl.LOCK_EX)
    shipper = bench.ship()
    await bench.spool.append([{"kind": "open"}])
    await bench.until(lambda: shipper.trouble is not None)
    assert shipper.trouble == f"another shipper still has the audit spool {bench.directory / 'spool'}"
    assert bench.spool.depth == 1
    os.close(other)
    await bench.shipped()
    await bench.until(lambda: shipper.trouble is None)


async def test_what_is_left_is_shipped_at_the_end_though_the_process_is_killed_then(bench: Bench) -> None:
    await bench.collect()
    shipper = bench.ship()
    pid = await at_work(bench, shipper)
    bench.spool.append([event for number in range(2000) for event in statement(number)])
    await bench.spool.append([{"kind": "close"}])
    os.kill(pid, signal.SIGKILL)
    assert await shipper.flush(20)
    assert len(await bench.collected()) == 4002


async def test_it_ends_with_what_started_it(bench: Bench) -> None:
    await bench.collect()
    pid = await at_work(bench, bench.ship())
    await bench.close()
    assert not runs(pid)


async def test_where_no_process_can_be_started_the_gate_goes_on(bench: Bench, monkeypatch: Any) -> None:
    await bench.collect()
    monkeypatch.setattr("sys.executable", str(bench.directory / "gone"))
    shipper = bench.ship()
    await bench.spool.append([{"kind": "open"}, *statement(1)])
    await bench.until(lambda: shipper.trouble is not None)
    assert shipper.trouble == "the audit shipper can't be started: No such file or directory"
    assert (shipper.pid, shipper.starts, bench.spool.depth) == (0, 0, 3)
    monkeypatch.undo()
    await bench.shipped()
