"""Which names stand for one person: a token's and its `also`, and all that the provider says of who signed in.

So somebody who asked under one of them does not approve under another. Names that two have in common make one of
them, which only ever takes rights away. What doesn't belong: where the names are kept (`store/people.py`).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable


class PersonNames:
    """Sets of names, joined where they meet; without regard to case, as four eyes compares them."""

    def __init__(self) -> None:
        self._sets: set[frozenset[str]] = set()
        self._of: dict[str, set[str]] = {}

    def learn(self, names: Iterable[str]) -> None:
        """These are one person's."""
        known = frozenset(name.casefold() for name in names if name)
        if known in self._sets or len(known) < 2:
            return
        self._sets.add(known)
        joined = set(known)
        for name in known:
            joined |= self._of.get(name, set())
        for name in joined:
            self._of[name] = joined

    def all_of(self, names: Collection[str], more: Iterable[Collection[str]] = ()) -> frozenset[str]:
        """All names of whom these stand for; `more` are sets that count for this question alone."""
        found = {name.casefold() for name in names}
        others = [frozenset(name.casefold() for name in one) for one in more]
        while True:
            wider = set(found)
            for name in found:
                wider |= self._of.get(name, set())
            for other in others:
                if not wider.isdisjoint(other):
                    wider |= other
            if wider == found:
                return frozenset(found)
            found = wider
