"""What a suite runs against: a fresh PostgreSQL, and gates in front of its databases, as processes of this machine.

The gates enforce a policy that allows every verb, masks nothing and sets no guardrail, so that what a client sees may
change only where statements reach past the gate.
"""

from __future__ import annotations

import base64
import contextlib
import os
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml
from tests.sidecar.spooled import waiting

from penstock_cli.demo.loopback import free_port
from penstock_cli.demo.postgres import EmbeddedPostgres
from penstock_core.audit.event import Event

DEBIAN_15 = Path("/usr/lib/postgresql/15/bin")
_STARTING_SECONDS = 30
# Suites make far more events than a spool is meant to hold, and nobody fetches them.
_SPOOL_BYTES = 8 << 30
_VERBS = ["select", "insert", "update", "delete", "truncate", "create", "alter", "drop"]


class StageError(RuntimeError):
    """Something that the suites need does not start; the message says what."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a suite finds its databases: each name's port, and the login that direct connections need."""

    ports: Mapping[str, int]
    user: str
    password: str
    server: EmbeddedPostgres

    @property
    def dbname(self) -> str:
        """The first database, where a suite needs one only."""
        return next(iter(self.ports))

    @property
    def port(self) -> int:
        return self.ports[self.dbname]

    @property
    def variables(self) -> dict[str, str]:
        """What libpq and its relatives read."""
        return {
            "PGHOST": "127.0.0.1",
            "PGPORT": str(self.port),
            "PGUSER": self.user,
            "PGPASSWORD": self.password,
            "PGDATABASE": self.dbname,
        }

    def url(self, scheme: str = "postgresql") -> str:
        return f"{scheme}://{self.user}:{self.password}@127.0.0.1:{self.port}/{self.dbname}"


@contextlib.contextmanager
def server(directory: Path, version: int, settings: Mapping[str, str]) -> Iterator[EmbeddedPostgres]:
    """A fresh server of that version. Raises PostgresError and StageError."""
    if version == 15 and not (DEBIAN_15 / "postgres").exists():
        raise StageError(f"{DEBIAN_15}/postgres is missing: apt-get install postgresql-15")
    running = EmbeddedPostgres.start(
        directory, version=version, settings=settings, binaries=DEBIAN_15 if version == 15 else None
    )
    try:
        yield running
    finally:
        running.stop()


def direct(running: EmbeddedPostgres, dbnames: tuple[str, ...]) -> Place:
    """The server itself."""
    return Place(dict.fromkeys(dbnames, running.port), "postgres", running.password, running)


@contextlib.contextmanager
def through(running: EmbeddedPostgres, dbnames: tuple[str, ...], directory: Path) -> Iterator[Place]:
    """A gate in front of each database, logged in as the superuser that `direct` is. Raises StageError."""
    with contextlib.ExitStack() as gates:
        ports = {dbname: gates.enter_context(_gate(running, dbname, directory / dbname)) for dbname in dbnames}
        yield Place(ports, "postgres", running.password, running)


@contextlib.contextmanager
def _gate(running: EmbeddedPostgres, dbname: str, directory: Path) -> Iterator[int]:
    directory.mkdir(parents=True)
    with gate(directory, ("postgres", running.password), resources(running, dbname)) as port:
        yield port


@contextlib.contextmanager
def gate(
    directory: Path, login: tuple[str, str], resources: Sequence[object], changes: Mapping[str, object] | None = None
) -> Iterator[int]:
    """The port of a gate with those resources, logged in upstream by that name and password. Raises StageError.

    `changes` are settings in place of what the suites need.
    """
    credentials = directory / "credentials"
    credentials.mkdir()
    (credentials / "username").write_text(login[0])
    (credentials / "password").write_text(login[1])
    (directory / "mask.key").write_text(base64.b64encode(b"k" * 32).decode())
    (directory / "resources.yaml").write_text(yaml.safe_dump_all(resources))
    port = free_port()
    configuration = {
        "listen": f"127.0.0.1:{port}", "health": f"127.0.0.1:{free_port()}", "name": "conformance",
        "namespace": "conformance", "database": "tested", "resources": ["resources.yaml"], "maskKeyFile": "mask.key",
        "credentialsDir": "credentials", "graceSeconds": 1,
        "identity": {"workload": {"namespace": "conformance", "serviceAccount": "suite"}},
        "spool": {"path": "spool", "maxBytes": _SPOOL_BYTES}, **(changes or {}),
    }  # fmt: skip
    (directory / "proxy.yaml").write_text(yaml.safe_dump(configuration, sort_keys=False))
    log = directory / "gate.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "penstock_cli", "--log-format", "json", "proxy", "--config", str(directory)],
            stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True,
        )  # fmt: skip
    try:
        _wait_for_port(process, port, log)
        yield port
        if process.poll() is not None:
            raise StageError(f"the gate ended during the suite: {_last(log)}")
    finally:
        process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def resources(running: EmbeddedPostgres, dbname: str, changes: Mapping[str, object] | None = None) -> list[object]:
    """The database and a policy for it; `changes` are fields of the policy, beside what the suites need."""
    meta = {"namespace": "conformance"}
    database = {
        "host": "127.0.0.1", "port": running.port, "dbname": dbname, "tls": {"mode": "disable"},
        "credentialsSecretRef": {"name": "unused"},
    }  # fmt: skip
    policy = {
        "databaseRef": {"name": "tested"},
        "subjects": [{"serviceAccount": {"name": "suite"}}],
        "mode": "enforce",
        "allow": _VERBS,
        "audit": {"onFailure": "continue"},
        **(changes or {}),
    }
    return [
        {"apiVersion": "penstock.dev/v1alpha1", "kind": kind, "metadata": {"name": name, **meta}, "spec": spec}
        for kind, name, spec in (("Database", "tested", database), ("DatabaseAccessPolicy", "all", policy))
    ]


def recorded(directory: Path) -> dict[str, int]:
    """How many events of each kind they hold."""
    return dict(Counter(str(event["kind"]) for event in events(directory)))


def events(directory: Path) -> Iterator[Event]:
    """What the gates' spools below a directory hold."""
    for path in directory.glob("*/spool"):
        yield from waiting(path)


def _wait_for_port(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    end = time.monotonic() + _STARTING_SECONDS
    while time.monotonic() < end and process.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise StageError(f"the gate did not start: {_last(log)}")


def _last(log: Path) -> str:
    return f"{log} ends with: {' | '.join(log.read_text(errors='replace').strip().splitlines()[-3:])}"


def inherited() -> dict[str, str]:
    """This process's variables without those that would lead a client elsewhere."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("PG", "PYTEST_", "DJANGO_"))}
