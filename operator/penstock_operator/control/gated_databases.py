"""Which Databases a pod's gate is for, by what its sidecar was made with: it asks control about these and no others.

A gateway is the chart's own, and asks about those of its namespace. What doesn't belong: which pod calls (`tokens.py`),
and what it is answered.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict

from penstock_core.token_review import Pod
from penstock_operator.cluster.api import Api, ApiError
from penstock_operator.control.callers import CallerError
from penstock_operator.inject.patch import Json
from penstock_operator.inject.sidecar import databases_of, is_ours

_MOST_KEPT = 10_000
# Pods that are looked at; more wait.
_AT_ONCE = 8
_GONE = 404


class GatedDatabases:
    """Of all pods that call."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._slots = asyncio.Semaphore(_AT_ONCE)
        # By the pod's uid: what a container is made with stays for as long as the pod lives.
        self._known: OrderedDict[str, frozenset[str] | None] = OrderedDict()

    async def refuse_others(self, pod: Pod, database: str) -> None:
        """Raises CallerError, unless that is one of the pod's."""
        if pod.uid not in self._known:
            self._known[pod.uid] = await self._read(pod)
            while len(self._known) > _MOST_KEPT:
                self._known.popitem(last=False)
        databases = self._known[pod.uid]
        if databases is not None and database not in databases:
            served = ", ".join(sorted(databases)) or "no Database"
            raise CallerError(
                403, f"the gate of the pod {pod.namespace}/{pod.name} is for {served}, not for {database}"
            )

    async def _read(self, pod: Pod) -> frozenset[str] | None:
        gone = CallerError(403, f"the pod {pod.namespace}/{pod.name} is gone")
        try:
            async with self._slots:
                raw: Json = await self._api.get(f"/api/v1/namespaces/{pod.namespace}/pods/{pod.name}")
        except ApiError as problem:
            if problem.status == _GONE:
                raise gone from problem
            raise CallerError(503, f"the pod can't be looked at now: {problem}") from problem
        if (raw.get("metadata") or {}).get("uid") != pod.uid:
            raise gone
        spec = raw.get("spec") or {}
        sidecar = next(filter(is_ours, spec.get("initContainers") or []), None)
        if sidecar is not None:
            return databases_of(sidecar)
        return None if any(map(is_ours, spec.get("containers") or [])) else frozenset()
