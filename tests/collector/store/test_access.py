"""Access for a time in the store: ends stay ends whatever the clock says, and what was given stays on record."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.core.approvals.test_access import BEA, GLASS, OFFER, SAM
from tests.core.approvals.test_access import asking as asking_of
from tests.core.policy.test_access import PERSON

from penstock_collector.store import access, request_retention, requests
from penstock_collector.store.database import open_for_writing
from penstock_collector.store.requests import Asked
from penstock_core.approvals.four_eyes import Approver
from penstock_core.approvals.standing import NotAllowedError, NotPossibleError, Standing
from penstock_core.identity import Identity, Principal

NOON = 1_900_000_000.0
HOUR = 3600.0
ADA = Approver("ada", groups=frozenset({"dba", "security"}))


@pytest.fixture
def store(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    connection = open_for_writing(tmp_path / "audit.db")
    yield connection
    connection.close()


def ask(store: sqlite3.Connection, now: float = NOON, who: Identity = PERSON, **changes: Any) -> Asked:
    return access.ask(store, "shop", asking_of(who, **changes), OFFER, "https://audit.example", now)


def made(store: sqlite3.Connection, now: float = NOON, **changes: Any) -> str:
    asked = ask(store, now, **changes)
    assert asked.step == "made", asked.answered
    return asked.answered.request


def standing(store: sqlite3.Connection, name: str) -> Standing:
    kept = requests.find(store, name)
    assert kept is not None
    return kept.standing


def lasting(store: sqlite3.Connection, now: float) -> list[str]:
    return [one.request for one in access.lasting(store, "shop", "shop", now)]


def test_it_is_asked_for_approved_lasts_and_ends(store: sqlite3.Connection) -> None:
    name = made(store)
    assert (ask(store).step, lasting(store, NOON)) == ("found", [])
    requests.decide(store, name, BEA, "approved", "", NOON, "30m")
    assert lasting(store, NOON + 1) == [name]
    assert access.lasting(store, "shop", "other", NOON) == access.lasting(store, "other", "shop", NOON) == []
    assert ask(store, NOON + 1).answered.standing == "granted"
    assert lasting(store, NOON + 1800) == [], "whether or not anybody has settled it"
    requests.settle(store, NOON + 1800)
    assert standing(store, name) is Standing.ENDED
    assert ask(store, NOON + 1800).step == "made"


def test_what_has_ended_stays_so_when_the_clock_is_set_back(store: sqlite3.Connection) -> None:
    name = made(store)
    requests.decide(store, name, BEA, "approved", "", NOON)
    requests.settle(store, NOON + 2 * HOUR)
    assert (standing(store, name), lasting(store, NOON)) == (Standing.ENDED, [])
    with pytest.raises(NotPossibleError, match="there is nothing to end"):
        access.end(store, name, BEA, NOON)
    early = made(store, NOON + 3 * HOUR)
    requests.decide(store, early, BEA, "approved", "", NOON + 3 * HOUR)
    access.end(store, early, ADA, NOON + 3 * HOUR + 60)
    assert (standing(store, early), lasting(store, NOON + 3 * HOUR)) == (Standing.ENDED, [])


def test_an_emergency_lasts_at_once_and_waits_for_its_review(store: sqlite3.Connection) -> None:
    name = made(store, **GLASS)
    assert lasting(store, NOON) == [name]
    assert [kept.name for kept in access.to_review(store)] == [kept.name for kept in requests.due(store)] == [name]
    with pytest.raises(NotPossibleError, match="end it first"):
        access.review(store, name, SAM, "fine", NOON)
    requests.settle(store, NOON + HOUR)
    assert standing(store, name) is Standing.UNREVIEWED
    with pytest.raises(NotAllowedError):
        access.review(store, name, ADA, "fine", NOON + HOUR)
    access.review(store, name, SAM, "fine", NOON + HOUR)
    assert standing(store, name) is Standing.REVIEWED
    assert access.to_review(store) == []
    assert requests.due_count(store) == 0


def test_an_overdue_review_is_told_once_and_bars_the_next_emergency(store: sqlite3.Connection) -> None:
    name = made(store, **GLASS)
    late = NOON + 73 * HOUR
    assert access.newly_overdue(store, NOON + 71 * HOUR) == []
    assert [kept.name for kept in access.newly_overdue(store, late)] == [name]
    assert access.newly_overdue(store, late) == []
    barred = ask(store, late, **GLASS)
    assert (barred.step, "overdue" in barred.answered.comment) == ("refused", True)
    other = Identity(None, Principal("person", "dan", "https://id.example", ("support", "on-call")))
    assert ask(store, late, other, **GLASS).step == "made"
    access.review(store, name, SAM, "at last", late)
    assert ask(store, late, **GLASS).step == "made"


def test_one_who_asks_again_and_again_has_one_request(store: sqlite3.Connection) -> None:
    name = made(store)
    for number in range(100):
        assert ask(store, reason=f"again {number}").answered.request == name
    assert requests.waiting_count(store) == 1


def test_a_database_has_no_more_requests_than_people_can_look_at(
    store: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(access, "MOST_WAITING_FOR_A_DATABASE", 3)
    for number in range(3):
        who = Identity(None, Principal("person", f"p-{number}", "https://id.example", ("support", "on-call")))
        assert ask(store, who=who).step == "made"
    many = ask(store)
    assert (many.step, "have some decided first" in many.answered.comment) == ("refused", True)
    assert ask(store, **GLASS).step == "made", "an emergency waits for nobody"


def test_what_was_given_is_never_deleted(store: sqlite3.Connection) -> None:
    name, glass = made(store), made(store, databaseRef={"name": "other"}, **GLASS)
    requests.decide(store, name, BEA, "approved", "", NOON)
    requests.settle(store, NOON + 24 * HOUR)
    while request_retention.dispose(store, 1, NOON + 300 * 24 * HOUR):
        pass
    for kept in (requests.find(store, name), requests.find(store, glass)):
        assert kept is not None
    found = requests.find(store, name)
    assert found is not None
    assert found.request.spec.reason == "(deleted when the retention was over)"
    unreviewed = requests.find(store, glass)
    assert unreviewed is not None
    assert unreviewed.request.spec.reason == "orders hang", "what is to be reviewed is whole"
    with pytest.raises(sqlite3.IntegrityError, match="stays on record"):
        store.execute("DELETE FROM requests WHERE name = ?", (glass,))
