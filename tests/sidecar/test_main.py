"""The program: `penstock proxy` in a process of its own, the core's governor deciding, until SIGTERM."""

from __future__ import annotations

import base64
import json
import os
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import psycopg
import pytest
import yaml

from penstock_cli.demo.postgres import EmbeddedPostgres

PASSWORD = "made-up for the program"
RESOURCES = """
apiVersion: penstock.dev/v1alpha1
kind: Database
metadata: {{name: till, namespace: shop}}
spec:
  host: 127.0.0.1
  port: {port}
  dbname: till
  tls: {{mode: disable}}
  credentialsSecretRef: {{name: till-db}}
  classification:
    - {{columns: ["public.customers.email"], tag: pii.email}}
---
apiVersion: penstock.dev/v1alpha1
kind: DatabaseAccessPolicy
metadata: {{name: web, namespace: shop}}
spec:
  databaseRef: {{name: till}}
  subjects:
    - serviceAccount: {{name: web}}
  allow: [select, insert, update, delete]
  masks:
    - {{tags: [pii.email], with: {{{mask}: {{}}}}}}
  guardrails:
    requireWhere: [update, delete]
{more}"""


class Program:
    """The running process, and what it logged so far."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.process = subprocess.Popen(
            [
                sys.executable,
                "-c",
                "from penstock_cli.main import main; main()",
                "--log-format",
                "json",
                "proxy",
                "--config",
                str(directory),
            ],
            stderr=subprocess.PIPE,
            text=True,
            env={name: value for name, value in os.environ.items() if not name.startswith("PENSTOCK_")},
        )
        self.log: list[dict[str, Any]] = []

    def wait_for(self, event: str) -> dict[str, Any]:
        return self._wait("event", event)

    def wait_for_level(self, level: str) -> dict[str, Any]:
        return self._wait("level", level)

    def _wait(self, key: str, value: str) -> dict[str, Any]:
        stderr = self.process.stderr
        assert stderr is not None
        for line in stderr:
            self.log.append(json.loads(line) if line.startswith("{") else {"event": line, "level": "text"})
            if self.log[-1][key] == value:
                return self.log[-1]
        raise AssertionError(f"{value!r} was never logged: {self.log}")

    def end(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        stderr: IO[str] | None = self.process.stderr
        assert stderr is not None
        self.log += [json.loads(line) for line in stderr]
        return self.process.wait(20)


@pytest.fixture(scope="module")
def till(postgres: EmbeddedPostgres) -> EmbeddedPostgres:
    postgres.psql(f"CREATE ROLE till LOGIN PASSWORD '{PASSWORD}'; CREATE DATABASE till OWNER till;")
    postgres.psql(
        "CREATE TABLE customers (id int PRIMARY KEY, email text);"
        "INSERT INTO customers VALUES (1, 'ada@example.com'); ALTER TABLE customers OWNER TO till;"
        "CREATE TABLE orders (id int PRIMARY KEY); ALTER TABLE orders OWNER TO till;",
        dbname="till",
    )
    return postgres


def write(directory: Path, server: EmbeddedPostgres, mask: str = "email", guardrails: str = "", **changes: Any) -> None:
    (directory / "credentials").mkdir(exist_ok=True)
    (directory / "credentials" / "username").write_text("till")
    (directory / "credentials" / "password").write_text(PASSWORD)
    (directory / "mask.key").write_text(base64.b64encode(b"k" * 32).decode())
    resources = directory / "resources.yaml.new"
    resources.write_text(RESOURCES.format(port=server.port, mask=mask, more=guardrails))
    resources.rename(directory / "resources.yaml")
    settings: dict[str, Any] = {
        "listen": "127.0.0.1:0", "health": "127.0.0.1:0", "database": "till", "namespace": "shop", "name": "till-gate",
        "resources": ["resources.yaml"], "maskKeyFile": "mask.key", "credentialsDir": "credentials",
        "identity": {"workload": {"namespace": "shop", "serviceAccount": "web"}},
        "spool": {"path": "spool"}, "graceSeconds": 1,
    }  # fmt: skip
    (directory / "proxy.yaml").write_text(yaml.safe_dump(settings | changes))


@pytest.fixture
def program(tmp_path: Path, till: EmbeddedPostgres) -> Iterator[Program]:
    write(tmp_path, till)
    one = Program(tmp_path)
    yield one
    if one.process.poll() is None:
        one.process.kill()
        one.process.wait()
    assert one.process.stderr is not None
    one.process.stderr.close()


def connect(address: str, **options: Any) -> psycopg.Connection[Any]:
    port = address.rpartition(":")[2]
    return psycopg.connect(
        f"host=127.0.0.1 port={port} user=app dbname=till sslmode=disable", autocommit=True, **options
    )


def get(address: str, path: str) -> str:
    with urllib.request.urlopen(f"http://{address}{path}", timeout=5) as answer:
        return answer.read().decode()


def test_masks_guards_changes_of_policy_and_a_clean_end(program: Program, till: EmbeddedPostgres) -> None:
    listening = program.wait_for("listening")
    with connect(listening["address"], prepare_threshold=0) as client:
        assert client.execute("SELECT * FROM customers").fetchall() == [(1, "a***@example.com")]
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match="WHERE") as refused:
            client.execute("DELETE FROM orders")
        assert refused.value.diag.message_hint
        # The policy is edited badly, then well; the session lives on.
        (program.directory / "resources.yaml").write_text("kind: Nonsense")
        bad = program.wait_for_level("warning")
        assert "Nonsense" in bad["event"]
        assert client.execute("SELECT email FROM customers").fetchone() == ("a***@example.com",)
        write(program.directory, till, mask="redact")
        program.wait_for("policy in force")
        assert client.execute("SELECT email FROM customers").fetchone() != ("a***@example.com",)
        assert client.execute("SELECT email FROM customers").fetchone() != ("ada@example.com",)
        metrics = get(listening["health"], "/metrics")
        assert 'penstock_statements_total{database="till",decision="deny"} 1.0' in metrics
        assert "policy generation" in get(listening["health"], "/readyz")
        assert get(listening["health"], "/healthz") == "ok\n"
    assert program.end() == 0
    assert not [line for line in program.log if "Traceback" in str(line) or line["level"] == "error"]


def test_limits_of_what_one_statement_may_take(program: Program, till: EmbeddedPostgres) -> None:
    listening = program.wait_for("listening")
    write(program.directory, till, guardrails="    maxRowsReturned: 5\n    statementTimeout: 2s\n")
    program.wait_for("policy in force")
    for threshold in (None, 0):
        with connect(listening["address"], prepare_threshold=threshold) as client:
            assert (
                client.execute("SELECT email FROM customers, generate_series(1, 5)").fetchall()
                == [("a***@example.com",)] * 5
            )
            with pytest.raises(psycopg.errors.InsufficientPrivilege, match="more than 5 rows") as refused:
                client.execute("SELECT email FROM customers, generate_series(1, 6)")
            assert refused.value.diag.message_detail == "Refused by policy web, rule guardrails.maxRowsReturned."
            for text in ("COPY customers TO STDOUT", "SELECT 1; SELECT 2"):
                with pytest.raises(psycopg.errors.InsufficientPrivilege, match="be limited to a number of rows"):
                    client.execute(text)
            with pytest.raises(psycopg.errors.InsufficientPrivilege, match="not be more than 2000 ms"):
                client.execute("SET statement_timeout = 0")
            client.execute("SET statement_timeout = '100ms'")
            with pytest.raises(psycopg.errors.QueryCanceled):
                client.execute("SELECT count(*) FROM generate_series(1, 100000000)")
            client.execute("RESET statement_timeout")
            assert client.execute("SHOW statement_timeout").fetchone() == ("2s",)
    assert program.end() == 0
    assert not [line for line in program.log if "Traceback" in str(line) or line["level"] == "error"]


def test_a_table_made_after_the_start_is_known_when_it_is_asked_for(program: Program, till: EmbeddedPostgres) -> None:
    listening = program.wait_for("listening")
    with connect(listening["address"]) as client:
        client.execute("SELECT 1")
        till.psql("CREATE TABLE fresh (id int); GRANT SELECT ON fresh TO till;", dbname="till")
        try:
            assert client.execute("SELECT * FROM fresh").fetchall() == []
        finally:
            till.psql("DROP TABLE fresh", dbname="till")
    assert program.end() == 0


def test_sessions_that_are_idle_are_told_and_the_program_ends(program: Program) -> None:
    listening = program.wait_for("listening")
    client = connect(listening["address"])
    client.execute("SELECT 1")
    assert program.end() == 0
    with pytest.raises(psycopg.OperationalError, match="shutting down"):
        client.execute("SELECT 1")
    client.close()


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"credentialsDir": None}, "settings: credentialsDir is needed with database: "),
        (
            {"databases": [{"name": "till", "credentialsDir": "c"}]},
            "settings: give database (one) or databases (several)",
        ),
        ({"listen": "nonsense"}, "listen: must be an address and a port, such as 127.0.0.1:5432"),
        ({"surprise": 1}, "surprise: extra inputs are not permitted"),
        ({"maskKeyFile": "nowhere"}, "maskKeyFile: "),
        ({"resources": ["nowhere.yaml"]}, "nowhere.yaml"),
    ],
)
def test_a_wrong_configuration_is_one_line(tmp_path: Path, till: EmbeddedPostgres, changes: Any, line: str) -> None:
    write(tmp_path, till, **changes)
    done = subprocess.run(
        [sys.executable, "-c", "from penstock_cli.main import main; main()", "proxy", "--config", str(tmp_path)],
        capture_output=True, text=True, timeout=30, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    (said,) = done.stderr.splitlines()
    assert said.startswith("penstock proxy: ")
    assert line in said
