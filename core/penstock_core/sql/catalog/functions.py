"""What calling a function of the database's own comes to: its body and all that it calls, held against the catalog.

What a function claims about itself (IMMUTABLE, say) counts for nothing here. What the names in one body come to belongs
to `body_names.py`, whether an identity may have such a function run to `penstock_core.sql.authorize`.
"""

from __future__ import annotations

from dataclasses import replace

from penstock_core.sql.allowlists.extensions import is_trusted
from penstock_core.sql.catalog.body_names import SYSTEM, BodyNames, computes
from penstock_core.sql.catalog.function_effects import NOTHING, FunctionEffects
from penstock_core.sql.catalog.model import Catalog, RelationName, Routine, Trigger
from penstock_core.sql.catalog.routine_bodies import read_body
from penstock_core.sql.catalog.trigger_bodies import read_trigger

# Trigger functions whose arguments name columns: which of these they set, and which they read.
_BY_ARGUMENTS: dict[str, tuple[slice, slice]] = {
    "moddatetime": (slice(1), slice(0)),
    "tsvector_update_trigger": (slice(1), slice(2, None)),
}


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
            if schema != SYSTEM or not computes(self.catalog, function):
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
        condition = BodyNames(self.catalog, when, facts.condition)
        effects = effects.and_also(condition.effects())
        for schema, name in sorted(condition.callees):
            effects = effects.and_also(self.verdict(schema, name).without_row())
        return replace(effects, row_whole=True) if facts.transitions else effects

    def _own_trigger(self, trigger: Trigger, arguments: tuple[str, ...]) -> FunctionEffects:
        """A trigger's function; some are told by their arguments which columns are meant."""
        schema, name = trigger.function
        if (schema, name) == (SYSTEM, "suppress_redundant_updates_trigger"):
            return replace(NOTHING, row_compared=True)
        effects = NOTHING if (schema, name) == (SYSTEM, "tsvector_update_trigger") else self.verdict(schema, name)
        trusted = any(is_trusted(one.extension, name) for one in self.catalog.routines.get((schema, name), ()))
        if name in _BY_ARGUMENTS and (trusted or schema == SYSTEM):
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
            effects = effects.and_also(own if one == key else own.without_row())
            pending.extend(sorted(callees - seen))
            seen |= callees
        return effects

    def _of(self, key: RelationName) -> tuple[FunctionEffects, frozenset[RelationName]]:
        routines = self.catalog.routines.get(key, ())
        if key in self.attested:
            read = Functions(self.catalog).verdict(*key)
            vouched = FunctionEffects(
                calls=frozenset({key}), vouched=True, unbounded=bool(read.unknown), sets=read.sets
            )
            return vouched, frozenset()
        if not routines:
            return FunctionEffects(unknown=f"function {'.'.join(key)} is not known"), frozenset()
        effects, callees = NOTHING, frozenset[RelationName]()
        for routine in routines:
            one = BodyNames(self.catalog, routine, read_body(routine))
            effects, callees = effects.and_also(one.effects()), callees | one.callees
        return effects, callees
