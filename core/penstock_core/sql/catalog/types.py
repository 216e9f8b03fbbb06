"""Which types run code of the user's where they are named, or where a value of theirs is only near.

A literal beside a value of a domain becomes one of that domain (`lag(x, 1, '5')`), so that its checks run; a value of a
type with a cast function is converted wherever something else is wanted; sorting and grouping call what compares.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

from penstock_core.sql.allowlists.extensions import TRUSTED_EXTENSIONS
from penstock_core.sql.catalog.model import RelationName

_SYSTEM = "pg_catalog"


class Types:
    """What the documents `types`, `casts` and `orders` say about types."""

    def __init__(self, rows: Mapping[str, Sequence[Sequence[Any]]]) -> None:
        self._types, self._casts, self._orders = rows["types"], rows["casts"], rows["orders"]
        self._conversions = rows.get("conversions", [])
        # Of domains, arrays, ranges and rows: the types they are made of, but for the system's. Rows of many tables are
        # made of the same.
        known: dict[int, frozenset[RelationName]] = {}
        self._parts: dict[RelationName, frozenset[RelationName]] = {}
        for name, schema, _, _, _, parts in self._types:
            if parts is not None:
                made_of = known.get(id(parts))
                if made_of is None:
                    made_of = frozenset((place, part) for place, part in parts if place != _SYSTEM)
                    known[id(parts)] = made_of
                self._parts[schema, name] = made_of

    @cached_property
    def coded(self) -> frozenset[RelationName]:
        """Types whose values run code of the user's, and all that are made of them."""
        coded = self._checking
        for source_schema, source, schema, name, context in self._casts:
            if source_schema != _SYSTEM:
                coded.add((source_schema, source))
            elif schema != _SYSTEM and context != "e":
                coded.add((schema, name))
        coded |= {
            (schema, name)
            for schema, name, default, *_, extension in self._orders
            if default and extension not in TRUSTED_EXTENSIONS
        }
        return self._made_of(coded)

    @cached_property
    def checked(self) -> frozenset[RelationName]:
        """Domains whose checks run code of the user's, and all that are made of them: reading a literal of one does."""
        return self._made_of(self._checking)

    @property
    def _checking(self) -> set[RelationName]:
        return {
            (schema, name) for name, schema, _, _, checks, _ in self._types if not TRUSTED_EXTENSIONS.issuperset(checks)
        }

    def _made_of(self, types: set[RelationName]) -> frozenset[RelationName]:
        """These types, and all that have a value of one of them in theirs."""
        found = set(types)
        grown = bool(found)
        while grown:
            fresh = {key for key, parts in self._parts.items() if key not in found and parts & found}
            found |= fresh
            grown = bool(fresh)
        return frozenset(found)

    @cached_property
    def safe(self) -> frozenset[RelationName]:
        """Types outside pg_catalog that can be named without running the user's code."""
        safe = {
            (schema, name)
            for name, schema, kind, extension, *_ in self._types
            if extension in TRUSTED_EXTENSIONS or kind == "e"
        }
        composed = {
            (schema, name): self._parts[schema, name]
            for name, schema, kind, _, _, parts in self._types
            if parts or (kind == "c" and parts is not None)
        }
        grown = True
        while grown:
            fresh = {key for key, parts in composed.items() if key not in safe and parts <= safe}
            safe |= fresh
            grown = bool(fresh)
        return frozenset(safe - self.coded)

    @property
    def functions(self) -> dict[RelationName, tuple[RelationName, ...]]:
        """The functions of the user's that run where a value of each type is made or turned into another."""
        found: dict[RelationName, set[RelationName]] = {}
        for type_schema, type_name, schema, name in self._conversions:
            found.setdefault((type_schema, type_name), set()).add((schema, name))
        grown = bool(found)
        while grown:
            grown = False
            for key, parts in self._parts.items():
                fresh = set[RelationName]().union(*(found.get(part, ()) for part in parts)) - found.get(key, set())
                if fresh:
                    found.setdefault(key, set()).update(fresh)
                    grown = True
        return {key: tuple(sorted(functions)) for key, functions in found.items()}

    @property
    def cast(self) -> frozenset[RelationName]:
        """Types that cast functions of the user's lead to from a type of the system's."""
        return frozenset((schema, name) for source, _, schema, name, _ in self._casts if source == _SYSTEM)

    @property
    def implicit_cast(self) -> str:
        """A cast between types of the system's that nobody has to write; empty if there is none."""
        found = sorted(
            f"{source} to {name}"
            for source_schema, source, schema, name, context in self._casts
            if source_schema == schema == _SYSTEM and context != "e"
        )
        return found[0] if found else ""
