"""Emergencies that a gate hears of with its policies: each is in its trail at once, before anything runs by it.

Whoever holds the requests of a cluster is not who keeps the trail; by this, the collector knows within seconds that
somebody broke the glass, and tells people. What doesn't belong: what a grant is worth (`penstock_core.policy.access`).
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

from penstock_core.approvals.requester import identity_of
from penstock_core.audit.event import Event
from penstock_core.resources import Bundle
from penstock_core.resources.grant import Grant

# Requests that are remembered, so that each is told once whatever comes and goes.
_MOST_KNOWN = 1000


class Emergencies:
    """Those of one Database."""

    def __init__(self, record: Callable[[list[Event]], None]) -> None:
        self._record = record
        self._known: OrderedDict[str, None] = OrderedDict()

    def heard(self, bundle: Bundle) -> None:
        """That is in force by now, with what lasts."""
        for one in bundle.grants:
            if one.break_glass and one.request not in self._known:
                self._known[one.request] = None
                self._record([_event(one, bundle.database.name)])
        while len(self._known) > _MOST_KNOWN:
            self._known.popitem(last=False)


def _event(grant: Grant, database: str) -> Event:
    try:
        identity = identity_of(grant.requester).document()
    except ValueError:
        # Of such a one no session is, and nothing can run by it.
        identity = {"name": "nobody"}
    return {
        "kind": "emergency", "identity": identity, "database": database, "request": grant.request,
        "policy": grant.policy, "until": grant.until,
    }  # fmt: skip
