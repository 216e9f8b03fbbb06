"""Which program is killed with SIGKILL, when, and what is wrong with its disk meanwhile: one series for each.

A series begins with a collector and clients that run, and ends with a gate and a collector that listen. What doesn't
belong: what must be true afterwards (`test_main_killed.py`).
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from tests.sidecar.ledger import Ledger, Program

KILLS = int(os.environ.get("PENSTOCK_KILLS", "5"))
KILLS_ON_A_FULL_DISK = int(os.environ.get("PENSTOCK_KILLS_ON_A_FULL_DISK", "2"))


@dataclass(frozen=True)
class Series:
    """One way to be killed, several times."""

    name: str
    kills: int
    play: Callable[[Ledger, int], None]
    # Who is killed; and whose disk is full, "spool" or "store".
    killed: str
    small: str = ""
    # How long each client waits between two things that it does: programs that start need some of the machine, too; and
    # what is not shipped, since who ships it is away half of the time, has to have room.
    pause: float = 0.002

    @property
    def seconds(self) -> int:
        """More than it takes."""
        return 120 + 60 * self.kills


def gate(ledger: Ledger, kills: int) -> None:
    """The gate, and now and then the collector too."""
    gate, collector, rng = ledger.gate, ledger.collector, ledger.rng
    for turn in _turns(kills):
        gate.start()
        _wait_or_not(ledger, gate, turn)
        if turn % 5 == 2:
            collector.end(signal.SIGKILL)
            time.sleep(rng.uniform(0.0, 0.3))
        gate.end(signal.SIGKILL)
        if turn % 5 == 4:
            # Meanwhile the spool held what several gates had left.
            collector.start()
    if kills % 5 in (3, 4):
        collector.start()
    gate.start()


def collector(ledger: Ledger, kills: int) -> None:
    """The collector, while one gate works on."""
    ledger.gate.start()
    ledger.gate.wait_until_it_listens()
    for turn in _turns(kills):
        _wait_or_not(ledger, ledger.collector, turn)
        ledger.collector.end(signal.SIGKILL)
        ledger.collector.start()


def shipper(ledger: Ledger, kills: int) -> None:
    """The process that ships for the gate, which starts it again."""
    ledger.gate.start()
    ledger.gate.wait_until_it_listens()
    for turn in _turns(kills):
        pids: list[int] = []
        while len(pids) <= turn:
            time.sleep(0.05)
            pids = [line["pid"] for line in ledger.gate.lines() if line["event"] == "audit shipper started"]
        _work(ledger)
        time.sleep(ledger.rng.uniform(0.0, 1.5))
        os.kill(pids[turn], signal.SIGKILL)


def gate_on_a_full_disk(ledger: Ledger, kills: int) -> None:
    """The gate, when it can't record anything; it comes back while that is still so, or when there is room."""
    assert ledger.disk is not None
    gate, rng, load = ledger.gate, ledger.rng, ledger.load
    for turn in _turns(kills):
        gate.start()
        gate.wait_until_it_listens()
        _work(ledger)
        with ledger.disk.full():
            _until_more(lambda: load.refused, "a statement is refused")
            time.sleep(rng.uniform(0.0, 0.5))
            gate.end(signal.SIGKILL)
            if turn % 2:
                gate.start()
                # It serves, or says why it can't and ends.
                gate.listens(20)
                time.sleep(rng.uniform(0.0, 0.5))
                gate.clear_away()
    # It may be full and free again with nobody being killed.
    gate.start()
    gate.wait_until_it_listens()
    with ledger.disk.full():
        _until_more(lambda: load.refused, "a statement is refused")
    _until_more(lambda: len(load.written), "statements run again")


def collector_on_a_full_disk(ledger: Ledger, kills: int) -> None:
    """The collector, when it can't store anything; likewise."""
    assert ledger.disk is not None
    collector, rng = ledger.collector, ledger.rng
    ledger.gate.start()
    ledger.gate.wait_until_it_listens()
    for turn in _turns(kills):
        collector.wait_until_it_listens()
        _work(ledger)
        # What it complained of before is not said again until something has arrived.
        _until(lambda: _arrivals(ledger) > turn, "events arrive")  # noqa: B023 - asked before the next turn
        with ledger.disk.full():
            _until_more(lambda: _complaints(ledger), "events are refused")
            collector.end(signal.SIGKILL)
            if turn % 2:
                collector.start()
                collector.listens(20)
                time.sleep(rng.uniform(0.0, 0.5))
                collector.clear_away()
        collector.start()


SERIES = (
    Series("gate", KILLS, gate, "gate"),
    Series("collector", KILLS, collector, "collector", pause=0.02),
    Series("shipper", KILLS, shipper, "shipper", pause=0.02),
    Series("gate on a full disk", KILLS_ON_A_FULL_DISK, gate_on_a_full_disk, "gate", "spool", pause=0.03),
    Series(
        "collector on a full disk", KILLS_ON_A_FULL_DISK, collector_on_a_full_disk, "collector", "store", pause=0.03
    ),
)


def _turns(kills: int) -> Iterator[int]:
    """Each kill in turn, and how far it is after every tenth (seen with `-s`, as `make kill` has it)."""
    began = time.monotonic()
    for turn in range(kills):
        yield turn
        done = turn + 1
        if done % 10 == 0:
            taken = time.monotonic() - began
            sys.stdout.write(f"{done} of {kills} kills, {taken:.0f} s, {taken / done:.1f} s each\n")
            sys.stdout.flush()


def _wait_or_not(ledger: Ledger, program: Program, turn: int) -> None:
    """Until it works; or while it starts: recovers what is there, reads policies, listens."""
    if turn % 4 == 3:
        time.sleep(ledger.rng.uniform(0.2, 1.2))
    else:
        program.wait_until_it_listens()
        _work(ledger)
        time.sleep(ledger.rng.uniform(0.0, 1.5))


def _complaints(ledger: Ledger) -> int:
    """How often the gate has said that the collector's disk is full."""
    return ledger.gate.log.read_text().count("the disk is full")


def _arrivals(ledger: Ledger) -> int:
    """How often the gate has said that events arrive, for the first time or again."""
    return ledger.gate.log.read_text().count("audit events reach the collector")


def _work(ledger: Ledger) -> None:
    """However busy the machine is, clients get something done before the next kill."""
    _until_more(lambda: len(ledger.load.written), "clients have written", ledger.rng.randrange(30, 90))


def _until_more(count: Callable[[], int], what: str, more: int = 1) -> None:
    wanted = count() + more
    _until(lambda: count() >= wanted, what)


def _until(done: Callable[[], bool], what: str) -> None:
    end = time.monotonic() + 120
    while not done():
        assert time.monotonic() < end, f"waited in vain until {what}"
        time.sleep(0.02)
