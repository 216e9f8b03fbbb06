"""A store of an earlier version comes to this one's form, killed in between or not, and loses nothing."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.collector.conftest import Sender

from penstock_collector.search import STATEMENTS, Filters, detail
from penstock_collector.store import database, export, packing, upgrading
from penstock_core.audit.chain import canonical

STREAMS = ("gw1/a", "gw1/b")


def earlier(path: Path, statements: int) -> list[bytes]:
    """Makes a store as version 13 left it; its lines."""
    connection = database.connect(path)
    connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
    for version in range(13):
        database._step(connection, version)
    lines = []
    for number, name in enumerate(STREAMS, start=1):
        sender = Sender(name)
        begun = sender.seal({"kind": "login", "session": "s1", "outcome": "accepted"})
        events = begun + [one for place in range(statements) for one in sender.statement(place, f"SELECT t{place}")]
        connection.execute(
            """INSERT INTO streams (id, name, contiguous, contiguous_hash, last_seq, first_received, last_received)
               VALUES (?, ?, ?, ?, ?, 5, 5)""",
            (number, name, len(events), events[-1]["hash"], len(events)),
        )
        for event in events:
            text = canonical(event).decode()
            lines.append(text.encode())
            row = connection.execute(
                """INSERT INTO events (stream, seq, hash, kind, session, statement, received, document)
                   VALUES (?, ?, ?, ?, ?, ?, ?, ?)""",
                (
                    number, event["seq"], event["hash"], event["kind"], "s1", str(event.get("statement", "")),
                    1000.0 + event["seq"] // 4, text,
                ),
            ).lastrowid  # fmt: skip
            if event["kind"] == "intent":
                connection.execute(
                    """INSERT INTO statements (id, changed, stream, seq, session, statement, time, identity, database,
                           decision, observed, verbs, relations, masked, policy, rule, reason, sql, outcome_seq, result,
                           rows, bytes, duration_us, sqlstate)
                       VALUES (?, ?, ?, ?, 's1', ?, ?, 'sa:shop/web', 'shop', 'allow', '',
                           char(10) || 'select' || char(10), char(10) || 'public.orders' || char(10), '', '', '', '',
                           ?, ?, 'ok', 1, 2, 3, '')""",
                    (
                        row, row, number, event["seq"], str(event["statement"]), event["time"], event["sql"],
                        event["seq"] + 1,
                    ),
                )  # fmt: skip
    connection.close()
    return lines


def exported(connection: sqlite3.Connection) -> list[bytes]:
    return [line for place, line in export.portion(connection, "", export.BEGINNING, 10_000) if place[1]]


def check(connection: sqlite3.Connection, lines: list[bytes], statements: int) -> None:
    assert exported(connection) == lines
    page = STATEMENTS.page(connection, Filters(), limit=500)
    assert len(page.records) == 2 * statements
    for one in page.records:
        assert one.received == 1000.0 + one.seq // 4
        assert (one.result, one.verbs, one.relations) == ("ok", ("select",), ("public.orders",))
    assert {one.stream for one in STATEMENTS.page(connection, Filters(q="t7")).records} == set(STREAMS)
    shown = detail(connection, STREAMS[0], 4)
    assert shown is not None
    assert [json.loads(one)["kind"] for one in (*shown.events, *shown.related)] == ["intent", "outcome"]
    assert shown.session is not None


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packing, "BLOCK_EVENTS", 10)
    monkeypatch.setattr(upgrading, "_AT_ONCE", 7)
    monkeypatch.setattr(upgrading, "_BLOCKS_AT_ONCE", 2)


def test_what_was_stored_is_carried_over_and_packed(tmp_path: Path) -> None:
    lines = earlier(tmp_path / "audit.db", 60)
    connection = database.open_for_writing(tmp_path / "audit.db")
    assert connection.execute("PRAGMA user_version").fetchone()[0] == database.SCHEMA_VERSION
    assert connection.execute("SELECT count(*) FROM blocks").fetchone()[0] == 24
    assert connection.execute("SELECT count(*) FROM events").fetchone()[0] == 2
    check(connection, lines, 60)
    connection.close()


def test_killed_at_any_step_it_goes_on_at_the_next_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = earlier(tmp_path / "audit.db", 30)
    steps = upgrading.upgrade
    told: list[tuple[str, int, int]] = []

    def killed(connection: sqlite3.Connection) -> None:
        def tell(what: str, done: int, total: int) -> None:
            told.append((what, done, total))
            assert 0 < done <= total
            raise KeyboardInterrupt

        steps(connection, tell)

    monkeypatch.setattr(upgrading, "upgrade", killed)
    kills = 0
    while True:
        try:
            connection = database.open_for_writing(tmp_path / "audit.db")
            break
        except KeyboardInterrupt:
            kills += 1
    assert kills == len(told) > 15
    check(connection, lines, 30)
    connection.close()


def test_the_file_does_not_grow_by_it(tmp_path: Path) -> None:
    path = tmp_path / "audit.db"
    earlier(path, 1500)
    before = path.stat().st_size
    largest = 0
    connection = database.connect(path)
    steps, upgrading_path = upgrading.upgrade, (path, path.with_name("audit.db-wal"))

    def tell(_what: str, _done: int, _total: int) -> None:
        nonlocal largest
        largest = max(largest, sum(one.stat().st_size for one in upgrading_path if one.exists()))

    connection.close()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(upgrading, "_AT_ONCE", 100)
        patch.setattr(packing, "BLOCK_EVENTS", 256)
        patch.setattr(upgrading, "upgrade", lambda connection: steps(connection, tell))
        database.open_for_writing(path).close()
    assert before < largest < before * 1.15


def test_nothing_of_the_former_form_is_left(tmp_path: Path) -> None:
    earlier(tmp_path / "audit.db", 30)
    database.open_for_writing(tmp_path / "audit.db").close()
    database.open_for_writing(tmp_path / "new.db").close()
    schemas = []
    for name in ("audit.db", "new.db"):
        connection = database.connect(tmp_path / name)
        schemas.append(connection.execute("SELECT type, name, sql FROM sqlite_schema ORDER BY name").fetchall())
        assert connection.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
        connection.execute("INSERT INTO forms_text (forms_text, rank) VALUES ('integrity-check', 1)")
        connection.close()
    assert schemas[0] == schemas[1]
    assert not [row for row in schemas[0] if "former" in row[1] or row[1].startswith("statements_text")]


def test_no_step_writes_more_than_a_share_of_the_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "audit.db"
    earlier(path, 4000)
    monkeypatch.setattr(upgrading, "_AT_ONCE", 200)
    monkeypatch.setattr(packing, "BLOCK_EVENTS", 256)
    log, largest = path.with_name("audit.db-wal"), 0
    step = upgrading._step

    def looked_at(*arguments: Any) -> Any:
        nonlocal largest
        place = step(*arguments)
        largest = max(largest, log.stat().st_size if log.exists() else 0)
        return place

    monkeypatch.setattr(upgrading, "_step", looked_at)
    database.open_for_writing(path).close()
    assert 0 < largest < path.stat().st_size / 4


def test_a_process_killed_at_random_leaves_a_store_that_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "audit.db"
    lines = earlier(path, 1200)
    code = (
        "import sys; from pathlib import Path; from penstock_collector.store import database, packing, upgrading\n"
        "upgrading._AT_ONCE, upgrading._BLOCKS_AT_ONCE, packing.BLOCK_EVENTS = 100, 1, 50\n"
        "steps = upgrading.upgrade\n"
        "upgrading.upgrade = lambda c: steps(c, lambda *told: print(*told, flush=True))\n"
        f"database.open_for_writing(Path({str(path)!r})); print('done', flush=True)\n"
    )
    kills, said = 0, ""
    while said != "done":
        process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        for _ in range(11 + kills):
            said = process.stdout.readline().strip()
            assert said, "it ends by being killed, or when all is done"
            if said == "done":
                break
        process.kill()
        process.wait()
        process.stdout.close()
        kills += said != "done"
    assert kills > 3
    connection = database.open_for_writing(path)
    assert exported(connection) == lines
    assert connection.execute("SELECT count(*) FROM statements").fetchone()[0] == 2400
    connection.close()
