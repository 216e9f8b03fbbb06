"""A text, bound: its references in order, its statements, and what it is known to do whoever sends it.

The kinds of references are `references.py`'s; what comes of them is decided in `penstock_core.sql.authorize`.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field

from penstock_core.sql.bind.name_resolution import MadeName
from penstock_core.sql.bind.references import Reference, TableCreated, TargetWritten, VerbUse
from penstock_core.sql.decision import Ending


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


@dataclass(slots=True)
class Bound:
    """A text, bound: its references in order, and what it is known to do whoever sends it."""

    references: list[Reference] = field(default_factory=list)
    # Its statements, in order.
    parts: list[Part] = field(default_factory=list)
    # The one that is looked at.
    part: Part = field(default_factory=Part)
    # Each statement's own verb, in order.
    verbs: list[str] = field(default_factory=list)
    # The user's relations that it reads or writes.
    relations: set[tuple[str, str]] = field(default_factory=set)
    writes: bool = False
    # Prepared statements and cursors that are made in SQL, run, and given up.
    prepares: list[str] = field(default_factory=list)
    declares: list[tuple[str, bool]] = field(default_factory=list)
    executes: list[str] = field(default_factory=list)
    fetches: list[str] = field(default_factory=list)
    deallocates: list[str] = field(default_factory=list)
    closes: list[str] = field(default_factory=list)
    # Tables that came to be for this session alone; and whether it gave up all that it had.
    temporary: set[str] = field(default_factory=set)
    drops_temporary: bool = False
    # Temporary tables that it drops one by one.
    drops_tables: set[str] = field(default_factory=set)
    changes_search_path: bool = False
    resets_search_path: bool = False
    # Whether it ends the transaction; and what it makes that is there afterwards and may hold rows, in words.
    ends: Ending = "not"
    outlasts: str = ""
    # What the transaction has made by the text's end, as far as names tell.
    made: frozenset[MadeName] = frozenset()

    def add(self, reference: Reference) -> None:
        """The next reference of the text."""
        self.references.append(reference)

    def begin_part(self, *, ends: bool) -> None:
        """What is bound from now on is the next statement's; whether that ends the transaction."""
        self.part = Part(len(self.references), len(self.verbs), ends=ends)
        self.parts.append(self.part)

    def concerns(self, relations: Collection[tuple[str, str]]) -> None:
        """The statement that is looked at reads or writes these relations of the user's."""
        self.relations.update(relations)
        self.part.relations.update(relations)

    def names(self, schema: str | None, name: str | None) -> None:
        """It names a relation that is not known: none, or one that was made a moment ago. With its schema, it is on
        record as it stands there.
        """
        if schema and name:
            self.part.relations.add((schema, name))

    def within(self, part: Part) -> tuple[list[str], list[Reference]]:
        """The verbs and references of one statement. What was bound behind the last one is its own."""
        place = self.parts.index(part) + 1
        if place == len(self.parts):
            return self.verbs[part.verbs :], self.references[part.references :]
        following = self.parts[place]
        return self.verbs[part.verbs : following.verbs], self.references[part.references : following.references]

    def recorded_verbs(self, part: Part) -> tuple[str, ...]:
        """A statement's own verbs, and those of all that it holds or runs: of each write, wherever it is."""
        own, references = self.within(part)
        needed = {one.verb for one in references if isinstance(one, VerbUse)} | part.runs
        # What a write is called; a MERGE in WITH needs other verbs than its own.
        needed |= {one.effect.verb for one in references if isinstance(one, TargetWritten)}
        if any(isinstance(one, TableCreated) for one in references):
            needed.add("create")
        return (*own, *sorted(needed.difference(own)))
