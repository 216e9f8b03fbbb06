"""Rules for the target of a statement that writes: which relations may be one, and how its masked columns are read.

Nothing can stand in a target's place, so each reference to one of its masked columns is replaced by the mask. What no
replacement can hide is refused: constraints that tie what is written to masked values answer questions about these.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any

from pglast import ast

from penstock_core.sql.analysis.own_code import computed, fired, functions_of, set_by_triggers
from penstock_core.sql.analysis.queries import QueryRules
from penstock_core.sql.catalog.function_bodies import Write
from penstock_core.sql.catalog.model import Cascade, Relation, RelationName
from penstock_core.sql.refusal import refused
from penstock_core.sql.resolve.name_resolution import unknown_relation
from penstock_core.sql.resolve.scopes import Source
from penstock_core.sql.syntax.type_names import name_parts

# Each is replaced by some hundred words.
_MOST_REFERENCES = 1000


@dataclass(frozen=True, slots=True)
class Effect:
    """What a statement does to its target."""

    # What it is called, and what it does: of insert, update and delete those it may do.
    verb: str
    actions: frozenset[str]
    # The columns that it sets in rows that are there.
    sets: frozenset[str] = frozenset()

    def carried(self, cascade: Cascade) -> Effect | None:
        """What a foreign key that follows does in its own table; None if it does nothing."""
        if self == _UNKNOWN:
            return self
        if cascade.on_delete and "delete" in self.actions:
            return Effect(self.verb, frozenset({"delete", "update"}), cascade.changes)
        if cascade.on_update and not cascade.columns.isdisjoint(self.sets):
            return Effect(self.verb, frozenset({"update"}), cascade.changes)
        return None


# What a view passes on to its tables.
_UNKNOWN = Effect("write", frozenset())
INSERT, DELETE = (Effect(verb, frozenset({verb})) for verb in ("insert", "delete"))
# It asks no row anything.
_TRUNCATE = Effect("truncate", frozenset({"truncate"}))


def update(targets: Iterable[Any] | None) -> Effect:
    """The effect of an UPDATE that sets those."""
    return Effect("update", frozenset({"update"}), sets(targets))


def target_name(name: ast.RangeVar | None) -> str:
    """What a target is called in its statement."""
    alias = None if name is None or name.alias is None else name.alias.aliasname
    return alias or (name.relname if name is not None else None) or ""


def sets(targets: Iterable[Any] | None) -> frozenset[str]:
    """The columns that a SET clause names."""
    return frozenset(target.name or "" for target in targets or ())


class TargetRules(QueryRules):
    """Looks after targets and what reads them; `writes.py` knows the statements."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        # What functions write to, as far as it was looked after: they may call each other.
        self._followed: set[tuple[RelationName, frozenset[str]]] = set()

    def target(
        self, name: ast.RangeVar | None, effect: Effect, ctes: Collection[str] = ()
    ) -> tuple[Source, Relation | None]:
        """The target as a source of its statement. Raises Refused if it may not be written to in that way."""
        if name is None:
            raise refused(f"{effect.verb.upper()} without a target is not understood", "name the table")
        if not name.schemaname and name.relname in ctes:
            raise refused(f"{name.relname} is a table of WITH, which can't be written to", "name the table's schema")
        meaning = self.names.relation(name)
        alias = target_name(name)
        if meaning is None:
            if self.masked:
                raise unknown_relation(name)
            return Source(alias, None), None
        if meaning.temporary:
            self.temporary(name)
            return Source(alias, None, schema=meaning.schema if name.alias is None else ""), None
        if meaning.relation is None:
            raise refused(f"{meaning.schema}.{meaning.name} may not be written to", "use the statements made for it")
        relation = meaning.relation
        self.facts.relations.add(relation.key)
        self.ends_here(relation)
        if self.masked:
            self.writable(relation, effect)
            self.answered(relation, effect)
        else:
            self.runs_unseen(relation, effect)
        self.qualify(name, meaning)
        schema = meaning.schema if name.alias is None else ""
        columns = tuple(column.name for column in relation.columns)
        governed = relation if self.governed.governs(relation) else None
        return Source(alias, columns, schema=schema, relation=relation, target=governed), relation

    def truncated(self, name: ast.RangeVar) -> None:
        """A table that is emptied. Raises Refused if that may run code that could read masked columns."""
        self.target(name, _TRUNCATE)

    # ---- which relations

    def ends_here(self, relation: Relation) -> None:
        """Refuses views through which settings, or catalogs, would be written to."""
        for key in self._reached(relation, _UNKNOWN):
            if self.catalog.relations[key].passes_on:
                raise refused(
                    f"{relation.schema}.{relation.name} can't be written to: it shows the system's own relations",
                    "use the statements made for it",
                )

    def writable(self, relation: Relation, effect: Effect) -> None:
        """Refuses a target whose writing would run code that could read masked columns, or can't be followed."""
        family = self._family(relation)
        for key, effects in self._reached(relation, effect).items():
            reached = self.catalog.relations[key]
            # Besides what the statement does itself, to rows of the relation and of its children.
            others = effects - {effect} if key in family else effects
            through = "" if key == relation.key else f" (written to through {relation.schema}.{relation.name})"
            named = f"{reached.schema}.{reached.name}{through}"
            if self.governed.governs(reached):
                self.facts.touched = True
                self.governed_target(reached, named, effect, unknown=_UNKNOWN in others)
            for other in others:
                self.answered(reached, other)
            reason = self.governed.unreadable.get(key)
            # Through what it inherits from or is part of, it is no matter who chose its rows.
            if reason and (others or key == relation.key or reached.calls):
                raise refused(f"{named} can't be written to: {reason}", "write to other tables")
            self.storable(reached, named)
            # What a view passes on to its tables may be anything.
            actions = frozenset[str]().union(*(one.actions for one in effects if one != _UNKNOWN))
            self.runs_code(reached, named, frozenset() if _UNKNOWN in effects else actions)

    def runs_code(self, reached: Relation, named: str, actions: frozenset[str]) -> None:
        """Refuses a target that runs code of the database's own which could show masked columns, or is not known."""
        masked = self._masked(reached)
        why = "" if not reached.has_rules else "rules"
        if reached.has_triggers:
            why = why or fired(reached, masked, actions, self.governed)
        why = why or computed(reached, masked, actions, self.governed)
        if why:
            raise refused(
                f"{named} can't be written to: that runs code of the database's own which could show masked columns"
                f" ({why})",
                "write to other tables, or have a policy list the function in allowFunctions",
            )
        for key, function in functions_of(reached, actions, self.governed.functions):
            self.own_functions.run(f"{'.'.join(key)} (run by writing to {named})", function)
        assigned = set_by_triggers(reached, actions, self.governed.functions)
        if assigned and masked:
            self.assigned(reached, assigned)

    def written_by_function(self, relation: Relation, write: Write) -> None:
        """What a function writes to is a target like any other: constraints, triggers and what follows included."""
        if (relation.key, write.actions) in self._followed:
            return
        self._followed.add((relation.key, write.actions))
        effect = Effect("write", write.actions, write.sets)
        self.ends_here(relation)
        self.writable(relation, effect)
        self.answered(relation, effect)

    def runs_unseen(self, relation: Relation, effect: Effect) -> None:
        """Where nothing is masked: what runs by itself needs what a call of it would need."""
        for key, effects in self._reached(relation, effect).items():
            actions = frozenset[str]().union(*(one.actions for one in effects))
            reached = self.catalog.relations[key]
            self.row_unseen(reached)
            known = frozenset[str]() if _UNKNOWN in effects else actions
            for name, function in functions_of(reached, known, self.governed.functions):
                self.own_functions.run(f"{'.'.join(name)} (run by writing to {'.'.join(key)})", function)

    def governed_target(self, reached: Relation, named: str, effect: Effect, *, unknown: bool) -> None:
        """What holds masked columns must be a table; `unknown`: what happens there, since a view passes it on."""
        verb, masked = effect.verb.upper(), self._masked(reached)
        if reached.kind not in ("r", "p"):
            raise refused(f"{verb} on {named}, which shows masked columns,", "write to its tables themselves")
        bound = any(one.columns & masked for one in reached.constraints) or reached.referenced & masked
        computed = any(column.generated and column.name in masked for column in reached.columns)
        if unknown and (bound or computed):
            raise refused(
                f"{verb} would reach {named}, where constraints look at masked columns", "write to other tables"
            )

    def storable(self, relation: Relation, named: str) -> None:
        """Refuses a target with a column whose type runs the user's code when it is written to, or whose rows do."""
        if relation.key in self.catalog.coded_types:
            raise refused(
                f"{named} can't be written to: its row type runs code of the database's own which could read masked "
                "columns",
                "write to other tables",
            )
        for column in relation.columns:
            schema, name = name_parts(column.type_name)[:2]
            key = (schema, name)
            if self.governed.runs_code(key):
                raise refused(
                    f"{named} can't be written to: type {column.type_name} of its column {column.name} runs code of "
                    "the database's own which could read masked columns",
                    "write to other tables",
                )

    def _reached(self, relation: Relation, effect: Effect) -> dict[RelationName, set[Effect]]:
        """What writing to it can reach (a view's tables, children, ends of foreign keys), and what happens there."""
        reached: dict[RelationName, set[Effect]] = {}
        pending = [(relation.key, effect)]
        while pending:
            key, what = pending.pop()
            present = self.catalog.relations.get(key)
            if present is None or what in reached.get(key, ()):
                continue
            reached.setdefault(key, set()).add(what)
            pending.extend((child, what) for child in self.governed.children.get(key, ()))
            carried = [(one.relation, what.carried(one)) for one in present.cascades]
            pending.extend((name, other) for name, other in carried if other is not None)
            if present.kind == "v":
                pending.extend((source, _UNKNOWN) for source in sorted(present.sources))
        return reached

    def _family(self, relation: Relation) -> dict[RelationName, Relation]:
        """The relation and all that inherit from it: a statement means the rows of all."""
        family: dict[RelationName, Relation] = {}
        pending = [relation.key]
        while pending:
            key = pending.pop()
            if key not in family and key in self.catalog.relations:
                family[key] = self.catalog.relations[key]
                pending.extend(self.governed.children.get(key, ()))
        return family

    def _masked(self, relation: Relation) -> frozenset[str]:
        return frozenset(column.name for column in relation.columns if self.governed.mask(relation, column) is not None)

    # ---- what constraints would tell

    def answered(self, target: Relation, effect: Effect) -> None:
        """Refuses what constraints would answer by masked values, for each thing that the statement may do."""
        if "insert" in effect.actions:
            self.inserted(target)
        if "update" in effect.actions:
            self.assigned(target, effect.sets)
        if "delete" in effect.actions:
            self.deleted(target)

    def inserted(self, target: Relation) -> None:
        """A new row is held against those that are there: not where that compares masked values."""
        for relation, masked in self._questioned(target):
            for constraint in relation.constraints:
                told = constraint.columns & masked
                if told and constraint.compares_rows:
                    raise refused(
                        f"a new row of {relation.schema}.{relation.name} would be compared with the masked values of "
                        f"{min(told)}, since a constraint or unique index is on it",
                        "have the row written by somebody for whom it is not masked",
                    )

    def deleted(self, target: Relation) -> None:
        """Whether a row may go must not depend on who refers to its masked values."""
        for relation, masked in self._questioned(target):
            told = relation.referenced & masked
            if told:
                raise refused(
                    f"whether a row of {relation.schema}.{relation.name} can be deleted depends on its masked column "
                    f"{min(told)}, since foreign keys refer to it",
                    "have the row deleted by somebody for whom it is not masked",
                )

    def assigned(self, target: Relation, names: Collection[str]) -> None:
        """Masked columns are not overwritten, nor columns that a constraint or expression ties to a masked one."""
        for relation, masked in self._questioned(target):
            place = f"{relation.schema}.{relation.name}"
            if masked.intersection(names):
                raise refused(
                    f"UPDATE of {place}.{min(masked.intersection(names))}, which is masked: what was read of it is not "
                    "what is stored",
                    "leave the column out, or have it written by somebody for whom it is not masked",
                )
            for bound in _bound(relation, masked, names):
                raise refused(
                    f"UPDATE of {place} would be checked against its masked column {bound}, to which a constraint, "
                    "index or generated column ties what is written",
                    "leave that column out, or have it written by somebody for whom nothing is masked",
                )
            moves = any(one.kind == "k" and not one.columns.isdisjoint(names) for one in relation.constraints)
            if moves:
                # The row may move to another partition, as if it were deleted here and inserted there.
                self.inserted(target)
                self.deleted(target)

    def _questioned(self, target: Relation) -> Iterable[tuple[Relation, frozenset[str]]]:
        """Each relation that the statement's rows are in, with its masked columns, if it has any."""
        for relation in self._family(target).values():
            masked = self._masked(relation)
            if masked:
                yield relation, masked

    # ---- what is read of it

    def target_column(self, node: ast.ColumnRef, source: Source, name: str) -> None:
        relation = source.target
        column = relation.column(name) if relation is not None else None
        value = self.substitutions.value(relation, column, source.name) if relation and column else None
        if relation is None or value is None:
            return
        self.facts.masked.add((*relation.key, name))
        self.replacements.add(node, value)
        if len(self.replacements) > _MOST_REFERENCES:
            raise refused(f"the statement names masked columns more than {_MOST_REFERENCES} times", "split it")


def _bound(relation: Relation, masked: frozenset[str], names: Collection[str]) -> Iterable[str]:
    """Masked columns that one of the names is tied to, or that any change of a row is checked against."""
    for constraint in relation.constraints:
        told = constraint.columns & masked
        if told and (not constraint.columns.isdisjoint(names) or not constraint.validated):
            yield min(told)
    written = {(relation.schema, relation.name, name) for name in names}
    for column in relation.columns:
        if column.generated and column.name in masked and not column.derives_from.isdisjoint(written):
            yield column.name
