"""The trail while its spool is full again and again: what is on record is whole, and the rest is counted."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path
from typing import Any

import pytest
from tests.sidecar.ledger import Disk
from tests.sidecar.spooled import pending

from penstock_core.audit.event import BEGINS, Event
from penstock_core.audit.verify import verify
from penstock_sidecar.proxy import trail as trails
from penstock_sidecar.proxy.trail import AuditTrail
from penstock_sidecar.shipping.spool import Spool


class Sessions:
    """Some that send statements, one after the other or several at once, and end now and then."""

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance
        self.sent = 0
        self.running: list[dict[str, Any]] = []
        self.shown: set[int] = set()

    def happens(self) -> list[Event]:
        bodies: list[Event] = []
        for _ in range(self.chance.randrange(1, 6)):
            if self.running and self.chance.random() < 0.55:
                key = self.running.pop(self.chance.randrange(len(self.running)))
                bodies.append({"kind": "outcome", **key, "result": "ok"})
                if self.chance.random() < 0.2:
                    bodies.append({"kind": "transaction", "session": key["session"], "result": "commit"})
                if self.chance.random() < 0.1:
                    bodies.append({"kind": "session", "session": key["session"], "event": "end"})
            else:
                self.sent += 1
                key = {"session": f"s{self.chance.randrange(5)}", "statement": self.sent}
                self.running.append(key)
                text = "x" * self.chance.choice((10, 10, 500, 4000))
                bodies.append({"kind": "intent", **key, "database": "shop", "decision": "allow", "sql": text})
        return bodies


@pytest.mark.parametrize("seed", range(6))
async def test_continue(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int) -> None:
    monkeypatch.setattr(trails, "_LOSS_SECONDS", 0.02)
    monkeypatch.setattr(trails, "_GATHER_SECONDS", 0.002)
    chance = random.Random(seed)
    spool = Spool.open(tmp_path / "spool", "pod/boot", 40_000)
    await spool.append([{"kind": "open"}])
    trail, sessions = AuditTrail(spool), Sessions(chance)
    events: list[Event] = []

    def ship() -> None:
        events.extend(pending(spool, after_seq=events[-1]["seq"] if events else 0, limit=10_000))
        spool.acknowledge(events[-1]["seq"])

    for turn in range(400):
        trail.append(sessions.happens())
        if turn % chance.choice((1, 3, 40)) == 0:
            await asyncio.sleep(0.001)
        if turn % 60 == 59:
            ship()
    while sessions.running:
        trail.append([{"kind": "outcome", **sessions.running.pop(), "result": "ok"}])
    for _ in range(20):
        await asyncio.sleep(0.03)
        ship()
    trail.close()
    await spool.append([{"kind": "close"}])
    ship()
    spool.close()
    begun = [event["statement"] for event in events if event["kind"] in BEGINS]
    lost = sum(event["count"] for event in events if event["kind"] == "loss")
    assert len(begun) == len(set(begun))
    assert len(begun) + lost == sessions.sent
    assert lost > 10, "else it was never full"
    assert any(event["kind"] == "statement" for event in events)
    told = [event for event in events if event["kind"] in ("intent", "outcome", "statement")]
    pairs = verify(events).streams[0]
    assert (pairs.unfinished, pairs.notes) == ({}, []), told[-5:]


async def test_outcomes_that_find_a_full_disk_are_told_when_there_is_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The spool keeps room for them within its own limit; the disk may be full before that."""
    monkeypatch.setattr(trails, "_LOSS_SECONDS", 0.02)
    monkeypatch.setattr(trails, "_GATHER_SECONDS", 0.002)
    disk = Disk(tmp_path, 8)
    spool = Spool.open(disk.place / "spool", "pod/boot", 10 << 20)
    trail = AuditTrail(spool)
    await spool.append([{"kind": "open"}])
    keys = [{"session": "s", "statement": number} for number in range(1, 41)]
    trail.append([{"kind": "intent", **key, "database": "shop", "decision": "allow"} for key in keys])
    await asyncio.sleep(0.05)
    with disk.full():
        for key in keys:
            trail.append([{"kind": "outcome", **key, "result": "ok"}])
            await asyncio.sleep(0.01)
        assert trail.refusal == "audit spool cannot grow: the disk is full"
        trail.append([{"kind": "transaction", "session": "s", "result": "commit"}])
        trail.append([{"kind": "session", "session": "s", "event": "end"}])
        await asyncio.sleep(0.1)
    await asyncio.sleep(0.2)
    trail.close()
    await spool.append([{"kind": "close"}])
    kinds = [event["kind"] for event in pending(spool, limit=1000)]
    spool.close()
    disk.remove()
    assert kinds == ["open", *["intent"] * 40, *["outcome"] * 40, "transaction", "session", "close"]
