"""The doors of several workers, closed as one: rules and siblings as they are, joined by the supervisor's hub."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from typing import Any

import pytest

from penstock_sidecar.proxy import siblings as asked
from penstock_sidecar.proxy.rules_provider import RulesProvider
from penstock_sidecar.proxy.shared_door import SharedDoors
from penstock_sidecar.proxy.siblings import Siblings
from penstock_sidecar.session.door import Door
from penstock_sidecar.supervisor import Hub, Worker


@dataclass(eq=False)
class One:
    """A session."""

    writing: bool = False
    doubts: int = 0

    def doubt(self) -> None:
        self.doubts += 1


class Workers:
    """Some workers of one gate, in one process."""

    def __init__(self, count: int) -> None:
        self.workers = [Local(number, self) for number in range(count)]
        self.hub = Hub(list(self.workers))
        for worker in self.workers:
            self.hub.hear(worker, ["hello"])


class Local(Worker):
    """One whose line is a call."""

    def __init__(self, number: int, gate: Workers) -> None:
        super().__init__(number)
        self.silent = False
        self.siblings = Siblings(lambda said: gate.hub.hear(self, json.loads(said)))
        self.provider = RulesProvider(lambda *_: pytest.fail("nothing is decided"), lambda _: pytest.fail("no server"))
        self.doors = SharedDoors(self.siblings, {"yard": self.provider})

    @property
    def door(self) -> Door:
        return self.provider.door

    def send(self, message: list[Any]) -> None:
        if message[0] == "state":
            for told in message[1]:
                self.siblings.hear(told)
        elif not self.silent:
            self.siblings.hear(message)


async def test_a_change_closes_all_doors_and_opens_them_when_the_catalog_was_read() -> None:
    one, two, three = Workers(3).workers
    owner, reader = One(), One()
    two.door.enter(reader)
    assert await one.provider.closed(owner, 7, alone=False)
    assert [worker.door.open for worker in (one, two, three)] == [False] * 3
    assert reader.doubts == 1
    one.door.changed(owner)
    # The change has ended, and none of them has read it.
    assert [worker.door.open for worker in (one, two, three)] == [False] * 3
    for worker in (one, two, three):
        worker.door.read(worker.door.changes)
    assert [worker.door.open for worker in (one, two, three)] == [True] * 3


async def test_one_that_comes_to_nothing_opens_them_at_once() -> None:
    one, two = Workers(2).workers
    owner = One()
    assert await one.provider.closed(owner, 7, alone=False)
    one.door.give_up(owner)
    assert (one.door.open, two.door.open) == (True, True)


async def test_a_writer_of_another_worker_is_waited_for_and_then_the_change_is_refused() -> None:
    one, two = Workers(2).workers
    owner, writer = One(), One(writing=True)
    two.door.enter(writer)
    assert not await one.provider.closed(owner, 7, alone=False)
    one.door.give_up(owner)
    assert (one.door.open, two.door.open) == (True, True)
    closing = asyncio.create_task(one.provider.closed(owner, 7, alone=False))
    await asyncio.sleep(0.2)
    assert not closing.done()
    two.door.leave(writer)
    assert await closing


async def test_a_worker_that_does_not_answer_has_not_agreed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asked, "ANSWER_SECONDS", 0.2)
    one, two = Workers(2).workers
    two.silent = True
    assert not await one.provider.closed(One(), 7, alone=False)


async def test_one_that_begins_in_the_middle_of_a_change_decides_nothing_before_its_end() -> None:
    gate = Workers(3)
    one, two, late = gate.workers
    gate.hub.left(late)
    owner = One()
    assert await one.provider.closed(owner, 7, alone=False)
    gate.hub.hear(late, ["hello"])
    assert not late.door.open
    one.door.changed(owner)
    assert (two.door.open, late.door.open) == (False, False)
    late.door.read(late.door.changes)
    assert late.door.open


async def test_a_worker_that_dies_in_the_middle_of_a_change_leaves_it_to_the_server() -> None:
    gate = Workers(2)
    one, two = gate.workers
    assert await one.provider.closed(One(), 7, alone=False)
    gate.hub.left(one)
    # Whether it was committed is not known before the server's process is gone.
    assert not two.door.open
    assert list(two.door.ended.values()) == [7]
    for who in tuple(two.door.ended):
        two.door.gone(who)
    assert not two.door.open
    two.door.read(two.door.changes)
    assert two.door.open
    await two.provider.stop()


async def test_one_that_dies_while_it_is_asked_holds_up_nobody() -> None:
    gate = Workers(2)
    one, two = gate.workers
    two.silent = True
    closing = asyncio.create_task(one.provider.closed(One(), 7, alone=False))
    await asyncio.sleep(0.1)
    assert not closing.done()
    gate.hub.left(two)
    assert await closing


async def test_a_session_that_ends_while_others_are_asked_leaves_no_door_closed() -> None:
    one, two = Workers(2).workers
    writer, owner = One(writing=True), One()
    two.door.enter(writer)
    closing = asyncio.create_task(one.provider.closed(owner, 7, alone=False))
    await asyncio.sleep(0.1)
    assert not two.door.open
    closing.cancel()
    await asyncio.gather(closing, return_exceptions=True)
    assert one.door.open
    two.door.leave(writer)
    await asyncio.sleep(0.3)
    assert two.door.open
