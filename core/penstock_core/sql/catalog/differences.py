"""Which parts of the catalog have to be read again, by the numbers of `versions.py`: before, and now."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

# Of more parts than this, and of a larger share of them, all are read.
_FEW, _SHARE = 500, 4


@dataclass
class Difference:
    """What changed, and what has to be read for it."""

    # Everything.
    whole: bool = False
    # The documents about functions.
    functions: bool = False
    # Relations and types, by the names of their parts: those to read, and those that are no more.
    wanted: set[str] = field(default_factory=set)
    gone: set[str] = field(default_factory=set)
    # Functions that are new or others than before, by their OIDs.
    called: list[str] = field(default_factory=list)

    def relations(self) -> list[str]:
        """The OIDs of the relations to read."""
        return sorted(one for one in self.wanted if one.isdigit())

    def types(self) -> list[str]:
        """The OIDs of the types to read."""
        return sorted(one[1:] for one in self.wanted if one.startswith("t"))

    def add(self, dependents: Iterable[str], there: Mapping[str, str]) -> None:
        """These depend on what changed; those that are not `there` are not read at all."""
        for part in dependents:
            if part == "*":
                self.whole = True
            elif part == "f":
                self.functions = True
            elif part in there:
                self.wanted.add(part)
        if len(self.wanted) > max(_FEW, len(there) // _SHARE):
            self.whole = True


def difference(before: str, now: str) -> tuple[Difference, dict[str, str]]:
    """What differs between two answers to `VERSIONS`, and the second one by its parts."""
    old: dict[str, str] = dict(json.loads(before))
    new: dict[str, str] = dict(json.loads(now))
    found = Difference()
    for part in old.keys() - new.keys():
        found.functions |= part.startswith(("p", "f"))
        if _is_owner(part):
            found.gone.add(part)
    for part, number in new.items():
        if old.get(part) != number:
            _note(found, part, there=part in old)
    found.add((), new)
    return found, new


def _note(found: Difference, part: str, *, there: bool) -> None:
    """That part is new, or another one than was there."""
    if part == "*" or (part.startswith("n") and there):
        found.whole = True
    elif part.startswith(("p", "f")):
        found.functions = True
        if part != "f":
            found.called.append(part[1:])
    elif _is_owner(part):
        found.wanted.add(part)


def _is_owner(part: str) -> bool:
    return part.isdigit() or part.startswith("t")
