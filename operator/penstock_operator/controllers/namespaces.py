"""Brings each namespace to what it should be, whatever happened in it: reads all that is there, writes what differs.

Level-triggered: an event only says that a namespace is worth another look. What doesn't belong: judging
(`resource_status.py`), and how events come (`handlers.py`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import structlog

from penstock_operator.certificates.trust_distribution import distribute_trust
from penstock_operator.cluster.api import Api, ApiError
from penstock_operator.controllers.resource_status import Holdings, ResourceStatus, ready_condition, resource_statuses
from penstock_operator.inject.annotations import INJECTED_LABEL
from penstock_operator.inject.sidecar import is_ours
from penstock_operator.objects import DATABASES, GROUP_PATH, POLICIES

Json = dict[str, Any]

# Several events of one `kubectl apply` are one look.
_GATHER = 0.2
_RETRY = 5.0
_KINDS = {DATABASES: "Database", POLICIES: "DatabaseAccessPolicy"}
_ENDED = ("Succeeded", "Failed")
_NOT_FOUND = 404
_log = structlog.get_logger(__name__)


class Namespaces:
    """Those with resources of ours. `touch` one to have it looked at; `run` looks."""

    def __init__(self, api: Api, version: str, bundle: Callable[[], bytes], instance: str) -> None:
        self._api = api
        self._version = version
        self._bundle = bundle
        self._instance = instance
        self._dirty: set[str] = set()
        self._wake = asyncio.Event()
        # What went wrong with a namespace the last time, to say it once.
        self._troubles: dict[str, str] = {}
        self.known: set[str] = set()

    def touch(self, *namespaces: str) -> None:
        """Have them looked at soon."""
        self.known.update(namespaces)
        self._dirty.update(namespaces)
        self._wake.set()

    async def look_everywhere(self, before: datetime) -> list[str]:
        """Touch every namespace with resources; those that nobody told of though they are older than `before`.

        Raises ApiError.
        """
        found: dict[str, str] = {}
        for plural in (DATABASES, POLICIES):
            for one in await self._items(f"{GROUP_PATH}/{plural}"):
                namespace, made = one["metadata"]["namespace"], one["metadata"]["creationTimestamp"]
                found[namespace] = min(made, found.get(namespace, made))
        limit = before.strftime("%Y-%m-%dT%H:%M:%SZ")
        missed = sorted(namespace for namespace in set(found) - self.known if found[namespace] < limit)
        self.touch(*found)
        return missed

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            await self._wake.wait()
            await asyncio.sleep(_GATHER)
            self._wake.clear()
            dirty, self._dirty = self._dirty, set()
            for namespace in sorted(dirty):
                await self._try(namespace)

    async def _try(self, namespace: str) -> None:
        """One look; where it fails another one later, which no other namespace waits for."""
        fault: Exception | None = None
        try:
            await self.reconcile(namespace)
        except ApiError as problem:
            trouble = str(problem)
        except Exception as problem:  # what one namespace holds must not end the operator for all others
            trouble, fault = repr(problem), problem
        else:
            self._troubles.pop(namespace, None)
            return
        if self._troubles.get(namespace) != trouble:
            self._troubles[namespace] = trouble
            _log.warning(
                "a namespace could not be brought up to date", namespace=namespace, problem=trouble, exc_info=fault
            )
        asyncio.get_running_loop().call_later(_RETRY, self.touch, namespace)

    async def reconcile(self, namespace: str) -> None:
        """One look. Raises ApiError."""
        ours = f"{GROUP_PATH}/namespaces/{namespace}"
        databases = await self._items(f"{ours}/{DATABASES}")
        policies = await self._items(f"{ours}/{POLICIES}")
        if not databases and not policies:
            self.known.discard(namespace)
            return
        pods = await self._items(f"/api/v1/namespaces/{namespace}/pods", labelSelector=f"{INJECTED_LABEL}=true")
        running = [pod for pod in pods if (pod.get("status") or {}).get("phase") not in _ENDED and _has_sidecar(pod)]
        if databases:
            await distribute_trust(self._api, namespace, self._bundle())
        raw = {(DATABASES, one["metadata"]["name"]): one for one in databases}
        raw |= {(POLICIES, one["metadata"]["name"]): one for one in policies}
        for new in resource_statuses(Holdings(databases, policies, running), self._version):
            await self._say(new, raw[new.plural, new.name])

    async def _say(self, new: ResourceStatus, resource: Json) -> None:
        metadata = resource["metadata"]
        before: Json = resource.get("status") or {}
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        status = new.status(before, metadata.get("generation", 0), now)
        if status == before:
            return
        path = f"{GROUP_PATH}/namespaces/{metadata['namespace']}/{new.plural}/{new.name}/status"
        try:
            await self._api.merge(path, {"status": status})
        except ApiError as problem:
            if problem.status == _NOT_FOUND:
                return
            raise
        known = ready_condition(before)
        if (known.get("reason"), known.get("status")) != (new.reason, status["conditions"][0]["status"]):
            _log.info(
                "status",
                resource=f"{_KINDS[new.plural]} {metadata['namespace']}/{new.name}",
                ready=new.ready,
                reason=new.reason,
                message=new.message,
            )
            await self._tell(new, metadata)

    async def _tell(self, new: ResourceStatus, metadata: Json) -> None:
        """An Event, which `kubectl describe` shows. One that can't be written is no reason to try all again."""
        event: Json = {
            "apiVersion": "events.k8s.io/v1",
            "kind": "Event",
            "metadata": {"generateName": f"{new.name[:200]}-", "namespace": metadata["namespace"]},
            "eventTime": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
            "type": "Normal" if new.ready else "Warning",
            "reason": new.reason,
            "action": "Check",
            "note": new.message[:1000],
            "reportingController": "penstock.dev/operator",
            "reportingInstance": self._instance,
            "regarding": {
                "apiVersion": "penstock.dev/v1alpha1",
                "kind": _KINDS[new.plural],
                "namespace": metadata["namespace"],
                "name": new.name,
                "uid": metadata["uid"],
            },
        }
        try:
            await self._api.create(f"/apis/events.k8s.io/v1/namespaces/{metadata['namespace']}/events", event)
        except ApiError as problem:
            _log.warning("an event could not be written", resource=new.name, problem=str(problem))

    async def _items(self, path: str, **query: str) -> list[Json]:
        return (await self._api.get(path, **query)).get("items") or []


def _has_sidecar(pod: Json) -> bool:
    """Labels can be given to any pod; the names of its containers stay as they were admitted."""
    return any(map(is_ours, (pod.get("spec") or {}).get("initContainers") or []))
