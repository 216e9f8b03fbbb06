"""A real collector on a socket, and streams of sealed events to send to it."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator, Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest

from penstock_collector.main import RunningCollector, serve
from penstock_collector.settings import CollectorSettings
from penstock_core.audit.chain import Head, canonical
from penstock_core.audit.event import Event

WRITER, OTHER_WRITER, READER = "write-gw1", "write-gw2", "read-ada"
# Two approvers, an agent that is a member of their group, and the person behind the agent of `ASKING`.
BEA, CEM, BOT, DAN = "decide-bea", "decide-cem", "decide-bot", "decide-dan"
# What a gate asks; made of JSON types.
ASKING: dict[str, Any] = {
    "databaseRef": {"name": "shop"},
    "heldBy": {"policy": "support", "approval": "deletes", "policyGeneration": 3, "approvers": ["dba", "owners"]},
    "statement": {
        "sql": "DELETE FROM orders WHERE email = 'eva@shop.example'",
        "settings": [{"name": "search_path", "value": "public"}],
    },
    "requester": {
        "workload": {"namespace": "shop", "serviceAccount": "web", "pod": "web-1", "podUid": "u-1"},
        "principal": {"kind": "agent", "subject": "support-bot", "issuer": "https://id.example"},
        "actsFor": [{"kind": "person", "subject": "dan@shop.example", "issuer": "https://id.example"}],
    },
    "effect": {
        "verbs": ["delete"],
        "tables": ["public.orders"],
        "masked": ["public.orders.email"],
        "estimatedRows": 1200.4,
        "estimatedCost": 35.5,
    },
    "reason": "clean up after a test order",
    "expiresAfter": "1h",
    "nonce": "00112233445566778899aabbccddeeff",
}


def asking_about(sql: str, **more: Any) -> dict[str, Any]:
    """The same about another statement."""
    return {**ASKING, "statement": {"sql": sql}, **more}


class Sender:
    """A stream that grows: makes sealed events as a sidecar does."""

    def __init__(self, name: str = "gw1/boot1") -> None:
        self.head = Head(name)
        self.minute = 0

    def seal(self, *bodies: Event) -> list[Event]:
        events = []
        for body in bodies:
            self.minute += 1
            moment = datetime(2026, 11, 25, 9) + timedelta(minutes=self.minute)
            time = moment.isoformat(timespec="microseconds") + "Z"
            event, self.head = self.head.seal(body, time)
            events.append(event)
        return events

    def statement(self, number: int, sql: str = "SELECT 1", **fields: Any) -> list[Event]:
        """An intent and its outcome."""
        return self.seal(*self._bodies(number, sql, fields))

    def whole(self, number: int, sql: str = "SELECT 1", **fields: Any) -> list[Event]:
        """The same as one event, after which as much time has passed."""
        intent, outcome = self._bodies(number, sql, fields)
        events = self.seal({**intent, **outcome, "kind": "statement"})
        self.minute += 1
        return events

    def _bodies(self, number: int, sql: str, fields: dict[str, Any]) -> tuple[Event, Event]:
        key = {"session": "s1", "statement": number}
        intent = {
            "kind": "intent",
            **key,
            "identity": {"name": "sa:shop/web"},
            "database": "shop",
            "decision": "allow",
            "verbs": ["select"],
            "relations": ["public.orders"],
            "masked": [],
            "policies": [],
            "policyGeneration": 7,
            "protocol": "simple",
            "sqlHmac": "0" * 64,
            "sql": sql,
        }
        outcome = {"kind": "outcome", **key, "result": "ok", "rows": number, "bytes": 10, "durationUs": 1500}
        return {**intent, **fields}, outcome


def ndjson(events: list[Event]) -> bytes:
    return b"".join(canonical(event) + b"\n" for event in events)


class Client:
    """Talks to a running collector as a sidecar and as a viewer would."""

    def __init__(self, running: RunningCollector, task: asyncio.Task[None], http: httpx2.AsyncClient) -> None:
        self.running = running
        self.task = task
        self.http = http

    async def ended(self) -> None:
        """Stop it, and wait until it has ended."""
        self.running.stop()
        await self.task

    async def post(
        self,
        body: bytes | list[Event],
        stream: str = "gw1/boot1",
        token: str | None = WRITER,
        oldest: int | None = None,
    ) -> httpx2.Response:
        headers = {} if token is None else {"authorization": f"Bearer {token}"}
        if oldest is not None:
            headers["Penstock-Oldest-Seq"] = str(oldest)
        content = ndjson(body) if isinstance(body, list) else body
        return await self.http.post(f"/v1/streams/{stream}/events", content=content, headers=headers)

    async def send(self, body: bytes | list[Event], stream: str = "gw1/boot1", **options: Any) -> int:
        """Post what should be taken; the acknowledged seq."""
        response = await self.post(body, stream, **options)
        assert response.status_code == 200, response.text
        acknowledged: int = response.json()["acknowledged"]
        return acknowledged

    async def get(self, path: str, token: str | None = READER) -> httpx2.Response:
        return await self.http.get(path, headers={} if token is None else {"authorization": f"Bearer {token}"})

    async def ask(
        self, body: dict[str, Any] | bytes = ASKING, owner: str = "gw1", token: str | None = WRITER
    ) -> httpx2.Response:
        """Ask for approval as a gate does."""
        headers = {} if token is None else {"authorization": f"Bearer {token}"}
        content = body if isinstance(body, bytes) else json.dumps(body)
        return await self.http.post(f"/v1/streams/{owner}/requests", content=content, headers=headers)

    async def asked(self, body: dict[str, Any] = ASKING) -> str:
        """Ask what has to be waited for; the request's name."""
        answer = (await self.ask(body)).json()
        assert answer["standing"] == "waiting"
        name: str = answer["request"]
        return name

    async def look(self, name: str, wait: float = 0, owner: str = "gw1", token: str = WRITER) -> httpx2.Response:
        """What a gate sees of a request."""
        return await self.get(f"/v1/streams/{owner}/requests/{name}?wait={wait:g}", token)

    async def decide(
        self, name: str, decision: str = "approved", comment: str = "", token: str = BEA
    ) -> httpx2.Response:
        """Decide as a person does, by the API."""
        return await self.http.post(
            f"/v1/requests/{name}/decision",
            json={"decision": decision, "comment": comment},
            headers={"authorization": f"Bearer {token}"},
        )

    async def search(self, query: str = "") -> list[dict[str, Any]]:
        response = await self.get(f"/v1/events?{query}")
        assert response.status_code == 200, response.text
        found: list[dict[str, Any]] = response.json()["events"]
        return found

    async def alarms(self) -> dict[str, dict[str, Any]]:
        return {alarm["kind"]: alarm for alarm in (await self.get("/v1/streams")).json()["alarms"]}

    async def exported(self, query: str = "") -> list[Any]:
        """The events that gates have sent."""
        found = [json.loads(line) for line in await self.export_lines(query)]
        return [one for one in found if "export" not in one and not one["stream"].startswith("collector:")]

    async def export_lines(self, query: str = "") -> list[bytes]:
        """An export as it is, line by line."""
        whole, last = (await self.get(f"/v1/export?{query}")).content.rsplit(b"\n", 1)
        assert last == b""
        return whole.split(b"\n")

    async def readings(self, token: str = READER, query: str = "limit=1000") -> list[dict[str, Any]]:
        """Who read what, oldest first; without this."""
        answer = await self.get(f"/v1/readings?{query}", token)
        assert answer.status_code == 200, answer.text
        found: list[dict[str, Any]] = answer.json()["readings"]
        return [one for one in reversed(found) if one.get("what") != "/v1/readings"]


def token_line(token: str, name: str) -> str:
    return f"{hashlib.sha256(token.encode()).hexdigest()} {name}\n"


@pytest.fixture
def settings(tmp_path: Path) -> CollectorSettings:
    """A collector that gw1 and gw2 may write to, and ada may read."""
    streams, viewers = tmp_path / "stream-tokens", tmp_path / "viewer-tokens"
    streams.write_text("# who may write\n" + token_line(WRITER, "gw1") + token_line(OTHER_WRITER, "gw2"))
    viewers.write_text(
        token_line(READER, "ada")
        + token_line(BEA, "bea groups=dba")
        + token_line(CEM, "cem groups=staff,owners")
        + token_line(BOT, "other-bot groups=dba kind=agent")
        + token_line(DAN, "dan groups=dba also=dan@shop.example")
    )
    return CollectorSettings(
        listen="127.0.0.1:0", database=tmp_path / "audit.db", stream_tokens_file=streams, viewer_tokens_file=viewers,
        # The events of these tests are of a day of their own.
        late_seconds=1e12,
    )  # fmt: skip


StartCollector = Callable[[CollectorSettings], Any]


@pytest.fixture
async def start() -> AsyncIterator[StartCollector]:
    """Starts collectors, and stops them at the end of the test."""
    running: list[tuple[RunningCollector, asyncio.Task[None], httpx2.AsyncClient]] = []

    async def begin(settings: CollectorSettings) -> Client:
        ready: asyncio.Future[RunningCollector] = asyncio.get_running_loop().create_future()
        task = asyncio.create_task(serve(settings, ready.set_result))
        await asyncio.wait([task, ready], return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            task.result()
        http = httpx2.AsyncClient(base_url=ready.result().url, timeout=20, trust_env=False, verify=False)
        running.append((ready.result(), task, http))
        return Client(ready.result(), task, http)

    yield begin
    for one, task, http in running:
        await http.aclose()
        one.stop()
        await task
    # A connection that was accepted in the last moment is taken down by the loop's next turns.
    await asyncio.sleep(0.02)


@pytest.fixture
async def client(start: StartCollector, settings: CollectorSettings) -> Client:
    started: Client = await start(settings)
    return started


@pytest.fixture
def sender() -> Sender:
    return Sender()


@pytest.fixture
def new_sender() -> Callable[[str], Sender]:
    return Sender
