"""What is logged of connections that end badly: a line each, up to some in a while, and the rest summed up in one.

Whoever can connect could fill the log otherwise. What a line says is its connection's.
"""

from __future__ import annotations

import asyncio
from collections import Counter

import structlog

_log = structlog.get_logger(__name__)

# Lines of their own in one span of time, and how long that is.
MOST_LINES = 50
SECONDS = 10.0
# Different problems that are counted apart, and how many of them a sum names.
_MOST_KINDS = 200
_NAMED = 5


class LogThrottle:
    """The log's share of one listener's bad connections."""

    def __init__(self) -> None:
        self._told = 0
        self._left_out: Counter[str] = Counter()
        self._span: asyncio.TimerHandle | None = None

    def warn(self, problem: str, **details: object) -> None:
        """A connection ended with this problem."""
        if self._span is None:
            self._span = asyncio.get_running_loop().call_later(SECONDS, self.sum_up)
        self._told += 1
        if self._told <= MOST_LINES:
            _log.warning(problem, **details)
        elif problem in self._left_out or len(self._left_out) < _MOST_KINDS:
            self._left_out[problem] += 1
        else:
            self._left_out["others"] += 1

    def sum_up(self) -> None:
        """Tell of those that had no line of their own, and begin anew."""
        if self._span is not None:
            self._span.cancel()
            self._span = None
        left_out, self._left_out, self._told = self._left_out, Counter(), 0
        if left_out:
            most = dict(left_out.most_common(_NAMED))
            _log.warning(f"{left_out.total()} more connections ended badly", seconds=round(SECONDS), most=most)
