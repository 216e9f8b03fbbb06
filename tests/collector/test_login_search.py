"""Looking for logins: accepted and refused, by who it is, who it claims to be, from where and why."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from importlib.resources import files
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from penstock_collector.store.database import open_for_writing
from penstock_core.audit import chain

OPEN = {"kind": "open", "database": "shop", "version": "0.1.0"}


def client_(user: str = "app", addr: str = "10.0.0.7:4711", application: str = "till") -> dict[str, str]:
    return {"addr": addr, "application": application, "user": user, "database": "shop"}


ACCEPTED = {
    "kind": "login", "outcome": "accepted", "session": "s1", "database": "shop", "client": client_(),
    "identity": {"name": "agent:bot for person:ada"}, "asserted": {"application": "till"},
}  # fmt: skip
END = {
    "kind": "session", "event": "end", "session": "s1", "reason": "the client ended the session", "statements": 12,
    "durationUs": 2_500_000, "identity": {"name": "agent:bot for person:ada"}, "client": client_(),
}  # fmt: skip
EXPIRED = {
    "kind": "login", "outcome": "refused", "session": "s2", "database": "shop", "client": client_(addr="10.9.9.9:1"),
    "reason": "the token has expired", "sqlstate": "28P01",
    "asserted": {"subject": "mallory", "actor": "bot", "issuer": "https://evil.example", "audience": "x"},
}  # fmt: skip
MANY = {
    "kind": "login", "outcome": "refused", "database": "shop", "client": client_(user="root", addr="10.9.9.9"),
    "reason": "access is revoked (policy stop)", "sqlstate": "28000", "policy": "stop", "count": 42,
    "identity": {"name": "person:eve"}, "fromTime": "2026-11-25T09:00:00.000Z", "toTime": "2026-11-25T09:00:01.000Z",
}  # fmt: skip


@pytest.fixture
async def filled(client: Any, sender: Any) -> Any:
    await client.send(sender.seal(OPEN, ACCEPTED, EXPIRED, END, MANY) + sender.statement(1))
    return client


async def found(client: Any, **query: str) -> list[dict[str, Any]]:
    response = await client.get("/v1/logins?" + urlencode(query))
    assert response.status_code == 200, response.text
    logins: list[dict[str, Any]] = response.json()["logins"]
    return logins


async def test_latest_first_with_all_that_is_known(filled: Any) -> None:
    many, expired, accepted = await found(filled)
    assert (many["outcome"], many["count"], many["policy"]) == ("refused", 42, "stop")
    assert (many["identity"], many["claimed"], many["address"]) == ("person:eve", "", "10.9.9.9")
    # What nobody has verified is never where an identity stands.
    assert (expired["identity"], expired["claimed"]) == ("", "bot for mallory (https://evil.example)")
    assert (expired["reason"], expired["sqlstate"], expired["ended"]) == ("the token has expired", "28P01", None)
    assert (accepted["identity"], accepted["statements"], accepted["duration_us"]) == (
        "agent:bot for person:ada", 12, 2_500_000,
    )  # fmt: skip
    assert accepted["end_reason"] == "the client ended the session"
    assert accepted["ended"] > accepted["time"]


@pytest.mark.parametrize(
    ("query", "sessions"),
    [
        ({"outcome": "refused"}, ["", "s2"]),
        ({"outcome": "accepted"}, ["s1"]),
        ({"identity": "EVE"}, [""]),
        ({"identity": "mallory"}, ["s2"]),
        ({"address": "10.9.9.9"}, ["", "s2"]),
        ({"address": "9.9.9"}, []),
        ({"session": "s1"}, ["s1"]),
        ({"q": "expired"}, ["s2"]),
        ({"q": "28000"}, [""]),
        ({"q": "mallory evil"}, ["s2"]),
        ({"q": "root"}, [""]),
        ({"q": "till ada"}, ["s1"]),
        ({"since": "2026-11-25T09:03:00Z"}, ["", "s2"]),
        ({"until": "2026-11-25T09:03:00Z"}, ["s1"]),
        ({"stream": "gw9/none"}, []),
    ],
)
async def test_filters(filled: Any, query: dict[str, str], sessions: list[str]) -> None:
    assert [one["session"] for one in await found(filled, **query)] == sessions


async def test_pages(filled: Any) -> None:
    first = (await filled.get("/v1/logins?limit=2")).json()
    second = (await filled.get(f"/v1/logins?limit=2&before={first['next']}")).json()
    assert [one["session"] for one in first["logins"] + second["logins"]] == ["", "s2", "s1"]
    assert second["next"] is None


@pytest.mark.parametrize("query", ["outcome=perhaps", "since=soon", "before=x", "q=" + "x" * 500])
async def test_a_filter_that_means_nothing_is_refused(client: Any, query: str) -> None:
    for path in ("/v1/logins", "/logins"):
        assert (await client.get(f"{path}?{query}")).status_code == 400


async def test_the_end_that_came_first_counts(client: Any, sender: Any) -> None:
    opened, end, login = sender.seal(OPEN, END, ACCEPTED)
    await client.send([opened, end, login])
    (one,) = await found(client)
    assert one["statements"] == 12


async def test_no_session_runs_on_after_its_gate(client: Any, sender: Any) -> None:
    killed = {**ACCEPTED, "session": "s9"}
    await client.send(sender.seal(OPEN, ACCEPTED, killed, END, {"kind": "close", "reason": "the process ended"}))
    assert [(one["end_reason"], one["statements"]) for one in await found(client)] == [
        ("its gate ended", None), ("the client ended the session", 12),
    ]  # fmt: skip
    assert ">running<" not in (await client.get("/logins")).text


async def test_another_session_s_end_ends_no_login(client: Any, sender: Any) -> None:
    await client.send(sender.seal(OPEN, {**ACCEPTED, "session": ""}, ACCEPTED, {**END, "session": ""}))
    assert [one["ended"] for one in await found(client)] == [None, None]


async def test_logins_of_earlier_gates_are_found_as_well(client: Any, sender: Any) -> None:
    began = {"kind": "session", "event": "start", "session": "s1", "client": client_(), "identity": {"name": "sa:a/b"}}
    refused = {**began, "event": "refused", "session": "s2", "reason": "the identity is revoked", "policy": "stop"}
    await client.send(sender.seal(OPEN, began, END, refused))
    second, first = await found(client)
    assert (first["outcome"], first["end_reason"]) == ("accepted", "the client ended the session")
    assert (second["outcome"], second["policy"], second["ended"]) == ("refused", "stop", None)


async def test_whatever_stands_in_an_event_of_the_first_version_is_taken(
    client: Any, sender: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chain, "VERSION", 1)
    odd: list[dict[str, Any]] = [
        {"kind": "login"},
        {"kind": "login", "outcome": "perhaps"},
        {"kind": "login", "outcome": "refused", "client": "x", "asserted": [1], "identity": 5, "count": True},
        {"kind": "login", "outcome": "refused", "addresses": ["10.0.0.1 (4)", 7], "count": 4, "reason": {"a": 1}},
        {"kind": "session", "event": ["start"], "session": {"a": 1}},
    ]
    await client.send(sender.seal(OPEN, *odd))
    summed, plain = await found(client)
    assert (summed["address"], summed["count"]) == ("10.0.0.1 (4)", 4)
    assert (plain["identity"], plain["claimed"], plain["count"]) == ("", "", 1)


async def test_the_page_tells_what_is_verified_from_what_is_claimed(filled: Any) -> None:
    text = (await filled.get("/logins")).text
    for expected in (
        "claims to be bot for mallory (https://evil.example)", "42 ×", "person:eve", "the token has expired (28P01)",
        'href="/?stream=gw1/boot1&amp;session=s1"', "2.50 s", "from 10.9.9.9",
    ):  # fmt: skip
        assert expected in text
    assert "mallory" not in (await filled.get("/logins?outcome=accepted")).text
    # The page of a statement leads back to who logged in for it.
    assert "agent:bot for person:ada" in (await filled.get("/statements/gw1/boot1/6")).text


async def test_who_follows_reads_of_logins_and_of_their_ends(filled: Any, sender: Any) -> None:
    headers = {"authorization": "Bearer read-ada"}
    seen: list[dict[str, Any]] = []
    async with filled.http.stream("GET", "/logins/tail?after=0&identity=ada", headers=headers) as tail:
        async with asyncio.timeout(20):
            async for line in tail.aiter_lines():
                if line.startswith("data: "):
                    seen.append(json.loads(line.removeprefix("data: ")))
                    if len(seen) == 1:
                        again = {**ACCEPTED, "session": "s8"}
                        await filled.send(sender.seal(again, EXPIRED, {**END, "session": "s8"}))
                if seen and seen[-1]["session"] == "s8" and seen[-1]["ended"]:
                    break
    assert (seen[0]["session"], seen[0]["statements"]) == ("s1", 12)
    assert {one["session"] for one in seen} == {"s1", "s8"}
    assert [one["changed"] for one in seen] == sorted(one["changed"] for one in seen)


async def test_old_logins_go_with_their_events(client: Any, sender: Any) -> None:
    from penstock_collector.store import retention

    await client.send(sender.seal(OPEN, ACCEPTED, EXPIRED))
    collector = client.running.collector
    await collector.writer.run(lambda connection: retention.drop(connection, 1e12, 0, 1e9, "a test"))
    assert await found(client) == []


@pytest.mark.parametrize(("closed", "ended"), [(0, None), (1, "its gate ended")])
def test_a_file_of_the_version_before_tells_of_its_logins(
    tmp_path: Path, sender: Any, closed: int, ended: str | None
) -> None:
    path = tmp_path / "old.db"
    old = sqlite3.connect(path)
    scripts = [files("penstock_collector.store").joinpath(name).read_text() for name in ("schema.sql", "requests.sql")]
    old.executescript(f"PRAGMA application_id = {0x506E4175}; PRAGMA user_version = 2; {' '.join(scripts)}")
    old.execute(
        "INSERT INTO streams (name, first_received, last_received, closed) VALUES ('gw1/b', 1, 1, ?)", (closed,)
    )
    began = {"kind": "session", "event": "start", "session": "s1", "client": client_(), "identity": {"name": "sa:a/b"}}
    odd = {"kind": "session", "event": "start", "session": "s2", "client": "x", "identity": ["y"]}
    for event in sender.seal(OPEN, began, END, {**began, "session": "s3", "event": "refused", "policy": "p"}, odd):
        old.execute(
            "INSERT INTO events (stream, seq, hash, kind, session, received, document) VALUES (1, ?, ?, ?, ?, 1, ?)",
            (event["seq"], event["hash"], event["kind"], event.get("session", ""), json.dumps(event)),
        )
    old.commit()
    old.close()
    connection = open_for_writing(path)
    rows = connection.execute("SELECT session, outcome, identity, address, policy, end_reason FROM logins").fetchall()
    assert rows == [
        ("s1", "accepted", "sa:a/b", "10.0.0.7:4711", "", "the client ended the session"),
        ("s3", "refused", "sa:a/b", "10.0.0.7:4711", "p", None),
        ("s2", "accepted", "", "", "", ended),
    ]
    words = "SELECT rowid FROM logins_text WHERE logins_text MATCH 'till'"
    assert len(connection.execute(words).fetchall()) == 2
    connection.close()
