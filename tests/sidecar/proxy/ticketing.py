"""A collector, and gates that have their tickets kept there, as tests of tickets need them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import httpx2
import psycopg
from tests.collector.conftest import READER, Client, token_line
from tests.sidecar.proxy.conftest import Running, Start
from tests.sidecar.proxy.test_tokens import issuers, token

from penstock_cli.demo.postgres import EmbeddedPostgres
from penstock_collector.main import RunningCollector, serve
from penstock_collector.settings import CollectorSettings

GATES = ("gate", "other-gate", "u-1", "harbour")


class Ticket(NamedTuple):
    """What `SHOW penstock.ticket` answers."""

    user: str
    password: str
    expires: str


@dataclass
class Place:
    """One collector, and what tests begin in front of one PostgreSQL."""

    start: Start
    shop: EmbeddedPostgres
    directory: Path
    collector: Client
    gates: list[Running] = field(default_factory=list)

    async def gate(self, name: str = "gate", **options: Any) -> Running:
        """A gate of that name; several of one name are replicas."""
        where = {"url": str(self.collector.http.base_url), "tokenFile": str(self.directory / f"{name}.token")}
        options = {"identity": issuers(self.directory), "collector": where, "on_failure": "continue", **options}
        self.gates.append(await self.start(self.shop, name=name, **options))
        return self.gates[-1]

    async def events(self, sessions: int) -> list[dict[str, Any]]:
        """All events that have reached the collector, once so many sessions have ended."""
        for _ in range(600):
            found: list[dict[str, Any]] = await self.collector.exported()
            if sum(event.get("event") == "end" for event in found) >= sessions:
                return found
            await asyncio.sleep(0.05)
        raise AssertionError(f"{len(found)} events, and not the end of {sessions} sessions")

    async def ended(self) -> None:
        """The collector is no more."""
        await self.collector.ended()


async def place(start: Start, shop: EmbeddedPostgres, directory: Path) -> AsyncIterator[Place]:
    """A place, which is left at the test's end."""
    streams, viewers = directory / "stream-tokens", directory / "viewer-tokens"
    streams.write_text("".join(token_line(f"write-{name}", name) for name in GATES))
    viewers.write_text(token_line(READER, "ada"))
    for name in GATES:
        (directory / f"{name}.token").write_text(f"write-{name}")
    settings = CollectorSettings(
        listen="127.0.0.1:0", database=directory / "audit.db", stream_tokens_file=streams, viewer_tokens_file=viewers
    )
    ready: asyncio.Future[RunningCollector] = asyncio.get_running_loop().create_future()
    task = asyncio.create_task(serve(settings, ready.set_result))
    http = httpx2.AsyncClient(base_url=(await ready).url, timeout=20, trust_env=False)
    yield Place(start, shop, directory, Client(ready.result(), task, http))
    await http.aclose()
    ready.result().stop()
    await task


async def ticket(gate: Running, password: str | None = None) -> Ticket:
    """A ticket for whoever that token names."""
    async with await gate.psycopg(password=password or token()) as session:
        return await shown(session)


async def shown(session: psycopg.AsyncConnection[Any]) -> Ticket:
    row = await (await session.execute("SHOW penstock.ticket")).fetchone()
    assert row is not None
    return Ticket(*row)


async def enter(gate: Running, one: Ticket, **changes: Any) -> psycopg.AsyncConnection[Any]:
    """A session by that ticket."""
    return await gate.psycopg(**{"user": one.user, "password": one.password, **changes})
