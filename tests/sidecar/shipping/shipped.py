"""A spool that is shipped by a process to a collector, which comes and goes on one port."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx2
from tests.core.audit.as_defined import as_defined

from penstock_cli.demo.loopback import free_port
from penstock_collector.main import RunningCollector, serve
from penstock_collector.settings import CollectorSettings
from penstock_core.audit.event import OWN, Event
from penstock_core.audit.verify import verify
from penstock_sidecar.shipping.dialogue import Task
from penstock_sidecar.shipping.shipper_process import ShipperProcess
from penstock_sidecar.shipping.spool import Spool

MEGABYTE = 1_000_000


def statement(number: int, sql: str = "SELECT 1") -> list[Event]:
    """In two events: they say different things of one field."""
    key = {"session": "s1", "statement": number + 1}
    return [
        as_defined({"kind": "intent", **key, "sql": sql, "reason": "refused"}),
        {"kind": "outcome", **key, "result": "ok", "reason": "went beyond"},
    ]


class Bench:
    """A spool with its shipper, and a collector that comes and goes on one port."""

    def __init__(self, directory: Path, max_bytes: int = 10 * MEGABYTE) -> None:
        self.directory = directory
        self.port = free_port()
        self.scheme = "http"
        (directory / "token").write_text("secret\n")
        (directory / "reader").write_text("reader\n")
        self._write_tokens("secret", "gw1")
        digest = hashlib.sha256(b"reader").hexdigest()
        (directory / "viewers").write_text(f"{digest} ada\n")
        self.spool = Spool.open(directory / "spool", "gw1/boot1", max_bytes)
        self.running: RunningCollector | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self.shipper: ShipperProcess | None = None

    def _write_tokens(self, token: str, owner: str) -> None:
        (self.directory / "streams").write_text(f"{hashlib.sha256(token.encode()).hexdigest()} {owner}\n")

    async def collect(self, **settings: Any) -> None:
        """Start the collector."""
        ready: asyncio.Future[RunningCollector] = asyncio.get_running_loop().create_future()
        configured = CollectorSettings(
            listen=f"127.0.0.1:{self.port}",
            database=self.directory / "audit.db",
            stream_tokens_file=self.directory / "streams",
            viewer_tokens_file=self.directory / "viewers",
            **settings,
        )
        self._collecting = asyncio.create_task(serve(configured, ready.set_result))
        self.running = await ready

    async def stop_collecting(self) -> None:
        if self.running is not None:
            self.running.stop()
            await self._collecting
            self.running = None

    def ship(self, ca_file: Path | None = None, **options: Any) -> ShipperProcess:
        """Start shipping."""
        url = f"{self.scheme}://127.0.0.1:{self.port}"
        task = Task(self.directory / "spool", url, self.directory / "token", ca_file)
        self.shipper = ShipperProcess(self.spool, task, linger=0.01, **options)
        self._tasks.append(asyncio.create_task(self.shipper.run()))
        return self.shipper

    async def until(self, done: Callable[[], bool], seconds: float = 15) -> None:
        async with asyncio.timeout(seconds):
            while not done():  # noqa: ASYNC110 # there is no event for what tests wait for
                await asyncio.sleep(0.02)

    async def shipped(self) -> None:
        await self.until(lambda: self.spool.depth == 0)

    async def collected(self) -> list[Event]:
        """What the collector has, checked."""
        assert self.running is not None
        async with httpx2.AsyncClient(verify=False, trust_env=False) as http:
            answer = await http.get(self.running.url + "/v1/export", headers={"authorization": "Bearer reader"})
        assert verify(answer.content.split(b"\n")).intact
        events = [one for line in answer.text.splitlines() if "export" not in (one := json.loads(line))]
        return [event for event in events if not event["stream"].startswith(OWN)]

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
        self.spool.close()
        await self.stop_collecting()


def warnings(said: list[dict[str, Any]]) -> list[str]:
    return [line["event"] for line in said if line["log_level"] in ("warning", "error")]
