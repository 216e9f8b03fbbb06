"""The words of an SQL text, in a time that grows with its length alone.

pglast finds the place of each word by going through all letters of more than one byte, so that an ordinary INSERT of
some thousand rows in Cyrillic takes a minute. What words mean belongs to the callers.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

from pglast.parser import Token, scan

# To the scanner all these are letters alike; a mere `z` begins no literal.
_NOT_ASCII = re.compile(r"[^\x00-\x7f]")
# But for the tags of dollar quotes, where it matters which letter it is.
_OWN_TAG = re.compile(r"\$\w*[^\x00-\x7f]\w*\$")


# The words that are literals.
LITERALS = frozenset({"ICONST", "FCONST", "SCONST", "BCONST", "XCONST", "USCONST"})
# A text shorter than this is asked about several times in a row.
_SHORT = 8192


def words_of(text: str) -> Sequence[Token]:
    """As pglast's `scan`, with the same places; a word with other letters may be told as a keyword that it is not."""
    return _latest(text) if len(text) < _SHORT else _scanned(text)


@lru_cache(maxsize=2)
def _latest(text: str) -> Sequence[Token]:
    return _scanned(text)


def _scanned(text: str) -> Sequence[Token]:
    plain = text.isascii() or _OWN_TAG.search(text) is not None
    found: Sequence[Token] = scan(text if plain else _NOT_ASCII.sub("z", text))
    return found


def lookups(text: str) -> int:
    """How many bytes pglast would look through for each place that it finds in this text."""
    return 0 if text.isascii() else len(text.encode()) - sum(map(str.isascii, text))


def most_lookups(text: str) -> int:
    """Words times such bytes that take a few seconds; where the scanner has to be asked itself, it is slower by far."""
    return 200_000_000 if _OWN_TAG.search(text) else 10_000_000_000
