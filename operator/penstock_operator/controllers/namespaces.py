"""Brings each namespace to what it should be, whatever happened in it: reads all that is there, writes what differs.

Level-triggered: an event only says that a namespace is worth another look. What doesn't belong: judging
(`resource_status.py`), and how events come (`handlers.py`).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import structlog

from penstock_operator.certificates.trust_distribution import distribute_trust
from penstock_operator.cluster.api import Api, ApiError
from penstock_operator.controllers.gate_news import GateNews
from penstock_operator.controllers.governed_pods import GATEWAY_LABEL, GovernedPod
from penstock_operator.controllers.resource_status import (
    Holdings,
    ResourceStatus,
    digest_of,
    ready_condition,
    resource_statuses,
)
from penstock_operator.inject.annotations import INJECTED_LABEL
from penstock_operator.objects import DATABASES, GROUP_PATH, POLICIES

Json = dict[str, Any]

# Several events of one `kubectl apply` are one look.
_GATHER = 0.2
_RETRY = 5.0
# While a pod's gate starts, nothing else may tell how that goes.
_LOOK_AGAIN = 4.0
# So long gates may take to be told of what is in effect, and to say so.
_SETTLES = 8.0
_KINDS = {DATABASES: "Database", POLICIES: "DatabaseAccessPolicy"}
_ENDED = ("Succeeded", "Failed")
_NOT_FOUND = 404
_log = structlog.get_logger(__name__)


class Namespaces:
    """Those with resources of ours. `touch` one to have it looked at; `run` looks."""

    def __init__(
        self,
        api: Api,
        version: str,
        bundle: Callable[[], bytes],
        instance: str,
        news: GateNews | None = None,
        clock: Callable[[], float] = time.monotonic,
        quiet_minutes: int = 0,
    ) -> None:
        """`news`: what gates report; without it nobody knows. `quiet_minutes`: after which a pod is quiet; 0: never."""
        self._api = api
        self._version = version
        self._bundle = bundle
        self._instance = instance
        self._news = news
        self._clock = clock
        self._quiet_minutes = quiet_minutes
        # Of each namespace, how many pods are quiet, counted once with each Database.
        self.quiet: dict[str, int] = {}
        # By Database, what is in effect and since when.
        self._in_effect: dict[tuple[str, str], tuple[str, float]] = {}
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
            self.quiet.pop(namespace, None)
            return
        pods = await self._pods(namespace)
        if databases:
            await distribute_trust(self._api, namespace, self._bundle())
        raw = {(DATABASES, one["metadata"]["name"]): one for one in databases}
        raw |= {(POLICIES, one["metadata"]["name"]): one for one in policies}
        found = resource_statuses(self._holdings(namespace, databases, policies, pods), self._version)
        self.quiet[namespace] = sum(one.quiet for one in found)
        for new in found:
            await self._say(new, raw[new.plural, new.name])
        if not all(pod.settled for pod in pods):
            self._later(namespace, _LOOK_AGAIN)

    async def _pods(self, namespace: str) -> list[GovernedPod]:
        path, now = f"/api/v1/namespaces/{namespace}/pods", datetime.now(UTC)
        listed = [
            pod
            for selector in (f"{INJECTED_LABEL}=true", GATEWAY_LABEL)
            for pod in await self._items(path, labelSelector=selector)
        ]
        # One may have both labels.
        found = list({pod["metadata"]["name"]: pod for pod in listed if _is_there(pod)}.values())
        pods = [one for pod in found if (one := GovernedPod.read(pod, now, {})) is not None]
        if all(one.started for one in pods):
            return pods
        mounts = await self._mounts(namespace)
        return [one for pod in found if (one := GovernedPod.read(pod, now, mounts)) is not None]

    async def _mounts(self, namespace: str) -> dict[str, str]:
        """Why volumes of pods can't be had, by their uids: only events tell."""
        query = "reason=FailedMount,involvedObject.kind=Pod"
        try:
            found = await self._items(f"/api/v1/namespaces/{namespace}/events", fieldSelector=query, limit="500")
        except ApiError as problem:
            # The status says less then, and nothing that is wrong.
            _log.warning("events of pods could not be read", namespace=namespace, problem=str(problem))
            return {}
        return {
            str((one.get("involvedObject") or {}).get("uid")): " ".join(str(one.get("message", "")).split())[:300]
            for one in found
        }

    def _holdings(
        self, namespace: str, databases: list[Json], policies: list[Json], pods: list[GovernedPod]
    ) -> Holdings:
        unsettled, now = set(), self._clock()
        for raw in databases:
            name, digest = raw["metadata"]["name"], digest_of(raw, policies)
            known = self._in_effect.get((namespace, name))
            if known is None or known[0] != digest:
                known = self._in_effect[namespace, name] = (digest, now)
                self._later(namespace, _SETTLES + 0.5)
            if now - known[1] < _SETTLES:
                unsettled.add(name)
        if self._news is None:
            return Holdings(databases, policies, pods, unsettled=frozenset(unsettled))
        self._news.keep(namespace, {pod.uid for pod in pods})
        gates = {raw["metadata"]["name"]: self._news.of(namespace, raw["metadata"]["name"]) for raw in databases}
        silent = self._news.silent
        return Holdings(databases, policies, pods, gates, frozenset(unsettled), silent, self._quiet_minutes)

    def _later(self, namespace: str, seconds: float) -> None:
        asyncio.get_running_loop().call_later(seconds, self.touch, namespace)

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
        ready = new.ready
        if (known.get("reason"), known.get("status")) != (ready.reason, ready.status):
            _log.info(
                "status",
                resource=f"{_KINDS[new.plural]} {metadata['namespace']}/{new.name}",
                ready=ready.status,
                reason=ready.reason,
                message=ready.message,
            )
            if ready.status != "Unknown":
                await self._tell(new, metadata)

    async def _tell(self, new: ResourceStatus, metadata: Json) -> None:
        """An Event, which `kubectl describe` shows. One that can't be written is no reason to try all again."""
        event: Json = {
            "apiVersion": "events.k8s.io/v1",
            "kind": "Event",
            "metadata": {"generateName": f"{new.name[:200]}-", "namespace": metadata["namespace"]},
            "eventTime": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
            "type": "Warning" if new.ready.status == "False" or new.ready.reason == "Observing" else "Normal",
            "reason": new.ready.reason,
            "action": "Check",
            "note": new.ready.message[:1000],
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


def _is_there(pod: Json) -> bool:
    return (pod.get("status") or {}).get("phase") not in _ENDED and not pod["metadata"].get("deletionTimestamp")
