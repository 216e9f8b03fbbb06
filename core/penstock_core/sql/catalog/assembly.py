"""Puts the relations of a snapshot together from rows that name them by OID.

A relation that everything it is made of is the same for as in the snapshot before is the same object. What its views
show is added in `views.py`, what partitions have of their wholes in `partitions.py`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from sys import intern
from typing import Any

from penstock_core.sql.allowlists.extensions import TRUSTED_EXTENSIONS, is_trusted
from penstock_core.sql.catalog.model import (
    Cascade,
    Column,
    ColumnName,
    Constraint,
    Index,
    Relation,
    RelationName,
    Routine,
    Trigger,
)
from penstock_core.sql.catalog.partial_indexes import conditions, left_out_by_default
from penstock_core.sql.catalog.partitions import with_keys
from penstock_core.sql.catalog.parts import PLACES, Part, Parts, Row
from penstock_core.sql.catalog.view_hazards import hazards, passes_on
from penstock_core.sql.catalog.views import ViewNote, with_views
from penstock_core.sql.syntax.type_names import name_parts, qualified_type

_WHOLE_NUMBERS = frozenset({"pg_catalog.int2", "pg_catalog.int4", "pg_catalog.int8"})
# How many different columns are remembered to find those that are alike.
_MOST_KNOWN = 1 << 16
_Derived = dict[str, set[ColumnName]]
_NOTHING: tuple[frozenset[ColumnName], frozenset[RelationName]] = (frozenset(), frozenset())


@dataclass
class Assembly:
    """What relations were made of, to know which can stay as they are the next time."""

    # Of each relation what it is made of, and what that gave without views and wholes.
    made: dict[RelationName, tuple[tuple[Any, ...], Relation]] = field(default_factory=dict)
    keyed: dict[RelationName, Relation] = field(default_factory=dict)
    views: dict[RelationName, ViewNote] = field(default_factory=dict)
    columns: dict[Row, Column] = field(default_factory=dict)
    citext: frozenset[RelationName] = frozenset()


class Assembler:
    """Puts relations together, those of before (`former`) that did not change taken over."""

    def __init__(
        self,
        parts: Parts,
        coded: frozenset[RelationName],
        routines: dict[RelationName, tuple[Routine, ...]],
        former: Assembly,
    ) -> None:
        self._rows = parts
        self._coded = coded
        self._routines = routines
        # Where the extension citext put its type.
        self._citext = frozenset(
            (schema, name) for name, schema, _, extension, *_ in parts.rows("types") if name == extension == "citext"
        )
        self._former = former if former.citext == self._citext else Assembly()
        known = self._former.columns
        self.assembly = Assembly(citext=self._citext, columns=known if len(known) < _MOST_KNOWN else {})
        self._names: dict[str, RelationName] = {
            oid: (intern(schema), intern(name)) for oid, schema, name, *_ in parts.rows("relations")
        }
        self._oids = {name: oid for oid, name in self._names.items()}
        self._attributes = _Attributes(parts)
        # By the oid of what reads, and whether it is a view, policy or generated column: what it reads.
        self._dependencies: dict[tuple[str, str], list[tuple[str, int]]] = defaultdict(list)
        for oid, kind, _, other, number in parts.rows("dependencies"):
            self._dependencies[oid, kind].append((other, number))
        # What each relation's columns derive from, and the part of it that is copied unchanged.
        self._derived: dict[RelationName, _Derived] = defaultdict(lambda: defaultdict(set))
        self._copied: dict[RelationName, _Derived] = defaultdict(lambda: defaultdict(set))
        # By oid: the columns that foreign keys refer to, and those keys that carry a deletion or key change on.
        self._referenced: dict[str, set[str]] = defaultdict(set)
        self._cascades: dict[str, list[Cascade]] = defaultdict(list)
        self._sets: dict[frozenset[str], frozenset[str]] = {}

    def relations(self) -> dict[RelationName, Relation]:
        """All relations. `assembly` is then what they were made of."""
        self._foreign_keys()
        self._inheritance()
        self._generated()
        self._sequences()
        self._row_types()
        parents = self._parents()
        calls = [self._calls(moment) for moment in ("r", "w", "d")]
        found: dict[RelationName, Relation] = {}
        for oid, key in self._names.items():
            made_of = (
                self._rows.owned[oid],
                self._derived.get(key),
                self._copied.get(key),
                self._set(self._referenced.get(oid, ())),
                tuple(self._cascades.get(oid, ())),
                tuple(parents.get(oid, ())),
                tuple(one.get(oid, ()) for one in calls),
                self._reads(oid, "p"),
            )
            former = self._former.made.get(key)
            found[key] = former[1] if former is not None and former[0] == made_of else self._relation(key, *made_of)
            self.assembly.made[key] = made_of, found[key]
        before = {key: relation for key, (_, relation) in self._former.made.items()}
        self.assembly.keyed = with_keys(found, before, self._former.keyed)
        return self._with_views(self.assembly.keyed)

    def _relation(
        self,
        key: RelationName,
        part: Part,
        derived: _Derived | None,
        copied: _Derived | None,
        referenced: frozenset[str],
        cascades: tuple[Cascade, ...],
        parents: tuple[RelationName, ...],
        calls: tuple[tuple[str, ...], ...],
        policies_read: tuple[frozenset[ColumnName], frozenset[RelationName]],
    ) -> Relation:
        ((_, _, kind, triggers, rules, security, definition, policies, barrier),) = part[PLACES["relations"]]
        attributes = self._attributes[self._oids[key]]
        columns = self._columns(part, derived or {}, copied or {})
        primary_key, constraints = self._constraints(part, attributes, columns)
        reads, sources = policies_read
        return Relation(
            schema=key[0],
            name=key[1],
            kind=kind,
            columns=columns,
            primary_key=primary_key,
            constraints=constraints,
            indexes=self._indexes(part, attributes),
            referenced=referenced,
            parents=parents,
            reads=reads,
            filters=reads,
            sources=sources,
            definition=definition or "",
            hazards=tuple(hazard for text in (definition, policies) if text for hazard in hazards(text)),
            calls=calls[0],
            write_calls=calls[1],
            default_calls=calls[2],
            triggers=tuple(Trigger((schema, name), text) for schema, name, text in part[PLACES["triggers"]]),
            cascades=cascades,
            passes_on=kind == "v" and passes_on(definition),
            has_triggers=triggers,
            has_rules=rules,
            has_row_security=security,
            security_barrier=barrier,
        )

    def _columns(self, part: Part, derived: _Derived, copied: _Derived) -> tuple[Column, ...]:
        """Tables of one database have many columns that are all alike: these are one."""
        known = self.assembly.columns
        columns = []
        for _, *row in part[PLACES["columns"]]:
            if row[0] in derived:
                # Who derives from the same is nobody else.
                columns.append(self._column(row, frozenset(derived[row[0]]), frozenset(copied.get(row[0], ()))))
                continue
            place = tuple(row)
            column = known.get(place)
            if column is None:
                column = known[place] = self._column(row, frozenset(), frozenset())
            columns.append(column)
        return tuple(columns)

    def _column(self, row: list[Any], derived: frozenset[ColumnName], copied: frozenset[ColumnName]) -> Column:
        name, type_name, base_type, formatted, base_formatted, category, not_null, generated, collation, telling = row
        return Column(
            name=intern(name),
            type_name=intern(type_name),
            base_type=intern(base_type),
            type_sql=intern(qualified_type(formatted, type_name)),
            category=category,
            not_null=not_null,
            collation=collation,
            generated=generated != "",
            fallible=generated == "v",
            derives_from=derived,
            copies=copied,
            citext=name_parts(base_type) in self._citext,
            base_type_sql=qualified_type(base_formatted, base_type) if base_type != type_name else "",
            telling_default=telling,
        )

    def _constraints(
        self, part: Part, attributes: dict[int, str], columns: tuple[Column, ...]
    ) -> tuple[tuple[str, ...], tuple[Constraint, ...]]:
        """The primary key and the constraints."""
        key: tuple[str, ...] = ()
        found: list[Constraint] = []
        for kind, numbers, _, _, _, _, validated, name, *rest in part[PLACES["constraints"]]:
            spared, predicate, defaults, equal_by = rest
            names = tuple(attributes[number] for number in numbers if number in attributes)
            if kind == "p":
                key = names
            bound = attributes.values() if 0 in numbers else names
            spares = self._set(attributes[number] for number in spared or ())
            partial = conditions(predicate) if predicate and kind == "i" else ()
            if partial:
                # Columns that, left out of a row, leave it out of the index.
                spares |= left_out_by_default(partial, defaults or {}, {one.name: one for one in columns})
            equal = self._set(attributes[number] for number in equal_by or ())
            found.append(Constraint(kind, self._set(bound), validated, name, spares, partial, equal))
        return key, tuple(found)

    def _foreign_keys(self) -> None:
        """Foreign keys tie both their ends."""
        for oid, kind, numbers, other, other_numbers, on_delete, on_update, *_ in self._rows.rows("constraints"):
            if kind != "f" or oid not in self._names or other not in self._names:
                continue
            mine, theirs = self._attributes[oid], self._attributes[other]
            referred = frozenset(theirs[number] for number in other_numbers)
            self._referenced[other] |= referred
            if on_delete or on_update:
                names = frozenset(mine[number] for number in numbers if number in mine)
                self._cascades[other].append(Cascade(self._names[oid], referred, on_delete, on_update, names))
            for one, another in zip(numbers, other_numbers, strict=True):
                self._copy_both_ways((oid, mine[one]), (other, theirs[another]))

    def _indexes(self, part: Part, attributes: dict[int, str]) -> tuple[Index, ...]:
        indexes = []
        for name, numbers, clustered in part[PLACES["indexes"]]:
            keys = attributes.values() if 0 in numbers else [attributes[one] for one in numbers if one in attributes]
            indexes.append(Index(name, self._set(keys), clustered))
        return tuple(indexes)

    def _set(self, names: Iterable[str]) -> frozenset[str]:
        """The set of these columns' names: one for all relations with such."""
        found = frozenset(names)
        return self._sets.setdefault(found, found)

    def _derive(self, target: tuple[str, str], source: tuple[str, str], *, copied: bool = False) -> None:
        """A column's values show in another: each by its relation's oid and its name."""
        key, name = self._names[target[0]], (*self._names[source[0]], source[1])
        self._derived[key][target[1]].add(name)
        if copied:
            self._copied[key][target[1]].add(name)

    def _copy_both_ways(self, left: tuple[str, str], right: tuple[str, str]) -> None:
        self._derive(left, right, copied=True)
        self._derive(right, left, copied=True)

    def _parents(self) -> dict[str, list[RelationName]]:
        parents: dict[str, list[RelationName]] = defaultdict(list)
        for child, parent in self._rows.rows("inheritance"):
            if child in self._names and parent in self._names:
                parents[child].append(self._names[parent])
        return parents

    def _inheritance(self) -> None:
        """A parent shows its children's rows, and a child's values show in the parent."""
        for child, parent in self._rows.rows("inheritance"):
            if child in self._names and parent in self._names:
                mine = set(self._attributes[child].values())
                for name in self._attributes[parent].values():
                    if name in mine:
                        self._copy_both_ways((child, name), (parent, name))

    def _generated(self) -> None:
        for oid, kind, number, other, other_number in self._rows.rows("dependencies"):
            if kind == "g" and oid in self._names:
                self._derive((oid, self._attributes[oid][number]), (other, self._attributes[other][other_number]))

    def _sequences(self) -> None:
        """A sequence tells the largest value of the column that it numbers; columns that share one, those between."""
        numbered: dict[str, list[tuple[str, str]]] = defaultdict(list)
        for oid, kind, _, other, number in self._rows.rows("dependencies"):
            if kind == "s" and oid in self._names and other in self._names and number in self._attributes[other]:
                numbered[oid].append((other, self._attributes[other][number]))
        for oid, columns in numbered.items():
            for place, one in enumerate(columns):
                for name in self._attributes[oid].values():
                    self._derive((oid, name), one)
                for other_one in columns[:place]:
                    self._tie(one, other_one)

    def _tie(self, one: tuple[str, str], other: tuple[str, str]) -> None:
        """Two columns that one sequence numbers; not alike where something is made of the numbers."""
        if self._is_whole(one) and self._is_whole(other):
            self._copy_both_ways(one, other)
        elif one != other:
            self._derive(one, other)
            self._derive(other, one)

    def _is_whole(self, column: tuple[str, str]) -> bool:
        rows = self._rows.owned[column[0]][PLACES["columns"]]
        return any(name == column[1] and type_name in _WHOLE_NUMBERS for _, name, type_name, *_ in rows)

    def _row_types(self) -> None:
        """A column whose type holds rows of a relation shows what these hold."""
        for oid, column, other in self._rows.rows("row_types"):
            if oid in self._names and other in self._names:
                for name in self._attributes[other].values():
                    self._derive((oid, column), (other, name))

    def _calls(self, moment: str) -> dict[str, tuple[str, ...]]:
        calls: dict[str, set[str]] = defaultdict(set)
        for oid, when, schema, name, extension in self._rows.rows("calls"):
            if when == moment and not is_trusted(extension, name):
                calls[oid].add(f"{schema}.{name}")
        for oid, when, schema, name in self._rows.rows("coercions"):
            if when == moment and (schema, name) in self._coded:
                calls[oid].add(f"type {schema}.{name}")
        for _, _, _, table, table_schema, name, schema, extension in self._rows.rows("orders") if moment != "d" else ():
            if table is not None and extension not in TRUSTED_EXTENSIONS:
                # An index compares by them, whether it is read or written to.
                calls[self._oids.get((table_schema, table), "")].add(f"index order {schema}.{name}")
        return {oid: tuple(sorted(names)) for oid, names in calls.items()}

    def _reads(self, oid: str, wanted: str) -> tuple[frozenset[ColumnName], frozenset[RelationName]]:
        """What the view's definition (v) or the row security policies (p) of that relation read."""
        if (oid, wanted) not in self._dependencies:
            return _NOTHING
        columns: set[ColumnName] = set()
        relations: set[RelationName] = set()
        for other, number in self._dependencies[oid, wanted]:
            if other in self._names:
                relations.add(self._names[other])
                if number in self._attributes[other]:
                    columns.add((*self._names[other], self._attributes[other][number]))
        return frozenset(columns), frozenset(relations)

    def _with_views(self, relations: dict[RelationName, Relation]) -> dict[RelationName, Relation]:
        """Views with what their definitions read, each column of theirs with what it shows."""
        views = {key: oid for oid, key in self._names.items() if relations[key].kind in ("v", "m")}
        reads = {key: self._reads(oid, "v") for key, oid in views.items()}
        found, self.assembly.views = with_views(relations, reads, self._routines, self._former.views)
        return found


class _Attributes(dict[str, dict[int, str]]):
    """Names of columns by relation and number, of those relations that are asked for."""

    def __init__(self, parts: Parts) -> None:
        super().__init__()
        self._parts = parts

    def __missing__(self, oid: str) -> dict[int, str]:
        part = self._parts.owned.get(oid)
        rows = () if part is None else part[PLACES["columns"]]
        names = self[oid] = {number: intern(name) for number, name, *_ in rows}
        return names
