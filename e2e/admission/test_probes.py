"""Liveness as a kubelet asks for it, of real processes: a busy loop outlasts it, one that does not turn is noticed.

By the chart's settings, in a fifth of their time. What makes a program ready is its own tests'.
"""

from __future__ import annotations

import base64
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest
import yaml
from tests.sidecar.program import RESOURCES

from e2e.admission.conftest import applied, started
from e2e.admission.control_process import ControlProcess
from e2e.approvals.api_server import ApiServer
from e2e.approvals.replicas import SYSTEM, secrets, token
from penstock_cli.demo.loopback import free_port
from penstock_operator.inject.annotations import InjectionRequest
from penstock_operator.inject.sidecar import DatabaseSecrets, Shape, container, resources_of

Json = dict[str, Any]
FASTER = 5
# Longer than a probe waits, and than the time between two.
BUSY_SECONDS = 15.0
PROGRAMS = ("gate", "gateway", "control", "operator", "the operator's watch", "collector")
# Has the loop of the main thread, or of kopf's, do nothing else for so many seconds: by SIGUSR1 a while, by SIGUSR2 for
# good. A handler of Python's runs where the loop does.
BLOCKED = """
import gc, signal, sys, time
from penstock_cli.main import main
def block(seconds):
    if not WATCH:
        return time.sleep(seconds)
    for one in gc.get_objects():
        if type(one).__name__ == "Watch":
            one._loop.call_soon_threadsafe(time.sleep, seconds)
signal.signal(signal.SIGUSR1, lambda *_: block(BUSY))
signal.signal(signal.SIGUSR2, lambda *_: block(600))
sys.argv = ["penstock", *ARGUMENTS]
main()
"""


@dataclass(frozen=True)
class Seen:
    """What a kubelet saw: failures in a row while a loop was busy, and how soon it would have ended one that hung."""

    period: float
    threshold: int
    failures_while_busy: int
    noticed_after: float


class Kubelet:
    """Asks one process as its probe says, and counts."""

    def __init__(self, probe: Mapping[str, Any], port: int) -> None:
        self.path = probe["httpGet"]["path"]
        self.period = probe.get("periodSeconds", 10) / FASTER
        self.timeout = probe.get("timeoutSeconds", 1) / FASTER
        self.threshold = probe.get("failureThreshold", 3)
        self._url = f"http://127.0.0.1:{port}{self.path}"
        self.failures = 0

    def ask(self) -> None:
        began = time.monotonic()
        try:
            with httpx2.Client(trust_env=False, timeout=self.timeout) as client:
                alive = client.get(self._url).status_code < 400
        except httpx2.TransportError:
            alive = False
        self.failures = 0 if alive else self.failures + 1
        time.sleep(max(0.0, self.period - (time.monotonic() - began)))

    def watch(self, process: subprocess.Popen[bytes]) -> Seen:
        process.send_signal(signal.SIGUSR1)
        end, most = time.monotonic() + BUSY_SECONDS / FASTER, 0
        while time.monotonic() < end or self.failures:
            self.ask()
            most = max(most, self.failures)
            assert time.monotonic() < end + 30, "it never answered again"
        process.send_signal(signal.SIGUSR2)
        began = time.monotonic()
        while self.failures < self.threshold and time.monotonic() < began + 60:
            self.ask()
        return Seen(self.period, self.threshold, most, time.monotonic() - began)


def blockable(
    arguments: list[str], environment: Mapping[str, str], log: Path, *, watch: bool = False
) -> subprocess.Popen[bytes]:
    code = BLOCKED.replace("ARGUMENTS", repr(arguments)).replace("BUSY", str(BUSY_SECONDS / FASTER))
    with log.open("wb") as file:
        return subprocess.Popen(
            [sys.executable, "-c", code.replace("WATCH", str(watch))],
            env={**os.environ, **environment}, stdout=file, stderr=file,
        )  # fmt: skip


def gate(directory: Path, port: int) -> list[str]:
    """The command of one whose database is not there, which is no reason to end it."""
    (directory / "credentials").mkdir(parents=True)
    (directory / "credentials" / "username").write_text("yard")
    (directory / "credentials" / "password").write_text("x")
    (directory / "mask.key").write_text(base64.b64encode(b"k" * 32).decode())
    (directory / "resources.yaml").write_text(RESOURCES.format(port=1, tls="disable"))
    settings = {
        "listen": "127.0.0.1:0", "health": f"127.0.0.1:{port}", "database": "yard", "namespace": "shop", "name": "yard",
        "resources": ["resources.yaml"], "maskKeyFile": "mask.key", "credentialsDir": "credentials",
        "identity": {"workload": {"namespace": "shop", "serviceAccount": "web"}}, "spool": {"path": "spool"},
    }  # fmt: skip
    (directory / "proxy.yaml").write_text(yaml.safe_dump(settings))
    return ["proxy", "--config", str(directory)]


def probe_of(chart: list[Json], program: str) -> Json:
    """Its liveness probe as the chart, or the injection, sets it."""
    if program == "gate":
        shape, wanted = Shape("x", "1", "https://c", "https://d"), InjectionRequest(("shop",))
        found: Json = container(shape, wanted, [DatabaseSecrets("shop", "shop-db")], resources_of(shape, wanted))
    else:
        name = {"gateway": "penstock-gateway-people", "the operator's watch": "penstock-operator"}.get(
            program, f"penstock-{program}"
        )
        (deployed,) = (
            one for one in chart
            if one["kind"] in ("Deployment", "StatefulSet") and one["metadata"]["name"] == name
        )  # fmt: skip
        (found,) = deployed["spec"]["template"]["spec"]["containers"]
    probe: Json = found["livenessProbe"]
    return probe


def start(program: str, server: ApiServer, directory: Path, port: int) -> subprocess.Popen[bytes]:
    log = directory / f"{program}.log"
    if program in ("gate", "gateway"):
        return blockable(gate(directory / program, port), {}, log)
    if program == "control":
        environment = ControlProcess(server, "control").environment | {"PENSTOCK_CONTROL_HEALTH_PORT": str(port)}
    elif program == "collector":
        environment = {
            "PENSTOCK_COLLECTOR_LISTEN": "127.0.0.1:0", "PENSTOCK_COLLECTOR_HEALTH_LISTEN": f"127.0.0.1:{port}",
            "PENSTOCK_COLLECTOR_DATABASE": str(directory / "audit.db"),
        }  # fmt: skip
        for kind in ("STREAM", "VIEWER"):
            (directory / kind).write_text(f"{'0' * 64} x\n")
            environment[f"PENSTOCK_COLLECTOR_{kind}_TOKENS_FILE"] = str(directory / kind)
    else:
        bearer = token(server, SYSTEM, "penstock-operator")
        environment = {
            "KUBECONFIG": str(server.kubeconfig("operator", bearer)), "PENSTOCK_OPERATOR_NAMESPACE": SYSTEM,
            "PENSTOCK_OPERATOR_HOST": "127.0.0.1", "PENSTOCK_OPERATOR_HEALTH_PORT": str(port),
        }  # fmt: skip
    watch = program == "the operator's watch"
    command = "operator" if watch else program
    return blockable([command], environment, log, watch=watch)


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Seen]]:
    """Of all at once, since it takes its time."""
    directory = tmp_path_factory.mktemp("probes")
    gateways = [
        {
            "name": "people", "namespace": "shop", "databases": [{"name": "shop", "credentialsSecret": "s"}],
            "issuers": [{"issuer": "https://i", "audience": "x", "kind": "person"}],
        }
    ]  # fmt: skip
    with started(directory, "--set-json", f"gateways={json.dumps(gateways)}") as (server, chart):
        applied(server, *secrets())
        ports = {program: free_port() for program in PROGRAMS}
        running = {program: start(program, server, directory, port) for program, port in ports.items()}
        try:
            with ThreadPoolExecutor(len(PROGRAMS)) as kubelets:
                looking = {
                    program: kubelets.submit(_seen, process, ports[program], probe_of(chart, program),
                                             directory / f"{program}.log")
                    for program, process in running.items()
                }  # fmt: skip
                yield {program: one.result() for program, one in looking.items()}
        finally:
            for process in running.values():
                process.kill()
                process.wait()


def _seen(process: subprocess.Popen[bytes], port: int, probe: Json, log: Path) -> Seen:
    kubelet = Kubelet(probe, port)
    with httpx2.Client(trust_env=False, timeout=10) as client:
        end = time.monotonic() + 60
        while True:
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < end, log.read_text()
            try:
                # The operator's second loop has begun once it is ready.
                if client.get(f"http://127.0.0.1:{port}/healthz").status_code == 200 and (
                    "operator" not in log.name or "watch" not in client.get(f"http://127.0.0.1:{port}/readyz").text
                ):
                    return kubelet.watch(process)
            except httpx2.TransportError:
                pass
            time.sleep(0.2)


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_loop_that_is_busy_for_seconds_is_not_ended(seen: dict[str, Seen], program: str) -> None:
    found = seen[program]
    assert 1 <= found.failures_while_busy < found.threshold, "it was busy, and that was no reason"


@pytest.mark.parametrize("program", PROGRAMS)
def test_one_that_does_not_turn_is_ended_within_the_probes_time(seen: dict[str, Seen], program: str) -> None:
    found = seen[program]
    assert found.noticed_after <= found.period * (found.threshold + 1)
