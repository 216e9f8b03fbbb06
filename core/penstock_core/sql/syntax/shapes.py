"""A text taken apart: its literals, and the rest, which is its shape.

Only plain literals are taken out: strings in single quotes, whole numbers that fit an int8, decimals. Such a literal
ends where it ends whatever is in it, so that texts of one shape have the same words. A text with what is not as plain
(escapes, dollar quotes, comments, `E''`, `U&''`, `1e5`, `0x1F`) has no shape, and is decided about on its own.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from pglast.parser import ParseError

from penstock_core.sql.syntax.literals import Slots, has_marks, kind_of
from penstock_core.sql.syntax.tokens import LITERALS, words_of

# Below it no text is refused for its size, whatever its literals hold.
MAX_TEXT = 6000
MAX_LITERALS = 500
# Escapes, comments, and what no text may hold.
_ODD = ("\\", "\0", "--", "/*")
_DOLLAR_QUOTE = re.compile(r"\$\w*\$")
# Literals, and what could be taken for one, each found by its first character: whatever comes before the group costs
# more than all the rest of a text. A quote whose meaning is another by what stands before it is found alone.
_WORD = re.compile(
    r"""(["'0-9](?:(?<=")(?:[^"]|"")*+"|(?<=')(?<![\w&]')(?:[^']|'')*+'|(?<=[\w&]')"""
    r"""|(?<=[0-9])(?<![\w.$][0-9])(?:[0-9]*+(?:\.[0-9]++)?(?![\w.])|[0-9]*+\w)))"""
)


class Shape(NamedTuple):
    """A text with its literals apart."""

    # Whether it is ASCII, and has a word that is looked for, wherever; then what stands between literals, and their
    # kinds in turn: the same for all texts that differ in literals of the same kinds.
    rest: tuple[str | bool, ...]
    literals: tuple[str, ...]

    @property
    def places(self) -> list[tuple[int, int]]:
        """Where each literal begins and ends."""
        found: list[tuple[int, int]] = []
        end = 0
        for before, literal in zip(self.rest[2::2], self.literals, strict=False):
            start = end + len(str(before))
            end = start + len(literal)
            found.append((start, end))
        return found


def shape_of(text: str) -> Shape | None:
    """The text's shape; None if it has none, or no literal."""
    if len(text) > MAX_TEXT or has_marks(text):
        return None
    ascii_only = text.isascii()
    if not ascii_only and not _is_encodable(text):
        return None
    words = taken_apart(text)
    literals = words[1::2]
    if not literals or len(literals) > MAX_LITERALS:
        return None
    words[1::2] = [kind_of(literal) for literal in literals]
    return Shape((ascii_only, "unnest" in text.lower(), *words), tuple(literals))


def taken_apart(text: str) -> list[str]:
    """What is before the first literal, that literal, what is before the next, …; empty for a text that holds what is
    not as plain.
    """
    if _is_odd(text):
        return []
    words: list[str] = _WORD.split(text)
    if '"' in text:
        words = _with_names(words)
    return words if all(map(kind_of, words[1::2])) else []


def _is_odd(text: str) -> bool:
    """Whether it has escapes, comments, dollar quotes, or what no text may hold."""
    for odd in _ODD:
        if odd in text:
            return True
    return "$" in text and _DOLLAR_QUOTE.search(text) is not None


def _with_names(words: Sequence[str]) -> list[str]:
    """Names in quotes are words as any, and belong to the texts around them."""
    joined = [words[0]]
    for word, after in zip(words[1::2], words[2::2], strict=True):
        if word[0] == '"':
            joined[-1] += word + after
        else:
            joined += (word, after)
    return joined


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
