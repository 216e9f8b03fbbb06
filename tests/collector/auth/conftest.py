"""An API server of our own that answers TokenReviews over real TLS."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import trustme
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from tests.collector.tls_server import served

from penstock_collector.auth.kubernetes import ApiServer, TokenReviewer

UID = "6f1c7c1e-0000-4000-8000-000000000001"


def token(audience: object = "penstock-collector", expires_in: float = 600, name: str = "web") -> str:
    claims = {"aud": audience, "exp": time.time() + expires_in, "sub": name}
    payload = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
    return f"e30.{payload}.c2ln"


class Api:
    """The part of an API server that reviews tokens."""

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []
        self.pods: dict[str, Any] = {}
        self.answer: Response | None = None

    async def review(self, request: Request) -> Response:
        body = await request.json()
        self.asked.append({"authorization": request.headers["authorization"], **body["spec"]})
        if self.answer is not None:
            return self.answer
        status = self.pods.get(body["spec"]["token"], {"authenticated": False, "error": "unknown"})
        return JSONResponse({**body, "status": status}, 201)

    def knows(self, given: str, uids: Any = (UID,), audiences: Any = ("penstock-collector",), **more: Any) -> None:
        bound = {"authentication.kubernetes.io/pod-name": ["web-1"]}
        extra = bound | {"authentication.kubernetes.io/pod-uid": list(uids)} if uids is not None else None
        user = {"username": "system:serviceaccount:shop:web", "extra": extra}
        self.pods[given] = {"authenticated": True, "audiences": list(audiences), "user": user, **more}


@pytest.fixture
async def api(tmp_path: Path, authority: trustme.CA) -> AsyncIterator[tuple[Api, ApiServer]]:
    api = Api()
    app = Starlette(routes=[Route("/apis/authentication.k8s.io/v1/tokenreviews", api.review, methods=["POST"])])
    (tmp_path / "token").write_text("own-token\n")
    authority.cert_pem.write_to_path(str(tmp_path / "ca.crt"))
    async with served(app, authority) as url:
        yield api, ApiServer(url, tmp_path / "token", tmp_path / "ca.crt")


@pytest.fixture
async def reviewer(api: tuple[Api, ApiServer]) -> AsyncIterator[TokenReviewer]:
    reviewer = TokenReviewer(api[1], "penstock-collector")
    yield reviewer
    await reviewer.close()
