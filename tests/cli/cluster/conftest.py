"""A person at a terminal with a kubeconfig, and a cluster with the demo's shop: a Database, its policies, two pods."""

from __future__ import annotations

import os
from collections.abc import Iterator
from importlib import resources
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner, Result
from tests.cli.cluster.api_server import ApiServer, serving

from penstock_cli.kubectl import command

SHOP = resources.files("penstock_cli.demo").joinpath("shop")
DIGEST = "5c" * 32
_ON_A_CLUSTER = ("check", "explain", "inject", "logs", "resume", "status", "suspend")


class Desk:
    """Where one types."""

    def __init__(self, api: ApiServer, directory: Path) -> None:
        self.api = api
        self.directory = directory

    def run(self, *arguments: str, given: str | None = None) -> Result:
        # By its option: the client keeps what the environment said when it was imported.
        where = ("--kubeconfig", str(self.api.kubeconfig)) if arguments[0] in _ON_A_CLUSTER else ()
        arguments = (arguments[0], *where, *arguments[1:])
        before = Path.cwd()
        os.chdir(self.directory)
        try:
            result = CliRunner().invoke(command, list(arguments), input=given, env={"COLUMNS": "200"})
        finally:
            os.chdir(before)
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        return result

    def refused(self, *arguments: str) -> str:
        """In one line."""
        result = self.run(*arguments)
        assert result.exit_code == 2
        return result.stderr.splitlines()[-1].removeprefix("Error: ")


def pod(name: str, database: str = "shop", *, ready: bool = True, **status: Any) -> dict[str, Any]:
    """A pod that has a gate."""
    state = {"name": "penstock-proxy", "ready": ready, "restartCount": 0, "state": {"running": {}}, **status}
    port = {"name": "penstock-health", "containerPort": 9187}
    return {
        "metadata": {
            "name": name, "namespace": "shop", "uid": f"u-{name}", "labels": {"penstock.dev/injected": "true"},
            "annotations": {"penstock.dev/database": database, "penstock.dev/injected-version": "0.1.0"},
        },
        "spec": {
            "serviceAccountName": "support-agent",
            "initContainers": [{"name": "penstock-proxy", "ports": [port]}],
        },
        "status": {"phase": "Running", "initContainerStatuses": [state]},
    }  # fmt: skip


def metrics(generation: int, reachable: int = 1, spool: int = 0) -> str:
    """What the gate says of itself."""
    return (
        "# TYPE penstock_policy_generation gauge\n"
        f'penstock_policy_generation{{database="shop"}} {generation}\n'
        "# TYPE penstock_policy_age_seconds gauge\n"
        'penstock_policy_age_seconds{database="shop"} 4.2\n'
        "# TYPE penstock_database_reachable gauge\n"
        f'penstock_database_reachable{{database="shop"}} {reachable}\n'
        '# TYPE penstock_database_sessions gauge\npenstock_database_sessions{database="shop"} 2\n'
        '# TYPE penstock_database_idle_seconds gauge\npenstock_database_idle_seconds{database="shop"} 0\n'
        f"# TYPE penstock_spool_events gauge\npenstock_spool_events {spool}\n"
    )


def metrics_of(name: str) -> str:
    """Where it says so."""
    return f"/api/v1/namespaces/shop/pods/{name}:9187/proxy/metrics"


def demo_resources() -> list[dict[str, Any]]:
    """The demo's, and a policy for the service account of the pods."""
    names = ("database.yaml", "data-protection-officer.yaml", "support.yaml")
    found = [yaml.safe_load(SHOP.joinpath("resources", name).read_text()) for name in names]
    desk = {
        "apiVersion": "penstock.dev/v1alpha1", "kind": "DatabaseAccessPolicy",
        "metadata": {"name": "support-desk", "namespace": "shop"},
        "spec": {
            "databaseRef": {"name": "shop"}, "subjects": [{"serviceAccount": {"name": "support-agent"}}],
            "masks": [{"tags": ["pii.email"], "with": {"email": {}}}, {"tags": ["pci.pan"], "with": {"redact": {}}}],
            "guardrails": {"requireWhere": ["delete"]},
        },
    }  # fmt: skip
    return [*found, desk]


@pytest.fixture
def api(tmp_path: Path) -> Iterator[ApiServer]:
    with serving(tmp_path) as told:
        database, *policies = demo_resources()
        told.put("databases", database | {"status": {"policyGeneration": 7, "policyDigest": DIGEST}})
        told.put("databaseaccesspolicies", *policies)
        told.put("pods", pod("support-agent-1"), pod("support-agent-2", ready=False), group="/api/v1")
        told.texts[metrics_of("support-agent-1")] = metrics(7)
        yield told


@pytest.fixture
def desk(api: ApiServer, tmp_path: Path) -> Desk:
    return Desk(api, tmp_path)


@pytest.fixture(scope="session")
def catalog_text(postgres: Any, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The catalog of the demo's shop, with a column that nobody thought of."""
    from penstock_cli.main import command as penstock

    postgres.psql("CREATE ROLE clerk LOGIN PASSWORD 'made-up'; CREATE DATABASE clerks;")
    postgres.psql(SHOP.joinpath("shop.sql").read_text(), "clerks")
    postgres.psql("ALTER TABLE customers ADD phone text;", "clerks")
    file = tmp_path_factory.mktemp("clerks") / "catalog.json"
    url = f"postgresql://clerk@127.0.0.1:{postgres.port}/clerks?sslmode=disable"
    result = CliRunner().invoke(penstock, ["catalog", "--url", url, "-o", str(file)], env={"PGPASSWORD": "made-up"})
    assert result.exit_code == 0, result.stderr
    return file.read_text()


@pytest.fixture
def catalog(desk: Desk, catalog_text: str) -> Path:
    """A file in the directory where one types."""
    file = desk.directory / "catalog.json"
    file.write_text(catalog_text)
    return file
