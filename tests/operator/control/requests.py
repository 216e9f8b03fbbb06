"""What the tests of held requests share: a policy that holds deletes, a pod that asks, and an API server in memory that
keeps requests as the real one does (e2e/approvals has that one): versions, conflicts, preconditions.
"""

from __future__ import annotations

import asyncio
import copy
import json
from datetime import UTC, datetime
from typing import Any

import httpx2
from tests.operator.doubles import SHOP, synced

from penstock_core.approvals.asking import Asking
from penstock_core.token_review import Pod
from penstock_operator.cluster.access import Access
from penstock_operator.cluster.api import Api
from penstock_operator.cluster.watch import ObjectChange
from penstock_operator.control.access_asking import AccessAsker
from penstock_operator.control.policies import Policies
from penstock_operator.control.requests_guard import BINDING, GUARD, POLICY, RequestsGuard
from penstock_operator.control.requests_holder import RequestsHolder

Json = dict[str, Any]
NOW = 1_900_000_000.0
POD = Pod("shop", "web", "web-1", "u-1")
OTHER_POD = Pod("shop", "web", "web-2", "u-2")
PATH = "/apis/penstock.dev/v1alpha1/namespaces/shop/accessrequests"
ASKING: Json = {
    "databaseRef": {"name": "shop"},
    "heldBy": {"policy": "web", "approval": "deletes", "policyGeneration": 1, "approvers": ["dba", "owners"]},
    "statement": {"sql": "DELETE FROM orders"},
    "requester": {
        "workload": {"namespace": "shop", "serviceAccount": "web", "pod": "web-1", "podUid": "u-1"},
        "principal": {"kind": "person", "subject": "Straße", "issuer": "https://id.example"},
    },
    "expiresAfter": "1h",
    "nonce": "00112233445566778899aabbccddeeff",
}


# Where both rules of the shop's policy hold it.
BOTH: Json = {
    "alsoHeldBy": [{"policy": "web", "approval": "erasures", "policyGeneration": 1, "approvers": ["privacy", "dba"]}]
}


def asking(pod: Pod = POD, **changes: Any) -> Asking:
    document = copy.deepcopy(ASKING) | changes
    workload = document["requester"].get("workload")
    if workload:
        workload |= {"pod": pod.name, "podUid": pod.uid}
    return Asking.model_validate(document)


def holding(shop: Any) -> Json:
    """The shop's policy, with two approvals that may hold a DELETE."""
    policy: Json = copy.deepcopy(shop.policy)
    policy["spec"]["approvals"] = [
        {
            "name": "deletes",
            "when": "statement.verb == 'delete'",
            "approvers": {"groups": ["dba", "owners"]},
            "expiresAfter": "1h",
        },
        {
            "name": "erasures",
            "when": "statement.verb == 'delete' && 'public.orders' in statement.tables",
            "approvers": {"groups": ["privacy"]},
            "expiresAfter": "30m",
        },
    ]
    return policy


def policies_of(shop: Any) -> Policies:
    shop.policy = holding(shop)
    policies = synced(shop)
    bundle = policies.bundle(*SHOP)
    assert bundle is not None
    assert bundle.policies, policies.unusable
    return policies


def in_force() -> RequestsGuard:
    guard = RequestsGuard()
    guard.take(POLICY, {"metadata": {"name": GUARD}, "spec": {"failurePolicy": "Fail"}})
    guard.take(BINDING, {"metadata": {"name": GUARD}, "spec": {"validationActions": ["Deny"]}})
    return guard


class Clock:
    now = NOW

    def __call__(self) -> float:
        return self.now


class RequestServer:
    """Keeps requests, tells those who watch, and can be down, or lose its answer."""

    def __init__(self) -> None:
        self.objects: dict[str, Json] = {}
        self.calls: list[str] = []
        self.revision = 100
        self.down = self.answers_lost = False
        # Holders that see each change at once; those that lag are not among them.
        self.watching: list[RequestsHolder] = []

    def holder(self, policies: Policies, clock: Clock, *, watching: bool = True) -> RequestsHolder:
        """A replica of control."""
        api = Api(Access("https://cluster.test", ""), httpx2.MockTransport(self))
        holder = RequestsHolder(api, policies, in_force(), ("oidc:",), 24, clock)
        holder.kept.replace(self.listed(), self.revision)
        if watching:
            self.watching.append(holder)
        return holder

    def asker(self, holder: RequestsHolder, policies: Policies, clock: Clock) -> AccessAsker:
        """What makes requests for access, of the same replica."""
        api = Api(Access("https://cluster.test", ""), httpx2.MockTransport(self))
        return AccessAsker(api, policies, holder.kept, in_force(), lambda: datetime.fromtimestamp(clock(), UTC))

    def listed(self) -> dict[tuple[str, str], Json]:
        return {("shop", name): copy.deepcopy(one) for name, one in self.objects.items()}

    async def __call__(self, request: httpx2.Request) -> httpx2.Response:
        await asyncio.sleep(0)
        if self.down:
            raise httpx2.ConnectError("no route")
        self.calls.append(request.method)
        body: Json = json.loads(request.content) if request.content else {}
        name = request.url.path.removeprefix(PATH).removesuffix("/status").strip("/")
        answer = self._answer(request.method, name, body)
        if self.answers_lost:
            raise httpx2.ReadTimeout("gone")
        return answer

    def decide(self, name: str, decision: str = "approved", by: str = "bea") -> None:
        """As an approver does."""
        status = {"decision": decision, "decidedBy": by, "decidedAt": "2030-03-17T17:46:40Z"}
        self._write(name, self.objects[name] | {"status": status})

    def write(self, name: str, status: Json) -> None:
        """As somebody who writes all of its status."""
        self._write(name, self.objects[name] | {"status": status})

    def touch(self, name: str) -> None:
        """As somebody who writes what says nothing of the request."""
        self._write(name, dict(self.objects[name]))

    def delete(self, name: str) -> None:
        """By whomever."""
        self.revision += 1
        del self.objects[name]
        self._tell(name, None)

    def _answer(self, method: str, name: str, body: Json) -> httpx2.Response:
        if method == "POST":
            name = body["metadata"]["name"]
            if name in self.objects:
                return httpx2.Response(409, json={"message": "already exists"})
            metadata = {
                "uid": f"uid-{self.revision}",
                "creationTimestamp": f"{datetime.fromtimestamp(NOW + self.revision, UTC):%Y-%m-%dT%H:%M:%SZ}",
            }
            self._write(name, body | {"metadata": body["metadata"] | metadata})
            return httpx2.Response(201, json=self.objects[name])
        known = self.objects.get(name)
        if known is None:
            return httpx2.Response(404, json={"message": "not found"})
        wanted = body.get("metadata") or body.get("preconditions") or {}
        if any(value != known["metadata"][key] for key, value in wanted.items()):
            return httpx2.Response(409, json={"message": "the object has been modified"})
        if method == "DELETE":
            self.delete(name)
        elif method == "PATCH":
            self._write(name, known | {"status": (known.get("status") or {}) | body["status"]})
        return httpx2.Response(200, json=self.objects.get(name, {}))

    def _write(self, name: str, document: Json) -> None:
        self.revision += 1
        document["metadata"] = document["metadata"] | {"resourceVersion": str(self.revision)}
        self.objects[name] = document
        self._tell(name, document)

    def _tell(self, name: str, document: Json | None) -> None:
        for holder in self.watching:
            holder.kept.change(ObjectChange(("shop", name), copy.deepcopy(document), self.revision))
