"""What the workload did is in the collector: each statement once, with its outcome, in chains that verify."""

from __future__ import annotations

import json
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from e2e.conftest import SYSTEM, Workload
from e2e.kubectl import Kubectl, eventually
from e2e.shop import manifests


@pytest.fixture(scope="module")
def collector(release: Kubectl) -> Iterator[str]:
    """The collector's address on this machine, through `kubectl port-forward`."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    forward = subprocess.Popen(
        ["kubectl", "-n", SYSTEM, "port-forward", "svc/penstock-collector", f"{port}:8080"],
        env=release.environment(),
        stdout=subprocess.DEVNULL,
    )
    try:
        for _ in range(100):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.1)
        yield f"https://localhost:{port}"
    finally:
        forward.terminate()
        forward.wait()


@pytest.fixture(scope="module")
def viewer(release: Kubectl, tmp_path_factory: pytest.TempPathFactory, collector: str) -> dict[str, str]:
    """How somebody with the right to read the viewer's Secret asks the collector: as NOTES.txt says."""
    place = tmp_path_factory.mktemp("viewer")
    for name, kind, holder, template in (
        ("token", "secret", "penstock-viewer", "{{.data.token | base64decode}}"),
        ("ca.crt", "configmap", "penstock-ca", '{{index .data "ca.crt"}}'),
    ):
        (place / name).write_text(release("-n", SYSTEM, "get", kind, holder, "-o", f"go-template={template}"))
    return {
        "PENSTOCK_COLLECTOR_URL": collector,
        "PENSTOCK_COLLECTOR_TOKEN_FILE": str(place / "token"),
        "PENSTOCK_COLLECTOR_CA_FILE": str(place / "ca.crt"),
    }


def penstock(viewer: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    program = Path(sys.executable).parent / "penstock"
    return subprocess.run([program, *arguments], env=viewer, capture_output=True, text=True, timeout=60, check=False)


def search(viewer: dict[str, str], *arguments: str) -> list[dict[str, Any]]:
    done = penstock(viewer, "audit", "search", "--json", *arguments)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_a_statement_is_seen_with_who_and_what_became_of_it(web: Workload, viewer: dict[str, str]) -> None:
    web.run("asyncpg", "SELECT email AS the_marked_column FROM customers")
    web.run("psycopg-simple", "DELETE FROM orders")
    found = eventually(
        lambda: search(viewer, "the_marked_column"),
        lambda statements: any(statement["result"] for statement in statements),
        what="the statement with its outcome",
    )
    statement = found[0]
    assert statement["identity"] == f"sa:{manifests.NAMESPACE}/web"
    assert (statement["decision"], statement["result"], statement["rows"]) == ("rewrite", "ok", 2)
    assert statement["masked"] == ["public.customers.email"]
    refused = search(viewer, "--decision", "deny", "--verb", "delete")
    assert (refused[0]["policy"], refused[0]["rule"]) == ("web", "guardrails.requireWhere")
    assert (refused[0]["result"], refused[0]["sqlstate"]) == ("denied", "42501")


def test_nothing_raw_is_in_the_trail(web: Workload, viewer: dict[str, str]) -> None:
    web.run("psycopg-simple", "SELECT count(*) FROM customers WHERE email = 'ada@example.com' /* 4111111111111111 */")
    exported = eventually(
        lambda: penstock(viewer, "audit", "export").stdout, lambda text: text.count("count(*)") > 0, what="the export"
    )
    for raw in ("ada@example.com", "4111111111111111", "gate-password"):
        assert raw not in exported


def test_the_trail_is_complete_and_its_chains_verify(web: Workload, viewer: dict[str, str], tmp_path: Path) -> None:
    before = len(search(viewer, "number_of_this_run", "--limit", "1000"))
    for _ in range(20):
        web.run("asyncpg", "SELECT 1 AS number_of_this_run")
    eventually(
        lambda: (
            len([event for event in search(viewer, "number_of_this_run", "--limit", "1000") if event["result"] == "ok"])
            - before
        ),
        lambda count: count == 20,
        what="each of twenty statements, once",
    )
    exported = penstock(viewer, "audit", "export")
    assert exported.returncode == 0, exported.stderr
    whole = tmp_path / "export.jsonl"
    whole.write_text(exported.stdout)
    verified = penstock(viewer, "audit", "verify", str(whole))
    assert verified.returncode == 0, verified.stdout + verified.stderr
    forged = tmp_path / "forged.jsonl"
    forged.write_text(exported.stdout.replace("number_of_this_run", "number_of_that_run", 1))
    assert penstock(viewer, "audit", "verify", str(forged)).returncode == 1


def test_the_page_shows_nothing_to_strangers(collector: str, viewer: dict[str, str]) -> None:
    context = ssl.create_default_context(cafile=viewer["PENSTOCK_COLLECTOR_CA_FILE"])
    with httpx2.Client(base_url=collector, verify=context) as client:
        assert client.get("/", follow_redirects=False).status_code in (302, 303, 401)
        assert client.get("/v1/events").status_code == 401
        assert client.post("/v1/streams/x/y/events", content=b"{}").status_code == 401
