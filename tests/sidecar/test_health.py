"""Health over HTTP: what probes and scrapers ask, and what nobody should."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from prometheus_client import CollectorRegistry, Gauge

from penstock_sidecar.health import HealthServer


class Health:
    def __init__(self) -> None:
        self.state = (True, "policy generation 3")
        registry = CollectorRegistry()
        Gauge("made_up", "A number.", registry=registry).set(7)
        self.server = HealthServer(lambda: self.state, registry)
        self.port = 0

    async def ask(self, request: bytes) -> tuple[bytes, bytes]:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        writer.write(request)
        head, _, body = (await asyncio.wait_for(reader.read(), 8)).partition(b"\r\n\r\n")
        writer.close()
        return head.split(b"\r\n")[0], body

    async def get(self, path: str) -> tuple[bytes, bytes]:
        return await self.ask(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())


@pytest.fixture
async def health() -> AsyncIterator[Health]:
    one = Health()
    one.port = await one.server.listen("127.0.0.1", 0)
    yield one
    await one.server.close()


async def test_the_three_that_there_are(health: Health) -> None:
    assert await health.get("/healthz") == (b"HTTP/1.1 200 OK", b"ok\n")
    assert await health.get("/readyz?verbose") == (b"HTTP/1.1 200 OK", b"policy generation 3\n")
    status, body = await health.get("/metrics")
    assert status == b"HTTP/1.1 200 OK"
    assert b"made_up 7.0" in body
    health.state = (False, "no policy has been loaded yet")
    assert await health.get("/readyz") == (b"HTTP/1.1 503 Service Unavailable", b"no policy has been loaded yet\n")


@pytest.mark.parametrize("peer", ["10.1.2.3", "fd00::7", "::ffff:10.1.2.3", ""])
async def test_others_of_the_cluster_learn_no_details(health: Health, peer: str) -> None:
    health.state = (True, "policy generation 3; database: the database at shop-db.shop.svc:5432 can't be reached")
    request = b"GET /readyz HTTP/1.1\r\n\r\n"
    assert health.server.answer(request, peer).endswith(b"\r\n\r\nready\n")
    assert b"shop-db" in health.server.answer(request, "127.0.0.1")
    health.state = (False, "no policy has been loaded yet: control https://control.example")
    assert health.server.answer(request, peer).endswith(b"\r\n\r\nnot ready\n")


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"GET /nowhere HTTP/1.1\r\n\r\n", b"404"),
        (b"POST /metrics HTTP/1.1\r\n\r\n", b"405"),
        (b"nonsense\r\n\r\n", b"405"),
        (b"HEAD /healthz HTTP/1.1\r\n\r\n", b"200"),
    ],
)
async def test_others_are_refused(health: Health, request_: bytes, status: bytes) -> None:
    assert status in (await health.ask(request_))[0]


async def test_a_request_without_end_is_cut_off(health: Health) -> None:
    assert await health.ask(b"x" * 20_000) == (b"", b"")
    assert (await health.get("/healthz"))[1] == b"ok\n"


async def test_who_asks_and_never_says_what_shuts_out_nobody(health: Health) -> None:
    held = [await asyncio.open_connection("127.0.0.1", health.port) for _ in range(150)]
    for _, writer in held:
        writer.write(b"GET /healthz HTTP/1.1\r\n")
    assert (await asyncio.wait_for(health.get("/healthz"), 3))[1] == b"ok\n"
    # The oldest have made way, long before their time is over.
    assert await asyncio.wait_for(held[0][0].read(), 3) == b""
    assert not held[-1][0].at_eof()
    for _, writer in held:
        writer.close()
