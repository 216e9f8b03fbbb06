"""Follows one kind of object: a list, then a watch from there, again and again; what was seen last is kept meanwhile.

What doesn't belong: what the objects mean. Who follows gets whole states and single changes, in order.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any, Protocol

import structlog

from penstock_core.backoff import Backoff
from penstock_operator.cluster.api import Api, ApiError

Json = dict[str, Any]
Key = tuple[str, str]

_SHORTEST_PAUSE = 0.5
_LONGEST_PAUSE = 30.0
_GONE = 410
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class ObjectChange:
    """One object as it is now, or None where it is gone; `revision` is the cluster's when it became so."""

    key: Key
    object: Json | None
    revision: int


class Follower(Protocol):
    """Who wants to know. Both are called in order, never at once."""

    def replace(self, objects: dict[Key, Json], revision: int) -> None:
        """All objects, as of that revision."""

    def change(self, change: ObjectChange) -> None:
        """One object changed."""


class Relist(Exception):
    """The server no longer knows where we were; only a new list helps."""


class KnownObjects:
    """A follower that keeps what it was told last."""

    def __init__(self) -> None:
        self._objects: dict[Key, Json] = {}

    def replace(self, objects: dict[Key, Json], revision: int) -> None:
        self._objects = dict(objects)

    def change(self, change: ObjectChange) -> None:
        # Made anew: others read it in other threads.
        others = {key: one for key, one in self._objects.items() if key != change.key}
        self._objects = others if change.object is None else {**others, change.key: change.object}


async def follow(api: Api, path: str, follower: Follower, *, fields: str = "", labels: str = "") -> None:
    """Follow `path` (a collection) until cancelled. `fields` is a field selector, `labels` one of labels."""
    query = {name: text for name, text in (("fieldSelector", fields), ("labelSelector", labels)) if text}
    backoff = Backoff(_SHORTEST_PAUSE, _LONGEST_PAUSE)
    revision: int | None = None
    while True:
        try:
            if revision is None:
                revision = await _list(api, path, query, follower)
            async for reached in _watch(api, path, query, follower, revision):
                revision = reached
                backoff.reset()
            # A server that ends each watch at once must not be asked in a tight loop.
            await asyncio.sleep(_SHORTEST_PAUSE * random.random())  # noqa: S311 - jitter
        except Relist:
            revision = None
        except ApiError as problem:
            revision = None if problem.status == _GONE else revision
            pause = backoff.next()
            _log.warning("following was interrupted", path=path, problem=str(problem), retry_in=round(pause, 1))
            await asyncio.sleep(pause)


async def _list(api: Api, path: str, query: dict[str, str], follower: Follower) -> int:
    document = await api.get(path, **query)
    revision = _revision(document)
    follower.replace({_key(item): _kept(item) for item in document.get("items") or []}, revision)
    return revision


async def _watch(api: Api, path: str, query: dict[str, str], follower: Follower, revision: int) -> AsyncIterator[int]:
    """Yields the revision reached after each event. The server ends a watch every few minutes; that is no failure."""
    watch = {"watch": "true", "allowWatchBookmarks": "true", "resourceVersion": str(revision), "timeoutSeconds": "290"}
    async with api.stream(path, **query, **watch) as events:
        yield revision
        async for event in events:
            kind, subject = event.get("type"), event.get("object")
            if kind not in ("ADDED", "MODIFIED", "DELETED", "BOOKMARK") or not isinstance(subject, dict):
                # Usually 410 Gone in an ERROR event; for anything else a new list is right too, after a moment.
                await asyncio.sleep(_SHORTEST_PAUSE)
                raise Relist
            revision = _revision(subject)
            if kind != "BOOKMARK":
                follower.change(ObjectChange(_key(subject), None if kind == "DELETED" else _kept(subject), revision))
                # A thousand may come at once, and the loop has others to answer in between.
                await asyncio.sleep(0)
            yield revision


def _kept(subject: Json) -> Json:
    """Without what is larger than most objects and of interest to nobody here: who set which field."""
    (subject.get("metadata") or {}).pop("managedFields", None)
    return subject


def _key(subject: Json) -> Key:
    metadata = subject.get("metadata") or {}
    return str(metadata.get("namespace", "")), str(metadata.get("name", ""))


def _revision(subject: Json) -> int:
    text = str((subject.get("metadata") or {}).get("resourceVersion", ""))
    if not text.isdecimal():
        raise ApiError(0, f"the API server gave the resource version {text!r}, which is not a number")
    return int(text)
