"""Requests in the store: each step once, ends that stay ends, and what retention leaves."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from tests.core.approvals.test_binding import ASKING, asking, within

from penstock_collector.store import request_retention, requests
from penstock_collector.store.database import SCHEMA_VERSION, open_for_writing
from penstock_collector.store.requests import Asked, UnknownRequestError
from penstock_collector.store.waiting_parties import WaitingParties
from penstock_core.approvals import room
from penstock_core.approvals.asking import Asking
from penstock_core.approvals.four_eyes import Approver
from penstock_core.approvals.standing import NotAllowedError, NotPossibleError, Standing

BEA = Approver("bea", groups=frozenset({"dba"}))
CEM = Approver("cem", groups=frozenset({"dba"}))
NOON = 1_900_000_000.0
HOUR = 3600.0


@pytest.fixture
def store(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    connection = open_for_writing(tmp_path / "audit.db")
    yield connection
    connection.close()


def ask(store: sqlite3.Connection, what: Asking | None = None, now: float = NOON, book: str = "gate gw1") -> Asked:
    return requests.ask(store, book, "shop", what or asking(), "https://audit.example", now)


def made(store: sqlite3.Connection, what: Asking | None = None, now: float = NOON) -> str:
    asked = ask(store, what, now)
    assert asked.step == "made"
    return asked.answered.request


def standing(store: sqlite3.Connection, name: str) -> Standing:
    kept = requests.find(store, name)
    assert kept is not None
    return kept.standing


def test_a_request_is_made_found_approved_and_used_once(store: sqlite3.Connection) -> None:
    first = ask(store)
    assert (first.step, first.answered.standing) == ("made", "waiting")
    name = first.answered.request
    assert first.answered.url == f"https://audit.example/requests/{name}"
    assert ask(store).answered == first.answered
    requests.decide(store, name, BEA, "approved", "go ahead", NOON + 1)
    used = ask(store, now=NOON + 2)
    assert (used.step, used.answered.standing, used.answered.decided_by) == ("used", "granted", "bea")
    assert used.answered.comment == "go ahead"
    again = ask(store, now=NOON + 3)
    assert (again.step, again.answered.standing) == ("made", "waiting")
    assert again.answered.request != name
    assert standing(store, name) is Standing.USED


def test_what_two_rules_hold_has_two_requests_which_are_used_together_or_not_at_all(
    store: sqlite3.Connection,
) -> None:
    privacy = {"policy": "privacy", "approval": "erasures", "policyGeneration": 3, "approvers": ["owners"]}
    both = asking(alsoHeldBy=[privacy])

    def stand() -> list[tuple[str, Standing]]:
        return [(one.request.spec.policy, one.standing) for one in reversed(requests.listed(store))]

    first = ask(store, both)
    assert (first.step, [one.step for one in first.each]) == ("made", ["made", "made"])
    of_privacy, of_support = first.answered.of_rules or ()
    assert (of_privacy.policy, of_support.policy) == ("privacy", "support")
    assert of_support.url == f"https://audit.example/requests/{of_support.request}"
    with pytest.raises(NotPossibleError, match="owners"):
        requests.decide(store, of_privacy.request, BEA, "approved", "", NOON + 1)
    requests.decide(store, of_support.request, BEA, "approved", "", NOON + 1)
    again = ask(store, both, NOON + 2)
    assert (again.answered.standing, again.answered.request) == ("waiting", of_privacy.request)
    assert [one.standing for one in again.answered.of_rules or ()] == ["waiting", "approved"]
    assert stand() == [("privacy", Standing.WAITING), ("support", Standing.APPROVED)]
    olga = Approver("olga", groups=frozenset({"owners"}))
    requests.decide(store, of_privacy.request, olga, "approved", "", NOON + 3)
    used = ask(store, both, NOON + 4)
    assert (used.answered.standing, [one.step for one in used.each]) == ("granted", ["used", "used"])
    assert stand() == [("privacy", Standing.USED), ("support", Standing.USED)]
    assert ask(store, both, NOON + 5).answered.standing == "waiting"


def test_a_gates_book_has_place_for_all_of_them_or_for_none(store: sqlite3.Connection, monkeypatch: Any) -> None:
    monkeypatch.setattr(requests, "MOST_WAITING_IN_A_BOOK", 2)
    made(store)
    privacy = {"policy": "privacy", "approval": "erasures", "policyGeneration": 3, "approvers": ["owners"]}
    two = asking(databaseRef={"name": "other"}, alsoHeldBy=[privacy])
    assert "1 requests of this gate wait already" in ask(store, two).answered.comment
    assert requests.waiting_count(store) == 1
    assert ask(store, asking(databaseRef={"name": "other"})).step == "made"


def test_one_person_of_a_gate_leaves_the_others_their_place(store: sqlite3.Connection, monkeypatch: Any) -> None:
    """Groups differ from token to token, and so do agents; each would be a requester with twenty of its own."""
    monkeypatch.setattr(room, "MOST_OF_A_PERSON", 3)

    def by(name: str, number: int) -> Asking:
        person = {"kind": "person", "subject": name, "issuer": "https://id.example", "groups": [f"g{number}"]}
        agent = {"kind": "agent", "subject": f"bot-{number}", "issuer": "https://id.example"}
        return asking(requester={"principal": agent, "actsFor": [person]} if number % 2 else {"principal": person})

    names = [made(store, by("ada", number)) for number in range(3)]
    for number in (4, 5):
        refused = ask(store, by("ada", number)).answered
        assert refused.comment.startswith("3 requests that person ada has a part in wait already")
    assert ask(store, by("ada", 1)).answered.request == names[1], "what waits is found all the same"
    assert ask(store, by("dan", 5)).step == "made"
    assert ask(store, by("ada", 4), book="gate gw2").step == "made", "of each gate"
    requests.decide(store, names[0], BEA, "denied", "no", NOON + 1)
    assert ask(store, by("ada", 4), NOON + 2).step == "made"


def test_names_can_be_said_and_are_never_given_twice(store: sqlite3.Connection, monkeypatch: Any) -> None:
    name = made(store)
    assert len(name) == 11
    assert set(name[2:]) <= set("23456789abcdefghjkmnpqrstvwxyz-")
    letters = iter(name.replace("-", "")[1:] + "22223333")
    monkeypatch.setattr("penstock_collector.store.requests.secrets.choice", lambda _: next(letters))
    assert made(store, asking(databaseRef={"name": "other"})) == "r-2222-3333"


def test_a_book_is_closed_to_others(store: sqlite3.Connection) -> None:
    name = made(store)
    requests.decide(store, name, BEA, "approved", "", NOON)
    assert requests.find(store, name, "gate gw2") is None
    other = ask(store, book="gate gw2")
    assert (other.step, other.answered.standing) == ("made", "waiting")
    assert ask(store).answered.standing == "granted"


def test_a_decision_is_made_once(store: sqlite3.Connection) -> None:
    name = made(store)
    requests.decide(store, name, BEA, "denied", "no", NOON)
    for who, decision in [(CEM, "approved"), (BEA, "denied")]:
        with pytest.raises(NotPossibleError, match=f"{name} was denied by bea"):
            requests.decide(store, name, who, decision, "", NOON)  # type: ignore[arg-type] # pairs of literals
    assert ask(store).answered.standing == "denied"
    with pytest.raises(UnknownRequestError, match="there is no request r-none"):
        requests.decide(store, "r-none", BEA, "approved", "", NOON)


def test_who_has_a_part_in_it_decides_nothing(store: sqlite3.Connection) -> None:
    name = made(store)
    dba = frozenset({"dba"})
    for approver in (Approver("ADA", groups=dba), Approver("bot", groups=dba), Approver("eve")):
        with pytest.raises(NotAllowedError):
            requests.decide(store, name, approver, "approved", "", NOON)
    assert standing(store, name) is Standing.WAITING


def test_what_has_expired_stays_so_when_the_clock_is_set_back(store: sqlite3.Connection) -> None:
    waiting = made(store)
    approved = made(store, asking(databaseRef={"name": "other"}))
    requests.decide(store, approved, BEA, "approved", "", NOON)
    assert {kept.name for kept in requests.settle(store, NOON + HOUR)} == {waiting, approved}
    for name in (waiting, approved):
        assert standing(store, name) is Standing.EXPIRED
        with pytest.raises(NotPossibleError, match="expired at"):
            requests.decide(store, name, CEM, "approved", "", NOON)
    assert ask(store, now=NOON).step == "made"
    assert ask(store, asking(databaseRef={"name": "other"}), now=NOON).step == "made"


def test_decisions_stay_when_the_clock_is_set_back(store: sqlite3.Connection) -> None:
    name = made(store)
    requests.decide(store, name, BEA, "denied", "no", NOON + 10)
    with pytest.raises(NotPossibleError, match="was denied by bea"):
        requests.decide(store, name, CEM, "approved", "", NOON - HOUR)
    assert ask(store, now=NOON - HOUR).answered.standing == "denied"


def test_after_its_end_nothing_is_decided_or_used(store: sqlite3.Connection) -> None:
    name = made(store)
    with pytest.raises(NotPossibleError, match="run the statement again to ask anew"):
        requests.decide(store, name, BEA, "approved", "", NOON + HOUR)
    other = made(store, now=NOON + HOUR)
    requests.decide(store, other, BEA, "approved", "", NOON + HOUR)
    assert ask(store, now=NOON + 3 * HOUR).step == "made"


def test_ten_thousand_questions_fill_no_more_than_a_book(store: sqlite3.Connection) -> None:
    store.execute("BEGIN")
    results: dict[str, int] = {}
    for number in range(10_000):
        sender = {"kind": "agent", "subject": f"bot-{number % 500}", "issuer": "https://id.example"}
        what = asking(
            requester={"principal": sender}, statement={"sql": f"DELETE FROM t WHERE id = {number}"}, expiresAfter="9h"
        )
        asked = ask(store, what)
        results[asked.step] = results.get(asked.step, 0) + 1
    assert results == {"made": 1_000, "refused": 9_000}
    assert requests.waiting_count(store) == 1_000
    assert ask(store, what).answered.comment == "1000 requests of this gate wait already; have some decided first"
    assert ask(store, what, book="gate gw2").step == "made"
    store.execute("ROLLBACK")


def test_ten_thousand_of_one_agent_leave_the_others_their_place(store: sqlite3.Connection) -> None:
    """For five hundred people, so that neither any of them nor the gate has too many."""
    issuer = {"issuer": "https://id.example"}

    def of(number: int, agent: str = "bot") -> Asking:
        person = {"kind": "person", "subject": f"person-{number % 500}", **issuer}
        requester = {"principal": {"kind": "agent", "subject": agent, **issuer}, "actsFor": [person]}
        return asking(requester=requester, statement={"sql": f"DELETE FROM t WHERE id = {number}"})

    store.execute("BEGIN")
    known = WaitingParties()
    results = [requests.ask(store, "gate gw1", "shop", of(number), "", NOON, known) for number in range(10_000)]
    assert [one.step for one in results].count("made") == requests.waiting_count(store) == room.MOST_OF_AN_AGENT
    assert {one.answered.comment for one in results if one.step == "refused"} == {
        "200 requests that agent bot has a part in wait already; have some decided first"
    }
    person = asking(requester={"principal": {"kind": "person", "subject": "person-1", **issuer}})
    assert [ask(store, one).step for one in (person, of(1, "other-bot"))] == ["made", "made"]
    store.execute("ROLLBACK")


def test_one_requester_fills_less(store: sqlite3.Connection) -> None:
    for number in range(20):
        made(store, within("statement", sql=f"DELETE FROM t WHERE id = {number}"))
    assert "20 requests of this requester wait already" in ask(store).answered.comment


def test_retention_takes_texts_and_leaves_decisions(store: sqlite3.Connection) -> None:
    secret = within("statement", sql="DELETE FROM t WHERE email = 'ada@shop.example'")
    denied, undecided = made(store, secret), made(store)
    waiting = made(store, asking(databaseRef={"name": "other"}, expiresAfter="168h"))
    requests.decide(store, denied, BEA, "denied", "no", NOON)
    requests.settle(store, NOON + 2 * HOUR)
    assert request_retention.dispose(store, 1, NOON + 3 * HOUR) == 0
    later = NOON + 30 * HOUR
    assert request_retention.dispose(store, 1, later) == 2
    assert request_retention.dispose(store, 1, later) == 0
    assert requests.find(store, undecided) is None
    assert standing(store, waiting) is Standing.WAITING
    kept = requests.find(store, denied)
    assert kept is not None
    assert kept.trimmed
    assert (kept.status.decision, kept.status.decided_by, kept.status.comment) == ("denied", "bea", "no")
    assert "ada@shop.example" not in "".join(str(tuple(row)) for row in store.execute("SELECT * FROM requests"))
    assert request_retention.dispose(store, None, later) == 0


def test_retention_ends_no_denial(store: sqlite3.Connection) -> None:
    what = asking(expiresAfter="100h")
    requests.decide(store, made(store, what), BEA, "denied", "no", NOON)
    assert request_retention.dispose(store, 1, NOON + 50 * HOUR) == 0
    assert ask(store, what, now=NOON + 50 * HOUR).answered.standing == "denied"
    assert request_retention.dispose(store, 1, NOON + 101 * HOUR) == 1


def test_undecided_ends_are_bounded_without_retention(store: sqlite3.Connection, monkeypatch: Any) -> None:
    monkeypatch.setattr(request_retention, "MOST_UNDECIDED_KEPT", 5)
    names = [made(store, asking(databaseRef={"name": f"d{number}"})) for number in range(8)]
    requests.settle(store, NOON + HOUR)
    assert request_retention.dispose(store, None, NOON + HOUR) == 3
    assert [requests.find(store, name) is not None for name in names] == [False] * 3 + [True] * 5


def test_the_file_itself_keeps_decisions(store: sqlite3.Connection) -> None:
    name = made(store)
    requests.decide(store, name, BEA, "approved", "", NOON)
    ask(store)
    for statement in (
        "DELETE FROM requests",
        "UPDATE requests SET decision = 'denied'",
        "UPDATE requests SET decision = ''",
        "UPDATE requests SET used = 0",
    ):
        with pytest.raises(sqlite3.IntegrityError, match="stay"):
            store.execute(statement)


def test_those_who_follow_miss_nothing(store: sqlite3.Connection) -> None:
    one = made(store)
    begun = requests.cursor(store)
    other = made(store, asking(databaseRef={"name": "other"}))
    requests.decide(store, one, BEA, "approved", "", NOON)
    found = requests.changes(store, begun)
    assert [(kept.name, kept.standing) for kept in found.requests] == [
        (other, Standing.WAITING),
        (one, Standing.APPROVED),
    ]
    assert requests.changes(store, found.cursor).requests == ()
    assert requests.changes(store, 0, limit=1).cursor < found.cursor


def test_who_waits_too_long_is_told_of_once(store: sqlite3.Connection) -> None:
    one = made(store)
    other = made(store, asking(databaseRef={"name": "other"}))
    requests.decide(store, other, BEA, "denied", "no", NOON)
    assert requests.overdue(store, 900, NOON + 899) == []
    assert [kept.name for kept in requests.overdue(store, 900, NOON + 900)] == [one]
    assert requests.overdue(store, 900, NOON + 2000) == []


def test_a_file_of_the_version_before_is_taken_on(tmp_path: Path) -> None:
    path = tmp_path / "old.db"
    old = sqlite3.connect(path)
    schema = files("penstock_collector.store").joinpath("schema.sql").read_text()
    old.executescript(f"PRAGMA application_id = {0x506E4175}; PRAGMA user_version = 1; {schema}")
    old.execute("INSERT INTO streams (name, first_received, last_received) VALUES ('gw1/b', 1, 1)")
    old.commit()
    old.close()
    connection = open_for_writing(path)
    assert connection.execute("PRAGMA user_version").fetchone()[0] == SCHEMA_VERSION
    assert connection.execute("SELECT name FROM streams").fetchall() == [("gw1/b",)]
    assert ask(connection).step == "made"
    connection.close()
    open_for_writing(path).close()


def test_the_longest_text_is_kept_as_it_came(store: sqlite3.Connection) -> None:
    sql = "\u202e\x00\U0001f600" + "x" * 65_533
    name = made(store, within("statement", sql=sql))
    kept = requests.find(store, name)
    assert kept is not None
    assert kept.request.spec.statement.sql == sql
    assert ASKING["statement"]["sql"] != sql
