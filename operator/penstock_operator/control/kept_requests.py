"""The AccessRequests of the cluster as a watch sees them, by whom they are of, and whoever waits for one told of it.

What doesn't belong: what becomes of a request (`requests_holder.py`), and watching (`cluster/watch.py`).
"""

from __future__ import annotations

import asyncio
import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import structlog
from pydantic import ValidationError

from penstock_core.approvals.binding import whose
from penstock_core.approvals.standing import moment
from penstock_core.audit.chain import canonical
from penstock_core.resources.access_request import AccessRequest, Requester
from penstock_operator.cluster.watch import Json, Key, ObjectChange
from penstock_operator.objects import REQUESTS

_log = structlog.get_logger(__name__)
# A namespace, and a requester or a service account in it.
Owner = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Kept:
    """A request as the API server has it."""

    request: AccessRequest
    revision: int
    uid: str
    created: str

    @property
    def key(self) -> Key:
        return self.request.namespace, self.request.name

    @property
    def expires(self) -> float:
        """Seconds since 1970."""
        return moment(self.request.spec.expires_at).timestamp()

    @property
    def decided(self) -> bool:
        """Whether somebody decided it, or it needed no decision."""
        status = self.request.status
        return (status is not None and status.decision is not None) or self.request.spec.break_glass is not None


def requester_of(namespace: str, requester: Requester) -> Owner:
    """Who asks, the same from one session to the next."""
    return namespace, hashlib.sha256(canonical(whose(requester))).hexdigest()


def account_of(requester: Requester) -> Owner:
    """The service account of the pod that asks."""
    workload = requester.workload
    return ("", "") if workload is None else (workload.namespace, workload.service_account)


def read(document: Json) -> Kept | None:
    """None if it makes no sense: it is of another version, or of nobody who should make any."""
    metadata: dict[str, Any] = document.get("metadata") or {}
    bare = {name: metadata.get(name) for name in ("name", "namespace", "labels", "uid") if metadata.get(name)}
    try:
        request = AccessRequest.model_validate(
            {"spec": document.get("spec")}
            | ({"status": document["status"]} if document.get("status") else {})
            | {"metadata": bare}
        )
        created = str(metadata.get("creationTimestamp", ""))
        return Kept(request, int(metadata["resourceVersion"]), str(metadata["uid"]), created)
    except (ValidationError, LookupError, ValueError) as problem:
        _log.error(
            "a request for approval can't be read", request=str(metadata.get("name")), problem=type(problem).__name__
        )
        return None


class KeptRequests:
    """All of them. What this process writes itself is put in at once; a watch that lags behind takes nothing back."""

    def __init__(self) -> None:
        self._kept: dict[Key, Kept] = {}
        self._by_requester: dict[Owner, dict[Key, None]] = defaultdict(dict)
        self._by_account: dict[Owner, dict[Key, None]] = defaultdict(dict)
        self._waiting: dict[Key, set[asyncio.Event]] = {}
        self._synced = False
        # Called when a request has changed.
        self.on_change: Callable[[], None] = lambda: None

    @property
    def lacking(self) -> list[str]:
        """What must be there before anything can be answered, in words."""
        return [] if self._synced else [f"the list of {REQUESTS}"]

    def replace(self, objects: dict[Key, Json], revision: int) -> None:
        for key in [key for key, kept in self._kept.items() if key not in objects and kept.revision <= revision]:
            self.forget(key)
        for document in objects.values():
            self._take(document)
        self._synced = True
        self.on_change()

    def change(self, change: ObjectChange) -> None:
        if change.object is not None:
            self._take(change.object)
        elif (kept := self._kept.get(change.key)) is None or kept.revision <= change.revision:
            self.forget(change.key)

    def put(self, document: Json) -> Kept | None:
        """What the API server answered to us, or was asked about."""
        return self._take(document)

    def get(self, namespace: str, name: str) -> Kept | None:
        return self._kept.get((namespace, name))

    def of(self, requester: Owner) -> list[Kept]:
        """Those of one requester, oldest first."""
        found = [self._kept[key] for key in self._by_requester.get(requester, ())]
        return sorted(found, key=lambda one: (one.created, one.request.name))

    def of_account(self, account: Owner) -> Iterator[Kept]:
        """Those of all who use one service account."""
        return (self._kept[key] for key in self._by_account.get(account, ()))

    def all(self) -> list[Kept]:
        return list(self._kept.values())

    def forget(self, key: Key) -> None:
        """It is gone."""
        kept = self._kept.pop(key, None)
        if kept is not None:
            requester = kept.request.spec.requester
            _drop(self._by_requester, requester_of(key[0], requester), key)
            _drop(self._by_account, account_of(requester), key)
        self._ring(key)

    async def news(self, namespace: str, name: str, seconds: float, stopping: asyncio.Event) -> None:
        """Wait for a change of that request, for so long at most; no longer than the process is to live."""
        key, event = (namespace, name), asyncio.Event()
        self._waiting.setdefault(key, set()).add(event)
        tasks = [asyncio.create_task(event.wait()), asyncio.create_task(stopping.wait())]
        try:
            await asyncio.wait(tasks, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            waiting = self._waiting[key]
            waiting.discard(event)
            if not waiting:
                del self._waiting[key]

    def _take(self, document: Json) -> Kept | None:
        kept = read(document)
        if kept is None:
            return None
        known = self._kept.get(kept.key)
        if known is not None and known.revision >= kept.revision:
            return known
        if known is not None and known.uid != kept.uid:
            self.forget(kept.key)
        self._kept[kept.key] = kept
        requester = kept.request.spec.requester
        self._by_requester[requester_of(kept.request.namespace, requester)][kept.key] = None
        self._by_account[account_of(requester)][kept.key] = None
        self._ring(kept.key)
        return kept

    def _ring(self, key: Key) -> None:
        for event in self._waiting.get(key, ()):
            event.set()
        if self._synced:
            self.on_change()


def _drop(index: dict[Owner, dict[Key, None]], owner: Owner, key: Key) -> None:
    keys = index.get(owner, {})
    keys.pop(key, None)
    if not keys:
        index.pop(owner, None)
