"""Alarms on the page and by the API: together by kind and sender, acknowledged by name, with a history."""

from __future__ import annotations

import json
import time
from typing import Any

import httpx2
import pytest
from tests.collector.conftest import OTHER_WRITER, READER, Sender

from penstock_collector.store import alarms
from penstock_collector.store.alarms import Alarm

OPEN = {"kind": "open", "database": "shop", "version": "0.1.0"}
WHO = {"authorization": f"Bearer {READER}"}


async def cards(client: Any) -> dict[str, dict[str, Any]]:
    return {card["kind"]: card for card in (await client.get("/v1/alarms")).json()["cards"]}


async def form(client: Any, **fields: str) -> httpx2.Response:
    answer: httpx2.Response = await client.http.post("/alarms", data=fields, headers=WHO)
    return answer


async def acknowledge(client: Any, **body: Any) -> httpx2.Response:
    answer: httpx2.Response = await client.http.post("/v1/alarms/acknowledged", json=body, headers=WHO)
    return answer


async def silent(client: Any, streams: int, owner: str = "gw1", token: str = "write-gw1") -> None:
    for number in range(streams):
        name = f"{owner}/boot{number}"
        await client.send(Sender(name).seal(OPEN), stream=name, token=token)

    def sound(connection: Any) -> None:
        for (stream,) in connection.execute("SELECT id FROM streams WHERE name LIKE ?", (owner + "/%",)).fetchall():
            alarms.sound(connection, stream, Alarm.SILENT, 1, "nothing heard for more than 90 s", time.time())

    await client.running.collector.writer.run(sound)


async def test_many_silent_streams_are_one_card(client: Any) -> None:
    await silent(client, 46)
    await silent(client, 2, "gw2", OTHER_WRITER)
    card = (await cards(client))["silent"]
    assert (card["streams"], card["senders"]) == (48, 2)
    assert [(one["owner"], one["streams"], len(one["examples"])) for one in card["owners"]] == [
        ("gw1", 46, 3),
        ("gw2", 2, 2),
    ]
    page = (await client.get("/streams")).text
    assert page.count('class="alarm"') == 1
    assert "48 streams of 2 senders" in page
    assert 'title="alarms that stand">1<' in page


async def test_a_flood_of_one_kind_hides_no_other(client: Any, sender: Any) -> None:
    await client.send(sender.seal(OPEN))
    await client.send(Sender("gw1/boot1").seal({**OPEN, "version": "9"}))
    await silent(client, 150)
    assert list(await cards(client)) == ["fork", "silent"]
    page = (await client.get("/streams")).text
    assert page.index("two different events have seq 1") < page.index("150 streams of 1 sender")
    first = (await client.get("/v1/alarms?kind=silent&limit=100")).json()
    rest = (await client.get(f"/v1/alarms?kind=silent&limit=100&before={first['next']}")).json()
    assert len({one["stream"] for one in first["alarms"] + rest["alarms"]}) == 150
    assert rest["next"] is None


async def test_acknowledged_by_name_with_a_comment_which_is_on_record(client: Any) -> None:
    await silent(client, 3)
    await silent(client, 1, "gw2", OTHER_WRITER)
    until = str((await cards(client))["silent"]["latest"])
    done = await form(client, kind="silent", sender="=gw1", until=until, comment="  gone\nfor good ")
    assert (done.status_code, done.headers["location"]) == (303, "/streams")
    assert [one["owner"] for one in (await cards(client))["silent"]["owners"]] == ["gw2"]
    past = (await client.get("/v1/alarms/past?owner=gw1")).json()["alarms"]
    assert {(one["kind"], one["cleared_by"], one["comment"]) for one in past} == {("silent", "ada", "gone for good")}
    (entry,) = [one for one in await client.readings() if one["action"] == "acknowledged an alarm"]
    assert (entry["what"], entry["reason"], entry["by"]["name"]) == ("silent of gw1: 3", "gone for good", "ada")
    # For all senders, by a program.
    assert (await acknowledge(client, kind="silent", comment="all of them")).json() == {"acknowledged": 1}
    assert await cards(client) == {}
    page = (await client.get("/streams")).text
    assert "No alarm stands" in page
    assert "acknowledged by ada: all of them" in page
    assert (await acknowledge(client, kind="silent")).json() == {"acknowledged": 0}
    assert len([one for one in await client.readings() if one["action"] == "acknowledged an alarm"]) == 2


async def test_what_was_raised_since_nobody_has_looked_at(client: Any, sender: Any) -> None:
    await client.send(sender.seal(OPEN))
    await client.send(b"?\n")
    seen = (await cards(client))["quarantine"]["latest"]
    await client.send(b"? again\n")
    await form(client, kind="quarantine", until=str(seen))
    assert (await cards(client))["quarantine"]["count"] == 2
    await form(client, kind="quarantine", until=str((await cards(client))["quarantine"]["latest"]))
    assert await cards(client) == {}


async def test_nobody_acknowledges_what_is_yet_to_come(client: Any, sender: Any) -> None:
    await client.send(b"?\n")
    await acknowledge(client, kind="quarantine", until=9e9)
    assert await cards(client) == {}
    await client.send(b"? again\n")
    assert list(await cards(client)) == ["quarantine"]


@pytest.mark.parametrize(
    ("body", "complaint"),
    [
        ({"kind": "silence"}, "kind is one of emergency, fork"),
        ({}, "an acknowledgement is"),
        ({"kind": "gap", "until": "now"}, "an acknowledgement is"),
        ({"kind": "gap", "of": "gw1"}, "an acknowledgement is"),
        ({"kind": "gap", "comment": "x" * 1025}, "longer than 1024"),
        ({"kind": "gap", "comment": "\u202egap"}, "characters that do not show"),
        ({"kind": "gap", "comment": "x" * 20_000}, "at most 16384 bytes"),
    ],
)
async def test_what_is_no_acknowledgement_is_refused(client: Any, body: Any, complaint: str) -> None:
    refused = await acknowledge(client, **body)
    assert refused.status_code in (400, 413)
    assert complaint in refused.json()["error"]


async def test_forms_that_mean_nothing_clear_nothing(client: Any) -> None:
    await client.send(b"?\n")
    until = str((await cards(client))["quarantine"]["latest"])
    for fields in ({}, {"kind": "x", "until": until}, {"kind": "quarantine", "until": "-1"}, {"kind": "quarantine"}):
        assert (await form(client, **fields)).status_code == 400
    assert (await form(client, kind="quarantine", until=until, sender="=gw2")).status_code == 303
    assert list(await cards(client)) == ["quarantine"]


async def test_names_of_senders_are_text_on_the_page(client: Any) -> None:
    await client.running.collector.writer.run(
        lambda connection: connection.execute(
            """INSERT INTO streams (name, workload, first_received, last_received)
               VALUES ('u1/b', '<img src=x>', 0, 0), ('u2/b', 'shop/web', 0, 0)"""
        )
    )

    def sound(connection: Any) -> None:
        for one in (1, 2):
            alarms.sound(connection, one, Alarm.GAP, 1, "<b>", time.time())

    await client.running.collector.writer.run(sound)
    page = (await client.get("/streams")).text
    assert "<img" not in page.replace('<img src="/static', "")
    assert json.dumps(sorted(one["owner"] for one in (await cards(client))["gap"]["owners"])) == json.dumps(
        ["<img src=x>", "shop/web"]
    )
