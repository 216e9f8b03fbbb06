"""A collector of its own process, attacked as strangers and viewers can, and what the others notice meanwhile."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from penstock_cli.demo.loopback import free_port
from penstock_collector.settings import CollectorSettings
from penstock_entrance.open_files import raise_limit

OPEN = {"kind": "open", "database": "shop", "version": "0.1.0"}
# As many files as a login shell gives, and no more to be had.
CODE = """
import resource, sys
from penstock_cli.main import main
resource.setrlimit(resource.RLIMIT_NOFILE, (1024, 1024))
sys.argv = ["penstock", "collector"]
main()
"""


class Collector:
    """The process, and what it says."""

    def __init__(self, settings: CollectorSettings, log: Path) -> None:
        names = ("stream_tokens_file", "viewer_tokens_file", "database")
        health = free_port()
        environment = {
            **os.environ,
            **{f"PENSTOCK_COLLECTOR_{name.upper()}": str(getattr(settings, name)) for name in names},
            "PENSTOCK_COLLECTOR_LISTEN": "127.0.0.1:0",
            "PENSTOCK_COLLECTOR_HEALTH_LISTEN": f"127.0.0.1:{health}",
        }
        self.log = log
        with log.open("wb") as file:
            self.process = subprocess.Popen([sys.executable, "-c", CODE], stderr=file, env=environment)
        self.health = httpx2.Client(base_url=f"http://127.0.0.1:{health}", trust_env=False, timeout=20)
        self.http = httpx2.Client(base_url=self._url(), trust_env=False, timeout=20)

    def _url(self) -> str:
        for _ in range(600):
            for line in self.log.read_text().splitlines():
                said = json.loads(line)
                if said["event"] == "collector takes in events":
                    return str(said["url"])
            time.sleep(0.05)
        raise AssertionError(self.log.read_text())

    @contextlib.contextmanager
    def running(self) -> Iterator[Collector]:
        """Until it has ended, as it should."""
        yield self
        for client in (self.health, self.http):
            client.close()
        self.process.terminate()
        assert self.process.wait(timeout=20) == 0

    def rss(self) -> int:
        """MiB that it has in memory, at most so far."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.split("VmHWM:")[1].split()[0]) // 1024

    def p99(self, http: httpx2.Client, path: str, times: int = 40) -> float:
        taken = []
        for _ in range(times):
            began = time.monotonic()
            headers = {"authorization": "Bearer read-ada", "connection": "close"}
            assert http.get(path, headers=headers).status_code == 200
            taken.append(time.monotonic() - began)
        return statistics.quantiles(taken, n=100, method="inclusive")[98]


@pytest.fixture
def collector(settings: CollectorSettings, tmp_path: Path) -> Iterator[Collector]:
    with Collector(settings, tmp_path / "log").running() as made:
        yield made


def test_half_open_requests_take_nothing_down_and_fill_no_log(collector: Collector, sender: Any) -> None:
    raise_limit()
    alone = [collector.p99(collector.health, "/readyz"), collector.p99(collector.http, "/v1/streams")]
    address = (collector.http.base_url.host, collector.http.base_url.port or 0)
    with contextlib.ExitStack() as held:
        for number in range(1_100):
            one = held.enter_context(socket.create_connection(address, timeout=10))
            with contextlib.suppress(OSError):
                one.sendall(
                    b"POST /login HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n" if number % 2 else b"GET / "
                )
        attacked = [collector.p99(collector.health, "/readyz"), collector.p99(collector.http, "/v1/streams")]
        gate = {"authorization": "Bearer write-gw1"}
        body = b"".join(json.dumps(event).encode() + b"\n" for event in sender.seal(OPEN))
        answer = collector.http.post("/v1/streams/gw1/boot1/events", content=body, headers=gate)
        assert (answer.status_code, answer.json()) == (200, {"acknowledged": 1})
    for before, after in zip(alone, attacked, strict=True):
        assert after < 10 * before + 0.5
    lines = collector.log.read_text().splitlines()
    words = [f"{seconds * 1000:.0f} ms" for seconds in (*alone, *attacked)]
    print("p99 of /readyz and /v1/streams, alone and beside 1,100 half-open requests:", *words)  # noqa: T201
    print(f"{len(lines)} lines of log, {collector.rss()} MiB")  # noqa: T201
    assert len(lines) < 120
