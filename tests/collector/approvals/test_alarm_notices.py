"""Webhooks are told of alarms: raised, over, acknowledged; one notice for all of a kind, and no value in any."""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any

import pytest
from tests.collector.approvals.test_webhooks import SECRET, Announced, Receiver, announced, receiver
from tests.collector.conftest import READER, Sender

from penstock_collector.store import alarms
from penstock_collector.store.alarms import Alarm
from penstock_collector.store.database import StoreError

__all__ = ["announced", "receiver"]
OPEN = {"kind": "open", "database": "shop", "version": "0.1.0"}


async def told(client: Any, receiver: Receiver, count: int) -> list[Any]:
    await client.running.collector.alarm_notices.keep_time()
    found = [(await receiver.next())[1] for _ in range(count)]
    await asyncio.sleep(0.2)
    assert receiver.got.empty()
    return found


@pytest.fixture
async def client(announced: Announced, receiver: Receiver) -> Any:
    return await announced.collector(webhooks=[announced.signed(receiver.url)])


async def test_a_fork_is_told_with_its_sender_and_where_to_look(announced: Announced, receiver: Receiver) -> None:
    client = await announced.collector(
        webhooks=[announced.signed(receiver.url), {"name": "chat", "form": "slack", "url": receiver.url}]
    )
    await client.send(Sender().seal(OPEN))
    await client.send(Sender().seal({**OPEN, "version": "secret words"}))
    found = await told(client, receiver, 2)
    (chat,) = [one for one in found if "text" in one]
    (signed,) = [one for one in found if "type" in one]
    assert chat["text"] == (
        "Alarm. fork: two different events claim one place (1 stream of gw1)\n"
        "<https://audit.example/streams|Look at it>"
    )
    assert signed["type"] == "alarm.raised"
    assert signed["data"] == {
        "kind": "fork",
        "says": "two different events claim one place",
        "page": "https://audit.example/streams",
        "since": signed["data"]["since"],
        "streams": 1,
        "senders": ["gw1"],
        "allSenders": 1,
        "by": "",
    }
    for secret in ("secret words", SECRET):
        assert secret not in json.dumps(found)
    # Told once, however often it happens.
    await client.send(Sender().seal({**OPEN, "version": "3"}))
    await told(client, receiver, 0)


async def test_many_of_a_kind_are_one_notice(client: Any, receiver: Receiver) -> None:
    def sound(connection: Any) -> None:
        for number in range(46):
            connection.execute(
                "INSERT INTO streams (name, workload, first_received, last_received) VALUES (?, ?, 0, 0)",
                (f"u{number}/b", f"shop/w{number % 7}"),
            )
            alarms.sound(connection, number + 1, Alarm.SILENT, 1, "x", time.time())

    await client.running.collector.writer.run(sound)
    (notice,) = await told(client, receiver, 1)
    data = notice["data"]
    assert (data["kind"], data["streams"], len(data["senders"]), data["allSenders"]) == ("silent", 46, 5, 7)


async def test_how_it_ended(client: Any, receiver: Receiver) -> None:
    sender = Sender()
    first, missing, last = sender.seal(OPEN, {"kind": "heartbeat"}, {"kind": "heartbeat"})
    await client.send([first, last])
    (raised,) = await told(client, receiver, 1)
    await client.send([missing])
    (over,) = await told(client, receiver, 1)
    assert [(one["type"], one["data"]["kind"]) for one in (raised, over)] == [
        ("alarm.raised", "gap"),
        ("alarm.over", "gap"),
    ]
    await client.send(b"?\n")
    await told(client, receiver, 1)
    await client.http.post(
        "/v1/alarms/acknowledged",
        json={"kind": "quarantine", "comment": "card 4111 1111"},
        headers={"authorization": f"Bearer {READER}"},
    )
    (acknowledged,) = await told(client, receiver, 1)
    assert (acknowledged["type"], acknowledged["data"]["by"]) == ("alarm.acknowledged", "ada")
    assert "4111" not in json.dumps(acknowledged)


async def test_what_was_over_at_once_is_nothing_to_tell(client: Any, receiver: Receiver) -> None:
    first, missing, last = Sender().seal(OPEN, {"kind": "heartbeat"}, {"kind": "heartbeat"})
    await client.send([first, last])
    await client.send([missing])
    await told(client, receiver, 0)


async def test_one_that_comes_and_goes_is_told_once_a_minute(client: Any, receiver: Receiver) -> None:
    teller = client.running.collector.alarm_notices
    writer = client.running.collector.writer
    await client.send(Sender().seal(OPEN))
    begun, kinds = time.time(), []
    for turn in range(12):
        teller._clock = lambda now=begun + turn * 10: now
        flip = alarms.sound if turn % 2 == 0 else alarms.clear
        more = (1, "x", begun) if turn % 2 == 0 else (begun,)
        await writer.run(lambda connection, flip=flip, more=more: flip(connection, 1, Alarm.SILENT, *more))
        await teller.keep_time()
    await asyncio.sleep(0.5)
    while not receiver.got.empty():
        kinds.append((await receiver.next())[1]["type"])
    assert kinds.count("alarm.raised") == 2
    assert kinds.count("alarm.over") <= 2


async def test_that_nothing_can_be_committed_is_told_without_the_store(
    client: Any, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    collector = client.running.collector
    path, away = collector.settings.database, collector.settings.database.with_name("away.db")
    await client.send(Sender().seal(OPEN))
    path.rename(away)
    for _ in range(2):
        with pytest.raises(StoreError):
            await client.running.collector.writer.run(lambda connection: None)
        with pytest.raises(StoreError):
            await collector.alarm_notices.keep_time()
    _, raised = await receiver.next()
    assert (raised["type"], raised["data"]["kind"]) == ("alarm.raised", "store")
    assert receiver.got.empty()
    away.rename(path)
    await client.running.collector.writer.run(lambda connection: None)
    await asyncio.sleep(1.1)
    await collector.alarm_notices.keep_time()
    _, over = await receiver.next()
    assert (over["type"], over["data"]["kind"]) == ("alarm.over", "store")


async def test_a_notice_outlives_a_restart(announced: Announced, receiver: Receiver) -> None:
    receiver.statuses = [500] * 100
    client = await announced.collector(webhooks=[announced.signed(receiver.url)])
    await client.send(b"?\n")
    await client.running.collector.alarm_notices.keep_time()
    first, _ = await receiver.next()
    await client.ended()
    receiver.statuses = []
    while not receiver.got.empty():
        receiver.got.get_nowait()
    await announced.collector(webhooks=[announced.signed(receiver.url)])
    headers, body = await receiver.next()
    assert (headers["webhook-id"], body["data"]["kind"]) == (first["webhook-id"], "quarantine")


async def test_who_wants_no_alarms_gets_none(announced: Announced, receiver: Receiver) -> None:
    client = await announced.collector(webhooks=[announced.signed(receiver.url, events=["made", "over"])])
    await client.send(b"?\n")
    await told(client, receiver, 0)


async def test_names_in_a_notice_call_nobody(announced: Announced, receiver: Receiver) -> None:
    client = await announced.collector(webhooks=[{"name": "chat", "form": "slack", "url": receiver.url}])

    def sound(connection: Any) -> None:
        connection.execute(
            "INSERT INTO streams (name, workload, first_received, last_received) VALUES ('a/b', ?, 0, 0)",
            ("<!channel>\n\u202e&",),
        )
        alarms.sound(connection, 1, Alarm.LOST, 1, "<!channel>", time.time())

    await client.running.collector.writer.run(sound)
    (notice,) = await told(client, receiver, 1)
    assert "&lt;!channel&gt;\\u000a\\u202e&amp;" in notice["text"]
    assert "<!" not in notice["text"]
