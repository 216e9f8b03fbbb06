"""What stands for the API server in the tests of `control`: resources that a watch saw, and a reviewer of tokens."""

from __future__ import annotations

import base64
import copy
import json
from typing import Any

import httpx2

from penstock_operator.cluster.access import Access
from penstock_operator.cluster.api import Api
from penstock_operator.cluster.watch import Change
from penstock_operator.control.policies import MASK_KEY, Policies
from penstock_operator.control.tokens import Caller, Tokens
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
    policies.follower(kind).change(Change(key, copy.deepcopy(subject), revision))


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
WEB_POD = Caller("shop", "web", "web-1", "u-1")


class Reviewer:
    """An API server that reviews tokens: it knows one, and can be down."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.down = False

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        if self.down:
            raise httpx2.ConnectError("no route")
        spec = json.loads(request.content)["spec"]
        assert spec["audiences"] == ["penstock-control"]
        self.asked.append(spec["token"])
        return httpx2.Response(201, json={"status": GOOD if spec["token"] == "good" else {"authenticated": False}})


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def tokens(reviewer: Reviewer, clock: Clock) -> Tokens:
    api = Api(Access("https://cluster.test", ""), httpx2.MockTransport(reviewer))
    return Tokens(api, "penstock-control", clock)
