"""The program, killed with SIGKILL at any moment under load: of what ran, the trail lacks nothing and has none twice.

A real server, a collector and a gate as processes; clients that write and read while the gate is killed and started
again on the same spool, and now and then the collector too. Five times here; PENSTOCK_KILLS says how often else
(`make kill`: fifty). Which statements the server ran is known from its tables and from its own log.
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
import time
import urllib.request
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.sidecar.load import NUMBER, REPEATED, Load
from tests.sidecar.spooled import waiting

from penstock_cli.demo.postgres import EmbeddedPostgres
from penstock_core.audit.event import BEGINS, ENDS, OWN
from penstock_core.audit.verify import Report, verify

KILLS = int(os.environ.get("PENSTOCK_KILLS", "5"))
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
pytestmark = pytest.mark.timeout(120 + 15 * KILLS)


class Program:
    """`penstock NAME …` on a port, which can be killed and started again."""

    def __init__(self, directory: Path, port: int, *arguments: str) -> None:
        self.arguments = arguments
        self.port = port
        self.log = directory / f"{arguments[0]}.log"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "penstock_cli", "--log-format", "json", *self.arguments],
                env={name: value for name, value in os.environ.items() if not name.startswith("PENSTOCK_")},
                stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            )  # fmt: skip

    def wait_until_it_listens(self) -> None:
        assert self.process is not None
        end = time.monotonic() + 60
        while time.monotonic() < end and self.process.poll() is None:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.02)
        raise AssertionError(f"it does not listen; its log ends with: {self.log.read_text()[-1000:]}")

    def end(self, number: signal.Signals) -> int:
        assert self.process is not None
        self.process.send_signal(number)
        return self.process.wait(60)

    def clear_away(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()


@dataclass(frozen=True)
class Aftermath:
    """What is there once all is over: what clients and server know, and what the collector has."""

    load: Load
    in_tables: list[int]
    repeats: int
    # Of writes the server was asked to run, whether they were committed or not.
    server_ran: set[int]
    events: list[dict[str, Any]]
    report: Report
    left_in_spool: int
    logs: str

    @property
    def intents(self) -> list[dict[str, Any]]:
        return [event for event in self.events if event["kind"] in BEGINS]

    def by_number(self) -> dict[int, list[tuple[str, str, int]]]:
        found: dict[int, list[tuple[str, str, int]]] = defaultdict(list)
        for intent in self.intents:
            for number in NUMBER.findall(intent["sql"]):
                found[int(number)].append(key(intent))
        return found

    def results(self) -> dict[tuple[str, str, int], list[str]]:
        found: dict[tuple[str, str, int], list[str]] = defaultdict(list)
        for event in self.events:
            if event["kind"] in ENDS:
                found[key(event)].append(event["result"])
        return found


def key(event: dict[str, Any]) -> tuple[str, str, int]:
    return event["stream"], event["session"], event["statement"]


@pytest.fixture(scope="module")
def ledger(postgres: EmbeddedPostgres) -> EmbeddedPostgres:
    postgres.psql(f"CREATE ROLE ledger LOGIN PASSWORD '{PASSWORD}'; CREATE DATABASE ledger;")
    postgres.psql("ALTER DATABASE ledger SET log_statement = 'mod'")
    # No key on the numbers: one that is there twice is to be seen.
    postgres.psql(
        "CREATE TABLE entries (number bigint, note text); CREATE TABLE repeats (number bigint);"
        "CREATE TABLE people (email text); INSERT INTO people VALUES ('ada@example.com');"
        "GRANT SELECT, INSERT ON ALL TABLES IN SCHEMA public TO ledger;",
        dbname="ledger",
    )
    return postgres


@pytest.fixture(scope="module")
def aftermath(ledger: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Aftermath]:
    directory = tmp_path_factory.mktemp("killed")
    collector = Program(directory, free_port(), "collector")
    gate = Program(directory, free_port(), "proxy", "--config", str(directory))
    write_settings(directory, ledger, gate, collector)
    load = Load(f"host=127.0.0.1 port={gate.port} user=app dbname=ledger sslmode=disable")
    with contextlib.ExitStack() as running:
        running.callback(collector.clear_away)
        running.callback(gate.clear_away)
        running.callback(load.stop)
        collector.start()
        collector.wait_until_it_listens()
        load.start()
        play(gate, collector)
        load.stop()
        assert gate.end(signal.SIGTERM) == 0, gate.log.read_text()[-2000:]
        yield look(directory, ledger, load, collector)


def play(gate: Program, collector: Program) -> None:
    """Start the gate and kill it, again and again; the last one stays."""
    rng = random.Random()
    for turn in range(KILLS):
        gate.start()
        if turn % 4 == 3:
            # While it starts: recovers the spool, reads policies, listens.
            time.sleep(rng.uniform(0.2, 1.2))
        else:
            gate.wait_until_it_listens()
            time.sleep(rng.uniform(0.3, 2.0))
        if turn % 5 == 2:
            collector.end(signal.SIGKILL)
            time.sleep(rng.uniform(0.0, 0.3))
        gate.end(signal.SIGKILL)
        if turn % 5 == 4:
            # Meanwhile the spool held what several gates had left.
            collector.start()
    if KILLS % 5 in (3, 4):
        collector.start()
    gate.start()
    gate.wait_until_it_listens()
    collector.wait_until_it_listens()
    time.sleep(1.0)


def look(directory: Path, ledger: EmbeddedPostgres, load: Load, collector: Program) -> Aftermath:
    end = time.monotonic() + 30
    while ledger.psql("SELECT count(*) FROM pg_stat_activity WHERE usename = 'ledger'").strip() != "0":
        assert time.monotonic() < end, "sessions of gates that were killed are still there"
        time.sleep(0.1)
    request = urllib.request.Request(
        f"http://127.0.0.1:{collector.port}/v1/export", headers={"Authorization": f"Bearer {VIEWER_TOKEN}"}
    )
    with urllib.request.urlopen(request, timeout=60) as answer:
        events = [one for line in answer if not (one := json.loads(line)).get("stream", OWN).startswith(OWN)]
    events = [one for one in events if "export" not in one]
    log = (ledger.directory / "postgres.log").read_text(errors="replace")
    ran = [line for line in log.splitlines() if "INSERT INTO entries" in line]
    return Aftermath(
        load=load,
        in_tables=[int(number) for number in ledger.psql("SELECT number FROM entries", dbname="ledger").split()],
        repeats=int(ledger.psql("SELECT count(*) FROM repeats", dbname="ledger")),
        server_ran={int(number) for line in ran for number in NUMBER.findall(line)},
        events=events,
        report=verify(events),
        left_in_spool=len(waiting(directory / "spool")),
        logs="".join((directory / f"{name}.log").read_text() for name in ("proxy", "collector")),
    )


def write_settings(directory: Path, server: EmbeddedPostgres, gate: Program, collector: Program) -> None:
    (directory / "credentials").mkdir()
    files = {
        "credentials/username": "ledger", "credentials/password": PASSWORD, "stream.token": STREAM_TOKEN,
        "mask.key": base64.b64encode(b"k" * 32).decode(), "resources.yaml": RESOURCES.format(port=server.port),
        "stream-tokens": f"{hashlib.sha256(STREAM_TOKEN.encode()).hexdigest()} ledger-gate\n",
        "viewer-tokens": f"{hashlib.sha256(VIEWER_TOKEN.encode()).hexdigest()} auditor\n",
    }  # fmt: skip
    for name, text in files.items():
        (directory / name).write_text(text)
    settings = {
        "listen": f"127.0.0.1:{gate.port}", "health": "127.0.0.1:0", "database": "ledger", "namespace": "shop",
        "name": "ledger-gate", "resources": ["resources.yaml"], "maskKeyFile": "mask.key",
        "credentialsDir": "credentials", "identity": {"workload": {"namespace": "shop", "serviceAccount": "web"}},
        "spool": {"path": "spool"}, "graceSeconds": 30,
        "collector": {"url": f"http://127.0.0.1:{collector.port}", "tokenFile": "stream.token"},
    }  # fmt: skip
    (directory / "proxy.yaml").write_text(yaml.safe_dump(settings))
    collector.arguments += (
        "--listen", f"127.0.0.1:{collector.port}", "--database", str(directory / "audit.db"),
        "--stream-tokens-file", str(directory / "stream-tokens"),
        "--viewer-tokens-file", str(directory / "viewer-tokens"),
    )  # fmt: skip


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_clients_worked_and_were_interrupted(aftermath: Aftermath, pytestconfig: pytest.Config) -> None:
    """Else nothing below would say anything."""
    assert aftermath.load.surprises == []
    assert len(aftermath.load.written) > 20 * KILLS
    assert len(aftermath.load.read) > 10 * KILLS
    assert aftermath.load.interrupted > KILLS
    results = Counter(result for results in aftermath.results().values() for result in results)
    assert results["unknown"] >= KILLS // 2
    # Seen with `-s`, as `make kill` has it.
    pytestconfig.get_terminal_writer().line(
        f"\n{KILLS} kills: {len(aftermath.server_ran)} writes ran, {len(aftermath.in_tables)} of them for good; "
        f"{aftermath.repeats} of the prepared one; {len(aftermath.load.read)} reads answered; "
        f"{aftermath.load.interrupted} interrupted; {len(aftermath.report.streams)} streams with "
        f"{len(aftermath.events)} events; outcomes {dict(results)}"
    )


def test_what_clients_were_told_is_written_is_there_once(aftermath: Aftermath) -> None:
    assert [number for number, count in Counter(aftermath.in_tables).items() if count > 1] == []
    assert aftermath.load.written - set(aftermath.in_tables) == set()
    assert set(aftermath.in_tables) - aftermath.server_ran == set()


def test_every_write_that_the_server_ran_has_its_intent_once(aftermath: Aftermath) -> None:
    intents = aftermath.by_number()
    wrong = {number: intents[number] for number in aftermath.server_ran if len(intents[number]) != 1}
    assert wrong == {}


def test_every_read_that_was_answered_has_its_intent_once(aftermath: Aftermath) -> None:
    intents = aftermath.by_number()
    wrong = {number: intents[number] for number in aftermath.load.read if len(intents[number]) != 1}
    assert wrong == {}


def test_every_run_of_a_prepared_statement_has_its_intent(aftermath: Aftermath) -> None:
    count = sum(intent["sql"] == REPEATED for intent in aftermath.intents)
    assert aftermath.repeats <= count <= aftermath.load.repeats_tried


def test_no_statement_is_in_the_trail_twice(aftermath: Aftermath) -> None:
    assert [number for number, intents in aftermath.by_number().items() if len(intents) > 1] == []
    assert [one for one, count in Counter(map(key, aftermath.intents)).items() if count > 1] == []


def test_every_intent_has_one_outcome_and_none_says_that_what_ran_did_not(aftermath: Aftermath) -> None:
    results, intents = aftermath.results(), aftermath.by_number()
    assert {one: results[one] for one in map(key, aftermath.intents) if len(results[one]) != 1} == {}
    assert set(results) - set(map(key, aftermath.intents)) == set()
    ran = {*aftermath.in_tables, *aftermath.load.read}
    told = Counter(results[one][0] for number in ran for one in intents[number])
    assert set(told) <= {"ok", "unknown"}


def test_every_chain_verifies_and_is_closed(aftermath: Aftermath) -> None:
    report = aftermath.report
    assert report.findings == ()
    assert [(stream.stream, stream.notes) for stream in report.streams if stream.notes] == []
    # One of each gate that came so far as to record that it opened, and of the last one at least.
    assert KILLS // 2 < len(report.streams) <= KILLS + 1
    reasons = Counter(event["reason"] for event in aftermath.events if event["kind"] == "close")
    assert reasons.pop("shutdown") == 1
    assert set(reasons) == {"the process ended without closing this stream"}
    assert [event for event in aftermath.events if event["kind"] == "loss"] == []


def test_nothing_is_left_in_the_spool_and_no_log_has_a_traceback(aftermath: Aftermath) -> None:
    assert aftermath.left_in_spool == 0
    assert "Traceback" not in aftermath.logs
