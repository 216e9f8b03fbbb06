"""Two pods with sidecars: `desk`, an application's, with psql for people, and `agent`, where `penstock mcp` is started.

What doesn't belong: the tests.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from e2e.kubectl import Kubectl
from e2e.people.gateway import SPACE
from e2e.shop import manifests

NAMES = ("pod/desk", "pod/agent")
# The authority of the gateway's certificate, in either pod.
AUTHORITY = "/authority/ca.crt"
_VOLUME = {"name": "authority", "configMap": {"name": "penstock-ca"}}
_MOUNT = {"name": "authority", "mountPath": "/authority", "readOnly": True}
_WAITS = "import signal, time; signal.signal(signal.SIGTERM, lambda *_: exit()); time.sleep(10**9)"
_ENTER = ("-n", SPACE, "exec", "desk", "-c", "app", "--")


def objects(image: str, shop_image: str) -> list[manifests.Object]:
    """Both of them."""
    desk, agent = (manifests.pod(one, name, manifests.INJECT) for one, name in ((shop_image, "desk"), (image, "agent")))
    for pod in (desk, agent):
        pod["spec"]["containers"][0]["volumeMounts"] = [_MOUNT]
        pod["spec"] |= {"volumes": [_VOLUME], "terminationGracePeriodSeconds": 1}
    agent["spec"]["containers"][0] |= {"command": ["python3", "-c"], "args": [_WAITS]}
    return [desk, agent]


def with_token(token: str) -> tuple[str, ...]:
    """So that what follows logs in by it, at whatever gate."""
    return (
        "env",
        "PGUSER=token",
        f"PGPASSWORD={token}",
        "PATH=/usr/lib/postgresql/15/bin:/shop/venv/bin:/usr/bin:/bin",
    )


@contextmanager
def watch(kubectl: Kubectl, token: str) -> Iterator[subprocess.Popen[str]]:
    """An application in `desk` that asks again and again, by its sidecar: `client.py watch`."""
    application = ("python3", "/shop/client.py", "watch", "SELECT 1")
    with subprocess.Popen(
        ["kubectl", *_ENTER, *with_token(token), *application],
        env=kubectl.environment(), stdout=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        try:
            yield process
        finally:
            process.kill()


def run(kubectl: Kubectl, token: str = "") -> dict[str, Any]:
    """One statement of the application, with a token or as the pod itself."""
    application = ("python3", "/shop/client.py", "run", "psycopg-simple", "SELECT 1")
    found: dict[str, Any] = json.loads(kubectl(*_ENTER, *(with_token(token) if token else ()), *application))
    return found
