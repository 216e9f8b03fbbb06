"""What calling a function of the database's own comes to: its body and all that it calls, held against the catalog.

A verdict holds under any search path: a bare name in a body means what the caller's path makes of it, unless the
function sets a path of its own, so that every relation, function, operator or type of that name counts. What a function
claims about itself (IMMUTABLE, say) counts for nothing here. Whether an identity may have such a function run belongs
to `penstock_core.sql.analysis`.
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
from penstock_core.sql.catalog.model import Catalog, RelationName, Routine, Trigger
from penstock_core.sql.catalog.routine_bodies import read_body
from penstock_core.sql.catalog.trigger_bodies import read_trigger
from penstock_core.sql.syntax.type_names import name_parts

_PSEUDO_TYPES = words("trigger event_trigger void record internal anynonarray anyenum anyrange anymultirange") | words(
    "anycompatible anycompatiblearray anycompatiblenonarray anycompatiblerange anycompatiblemultirange cstring"
)
# Of a cursor that a body opens itself.
_CURSOR = "refcursor"
_SYSTEM = "pg_catalog"
# Trigger functions whose arguments name columns: which of these they set, and which they read.
_BY_ARGUMENTS: dict[str, tuple[slice, slice]] = {
    "moddatetime": (slice(1), slice(0)),
    "tsvector_update_trigger": (slice(1), slice(2, None)),
}


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
            writes=(*self.writes, *other.writes),
            verbs=self.verbs | other.verbs,
            calls=self.calls | other.calls,
            row_fields=self.row_fields | other.row_fields,
            row_assigned=self.row_assigned | other.row_assigned,
            row_whole=self.row_whole or other.row_whole,
            row_compared=self.row_compared or other.row_compared,
            vouched=self.vouched or other.vouched,
            unbounded=self.unbounded or other.unbounded,
        )


NOTHING = FunctionEffects()


class Functions:
    """The functions of one catalog; `attested` are those that a policy vouches for, as `(schema, name)`."""

    def __init__(self, catalog: Catalog, attested: frozenset[RelationName] = frozenset()) -> None:
        self.catalog = catalog
        self.attested = attested
        self._verdicts: dict[RelationName, FunctionEffects] = {}
        self._triggers: dict[Trigger, FunctionEffects] = {}
        self._own: dict[RelationName, tuple[FunctionEffects, frozenset[RelationName]]] = {}

    def verdict(self, schema: str, name: str) -> FunctionEffects:
        """What calling `schema.name` does, with whatever arguments."""
        key = (schema, name)
        found = self._verdicts.get(key)
        if found is None:
            found = self._verdicts[key] = self._closed(key)
        return found

    def named(self, name: str) -> FunctionEffects:
        """What a bare call does if it means a function of the database's own, whatever the path."""
        effects = NOTHING
        for schema in self.catalog.user_functions.get(name, ()):
            effects = effects.and_also(self.verdict(schema, name))
        return effects

    def operator(self, name: str) -> FunctionEffects:
        """What an operator of the database's own of that name does."""
        functions = self.catalog.operator_functions.get(name)
        if not functions:
            return FunctionEffects(unknown=f"operator {name} is not known")
        effects = NOTHING
        for schema, function in functions:
            if schema != _SYSTEM or not _computes(self.catalog, function):
                effects = effects.and_also(self.verdict(schema, function))
        return effects

    def trigger(self, trigger: Trigger) -> FunctionEffects:
        """What a trigger does when it fires, and what its condition looks at."""
        found = self._triggers.get(trigger)
        if found is None:
            found = self._triggers[trigger] = self._fired(trigger)
        return found

    def _fired(self, trigger: Trigger) -> FunctionEffects:
        facts = read_trigger(trigger)
        if trigger.function in self.attested:
            return self.verdict(*trigger.function)
        effects = self._own_trigger(trigger, facts.arguments)
        # As a body that the server keeps parsed: it is printed qualified.
        when = Routine(trigger.function[0], trigger.function[1], "f", "sql", parsed="when")
        condition = _Resolution(self.catalog, when, facts.condition)
        effects = effects.and_also(condition.effects())
        for schema, name in sorted(condition.callees):
            effects = effects.and_also(_without_row(self.verdict(schema, name)))
        return replace(effects, row_whole=True) if facts.transitions else effects

    def _own_trigger(self, trigger: Trigger, arguments: tuple[str, ...]) -> FunctionEffects:
        """A trigger's function; some are told by their arguments which columns are meant."""
        schema, name = trigger.function
        if (schema, name) == (_SYSTEM, "suppress_redundant_updates_trigger"):
            return replace(NOTHING, row_compared=True)
        effects = NOTHING if (schema, name) == (_SYSTEM, "tsvector_update_trigger") else self.verdict(schema, name)
        trusted = any(is_trusted(one.extension, name) for one in self.catalog.routines.get((schema, name), ()))
        if name in _BY_ARGUMENTS and (trusted or schema == _SYSTEM):
            sets, reads = _BY_ARGUMENTS[name]
            return replace(effects, row_assigned=frozenset(arguments[sets]), row_fields=frozenset(arguments[reads]))
        return effects

    def _closed(self, key: RelationName) -> FunctionEffects:
        """The function's own effects and those of all that it reaches: recursion ends where it began."""
        effects, seen, pending = NOTHING, {key}, [key]
        while pending:
            one = pending.pop()
            if one not in self._own:
                self._own[one] = self._of(one)
            own, callees = self._own[one]
            effects = effects.and_also(own if one == key else _without_row(own))
            pending.extend(sorted(callees - seen))
            seen |= callees
        return effects

    def _of(self, key: RelationName) -> tuple[FunctionEffects, frozenset[RelationName]]:
        routines = self.catalog.routines.get(key, ())
        if key in self.attested:
            unbounded = bool(Functions(self.catalog).verdict(*key).unknown)
            return FunctionEffects(calls=frozenset({key}), vouched=True, unbounded=unbounded), frozenset()
        if not routines:
            return FunctionEffects(unknown=f"function {'.'.join(key)} is not known"), frozenset()
        effects, callees = NOTHING, frozenset[RelationName]()
        for routine in routines:
            one = _Resolution(self.catalog, routine, read_body(routine))
            effects, callees = effects.and_also(one.effects()), callees | one.callees
        return effects, callees


def _without_row(effects: FunctionEffects) -> FunctionEffects:
    """Of a function that a trigger's calls: its row is another's, or none."""
    return replace(effects, row_fields=frozenset(), row_assigned=frozenset(), row_whole=False, row_compared=False)


def _computes(catalog: Catalog, name: str) -> bool:
    """Whether that function of the system's only computes. One that calls itself immutable does, by any name."""
    return name in FUNCTIONS or name in catalog.constant_functions


@dataclass
class _Resolution:
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
            writes=writes,
            verbs=frozenset(self.verbs),
            calls=frozenset(self.calls),
            row_fields=frozenset(body.row.fields),
            row_assigned=frozenset(body.row.assigned),
            row_whole=body.row.whole,
            row_compared=body.row.compared,
        )

    @property
    def path(self) -> tuple[str, ...] | None:
        """The schemas that its own SET search_path names; None without one, or where it depends on who calls. In a body
        that the server keeps parsed, and prints qualified, a bare name is one of the system's.
        """
        if self.routine.parsed:
            return (_SYSTEM,)
        for setting in self.routine.settings:
            name, _, value = setting.partition("=")
            if name.lower() == "search_path":
                parts = tuple(part.strip() for part in value.split(",") if part.strip())
                found = tuple(name_parts(part)[0] for part in parts if part != '""')
                if "$user" in found:
                    return None
                return found if _SYSTEM in found else (_SYSTEM, *found)
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
            if (schema, name) == ("", _CURSOR) or (schema == _SYSTEM and name in (_CURSOR, *_PSEUDO_TYPES)):
                continue
            schemas = self.catalog.user_types.get(name, ())
            candidates = [(schema, name)] if schema else [(place, name) for place in self._within(schemas)]
            builtin = schema in ("", _SYSTEM) and _is_builtin(name)
            if not builtin and not candidates:
                self._fail(f"names the type {name}, which is not known")
            for key in candidates:
                if key[0] != _SYSTEM:
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
                    if schema != _SYSTEM:
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
        return known or (schema == _SYSTEM and name.startswith("pg_"))

    def _system_relation(self, schema: str, name: str) -> None:
        self.verbs.add("select")
        allowed = INFORMATION_SCHEMA if schema == "information_schema" else CATALOGS
        if name not in allowed or allowed[name]:
            self.hazards.add(f"{schema}.{name}")

    def _writes(self, body: Body) -> tuple[Write, ...]:
        writes: list[Write] = []
        for write in body.writes:
            schema, name = write.relation
            if self._is_system(schema or _SYSTEM, name) and schema in ("", *SYSTEM_SCHEMAS):
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
        if schema in ("", _SYSTEM):
            own = self.catalog.user_functions.get(name, ())
            places = self._within(own) if not schema else tuple(place for place in own if place == _SYSTEM)
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
        if _computes(self.catalog, name):
            return
        verb = WRITING_FUNCTIONS.get(name)
        if verb:
            self.verbs.add(verb)
        if name in CODE_FUNCTIONS:
            self._fail(f"calls {name}, which runs SQL that it is given")
        elif name not in NUMBERING:
            self.hazards.add(f"function {name}")
            if name not in UNMASKED_FUNCTIONS and name not in WRITING_FUNCTIONS:
                self._fail(f"calls {name}, which may not be called")

    def _parts(self) -> None:
        """What an aggregate is made of."""
        for schema, name in self.routine.parts:
            self._part(schema, name)

    def _part(self, schema: str, name: str) -> None:
        if schema != _SYSTEM:
            self._call([(schema, name)])
        elif not _computes(self.catalog, name):
            self._fail(f"is made of {name}, which may not be called")

    def _operators(self, body: Body) -> None:
        catalog = self.catalog
        for schema, name in sorted(body.operators):
            own = schema != _SYSTEM and not (self.routine.parsed and not schema)
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
