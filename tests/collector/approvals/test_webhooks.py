"""Notices at a real receiver on this machine: what they say, how they are signed, and what happens when it is down."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import uvicorn
import yaml
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from tests.collector.conftest import ASKING, BEA, OTHER_WRITER, Sender, asking_about

from penstock_collector.approvals import webhooks
from penstock_collector.approvals.webhook_settings import WebhookError, WebhookSettings, read
from penstock_collector.approvals.webhooks import Webhook
from penstock_collector.main import StartError, serve
from penstock_collector.metrics import CollectorMetrics

KEY = b"0123456789abcdef0123456789abcdef"
SECRET = "whsec_" + base64.b64encode(KEY).decode()


class Receiver:
    """Takes what webhooks are sent."""

    def __init__(self) -> None:
        self.got: asyncio.Queue[tuple[dict[str, str], bytes]] = asyncio.Queue()
        self.statuses: list[int] = []
        self.pause = 0.0
        self.url = ""

    async def take(self, request: Request) -> Response:
        await asyncio.sleep(self.pause)
        await self.got.put((dict(request.headers), await request.body()))
        return Response(status_code=self.statuses.pop(0) if self.statuses else 204)

    async def next(self) -> tuple[dict[str, str], Any]:
        async with asyncio.timeout(20):
            headers, body = await self.got.get()
        return headers, json.loads(body)


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    receiver = Receiver()
    app = Starlette(routes=[Route("/{path:path}", receiver.take, methods=["POST"])])
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.bind(("127.0.0.1", 0))
    receiver.url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, lifespan="off", timeout_graceful_shutdown=1))
    task = asyncio.create_task(server.serve([listener]))
    yield receiver
    server.should_exit = True
    await task


class Announced:
    """Writes the file of webhooks, and starts a collector that has it."""

    def __init__(self, start: Any, settings: Any, directory: Path) -> None:
        self.start = start
        self.settings = settings
        self.directory = directory
        (directory / "secret").write_text(SECRET + "\n")

    async def collector(self, **content: Any) -> Any:
        file = self.directory / "notices.yaml"
        file.write_text(yaml.safe_dump(content))
        changed = {"notices_file": file, "public_url": "https://audit.example"}
        return await self.start(self.settings.model_copy(update=changed))

    def signed(self, url: str, **more: Any) -> dict[str, Any]:
        return {"name": "tickets", "form": "signed", "url": url, "secretFile": str(self.directory / "secret"), **more}


@pytest.fixture
def announced(start: Any, settings: Any, tmp_path: Path) -> Announced:
    return Announced(start, settings, tmp_path)


async def test_chat_is_told_in_text_with_a_link(announced: Announced, receiver: Receiver) -> None:
    client = await announced.collector(webhooks=[{"name": "chat", "form": "slack", "url": receiver.url}])
    name = await client.asked()
    _, made = await receiver.next()
    assert made.keys() == {"text"}
    first, link = made["text"].split("\n")
    assert first.startswith(
        f"{name} waits for approval. agent:support-bot for person:dan@shop.example: DELETE on public.orders,"
        " database shop (about 1\u202f200 rows), held by support/deletes. Approvers: dba, owners. Until 2"
    )
    assert link == f"<https://audit.example/requests/{name}|Look at it>"
    await client.decide(name, "denied", "secret words")
    _, decided = await receiver.next()
    assert decided["text"].startswith(f"{name} was denied by bea. agent:support-bot for")


async def test_no_notice_holds_a_value(announced: Announced, receiver: Receiver) -> None:
    chat = {"name": "chat", "form": "slack", "url": receiver.url}
    client = await announced.collector(webhooks=[chat, announced.signed(receiver.url)])
    name = await client.asked({**ASKING, "reason": "for eva@shop.example"})
    await client.decide(name, "denied", "eva@shop.example is a customer")
    for _ in range(4):
        headers, body = await receiver.next()
        for secret in ("eva@shop.example", "a customer", SECRET, BEA):
            assert secret not in json.dumps(body) + str(headers)


async def test_nobody_is_called_by_a_name_in_a_notice(announced: Announced, receiver: Receiver) -> None:
    client = await announced.collector(webhooks=[{"name": "chat", "form": "slack", "url": receiver.url}])
    principal = {"kind": "agent", "subject": "<!channel> <http://evil.example|ok> \u202e&", "issuer": "i"}
    await client.asked({**ASKING, "requester": {"principal": principal}, "effect": {"tables": ["<@U1>\n"]}})
    _, made = await receiver.next()
    text = made["text"].split("\n<https://audit.example")[0]
    assert "<" not in text
    assert "\n" not in text
    assert "&lt;!channel&gt; &lt;http://evil.example|ok&gt; \\u202e&amp;" in text


async def test_programs_can_check_who_sent_it(announced: Announced, receiver: Receiver) -> None:
    client = await announced.collector(webhooks=[announced.signed(receiver.url)])
    receiver.statuses = [500]
    name = await client.asked()
    async with asyncio.timeout(20):
        tries = [await receiver.got.get() for _ in range(2)]
    assert tries[0][0]["webhook-id"] == tries[1][0]["webhook-id"], "a second try is the same message"
    for headers, body in tries:
        content = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
        expected = base64.b64encode(hmac.new(KEY, content, hashlib.sha256).digest()).decode()
        assert headers["webhook-signature"] == f"v1,{expected}"
        assert headers["content-type"] == "application/json"
    document = json.loads(tries[0][1])
    assert document["type"] == "request.made"
    assert document["timestamp"].endswith("Z")
    assert document["data"]["request"] == name
    assert document["data"]["page"] == f"https://audit.example/requests/{name}"
    assert document["data"]["requester"] == ["agent:support-bot", "person:dan@shop.example"]
    await client.decide(name)
    headers, decided = await receiver.next()
    assert headers["webhook-id"] != tries[0][0]["webhook-id"]
    assert (decided["type"], decided["data"]["standing"]) == ("request.decided", "approved")
    assert decided["data"]["decidedBy"] == "bea"


async def test_what_nobody_decides_is_told_to_the_second_list_once(announced: Announced, receiver: Receiver) -> None:
    client = await announced.collector(
        webhooks=[{"name": "chat", "form": "slack", "url": f"{receiver.url}/first", "events": ["decided"]}],
        escalation={
            "after": "15m",
            "webhooks": [{"name": "pager", "form": "slack", "url": f"{receiver.url}/second"}],
        },
    )
    held = client.running.collector.holder
    waits, decided = await client.asked(), await client.asked(asking_about("DROP TABLE carts"))
    await client.decide(decided)
    assert (await receiver.next())[1]["text"].startswith(f"{decided} was approved by bea")
    await held.keep_time()
    begun = held.clock()
    held.clock = lambda: begun + 901
    await held.keep_time()
    await held.keep_time()
    assert (await receiver.next())[1]["text"].startswith(f"{waits} still waits for approval.")
    await asyncio.sleep(0.3)
    assert receiver.got.empty()


async def test_a_receiver_that_hangs_holds_nobody_up(
    announced: Announced, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webhooks, "MOST_QUEUED", 3)
    receiver.pause = 30
    client = await announced.collector(webhooks=[announced.signed(receiver.url)])
    async with asyncio.timeout(10):
        for number in range(8):
            await client.asked(asking_about(f"DELETE FROM t WHERE id = {number}"))
    metrics = (await client.http.get("/metrics")).text
    assert 'penstock_collector_notices_total{result="dropped"}' in metrics
    async with asyncio.timeout(20):
        await client.ended()


def metric(metrics: CollectorMetrics, result: str) -> float:
    line = f'penstock_collector_notices_total{{result="{result}"}} '
    return sum(float(one.removeprefix(line)) for one in metrics.text().decode().splitlines() if one.startswith(line))


class Note:
    id = "msg_1"

    def slack(self) -> dict[str, object]:
        return {"text": "x"}

    def document(self, now: str) -> dict[str, object]:
        return {"timestamp": now}


@pytest.mark.parametrize(
    ("statuses", "tries", "result"),
    [
        ([500, 429, 503], 4, "delivered"),
        ([500] * webhooks.TRIES, webhooks.TRIES, "failed"),
        ([404], 1, "failed"),
        ([302, 204], 2, "delivered"),
    ],
)
async def test_tries(statuses: list[int], tries: int, result: str, receiver: Receiver) -> None:
    metrics = CollectorMetrics()
    receiver.statuses = list(statuses)
    chat = WebhookSettings.model_validate({"name": "chat", "form": "slack", "url": receiver.url})
    webhook = Webhook(chat, metrics, longest_pause=0.05)
    webhook.put(Note())
    task = asyncio.create_task(webhook.run())
    async with asyncio.timeout(20):
        await webhook._queue.join()
    task.cancel()
    assert metric(metrics, result) == 1
    assert receiver.got.qsize() == tries


async def test_one_that_is_down_is_tried_again(receiver: Receiver, capsys: pytest.CaptureFixture[str]) -> None:
    metrics = CollectorMetrics()
    secret_url = "http://127.0.0.1:9/services/T0/secret-part"
    chat = WebhookSettings.model_validate({"name": "chat", "form": "slack", "url": secret_url})
    webhook = Webhook(chat, metrics, longest_pause=0.01)
    webhook.put(Note())
    task = asyncio.create_task(webhook.run())
    async with asyncio.timeout(20):
        await webhook._queue.join()
    task.cancel()
    assert metric(metrics, "failed") == 1
    logged = capsys.readouterr().out
    assert "ConnectError" in logged
    assert f"tries={webhooks.TRIES}" in logged
    assert "secret-part" not in logged


CHAT = {"name": "chat", "form": "slack", "url": "https://chat.example/x"}


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("webhooks: [", "is not YAML"),
        ("[1]", "the file: "),
        ({"webhook": []}, "webhook: Extra inputs"),
        ({"webhooks": [{**CHAT, "url": "http://chat.example/x"}]}, "http:// is for this machine alone"),
        ({"webhooks": [{**CHAT, "url": "ftp://chat.example"}]}, "begins with https://"),
        ({"webhooks": [{**CHAT, "url": "https://[::"}]}, "makes no sense"),
        ({"webhooks": [{**CHAT, "urlFile": "x"}]}, "give url or urlFile"),
        ({"webhooks": [{"name": "chat", "form": "slack"}]}, "give url or urlFile"),
        ({"webhooks": [{**CHAT, "form": "signed"}]}, "secretFile is for the form signed, which needs it"),
        ({"webhooks": [{**CHAT, "secretFile": "x"}]}, "secretFile is for the form signed"),
        ({"webhooks": [{**CHAT, "events": ["used"]}]}, "webhooks.0.events.0"),
        ({"escalation": {"after": "15m", "webhooks": []}}, "escalation.webhooks"),
        ({"escalation": {"after": "soon", "webhooks": [CHAT]}}, "escalation.after"),
    ],
)
def test_a_file_that_is_no_good(content: Any, complaint: str, tmp_path: Path) -> None:
    file = tmp_path / "notices.yaml"
    file.write_text(content if isinstance(content, str) else yaml.safe_dump(content))
    with pytest.raises(WebhookError) as error:
        read(file)
    assert complaint in str(error.value)
    assert "\n" not in str(error.value)
    assert "chat.example" not in str(error.value)


@pytest.mark.parametrize("secret", ["", "whsec_", "whsec_!!", SECRET.removeprefix("whsec_"), "whsec_c2hvcnQ="])
async def test_a_key_that_is_none_stops_the_start(secret: str, announced: Announced) -> None:
    (announced.directory / "secret").write_text(secret)
    file = announced.directory / "notices.yaml"
    file.write_text(yaml.safe_dump({"webhooks": [announced.signed("https://tickets.example/x")]}))
    with pytest.raises(StartError, match="holds no key: `whsec_` and base64 of 24 bytes or more"):
        await serve(announced.settings.model_copy(update={"notices_file": file}))


async def test_a_url_in_a_file(announced: Announced, receiver: Receiver) -> None:
    file = announced.directory / "url"
    file.write_text(receiver.url + "\n")
    client = await announced.collector(webhooks=[{"name": "chat", "form": "slack", "urlFile": str(file)}])
    name = await client.asked()
    assert name in (await receiver.next())[1]["text"]
    file.write_text("http://chat.example")
    with pytest.raises(StartError, match="webhook chat: the URL begins with https://"):
        await serve(client.running.collector.settings.model_copy(update={"database": announced.directory / "b.db"}))


async def test_what_was_on_its_way_is_brought_after_a_restart(
    announced: Announced, receiver: Receiver, tmp_path: Path
) -> None:
    """With the same id, once; what was brought, and what is for nobody any more, is not."""
    receiver.statuses = [204, *[500] * 100]
    away = {"name": "gone", "form": "slack", "url": "http://127.0.0.1:9/x"}
    client = await announced.collector(webhooks=[announced.signed(receiver.url), away])
    brought = await client.asked()
    assert (await receiver.next())[1]["data"]["request"] == brought
    name = await client.asked(asking_about("DROP TABLE carts"))
    first, _ = await receiver.next()
    await client.ended()
    receiver.statuses = []
    while not receiver.got.empty():
        receiver.got.get_nowait()
    again = await announced.collector(webhooks=[announced.signed(receiver.url)])
    headers, body = await receiver.next()
    assert (headers["webhook-id"], body["data"]["request"]) == (first["webhook-id"], name)
    await asyncio.sleep(0.3)
    assert receiver.got.empty()
    left = await again.running.collector.writer.run(
        lambda connection: connection.execute("SELECT count(*) FROM notices").fetchone()[0]
    )
    assert left == 0


# ── Emergencies of a cluster ──

BROKEN = {
    "kind": "emergency", "identity": {"name": "agent:bot for person:ada"}, "database": "shop", "policy": "incident",
    "until": "2030-01-01T03:34:10Z",
}  # fmt: skip


def chat(receiver: Receiver, path: str = "") -> dict[str, Any]:
    """Told of emergencies alone: that they are alarms is told as well, a little later."""
    return {"name": "chat", "form": "slack", "url": f"{receiver.url}{path}", "events": ["emergency"]}


async def test_both_lists_are_told_at_once_of_what_a_gate_has_heard(announced: Announced, receiver: Receiver) -> None:
    client = await announced.collector(
        webhooks=[announced.signed(f"{receiver.url}/first", events=["emergency"])],
        escalation={"after": "15m", "webhooks": [chat(receiver, "/second")]},
    )
    sender, other = Sender(), Sender("gw2/boot1")
    body = sender.seal({**BROKEN, "request": "r-2222-2222"})
    await client.send(body)
    told = {"text" in one: one for one in [(await receiver.next())[1] for _ in range(2)]}
    assert told[True]["text"] == (
        "r-2222-2222: the glass was broken. agent:bot for person:ada: access by policy incident in an emergency until"
        " 2030-01-01 03:34 UTC, database shop\n<https://audit.example/?request=r-2222-2222|Look at it>"
    )
    assert told[False]["type"] == "emergency.begun"
    data = told[False]["data"]
    assert (data["request"], data["policy"], data["breakGlass"]) == ("r-2222-2222", "incident", True)
    assert data["requester"] == ["agent:bot", "person:ada"]
    # The same batch once more, another gate and the first statement tell nobody anything new.
    await client.send(body)
    await client.send(other.seal({**BROKEN, "request": "r-2222-2222"}), "gw2/boot1", token=OTHER_WRITER)
    ran = {"policy": "incident", "request": "r-2222-2222", "breakGlass": True}
    await client.send(sender.statement(1, identity=BROKEN["identity"], access=[ran]))
    await asyncio.sleep(0.3)
    assert receiver.got.empty()


async def test_a_gate_that_makes_emergencies_up_has_a_part_of_the_notices_alone(
    announced: Announced, receiver: Receiver
) -> None:
    client = await announced.collector(webhooks=[chat(receiver)])
    sender, other = Sender(), Sender("gw2/boot1")
    await client.send(sender.seal(*({**BROKEN, "request": f"r-{number}"} for number in range(50))))
    again = Sender("gw1/boot2")
    await client.send(again.seal({**BROKEN, "request": "r-50"}), "gw1/boot2")
    await client.send(other.seal({**BROKEN, "request": "r-real"}), "gw2/boot1", token=OTHER_WRITER)
    got = [(await receiver.next())[1]["text"].split(":")[0] for _ in range(11)]
    assert got == [*(f"r-{number}" for number in range(10)), "r-real"]
    await asyncio.sleep(0.3)
    assert receiver.got.empty()
    assert (await client.alarms())["emergency"]["count"] >= 1, "all are alarms still"


async def test_nobody_is_called_by_a_name_that_a_gate_made_up(announced: Announced, receiver: Receiver) -> None:
    client = await announced.collector(webhooks=[chat(receiver)])
    evil = "<!channel> \u202e&" + "x" * 5_000
    await client.send(
        Sender().seal({**BROKEN, "identity": {"name": evil}, "request": f"r-1|{evil}", "policy": evil, "until": evil})
    )
    text = (await receiver.next())[1]["text"]
    assert "<!channel>" not in text
    assert "\u202e" not in text
    assert len(text) < 10_000
