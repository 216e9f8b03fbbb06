"""An API server of our own over real TLS, as far as people decide requests there: who somebody is by their bearer
token, one kind of object, and refusals in the words of a real one. What only a real one can tell is in e2e/approvals.
"""

from __future__ import annotations

import copy
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import trustme
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from tests.collector.tls_server import served
from tests.core.approvals.users import SPEC

Json = dict[str, Any]
NAMESPACE, NAME = "shop", "r-7k3f-9m2q"
PATH = f"/apis/penstock.dev/v1alpha1/namespaces/{NAMESPACE}/accessrequests/{NAME}"
_FORBIDDEN = 'accessrequests.penstock.dev "r-7k3f-9m2q" is forbidden: '
_POLICY = _FORBIDDEN + "ValidatingAdmissionPolicy 'penstock-requests' with binding 'penstock-requests' denied request: "


class Asked:
    """One question: by which token, and what."""

    def __init__(self, request: Request, body: bytes) -> None:
        self.token = request.headers.get("authorization", "").removeprefix("Bearer ")
        self.method, self.path = request.method, request.url.path
        self.kind = request.headers.get("content-type", "")
        self.body: Json = json.loads(body) if body else {}


class FakeApi:
    """Its users are known by their tokens; it holds one request."""

    def __init__(self) -> None:
        self.users: dict[str, Json] = {}
        self.asked: list[Asked] = []
        # Who may not even look, and what an admission policy says of whom.
        self.without_rights: set[str] = set()
        self.policy: dict[str, str] = {}
        # What becomes of the next write or look in place of what should.
        self.instead: dict[str, Callable[[Asked], Awaitable[Response]]] = {}
        self.object: Json | None = {
            "apiVersion": "penstock.dev/v1alpha1",
            "kind": "AccessRequest",
            "metadata": {
                "name": NAME, "namespace": NAMESPACE, "uid": "uid-1", "resourceVersion": "7",
                "creationTimestamp": "2026-11-29T09:00:00Z",
            },
            "spec": copy.deepcopy(SPEC),
        }  # fmt: skip

    def knows(self, token: str, name: str, *groups: str, uid: str = "", **extra: str) -> str:
        """A user, by that token, from now on."""
        told = {"username": name, "groups": [*groups, "system:authenticated"], "uid": uid}
        self.users[token] = told | {"extra": {key: [value] for key, value in extra.items()}}
        return token

    @property
    def status(self) -> Json:
        return dict((self.object or {}).get("status") or {})

    def writes(self) -> list[Asked]:
        return [one for one in self.asked if one.method == "PATCH"]

    async def answer(self, request: Request) -> Response:
        asked = Asked(request, await request.body())
        self.asked.append(asked)
        if (instead := self.instead.get(asked.method)) is not None:
            return await instead(asked)
        user = self.users.get(asked.token)
        if user is None:
            return _status(401, "Unauthorized")
        if asked.path.endswith("/selfsubjectreviews"):
            return JSONResponse({**asked.body, "status": {"userInfo": user}}, 201)
        if user["username"] in self.without_rights:
            return _status(403, f'{_FORBIDDEN}User "{user["username"]}" cannot {asked.method.lower()} resource')
        if self.object is None or not asked.path.startswith(PATH):
            return _status(404, f'accessrequests.penstock.dev "{NAME}" not found')
        return JSONResponse(self.object) if asked.method == "GET" else self._patch(asked, user["username"])

    def _patch(self, asked: Asked, name: str) -> Response:
        assert self.object is not None
        metadata = self.object["metadata"]
        if asked.path != f"{PATH}/status" or asked.kind != "application/merge-patch+json":
            return _status(405, "the server does not allow this method")
        if any(metadata[key] != value for key, value in asked.body["metadata"].items()):
            return _status(409, "Operation cannot be fulfilled: the object has been modified")
        if why := self.policy.get(name):
            return _status(403, _POLICY + why)
        if asked.body["status"].get("decidedBy") != name:
            return _status(422, f"{_POLICY}decidedBy must be who decides: {name}")
        if "decision" in self.status:
            return _status(422, f"{_POLICY}the request was {self.status['decision']} already; a decision stays")
        self.object = {**self.object, "status": {**self.status, **asked.body["status"]}}
        self.object["metadata"] = {**metadata, "resourceVersion": str(int(metadata["resourceVersion"]) + 1)}
        return JSONResponse(self.object)


def _status(code: int, message: str) -> Response:
    return JSONResponse({"kind": "Status", "apiVersion": "v1", "code": code, "message": message}, code)


async def failing(code: int) -> Response:
    """What a server in trouble answers."""
    return _status(code, "trouble")


@asynccontextmanager
async def serving(api: FakeApi, authority: trustme.CA, directory: Path) -> AsyncIterator[tuple[str, Path]]:
    """Its URL, and the file of its authority."""
    app = Starlette(routes=[Route("/{path:path}", api.answer, methods=["GET", "POST", "PATCH", "PUT", "DELETE"])])
    ca_file = directory / "api-server-ca.crt"
    authority.cert_pem.write_to_path(str(ca_file))
    async with served(app, authority, hangs=True) as url:
        yield url, ca_file
