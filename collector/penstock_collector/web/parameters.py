"""Which parameters of the query each path takes. One that means nothing is refused: it was to leave something out.

What doesn't belong: what they mean (the handlers).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import fields

from starlette.requests import Request

from penstock_collector.approvals import wording
from penstock_collector.login_search import LoginFilters
from penstock_collector.search import Filters

_STATEMENTS = tuple(field.name for field in fields(Filters))
_LOGINS = tuple(field.name for field in fields(LoginFilters))
_FOLLOWED = ("after", "format")
_PAGED = ("before", "limit")
_ALARMS = ("kind", "owner", *_PAGED)
_LONGEST_NAMED = 40

# Paths that are not here take none. What everybody may ask for (signing in, probes) is not looked at: providers and
# probes add what they like.
TAKEN: Mapping[str, tuple[str, ...]] = {
    "/": (*_STATEMENTS, "before"),
    "/tail": (*_STATEMENTS, *_FOLLOWED),
    "/logins": (*_LOGINS, "before"),
    "/logins/tail": (*_LOGINS, *_FOLLOWED),
    "/requests/tail": ("after",),
    "/requests/{name}": ("decide",),
    "/requests/on-cluster/{namespace}/{name}": ("decide",),
    "/readings": ("who", "action", "before"),
    "/v1/events": (*_STATEMENTS, *_PAGED),
    "/v1/logins": (*_LOGINS, *_PAGED),
    "/v1/streams": ("after",),
    "/v1/alarms": _ALARMS,
    "/v1/alarms/past": _ALARMS,
    "/v1/export": ("stream",),
    "/v1/holds": _PAGED,
    "/v1/readings": ("who", "action", *_PAGED),
    "/v1/requests": ("standing", *_PAGED),
    "/v1/streams/{owner}/access": ("wait", "namespace"),
    "/v1/streams/{owner}/access/requests": ("namespace",),
    "/v1/streams/{owner}/requests/{name}": ("wait",),
}


def objection(request: Request, taken: tuple[str, ...]) -> str:
    """Why the request's query is not answered; "" if it is."""
    given = Counter(name for name, _ in request.query_params.multi_items())
    unknown = [name for name in given if name not in taken]
    if unknown:
        named = ", ".join(wording.visible(name[:_LONGEST_NAMED]) or '""' for name in unknown[:5])
        takes = f"takes {', '.join(taken)}" if taken else "takes no parameters"
        return f"unknown parameter {named}: {request.url.path} {takes}"
    twice = [name for name, count in given.items() if count > 1]
    return f"{', '.join(twice)} is given more than once" if twice else ""
