"""The server over HTTP, attacked as strangers can, and what those who have a token notice meanwhile."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import ssl
import statistics
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import httpx2
import pytest
import trustme
from tests.agents.conftest import Place
from tests.agents.serving.conftest import Served, configured
from tests.oidc_provider.provider import OidcProvider

from penstock_entrance import guarded_http
from penstock_entrance.open_files import raise_limit

# As many files as a login shell gives, and no more to be had.
CODE = """
import resource, sys
from penstock_cli.main import main
resource.setrlimit(resource.RLIMIT_NOFILE, (1024, 1024))
sys.argv = ["penstock", "mcp", "--config", sys.argv[1]]
main()
"""


@dataclass
class Apart:
    """The server in a process of its own, and what it says."""

    served: Served
    process: subprocess.Popen[bytes]
    log: Path

    @property
    def address(self) -> tuple[str, int]:
        return "127.0.0.1", urlsplit(self.served.url).port or 0

    def rss(self) -> int:
        """MiB that it has in memory, at most so far."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.split("VmHWM:")[1].split()[0]) // 1024

    def complaints(self) -> list[str]:
        """What the log has beside the sessions that began."""
        said = [json.loads(line) for line in self.log.read_text().splitlines()]
        return [str(line["event"]) for line in said if line["level"] != "info"]

    async def p99(self, times: int = 25) -> float:
        """Of sessions that begin, each on a connection of its own."""
        token, taken = self.served.token(), []
        for _ in range(times):
            began = time.monotonic()
            assert (await self.served.post(token)).status_code == 200
            taken.append(time.monotonic() - began)
        return statistics.quantiles(taken, n=100, method="inclusive")[98]


@pytest.fixture
async def apart(delegating: Place, oidc: OidcProvider, authority: trustme.CA, tmp_path: Path) -> AsyncIterator[Apart]:
    file, served = configured(delegating, oidc, authority)
    log = tmp_path / "mcp.log"
    process = started(file, log)
    try:
        for _ in range(600):
            with contextlib.suppress(httpx2.TransportError):
                await served.post(None)
                break
            assert process.poll() is None, log.read_text()
            await asyncio.sleep(0.05)
        yield Apart(served, process, log)
    finally:
        process.terminate()
        await asyncio.to_thread(process.wait, 20)


def started(file: Path, log: Path) -> subprocess.Popen[bytes]:
    with log.open("wb") as written:
        return subprocess.Popen([sys.executable, "-c", CODE, str(file)], stderr=written)


async def test_half_open_requests_keep_nobody_out_who_has_a_token(apart: Apart) -> None:
    raise_limit()
    served, token = apart.served, apart.served.token()
    alone = await apart.p99()
    begun = await served.post(token)
    standing = {
        "Accept": "text/event-stream", "MCP-Protocol-Version": "2025-11-25",
        "Mcp-Session-Id": begun.headers["mcp-session-id"],
    }  # fmt: skip
    async with served.http(token) as person, person.stream("GET", served.url, headers=standing) as stream:
        assert stream.status_code == 200
        async with served.agent(token, mode="legacy") as agent:
            assert (await agent.call("query", sql="SELECT 1"))["rows"] == [[1]]
            with contextlib.ExitStack() as held:
                await asyncio.to_thread(half_open, apart, served, held)
                attacked = await apart.p99()
                # Nor is anybody's session ended.
                assert (await agent.call("query", sql="SELECT 2"))["rows"] == [[2]]
        with pytest.raises(TimeoutError):
            # It stands: else it would end, or fail.
            await asyncio.wait_for(to_its_end(stream), 0.5)
    complaints = apart.complaints()
    words = [f"{seconds * 1000:.0f} ms" for seconds in (alone, attacked)]
    print("p99 of a session that begins, alone and beside 1,100 half-open requests:", *words)  # noqa: T201
    print(f"{len(complaints)} complaints in the log, {apart.rss()} MiB")  # noqa: T201
    assert attacked < 10 * alone + 0.5
    assert "a connection made way for newer ones" in complaints
    assert len(complaints) < 120


async def to_its_end(stream: httpx2.Response) -> None:
    """Whatever comes on it."""
    async for _ in stream.aiter_raw():
        pass


def half_open(apart: Apart, served: Served, held: contextlib.ExitStack) -> None:
    """Handshakes that never begin, heads and bodies that never end."""
    trust = ssl.create_default_context(cafile=served.ca_file)
    for number in range(1_100):
        one = held.enter_context(socket.create_connection(apart.address, timeout=10))
        if number % 10:
            continue
        with contextlib.suppress(OSError):
            tls = held.enter_context(trust.wrap_socket(one, server_hostname="localhost"))
            head = "POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Length: 900\r\n"
            tls.sendall(f"{head}\r\n{{".encode() if number % 20 else head.encode())


@pytest.mark.parametrize(
    ("what", "said"),
    [
        ("head", b"POST /mcp HTTP/1.1\r\nHost: "),
        ("body", b"POST /mcp HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\nContent-Length: 900\r\n\r\n{"),
    ],
)
async def test_what_does_not_come_is_not_waited_for(
    served: Served, monkeypatch: pytest.MonkeyPatch, what: str, said: bytes
) -> None:
    """Not even for one who has a token."""
    monkeypatch.setattr(guarded_http, f"{what.upper()}_SECONDS", 0.5)
    if what == "body":
        said %= (urlsplit(served.url).netloc.encode(), served.token().encode())
    trust = ssl.create_default_context(cafile=served.ca_file)
    port = urlsplit(served.url).port
    reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=trust, server_hostname="localhost")
    writer.write(said)
    with contextlib.suppress(ConnectionError):
        assert await asyncio.wait_for(reader.read(), 20) == b""
    writer.close()
