"""Following the trail: nothing is missed, filters hold, a slow follower harms nobody, all end with the collector."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx2

OPEN = {"kind": "open", "database": "shop", "version": "0.1.0"}


class Follower:
    """A client of server-sent events."""

    def __init__(self, response: httpx2.Response) -> None:
        self._lines = response.aiter_lines()

    async def next(self) -> tuple[str, dict[str, Any], str]:
        """Name, data and id of the next event."""
        fields: dict[str, str] = {}
        async with asyncio.timeout(30):
            async for line in self._lines:
                if line.startswith(":") or line.startswith("retry"):
                    continue
                if not line and "event" in fields:
                    return fields["event"], json.loads(fields["data"]), fields.get("id", "")
                name, _, value = line.partition(": ")
                if name:
                    fields[name] = value
        raise EOFError


class Following:
    """A follower for a time."""

    def __init__(self, client: Any, query: str = "", **headers: str) -> None:
        headers = {"authorization": "Bearer read-ada", **{k.replace("_", "-"): v for k, v in headers.items()}}
        self._stream = client.http.stream("GET", f"/tail?{query}", headers=headers)

    async def __aenter__(self) -> Follower:
        response = await self._stream.__aenter__()
        assert response.status_code == 200, await response.aread()
        assert response.headers["content-type"].startswith("text/event-stream")
        return Follower(response)

    async def __aexit__(self, *error: object) -> None:
        await self._stream.__aexit__(None, None, None)


async def test_a_statement_shows_while_it_runs_and_again_when_it_is_done(client: Any, sender: Any) -> None:
    await client.send(sender.seal(OPEN) + sender.statement(1))
    async with Following(client) as follower:
        intent, outcome = sender.statement(2)
        await client.send([intent])
        name, data, first_id = await follower.next()
        assert (name, data["statement"], data["result"]) == ("statement", "2", None)
        await client.send([outcome])
        _, data, second_id = await follower.next()
        assert (data["statement"], data["result"], data["rows"]) == ("2", "ok", 2)
        assert int(second_id) > int(first_id)


async def test_nothing_is_missed_between_a_page_and_its_stream(client: Any, sender: Any) -> None:
    await client.send(sender.seal(OPEN) + sender.statement(1))
    cursor = (await client.get("/v1/events")).json()["cursor"]
    await client.send(sender.statement(2))
    async with Following(client, f"after={cursor}") as follower:
        _, data, id_ = await follower.next()
        assert data["statement"] == "2"
    await client.send(sender.statement(3))
    # Reconnecting as a browser does: the id counts, and not the URL.
    async with Following(client, f"after={cursor}", last_event_id=id_) as follower:
        assert (await follower.next())[1]["statement"] == "3"


async def test_filters_hold_for_what_happens_now(client: Any, sender: Any) -> None:
    await client.send(sender.seal(OPEN))
    async with Following(client, "decision=deny&q=orders") as follower:
        await client.send(
            sender.statement(1) + sender.statement(2, decision="deny", sql="DROP TABLE other", relations=[])
        )
        await client.send(sender.statement(3, decision="deny", sql="DELETE FROM orders"))
        assert (await follower.next())[1]["statement"] == "3"


async def test_a_flood_is_told_of_as_a_gap(client: Any, sender: Any) -> None:
    await client.send(sender.seal(OPEN) + [event for number in range(1, 301) for event in sender.statement(number)])
    async with Following(client, "after=0") as follower:
        name, data, _ = await follower.next()
        assert (name, data) == ("gap", {"skipped": 100})
        shown = [(await follower.next())[1]["statement"] for _ in range(200)]
        assert shown == [str(number) for number in range(101, 301)]


async def test_a_follower_that_does_not_read_holds_up_nobody(client: Any, sender: Any) -> None:
    await client.send(sender.seal(OPEN))
    async with Following(client), Following(client) as reading:
        for number in range(0, 200):
            await client.send(sender.statement(number, sql="x" * 50_000))
        seen = 0
        while seen < 199:
            name, data, _ = await reading.next()
            if name == "statement":
                seen = max(seen, int(data["statement"]))


async def test_followers_are_counted_and_go(client: Any) -> None:
    async with Following(client):
        assert "penstock_collector_followers 1.0" in (await client.get("/metrics")).text
    for _ in range(600):
        if "penstock_collector_followers 0.0" in (await client.get("/metrics")).text:
            return
        client.running.collector.tail.ring()
        await asyncio.sleep(0.05)
    raise AssertionError("a follower that has gone is still counted")


async def test_followers_end_with_the_collector(client: Any) -> None:
    async with Following(client) as follower:
        client.running.stop()
        with_end: AsyncIterator[str] = follower._lines
        async with asyncio.timeout(30):
            assert [line async for line in with_end if line and not line.startswith((":", "retry"))] == []


async def test_a_session_that_ends_ends_its_follower(client: Any, sender: Any) -> None:
    login = await client.http.post("/login", content=b"token=read-ada")
    cookie = login.headers["set-cookie"].partition(";")[0]
    await client.send(sender.seal(OPEN))
    client.http.cookies.clear()
    async with Following(client, authorization="", cookie=cookie) as follower:
        await client.http.post("/logout", headers={"cookie": cookie})
        await client.send(sender.statement(1))
        names = [(await follower.next())[0]]
        if names == ["statement"]:
            client.running.collector.tail.ring()
            names.append((await follower.next())[0])
        assert names[-1] == "ended"


async def test_too_many_followers_are_told_so(client: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr("penstock_collector.tail.MOST_FOLLOWERS", 0)
    response = await client.get("/tail")
    assert (response.status_code, response.json()) == (503, {"error": "0 viewers follow already"})


async def test_however_many_come_at_once_no_more_than_the_places_are_taken(client: Any) -> None:
    """Of one viewer, and of all; also where they come by the other live pages."""
    paths = ["/tail", "/logins/tail", "/requests/tail"] * 10

    async def status(path: str) -> int:
        async with client.http.stream("GET", path, headers={"authorization": "Bearer read-ada"}) as response:
            if response.status_code == 200:
                await over.wait()
            return int(response.status_code)

    over = asyncio.Event()
    asked = [asyncio.create_task(status(path)) for path in paths]
    for _ in range(1500):
        if sum(one.done() for one in asked) == 10:
            break
        await asyncio.sleep(0.02)
    assert client.running.collector.tail.followers == 20
    over.set()
    statuses = await asyncio.gather(*asked)
    assert sorted(statuses) == [200] * 20 + [503] * 10
    for _ in range(1500):
        if client.running.collector.tail.followers == 0:
            return
        await asyncio.sleep(0.02)
    raise AssertionError("a place is still taken")


async def test_signing_out_ends_what_was_open_at_once(client: Any) -> None:
    login = await client.http.post("/login", content=b"token=read-ada")
    cookie = login.headers["set-cookie"].partition(";")[0]
    client.http.cookies.clear()
    async with Following(client, authorization="", cookie=cookie) as follower:
        await client.http.post("/logout", headers={"cookie": cookie})
        name, _, _ = await asyncio.wait_for(follower.next(), 10)
        assert name == "ended"
