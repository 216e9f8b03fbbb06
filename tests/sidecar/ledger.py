"""A server, a gate and a collector as processes that can be killed and started again, and disks that can be full.

What doesn't belong: when which of them is killed (`kills.py`), what is there afterwards (`aftermath.py`), the clients
(`load.py`).
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from tests.sidecar.load import Load
from tests.sidecar.spooled import waiting

from penstock_cli.demo.loopback import free_port
from penstock_cli.demo.postgres import EmbeddedPostgres

PASSWORD = "made-up for the ledger"
STREAM_TOKEN, VIEWER_TOKEN = "made-up-stream-token", "made-up-viewer-token"
RESOURCES = """
apiVersion: penstock.dev/v1alpha1
kind: Database
metadata: {{name: ledger, namespace: shop}}
spec:
  host: 127.0.0.1
  port: {port}
  dbname: ledger
  tls: {{mode: disable}}
  credentialsSecretRef: {{name: ledger-db}}
  classification:
    - {{columns: ["public.people.email"], tag: pii.email}}
---
apiVersion: penstock.dev/v1alpha1
kind: DatabaseAccessPolicy
metadata: {{name: web, namespace: shop}}
spec:
  databaseRef: {{name: ledger}}
  subjects:
    - serviceAccount: {{name: web}}
  allow: [select, insert]
  masks:
    - {{tags: [pii.email], with: {{email: {{}}}}}}
  audit: {{sqlText: full, onFailure: block}}
"""
# No key on the numbers: one that is there twice is to be seen.
TABLES = """
CREATE TABLE entries (number bigint, note text); CREATE TABLE repeats (number bigint);
CREATE TABLE people (email text); INSERT INTO people VALUES ('ada@example.com');
GRANT SELECT, INSERT ON ALL TABLES IN SCHEMA public TO ledger;
"""


class Program:
    """`penstock NAME …` on a port, which can be killed and started again."""

    def __init__(self, directory: Path, *arguments: str) -> None:
        self.arguments = arguments
        self.port = free_port()
        self.log = directory / f"{arguments[0]}.log"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "penstock_cli", "--log-format", "json", *self.arguments],
                env={name: value for name, value in os.environ.items() if not name.startswith("PENSTOCK_")},
                stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            )  # fmt: skip

    @property
    def runs(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def wait_until_it_listens(self) -> None:
        assert self.listens(180), f"it does not listen; its log ends with: {self.log.read_text()[-1000:]}"

    def listens(self, seconds: float) -> bool:
        """Whether it listens within that time, and has not ended before."""
        end = time.monotonic() + seconds
        while time.monotonic() < end and self.runs:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return True
            time.sleep(0.02)
        return False

    def lines(self) -> list[dict[str, Any]]:
        """What it logged."""
        return [json.loads(line) for line in self.log.read_text().splitlines() if line.endswith("}")]

    def end(self, number: signal.Signals) -> int:
        assert self.process is not None
        self.process.send_signal(number)
        return self.process.wait(180)

    def clear_away(self) -> None:
        if self.runs:
            self.end(signal.SIGKILL)


class Disk:
    """A small filesystem of its own, which can be filled to the last block."""

    def __init__(self, directory: Path, megabytes: int) -> None:
        self.place, self._image = directory / "disk", directory / "disk.image"
        self.place.mkdir()
        with self._image.open("wb") as image:
            image.truncate(megabytes << 20)
        subprocess.run(["mkfs.ext4", "-q", "-m", "0", self._image], check=True)
        subprocess.run(["mount", "-o", "loop", self._image, self.place], check=True)

    def remove(self) -> None:
        subprocess.run(["umount", "-l", self.place], check=True)
        self._image.unlink()

    @contextlib.contextmanager
    def full(self) -> Iterator[None]:
        """What becomes free meanwhile is taken at once, as on a disk that others fill."""
        over = threading.Event()
        filler = threading.Thread(target=self._fill, args=(over,))
        filler.start()
        try:
            yield
        finally:
            over.set()
            filler.join()
            (self.place / "ballast").unlink()

    def _fill(self, over: threading.Event) -> None:
        with (self.place / "ballast").open("wb", buffering=0) as ballast:
            size = taken = 0
            while not over.is_set():
                try:
                    os.posix_fallocate(ballast.fileno(), taken, size := size or 1 << 22)
                    taken += size
                except OSError:
                    # Down to the last block, then again when something was freed.
                    size >>= 1
                    if size < 512:
                        size = 1 << 16
                        time.sleep(0.01)


@dataclass
class Ledger:
    """All that runs, for one series of kills."""

    directory: Path
    server: EmbeddedPostgres
    load: Load
    gate: Program
    collector: Program
    # What the spool or the store is on, where that is small.
    disk: Disk | None = None
    rng: random.Random = field(default_factory=random.Random)

    @property
    def spool(self) -> Path:
        return Path(yaml.safe_load((self.directory / "proxy.yaml").read_text())["spool"]["path"])

    def until_all_is_shipped(self) -> None:
        """However many events there are: as long as they become fewer."""
        left, end = len(waiting(self.spool)), time.monotonic() + 120
        while left:
            assert time.monotonic() < end, f"{left} events are still in the spool, and nothing is shipped"
            # To read many takes some of the machine, too.
            time.sleep(0.2 if left < 1000 else 3.0)
            now = len(waiting(self.spool))
            if now < left:
                left, end = now, time.monotonic() + 120


def prepared(server: EmbeddedPostgres) -> None:
    """The server with a role and an empty database for a ledger."""
    server.psql(
        f"DO $$ BEGIN CREATE ROLE ledger LOGIN PASSWORD '{PASSWORD}'; EXCEPTION WHEN duplicate_object THEN NULL; END $$"
    )
    server.psql("DROP DATABASE IF EXISTS ledger WITH (FORCE)")
    server.psql("CREATE DATABASE ledger")
    server.psql("ALTER DATABASE ledger SET log_statement = 'mod'")
    server.psql(TABLES, dbname="ledger")


@contextlib.contextmanager
def opened(directory: Path, server: EmbeddedPostgres, first: int, pause: float, small: str) -> Iterator[Ledger]:
    """A ledger of which nothing runs yet; clients count from `first`, and pause between two things that they do.

    `small`: whose disk is, "spool" or "store".
    """
    prepared(server)
    gate, collector = Program(directory, "proxy", "--config", str(directory)), Program(directory, "collector")
    load = Load(f"host=127.0.0.1 port={gate.port} user=app dbname=ledger sslmode=disable", first, pause)
    with contextlib.ExitStack() as running:
        disk = None
        if small:
            disk = Disk(directory, 16 if small == "spool" else 256)
            running.callback(disk.remove)
        ledger = Ledger(directory, server, load, gate, collector, disk)
        _write_settings(ledger, small)
        running.callback(collector.clear_away)
        running.callback(gate.clear_away)
        running.callback(load.stop)
        yield ledger


def _write_settings(ledger: Ledger, small: str) -> None:
    directory, gate, collector = ledger.directory, ledger.gate, ledger.collector
    places = {"spool": directory / "spool", "store": directory / "audit.db"}
    if ledger.disk is not None:
        places[small] = ledger.disk.place / places[small].name
    (directory / "credentials").mkdir()
    files = {
        "credentials/username": "ledger", "credentials/password": PASSWORD, "stream.token": STREAM_TOKEN,
        "mask.key": base64.b64encode(b"k" * 32).decode(), "resources.yaml": RESOURCES.format(port=ledger.server.port),
        "stream-tokens": f"{hashlib.sha256(STREAM_TOKEN.encode()).hexdigest()} ledger-gate\n",
        "viewer-tokens": f"{hashlib.sha256(VIEWER_TOKEN.encode()).hexdigest()} auditor\n",
    }  # fmt: skip
    for name, text in files.items():
        (directory / name).write_text(text)
    settings = {
        "listen": f"127.0.0.1:{gate.port}", "health": "127.0.0.1:0", "database": "ledger", "namespace": "shop",
        "name": "ledger-gate", "resources": ["resources.yaml"], "maskKeyFile": "mask.key",
        "credentialsDir": "credentials", "identity": {"workload": {"namespace": "shop", "serviceAccount": "web"}},
        "spool": {"path": str(places["spool"])}, "graceSeconds": 30,
        "collector": {"url": f"http://127.0.0.1:{collector.port}", "tokenFile": "stream.token"},
    }  # fmt: skip
    (directory / "proxy.yaml").write_text(yaml.safe_dump(settings))
    collector.arguments += (
        "--listen", f"127.0.0.1:{collector.port}", "--database", str(places["store"]),
        "--stream-tokens-file", str(directory / "stream-tokens"),
        "--viewer-tokens-file", str(directory / "viewer-tokens"),
    )  # fmt: skip
