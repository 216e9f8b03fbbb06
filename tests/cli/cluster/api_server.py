"""An API server as `kubectl penstock` sees one: objects in memory, and pods whose gates and logs can be asked.

On a real one: e2e/.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

Json = dict[str, Any]
OURS = "/apis/penstock.dev/v1alpha1"
WHOAMI = "/apis/authentication.k8s.io/v1/selfsubjectreviews"


class ApiServer:
    """What is stored, by path, and what gates say."""

    def __init__(self, kubeconfig: Path) -> None:
        self.kubeconfig = kubeconfig
        self.objects: dict[str, Json] = {}
        # Path → text: metrics of gates, logs.
        self.texts: dict[str, str] = {}
        # Paths that we may not ask for.
        self.forbidden: tuple[str, ...] = ()

    def put(self, plural: str, *objects: Mapping[str, Any], group: str = OURS) -> None:
        for one in objects:
            named = one["metadata"]
            stored = {name: value for name, value in one.items() if name not in ("apiVersion", "kind")}
            self.objects[f"{group}/namespaces/{named['namespace']}/{plural}/{named['name']}"] = stored

    def listed(self, plural: str) -> list[Json]:
        return [one for path, one in self.objects.items() if path.split("/")[-2] == plural]

    def answer(self, method: str, path: str, query: Mapping[str, list[str]], body: Json) -> tuple[int, Json | str]:
        if any(path.startswith(one) for one in self.forbidden):
            return 403, {"message": f'"{path}" is forbidden: bea cannot do that'}
        if path == WHOAMI:
            return 201, {"status": {"userInfo": {"username": "bea@shop.example", "groups": ["sre"]}}}
        if path in self.texts:
            return 200, self.texts[path]
        if path == "/version":
            return 200, {"major": "1", "minor": "33"}
        if method == "POST":
            path = f"{path}/{body['metadata']['name']}"
            if path in self.objects:
                return 409, {"message": "already exists"}
            self.objects[path] = body
            return 201, body
        if path in self.objects:
            return 200, self._one(method, path, body)
        plural = path.rpartition("/")[2]
        if plural not in ("databases", "databaseaccesspolicies", "pods"):
            return 404, {"message": f'"{plural}" not found'}
        return 200, {"items": list(self._selected(path, plural, query))}

    def _one(self, method: str, path: str, body: Json) -> Json:
        if method == "DELETE":
            return self.objects.pop(path)
        if method == "PATCH":
            self.objects[path] = merged(self.objects[path], body)
        return self.objects[path]

    def _selected(self, path: str, plural: str, query: Mapping[str, list[str]]) -> Iterator[Json]:
        """Those below the path, or of all namespaces, that have the label which is asked for."""
        above = path.removesuffix(plural)
        label, equals, value = query.get("labelSelector", [""])[0].partition("=")
        for place, one in self.objects.items():
            inside = place.startswith(above) and place.split("/")[-2] == plural
            labels = one["metadata"].get("labels") or {}
            if inside and (not label or (labels.get(label) == value if equals else label in labels)):
                yield one


def merged(before: Json, patch: Json) -> Json:
    """As RFC 7386 says."""
    found = dict(before)
    for name, value in patch.items():
        if value is None:
            found.pop(name, None)
        elif isinstance(value, dict):
            found[name] = merged(found.get(name) or {}, value)
        else:
            found[name] = value
    return found


@contextmanager
def serving(directory: Path) -> Iterator[ApiServer]:
    """The server, and the kubeconfig by which it is found: its context is of the namespace `shop`."""
    told = ApiServer(directory / "kubeconfig")

    class Answers(BaseHTTPRequestHandler):
        def _answer(self) -> None:
            url = urlsplit(self.path)
            given = self.rfile.read(int(self.headers.get("content-length") or 0))
            said = told.answer(self.command, unquote(url.path), parse_qs(url.query), json.loads(given or b"{}"))
            self.send_response(said[0])
            self.send_header("Date", "Thu, 31 Jan 2030 12:00:00 GMT")
            self.end_headers()
            self.wfile.write((said[1] if isinstance(said[1], str) else json.dumps(said[1])).encode())

        do_GET = do_POST = do_PATCH = do_DELETE = _answer  # by the names of methods

        def send_response(self, code: int, message: str | None = None) -> None:
            self.send_response_only(code, message)

        def log_message(self, *_: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    Thread(target=server.serve_forever, daemon=True).start()
    cluster = {"name": "c", "cluster": {"server": f"http://127.0.0.1:{server.server_port}"}}
    context = {"name": "c", "context": {"cluster": "c", "user": "u", "namespace": "shop"}}
    users = [{"name": "u", "user": {"token": "t"}}]
    told.kubeconfig.write_text(
        json.dumps({"clusters": [cluster], "contexts": [context], "users": users, "current-context": "c"})
    )
    try:
        yield told
    finally:
        server.shutdown()
        server.server_close()
