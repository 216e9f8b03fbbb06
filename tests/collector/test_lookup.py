"""History is in the order in which things happened, page by page, whenever they arrived."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from tests.collector.conftest import OTHER_WRITER, Sender

from penstock_collector import lookup
from penstock_collector.lookup import came_late

OPEN = {"kind": "open", "database": "shop", "version": "0.1.0"}
LOGIN = {"kind": "login", "outcome": "accepted", "identity": {"name": "sa:shop/web"}}


async def replayed(client: Any, new_sender: Callable[[str], Sender]) -> None:
    """Statements 1 to 6, in time; of which those of one gate came long after the others."""
    prompt, late = new_sender("gw1/boot1"), new_sender("gw2/boot1")
    early: list[Any] = late.seal(OPEN, {**LOGIN, "session": "s1"})
    prompt.minute = late.minute
    sent: list[Any] = prompt.seal(OPEN, {**LOGIN, "session": "s2"})
    for number in (1, 2, 3):
        late.minute = prompt.minute
        early += late.statement(2 * number - 1, sql="SELECT replayed")
        prompt.minute = late.minute
        sent += prompt.statement(2 * number, sql="SELECT prompt")
    await client.send(sent)
    await client.send(early, stream="gw2/boot1", token=OTHER_WRITER)


async def pages(client: Any, query: str, size: int) -> list[str]:
    found: list[str] = []
    before = ""
    while True:
        answer = (await client.get(f"/v1/events?limit={size}{before}&{query}")).json()
        assert answer["order"] == "time"
        found += [one["statement"] for one in answer["events"]]
        if answer["next"] is None:
            return found
        before = f"&before={answer['next']}"


@pytest.mark.parametrize("size", [1, 2, 4, 100])
@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", "654321"),
        ("q=select", "654321"),
        ("q=replayed", "531"),
        ("decision=allow", "654321"),
        ("stream=gw2/boot1", "531"),
    ],
)
async def test_a_replayed_spool_stands_where_its_time_has_it(
    query: str, expected: str, size: int, client: Any, new_sender: Any
) -> None:
    await replayed(client, new_sender)
    assert "".join(await pages(client, query, size)) == expected


async def test_logins_too(client: Any, new_sender: Any) -> None:
    await replayed(client, new_sender)
    assert [one["session"] for one in (await client.get("/v1/logins")).json()["logins"]] == ["s2", "s1"]
    (older,) = (await client.get("/v1/logins?limit=1&before=9")).json()["logins"]
    assert older["stream"] == "gw1/boot1"


async def test_those_of_one_moment_are_each_shown_once(client: Any, sender: Any) -> None:
    events = sender.seal(OPEN)
    for number in range(7):
        sender.minute = 30
        events += sender.statement(number)[:1]
    await client.send(events)
    assert "".join(await pages(client, "", 2)) == "6543210"


async def test_a_page_goes_on_although_its_last_row_was_dropped_meanwhile(client: Any, sender: Any) -> None:
    await client.send(sender.seal(OPEN) + [event for number in range(6) for event in sender.statement(number)])
    first = (await client.get("/v1/events?limit=2")).json()
    await client.running.collector.writer.run(
        lambda connection: connection.execute("DELETE FROM statements WHERE id = ?", (first["next"],))
    )
    rest = (await client.get(f"/v1/events?before={first['next']}")).json()["events"]
    assert [one["statement"] for one in rest] == ["3", "2", "1", "0"]


async def test_the_arrival_is_beside_the_time_where_it_is_another(client: Any, sender: Any) -> None:
    await client.send(sender.seal(OPEN) + sender.statement(1))
    page = (await client.get("/")).text
    (found,) = await client.search()
    assert abs(found["received"] - time.time()) < 60
    assert f"came {datetime.fromtimestamp(found['received'], UTC):%Y-%m-%d %H:%M:%S} UTC" in page
    now = datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
    prompt, sender.head = sender.head.seal({"kind": "intent", "session": "s", "statement": 2, "sql": "SELECT 2"}, now)
    await client.send([prompt])
    page = (await client.get("/?q=2")).text
    assert ("SELECT 2" in page, ">came " in page) == (True, False)


def test_what_counts_as_late() -> None:
    assert not came_late("2026-11-25T09:00:00.000000Z", 1_795_597_230)
    assert came_late("2026-11-25T09:00:00.000000Z", 1_795_597_261)
    assert came_late("2026-11-25T09:01:01.000001Z", 1_795_597_200)
    assert came_late("2026-13-45T09:00:00Z", 1.0)
    assert not came_late("2026-11-25T09:00:00Z", None)


async def test_logins_that_very_many_match_are_in_the_order_of_arrival_and_say_so(
    client: Any, new_sender: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lookup, "MOST_IN_ORDER", 1)
    await replayed(client, new_sender)
    answer = (await client.get("/v1/logins?q=shop")).json()
    assert ([one["session"] for one in answer["logins"]], answer["order"]) == (["s1", "s2"], "arrival")
    assert "in the order in which they arrived" in (await client.get("/logins?q=shop")).text
    (older,) = (await client.get(f"/v1/logins?q=shop&before={answer['logins'][0]['id']}")).json()["logins"]
    assert older["session"] == "s2"
    assert (await client.get("/v1/logins?q=nobody")).json()["order"] == "time"
