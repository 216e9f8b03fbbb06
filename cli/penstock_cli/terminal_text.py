"""Text of others on a terminal: nothing in it can move the cursor, change colours, or show what does not stand there.

What doesn't belong: layout (the views).
"""

from __future__ import annotations

import json

_LONGEST_MESSAGE = 1_000


def printable(value: object) -> str:
    """Text in which nothing can move the cursor, change colours or hide what stands there."""
    return "".join(letter if letter.isprintable() else " " for letter in str(value))


def one_line(value: object) -> str:
    """A message of somebody else's as one line of sensible length."""
    text = " ".join(printable(value).split())
    return text if len(text) <= _LONGEST_MESSAGE else text[:_LONGEST_MESSAGE] + "…"


def json_line(value: object) -> str:
    """JSON that stays readable, with what is not printable escaped: the same value to a program."""
    text = json.dumps(value, ensure_ascii=False)
    return "".join(letter if letter.isprintable() else json.dumps(letter)[1:-1] for letter in text)
