"""`penstock proxy` in a process of its own, looked at from outside: its memory, its sockets, its log."""

from __future__ import annotations

import base64
import json
import os
import re
import signal
import socket
import ssl
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from penstock_cli.demo.postgres import EmbeddedPostgres
from penstock_sidecar.wire import messages

PASSWORD = "made-up for the yard"
RESOURCES = """
apiVersion: penstock.dev/v1alpha1
kind: Database
metadata: {{name: yard, namespace: shop}}
spec:
  host: 127.0.0.1
  port: {port}
  dbname: yard
  tls: {{mode: {tls}}}
  credentialsSecretRef: {{name: yard-db}}
---
apiVersion: penstock.dev/v1alpha1
kind: DatabaseAccessPolicy
metadata: {{name: web, namespace: shop}}
spec:
  databaseRef: {{name: yard}}
  subjects:
    - serviceAccount: {{name: web}}
  allow: [select, insert, update, delete]
  audit: {{onFailure: block}}
"""
SSL = messages.ssl_request()
STARTUP = messages.startup({"user": "app", "database": "yard"})


def yard(server: EmbeddedPostgres) -> EmbeddedPostgres:
    """The server, with a role and a database for these gates."""
    server.psql(
        f"DO $$ BEGIN CREATE ROLE yard LOGIN PASSWORD '{PASSWORD}'; EXCEPTION WHEN duplicate_object THEN NULL; END $$"
    )
    if not server.psql("SELECT 1 FROM pg_database WHERE datname = 'yard'").strip():
        server.psql("CREATE DATABASE yard OWNER yard")
    return server


@dataclass
class Program:
    """A running gate."""

    directory: Path
    process: subprocess.Popen[bytes] = field(init=False)
    port: int = 0
    health: int = 0

    @classmethod
    def start(cls, directory: Path, server: EmbeddedPostgres, **changes: Any) -> Program:
        """`server_tls`: the mode of the Database; whatever else is a setting."""
        one = cls(directory)
        one._configure(server, changes)
        with one.log_file.open("wb") as log:
            one.process = subprocess.Popen(
                [sys.executable, "-m", "penstock_cli", "--log-format", "json", "proxy", "--config", str(directory)],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                env={name: value for name, value in os.environ.items() if not name.startswith("PENSTOCK_")},
            )  # fmt: skip
        listening = one._listening()
        one.port = int(listening["address"].rpartition(":")[2])
        one.health = int(listening["health"].rpartition(":")[2])
        return one

    def _configure(self, server: EmbeddedPostgres, changes: dict[str, Any]) -> None:
        directory = self.directory
        (directory / "credentials").mkdir()
        (directory / "credentials" / "username").write_text("yard")
        (directory / "credentials" / "password").write_text(PASSWORD)
        (directory / "mask.key").write_text(base64.b64encode(b"k" * 32).decode())
        tls = changes.pop("server_tls", "disable")
        (directory / "resources.yaml").write_text(RESOURCES.format(port=server.port, tls=tls))
        settings: dict[str, Any] = {
            "listen": "127.0.0.1:0", "health": "127.0.0.1:0", "database": "yard", "namespace": "shop", "name": "yard",
            "resources": ["resources.yaml"], "maskKeyFile": "mask.key", "credentialsDir": "credentials",
            "identity": {"workload": {"namespace": "shop", "serviceAccount": "web"}},
            "spool": {"path": "spool"}, "graceSeconds": 1, "tls": {"selfSigned": True, "required": False},
        }  # fmt: skip
        given = {name: value for name, value in (settings | changes).items() if value is not None}
        (directory / "proxy.yaml").write_text(yaml.safe_dump(given))

    def _listening(self) -> dict[str, Any]:
        for _ in range(600):
            for line in self.log():
                if line.get("event") == "listening":
                    return line
            if self.process.poll() is not None:
                break
            time.sleep(0.05)
        raise AssertionError(f"it does not listen: {self.log_file.read_text()}")

    @property
    def log_file(self) -> Path:
        return self.directory / "gate.log"

    def log(self) -> list[dict[str, Any]]:
        """What it logged, line by line; text that is no line of a log (a traceback) under `text`."""
        lines = self.log_file.read_text().splitlines()
        return [json.loads(line) if line.startswith("{") else {"text": line} for line in lines]

    def _status(self, name: str) -> int:
        text = Path(f"/proc/{self.process.pid}/status").read_text()
        found = re.search(rf"^{name}:\s+(\d+)", text, re.MULTILINE)
        assert found is not None
        return int(found[1])

    def memory(self) -> int:
        """Bytes in memory now."""
        return self._status("VmRSS") * 1024

    def peak(self) -> int:
        """The most bytes in memory since the last `forget_peak`."""
        return self._status("VmHWM") * 1024

    def forget_peak(self) -> None:
        Path(f"/proc/{self.process.pid}/clear_refs").write_text("5")

    def sockets(self) -> int:
        """How many sockets it has open."""
        open_ = 0
        for path in Path(f"/proc/{self.process.pid}/fd").iterdir():
            try:
                open_ += path.readlink().name.startswith("socket:")
            except FileNotFoundError:
                continue
        return open_

    def threads(self) -> int:
        return self._status("Threads")

    def connect(self, *, tls: bool = False) -> socket.socket:
        """A client's connection, greeted and ready for a query."""
        raw: socket.socket = socket.create_connection(("127.0.0.1", self.port), timeout=60)
        if tls:
            context = ssl.create_default_context(cafile=self.directory / "tls.crt")
            context.set_alpn_protocols(["postgresql"])
            raw = context.wrap_socket(raw, server_hostname="localhost")
        raw.sendall(STARTUP)
        greeting = b""
        while not greeting.endswith(b"Z\x00\x00\x00\x05I"):
            data = raw.recv(65536)
            if not data:
                raise AssertionError(f"no session came about: {greeting!r}")
            greeting += data
        return raw

    def end(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(30)

    def clear_away(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
