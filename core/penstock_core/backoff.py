"""How long to wait before the next try of what failed: longer each time, and not the same for everybody.

What doesn't belong: the waiting itself, and what is worth another try; both are their callers'.
"""

from __future__ import annotations

import random
from collections.abc import Callable


class Backoff:
    """Pauses whose bound doubles up to a longest one. A success starts them over."""

    def __init__(self, first: float, longest: float, pick: Callable[[float, float], float] = random.uniform) -> None:
        self._first = first
        self._longest = longest
        self._pick = pick
        self._bound = first

    def next(self) -> float:
        """The seconds to wait: anything up to the bound, so that the pods of a cluster don't come back all at once."""
        pause = self._pick(self._first / 4, self._bound)
        self._bound = min(self._bound * 2, self._longest)
        return pause

    def reset(self) -> None:
        """It worked."""
        self._bound = self._first
