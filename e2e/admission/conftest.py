"""An API server with the chart's objects and its admission policies. No nodes: pods are objects here.

What doesn't belong: what is asked of it (the tests), and how it is started (`e2e/approvals/api_server.py`).
"""

from __future__ import annotations

import copy
import time
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest

from e2e.approvals.api_server import MASTERS, ApiServer
from e2e.approvals.conftest import apply, install
from e2e.cluster.console import ClusterError

Json = dict[str, Any]
PODS = "/api/v1/namespaces/shop/pods"
# The API server takes a moment until a new admission policy counts.
_PATIENCE_SECONDS = 60


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    running = None
    try:
        running = ApiServer(tmp_path_factory.mktemp("api-server"), {})
        running.start()
        install(running, "--set", "webhook.guardCredentials=true")
        until_denied(running, PODS, pod("probe", annotations={"penstock.dev/inject": "true"}))
        yield running
    except ClusterError as error:
        pytest.fail(str(error), pytrace=False)
    finally:
        if running is not None:
            running.stop()


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
