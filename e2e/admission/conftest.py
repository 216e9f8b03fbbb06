"""An API server with the chart's objects and its admission policies. No nodes: pods are objects here.

What doesn't belong: what is asked of it (the tests), and how it is started (`e2e/approvals/api_server.py`).
"""

from __future__ import annotations

import base64
import copy
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest

from e2e.admission.control_process import ControlProcess
from e2e.approvals.api_server import MASTERS, ApiServer
from e2e.approvals.conftest import apply, install
from e2e.approvals.replicas import AUTHORITY, secrets
from e2e.cluster.console import ClusterError

Json = dict[str, Any]
PODS = "/api/v1/namespaces/shop/pods"
# The API server takes a moment until a new admission policy counts.
_PATIENCE_SECONDS = 60


@contextmanager
def started(directory: Path, *options: str) -> Iterator[tuple[ApiServer, list[Json]]]:
    """One that runs, and all that the chart has with those options."""
    running = None
    try:
        running = ApiServer(directory, {})
        running.start()
        chart = install(running, *options)
        until_denied(running, PODS, pod("probe", annotations={"penstock.dev/inject": "true"}))
        yield running, chart
    except ClusterError as error:
        pytest.fail(str(error), pytrace=False)
    finally:
        if running is not None:
            running.stop()


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    """Control does not run, and no webhook is there."""
    with started(tmp_path_factory.mktemp("api-server")) as (running, _):
        yield running


@dataclass(frozen=True)
class Guarded:
    """An API server that asks control, as the chart's webhooks say, and how a gate reaches that."""

    server: ApiServer
    control: str
    process: ControlProcess
    # All that the chart has.
    chart: list[Json]


@pytest.fixture(scope="session")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    directory = tmp_path_factory.mktemp("guarded")
    with started(directory, "--set", "webhook.guardCredentials=true") as (server, chart):
        applied(server, *secrets())
        control = ControlProcess(server, "control")
        control.start()
        try:
            control.until("/readyz", 200)
            hooks = (one for one in chart if one["kind"].endswith("WebhookConfiguration"))
            applied(server, *(_by_url(one, control.port) for one in hooks))
            with server.client("admin") as admin:
                _until_asked(admin)
            yield Guarded(server, f"https://localhost:{control.port}", control, chart)
        finally:
            control.end()


def _by_url(configuration: Json, port: int) -> Json:
    """There is no network of Services here."""
    changed = copy.deepcopy(configuration)
    bundle = base64.b64encode(AUTHORITY.certificate_pem).decode()
    for webhook in changed["webhooks"]:
        path = webhook["clientConfig"]["service"]["path"]
        webhook["clientConfig"] = {"url": f"https://localhost:{port}{path}", "caBundle": bundle}
        webhook["timeoutSeconds"] = 20
    return changed


def _until_asked(admin: httpx2.Client) -> None:
    """The API server takes a moment until a new webhook counts."""
    end = time.monotonic() + _PATIENCE_SECONDS
    asks = pod("probe", annotations={"penstock.dev/inject": "true"})
    while "penstock.dev/database is missing" not in (text := admin.post(PODS, json=asks).text):
        assert time.monotonic() < end, text
        time.sleep(0.2)


@pytest.fixture
def admin(server: ApiServer) -> Iterator[httpx2.Client]:
    """Who may do anything: what is refused is refused by admission, and not for want of rights."""
    with server.client("admin") as client:
        yield client


def until_denied(server: ApiServer, path: str, body: Json) -> None:
    with server.client("admin") as admin:
        end = time.monotonic() + _PATIENCE_SECONDS
        while (answer := admin.post(path, json=body)).status_code == 201:
            assert time.monotonic() < end, "the admission policy has no effect"
            assert admin.delete(f"{path}/{body['metadata']['name']}?gracePeriodSeconds=0").status_code == 200
            time.sleep(0.2)
        assert answer.status_code in (403, 422), answer.text


def applied(server: ApiServer, *documents: Json) -> None:
    done = apply(server, *documents)
    assert done.returncode == 0, done.stderr


def as_user(server: ApiServer, name: str, *groups: str, masters: bool = False) -> httpx2.Client:
    """Requests in somebody's name, with their rights, or with all."""
    client = server.client("admin")
    named = [("Impersonate-User", name), *(("Impersonate-Group", one) for one in groups)]
    named += [("Impersonate-Group", MASTERS)] if masters else []
    client.headers = httpx2.Headers([*client.headers.multi_items(), *named])
    return client


SIDECAR: Json = {
    "name": "penstock-proxy", "image": "penstock:1", "restartPolicy": "Always", "env": [{"name": "A", "value": "b"}],
    "resources": {"requests": {"cpu": "20m"}, "limits": {"cpu": "1"}},
}  # fmt: skip
GOVERNED = {
    "annotations": {
        "penstock.dev/inject": "true",
        "penstock.dev/database": "shop",
        "penstock.dev/injected-version": "1",
    },
    "labels": {"penstock.dev/injected": "true", "app": "web"},
}


def pod(name: str, sidecar: Json | None = None, annotations: Json | None = None, **spec: Any) -> Json:
    containers = {"containers": [{"name": "app", "image": "app:1"}]}
    inits = {"initContainers": [copy.deepcopy(sidecar)]} if sidecar else {}
    metadata = {"name": name, "annotations": annotations or {}}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": {**containers, **inits, **spec}}


def governed(name: str) -> Json:
    """As the injection leaves a pod."""
    made = pod(name, SIDECAR)
    made["metadata"] |= copy.deepcopy(GOVERNED)
    return made
