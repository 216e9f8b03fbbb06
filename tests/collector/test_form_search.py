"""Statements are found by their forms, in the order of their time, however many forms there are."""

from __future__ import annotations

import itertools
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.collector.conftest import Sender, ndjson

from penstock_collector import form_search
from penstock_collector.lookup import LookedFor
from penstock_collector.search import STATEMENTS, Filters, StatementRecord
from penstock_collector.store import retention
from penstock_collector.store.database import open_for_writing
from penstock_collector.store.intake import take
from penstock_collector.store.lines import read_batch

WHO = ("sa:shop/web", "ines@shop.example", "bot for jonas@shop.example")
RELATIONS = ("public.orders", "public.customers", "sales.orders")


@pytest.fixture(scope="module")
def trail(tmp_path_factory: pytest.TempPathFactory) -> Iterator[sqlite3.Connection]:
    """Two streams of 300 statements, in many forms, each time in another order than they arrived."""
    connection = open_for_writing(tmp_path_factory.mktemp("trail") / "audit.db")
    for stream in ("gw1/a", "gw2/a"):
        sender = Sender(stream)
        events = []
        for number in range(300):
            sender.minute = (number * 37) % 300
            events += sender.statement(
                number,
                sql=f"SELECT thing{number % 11}",
                session=f"s{number % 4}",
                identity={"name": WHO[number % 3]},
                decision=("allow", "rewrite", "deny")[number % 5 % 3],
                relations=[RELATIONS[number % 7 % 3]],
            )
        take(connection, stream, read_batch(ndjson(events), stream), oldest=1, now=1.0)
    yield connection
    connection.close()


def all_of(connection: sqlite3.Connection, filters: LookedFor, size: int) -> list[StatementRecord]:
    found: list[StatementRecord] = []
    before = None
    while True:
        page = STATEMENTS.page(connection, filters, before, size)
        assert not page.by_arrival
        found += page.records
        before = page.before
        if before is None:
            return found


@pytest.mark.parametrize("many", [False, True])
@pytest.mark.parametrize(
    "filters",
    [
        Filters(q="thing7"),
        Filters(q="thing"),
        Filters(q="thing7 ines"),
        Filters(identity="JONAS"),
        Filters(decision="deny"),
        Filters(relation="orders", verb="select"),
        Filters(relation="sales.orders", stream="gw2/a"),
        Filters(q="thing3", session="s1"),
        Filters(q="thing", since="2026-11-25T10:30:00.000000Z", until="2026-11-25T12:30:00.000000Z"),
        Filters(q="nothing-like-it"),
        Filters(identity="'; DROP TABLE forms; --"),
    ],
)
def test_they_are_those_that_a_look_at_each_finds(
    filters: Filters, many: bool, trail: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    if many:
        monkeypatch.setattr(form_search, "MOST_FORMS", 1)
    everything = all_of(trail, Filters(), 500)
    assert len(everything) == 600
    wanted = [one for one in everything if _is_wanted(one, filters)]
    for size in (7, 500):
        assert all_of(trail, filters, size) == wanted
    followed = STATEMENTS.changes(trail, filters, 0, 1000).records
    assert sorted(one.id for one in followed) == sorted(one.id for one in wanted)


def _is_wanted(one: StatementRecord, filters: Filters) -> bool:
    words = f"{one.sql} {one.identity}"
    return (
        all(word in words for word in filters.q.split())
        and filters.identity.lower() in one.identity.lower()
        and filters.decision in ("", one.decision)
        and filters.stream in ("", one.stream)
        and filters.session in ("", one.session)
        and (not filters.verb or filters.verb in one.verbs)
        and (not filters.relation or any(f".{name}".endswith(f".{filters.relation}") for name in one.relations))
        and filters.since <= one.time
        and (not filters.until or one.time < filters.until)
    )


def test_the_order_is_that_of_time(trail: sqlite3.Connection) -> None:
    found = all_of(trail, Filters(q="thing"), 50)
    assert all((a.time, a.id) > (b.time, b.id) for a, b in itertools.pairwise(found))


def test_forms_are_shared_and_go_with_their_last_statement(tmp_path: Path) -> None:
    connection = open_for_writing(tmp_path / "audit.db")
    sender = Sender("gw1/a")

    def say(sql: str, now: float) -> None:
        events = [event for number in range(5) for event in sender.statement(number, sql, session=f"of {sql}")]
        take(connection, "gw1/a", read_batch(ndjson(events), "gw1/a"), oldest=1, now=now)

    def texts(table: str, column: str) -> list[str]:
        return [row[0] for row in connection.execute(f"SELECT {column} FROM {table} ORDER BY id")]

    say("SELECT secret", 1.0)
    say("SELECT kept", 5.0)
    assert (texts("forms", "sql"), texts("sessions", "name")) == (
        ["SELECT secret", "SELECT kept"],
        ["of SELECT secret", "of SELECT kept"],
    )
    retention.drop(connection, 3.0, 0, 9.0, "old")
    assert (texts("forms", "sql"), texts("sessions", "name")) == (["SELECT kept"], ["of SELECT kept"])
    connection.execute("INSERT INTO forms_text (forms_text, rank) VALUES ('integrity-check', 1)")
    connection.close()
