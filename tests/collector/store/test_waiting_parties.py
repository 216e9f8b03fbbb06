"""Who has a part in what waits is read once for each request."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.collector.store.test_requests import BEA, NOON, made
from tests.core.approvals.test_binding import ASKING, asking, within

from penstock_collector.store import requests, waiting_parties
from penstock_collector.store.database import open_for_writing
from penstock_collector.store.waiting_parties import WaitingParties

BOOK = "gate gw1"
BOT, ADA = ("agent", "https://id.example", "bot"), ("person", "https://id.example", "ada")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    connection = open_for_writing(tmp_path / "audit.db")
    yield connection
    connection.close()


def test_of_each_request_that_waits_in_that_book(store: sqlite3.Connection) -> None:
    known = WaitingParties()
    assert known.of(store, BOOK) == []
    first = made(store)
    made(store, within("requester", actsFor=[]))
    pod = {"workload": ASKING["requester"]["workload"]}
    made(store, asking(requester=pod))
    assert known.of(store, BOOK) == [{BOT, ADA}, {BOT}, set()]
    assert known.of(store, "gate gw2") == []
    requests.decide(store, first, BEA, "denied", "no", NOON + 1)
    assert known.of(store, BOOK) == [{BOT}, set()]


def test_documents_are_read_once(store: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    known = WaitingParties()
    for number in range(3):
        made(store, within("statement", sql=f"DELETE FROM t WHERE id = {number}"))
    made(store, asking(requester={"workload": ASKING["requester"]["workload"]}))
    first = known.of(store, BOOK)
    read: list[str] = []
    store.set_trace_callback(read.append)
    assert known.of(store, BOOK) == first
    assert len(read) == 1, "the names alone"
    monkeypatch.setattr(waiting_parties, "_MOST_KNOWN", 2)
    assert known.of(store, BOOK) == first, "what was forgotten is read again"
    store.set_trace_callback(None)
    assert len(read) == 6
