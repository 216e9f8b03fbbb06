"""What the names in one body come to: its relations, functions, operators and types, held against the catalog.

They hold under any search path: a bare name means what the caller's path makes of it, unless the function sets a path
of its own, so that every relation, function, operator or type of that name counts.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

from penstock_core.sql.allowlists.extensions import is_trusted
from penstock_core.sql.allowlists.functions import (
    CODE_FUNCTIONS,
    FUNCTIONS,
    NUMBERING,
    OPERATORS,
    UNMASKED_FUNCTIONS,
    WRITING_FUNCTIONS,
)
from penstock_core.sql.allowlists.settings import FUNCTION_SETTINGS
from penstock_core.sql.allowlists.system_relations import CATALOGS, INFORMATION_SCHEMA, SYSTEM_SCHEMAS, TYPES
from penstock_core.sql.allowlists.words import words
from penstock_core.sql.catalog.function_bodies import Body, Name, Write
from penstock_core.sql.catalog.function_effects import FunctionEffects
from penstock_core.sql.catalog.model import Catalog, RelationName, Routine
from penstock_core.sql.syntax.type_names import name_parts

SYSTEM = "pg_catalog"
_PSEUDO_TYPES = words("trigger event_trigger void record internal anynonarray anyenum anyrange anymultirange") | words(
    "anycompatible anycompatiblearray anycompatiblenonarray anycompatiblerange anycompatiblemultirange cstring"
)
# Of a cursor that a body opens itself.
_CURSOR = "refcursor"


def computes(catalog: Catalog, name: str) -> bool:
    """Whether that function of the system's only computes. One that calls itself immutable does, by any name."""
    return name in FUNCTIONS or name in catalog.constant_functions


@dataclass
class BodyNames:
    """One overload: what the names in its body come to."""

    catalog: Catalog
    routine: Routine
    body: Body
    callees: frozenset[RelationName] = frozenset()
    unknown: str = ""
    hazards: set[str] = field(default_factory=set)
    verbs: set[str] = field(default_factory=set)
    calls: set[Name] = field(default_factory=set)

    def effects(self) -> FunctionEffects:
        routine = self.routine
        self.calls.add((routine.schema, routine.name))
        if is_trusted(routine.extension, routine.name):
            return FunctionEffects(calls=frozenset(self.calls))
        body = self.body
        if body.unknown:
            native = routine.language in ("c", "internal") and routine.volatility != "v"
            words = f"{routine.schema}.{routine.name} can't be analysed: {body.unknown}"
            return FunctionEffects(unknown=words, native=native, calls=frozenset(self.calls))
        self._settings(body)
        self._types(body)
        reads = self._relations(body)
        writes = self._writes(body)
        self._functions(body)
        self._parts()
        self._operators(body)
        self.verbs |= body.verbs
        # A relation of the system's is read with the same verb.
        if body.reads or reads:
            self.verbs.add("select")
        if body.commits:
            self.hazards.add("COMMIT or ROLLBACK")
        return FunctionEffects(
            unknown=self.unknown,
            hazards=tuple(sorted(self.hazards)),
            reads=reads,
            keeps=body.keeps,
            sets=frozenset(name.lower() for name in body.settings if "." in name),
            sequences=frozenset(self._sequences(body)),
            writes=writes,
            verbs=frozenset(self.verbs),
            calls=frozenset(self.calls),
            row_fields=frozenset(body.row.fields),
            row_assigned=frozenset(body.row.assigned),
            row_whole=body.row.whole,
            row_compared=body.row.compared,
            row_replaced=body.row.replaced,
        )

    @property
    def path(self) -> tuple[str, ...] | None:
        """The schemas that its own SET search_path names; None without one, or where it depends on who calls. In a body
        that the server keeps parsed, and prints qualified, a bare name is one of the system's.
        """
        if self.routine.parsed:
            return (SYSTEM,)
        for setting in self.routine.settings:
            name, _, value = setting.partition("=")
            if name.lower() == "search_path":
                parts = tuple(part.strip() for part in value.split(",") if part.strip())
                found = tuple(name_parts(part)[0] for part in parts if part != '""')
                if "$user" in found:
                    return None
                return found if SYSTEM in found else (SYSTEM, *found)
        return None

    def _fail(self, words: str) -> None:
        self.unknown = self.unknown or f"{self.routine.schema}.{self.routine.name} {words}"

    # ---- settings

    def _settings(self, body: Body) -> None:
        for setting in self.routine.settings:
            if setting.partition("=")[0].lower() not in FUNCTION_SETTINGS:
                self._fail(f"changes the setting {setting.partition('=')[0]}")
        for name in sorted(body.settings):
            prefix, dot, _ = name.partition(".")
            if not dot or prefix.lower() in self.catalog.setting_prefixes:
                self._fail(f"changes the setting {name}")

    # ---- types

    def _types(self, body: Body) -> None:
        routine = self.routine
        for schema, name in (routine.returns, *(one.type for one in routine.arguments), *sorted(body.types)):
            if (schema, name) == ("", _CURSOR) or (schema == SYSTEM and name in (_CURSOR, *_PSEUDO_TYPES)):
                continue
            schemas = self.catalog.user_types.get(name, ())
            candidates = [(schema, name)] if schema else [(place, name) for place in self._within(schemas)]
            builtin = schema in ("", SYSTEM) and _is_builtin(name)
            if not builtin and not candidates:
                self._fail(f"names the type {name}, which is not known")
            for key in candidates:
                if key[0] != SYSTEM:
                    self._type(key)
                elif not builtin:
                    self._fail(f"names the type {name}, which may not be used")
        for parts in sorted(body.types_of):
            self._type_of(parts)
        for word in sorted(body.left):
            self._type_word(word)

    def _type_word(self, word: str) -> None:
        """A word of a declaration that must be part of a type's name, and of nothing that could be called."""
        catalog = self.catalog
        schemas = catalog.user_types.get(word, ())
        for schema in schemas:
            self._type((schema, word))
        known = schemas or any(word in places for places in catalog.user_types.values())
        called = word in catalog.user_functions or word in catalog.system_functions
        if called or not known:
            self._fail(f"has {word} in a place that is not followed")

    def _type(self, key: RelationName) -> None:
        self._call(self.catalog.type_functions.get(key, ()))
        if key in self.catalog.coded_types or key in self.catalog.cast_types or not self._is_safe(key):
            self.hazards.add(f"type {'.'.join(key)}")

    def _is_safe(self, key: RelationName) -> bool:
        return key in self.catalog.safe_types

    def _type_of(self, parts: tuple[str, ...]) -> None:
        """`relation.column%TYPE` or `relation%ROWTYPE`: the relation's types must be safe, whatever is asked for."""
        names = [parts[-2:-1], parts[-1:]] if len(parts) > 1 else [parts]
        known = False
        for name in (one[0] for one in names if one):
            for relation in self.catalog.named(name):
                known = True
                for column in relation.columns:
                    schema, kind = name_parts(column.type_name)[:2]
                    if schema != SYSTEM:
                        self._type((schema, kind))
        if not known:
            self._fail(f"names the type of {'.'.join(parts)}, which is not known")

    # ---- relations

    def _relations(self, body: Body) -> frozenset[RelationName]:
        found: set[RelationName] = set()
        for schema, name in sorted(body.reads):
            found.update(self._meant(schema, name, required=True))
        for name in sorted(body.perhaps_reads):
            found.update(self._meant("", name, required=False))
        return frozenset(found)

    def _meant(self, schema: str, name: str, *, required: bool) -> Iterator[RelationName]:
        """The relations that the name may mean; those of the system are only asked whether they may be read."""
        if schema in SYSTEM_SCHEMAS:
            self._system_relation(schema, name)
            return
        if schema:
            candidates = [key] if (key := (schema, name)) in self.catalog.relations else []
        else:
            every = [relation.schema for relation in self.catalog.named(name)]
            candidates = [(place, name) for place in self._within(every)]
            for system in self.path or sorted(SYSTEM_SCHEMAS):
                if system in SYSTEM_SCHEMAS and self._is_system(system, name):
                    self._system_relation(system, name)
                    required = False
        if required and not candidates:
            self._fail(f"names the relation {name}, which is not known")
        yield from candidates

    def _is_system(self, schema: str, name: str) -> bool:
        known = (schema, name) in self.catalog.system_columns
        return known or (schema == SYSTEM and name.startswith("pg_"))

    def _system_relation(self, schema: str, name: str) -> None:
        self.verbs.add("select")
        allowed = INFORMATION_SCHEMA if schema == "information_schema" else CATALOGS
        if name not in allowed or allowed[name]:
            self.hazards.add(f"{schema}.{name}")

    def _sequences(self, body: Body) -> Iterator[RelationName]:
        """Whatever the path: a sequence is told by its name alone where none is written before it."""
        for schema, name in sorted(body.sequences):
            if schema or not name:
                yield schema, name
            else:
                yield from (one.key for one in self.catalog.named(name))

    def _writes(self, body: Body) -> tuple[Write, ...]:
        writes: list[Write] = []
        for write in body.writes:
            schema, name = write.relation
            if self._is_system(schema or SYSTEM, name) and schema in ("", *SYSTEM_SCHEMAS):
                self._fail(f"writes to {name}")
            for key in self._meant(schema, name, required=True):
                writes.append(replace(write, relation=key))
            self.verbs |= write.actions
        return tuple(writes)

    def _within(self, schemas: Iterable[str]) -> tuple[str, ...]:
        """Those of the schemas that a bare name may be looked up in."""
        path = self.path
        return tuple(schema for schema in schemas if path is None or schema in path)

    # ---- functions and operators

    def _functions(self, body: Body) -> None:
        for schema, name in sorted(body.functions):
            self.calls.add((schema, name))
            self._function(schema, name)
        for name in sorted(body.attributes):
            own = self._within(self.catalog.user_functions.get(name, ()))
            self._call((place, name) for place in own)
            if not own and name in self.catalog.system_functions and name not in FUNCTIONS:
                self.hazards.add(f"function {name}")
        for name in sorted(body.formerly):
            self._call((place, name) for place in self._within(self.catalog.user_functions.get(name, ())))

    def _function(self, schema: str, name: str) -> None:
        if schema in ("", SYSTEM):
            own = self.catalog.user_functions.get(name, ())
            places = self._within(own) if not schema else tuple(place for place in own if place == SYSTEM)
            extension = not schema and name in self.catalog.extension_functions
            self._call((place, name) for place in places)
            system = name in self.catalog.system_functions or name in FUNCTIONS
            if system or not (places or extension):
                self._system_function(name)
        elif schema in self.catalog.extension_functions.get(name, ()):
            if schema in self.catalog.user_functions.get(name, ()):
                self._call([(schema, name)])
        else:
            self._call([(schema, name)])

    def _call(self, keys: Iterable[RelationName]) -> None:
        self.callees |= frozenset(keys)

    def _system_function(self, name: str) -> None:
        if computes(self.catalog, name):
            return
        verb = WRITING_FUNCTIONS.get(name)
        if verb:
            self.verbs.add(verb)
        if name in CODE_FUNCTIONS:
            self._fail(f"calls {name}, which runs SQL that it is given")
        elif name not in NUMBERING and verb != "":
            # What needs no verb, notices, tells what it is given.
            self.hazards.add(f"function {name}")
            if name not in UNMASKED_FUNCTIONS and name not in WRITING_FUNCTIONS:
                self._fail(f"calls {name}, which may not be called")

    def _parts(self) -> None:
        """What an aggregate is made of."""
        for schema, name in self.routine.parts:
            self._part(schema, name)

    def _part(self, schema: str, name: str) -> None:
        if schema != SYSTEM:
            self._call([(schema, name)])
        elif not computes(self.catalog, name):
            self._fail(f"is made of {name}, which may not be called")

    def _operators(self, body: Body) -> None:
        catalog = self.catalog
        for schema, name in sorted(body.operators):
            own = schema != SYSTEM and not (self.routine.parsed and not schema)
            if own and name in catalog.user_operators:
                functions = catalog.operator_functions.get(name, ())
                if not functions:
                    self._fail(f"uses the operator {name}, which is not known")
                for place, one in functions:
                    self._part(place, one)
            elif name not in OPERATORS and name not in catalog.extension_operators:
                self._fail(f"uses the operator {name}, which is not known")


def _is_builtin(name: str) -> bool:
    return name in TYPES or (name.startswith("_") and name[1:] in TYPES)
