"""Statements that never told how they ended read *unknown*, with the reason, and not *running* for ever."""

from __future__ import annotations

import sqlite3
import time
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

from penstock_collector.store import database, watch
from penstock_collector.store.database import open_for_writing

OPEN = {"kind": "open", "database": "shop", "version": "0.1.0"}
LOGIN = {"kind": "login", "session": "s1", "outcome": "accepted"}
END = {"kind": "session", "session": "s1", "event": "end", "reason": "the client went away"}


async def result(client: Any) -> tuple[str | None, str]:
    (found,) = await client.search()
    return found["result"], found["unknown"]


async def test_what_its_session_left_behind(client: Any, sender: Any) -> None:
    intent, outcome = sender.statement(1)
    sender.head = type(sender.head)("gw1/boot1")
    opened, login, intent, end, outcome = sender.seal(OPEN, LOGIN, body(intent), END, body(outcome))
    await client.send([opened, login, intent])
    assert await result(client) == (None, "")
    before = (await client.get("/v1/events")).json()["cursor"]
    await client.send([end])
    assert await result(client) == ("unknown", "its session ended: the client went away")
    (found,) = await client.search()
    assert found["changed"] > before, "followers see it"
    assert "its session ended: the client went away" in (await client.get("/")).text
    # It comes all the same.
    await client.send([outcome])
    assert await result(client) == ("ok", "")


def body(event: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in event.items() if name not in ("v", "stream", "seq", "prev", "time", "hash")}


async def test_what_its_gate_left_behind(client: Any, sender: Any) -> None:
    await client.send(sender.seal(OPEN) + sender.statement(1)[:1])
    sender.head = type(sender.head)("gw1/boot2")
    await client.send(sender.seal(OPEN) + sender.statement(2)[:1], stream="gw1/boot2")
    other = [found for found in await client.search() if found["stream"] == "gw1/boot1"]
    assert other[0]["result"] is None
    await client.send(sender.seal({"kind": "close"}), stream="gw1/boot2")
    found = {one["stream"]: (one["result"], one["unknown"]) for one in await client.search()}
    assert found == {"gw1/boot1": (None, ""), "gw1/boot2": ("unknown", "its gate ended")}


async def test_an_end_that_came_before_its_statement(client: Any, sender: Any) -> None:
    opened, login, intent, end = sender.seal(
        OPEN, LOGIN, {"kind": "intent", "session": "s1", "statement": 1, "sql": "SELECT 1"}, END
    )
    await client.send([opened, login])
    await client.send([end])
    await client.send([intent, end])
    assert await result(client) == ("unknown", "its session ended: the client went away")


async def test_other_sessions_go_on(client: Any, sender: Any) -> None:
    await client.send(sender.seal(OPEN, LOGIN) + sender.statement(1)[:1] + sender.seal({**END, "session": "s2"}))
    assert await result(client) == (None, "")


async def test_a_gate_that_is_not_heard_of_and_then_is(client: Any, sender: Any) -> None:
    await client.send(sender.seal(OPEN) + sender.statement(1)[:1])
    writer = client.running.collector.writer
    await writer.run(lambda connection: watch.sound_silence(connection, 30, time.time() + 100))
    assert await result(client) == ("unknown", "nothing is heard of its gate")
    await client.send(sender.seal({"kind": "heartbeat"}))
    assert await result(client) == (None, "")
    await writer.run(lambda connection: watch.sound_silence(connection, 30, time.time() + 200))
    await client.send(sender.seal({"kind": "outcome", "session": "s1", "statement": 1, "result": "ok", "rows": 3}))
    assert await result(client) == ("ok", "")


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ("", (None, "")),
        ("UPDATE streams SET closed = 1", ("unknown", "its gate ended")),
        ("UPDATE logins SET ended = 'x'", ("unknown", "its session ended")),
        (
            "INSERT INTO alarms (stream, kind, owner, first_seq, last_seq, since, latest, detail)"
            " VALUES (1, 'silent', '', 1, 1, 1, 1, '')",
            ("unknown", "nothing is heard of its gate"),
        ),
    ],
)
def test_those_of_an_earlier_store(more: str, expected: tuple[str | None, str], tmp_path: Path) -> None:
    old = sqlite3.connect(tmp_path / "audit.db")
    scripts = [files("penstock_collector.store").joinpath(database._STEPS[step]).read_text() for step in range(8)]
    old.executescript(f"PRAGMA application_id = {0x506E4175}; PRAGMA user_version = 8; {' '.join(scripts)}")
    old.executescript(
        f"""INSERT INTO streams (name, first_received, last_received) VALUES ('gw1/a', 0, 0);
            INSERT INTO logins (id, changed, stream, seq, session, time, outcome, identity, claimed, address, username,
                application, dbname, database, reason, sqlstate, policy, count)
            VALUES (1, 1, 1, 1, 's1', '', 'accepted', '', '', '', '', '', '', '', '', '', '', 1);
            INSERT INTO statements (id, changed, stream, seq, session, statement, time, identity, database, decision,
                observed, verbs, relations, masked, policy, rule, reason, sql)
            VALUES (2, 2, 1, 2, 's1', '1', '', '', '', '', '', '', '', '', '', '', '', '');
            {more}"""
    )
    old.close()
    connection = open_for_writing(tmp_path / "audit.db")
    assert connection.execute("SELECT result, unknown FROM statements").fetchone() == expected
    connection.close()
