"""`penstock control` as it runs in a cluster, but in this process: any number of replicas against one API server.

What doesn't belong: what is asked of them.
"""

from __future__ import annotations

import asyncio
import base64
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import pytest

from e2e.approvals.api_server import MASTERS, ApiServer
from penstock_cli.demo.loopback import free_port
from penstock_operator.certificates.authority import build_authority, build_leaf
from penstock_operator.control.main import run
from penstock_operator.settings import ControlSettings

Json = dict[str, Any]
SYSTEM = "penstock-system"
AUTHORITY = build_authority(datetime.now(UTC), timedelta(days=1))


def secrets() -> list[Json]:
    """What control reads of its own namespace."""
    leaf = build_leaf(AUTHORITY, ["localhost"], datetime.now(UTC), timedelta(days=1))
    return [
        _secret("penstock-control-tls", {"tls.crt": leaf.certificate_pem, "tls.key": leaf.key_pem}),
        _secret("penstock-mask-key", {"key": b"k" * 32}),
    ]


def _secret(name: str, data: dict[str, bytes]) -> Json:
    encoded = {key: base64.b64encode(value).decode() for key, value in data.items()}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name, "namespace": SYSTEM}, "data": encoded}


def gated(account: str, database: str) -> Json:
    """The spec of a pod with a gate, as far as control looks at it."""
    own = {"name": "PENSTOCK_DATABASE", "value": database}
    gate = {"name": "penstock-proxy", "image": "x", "restartPolicy": "Always", "env": [own]}
    return {"serviceAccountName": account, "initContainers": [gate], "containers": [{"name": "app", "image": "x"}]}


def token(server: ApiServer, namespace: str, account: str, audience: str | None = None, pod: Json | None = None) -> str:
    """Of a service account; with a pod, as it is projected into that."""
    spec: Json = {"expirationSeconds": 3600}
    if audience is not None:
        spec["audiences"] = [audience]
    if pod is not None:
        metadata = pod["metadata"]
        spec["boundObjectRef"] = {"apiVersion": "v1", "kind": "Pod", "name": metadata["name"], "uid": metadata["uid"]}
    with server.client("admin") as node:
        # As a node's kubelet: nobody else is given what sidecars show control.
        groups = [("Impersonate-Group", group) for group in ("system:nodes", MASTERS)]
        node.headers = httpx2.Headers([*node.headers.multi_items(), ("Impersonate-User", "system:node:one"), *groups])
        path = f"/api/v1/namespaces/{namespace}/serviceaccounts/{account}/token"
        answer = node.post(path, json={"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": spec})
        assert answer.status_code == 201, answer.text
        return str(answer.json()["status"]["token"])


class Replica:
    """One that serves, as a gate reaches it."""

    def __init__(self, server: ApiServer) -> None:
        self.port, self._health_port = free_port(), free_port()
        self.settings = ControlSettings(
            namespace=SYSTEM, sidecar={"image": "x"}, url="https://control.test", collector_url="https://collector.test",
            host="127.0.0.1", port=self.port, health_port=self._health_port, linger=0, drain=1,
        )  # fmt: skip
        self.server = server
        self._trust = ssl.create_default_context(cadata=AUTHORITY.certificate_pem.decode())

    def client(self, bearer: str) -> httpx2.AsyncClient:
        return httpx2.AsyncClient(
            base_url=f"https://localhost:{self.port}", headers={"Authorization": f"Bearer {bearer}"},
            verify=self._trust, trust_env=False, timeout=60,
        )  # fmt: skip

    async def ready(self) -> None:
        """Once it knows the resources, and the requests."""
        async with httpx2.AsyncClient(trust_env=False, timeout=10) as client, asyncio.timeout(60):
            while True:
                with suppress(httpx2.TransportError):
                    if (await client.get(f"http://127.0.0.1:{self._health_port}/readyz")).status_code == 200:
                        return
                await asyncio.sleep(0.1)


@asynccontextmanager
async def control(server: ApiServer, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Replica]:
    """A replica with the rights of the chart's service account, until left: then it is gone at once, as if killed."""
    bearer = await asyncio.to_thread(token, server, SYSTEM, "penstock-control")
    monkeypatch.setenv("KUBECONFIG", str(server.kubeconfig("control", bearer)))
    replica = Replica(server)
    running = asyncio.create_task(run(replica.settings))
    ready = asyncio.create_task(replica.ready())
    try:
        await asyncio.wait([running, ready], return_when=asyncio.FIRST_COMPLETED)
        if running.done():
            running.result()
        await ready
        yield replica
    finally:
        ready.cancel()
        running.cancel()
        await asyncio.gather(running, ready, return_exceptions=True)
