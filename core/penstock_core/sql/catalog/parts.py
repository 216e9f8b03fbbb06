"""The rows of a snapshot, each with the relation or type that it is read again with; all others by their document.

What does not change stays the same object from one reading to the next, so that what was made of it can stay, too.
What the rows mean is `snapshot.py`'s, how they are asked for `queries.py`'s.
"""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from penstock_core.sql.catalog.documents import Rows
from penstock_core.sql.catalog.queries import OWNED
from penstock_core.sql.catalog.relation_queries import RELATION_QUERIES

Row = tuple[Any, ...]
# Of one relation or type: its rows of each document in `OWNED`.
Part = tuple[tuple[Row, ...], ...]
PLACES: Mapping[str, int] = {name: place for place, name in enumerate(OWNED)}
# How many different columns are remembered to find those that are alike.
_MOST_KNOWN = 1 << 16


@dataclass(frozen=True)
class Document:
    """One whole document: equal texts have equal digests."""

    digest: bytes
    rows: list[list[Any]]

    @classmethod
    def of(cls, text: str) -> Document:
        """The document with that text."""
        return cls(_digest(text), list(Rows(text)))

    def after(self, text: str) -> Document:
        """The document with that text; itself where nothing changed."""
        return self if _digest(text) == self.digest else Document.of(text)


@dataclass(frozen=True)
class Parts:
    """All rows of one snapshot."""

    # By the relation's OID, or `t` and the type's, in order; `s` are the system's types.
    owned: dict[str, Part] = field(default_factory=dict)
    whole: dict[str, Document] = field(default_factory=dict)

    def rows(self, name: str) -> Iterable[Any]:
        """The rows of one document; those of a relation begin with its OID."""
        if name in self.whole:
            return self.whole[name].rows
        if name not in PLACES:
            raise KeyError(name)
        return self._owned_rows(name)

    def _owned_rows(self, name: str) -> Iterator[Row]:
        place, named = PLACES[name], name in RELATION_QUERIES and name != "dependencies"
        for owner, part in self.owned.items():
            for row in part[place]:
                yield (owner, *row) if named else row

    def documents(self) -> dict[str, str]:
        """The answers that these parts can be made of again: those to `STATEMENTS`."""
        found = {name: json.dumps(document.rows) for name, document in self.whole.items()}
        for name, place in PLACES.items():
            found[name] = json.dumps([(owner, *row) for owner, part in self.owned.items() for row in part[place]])
        return found


def opened(answers: Mapping[str, str]) -> Parts:
    """The parts that the answers to `STATEMENTS` hold, by name. Raises ValueError where one is no document."""
    owned = Sharing().parts({name: answers[name] for name in OWNED})
    return Parts(in_order(owned), {name: Document.of(text) for name, text in answers.items() if name not in PLACES})


def in_order(owned: Mapping[str, Part]) -> dict[str, Part]:
    """The parts in the order of their numbers, relations first."""
    return dict(sorted(owned.items(), key=lambda one: (not one[0].isdigit(), len(one[0]), one[0])))


class Sharing:
    """Makes parts of documents; columns that are alike are one row, as those of many tables often are."""

    def __init__(self) -> None:
        self._columns: dict[Row, Row] = {}
        self._lists: dict[Row, Row] = {}

    def parts(self, answers: Mapping[str, str]) -> dict[str, Part]:
        """The parts that have rows in the documents by relation or type."""
        for known in (self._columns, self._lists):
            if len(known) > _MOST_KNOWN:
                known.clear()
        found: dict[str, list[list[Row]]] = defaultdict(lambda: [[] for _ in OWNED])
        for name, place in PLACES.items():
            for owner, *values in Rows(answers[name]):
                row = tuple([self._frozen(one) if type(one) is list else one for one in values])
                found[owner][place].append(self._columns.setdefault(row, row) if name == "columns" else row)
        return {owner: tuple(map(tuple, lists)) for owner, lists in found.items()}

    def _frozen(self, values: list[Any]) -> Row:
        frozen = tuple([self._frozen(one) if type(one) is list else one for one in values])
        return self._lists.setdefault(frozen, frozen)


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()
