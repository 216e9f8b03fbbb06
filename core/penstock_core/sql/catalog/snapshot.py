"""How a catalog snapshot is read: what its documents say, put together as a `Catalog`.

The SQL that fetches the documents is in `queries.py`; sending it is I/O and belongs in the sidecar:

    documents = {}
    for name, sql in STATEMENTS:
        rows = run(sql)
        if name:
            documents[name] = rows[0][0]
    catalog = snapshot(documents)
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import replace
from sys import intern
from typing import Any

from penstock_core.sql.allowlists.extensions import TRUSTED_EXTENSIONS, is_trusted
from penstock_core.sql.catalog import documents
from penstock_core.sql.catalog.model import (
    Cascade,
    Catalog,
    Column,
    ColumnName,
    Constraint,
    Index,
    Relation,
    RelationName,
    Routine,
    Trigger,
)
from penstock_core.sql.catalog.own_objects import (
    Rows,
    estimated_operators,
    is_trusted_operator,
    operator_functions,
    routines,
    schemas_by_name,
    user_objects,
)
from penstock_core.sql.catalog.partial_indexes import conditions, left_out_by_default
from penstock_core.sql.catalog.partitions import with_keys
from penstock_core.sql.catalog.queries import STATEMENTS
from penstock_core.sql.catalog.types import Types
from penstock_core.sql.catalog.view_hazards import hazards, passes_on
from penstock_core.sql.catalog.views import with_views
from penstock_core.sql.syntax.type_names import name_parts, qualified_type

__all__ = ["STATEMENTS", "snapshot"]

_WHOLE_NUMBERS = frozenset({"pg_catalog.int2", "pg_catalog.int4", "pg_catalog.int8"})


def snapshot(answers: Mapping[str, str], generation: int = 0) -> Catalog:
    """The catalog that the answers to `STATEMENTS` describe, by name."""
    rows = documents.opened(answers)
    ((search_path, version, encoding, login, partless),) = rows["session"]
    functions, extension_functions = user_objects(rows["functions"], is_trusted)
    operators, extension_operators = user_objects((row[:3] for row in rows["operators"]), is_trusted_operator)
    types = Types(rows)
    own = routines(rows["routines"])
    return Catalog(
        relations=_Reader(rows, types.coded, own, frozenset(operators)).relations(),
        search_path=tuple(search_path),
        user_functions=functions,
        routines=own,
        user_operators=frozenset(operators),
        operator_functions=operator_functions(rows["operators"]),
        estimated_operators=estimated_operators(rows["operators"]),
        user_types=schemas_by_name((intern(name), intern(schema)) for name, schema, *_ in rows["types"]),
        extension_functions=extension_functions,
        extension_operators=frozenset(extension_operators) - frozenset(operators),
        safe_types=types.safe,
        coded_types=types.coded,
        cast_types=types.cast,
        checked_types=types.checked,
        type_names={oid: (intern(schema), intern(name)) for oid, schema, name in rows["type_oids"]},
        type_functions=types.functions,
        implicit_cast=types.implicit_cast,
        system_functions=frozenset(name for name, _ in rows["system_functions"]),
        constant_functions=frozenset(name for name, constant in rows["system_functions"] if constant),
        system_columns={(schema, name): tuple(columns) for schema, name, columns in rows["system_columns"]},
        event_functions=tuple(sorted(f"{schema}.{name}" for schema, name in rows["events"])),
        setting_prefixes=frozenset(prefix for (prefix,) in rows["settings"]),
        login=login or "",
        changing_functions=frozenset(name for name, *_ in rows["changing"]),
        reads_change=any(implicit for _, implicit, _ in rows["changing"]),
        writes_change=any(triggered for *_, triggered in rows["changing"]),
        server_version=int(version),
        utf8=encoding == "UTF8",
        has_partless_texts=partless,
        generation=generation,
    )


class _Reader:
    """Puts relations together from rows that name them by oid."""

    def __init__(
        self,
        rows: Mapping[str, Rows],
        coded: frozenset[RelationName],
        routines: dict[RelationName, tuple[Routine, ...]],
        operators: frozenset[str],
    ) -> None:
        self._rows = rows
        self._coded = coded
        self._routines = routines
        self._operators = operators
        self._names: dict[str, RelationName] = {
            oid: (intern(schema), intern(name)) for oid, schema, name, *_ in rows["relations"]
        }
        self._oids = {name: oid for oid, name in self._names.items()}
        self._attributes: dict[str, dict[int, str]] = defaultdict(dict)
        for oid, number, name, *_ in rows["columns"]:
            self._attributes[oid][number] = intern(name)
        # By the oid of what reads, and whether it is a view, policy or generated column: what it reads.
        self._dependencies: dict[tuple[str, str], list[tuple[str, int]]] = defaultdict(list)
        for oid, kind, _, other, number in rows["dependencies"]:
            self._dependencies[oid, kind].append((other, number))
        # Where the extension citext put its type.
        self._citext = {
            (schema, name) for name, schema, _, extension, *_ in rows["types"] if name == extension == "citext"
        }
        # What each column derives from, and the part of it that is copied unchanged.
        self._derived: dict[ColumnName, set[ColumnName]] = defaultdict(set)
        self._copied: dict[ColumnName, set[ColumnName]] = defaultdict(set)
        # By oid: the columns that foreign keys refer to, and those keys that carry a deletion or key change on.
        self._referenced: dict[str, set[str]] = defaultdict(set)
        self._cascades: dict[str, list[Cascade]] = defaultdict(list)
        self._sets: dict[frozenset[str], frozenset[str]] = {}
        # By oid and name of a partial index: what a new row has in columns that are left out (None: NULL), where known.
        self._defaults: dict[tuple[str, str], dict[str, str | None]] = {}

    def relations(self) -> dict[RelationName, Relation]:
        keys, constraints = self._constraints()
        self._inheritance()
        self._generated()
        self._sequences()
        self._row_types()
        parents = self._parents()
        indexes = self._indexes()
        calls = self._calls("r")
        write_calls = self._calls("w")
        default_calls = self._calls("d")
        fired = self._triggers()
        columns = self._columns()
        result: dict[RelationName, Relation] = {}
        for oid, _, _, kind, triggers, rules, security, definition, policies, barrier in self._rows["relations"]:
            reads, sources = self._reads(oid, "p")
            key = self._names[oid]
            result[key] = Relation(
                schema=key[0],
                name=key[1],
                kind=kind,
                columns=columns.get(oid, ()),
                primary_key=keys.get(oid, ()),
                constraints=tuple(self._spared(oid, one, columns[oid]) for one in constraints.get(oid, ())),
                indexes=tuple(indexes.get(oid, ())),
                referenced=self._set(self._referenced.get(oid, ())),
                parents=tuple(parents.get(oid, ())),
                reads=reads,
                filters=reads,
                sources=sources,
                definition=definition or "",
                hazards=tuple(hazard for text in (definition, policies) if text for hazard in hazards(text)),
                calls=calls.get(oid, ()),
                write_calls=write_calls.get(oid, ()),
                default_calls=default_calls.get(oid, ()),
                triggers=tuple(fired.get(oid, ())),
                cascades=tuple(self._cascades.get(oid, ())),
                passes_on=kind == "v" and passes_on(definition),
                has_triggers=triggers,
                has_rules=rules,
                has_row_security=security,
                security_barrier=barrier,
            )
        return self._with_views(with_keys(result))

    def _columns(self) -> dict[str, tuple[Column, ...]]:
        """By oid. Tables of one database have many columns that are all alike: these are one."""
        columns: dict[str, list[Column]] = defaultdict(list)
        known: dict[tuple[object, ...], Column] = {}
        for oid, _, *row in self._rows["columns"]:
            if oid not in self._names:
                continue
            key = (*self._names[oid], row[0])
            derived, copied = self._derived.get(key, ()), self._copied.get(key, ())
            # Who derives from the same is nobody else.
            column = None if derived else known.get(tuple(row))
            if column is None:
                column = self._column(row, frozenset(derived), frozenset(copied))
                if not derived:
                    known[tuple(row)] = column
            columns[oid].append(column)
        return {oid: tuple(of_one) for oid, of_one in columns.items()}

    def _column(self, row: list[Any], derived: frozenset[ColumnName], copied: frozenset[ColumnName]) -> Column:
        name, type_name, base_type, formatted, base_formatted, category, not_null, generated, collation = row
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
        )

    def _constraints(self) -> tuple[dict[str, tuple[str, ...]], dict[str, list[Constraint]]]:
        """Primary keys and constraints by oid; foreign keys tie both their ends on the way."""
        keys: dict[str, tuple[str, ...]] = {}
        constraints: dict[str, list[Constraint]] = defaultdict(list)
        for oid, kind, numbers, other, other_numbers, on_delete, on_update, *rest in self._rows["constraints"]:
            validated, name, spared, predicate, defaults, equal_by = rest
            attributes = self._attributes[oid]
            names = tuple(attributes[number] for number in numbers if number in attributes)
            if kind == "p":
                keys[oid] = names
            bound = attributes.values() if 0 in numbers else names
            spares = self._set(attributes[number] for number in spared or ())
            partial = conditions(predicate) if predicate and kind == "i" else ()
            self._defaults[oid, name] = defaults or {}
            equal = self._set(attributes[number] for number in equal_by or ())
            constraints[oid].append(Constraint(kind, self._set(bound), validated, name, spares, partial, equal))
            if kind == "f" and oid in self._names and other in self._names:
                referred = frozenset(self._attributes[other][number] for number in other_numbers)
                self._referenced[other] |= referred
                if on_delete or on_update:
                    cascade = Cascade(self._names[oid], referred, on_delete, on_update, frozenset(names))
                    self._cascades[other].append(cascade)
                for mine, theirs in zip(numbers, other_numbers, strict=True):
                    self._copy_both_ways((oid, attributes[mine]), (other, self._attributes[other][theirs]))
        return keys, constraints

    def _spared(self, oid: str, constraint: Constraint, columns: tuple[Column, ...]) -> Constraint:
        """With the columns that, left out of a row, leave it out of a partial index."""
        if not constraint.conditions:
            return constraint
        defaults = self._defaults[oid, constraint.name]
        more = left_out_by_default(constraint.conditions, defaults, {one.name: one for one in columns})
        return replace(constraint, spared_without=constraint.spared_without | more)

    def _indexes(self) -> dict[str, list[Index]]:
        indexes: dict[str, list[Index]] = defaultdict(list)
        for oid, name, numbers, clustered in self._rows["indexes"]:
            attributes = self._attributes[oid]
            keys = attributes.values() if 0 in numbers else [attributes[one] for one in numbers if one in attributes]
            indexes[oid].append(Index(name, self._set(keys), clustered))
        return indexes

    def _set(self, names: Iterable[str]) -> frozenset[str]:
        """The set of these columns' names: one for all relations with such."""
        found = frozenset(names)
        return self._sets.setdefault(found, found)

    def _copy_both_ways(self, left: tuple[str, str], right: tuple[str, str]) -> None:
        one, other = (*self._names[left[0]], left[1]), (*self._names[right[0]], right[1])
        for target, source in ((one, other), (other, one)):
            self._derived[target].add(source)
            self._copied[target].add(source)

    def _parents(self) -> dict[str, list[RelationName]]:
        parents: dict[str, list[RelationName]] = defaultdict(list)
        for child, parent in self._rows["inheritance"]:
            if child in self._names and parent in self._names:
                parents[child].append(self._names[parent])
        return parents

    def _inheritance(self) -> None:
        """A parent shows its children's rows, and a child's values show in the parent."""
        for child, parent in self._rows["inheritance"]:
            if child in self._names and parent in self._names:
                mine = set(self._attributes[child].values())
                for name in self._attributes[parent].values():
                    if name in mine:
                        self._copy_both_ways((child, name), (parent, name))

    def _generated(self) -> None:
        for oid, kind, number, other, other_number in self._rows["dependencies"]:
            if kind == "g" and oid in self._names:
                target = (*self._names[oid], self._attributes[oid][number])
                self._derived[target].add((*self._names[other], self._attributes[other][other_number]))

    def _sequences(self) -> None:
        """A sequence tells the largest value of the column that it numbers; columns that share one, those between."""
        numbered: dict[str, list[tuple[str, str]]] = defaultdict(list)
        for oid, kind, _, other, number in self._rows["dependencies"]:
            if kind == "s" and oid in self._names and other in self._names and number in self._attributes[other]:
                numbered[oid].append((other, self._attributes[other][number]))
        whole = {(oid, name) for oid, _, name, type_name, *_ in self._rows["columns"] if type_name in _WHOLE_NUMBERS}
        for oid, columns in numbered.items():
            for place, one in enumerate(columns):
                for name in self._attributes[oid].values():
                    self._derived[(*self._names[oid], name)].add((*self._names[one[0]], one[1]))
                for other_one in columns[:place]:
                    self._tie(one, other_one, alike={one, other_one} <= whole)

    def _tie(self, one: tuple[str, str], other: tuple[str, str], *, alike: bool) -> None:
        """Two columns that one sequence numbers; not `alike` where something is made of the numbers."""
        if alike:
            self._copy_both_ways(one, other)
        elif one != other:
            mine, theirs = (*self._names[one[0]], one[1]), (*self._names[other[0]], other[1])
            self._derived[mine].add(theirs)
            self._derived[theirs].add(mine)

    def _row_types(self) -> None:
        """A column whose type holds rows of a relation shows what these hold."""
        for oid, column, other in self._rows["row_types"]:
            if oid in self._names and other in self._names:
                mine = (*self._names[oid], column)
                self._derived[mine].update((*self._names[other], name) for name in self._attributes[other].values())

    def _calls(self, moment: str) -> dict[str, tuple[str, ...]]:
        calls: dict[str, set[str]] = defaultdict(set)
        for oid, when, schema, name, extension in self._rows["calls"]:
            if when == moment and not is_trusted(extension, name):
                calls[oid].add(f"{schema}.{name}")
        for oid, when, schema, name in self._rows["coercions"]:
            if when == moment and (schema, name) in self._coded:
                calls[oid].add(f"type {schema}.{name}")
        for _, _, _, table, table_schema, name, schema, extension in self._rows["orders"] if moment != "d" else ():
            if table is not None and extension not in TRUSTED_EXTENSIONS:
                # An index compares by them, whether it is read or written to.
                calls[self._oids.get((table_schema, table), "")].add(f"index order {schema}.{name}")
        return {oid: tuple(sorted(names)) for oid, names in calls.items()}

    def _triggers(self) -> dict[str, list[Trigger]]:
        fired: dict[str, list[Trigger]] = defaultdict(list)
        for oid, schema, name, definition in self._rows["triggers"]:
            fired[oid].append(Trigger((schema, name), definition))
        return fired

    def _reads(self, oid: str, wanted: str) -> tuple[frozenset[ColumnName], frozenset[RelationName]]:
        """What the view's definition (v) or the row security policies (p) of that relation read."""
        columns: set[ColumnName] = set()
        relations: set[RelationName] = set()
        for other, number in self._dependencies.get((oid, wanted), ()):
            if other in self._names:
                relations.add(self._names[other])
                if number in self._attributes[other]:
                    columns.add((*self._names[other], self._attributes[other][number]))
        return frozenset(columns), frozenset(relations)

    def _with_views(self, relations: Mapping[RelationName, Relation]) -> dict[RelationName, Relation]:
        """Views with what their definitions read, each column of theirs with what it shows."""
        definitions = {
            (schema, name): (oid, definition)
            for oid, schema, name, kind, _, _, _, definition, *_ in self._rows["relations"]
            if kind in ("v", "m")
        }
        reads = {key: self._reads(oid, "v") for key, (oid, _) in definitions.items()}
        return with_views(relations, {key: text for key, (_, text) in definitions.items()}, reads, self._routines)
