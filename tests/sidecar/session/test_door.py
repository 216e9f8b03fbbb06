"""Who waits for whom between changes of the catalog and statements that are decided by it."""

from __future__ import annotations

from dataclasses import dataclass

from penstock_sidecar.session.door import Door


@dataclass(eq=False)
class One:
    writing: bool = False
    doubts: int = 0

    def doubt(self) -> None:
        self.doubts += 1


def test_a_change_waits_for_what_writes_and_leaves_what_reads_in_doubt() -> None:
    door, owner, reader, writer = Door(), One(), One(), One(writing=True)
    door.enter(reader)
    door.enter(writer)
    assert not door.close(owner, alone=False)
    assert door.open
    door.leave(writer)
    assert door.close(owner, alone=False)
    assert not door.open
    door.commits(owner)
    assert (reader.doubts, writer.doubts, owner.doubts) == (1, 0, 0)
    door.changed(owner)
    assert not door.open
    opened: list[bool] = []
    door.on_open = lambda: opened.append(door.open)
    door.read(0)
    assert opened == []
    door.read(1)
    assert opened == [True]


def test_a_change_that_commits_whenever_it_likes_waits_for_all() -> None:
    door, owner, reader = Door(), One(), One()
    door.enter(reader)
    assert not door.close(owner, alone=True)
    door.leave(reader)
    assert door.close(owner, alone=True)
    door.give_up(owner)
    assert door.open


def test_those_who_wait_for_one_change_go_before_the_next() -> None:
    door, owner, next_one = Door(), One(), One()
    door.close(owner, alone=False)
    door.changed(owner)
    door.waiting = 1
    assert not door.close(next_one, alone=False)
    door.read(1)
    assert door.close(next_one, alone=False)


def test_a_catalog_that_is_too_old_is_not_decided_by() -> None:
    door = Door()
    door.expire()
    assert not door.open
    door.read(door.changes)
    assert door.open


def test_a_session_that_ended_is_waited_for_until_the_server_is_done_with_it() -> None:
    door, owner, gone = Door(), One(), One()
    door.enter(gone)
    door.end(gone, 77)
    assert not door.close(owner, alone=False)
    door.gone(gone)
    assert door.close(owner, alone=False)
    door.end(owner, 78)
    assert door.held_by_ended
    door.gone(owner)
    assert not door.open
    assert door.changes == 1
    door.read(1)
    assert door.open
