"""What names mean at one place in a query: the sources a FROM clause brings, the queries around, the CTEs in reach."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from pglast import ast

from penstock_core.sql.catalog.model import Relation, RelationName

# The output columns of something; None where they can't be known without the server.
Columns = tuple[str, ...] | None
# MaxTupleAttributeNumber of PostgreSQL: no row has more.
MOST_COLUMNS = 1664


@dataclass(frozen=True, slots=True)
class Place:
    """Where a node is found in the tree: the field of its owner, and its position where that holds a list."""

    owner: ast.Node
    field: str
    position: int | None = None


@dataclass(slots=True, eq=False)
class Source:
    """One entry of a FROM clause, or the target of a statement that writes."""

    name: str
    columns: Columns
    # The schema it may be named with besides: that of a relation without alias.
    schema: str = ""
    # The user's relation that it is, or the system's.
    relation: Relation | None = None
    system: RelationName | None = None
    # Its name in the text, and where in the tree it is; not of a statement's target, which nothing can replace.
    item: ast.RangeVar | None = None
    place: Place | None = None
    # What a join with an alias holds.
    members: tuple[Source, ...] = ()
    # Whether it is the target of a statement that writes.
    target: bool = False
    # True for what only a qualified name reaches: the old and new rows in RETURNING.
    qualified_only: bool = False
    # True for the target of an INSERT in its RETURNING: the rows are the statement's own.
    inserted: bool = False

    def parts(self) -> Iterator[Source]:
        """Itself, and all that joins with aliases hold, however deep."""
        yield self
        for member in self.members:
            yield from member.parts()

    def has(self, column: str) -> bool | None:
        """Whether it has that column; None if that can't be known."""
        return None if self.columns is None else column in self.columns


@dataclass(frozen=True, slots=True)
class _Index:
    """The sources of one level by what they are looked up by: statements may have thousands of each."""

    # How many sources it was made from.
    count: int
    sources: dict[str, list[Source]]
    # Column → the sources that have it.
    columns: dict[str, list[Source]]
    # Whether some source may have other columns than those.
    open: bool

    @classmethod
    def of(cls, sources: list[Source]) -> _Index:
        by_name: dict[str, list[Source]] = {}
        columns: dict[str, list[Source]] = {}
        for source in sources:
            by_name.setdefault(source.name, []).append(source)
            if source.qualified_only:
                continue
            for column in dict.fromkeys(source.columns or ()):
                columns.setdefault(column, []).append(source)
        unsure = any(source.columns is None and not source.qualified_only for source in sources)
        return cls(len(sources), by_name, columns, unsure)


@dataclass(slots=True, eq=False)
class Scope:
    """The sources of one query level; outer levels are reached through `parent`."""

    sources: list[Source] = field(default_factory=list)
    parent: Scope | None = None
    # CTE name → its output columns: those in reach here, outer ones included.
    ctes: Mapping[str, Columns] = field(default_factory=dict)
    # Names that ORDER BY and GROUP BY may use for output columns.
    outputs: frozenset[str] = frozenset()
    # Whether USING or NATURAL merged columns here: `*` then shows them in another order and number.
    merges: bool = False
    # Of a query that reads one setting from pg_settings: its name, which the column `name` then is.
    setting: str | None = None
    # Whether its rows are grouped, so that there may be several of what is aggregated.
    grouped: bool = False
    _index: _Index | None = None

    @property
    def index(self) -> _Index:
        """What this level's sources have, by name."""
        if self._index is None or self._index.count != len(self.sources):
            self._index = _Index.of(self.sources)
        return self._index

    def inner(self, sources: Iterable[Source] = ()) -> Scope:
        """A level below this one that sees all this one sees."""
        return Scope(list(sources), self, self.ctes)

    def beside(self) -> Scope:
        """For what is in this level's FROM clause without LATERAL: it sees only what is around this level."""
        return Scope([], self.parent, self.ctes)

    def levels(self) -> Iterator[Scope]:
        """This level and those around it, innermost first."""
        level: Scope | None = self
        while level is not None:
            yield level
            level = level.parent

    def find(self, name: str, schema: str = "") -> list[Source]:
        """The sources that `name` or `schema.name` means: those of the innermost level that has any."""
        for level in self.levels():
            found = level.index.sources.get(name, [])
            if schema:
                found = [one for one in found if one.schema == schema]
            if found:
                return found
        return []


def merged(sources: Iterable[Source], name: str) -> Source:
    """The one source that a join with an alias makes of those in it."""
    parts = list(sources)
    columns: list[str] | None = []
    for part in parts:
        columns = None if columns is None or part.columns is None else [*columns, *part.columns]
    if columns is not None and len(columns) > MOST_COLUMNS:
        columns = None
    return Source(name, None if columns is None else tuple(columns), members=tuple(parts))


def rename(columns: Columns, names: tuple[str, ...]) -> Columns:
    """The columns after an alias that names the first few of them."""
    if columns is None:
        return None
    return (*names, *columns[len(names) :])
