"""A gate with several processes, looked at from outside: one gate to clients, to health and to who ends it."""

from __future__ import annotations

import os
import re
import signal
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import psycopg
import pytest
from tests.sidecar.program import Program, yard
from tests.sidecar.proxy.test_tokens import issuers, token

from penstock_cli.demo.postgres import EmbeddedPostgres

RESOURCES = """
apiVersion: penstock.dev/v1alpha1
kind: Database
metadata: {{name: yard, namespace: shop}}
spec:
  host: 127.0.0.1
  port: {port}
  dbname: yard
  tls: {{mode: disable}}
  credentialsSecretRef: {{name: yard-db}}
  classification:
    - {{columns: ["public.people.email"], tag: pii.email}}
---
apiVersion: penstock.dev/v1alpha1
kind: DatabaseAccessPolicy
metadata: {{name: web, namespace: shop}}
spec:
  databaseRef: {{name: yard}}
  subjects: [{{identity: {{groups: [clerks]}}}}]
  allow: [select, insert, update, delete]
  masks:
    - {{tags: [pii.email], with: {{{mask}: {{}}}}}}
---
apiVersion: penstock.dev/v1alpha1
kind: DatabaseAccessPolicy
metadata: {{name: owner, namespace: shop}}
spec:
  databaseRef: {{name: yard}}
  subjects: [{{identity: {{groups: [owners]}}}}]
  allow: [select, insert, update, delete, create, alter, drop]
"""
RAW = "raw@example.com"
PLAIN = "CREATE OR REPLACE VIEW shown AS SELECT name AS txt FROM people"
SECRET = "CREATE OR REPLACE VIEW shown AS SELECT email AS txt FROM people"
WORKERS = 3


@pytest.fixture(scope="module")
def server(postgres: EmbeddedPostgres) -> EmbeddedPostgres:
    yard(postgres)
    postgres.psql("ALTER SCHEMA public OWNER TO yard", dbname="yard")
    tables = "CREATE TABLE people (name text, email text); CREATE TABLE written (txt text);"
    row = f"INSERT INTO people VALUES ('ada', '{RAW}');"
    postgres.psql(f"SET ROLE yard; {tables} {row} {PLAIN}", dbname="yard")
    return postgres


def write_resources(directory: Path, server: EmbeddedPostgres, mask: str = "email") -> None:
    beside = directory / "workers.new"
    beside.write_text(RESOURCES.format(port=server.port, mask=mask))
    beside.replace(directory / "workers.yaml")


SECOND = """
apiVersion: penstock.dev/v1alpha1
kind: Database
metadata: {{name: second, namespace: shop}}
spec: {{host: 127.0.0.1, port: {port}, dbname: yard, tls: {{mode: disable}}, credentialsSecretRef: {{name: yard-db}}}}
---
apiVersion: penstock.dev/v1alpha1
kind: DatabaseAccessPolicy
metadata: {{name: second, namespace: shop}}
spec:
  databaseRef: {{name: second}}
  subjects: [{{identity: {{groups: [clerks]}}}}]
  allow: [select]
"""


class Gate:
    """The running gate, and what its log and health tell of its workers."""

    def __init__(self, directory: Path, server: EmbeddedPostgres, **changes: Any) -> None:
        write_resources(directory, server)
        settings = {"processes": WORKERS, "resources": ["workers.yaml"], "identity": issuers(directory), **changes}
        self.program = Program.start(directory, server, **settings)

    def connect(self, group: str = "clerks") -> psycopg.Connection[Any]:
        """A session with masks, or of the group `owners`, without."""
        return psycopg.connect(
            host="127.0.0.1", port=self.program.port, user="app", dbname="yard", sslmode="disable", autocommit=True,
            password=token(groups=[group], exp=int(time.time()) + 900),
        )  # fmt: skip

    def get(self, path: str) -> str:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.program.health}{path}", timeout=5) as answer:
            return str(answer.read().decode())

    def metric(self, name: str) -> float:
        found = re.findall(rf"^{re.escape(name)} (\S+)$", self.get("/metrics"), re.MULTILINE)
        return sum(map(float, found))

    def workers(self) -> dict[int, int]:
        """Their processes by their numbers, as the log tells them."""
        return {line["number"]: line["pid"] for line in self.program.log() if line.get("event") == "worker started"}


def until(condition: Callable[[], bool], words: str, seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, words
        time.sleep(0.05)


def runs(pid: int) -> bool:
    try:
        return ") Z " not in Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return False


def children(pid: int) -> list[int]:
    return [int(one) for task in Path(f"/proc/{pid}/task").iterdir() for one in (task / "children").read_text().split()]


@pytest.fixture(scope="module")
def gate(server: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gate]:
    one = Gate(tmp_path_factory.mktemp("workers"), server)
    yield one
    one.program.clear_away()


@pytest.fixture
def fresh(server: EmbeddedPostgres, tmp_path: Path) -> Iterator[Gate]:
    one = Gate(tmp_path, server)
    yield one
    one.program.clear_away()


def spread(gate: Gate, sessions: ExitStack) -> list[psycopg.Connection[Any]]:
    """Sessions with more than one worker."""
    found: list[psycopg.Connection[Any]] = []

    until(lambda: gate.metric("penstock_sessions_open") == 0, "sessions of before are still there")

    def of_workers() -> list[float]:
        told = re.findall(r'^penstock_worker_sessions\{worker="\d"\} (\S+)$', gate.get("/metrics"), re.MULTILINE)
        return [float(one) for one in told]

    for _ in range(25):
        found += [sessions.enter_context(gate.connect()) for _ in range(4)]
        time.sleep(1.2)
        if sum(count > 0 for count in of_workers()) > 1:
            return found
    raise AssertionError(f"all sessions are with one worker: {of_workers()}")


@pytest.mark.timeout(300)
def test_no_session_of_any_worker_is_decided_by_the_catalog_of_before_a_change(gate: Gate) -> None:
    seen: set[str] = set()
    trouble: list[str] = []
    stop = threading.Event()

    def ask(session: psycopg.Connection[Any], number: int) -> None:
        while not stop.wait(0.03):
            try:
                if number % 3:
                    rows = session.execute("SELECT txt FROM shown", prepare=number % 2 == 0).fetchall()
                else:
                    rows = session.execute("INSERT INTO written SELECT txt FROM shown RETURNING txt").fetchall()
                seen.update(row[0] for row in rows)
            except (psycopg.errors.LockNotAvailable, psycopg.errors.SerializationFailure):
                continue
            except psycopg.Error as error:
                trouble.append(str(error))
                return

    with ExitStack() as open_:
        sessions = spread(gate, open_)
        changing = open_.enter_context(gate.connect("owners"))
        changed = 0
        with ThreadPoolExecutor(len(sessions)) as threads:
            for number, session in enumerate(sessions):
                threads.submit(ask, session, number)
            end = time.monotonic() + 60
            try:
                while changed < 12 and time.monotonic() < end:
                    changed += _done(changing, PLAIN if changed % 2 else SECRET)
                    time.sleep(0.3)
            finally:
                stop.set()
    assert trouble == []
    assert changed >= 12
    assert RAW not in seen
    assert "ada" in seen


def test_the_next_statement_of_each_session_is_decided_by_what_was_changed(gate: Gate) -> None:
    with ExitStack() as open_:
        sessions = spread(gate, open_)
        for changing in [open_.enter_context(gate.connect("owners")) for _ in range(4)]:
            for text, shown in ((SECRET, "r***@example.com"), (PLAIN, "ada")):
                changing.execute(text)
                assert {one.execute("SELECT txt FROM shown").fetchone() for one in sessions} == {(shown,)}
            # One that comes to nothing holds up nobody.
            with pytest.raises(psycopg.Error):
                changing.execute("ALTER TABLE missing ADD COLUMN x int")
            assert {one.execute("SELECT txt FROM shown").fetchone() for one in sessions} == {("ada",)}


def test_a_request_to_cancel_finds_its_session_whichever_worker_it_reaches(gate: Gate) -> None:
    with ExitStack() as open_:
        for session in spread(gate, open_):
            began = time.monotonic()
            timer = threading.Timer(0.2, session.cancel)
            timer.start()
            with pytest.raises(psycopg.errors.QueryCanceled):
                session.execute("SELECT pg_sleep(20)")
            timer.join()
            assert time.monotonic() - began < 10


def test_health_and_metrics_are_one_gates(gate: Gate) -> None:
    with ExitStack() as open_:
        before = gate.metric('penstock_statements_total{database="yard",decision="allow"}')
        sessions = spread(gate, open_)
        for session in sessions:
            session.execute("SELECT 1")
        name = 'penstock_statements_total{database="yard",decision="allow"}'
        until(lambda: gate.metric(name) >= before + len(sessions), "not all statements are counted")
        until(lambda: gate.metric("penstock_sessions_open") == len(sessions), "not all sessions are counted")
    assert gate.metric("penstock_workers") == WORKERS
    ready = gate.get("/readyz")
    assert re.findall(r"worker (\d): policy generation", ready) == ["1", "2", "3"]
    assert gate.metric('penstock_policy_generation{database="yard",worker="3"}') > 0


def test_a_change_of_the_policy_reaches_all_workers(gate: Gate, server: EmbeddedPostgres) -> None:
    with ExitStack() as open_:
        sessions = spread(gate, open_)
        write_resources(gate.program.directory, server, mask="redact")
        until(
            lambda: all(one.execute("SELECT email FROM people").fetchone() == ("***",) for one in sessions),
            "some sessions are decided by the former policy",
        )
        write_resources(gate.program.directory, server)


@pytest.mark.timeout(300)
def test_a_worker_that_dies_is_started_again_and_takes_over_its_spool(fresh: Gate) -> None:
    with ExitStack() as open_:
        sessions = spread(fresh, open_)
        number, pid = 2, fresh.workers()[2]
        os.kill(pid, signal.SIGKILL)
        until(lambda: fresh.workers()[number] != pid, "it is not started again")
        until(lambda: len(re.findall("policy generation", fresh.get("/readyz"))) == WORKERS, "it is not ready")
        left = [one for one in sessions if _lives(one)]
        assert left, "the others' sessions go on"
        # Changes are agreed to by who is there now.
        changing = open_.enter_context(fresh.connect("owners"))
        for text in (SECRET, PLAIN):
            until(lambda: _done(changing, text), "the catalog can't be changed any more")  # noqa: B023
        directory = fresh.program.directory / "spool-2"
        until(lambda: len(_streams(directory)) == 2, "its spool was not taken over")
    assert fresh.program.end() == 0
    assert any(b"without closing" in path.read_bytes() for path in directory.glob("*.log"))
    assert not [line for line in fresh.program.log() if "text" in line]


def _lives(session: psycopg.Connection[Any]) -> bool:
    try:
        return session.execute("SELECT 1").fetchone() == (1,)
    except psycopg.OperationalError:
        return False


def _done(session: psycopg.Connection[Any], text: str) -> bool:
    try:
        session.execute(text)
    except psycopg.errors.LockNotAvailable:
        return False
    return True


def _streams(directory: Path) -> set[str]:
    return {path.name.partition("-")[0] for path in directory.glob("??????-*.log")}


@pytest.mark.timeout(300)
def test_nothing_is_left_where_the_supervisor_is_killed_and_fewer_leave_no_spool_behind(
    fresh: Gate, server: EmbeddedPostgres
) -> None:
    workers = fresh.workers().values()
    assert sorted(children(fresh.program.process.pid)) == sorted(workers)
    fresh.program.process.kill()
    fresh.program.process.wait()
    until(lambda: not any(map(runs, workers)), "workers have outlived their supervisor", seconds=5)
    (fresh.program.directory / "credentials" / "username").unlink()
    (fresh.program.directory / "credentials" / "password").unlink()
    (fresh.program.directory / "credentials").rmdir()
    with pytest.raises(AssertionError, match=r"processes: 2 is less than before, and audit events wait in .*spool-3"):
        Gate(fresh.program.directory, server, processes=2)


def test_each_database_has_an_address_of_its_own_in_all_workers(tmp_path: Path, server: EmbeddedPostgres) -> None:
    (tmp_path / "second.yaml").write_text(SECOND.format(port=server.port))
    own = {"credentialsDir": "credentials", "maskKeyFile": "mask.key", "listen": "127.0.0.1:0"}
    alone = ("listen", "database", "credentialsDir", "maskKeyFile")
    gate = Gate(
        tmp_path, server, **dict.fromkeys(alone), databases=[{"name": name, **own} for name in ("yard", "second")],
        resources=["workers.yaml", "second.yaml"],
    )  # fmt: skip
    try:
        until(lambda: gate.get("/readyz").count("second: policy generation") == WORKERS, "all are ready")
        (listening,) = [line for line in gate.program.log() if line.get("event") == "listening"]
        seen: dict[int, set[str]] = {}
        for port in [int(one.rpartition(":")[2]) for one in listening["address"].split(", ")]:
            gate.program.port = port
            # So many that each worker has had some.
            with ThreadPoolExecutor(8) as pool:
                emails = pool.map(lambda _: email(gate), range(24))
            seen[port] = set(emails)
        assert list(seen.values()) == [{"r***@example.com"}, {RAW}]
    finally:
        gate.program.clear_away()


def email(gate: Gate) -> str:
    with gate.connect() as session:
        found = session.execute("SELECT email FROM people").fetchone()
        assert found is not None
        return str(found[0])
