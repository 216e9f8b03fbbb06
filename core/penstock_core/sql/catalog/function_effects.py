"""What a call of a function of the database's own may do: a value, and how several of them add up.

How it is found out belongs to `functions.py`, whether an identity may have it done to `penstock_core.sql.authorize`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from penstock_core.sql.catalog.function_bodies import Name, Write
from penstock_core.sql.catalog.model import RelationName


@dataclass(frozen=True, slots=True)
class FunctionEffects:
    """All that a call of one function, of any of its overloads, may do."""

    # Why that is not known, in words; empty if all below is all.
    unknown: str = ""
    # Known only to be written in C and to claim that it changes nothing: superusers alone make such functions.
    native: bool = False
    # What of the system's own it uses that masked identities may not use themselves, in words.
    hazards: tuple[str, ...] = ()
    reads: frozenset[RelationName] = frozenset()
    # Sequences that it takes or tells numbers of; ("", "") where that may be any.
    sequences: frozenset[RelationName] = frozenset()
    # It may change a setting for longer than its transaction.
    keeps: bool = False
    # Settings of no module's and not the server's own that it changes.
    sets: frozenset[str] = frozenset()
    # With the relations' names resolved.
    writes: tuple[Write, ...] = ()
    # Verbs of `allow` that the same statements would need.
    verbs: frozenset[str] = frozenset()
    # Functions that it calls, `(schema, name)`, itself included; the schema is empty for a bare name.
    calls: frozenset[Name] = frozenset()
    # What it does with NEW and OLD, if it is a trigger's: fields that it reads, fields that it sets.
    row_fields: frozenset[str] = frozenset()
    row_assigned: frozenset[str] = frozenset()
    row_whole: bool = False
    row_compared: bool = False
    # Whether another row may be stored in place of the trigger's.
    row_replaced: bool = False
    # A policy vouches for it, so that what it does is not asked; and if it can't be known, it may set what it likes.
    vouched: bool = False
    unbounded: bool = False

    def and_also(self, other: FunctionEffects) -> FunctionEffects:
        """The effects of either."""
        return FunctionEffects(
            unknown=self.unknown or other.unknown,
            native=bool(self.unknown or other.unknown)
            and (self.native or not self.unknown)
            and (other.native or not other.unknown),
            hazards=tuple(sorted({*self.hazards, *other.hazards})),
            reads=self.reads | other.reads,
            sequences=self.sequences | other.sequences,
            keeps=self.keeps or other.keeps,
            sets=self.sets | other.sets,
            writes=(*self.writes, *other.writes),
            verbs=self.verbs | other.verbs,
            calls=self.calls | other.calls,
            row_fields=self.row_fields | other.row_fields,
            row_assigned=self.row_assigned | other.row_assigned,
            row_whole=self.row_whole or other.row_whole,
            row_compared=self.row_compared or other.row_compared,
            row_replaced=self.row_replaced or other.row_replaced,
            vouched=self.vouched or other.vouched,
            unbounded=self.unbounded or other.unbounded,
        )

    def without_row(self) -> FunctionEffects:
        """Of a function that a trigger's calls: its row is another's, or none."""
        nothing = frozenset[str]()
        return replace(
            self, row_fields=nothing, row_assigned=nothing, row_whole=False, row_compared=False, row_replaced=False
        )


NOTHING = FunctionEffects()
