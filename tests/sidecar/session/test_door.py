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


def test_what_met_two_changes_is_not_told_by_a_catalog_that_is_as_it_was() -> None:
    """A view is replaced, and replaced back: what was read in between looks as if nothing had happened."""
    door, reader, later = Door(), One(), One()
    door.enter(reader)
    for _ in range(2):
        owner = One()
        door.force(owner)
        door.commits(owner)
        door.changed(owner)
    assert reader.doubts == 2
    door.read(door.changes)
    assert not door.out_of_doubt(reader)
    assert reader not in door.in_doubt
    # It is over with that, for its next statement.
    door.leave(reader)
    for one in (reader, later):
        door.enter(one)
    owner = One()
    door.force(owner)
    door.commits(owner)
    assert door.out_of_doubt(reader)
    assert door.out_of_doubt(later)


def test_where_other_workers_have_doors_none_is_closed_without_them() -> None:
    door, owner = Door(), One()
    told: list[tuple[object, bool]] = []
    door.shared, door.on_released = True, lambda who, changed: told.append((who, changed))
    assert not door.close(owner, alone=False)
    door.force(owner)
    door.give_up(owner)
    door.give_up(owner)
    door.force(owner)
    door.changed(owner)
    assert told == [(owner, False), (owner, True)]
