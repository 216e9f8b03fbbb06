"""What stands for the API server in the tests of `control`: resources that a watch saw, and a reviewer of tokens."""

from __future__ import annotations

import base64
import copy
import json
import time
from typing import Any

import httpx2

from penstock_core.token_review import Pod
from penstock_operator.cluster.access import Access
from penstock_operator.cluster.api import Api
from penstock_operator.cluster.watch import ObjectChange
from penstock_operator.control.gated_databases import GatedDatabases
from penstock_operator.control.policies import MASK_KEY, Policies
from penstock_operator.control.tokens import Tokens
from penstock_operator.objects import DATABASES, POLICIES

Json = dict[str, Any]
SHOP, WEB = ("shop", "shop"), ("shop", "web")
SECRET: Json = {"data": {"key": base64.b64encode(b"k" * 32).decode()}}


def synced(shop: Any) -> Policies:
    policies = Policies()
    policies.follower(DATABASES).replace({SHOP: copy.deepcopy(shop.database)}, 100)
    policies.follower(POLICIES).replace({WEB: copy.deepcopy(shop.policy)}, 101)
    policies.follower(MASK_KEY).replace({("penstock-system", "k"): SECRET}, 99)
    return policies


def change(policies: Policies, kind: str, key: tuple[str, str], subject: Json | None, revision: int) -> None:
    policies.follower(kind).change(ObjectChange(key, copy.deepcopy(subject), revision))


GOOD: dict[str, Any] = {
    "authenticated": True,
    "audiences": ["penstock-control"],
    "user": {
        "username": "system:serviceaccount:shop:web",
        "extra": {
            "authentication.kubernetes.io/pod-name": ["web-1"],
            "authentication.kubernetes.io/pod-uid": ["u-1"],
        },
    },
}
WEB_POD = Pod("shop", "web", "web-1", "u-1")


def token(audience: str = "penstock-control", life: float = 3600, subject: str = "web") -> str:
    """As a projected one looks, but for the signature."""
    payload = json.dumps({"aud": [audience], "exp": time.time() + life, "sub": subject}).encode()
    return f"e30.{base64.urlsafe_b64encode(payload).decode().rstrip('=')}.c2ln"


GOOD_TOKEN = token()


def gated_pod(*databases: str) -> Json:
    """As the API server has it."""
    listed = json.dumps([{"name": name} for name in databases])
    env = [{"name": "PENSTOCK_DATABASES", "value": listed}]
    return {"metadata": {"uid": "u-1"}, "spec": {"initContainers": [{"name": "penstock-proxy", "env": env}]}}


class Reviewer:
    """An API server that reviews tokens, and shows their pods: it knows one of each, and can be down."""

    def __init__(self) -> None:
        # What that pod's gate is for.
        self.databases = ["shop"]
        # The pod in its place.
        self.pod: Json | None = None
        # Pods that were looked at.
        self.looked: list[str] = []
        self.asked: list[str] = []
        self.good = {GOOD_TOKEN}
        self.down = False
        # What it answers in place of a review.
        self.status: object = None

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        if self.down:
            raise httpx2.ConnectError("no route")
        if request.method == "GET":
            self.looked.append(request.url.path)
            return httpx2.Response(200, json=self.pod or gated_pod(*self.databases))
        spec = json.loads(request.content)["spec"]
        assert spec["audiences"] == ["penstock-control"]
        self.asked.append(spec["token"])
        if self.status is not None:
            return httpx2.Response(201, json={"status": self.status})
        return httpx2.Response(201, json={"status": GOOD if spec["token"] in self.good else {"authenticated": False}})


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def gated(reviewer: Reviewer) -> GatedDatabases:
    return GatedDatabases(Api(Access("https://cluster.test", ""), httpx2.MockTransport(reviewer)))


def tokens(reviewer: Reviewer, clock: Clock) -> Tokens:
    api = Api(Access("https://cluster.test", ""), httpx2.MockTransport(reviewer))
    return Tokens(api, "penstock-control", clock)


class Cluster:
    """An API server in memory, as far as the operator uses one: objects by path, applied, merged, listed, created."""

    def __init__(self) -> None:
        self.objects: dict[str, Json] = {}
        self.requests: list[tuple[str, str]] = []
        self.created: list[Json] = []
        # Path → status to refuse with.
        self.refusing: dict[str, int] = {}

    def api(self) -> Api:
        return Api(Access("https://cluster.test", ""), httpx2.MockTransport(self))

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        path, method = request.url.path, request.method
        self.requests.append((method, path))
        if path in self.refusing:
            return httpx2.Response(self.refusing[path], json={"message": f"refused: {path}"})
        body: Json = json.loads(request.content) if request.content else {}
        if method == "POST":
            self.created.append(body)
            return httpx2.Response(201, json=body)
        if method == "PATCH":
            return self._patched(
                path, body, request.url.params.get("fieldManager", ""), request.url.params.get("force")
            )
        if path in self.objects:
            return httpx2.Response(200, json=self.objects[path])
        # Objects have three more segments than their kind's path has in one namespace, one more than the whole list.
        items = [found for place, found in sorted(self.objects.items()) if _listed(path, place)]
        if items or path.rpartition("/")[2] in ("databases", "databaseaccesspolicies", "pods", "events"):
            return httpx2.Response(200, json={"items": items, "metadata": {"resourceVersion": "1"}})
        return httpx2.Response(404, json={"message": f"{path} not found"})

    def _patched(self, path: str, body: Json, manager: str, force: str | None) -> httpx2.Response:
        path = path.removesuffix("/status")
        known = self.objects.get(path)
        if known is not None and force == "false" and known.get("data") != body.get("data"):
            return httpx2.Response(409, json={"message": "conflict"})
        merged = _merged(known or {}, body)
        if manager:
            merged["manager"] = manager
        self.objects[path] = merged
        return httpx2.Response(200, json=merged)

    def writes(self) -> list[str]:
        """What was written since the last time, by path."""
        written = [path for method, path in self.requests if method != "GET"]
        self.requests.clear()
        return written


def _listed(collection: str, place: str) -> bool:
    if place.startswith(f"{collection}/") and "/" not in place[len(collection) + 1 :]:
        return True
    group, _, plural = collection.rpartition("/")
    return "/namespaces/" not in collection and place.startswith(f"{group}/namespaces/") and f"/{plural}/" in place


def _merged(known: Json, body: Json) -> Json:
    """Objects by key, lists of named things by name, the rest replaced."""
    result = dict(known)
    for key, value in body.items():
        before = known.get(key)
        if isinstance(value, dict) and isinstance(before, dict) and key != "data":
            result[key] = _merged(before, value)
        elif key == "webhooks" and isinstance(before, list):
            named = {one["name"]: one for one in value}
            result[key] = [_merged(one, named.get(one["name"], {})) for one in before]
        else:
            result[key] = copy.deepcopy(value)
    return result
