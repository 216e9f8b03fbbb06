"""What a condition may do with its names: the functions, and what bounds the time that evaluating it takes.

Unknown is refused: a function that is not in the table, a node of a kind that is not asked for. What may be named is
`names.py`'s.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from penstock_core.conditions.checked import Node

# Operators as the CEL library names them → as they are written.
OPERATORS: dict[str, str] = {
    "_&&_": "&&", "_||_": "||", "!_": "!", "_==_": "==", "_!=_": "!=", "_<_": "<", "_<=_": "<=", "_>_": ">",
    "_>=_": ">=", "@in": "in", "_?_:_": "? :", "_[_]": "[ ]", "_+_": "+", "_-_": "-", "_*_": "*", "_/_": "/",
    "_%_": "%", "-_": "-",
}  # fmt: skip
# Parts of a time, each also with a time zone.
_TIME_PARTS = frozenset({
    "getFullYear", "getMonth", "getDate", "getDayOfMonth", "getDayOfWeek", "getDayOfYear", "getHours", "getMinutes",
    "getSeconds",
})  # fmt: skip
# Functions whose text must be there to be read, in which place of their arguments.
_LITERALS = {"timestamp": 0, "duration": 0, "matches": 1, **dict.fromkeys(_TIME_PARTS, 1)}
FUNCTIONS: frozenset[str] = frozenset({*_LITERALS, "contains", "endsWith", "size", "startsWith"})
# What the library makes of exists, all and their like.
_MACROS_OWN = frozenset({"@not_strictly_false"})

# RE2 compiles a pattern anew each time, in a time that grows with what it stands for: classes of all letters of all
# scripts, and counted repetitions, make much of a short text.
MOST_PATTERN = 128
_COSTLY = re.compile(r"\\[pPC]|\{\s*[0-9]|[^\x20-\x7e]")


class BoundsError(ValueError):
    """What a condition may not do: words, and where in the text."""

    def __init__(self, words: str, offset: int) -> None:
        super().__init__(words)
        self.words = words
        self.offset = offset


def check(tree: Node, roots: frozenset[str], trial: Callable[[str], str]) -> None:
    """Raises BoundsError. `trial` evaluates an expression without names: in words why it fails, or nothing."""
    for node in tree.walk():
        match node.kind:
            case "call":
                _check_call(node, trial)
            case "select":
                raise BoundsError(
                    f"nothing has a field {node.name} to ask for; leave out has() and the like", node.offset
                )
            case "struct":
                raise BoundsError("maps and messages can't be used; use a list", node.offset)
            case "comprehension":
                _check_comprehension(node, roots)
            case _:
                pass


def literal(text: str) -> str:
    """A text as CEL has it."""
    escaped = "".join(one if " " <= one <= "~" and one not in "\\'" else f"\\U{ord(one):08x}" for one in text)
    return f"'{escaped}'"


def _check_comprehension(node: Node, roots: frozenset[str]) -> None:
    """What is done for each item of a list is done often."""
    for below in (below for part in node.parts for below in part.walk()):
        if below.kind == "comprehension":
            raise BoundsError("exists, all and their like can't be nested; use in", node.offset)
        if (below.kind, below.name) == ("call", "matches"):
            words = "matches can't be used within exists, all and their like; use startsWith, endsWith or contains"
            raise BoundsError(words, below.offset)
    taken = roots.intersection(node.name.split())
    if taken:
        raise BoundsError(f"a variable can't be called {min(taken)}; choose another name", node.offset)


def _check_call(node: Node, trial: Callable[[str], str]) -> None:
    name = node.name
    if name in OPERATORS or name in _MACROS_OWN:
        return
    if name not in FUNCTIONS:
        raise BoundsError(f"the function {name} can't be used; there are: {', '.join(sorted(FUNCTIONS))}", node.offset)
    place = _LITERALS.get(name)
    if place is None or len(node.parts) <= place:
        return
    text = node.parts[place].text
    if text is None:
        raise BoundsError(f"what {name} is given must be a text in quotes, so that it can be checked now", node.offset)
    if name == "matches":
        _check_pattern(text, node.offset)
    _try(name, text, node.offset, trial)


def _check_pattern(pattern: str, offset: int) -> None:
    if len(pattern) > MOST_PATTERN:
        raise BoundsError(f"a pattern may have {MOST_PATTERN} characters; use several, or startsWith", offset)
    if _COSTLY.search(pattern) is not None:
        words = "a pattern can't have counted repetitions, \\p or characters beyond ASCII; write classes such as [a-z]*"
        raise BoundsError(words, offset)


def _try(name: str, text: str, offset: int, trial: Callable[[str], str]) -> None:
    """What is given is a pattern, a time, a duration, a time zone that there is."""
    given = literal(text)
    if name in ("timestamp", "duration"):
        trouble = trial(f"{name}({given}) == {name}({given})")
        example = "2026-01-31T18:00:00Z" if name == "timestamp" else "1h30m"
        if trouble:
            raise BoundsError(f"that is no {name}; write one such as '{example}'", offset)
    elif name == "matches":
        trouble = trial(f"''.matches({given})")
        if trouble:
            raise BoundsError(f"the pattern can't be used: {trouble}", offset)
    elif trial(f"timestamp('2026-01-31T18:00:00Z').{name}({given}) >= 0"):
        raise BoundsError("that is no time zone known here; write one such as 'Europe/Berlin' or '+02:00'", offset)
