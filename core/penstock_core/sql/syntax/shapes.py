"""A text taken apart: its literals, and the rest, which is its shape.

Only plain literals are taken out: strings in single quotes, whole numbers that fit an int8, decimals. Such a literal
ends where it ends whatever is in it, so that texts of one shape have the same words. A text with what is not as plain
(escapes, dollar quotes, comments, `E''`, `U&''`, `1e5`, `0x1F`) has no shape, and is decided about on its own.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from pglast.parser import ParseError

from penstock_core.sql.syntax.literals import Slots, has_marks, kind_of
from penstock_core.sql.syntax.tokens import LITERALS, words_of

# Below it no text is refused for its size, whatever its literals hold.
MAX_TEXT = 6000
MAX_LITERALS = 500
# Escapes, dollar quotes, comments, and what no text may hold.
_ODD = re.compile(r"[\\\0]|\$\w*\$|--|/\*")
# What gives the quote behind it another meaning.
_PREFIX = re.compile(r"[\w&]")
_WORD = re.compile(
    r"""("(?:[^"]|"")*+")|'(?:[^']|'')*+'|(?<![\w.$])(?:[0-9]+\.[0-9]+|[0-9]+)(?![\w.])|(?<![\w.$])[0-9]\w"""
)


@dataclass(frozen=True, slots=True)
class Shape:
    """A text with its literals apart."""

    # Hashable, and the same for all texts that differ in literals of the same kinds.
    rest: tuple[str | bool, ...]
    literals: tuple[str, ...]
    # Where each begins and ends.
    places: tuple[tuple[int, int], ...]


def shape_of(text: str) -> Shape | None:
    """The text's shape; None if it has none, or no literal."""
    if len(text) > MAX_TEXT or _ODD.search(text) is not None or has_marks(text):
        return None
    ascii_only = text.isascii()
    if not ascii_only and not _is_encodable(text):
        return None
    rest: list[str | bool] = [ascii_only, "unnest" in text.lower()]
    literals: list[str] = []
    places: list[tuple[int, int]] = []
    after = 0
    for found in _WORD.finditer(text):
        if found.lastindex is None:
            literal = found.group()
            start, end = found.span()
            kind = kind_of(literal)
            if not kind or (kind == "s" and start and _PREFIX.match(text, start - 1)):
                return None
            rest.append(text[after:start])
            rest.append(kind)
            literals.append(literal)
            places.append((start, end))
            after = end
    if not literals or len(literals) > MAX_LITERALS:
        return None
    rest.append(text[after:])
    return Shape(tuple(rest), tuple(literals), tuple(places))


def is_sound(text: str, shape: Shape) -> bool:
    """Whether the server's own scanner finds these literals at these places; what holds of one text of the shape."""
    try:
        words = {(word.start, word.end + 1) for word in words_of(text) if word.name in LITERALS}
    except (ParseError, ValueError):
        return False
    return words.issuperset(shape.places)


def slots_of(text: str, shape: Shape) -> Slots:
    """The text's literals as slots of what is parsed."""
    slots = Slots(text, shape.literals)
    parts = list(shape.rest[2:])
    parts[1::2] = map(slots.stand_in, range(len(shape.literals)))
    slots.standing_in = "".join(map(str, parts))
    return slots


def _is_encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
