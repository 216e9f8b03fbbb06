"""What the workload did is in the collector: each statement once, with its outcome, in chains that verify."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from e2e.collector import forwarded, penstock, reading, search
from e2e.conftest import Workload
from e2e.kubectl import Kubectl, eventually
from e2e.shop import manifests


@pytest.fixture(scope="module")
def collector(release: Kubectl) -> Iterator[str]:
    with forwarded(release) as address:
        yield address


@pytest.fixture(scope="module")
def viewer(release: Kubectl, tmp_path_factory: pytest.TempPathFactory, collector: str) -> dict[str, str]:
    return reading(release, tmp_path_factory.mktemp("viewer"), collector)


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
