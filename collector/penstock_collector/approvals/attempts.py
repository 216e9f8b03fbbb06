"""How often one person may try to decide: often enough for a full inbox, too seldom for trying names.

What doesn't belong: failed logins (`penstock_collector.auth.viewers`).
"""

from __future__ import annotations

from collections import OrderedDict, deque

MOST = 60
_SECONDS = 60.0
_MOST_PEOPLE = 10_000


class Attempts:
    """The attempts of the last minute, by name."""

    def __init__(self) -> None:
        self._times: OrderedDict[str, deque[float]] = OrderedDict()

    def one_more(self, name: str, now: float) -> bool:
        """Count an attempt; False if it is one too many, which does not count."""
        times = self._times.setdefault(name, deque(maxlen=MOST))
        self._times.move_to_end(name)
        while len(self._times) > _MOST_PEOPLE:
            self._times.popitem(last=False)
        while times and times[0] <= now - _SECONDS:
            times.popleft()
        if len(times) >= MOST:
            return False
        times.append(now)
        return True
