"""A collector in a thread of its own, and a person at a terminal who asks it."""

from __future__ import annotations

import asyncio
import hashlib
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from click.testing import CliRunner, Result

from penstock_cli.audit import command
from penstock_collector.main import RunningCollector, serve
from penstock_collector.settings import CollectorSettings
from penstock_core.audit.chain import Head, canonical
from penstock_core.audit.event import Event

# Without the collector's own stream, which tells of the readings.
GATE = ("--stream", "gw1/boot1")


class Desk:
    """A collector in a thread of its own, and a person at a terminal."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        for name, token, owner in [("streams", "w", "gw1"), ("viewers", "reader", "ada")]:
            (directory / name).write_text(f"{hashlib.sha256(token.encode()).hexdigest()} {owner}\n")
        (directory / "token").write_text("reader\n")
        settings = CollectorSettings(
            listen="127.0.0.1:0",
            database=directory / "audit.db",
            stream_tokens_file=directory / "streams",
            viewer_tokens_file=directory / "viewers",
            # Its events are of a day that is long over.
            late_seconds=1e9,
        )
        ready = threading.Event()

        def started(running: RunningCollector) -> None:
            self.running = running
            self.loop = asyncio.get_running_loop()
            ready.set()

        self.thread = threading.Thread(target=lambda: asyncio.run(serve(settings, started)))
        self.thread.start()
        assert ready.wait(10)
        self.head = Head("gw1/boot1")

    def record(self, *bodies: Event) -> list[Event]:
        events = []
        for body in bodies:
            event, self.head = self.head.seal(body, f"2026-11-25T09:{self.head.seq:02}:00.000000Z")
            events.append(event)
        response = httpx2.post(
            f"{self.running.url}/v1/streams/{self.head.stream}/events",
            content=b"".join(canonical(event) + b"\n" for event in events),
            headers={"authorization": "Bearer w"},
            trust_env=False,
        )
        assert response.json() == {"acknowledged": self.head.seq}
        return events

    def statement(self, number: int, transaction: int | None = None, **fields: Any) -> list[Event]:
        key = {"session": "s1", "statement": number}
        intent = {
            "kind": "intent",
            **key,
            "identity": {"name": "sa:shop/web"},
            "database": "shop",
            "decision": "allow",
            "verbs": ["select"],
            "relations": [],
            "masked": [],
            "policies": [],
            "policyGeneration": 7,
            "protocol": "simple",
            "sqlHmac": "0" * 64,
        }
        outcome = {"kind": "outcome", **key, "result": "ok", "rows": number}
        outcome |= {} if transaction is None else {"transaction": transaction}
        return self.record({**intent, "sql": f"SELECT {number} FROM orders", **fields}, outcome)

    def run(self, *arguments: str, url: str | None = None, **options: Any) -> Result:
        environment = {
            "PENSTOCK_COLLECTOR_URL": url or self.running.url,
            "PENSTOCK_COLLECTOR_TOKEN_FILE": str(self.directory / "token"),
            "COLUMNS": "120",
        }
        return CliRunner().invoke(command, arguments, env=environment, **options)

    def stop(self) -> None:
        self.loop.call_soon_threadsafe(self.running.stop)
        self.thread.join()


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    desk = Desk(tmp_path)
    yield desk
    desk.stop()
