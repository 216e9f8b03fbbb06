"""Lists of names as data files of this package write them: words between spaces and line ends."""

from __future__ import annotations


def words(text: str) -> frozenset[str]:
    """The words of a text."""
    return frozenset(text.split())
