"""How these tests reach the collector from this machine, and ask it as people do who look into the trail.

What doesn't belong: what has to be in the trail (the tests).
"""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from e2e.kubectl import Kubectl
from penstock_cli.demo.loopback import free_port

SYSTEM = "penstock-system"


@contextmanager
def forwarded(release: Kubectl) -> Iterator[str]:
    """The collector's address on this machine, through `kubectl port-forward`, which ends with the collector's pod."""
    port = free_port()
    forward = subprocess.Popen(
        ["kubectl", "-n", SYSTEM, "port-forward", "svc/penstock-collector", f"{port}:8080"],
        env=release.environment(),
        stdout=subprocess.DEVNULL,
    )
    try:
        for _ in range(300):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.1)
        yield f"https://localhost:{port}"
    finally:
        forward.terminate()
        forward.wait()


def reading(release: Kubectl, place: Path, collector: str) -> dict[str, str]:
    """How somebody with the right to read the viewer's Secret asks the collector: as NOTES.txt says."""
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
    return subprocess.run([program, *arguments], env=viewer, capture_output=True, text=True, timeout=120, check=False)


def search(viewer: dict[str, str], *arguments: str) -> list[dict[str, Any]]:
    done = penstock(viewer, "audit", "search", "--json", *arguments)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]
