"""Audit events that went with a pod before the collector had them: counted once, and told by an event on each Database
of its gate.

It is the pod's own word, as it ends. What doesn't belong: what its trail shows, which is cut off there.
"""

from __future__ import annotations

from collections import OrderedDict
from datetime import UTC, datetime

import structlog
from prometheus_client import Counter

from penstock_core.resources.model import API_VERSION
from penstock_core.token_review import Pod
from penstock_operator.cluster.api import Api, ApiError

_MOST_PODS = 10_000
_log = structlog.get_logger(__name__)


class LostEvents:
    """What pods said that they lost."""

    def __init__(self, api: Api, counter: Counter) -> None:
        self._api = api
        self._counter = counter
        # By the pod's uid, what was told of each Database: what is said twice is counted once.
        self._known: OrderedDict[str, dict[str, int]] = OrderedDict()

    async def tell(self, pod: Pod, database: str, uid: str, count: int) -> None:
        """A pod lost so many; `uid` is the Database's."""
        known = self._known.setdefault(pod.uid, {})
        if count <= known.get(database, 0):
            return
        more = count - max(known.values(), default=0)
        known[database] = count
        self._known.move_to_end(pod.uid)
        while len(self._known) > _MOST_PODS:
            self._known.popitem(last=False)
        self._counter.inc(max(more, 0))
        words = (
            f"{count} audit events are lost: pod {pod.name} ended before the collector had taken them; "
            "its streams in the trail are cut off there"
        )
        _log.error(words, namespace=pod.namespace, database=database)
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        event = {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {"name": f"{database[:150]}.{pod.uid[:60]}", "namespace": pod.namespace},
            "involvedObject": {
                "apiVersion": API_VERSION, "kind": "Database", "name": database, "namespace": pod.namespace, "uid": uid,
            },
            "reason": "AuditEventsLost",
            "message": words,
            "type": "Warning",
            "source": {"component": "penstock-control"},
            "firstTimestamp": now,
            "lastTimestamp": now,
            "count": 1,
        }  # fmt: skip
        try:
            await self._api.create(f"/api/v1/namespaces/{pod.namespace}/events", event)
        except ApiError as problem:
            _log.warning("an event could not be made", database=database, problem=str(problem))
