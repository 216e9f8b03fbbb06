"""Somebody else's injector: a webhook that comes after ours by its name and adds an init container and a container.

What doesn't belong: what ours makes of that (`test_injection.py`).
"""

from __future__ import annotations

import base64
import json
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

from e2e.approvals.replicas import AUTHORITY
from penstock_operator.certificates.authority import build_leaf

Json = dict[str, Any]
LABEL = "mesh.example/inject"
_SETUP = {"name": "istio-init", "image": "mesh:1"}
_PROXY = {"name": "late", "image": "mesh:1"}


class _Handler(BaseHTTPRequestHandler):
    """Appends, once."""

    def do_POST(self) -> None:
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["request"]
        spec = request["object"]["spec"]
        response: Json = {"uid": request["uid"], "allowed": True}
        if _PROXY["name"] not in [one["name"] for one in spec["containers"]]:
            first = "initContainers" not in spec
            steps = [
                {"op": "add", "path": "/spec/containers/-", "value": _PROXY},
                {"op": "add", "path": "/spec/initContainers" + ("" if first else "/-"),
                 "value": [_SETUP] if first else _SETUP},
            ]  # fmt: skip
            patch = base64.b64encode(json.dumps(steps).encode()).decode()
            response |= {"patchType": "JSONPatch", "patch": patch}
        body = json.dumps(
            {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": response}
        ).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nothing of it is worth a line."""


@contextmanager
def other_injector(directory: Path) -> Iterator[Json]:
    """Its webhook configuration, while it answers."""
    leaf = build_leaf(AUTHORITY, ["localhost"], datetime.now(UTC), timedelta(hours=1))
    pair = directory / "other-injector.pem"
    pair.write_bytes(leaf.certificate_pem + leaf.key_pem)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair)
    with HTTPServer(("127.0.0.1", 0), _Handler) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        serving = threading.Thread(target=server.serve_forever)
        serving.start()
        try:
            yield _configuration(server.server_port)
        finally:
            server.shutdown()
            serving.join()


def _configuration(port: int) -> Json:
    bundle = base64.b64encode(AUTHORITY.certificate_pem).decode()
    hook = {
        "name": "other.mesh.example", "admissionReviewVersions": ["v1"], "sideEffects": "None",
        "failurePolicy": "Fail", "timeoutSeconds": 20,
        "clientConfig": {"url": f"https://localhost:{port}/", "caBundle": bundle},
        "objectSelector": {"matchLabels": {LABEL: "true"}},
        "rules": [{"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"]}],
    }  # fmt: skip
    return {
        "apiVersion": "admissionregistration.k8s.io/v1", "kind": "MutatingWebhookConfiguration",
        # The API server asks in the order of the names.
        "metadata": {"name": "zz-mesh"}, "webhooks": [hook],
    }  # fmt: skip
