"""What is measured: a PostgreSQL with a million rows, pgbouncer, gates by different policies; all on loopback.

How they are loaded is `load.py`'s.
"""

from __future__ import annotations

import base64
import contextlib
import http.client
import os
import pwd
import secrets
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from bench.figures import Target
from bench.processes import BenchError, Program
from penstock_cli.demo.loopback import free_port
from penstock_cli.demo.postgres import EmbeddedPostgres

USER = "bench"
DBNAME = "bench"
_SETTINGS = {"shared_buffers": "256MB", "autovacuum": "off", "max_wal_size": "2GB", "max_connections": "300"}
_STARTING_SECONDS = 30.0
_SHIPPING_SECONDS = 60.0
_PGBOUNCER = Path("/usr/sbin/pgbouncer")
# Rows of customers, and pgbench's accounts, for each unit of scale.
ROWS = 100_000


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a target listens, and the process that stands between; none where the server itself listens."""

    target: Target
    port: int
    password: str
    program: Program | None = None
    # Where a gate tells its metrics.
    health: int = 0

    def rested_cpu_seconds(self) -> float:
        """What its process took so far, once it has nothing to do any more: what is to be shipped is shipped."""
        if self.program is None:
            return 0.0
        end = time.monotonic() + _SHIPPING_SECONDS
        while self.health and _waiting_events(self.health):
            if time.monotonic() > end:
                raise BenchError(f"{self.program.name} does not ship what it records")
            time.sleep(0.1)
        return self.program.settled_cpu_seconds()

    def environment(self) -> dict[str, str]:
        """How libpq's programs reach it."""
        return {
            "PGHOST": "127.0.0.1", "PGPORT": str(self.port), "PGUSER": USER, "PGPASSWORD": self.password,
            "PGDATABASE": DBNAME, "PGSSLMODE": "disable", "PGCONNECT_TIMEOUT": "10",
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class Stage:
    """All that runs."""

    directory: Path
    binaries: Path
    scale: int
    server_port: int
    password: str
    collector_port: int
    direct: Endpoint
    pgbouncer: Endpoint
    # No masks, `onFailure: continue` and `block`; continue with a mask on customers.email; two processes.
    penstock: Endpoint
    blocking: Endpoint
    masking: Endpoint
    doubled: Endpoint

    @property
    def rows(self) -> int:
        return self.scale * ROWS

    def another_gate(self, name: str) -> tuple[Endpoint, float]:
        """A gate like `penstock` that did nothing yet, and the seconds that it took to be ready. End it after use."""
        return _gate(self.directory / name, self.server_port, self.password, self.collector_port)


@dataclass(frozen=True, slots=True)
class Rules:
    """What the policy of a gate says that others don't."""

    on_failure: str = "continue"
    masked: bool = False


@contextlib.contextmanager
def stage(directory: Path, scale: int, *, synced: bool = False) -> Iterator[Stage]:
    """Start everything in `directory`, and end it again. Raises BenchError and PostgresError.

    `synced`: whether the server brings to the disk what it commits, too.
    """
    directory.chmod(0o711)  # the server runs in it under an account of its own
    with contextlib.ExitStack() as running:
        server = EmbeddedPostgres.start(
            directory / "postgres",
            settings={**_SETTINGS, "fsync": "on" if synced else "off"},
        )
        running.callback(server.stop)
        _fill(server, scale)
        sink = free_port()
        running.callback(
            Program.start("sink", [sys.executable, "-m", "bench.sink", str(sink)], directory / "sink.log").end
        )
        bouncer = _pgbouncer(directory / "pgbouncer", server)
        running.callback(_ended, bouncer)
        gates = []
        for name, rules, processes in (
            ("continue", Rules(), 1), ("block", Rules(on_failure="block"), 1), ("masks", Rules(masked=True), 1),
            ("doubled", Rules(), 2),
        ):  # fmt: skip
            gate, _ = _gate(directory / name, server.port, server.password, sink, rules, processes)
            running.callback(_ended, gate)
            gates.append(gate)
        yield Stage(
            directory, server.bin, scale, server.port, server.password, sink,
            Endpoint("direct", server.port, server.password), bouncer, *gates,
        )  # fmt: skip


def _ended(endpoint: Endpoint) -> None:
    if endpoint.program is not None:
        endpoint.program.end()


def _fill(server: EmbeddedPostgres, scale: int) -> None:
    server.psql(f"CREATE ROLE {USER} LOGIN PASSWORD '{server.password}'; CREATE DATABASE {DBNAME} OWNER {USER};")
    endpoint = Endpoint("direct", server.port, server.password)
    done = subprocess.run(
        [server.bin / "pgbench", "-i", "-q", "-s", str(scale)],
        env={**os.environ, **endpoint.environment()}, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    if done.returncode:
        raise BenchError(f"pgbench could not fill the database: {done.stderr.strip().splitlines()[-1:]}")
    server.psql(
        f"""
        SET ROLE {USER};
        CREATE TABLE customers AS SELECT id, 'Customer number ' || id AS name,
            'customer' || id || '@example.test' AS email, id % 1000 AS balance
            FROM generate_series(1, {scale * ROWS}) AS id;
        ALTER TABLE customers ADD PRIMARY KEY (id);
        RESET ROLE;
        VACUUM ANALYZE;
        CHECKPOINT;
        """,
        DBNAME,
    )


def _pgbouncer(directory: Path, server: EmbeddedPostgres) -> Endpoint:
    """A pgbouncer of our own, with a configuration of our own; the system's service is not touched."""
    if not _PGBOUNCER.exists():
        raise BenchError(f"{_PGBOUNCER} is missing: apt-get install pgbouncer")
    directory.mkdir()
    port = free_port()
    (directory / "users.txt").write_text(f'"{USER}" "{server.password}"\n')
    (directory / "pgbouncer.ini").write_text(
        f"""[databases]
{DBNAME} = host=127.0.0.1 port={server.port}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = scram-sha-256
auth_file = {directory / "users.txt"}
pool_mode = session
default_pool_size = 100
max_client_conn = 300
ignore_startup_parameters = extra_float_digits
server_tls_sslmode = disable
log_connections = 0
log_disconnections = 0
"""
    )
    account: dict[str, Any] = {}
    if os.geteuid() == 0:  # It refuses to run as root.
        entry = pwd.getpwnam("nobody")
        account = {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}
        for path in (directory, *directory.iterdir()):
            shutil.chown(path, "nobody")
    program = Program.start(
        "pgbouncer", [_PGBOUNCER, directory / "pgbouncer.ini"], directory.parent / "pgbouncer.log", account=account
    )
    _wait_for_port(program, port)
    return Endpoint("pgbouncer", port, server.password, program)


def _gate(
    directory: Path, server_port: int, password: str, sink: int, rules: Rules = Rules(), processes: int = 1
) -> tuple[Endpoint, float]:
    """A gate by its own policy, and the seconds until it was ready."""
    directory.mkdir()
    port, health = free_port(), free_port()
    (directory / "credentials").mkdir(mode=0o700)
    for name, text in (("username", USER), ("password", password)):
        (directory / "credentials" / name).write_text(text)
    (directory / "mask.key").write_text(base64.b64encode(secrets.token_bytes(32)).decode())
    (directory / "resources.yaml").write_text(yaml.safe_dump_all(_resources(server_port, rules)))
    configuration = {
        "listen": f"127.0.0.1:{port}",
        "health": f"127.0.0.1:{health}",
        "name": f"bench-{directory.name}",
        "namespace": "bench",
        "database": "bench",
        "resources": ["resources.yaml"],
        "maskKeyFile": "mask.key",
        "credentialsDir": "credentials",
        "identity": {"workload": {"namespace": "bench", "serviceAccount": "bench"}},
        "spool": {"path": "spool"},
        "collector": {"url": f"http://127.0.0.1:{sink}"},
        "processes": processes,
        "graceSeconds": 3,
    }
    (directory / "proxy.yaml").write_text(yaml.safe_dump(configuration))
    began = time.perf_counter()
    program = Program.start(
        f"penstock ({directory.name})",
        [sys.executable, "-m", "penstock_cli", "--log-level", "warning", "proxy", "--config", directory],
        directory / "gate.log",
    )
    try:
        wait_until_ready(program, health)
    except BaseException:
        program.end()
        raise
    return Endpoint("penstock", port, password, program, health), time.perf_counter() - began


def _resources(server_port: int, rules: Rules) -> list[dict[str, Any]]:
    head = {"apiVersion": "penstock.dev/v1alpha1", "metadata": {"name": "bench", "namespace": "bench"}}
    policy: dict[str, Any] = {
        "databaseRef": {"name": "bench"},
        "subjects": [{"serviceAccount": {"name": "bench"}}],
        "allow": ["select", "insert", "update", "delete"],
        "audit": {"sqlText": "normalized", "onFailure": rules.on_failure},
    }
    if rules.masked:
        policy["masks"] = [{"tags": ["pii.email"], "with": {"email": {}}}]
    return [
        {
            **head,
            "kind": "Database",
            "spec": {
                "host": "127.0.0.1", "port": server_port, "dbname": DBNAME, "tls": {"mode": "disable"},
                "credentialsSecretRef": {"name": "bench"},
                "classification": [{"columns": ["public.customers.email"], "tag": "pii.email"}],
            },
        },
        {**head, "kind": "DatabaseAccessPolicy", "spec": policy},
    ]  # fmt: skip


def _wait_for_port(program: Program, port: int) -> None:
    end = time.monotonic() + _STARTING_SECONDS
    while time.monotonic() < end:
        program.check()
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.02)
    raise BenchError(f"{program.name} does not listen")


def wait_until_ready(program: Program, port: int) -> None:
    end = time.monotonic() + _STARTING_SECONDS
    while time.monotonic() < end:
        program.check()
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        with contextlib.suppress(OSError), contextlib.closing(connection):
            connection.request("GET", "/readyz")
            if connection.getresponse().status == http.HTTPStatus.OK:
                return
        time.sleep(0.01)
    raise BenchError(f"{program.name} does not get ready")


def _waiting_events(health: int) -> int:
    """How many events a gate has still to ship."""
    connection = http.client.HTTPConnection("127.0.0.1", health, timeout=10)
    with contextlib.closing(connection):
        connection.request("GET", "/metrics")
        for line in connection.getresponse().read().decode().splitlines():
            if line.startswith("penstock_spool_events "):
                return int(float(line.split()[1]))
    raise BenchError("the gate does not tell what waits in its spool")
