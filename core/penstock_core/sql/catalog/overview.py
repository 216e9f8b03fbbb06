"""What every policy asks of a catalog's relations, found once: who derives from whom, which are out of the ordinary.

Most relations are plain tables that nothing derives from; what is done for each policy must not look at all of them.
What doesn't belong: anything that depends on a policy. It holds no reference to the catalog, so that a catalog that is
replaced goes at once.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Hashable, Iterable, Iterator, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar
from weakref import WeakValueDictionary

from penstock_core.sql.syntax.type_names import name_parts

if TYPE_CHECKING:
    from penstock_core.sql.catalog.model import ColumnName, Relation, RelationName

_ANY = "*"
_Key = TypeVar("_Key", bound=Hashable)
_Value = TypeVar("_Value", bound=Hashable)


class MaskedSet:
    """Columns that are masked by some policy, and where they are."""

    def __init__(
        self, columns: frozenset[ColumnName], relations: frozenset[RelationName], above: frozenset[RelationName]
    ) -> None:
        self.columns = columns
        self.relations = relations
        # Those, and all that read them or hold their rows.
        self.above = above


class Overview:
    """The relations of one catalog, by what is asked of them."""

    def __init__(
        self,
        relations: Mapping[RelationName, Relation],
        coded: frozenset[RelationName],
        checked: frozenset[RelationName],
    ) -> None:
        self._relations = relations
        self._coded_types = coded
        self._checked_types = checked
        self._having: dict[str, tuple[ColumnName, ...]] = {}
        # By the hash of their columns.
        self._masked: WeakValueDictionary[int, MaskedSet] = WeakValueDictionary()
        # What was found out for one policy and holds for any, by what it depends on.
        self.shared: dict[Hashable, Any] = {}

    def prepare(self) -> None:
        """Find all that the first decision would have to wait for."""
        for name in ("named", "children", "choosing", "coded", "checked", "calls", "code_when_read", "derived"):
            getattr(self, name)

    @cached_property
    def named(self) -> dict[str, tuple[Relation, ...]]:
        """Every relation by its bare name."""
        found: dict[str, tuple[Relation, ...]] = {}
        for relation in self._relations.values():
            found[relation.name] = (*found.get(relation.name, ()), relation)
        return found

    @cached_property
    def children(self) -> dict[RelationName, tuple[RelationName, ...]]:
        """The relations that inherit from each, or are partitions of it."""
        return _grouped((parent, one.key) for one in self._relations.values() for parent in one.parents)

    @cached_property
    def reading(self) -> tuple[Relation, ...]:
        """Those that read others: views, and tables with row security policies."""
        return tuple(one for one in self._relations.values() if one.sources)

    @cached_property
    def inheriting(self) -> tuple[Relation, ...]:
        """Those that inherit from others, or are partitions."""
        return tuple(one for one in self._relations.values() if one.parents)

    @cached_property
    def defined(self) -> tuple[Relation, ...]:
        """Those with a definition: views."""
        return tuple(one for one in self._relations.values() if one.definition)

    @cached_property
    def choosing(self) -> tuple[Relation, ...]:
        """Those whose rows are chosen by values, or whose definition computes or uses what could tell some."""
        return tuple(one for one in self._relations.values() if one.filters or one.evaluated or one.hazards)

    @cached_property
    def calling(self) -> tuple[Relation, ...]:
        """Those whose reading runs functions of the database's own."""
        return tuple(one for one in self._relations.values() if one.calls)

    @cached_property
    def coded(self) -> tuple[Relation, ...]:
        """Those with columns whose values run code of the user's."""
        return tuple(self._with_types(self._coded_types))

    @cached_property
    def checked(self) -> frozenset[RelationName]:
        """Those with columns of domains whose checks run code of the user's."""
        return frozenset(one.key for one in self._with_types(self._checked_types))

    def _with_types(self, types: frozenset[RelationName]) -> Iterator[Relation]:
        if not types:
            return
        known: dict[str, bool] = {}
        for relation in self._relations.values():
            for column in relation.columns:
                name = column.type_name
                if name not in known:
                    known[name] = name_parts(name) in types
                if known[name]:
                    yield relation
                    break

    @cached_property
    def calls(self) -> dict[RelationName, tuple[str, ...]]:
        """Of each relation whose reading runs functions of the database's own, also through views: their names."""
        found: dict[RelationName, tuple[str, ...]] = {}
        concerned = {one.key for one in self.calling}
        for relation in [self._relations[key] for key in self.above(concerned)]:
            names: dict[str, None] = {}
            seen, pending = {relation.key}, [relation.key]
            while pending:
                one = self._relations.get(pending.pop())
                if one is not None:
                    names.update(dict.fromkeys(one.calls))
                    fresh = sorted({*one.sources, *self.children.get(one.key, ())} - seen)
                    seen.update(fresh)
                    pending.extend(fresh)
            if names:
                found[relation.key] = tuple(names)
        return found

    @cached_property
    def code_when_read(self) -> frozenset[RelationName]:
        """Relations that code of the user's may run for when they are read, and views of such."""
        return self.above({one.key for one in (*self.calling, *self.coded)})

    @cached_property
    def _above(self) -> dict[RelationName, tuple[RelationName, ...]]:
        """What reads each relation, or holds its rows."""
        pairs = [(source, one.key) for one in self.reading for source in one.sources]
        pairs += [(one.key, parent) for one in self.inheriting for parent in one.parents]
        return _grouped(pairs)

    def family(self, relation: Relation) -> dict[RelationName, Relation]:
        """The relation and all that inherit from it: a statement means the rows of all."""
        found = {relation.key: relation}
        pending = [relation.key]
        while pending:
            for key in self.children.get(pending.pop(), ()):
                if key not in found:
                    found[key] = self._relations[key]
                    pending.append(key)
        return found

    def above(self, keys: Collection[RelationName]) -> frozenset[RelationName]:
        """Those relations, and all that read them or hold their rows, at whatever level."""
        found, pending = set(keys), list(keys)
        while pending:
            fresh = [key for key in self._above.get(pending.pop(), ()) if key not in found]
            found.update(fresh)
            pending.extend(fresh)
        return frozenset(key for key in found if key in self._relations)

    @cached_property
    def derived(self) -> tuple[dict[ColumnName, tuple[ColumnName, ...]], dict[ColumnName, tuple[ColumnName, ...]]]:
        """Of each column that others derive from: the columns that copy it, and those computed from it."""
        copies: list[tuple[ColumnName, ColumnName]] = []
        computed: list[tuple[ColumnName, ColumnName]] = []
        for relation in self._relations.values():
            for column in relation.columns:
                if column.derives_from:
                    name = (relation.schema, relation.name, column.name)
                    for source in column.derives_from:
                        (copies if source in column.copies else computed).append((source, name))
        return _grouped(copies), _grouped(computed)

    def masked(self, columns: Collection[ColumnName]) -> MaskedSet:
        """That set of columns: one for all policies by which these are masked, while there is such a policy."""
        wanted = frozenset(columns)
        found = self._masked.get(hash(wanted))
        if found is None or found.columns != wanted:
            relations = frozenset((schema, name) for schema, name, _ in wanted)
            found = self._masked[hash(wanted)] = MaskedSet(wanted, relations, self.above(relations))
        return found

    def matching(self, patterns: Collection[tuple[str, str, str]]) -> Iterator[tuple[int, ColumnName]]:
        """The columns that each pattern is for, `*` standing for any name, with the pattern's place."""
        self._index({column for *_, column in patterns if column != _ANY})
        relations: tuple[Relation, ...]
        for place, (schema, table, column) in enumerate(patterns):
            if _ANY not in (schema, table):
                relation = self._relations.get((schema, table))
                relations = () if relation is None else (relation,)
            elif column != _ANY and table == _ANY:
                for name in self._having[column]:
                    if schema in (_ANY, name[0]):
                        yield place, name
                continue
            else:
                relations = self.named.get(table, ()) if table != _ANY else tuple(self._relations.values())
            for relation in relations:
                if schema in (_ANY, relation.schema):
                    for one in relation.columns:
                        if column in (_ANY, one.name):
                            yield place, (relation.schema, relation.name, one.name)

    def _index(self, names: set[str]) -> None:
        missing: dict[str, list[ColumnName]] = {name: [] for name in names if name not in self._having}
        if missing:
            for relation in self._relations.values():
                for column in relation.columns:
                    if column.name in missing:
                        missing[column.name].append((relation.schema, relation.name, column.name))
            self._having.update((name, tuple(found)) for name, found in missing.items())


def _grouped(pairs: Iterable[tuple[_Key, _Value]]) -> dict[_Key, tuple[_Value, ...]]:
    """The second parts by the first, each once."""
    found: dict[_Key, dict[_Value, None]] = defaultdict(dict)
    for key, value in pairs:
        found[key][value] = None
    return {key: tuple(values) for key, values in found.items()}
