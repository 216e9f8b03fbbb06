"""The statements of a text, as each is recorded: which of the text's references and findings are its own.

What is decided is decided about the text as a whole.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from penstock_core.sql.bind.references import Bound, Reference


@dataclass(slots=True, eq=False)
class Part:
    """One statement of a text, as it is recorded: what of the text's findings is its own."""

    # Where its references begin, and its verbs.
    references: int = 0
    verbs: int = 0
    relations: set[tuple[str, str]] = field(default_factory=set)
    masked: set[tuple[str, str, str]] = field(default_factory=set)
    # The verbs of the code that it runs.
    runs: set[str] = field(default_factory=set)
    # Whether it ends the transaction.
    ends: bool = False


def begin_part(bound: Bound, *, ends: bool) -> None:
    """What is bound from now on is the next statement's; whether that ends the transaction."""
    bound.part = Part(len(bound.references), len(bound.verbs), ends=ends)
    bound.parts.append(bound.part)


def within(bound: Bound, part: Part) -> tuple[list[str], list[Reference]]:
    """The verbs and references of one statement. What was bound behind the last one is its own."""
    place = bound.parts.index(part) + 1
    if place == len(bound.parts):
        return bound.verbs[part.verbs :], bound.references[part.references :]
    following = bound.parts[place]
    return bound.verbs[part.verbs : following.verbs], bound.references[part.references : following.references]
