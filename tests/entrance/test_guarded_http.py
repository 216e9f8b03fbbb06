"""What strangers do to a listener, and that the others notice nothing: heads and bodies that never end, answers that
nobody reads, handshakes that never begin, floods of complaints."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx2
import pytest
import structlog
import trustme
import uvicorn
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from penstock_entrance import guarded_http
from penstock_entrance.guarded_http import config, known, quiet_accepting
from penstock_entrance.visitors import Visitors

AUTHORITY = trustme.CA()


@pytest.fixture
def lines() -> Iterator[list[dict[str, Any]]]:
    with structlog.testing.capture_logs() as captured:
        yield captured


class Hall:
    """A listener, and what its application saw."""

    def __init__(self, port: int, visitors: Visitors, encrypted: bool) -> None:
        self.port = port
        self.visitors = visitors
        self.encrypted = encrypted
        self.ended: list[str] = []
        self.trust = ssl.create_default_context()
        AUTHORITY.configure_trust(self.trust)

    async def connect(
        self, said: bytes = b"", *, raw: bool = False
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        tls = {"ssl": self.trust, "server_hostname": "localhost"} if self.encrypted and not raw else {}
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port, **tls)  # type: ignore[arg-type]
        writer.write(said)
        await writer.drain()
        return reader, writer

    def client(self) -> httpx2.AsyncClient:
        scheme = "https" if self.encrypted else "http"
        return httpx2.AsyncClient(
            base_url=f"{scheme}://localhost:{self.port}", verify=self.trust, trust_env=False, timeout=20
        )


async def _quick(_: Request) -> Response:
    return PlainTextResponse("ok")


async def _known(request: Request) -> Response:
    known(request, request.headers["who"])
    return PlainTextResponse("ok")


async def _failing(_: Request) -> Response:
    raise ValueError("a fault of ours")


@contextlib.asynccontextmanager
async def hall(visitors: Visitors | None = None, *, tls: bool = False) -> AsyncIterator[Hall]:
    made = Visitors() if visitors is None else visitors

    async def read(request: Request) -> Response:
        try:
            await request.body()
        except ClientDisconnect:
            here.ended.append("body")
            raise
        return PlainTextResponse("read")

    async def endless(_: Request) -> Response:
        async def parts() -> AsyncIterator[bytes]:
            try:
                while True:
                    await asyncio.sleep(0)
                    yield b"x" * 65_536
            finally:
                here.ended.append("answer")

        return StreamingResponse(parts())

    routes = [("/", _quick), ("/known", _known), ("/endless", endless), ("/failing", _failing)]
    app = Starlette(
        routes=[*(Route(path, to) for path, to in routes), Route("/read", read, methods=["POST"])]
    )  # fmt: skip
    context = None
    if tls:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        AUTHORITY.issue_cert("localhost").configure_cert(context)
    with socket.create_server(("127.0.0.1", 0), backlog=64) as listener:
        here = Hall(listener.getsockname()[1], made, tls)
        server = uvicorn.Server(config(app, made, context, grace=1))
        server.capture_signals = contextlib.nullcontext  # type: ignore[method-assign]
        serving = asyncio.create_task(server.serve([listener]))
        async with here.client() as first:
            # The listener takes it already, and the server answers once it has begun.
            await first.get("/")
        try:
            yield here
        finally:
            server.should_exit = True
            await serving
            made.log.sum_up()


async def gone(reader: asyncio.StreamReader, seconds: float = 5) -> bytes:
    """What it says until it ends."""
    with contextlib.suppress(ConnectionError):
        return await asyncio.wait_for(reader.read(), seconds)
    return b""


async def empty(visitors: Visitors) -> bool:
    for _ in range(1500):
        if len(visitors) == 0:
            return True
        await asyncio.sleep(0.02)
    return False


@pytest.mark.parametrize("tls", [False, True])
async def test_requests_are_answered_and_connections_forgotten(tls: bool) -> None:
    async with hall(tls=tls) as here:
        async with here.client() as client:
            for _ in range(3):
                assert (await client.get("/")).text == "ok"
                assert (await client.post("/read", content=b"x" * 300_000)).text == "read"
                assert len(here.visitors) == 1
        assert await empty(here.visitors)


@pytest.mark.parametrize("tls", [False, True])
@pytest.mark.parametrize(
    "said", [b"", b"G", b"GET / HTTP/1.1\r\nHost: x\r\n", b"GET / HTTP/1.1\r\nHost: x\r\n\r\nGET /"]
)
async def test_a_head_that_does_not_end_has_a_deadline(tls: bool, said: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guarded_http, "HEAD_SECONDS", 0.3)
    async with hall(tls=tls) as here:
        reader, writer = await here.connect(said)
        await gone(reader)
        writer.close()
        assert await empty(here.visitors)


async def test_a_head_byte_by_byte_has_the_same_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guarded_http, "HEAD_SECONDS", 0.3)
    async with hall() as here:
        reader, writer = await here.connect(b"GET / HTTP/1.1\r\nX: ")
        began = time.monotonic()
        with contextlib.suppress(ConnectionError):
            while not reader.at_eof() and time.monotonic() < began + 5:
                writer.write(b"x")
                await writer.drain()
                await asyncio.sleep(0.02)
        assert time.monotonic() - began < 3
        assert await empty(here.visitors)
        writer.close()


async def test_a_handshake_that_does_not_begin_has_the_deadline_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guarded_http, "HEAD_SECONDS", 0.3)
    async with hall(tls=True) as here:
        for said in (b"", b"\x16\x03\x01\x02\x00\x01", b"GET / HTTP/1.1\r\n\r\n"):
            reader, writer = await here.connect(said, raw=True)
            await gone(reader)
            writer.close()
        assert await empty(here.visitors)


@pytest.mark.parametrize("tls", [False, True])
@pytest.mark.parametrize(
    "head", [b"Content-Length: 100000000\r\n\r\n", b"Transfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n"]
)
async def test_a_body_that_does_not_end_has_a_deadline(tls: bool, head: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guarded_http, "BODY_SECONDS", 0.3)
    async with hall(tls=tls) as here:
        reader, writer = await here.connect(b"POST /read HTTP/1.1\r\nHost: x\r\n" + head)
        began = time.monotonic()
        with contextlib.suppress(ConnectionError):
            while not reader.at_eof() and time.monotonic() < began + 5:
                writer.write(b"1\r\nx\r\n")
                await writer.drain()
                await asyncio.sleep(0.02)
        assert here.ended == ["body"]
        assert await empty(here.visitors)
        writer.close()


async def test_a_body_that_goes_on_behind_the_answer_has_the_deadline_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guarded_http, "BODY_SECONDS", 0.4)
    async with hall() as here:
        reader, writer = await here.connect(b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n")
        assert (await asyncio.wait_for(reader.readline(), 15)).startswith(b"HTTP/1.1 200")
        began = time.monotonic()
        with contextlib.suppress(ConnectionError):
            while len(here.visitors) and time.monotonic() < began + 5:
                writer.write(b"x")
                await asyncio.sleep(0.02)
        assert time.monotonic() - began < 3
        writer.close()


@pytest.mark.parametrize("tls", [False, True])
async def test_an_answer_that_is_not_read_ends(tls: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guarded_http, "READING_SECONDS", 0.3)
    async with hall(tls=tls) as here:
        _, writer = await here.connect(b"GET /endless HTTP/1.1\r\nHost: x\r\n\r\n")
        for _ in range(1500):
            await asyncio.sleep(0.02)
            if here.ended:
                break
        assert here.ended == ["answer"]
        assert await empty(here.visitors)
        writer.transport.abort()


async def _latencies(client: httpx2.AsyncClient, times: int) -> list[float]:
    taken = []
    for _ in range(times):
        began = time.monotonic()
        assert (await client.get("/", headers={"connection": "close"})).text == "ok"
        taken.append(time.monotonic() - began)
    return sorted(taken)


@pytest.mark.parametrize("tls", [False, True])
async def test_strangers_that_stay_shut_out_nobody(tls: bool, lines: list[dict[str, Any]]) -> None:
    """Five times as many as there is room for, in three ways; the others' p99 beside what it is without them."""
    visitors = Visitors(strangers=60, most=400)
    async with hall(visitors, tls=tls) as here, here.client() as stranger, here.client() as gate:
        await gate.get("/known", headers={"who": "gate"})
        before = await _latencies(stranger, 50)
        held = []
        for number in range(300):
            said = (b"", b"GET / HTTP/1.1\r\n", b"POST /read HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n")[
                number % 3
            ]
            held.append(await here.connect(said, raw=number % 2 == 0))
            assert len(visitors) <= 61
        during = await _latencies(stranger, 50)
        assert during[-1] < 10 * before[-1] + 0.5, (before[-1], during[-1])
        # On the connection that it has had all the time.
        assert (await gate.get("/known", headers={"who": "gate"})).text == "ok"
        for _, writer in held:
            writer.transport.abort()
    told = [one for one in lines if one["event"] == "a connection made way for newer ones"]
    assert 0 < len(told) <= 50
    assert any("more connections ended badly" in one["event"] for one in lines)


async def test_what_is_no_http_fills_no_log(lines: list[dict[str, Any]]) -> None:
    async with hall() as here:
        for said in (
            b"\r\n\x00nonsense\r\n\r\n",
            b"GET / HTTP/1.1\r\nHost: x\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\n",
        ):
            for _ in range(60):
                _, writer = await here.connect(said)
                writer.close()
        assert await empty(here.visitors)
    assert 50 <= len([one for one in lines if one["log_level"] == "warning"]) <= 52


async def test_a_fault_of_ours_is_logged_with_its_place(lines: list[dict[str, Any]]) -> None:
    async with hall() as here, here.client() as client:
        assert (await client.get("/failing")).status_code == 500
    (fault,) = [one for one in lines if one["log_level"] == "warning"]
    assert isinstance(fault["exc_info"][1], ValueError)


async def test_also_what_is_no_http_is_answered_with_the_headers_that_bind_browsers() -> None:
    async with hall() as here:
        reader, writer = await here.connect(b"\x00\r\n\r\n")
        said = await gone(reader)
        writer.close()
    assert said.startswith(b"HTTP/1.1 400 ")
    for header in (b"x-content-type-options: nosniff", b"content-security-policy: default-src 'none'", b"no-store"):
        assert header in said


async def test_where_files_run_out_the_log_is_spared(lines: list[dict[str, Any]]) -> None:
    loop = asyncio.get_running_loop()
    visitors, before = Visitors(), loop.get_exception_handler()
    quiet_accepting(loop, visitors.log)
    try:
        for _ in range(1_000):
            loop.call_exception_handler({"message": "socket.accept() out of system resource", "exception": OSError(24)})
    finally:
        loop.set_exception_handler(before)
    visitors.log.sum_up()
    assert len(lines) == 51
