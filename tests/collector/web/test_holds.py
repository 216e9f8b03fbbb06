"""Legal holds by the API and on the page: who may, what is refused, and what is on record."""

from __future__ import annotations

import time
from typing import Any

import httpx2
import pytest
from tests.collector.conftest import BEA, READER, Sender, token_line

from penstock_collector.retention import Retention
from penstock_collector.settings import CollectorSettings
from penstock_collector.store import alarms, packing

OPEN = {"kind": "open", "database": "shop", "version": "0.1.0"}


@pytest.fixture
def settings(settings: CollectorSettings) -> CollectorSettings:
    assert settings.viewer_tokens_file is not None
    with settings.viewer_tokens_file.open("a") as file:
        file.write(token_line("read-vic", "vic roles=viewer") + token_line("read-aud", "aud roles=auditor"))
    return settings.model_copy(update={"retention_days": 7})


async def post(client: Any, path: str, token: str = "read-aud", **body: str) -> httpx2.Response:
    headers = {"authorization": f"Bearer {token}"}
    answer: httpx2.Response = await client.http.post(path, json=body, headers=headers)
    return answer


async def age(client: Any, days: float) -> None:
    """As if all that is there had arrived so long ago."""

    def change(connection: Any) -> None:
        connection.execute("UPDATE events SET received = ?", (time.time() - days * 86_400,))
        connection.execute("UPDATE streams SET first_received = ?", (time.time() - days * 86_400,))

    await client.running.collector.writer.run(change)


def keeper(client: Any, **changed: Any) -> Retention:
    collector = client.running.collector
    return Retention(collector.settings.model_copy(update=changed), collector.writer, collector.holder)


async def test_who_set_it_stands_in_the_readings_and_what_it_covers_stays(client: Any) -> None:
    await client.send(Sender().seal(OPEN))
    hold = (await post(client, "/v1/holds", database="shop", reason="case 17")).json()
    assert (hold["set_by"], hold["released_at"]) == ("aud", None)
    await age(client, 30)
    await keeper(client).look()
    assert len(await client.exported()) == 1
    assert (await post(client, f"/v1/holds/{hold['id']}/release")).json() == {"released": hold["id"]}
    assert (await post(client, f"/v1/holds/{hold['id']}/release")).status_code == 404
    await keeper(client).look()
    assert await client.exported() == []
    found = [
        (one["action"], one["what"], one.get("reason")) for one in await client.readings() if "hold" in one["action"]
    ]
    assert found == [
        ("set a hold", "hold 1: database shop", "case 17"),
        ("released a hold", "hold 1: database shop", None),
    ]


async def test_the_list_has_pages(client: Any) -> None:
    await client.send(Sender().seal(OPEN))
    numbers = [(await post(client, "/v1/holds", database="shop", reason="case")).json()["id"] for _ in range(5)]
    await post(client, f"/v1/holds/{numbers[4]}/release")
    seen, before = [], ""
    while True:
        page = (await client.get(f"/v1/holds?limit=2{before}")).json()
        seen.append([one["id"] for one in page["holds"]])
        if page["next"] is None:
            break
        before = f"&before={page['next']}"
    assert seen == [numbers[:2:-1], numbers[2:0:-1], numbers[:1]]
    assert (await client.get("/v1/holds?before=x")).status_code == 400


async def test_on_the_page(client: Any) -> None:
    headers = {"authorization": f"Bearer {READER}"}
    fields = {"since": "2026-11-25T09:00", "reason": "<b>case</b>", "stream": "", "database": "", "until": ""}
    done = await client.http.post("/holds", data=fields, headers=headers)
    assert (done.status_code, done.headers["location"]) == (303, "/streams#holds")
    page = (await client.get("/streams")).text
    assert "from 2026-11-25T09:00:00.000000Z: &lt;b&gt;case&lt;/b&gt;" in page
    assert "Legal holds" not in (await client.get("/streams", "read-vic")).text
    assert (await client.http.post("/holds", data={"release": "1"}, headers=headers)).status_code == 303
    assert "released by ada" in (await client.get("/streams")).text
    for fields in ({"release": "1"}, {"release": "x"}):
        assert (await client.http.post("/holds", data=fields, headers=headers)).status_code == 404
    assert (await client.http.post("/holds", data={"stream": "x"}, headers=headers)).status_code == 400
    foreign = {**headers, "sec-fetch-site": "cross-site"}
    assert (await client.http.post("/holds", data={"release": "1"}, headers=foreign)).status_code == 403


async def test_a_day_is_held_to_its_end(client: Any) -> None:
    hold = (await post(client, "/v1/holds", since="2026-11-25", until="2026-11-26", reason="x")).json()
    assert (hold["since"], hold["until"]) == ("2026-11-25T00:00:00.000000Z", "2026-11-26T23:59:59.000000Z")


async def test_who_may_not_sets_and_releases_none(client: Any) -> None:
    await client.send(Sender("gw1/a").seal(OPEN), stream="gw1/a")
    assert (await post(client, "/v1/holds", stream="gw1/a", reason="x")).status_code == 200
    assert (await post(client, "/v1/holds", "read-vic", stream="gw1/a", reason="x")).status_code == 403
    assert (await post(client, "/v1/holds/1/release", "read-vic")).status_code == 403
    assert (await client.get("/v1/holds", "read-vic")).status_code == 403
    assert (await client.get("/v1/holds", BEA)).json()["holds"][0]["reason"] == "x"


@pytest.mark.parametrize(
    ("body", "complaint"),
    [
        ({"reason": "x"}, "a hold covers a stream, a database or a time"),
        ({"stream": "gw1/a"}, "a hold is"),
        ({"stream": "gw1/a", "reason": "  "}, "a hold needs a reason"),
        ({"since": "yesterday", "reason": "x"}, "since is a time such as"),
        ({"since": "2026-11-26", "until": "2026-11-25", "reason": "x"}, "since is not later than until"),
        ({"streams": "gw1/a", "reason": "x"}, "a hold is"),
        ({"stream": "gw1/mistyped", "reason": "x"}, "no such stream is known"),
        ({"database": "mistyped", "reason": "x"}, "no stream of such a database is known"),
        ({"stream": "x" * 500, "reason": "x"}, "stream is longer than"),
        ({"stream": "x", "reason": "\u202e"}, "characters that do not show"),
    ],
)
async def test_what_is_no_hold_is_refused(body: dict[str, str], complaint: str, client: Any) -> None:
    refused = await post(client, "/v1/holds", **body)
    assert refused.status_code == 400
    assert complaint in refused.json()["error"]
    assert (await client.get("/v1/holds")).json() == {"holds": [], "next": None}


async def test_who_set_a_hold_is_on_record_as_long_as_it_stands(client: Any) -> None:
    await client.send(Sender("gw1/a").seal(OPEN), stream="gw1/a")
    await post(client, "/v1/holds", stream="gw1/a", reason="x")
    later = keeper(client)
    later._clock = lambda: time.time() + 400 * 86_400
    await later.look()
    assert [one["action"] for one in await client.readings()] == ["set a hold"]
    await post(client, "/v1/holds/1/release")
    later._next_days = float("-inf")
    await later.look()
    assert await client.readings() == []


async def test_what_is_too_much_goes_the_oldest_first_and_is_told(client: Any) -> None:
    statements = Sender()
    await client.send(statements.seal(OPEN))
    empty = (await client.get("/v1/streams")).json()["store"]["used"]
    for number in range(10):
        await client.send(
            [one for each in range(180) for one in statements.statement(number * 180 + each, sql="x" * 200)]
        )

    def spread(connection: Any) -> None:
        now = time.time()
        for (block,) in connection.execute("SELECT id FROM blocks").fetchall():
            packing.loosen(connection, block)
        connection.execute("UPDATE events SET received = ? - (SELECT max(id) FROM events) * 100 + id * 100", (now,))
        connection.execute("UPDATE streams SET first_received = 0")
        assert packing.pack(connection, 1, 3601) == 14 * 256

    writer = client.running.collector.writer
    await writer.run(spread)
    used = (await client.get("/v1/streams")).json()["store"]["used"]
    most = (empty + used) // 2
    await keeper(client, retention_size=str(most)).look()
    left = [event["seq"] for event in await client.exported()]
    assert left == list(range(left[0], 3602))
    assert 400 < len(left) < 3200
    assert (await client.get("/v1/streams")).json()["store"]["used"] <= most
    told = (await client.alarms())["dropped"]
    assert "days of the trail fit, and not the 7 that are to be kept" in told["detail"]
    # By size alone, as it was asked for, it is no alarm.
    await writer.run(lambda connection: alarms.acknowledge(connection, alarms.Alarm.DROPPED, None, 9e9, "ada", "", 1.0))
    await keeper(client, retention_size=str(empty + (used - empty) // 4), retention_days=0).look()
    assert "dropped" not in await client.alarms()
    assert len(await client.exported()) < len(left)


async def test_nothing_goes_that_is_neither_old_nor_too_much(client: Any) -> None:
    await client.send(Sender().seal(OPEN))
    await keeper(client).look()
    await age(client, 6.9)
    await keeper(client, retention_size="0").look()
    await age(client, 5000)
    await keeper(client, retention_days=0, retention_size="1Gi").look()
    assert len(await client.exported()) == 1
