"""Pods that read the trail with their own projected tokens, with roles by their service accounts.

What doesn't belong: whose token it is (`kubernetes.py`), pods that write (`streams.py`).
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

import structlog

from penstock_collector.auth.kubernetes import ReviewUnavailable, TokenReviewer
from penstock_collector.auth.roles import by_groups
from penstock_collector.auth.token_file import fingerprint
from penstock_collector.auth.viewer import Viewer
from penstock_collector.sign_in_settings import RoleName

_log = structlog.get_logger(__name__)

# What is older is asked about again, while a page that is open goes on; what is older still counts for nothing.
FRESH_SECONDS = 45.0
_KEPT_SECONDS = 120.0
_MOST_KEPT = 1_000


@dataclass(slots=True)
class _Kept:
    viewer: Viewer
    asked: float
    asking: asyncio.Task[None] | None = None


class PodReaders:
    """Pods whose service accounts have a role."""

    def __init__(
        self,
        reviewer: TokenReviewer,
        roles: Mapping[RoleName, Collection[str]],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._reviewer = reviewer
        self._roles = roles
        self._clock = clock
        self._kept: OrderedDict[str, _Kept] = OrderedDict()

    async def ask(self, token: str) -> None:
        """Find out whose a token is, unless that is known. Raises ReviewUnavailable."""
        key, now = fingerprint(token), self._clock()
        kept = self._kept.get(key)
        if kept is not None and now < kept.asked + FRESH_SECONDS:
            return
        pod = await self._reviewer.pod(token)
        account = f"{pod.namespace}/{pod.service_account}" if pod is not None else ""
        roles = by_groups({account}, self._roles) if account else frozenset()
        self._kept.pop(key, None)
        if pod is None or not roles:
            return
        name = f"system:serviceaccount:{pod.namespace}:{pod.service_account}"
        self._kept[key] = _Kept(Viewer(name, "service", roles=roles, how="pod", subject=pod.name), now)
        while len(self._kept) > _MOST_KEPT:
            self._kept.popitem(last=False)

    def known(self, token: str) -> Viewer | None:
        """Who reads with a token that was asked about; what is no longer fresh is asked about meanwhile."""
        kept = self._kept.get(fingerprint(token))
        if kept is None or self._clock() >= kept.asked + _KEPT_SECONDS:
            return None
        if self._clock() >= kept.asked + FRESH_SECONDS and kept.asking is None:
            kept.asking = asyncio.create_task(self._ask_again(token, kept), name="review a reader")
        return kept.viewer

    async def _ask_again(self, token: str, kept: _Kept) -> None:
        try:
            await self.ask(token)
        except ReviewUnavailable as error:
            _log.warning("cannot check a reader", why=str(error))
        finally:
            kept.asking = None
