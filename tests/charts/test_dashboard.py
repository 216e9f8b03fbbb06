"""The chart's dashboard: each of its queries finds something at a real Prometheus that scrapes real programs."""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import psycopg
import pytest
from docs.metrics import control, programs
from prometheus_client import CollectorRegistry, start_http_server
from tests.sidecar.program import Program, yard

from penstock_cli.demo.loopback import free_port
from penstock_cli.demo.postgres import EmbeddedPostgres
from penstock_operator.metrics import OperatorMetrics

MONITORING = Path(__file__).resolve().parents[2] / "charts" / "penstock" / "files" / "monitoring"
DASHBOARD = json.loads((MONITORING / "dashboard.json").read_text())
PANELS: list[dict[str, Any]] = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
QUERIES = [target["expr"] for panel in PANELS for target in panel["targets"]]
TOKEN = "made-up-for-a-stream-of-thirty-two-characters-and-more"


@pytest.fixture(scope="module")
def collector(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, int, Path]]:
    """Its URL, the port of its metrics, and the file with a gate's token."""
    directory = tmp_path_factory.mktemp("collector")
    (directory / "streams").write_text(f"{hashlib.sha256(TOKEN.encode()).hexdigest()} yard\n")
    (directory / "viewers").write_text(f"{hashlib.sha256(b'unused').hexdigest()} nobody\n")
    (directory / "token").write_text(TOKEN)
    port, health = free_port(), free_port()
    environment = {
        "LISTEN": f"127.0.0.1:{port}",
        "HEALTH_LISTEN": f"127.0.0.1:{health}",
        "DATABASE": str(directory / "audit.db"),
        "STREAM_TOKENS_FILE": str(directory / "streams"),
        "VIEWER_TOKENS_FILE": str(directory / "viewers"),
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "penstock_cli", "collector"],
        env=os.environ | {f"PENSTOCK_COLLECTOR_{name}": value for name, value in environment.items()},
        stderr=subprocess.DEVNULL,
    )
    yield f"http://127.0.0.1:{port}", health, directory / "token"
    process.terminate()
    process.wait()


@pytest.fixture(scope="module")
def gate(
    postgres: EmbeddedPostgres, collector: tuple[str, int, Path], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Program]:
    """Ships its events to that collector."""
    url, _, token = collector
    program = Program.start(
        tmp_path_factory.mktemp("gate"), yard(postgres), collector={"url": url, "tokenFile": str(token)}
    )
    yield program
    program.process.terminate()
    program.process.wait()


def clusters() -> tuple[CollectorRegistry, CollectorRegistry]:
    """What control and the operator tell when they have something to do."""
    metrics = control()
    metrics.reviews.labels("mutate", "allowed").inc()
    operator = OperatorMetrics()
    operator.kept()
    operator.certificates({"authority": time.time() + 86400})
    return metrics.registry, operator.registry


class Prometheus:
    """A running one, that asks those ports each second."""

    def __init__(self, directory: Path, ports: list[int]) -> None:
        self._port = free_port()
        targets = [{"targets": [f"127.0.0.1:{port}" for port in ports]}]
        configuration = {
            "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
            "rule_files": [str(MONITORING / "alerts.yaml")],
            "scrape_configs": [{"job_name": "penstock", "static_configs": targets}],
        }
        (directory / "prometheus.yaml").write_text(json.dumps(configuration))
        self.process = subprocess.Popen(
            [
                "prometheus",
                f"--config.file={directory / 'prometheus.yaml'}",
                f"--storage.tsdb.path={directory / 'data'}",
                f"--web.listen-address=127.0.0.1:{self._port}",
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def query(self, expression: str) -> list[dict[str, Any]]:
        """The series that it comes to; none while Prometheus starts."""
        found: list[dict[str, Any]] = self.ask("query", query=expression).get("result", [])
        return found

    def ask(self, path: str, **parameters: str) -> dict[str, Any]:
        url = f"http://127.0.0.1:{self._port}/api/v1/{path}?{urllib.parse.urlencode(parameters)}"
        try:
            with urllib.request.urlopen(url, timeout=10) as answer:
                data: dict[str, Any] = json.load(answer)["data"]
                return data
        except OSError:
            return {}


@pytest.fixture(scope="module")
def prometheus(
    collector: tuple[str, int, Path], gate: Program, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Prometheus]:
    ports = [collector[1], gate.health]
    with ExitStack() as stack:
        for registry in clusters():
            server, thread = start_http_server(0, "127.0.0.1", registry)
            ports.append(server.server_port)
            stack.callback(thread.join)
            stack.callback(server.server_close)
            stack.callback(server.shutdown)
        one = Prometheus(tmp_path_factory.mktemp("prometheus"), ports)
        stack.callback(one.process.wait)
        stack.callback(one.process.terminate)
        yield one


def work(gate: Program) -> None:
    """Something to see."""
    with psycopg.connect(
        f"host=127.0.0.1 port={gate.port} user=app dbname=yard sslmode=disable", autocommit=True
    ) as client:
        client.execute("SELECT 1")


def test_each_query_finds_something(prometheus: Prometheus, gate: Program) -> None:
    missing = QUERIES
    end = time.monotonic() + 90
    while missing and time.monotonic() < end:
        work(gate)
        time.sleep(0.5)
        missing = [
            query
            for query in missing
            if not prometheus.query(query.replace("$__rate_interval", "1m").replace("$namespace", ".*"))
        ]
    assert missing == []


def test_of_a_healthy_installation_no_alert_fires(prometheus: Prometheus, gate: Program) -> None:
    work(gate)
    groups = prometheus.ask("rules")["groups"]
    rules = [rule for group in groups for rule in group["rules"]]
    assert len(rules) > 20
    assert [rule["name"] for rule in rules if rule["health"] == "err"] == []
    firing = {alert["labels"]["alertname"] for alert in prometheus.ask("alerts")["alerts"]}
    # Control's certificate is none here, and the operator's ends in a day.
    assert firing == {"PenstockCertificateEnds"}


def test_queries_and_alerts_name_metrics_that_there_are() -> None:
    known = {one.name for metrics in programs().values() for one in metrics}
    text = " ".join(QUERIES) + (MONITORING / "alerts.yaml").read_text()
    named = {re.sub(r"_(bucket|sum|count)$", "", name) for name in re.findall(r"\bpenstock_\w+", text)}
    assert len(named) > 25
    assert named - known == set()


def test_the_page_has_each_metric_that_is_told(prometheus: Prometheus, gate: Program) -> None:
    """By the programs themselves, and no more."""
    test_each_query_finds_something(prometheus, gate)
    names: Any = prometheus.ask("label/__name__/values")
    told = {re.sub(r"_(bucket|sum|count|created)$", "", name) for name in names if name.startswith("penstock_")}
    known = {one.name for metrics in programs().values() for one in metrics}
    # Counters with labels, and what is registered later, are there when there was something to count.
    later = {name for name in known - told if name.endswith("_total") or name == "penstock_control_emergencies"}
    assert {re.sub(r"_total$", "", name) for name in told} - {re.sub(r"_total$", "", name) for name in known} == set()
    assert known - told == later


def test_no_two_panels_are_in_one_place() -> None:
    places = [(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in DASHBOARD["panels"]]
    assert len(set(places)) == len(places)
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(places)
