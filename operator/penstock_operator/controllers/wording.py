"""How numbers and lists of names are written in a status.

What doesn't belong: what is said of them.
"""

from __future__ import annotations

from collections.abc import Iterable

_SHOWN = 5


def counted(number: int, noun: str, nouns: str = "") -> str:
    """`1 pod`, `2 pods`."""
    return f"{number} {noun}" if number == 1 else f"{number} {nouns or noun + 's'}"


def listed(names: Iterable[str]) -> str:
    """The first of them, and how many more."""
    known = list(names)
    more = f" and {len(known) - _SHOWN} more" if len(known) > _SHOWN else ""
    return ", ".join(known[:_SHOWN]) + more
