"""Lists that are open hear of a transaction that was not committed, of its statements alone."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.collector.conftest import Sender, ndjson

from penstock_collector.lookup import cursor
from penstock_collector.search import STATEMENTS, Filters
from penstock_collector.store.database import open_for_writing
from penstock_collector.store.intake import take
from penstock_collector.store.lines import read_batch

NAME = "gw1/boot1"


class Trail(Sender):
    """A store without a server, and a list that is open."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        super().__init__(NAME)
        self.connection = connection
        self.seen = 0

    def runs(self, number: int, transaction: object) -> None:
        """A statement runs in a transaction."""
        intent, _ = Sender().statement(number)
        body = {name: intent[name] for name in intent.keys() - {"v", "stream", "seq", "prev", "time", "hash"}}
        outcome = {"kind": "outcome", "session": "s1", "statement": number, "result": "ok", "rows": 1}
        self.take(body, outcome if transaction is None else {**outcome, "transaction": transaction})

    def ends(self, transaction: object, result: str, session: str = "s1") -> None:
        """It ends."""
        self.take({"kind": "transaction", "session": session, "transaction": transaction, "result": result})

    def take(self, *bodies: dict[str, Any]) -> None:
        batch = read_batch(ndjson(self.seal(*bodies)), NAME)
        take(self.connection, NAME, batch, oldest=1, now=1_764_000_000)

    def news(self) -> list[tuple[str, str]]:
        """What an open list is told since it was asked last."""
        found = STATEMENTS.changes(self.connection, Filters(), self.seen)
        self.seen = cursor(self.connection)
        return sorted((one.statement, one.transaction_end) for one in found.records)


@pytest.fixture
def trail(tmp_path: Path) -> Iterator[Trail]:
    connection = open_for_writing(tmp_path / "audit.db")
    yield Trail(connection)
    connection.close()


def test_what_is_rolled_back_is_told_anew_and_nothing_else(trail: Trail) -> None:
    trail.runs(1, 1)
    trail.runs(2, 2)
    trail.runs(3, None)
    trail.runs(4, 2)
    assert trail.news() == [("1", ""), ("2", ""), ("3", ""), ("4", "")]
    trail.ends(2, "rollback")
    assert trail.news() == [("2", "rollback"), ("4", "rollback")]


def test_a_commit_is_what_everybody_took_it_for(trail: Trail) -> None:
    trail.runs(1, 1)
    trail.news()
    trail.ends(1, "commit")
    assert trail.news() == []


@pytest.mark.parametrize("result", ["prepared", "unknown", "novelty"])
def test_other_ends_are_told_too(trail: Trail, result: str) -> None:
    trail.runs(1, 1)
    trail.news()
    trail.ends(1, result)
    assert trail.news() == [("1", result)]


@pytest.mark.parametrize(("transaction", "session"), [(2, "s1"), (1, "s2")])
def test_the_end_of_another_transaction_tells_nothing(trail: Trail, transaction: int, session: str) -> None:
    trail.runs(1, 1)
    trail.news()
    trail.ends(transaction, "rollback", session)
    assert trail.news() == []


def test_of_a_long_transaction_the_latest_are_told(trail: Trail, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("penstock_collector.store.transaction_ends._MOST", 2)
    for number in range(1, 5):
        trail.runs(number, 1)
    trail.news()
    trail.ends(1, "rollback")
    assert trail.news() == [("3", "rollback"), ("4", "rollback")]
