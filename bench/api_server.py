"""What stands for the API server before `control`: lists, watches, pods, reviews of tokens, in memory, in plain HTTP.

Who follows is `followers.py`'s, what is measured `control.py`'s.
"""

from __future__ import annotations

import asyncio
import base64
import json
import time
from collections import defaultdict
from collections.abc import AsyncIterator
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from penstock_core.token_review import PATH as REVIEWS
from penstock_operator.inject.sidecar import CONTAINER, CONTROL_AUDIENCE

Json = dict[str, Any]
_ACCOUNT = "system:serviceaccount:"
# As long as what a kubelet projects.
_PADDING = "x" * 600


class ApiServer:
    """Objects by the path of their collection."""

    def __init__(self) -> None:
        self._objects: dict[str, dict[str, Json]] = defaultdict(dict)
        self._watches: dict[str, list[asyncio.Queue[bytes]]] = defaultdict(list)
        self._revision = 1
        self.app = Starlette(
            routes=[
                Route("/version", self._version),
                Route(REVIEWS, self._review, methods=["POST"]),
                Route("/api/v1/namespaces/{namespace}/pods/{name}", self._pod),
                Route("/{path:path}", self._collection),
            ]
        )

    def put(self, path: str, subject: Json) -> None:
        """It is there from now on, as it is now; who watches is told."""
        self._revision += 1
        metadata = {**subject["metadata"], "resourceVersion": str(self._revision)}
        subject = {**subject, "metadata": metadata}
        kind = "MODIFIED" if metadata["name"] in self._objects[path] else "ADDED"
        self._objects[path][metadata["name"]] = subject
        line = json.dumps({"type": kind, "object": subject}).encode() + b"\n"
        for watch in self._watches[path]:
            watch.put_nowait(line)

    async def _version(self, _: Request) -> Response:
        return JSONResponse({"major": "1", "minor": "29"})

    async def _review(self, request: Request) -> Response:
        token = (await request.json())["spec"]["token"]
        claims = json.loads(base64.urlsafe_b64decode(token.split(".")[1]))
        pod = claims["sub"]
        user = {
            "username": f"{_ACCOUNT}{claims['namespace']}:app",
            "extra": {
                "authentication.kubernetes.io/pod-name": [pod],
                "authentication.kubernetes.io/pod-uid": [f"uid-{pod}"],
            },
        }
        status = {"authenticated": True, "audiences": [CONTROL_AUDIENCE], "user": user}
        return JSONResponse({"status": status}, status_code=201)

    async def _pod(self, request: Request) -> Response:
        """Its name is its Database's with a number."""
        name = request.path_params["name"]
        env = [{"name": "PENSTOCK_DATABASE", "value": name.rpartition("-")[0]}]
        spec = {"initContainers": [{"name": CONTAINER, "env": env}]}
        return JSONResponse({"metadata": {"name": name, "uid": f"uid-{name}"}, "spec": spec})

    async def _collection(self, request: Request) -> Response:
        path = request.url.path
        name = request.query_params.get("fieldSelector", "").removeprefix("metadata.name=")
        if "watch" in request.query_params:
            return StreamingResponse(self._watched(path), media_type="application/json")
        items = [one for one in self._objects[path].values() if name in ("", one["metadata"]["name"])]
        return JSONResponse({"items": items, "metadata": {"resourceVersion": str(self._revision)}})

    async def _watched(self, path: str) -> AsyncIterator[bytes]:
        watch: asyncio.Queue[bytes] = asyncio.Queue()
        self._watches[path].append(watch)
        try:
            while True:
                yield await watch.get()
        finally:
            self._watches[path].remove(watch)


def token(namespace: str, pod: str) -> str:
    """As the kubelet projects one for `control`, but for the signature."""
    claims = {
        "aud": [CONTROL_AUDIENCE], "exp": time.time() + 3600, "sub": pod, "namespace": namespace, "more": _PADDING,
    }  # fmt: skip
    payload = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
    # The padding of base64 is not part of a token; its reader here takes it as it is.
    return f"e30.{payload + '=' * (-len(payload) % 4)}.c2ln"
