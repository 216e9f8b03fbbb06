"""`penstock control` as a process of its own before an API server: started, ended, killed, looked at from outside.

What doesn't belong: what the API server is told of it, and asks it (`conftest.py`, the tests).
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import httpx2

from e2e.approvals.api_server import ApiServer
from e2e.approvals.replicas import SYSTEM, token
from penstock_cli.demo.loopback import free_port

_PATIENCE_SECONDS = 60


class ControlProcess:
    """One replica, by the name of its log. Its ports stay the same when it is started anew."""

    def __init__(self, server: ApiServer, name: str, *, linger: int = 0) -> None:
        self.port, self.health = free_port(), free_port()
        self.log = server.directory / f"{name}.log"
        self.environment = {
            **os.environ,
            "KUBECONFIG": str(server.kubeconfig(name, token(server, SYSTEM, "penstock-control"))),
            "PENSTOCK_CONTROL_NAMESPACE": SYSTEM,
            "PENSTOCK_CONTROL_SIDECAR": json.dumps({"image": "penstock:1", "allowed_host_paths": ["/var/log"]}),
            "PENSTOCK_CONTROL_URL": "https://penstock-control.penstock-system.svc:8443",
            "PENSTOCK_CONTROL_COLLECTOR_URL": "https://penstock-collector.penstock-system.svc:8080",
            "PENSTOCK_CONTROL_HOST": "127.0.0.1",
            "PENSTOCK_CONTROL_PORT": str(self.port),
            "PENSTOCK_CONTROL_HEALTH_PORT": str(self.health),
            "PENSTOCK_CONTROL_LINGER": str(linger),
            "PENSTOCK_CONTROL_DRAIN": "1",
        }
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self.log.open("ab") as log:
            command = [str(Path(sys.executable).with_name("penstock")), "control"]
            self._process = subprocess.Popen(command, env=self.environment, stdout=log, stderr=log)

    @property
    def runs(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def answer(self, path: str) -> tuple[int, str]:
        """What a probe gets; status 0 where nobody answers."""
        with httpx2.Client(trust_env=False, timeout=10) as client, suppress(httpx2.TransportError):
            answer = client.get(f"http://127.0.0.1:{self.health}{path}")
            return answer.status_code, answer.text
        return 0, ""

    def until(self, path: str, status: int) -> str:
        """What it says once that is its answer."""
        end = time.monotonic() + _PATIENCE_SECONDS
        while (found := self.answer(path))[0] != status:
            assert self.runs, self.log.read_text()
            assert time.monotonic() < end, self.log.read_text()
            time.sleep(0.2)
        return found[1]

    def end(self) -> int:
        """As the kubelet asks it to; its exit code."""
        assert self._process is not None
        self._process.terminate()
        return self._process.wait(30)

    def kill(self) -> None:
        """As a node that is gone."""
        assert self._process is not None
        self._process.kill()
        self._process.wait(30)
