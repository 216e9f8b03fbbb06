"""How large an audit event may get, and what is cut from one that would be larger.

An event is never refused or dropped for its size: the SQL is cut first, then the lists, of which the first parts stay,
and the event says so.
"""

from __future__ import annotations

from penstock_core.audit.chain import canonical
from penstock_core.audit.event import Event

# What the collector takes as one line; MAX_BODY leaves room for the fields that sealing adds.
MAX_EVENT = 256 * 1024
MAX_BODY = 192 * 1024
# Fields that may be long, in the order in which they are given up.
_LONG_TEXTS = ("rewritten", "sql", "runs", "reason", "hint")
_LONG_LISTS = ("parameters", "values", "masks", "unless", "masked", "relations", "verbs", "policies", "asserted")


def fit(body: Event, limit: int = MAX_BODY) -> Event:
    """The body, cut to `limit` canonical bytes where it is longer.

    A cut event has `truncated`: the list of fields that were cut, and `bytesBefore`. Raises ChainError for a body
    that is not canonical.
    """
    size = len(canonical(body))
    if size <= limit:
        return body
    cut: Event = {**body, "truncated": [], "bytesBefore": size}
    for name in (*_LONG_TEXTS, *_LONG_LISTS, *sorted(body.keys() - {"kind", "session", "statement"})):
        if name not in cut or name in ("truncated", "bytesBefore", *cut["truncated"]):
            continue
        excess = len(canonical(cut)) - limit
        if excess <= 0:
            break
        cut["truncated"] = [*cut["truncated"], name]
        cut[name] = _shortened(cut[name], excess)
    return cut


def _shortened(value: object, excess: int) -> object:
    """The value with at least `excess` canonical bytes less, or as good as nothing of it."""
    if isinstance(value, str | list):
        # The escaped form is what counts, and its length differs by character; halving until it fits is near enough.
        keep: str | list[object] = value
        room = max(0, len(canonical({"": value})) - excess - 64)
        while len(canonical({"": keep})) > room and keep:
            keep = keep[: len(keep) * 3 // 4]
        return keep
    return None if isinstance(value, dict) else value
