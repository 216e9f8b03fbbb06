"""Alarms in the store: raised once, counted, together by kind and sender; and those of an earlier store."""

from __future__ import annotations

import sqlite3
from importlib.resources import files
from pathlib import Path

import pytest

from penstock_collector.store import alarms, database
from penstock_collector.store.alarms import OWN, Alarm
from penstock_collector.store.database import open_for_writing


@pytest.fixture
def store(tmp_path: Path) -> sqlite3.Connection:
    connection = open_for_writing(tmp_path / "audit.db")
    streams = [("u1/a", "shop/web"), ("u2/b", "shop/web"), ("gw1/c", ""), ("gw1/d", "")]
    connection.executemany(
        "INSERT INTO streams (name, workload, first_received, last_received) VALUES (?, ?, 0, 0)", streams
    )
    return connection


def test_senders_are_service_accounts_and_gates(store: sqlite3.Connection) -> None:
    for stream in (1, 2, 3, 4, OWN):
        alarms.sound(store, stream, Alarm.GAP, 5, "seq 5 is missing", now=10 + stream)
    (card,) = alarms.cards(store)
    assert (card.streams, card.senders, card.since, card.latest) == (5, 3, 10, 14)
    assert [(one.owner, one.streams) for one in card.owners] == [("gw1", 2), ("shop/web", 2), ("", 1)]
    assert [one.stream for one in card.owners[1].examples] == ["u2/b", "u1/a"]


def test_what_happens_again_is_counted(store: sqlite3.Connection) -> None:
    alarms.sound(store, 1, Alarm.UNRECORDED, 5, "3 statements", now=10, count=3)
    alarms.sound(store, 1, Alarm.UNRECORDED, 9, "4 statements", now=20, count=4)
    (alarm,) = alarms.standing(store)
    assert (alarm.first_seq, alarm.last_seq, alarm.count, alarm.since, alarm.latest) == (5, 9, 7, 10, 20)
    assert alarm.detail == "4 statements"


def test_all_kinds_have_an_order_and_the_worst_is_first(store: sqlite3.Connection) -> None:
    for kind in reversed(Alarm):
        alarms.sound(store, 1, kind, 1, "x", now=1)
    assert [card.kind for card in alarms.cards(store)] == list(Alarm)
    assert list(Alarm).index(Alarm.FORK) < list(Alarm).index(Alarm.SILENT)


def test_a_flood_is_acknowledged_in_portions(store: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alarms, "MOST_ACKNOWLEDGED", 3)
    for stream in (1, 2, 3, 4):
        alarms.sound(store, stream, Alarm.SILENT, 1, "x", now=1)
    assert [alarms.acknowledge(store, Alarm.SILENT, None, 1, "ada", "", 2) for _ in range(3)] == [3, 1, 0]


def test_alarms_of_an_earlier_store_stay(tmp_path: Path) -> None:
    old = sqlite3.connect(tmp_path / "audit.db")
    scripts = [files("penstock_collector.store").joinpath(database._STEPS[step]).read_text() for step in range(7)]
    old.executescript(f"PRAGMA application_id = {0x506E4175}; PRAGMA user_version = 7; {' '.join(scripts)}")
    old.executescript(
        """INSERT INTO streams (name, first_received, last_received) VALUES ('gw1/a', 0, 0);
           INSERT INTO alarms (stream, kind, first_seq, last_seq, count, since, latest, detail, cleared, cleared_by)
           VALUES (1, 'fork', 2, 3, 4, 5.5, 6.5, 'two', NULL, NULL), (1, 'gap', 1, 1, 1, 1, 2, 'one', 3, 'ada')"""
    )
    old.close()
    connection = open_for_writing(tmp_path / "audit.db")
    (standing,), (past,) = alarms.standing(connection), alarms.past(connection, 10)
    assert (standing.stream, standing.owner, standing.kind, standing.count, standing.latest) == (
        "gw1/a",
        "gw1",
        Alarm.FORK,
        4,
        6.5,
    )
    assert (past.kind, past.cleared_by, past.comment, past.detail) == (Alarm.GAP, "ada", "", "one")
    # It is raised once, as before.
    alarms.sound(connection, 1, Alarm.FORK, 9, "three", 9)
    assert [one.count for one in alarms.standing(connection)] == [5]
    connection.close()
