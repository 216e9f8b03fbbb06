"""The program and the process that ships for it, looked at from outside: who ends with whom, and what is told."""

from __future__ import annotations

import os
import re
import signal
import socket
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.sidecar.program import Program, yard

from penstock_cli.demo.postgres import EmbeddedPostgres
from penstock_sidecar.wire.messages import query

MEGABYTE = 1 << 20
# What the injector asks for by default, for both together.
REQUESTED = 128 * MEGABYTE


@pytest.fixture
def gate(postgres: EmbeddedPostgres, tmp_path: Path) -> Iterator[Program]:
    """Its collector is away."""
    (tmp_path / "stream.token").write_text("made-up-stream-token")
    with socket.socket() as taken:
        # Nobody listens there, and nobody else will.
        taken.bind(("127.0.0.1", 0))
        collector = {"url": f"http://127.0.0.1:{taken.getsockname()[1]}", "tokenFile": "stream.token"}
        program = Program.start(tmp_path, yard(postgres), collector=collector)
        yield program
        program.clear_away()


def get(gate: Program, path: str) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{gate.health}{path}", timeout=5) as answer:
        return str(answer.read().decode())


def metric(gate: Program, name: str) -> float:
    found = re.search(rf"^{name} (\S+)$", get(gate, "/metrics"), re.MULTILINE)
    assert found is not None, name
    return float(found[1])


def until(condition: Callable[[], bool], words: str, seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, words
        time.sleep(0.05)


def shipper(gate: Program) -> int:
    """The number of its process, as health tells it."""
    until(lambda: metric(gate, "penstock_shipper_pid") > 0, "there is no shipper")
    return int(metric(gate, "penstock_shipper_pid"))


def runs(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists() and ") Z " not in Path(f"/proc/{pid}/stat").read_text()


def test_health_and_metrics_tell_how_it_goes(gate: Program) -> None:
    pid = shipper(gate)
    assert b"penstock_sidecar.shipping" in Path(f"/proc/{pid}/cmdline").read_bytes()
    until(lambda: metric(gate, "penstock_shipper_troubled") == 1, "that nothing arrives is not told")
    until(lambda: metric(gate, "penstock_spool_lag_seconds") > 0.5, "that something waits is not told")
    ready = get(gate, "/readyz")
    assert re.search(r" \| audit: collector http://127\.0\.0\.1:\d+ cannot be reached: ", ready)
    assert metric(gate, "penstock_spool_events") >= 1
    assert metric(gate, "penstock_shipper_refusals_total") == 0


def test_statements_go_on_while_there_is_none(gate: Program) -> None:
    with gate.connect() as client:
        for turn in range(3):
            os.kill(shipper(gate), signal.SIGKILL)
            client.sendall(query(f"SELECT {turn}"))
            assert client.recv(65536).endswith(b"Z\x00\x00\x00\x05I")
            until(lambda: metric(gate, "penstock_shipper_starts_total") > turn + 1, "none was started again")  # noqa: B023
    assert gate.end() == 0
    assert not [line for line in gate.log() if "text" in line or line["level"] == "error"]


def test_none_is_left_behind_where_the_gate_is_killed(gate: Program) -> None:
    pid = shipper(gate)
    gate.process.kill()
    gate.process.wait()
    until(lambda: not runs(pid), "the shipper has outlived its gate", seconds=5)


def test_nor_where_it_is_killed_as_the_shipper_starts(postgres: EmbeddedPostgres, gate: Program) -> None:
    os.kill(shipper(gate), signal.SIGKILL)
    until(lambda: metric(gate, "penstock_shipper_starts_total") > 1, "none was started again")
    started = {line["pid"] for line in gate.log() if line.get("event") == "audit shipper started"}
    gate.process.kill()
    gate.process.wait()
    until(lambda: not any(map(runs, started)), "the shipper has outlived its gate", seconds=10)


def test_a_signal_for_all_of_the_gate_ends_both_in_their_order(gate: Program) -> None:
    pid = shipper(gate)
    os.kill(pid, signal.SIGTERM)
    assert gate.end() == 0
    assert not runs(pid)
    assert metric_free(gate)


def metric_free(gate: Program) -> bool:
    """Whether nothing answers for it any more."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", gate.health)) != 0


def test_both_together_are_within_what_is_asked_for(gate: Program) -> None:
    with gate.connect() as client:
        client.sendall(query("SELECT 1"))
        client.recv(65536)
        time.sleep(2)
        status = Path(f"/proc/{shipper(gate)}/status").read_text()
        own = re.search(r"^RssAnon:\s+(\d+)", status, re.MULTILINE)
        assert own is not None
        # What both have of programs and libraries is there once.
        together = gate.memory() + int(own[1]) * 1024
    print(f"\ngate {gate.memory() / MEGABYTE:.1f} MB, its shipper {int(own[1]) / 1024:.1f} MB more", end="")  # noqa: T201
    assert together < REQUESTED
