"""Keeps the bundles' grants up to date, and tells of emergencies by events on their requests, as time goes on.

An event's name follows from the request and the reason, so that replicas make one. What doesn't belong: what comes to
a grant (`access_grants.py`).
"""

from __future__ import annotations

import asyncio
import hashlib
from datetime import UTC, datetime
from http import HTTPStatus

import structlog

from penstock_core.resources.model import API_VERSION
from penstock_operator.cluster.api import Api, ApiError
from penstock_operator.cluster.watch import Json
from penstock_operator.control.access_grants import AccessGrants, Finding
from penstock_operator.control.policies import Policies

# How often it is looked what has ended by itself; what somebody does is noticed at once.
_SECONDS = 0.5
_MOST_WORDS = 1000
_log = structlog.get_logger(__name__)


class AccessWatch:
    """Looks again and again."""

    def __init__(self, api: Api, policies: Policies, grants: AccessGrants) -> None:
        self._api = api
        self._policies = policies
        self._grants = grants
        self._told: set[tuple[str, str]] = set()

    async def run(self) -> None:
        """For ever."""
        while True:
            await asyncio.sleep(_SECONDS)
            try:
                self._policies.regrant()
                await self._tell()
            except Exception:
                # What lasts is checked by each gate, too; the next look may succeed.
                _log.exception("access for a time could not be looked at")

    async def _tell(self) -> None:
        if self._policies.lacking:
            return
        for bundle in self._policies.bundles():
            for finding in list(self._grants.findings(bundle)):
                key = (finding.kept.uid, finding.reason)
                if key in self._told:
                    continue
                self._told.add(key)
                await self._say(finding)

    async def _say(self, finding: Finding) -> None:
        request = finding.kept.request
        say = _log.warning if finding.warning else _log.info
        say(finding.words, request=request.name, namespace=request.namespace, reason=finding.reason)
        try:
            await self._api.create(f"/api/v1/namespaces/{request.namespace}/events", _event(finding))
        except ApiError as problem:
            # Another replica was faster.
            if problem.status != HTTPStatus.CONFLICT:
                _log.warning("an event could not be made", request=request.name, problem=str(problem))


def _event(finding: Finding) -> Json:
    request = finding.kept.request
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    suffix = hashlib.sha256(f"{finding.kept.uid} {finding.reason}".encode()).hexdigest()[:16]
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": f"{request.name[:200]}.{suffix}", "namespace": request.namespace},
        "involvedObject": {
            "apiVersion": API_VERSION,
            "kind": "AccessRequest",
            "name": request.name,
            "namespace": request.namespace,
            "uid": finding.kept.uid,
        },
        "reason": finding.reason,
        "message": finding.words[:_MOST_WORDS],
        "type": "Warning" if finding.warning else "Normal",
        "source": {"component": "penstock-control"},
        "firstTimestamp": now,
        "lastTimestamp": now,
        "count": 1,
    }
