"""What may be written to, where something is masked: which targets, and what constraints would tell.

Nothing can be put in a target's place, so each reference to one of its masked columns is replaced by the mask
(`relations.py`). What no replacement can hide is refused: constraints that tie what is written to masked values answer
questions about these.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field

from penstock_core.policy.effective import Mask
from penstock_core.sql.authorize.authorizer import Authorizer, certain, possible
from penstock_core.sql.authorize.filtered_targets import refuse_filtered, refuse_referring, refuse_telling
from penstock_core.sql.authorize.function_calls import row_unseen, rules_unseen, run
from penstock_core.sql.authorize.own_code import fired, functions_of, set_by_triggers
from penstock_core.sql.authorize.relations import qualify, temporary, unknown_relation
from penstock_core.sql.bind.references import Effect, TargetWritten
from penstock_core.sql.bind.writes import COPY
from penstock_core.sql.catalog.function_bodies import Write
from penstock_core.sql.catalog.function_effects import FunctionEffects
from penstock_core.sql.catalog.model import Cascade, Constraint, Relation, RelationName
from penstock_core.sql.catalog.partial_indexes import excludes
from penstock_core.sql.masking.masked_columns import Governed
from penstock_core.sql.refusal import refused
from penstock_core.sql.syntax.type_names import name_parts

# Constraints that hold new values against those of other rows, by their kinds.
_UNIQUE = frozenset("pui")
# What a view passes on to its tables.
_UNKNOWN = Effect("write", frozenset())


def masked_target(authorizer: Authorizer, written: TargetWritten, effect: Effect) -> None:
    """The target of a statement, and the effect that is left where columns keep what is stored.

    Raises Refused if it may not be written to in that way.
    """
    resolved, name = certain(written.resolved), written.item
    if resolved is None:
        raise unknown_relation(authorizer, name)
    if resolved.temporary:
        temporary(authorizer, name, resolved)
        return
    target = _Target(authorizer, effect)
    target.ends_here(_of_the_user(resolved.schema, resolved.name, resolved.relation))
    if resolved.relation is not None:
        target.answered(resolved.relation, effect, resolved.relation)
        target.writable(resolved.relation, effect)
        authorizer.found.touched |= target.touched
        authorizer.note_place(name, resolved.relation, only=not name.inh)
        authorizer.note_target(name, resolved.relation, written.source.name)
    qualify(authorizer, name, resolved)


def unmasked_target(authorizer: Authorizer, written: TargetWritten) -> None:
    """Nothing is masked: only the system's own relations are not written to."""
    for resolved in possible(written.resolved):
        if not resolved.temporary:
            target = _Target(authorizer)
            target.ends_here(_of_the_user(resolved.schema, resolved.name, resolved.relation))
            if resolved.relation is not None:
                target.runs_unseen(resolved.relation, written.effect)


def unmasked_view(authorizer: Authorizer, relation: Relation) -> None:
    """A view over that relation must not lead to the system's own relations."""
    _Target(authorizer).ends_here(relation)


def run_function(authorizer: Authorizer, name: str, effects: FunctionEffects) -> None:
    """A function that a statement calls. Raises Refused if the identity may not have done what it does."""
    run(authorizer, name, effects, _Target(authorizer).written_by_function)


def _of_the_user(schema: str, name: str, relation: Relation | None) -> Relation:
    if relation is None:
        raise refused(f"{schema}.{name} may not be written to", "use the statements made for it")
    return relation


def carried(effect: Effect, cascade: Cascade) -> Effect | None:
    """What a foreign key that follows the effect does in its own table; None if it does nothing."""
    if effect == _UNKNOWN:
        return effect
    if cascade.on_delete and "delete" in effect.actions:
        return Effect(effect.verb, frozenset({"delete", "update"}), cascade.changes)
    if cascade.on_update and not cascade.columns.isdisjoint(effect.sets):
        return Effect(effect.verb, frozenset({"update"}), cascade.changes)
    return None


def _runs_rules(reached: Relation, effects: set[Effect]) -> bool:
    """Whether the rules of what is written to (CREATE RULE) run: COPY puts rows into tables past all of them."""
    return reached.has_rules and (reached.kind == "v" or any(one.verb != COPY.verb for one in effects))


@dataclass(slots=True)
class _Target:
    """Refuses targets by what a statement would do to them."""

    authorizer: Authorizer
    # What the statement itself does, which can be kept to some of the rows; of what functions do, nothing.
    own: Effect | None = None
    # Whether something with masked columns is written to.
    touched: bool = False
    # What functions write to, as far as it was looked after: they may call each other.
    followed: set[tuple[RelationName, frozenset[str]]] = field(default_factory=set)

    @property
    def governed(self) -> Governed:
        return self.authorizer.governed

    # ---- which relations

    def ends_here(self, relation: Relation) -> None:
        """Refuses views through which settings, or catalogs, would be written to."""
        for key in self._reached(relation, _UNKNOWN):
            if self.governed.catalog.relations[key].passes_on:
                raise refused(
                    f"{relation.schema}.{relation.name} cannot be written to: it shows the system's own relations",
                    "use the statements made for it",
                )

    def writable(self, relation: Relation, effect: Effect) -> None:
        """Refuses a target whose writing would run code that could read masked columns, or can't be followed."""
        family = self._family(relation)
        for key, effects in self._reached(relation, effect).items():
            reached = self.governed.catalog.relations[key]
            # Besides what the statement does itself, to rows of the relation and of its children.
            others = effects - {effect} if key in family else effects
            named = _place(reached, relation)
            if key not in family or others:
                refuse_filtered(self.governed, reached, named)
            if self.governed.governs(reached):
                self.touched = True
                self.governed_target(reached, named, effect, unknown=_UNKNOWN in others)
            for other in others:
                self.answered(reached, other, relation)
            reason = self.governed.unreadable.get(key)
            # Through what it inherits from or is part of, it is no matter who chose its rows.
            if reason and (others or key == relation.key or reached.calls):
                raise refused(f"{named} cannot be written to: {reason}", "write to other tables")
            self.storable(reached, named)
            # What a view passes on to its tables may be anything.
            actions = frozenset[str]().union(*(one.actions for one in effects if one != _UNKNOWN))
            self.runs_code(reached, named, frozenset() if _UNKNOWN in effects else actions, effects)

    def runs_code(self, reached: Relation, named: str, actions: frozenset[str], effects: set[Effect]) -> None:
        """Refuses a target that runs code of the database's own which could show masked columns, or is not known."""
        masked, functions = self._masked(reached), self.governed.functions
        why = "rules" if _runs_rules(reached, effects) else ""
        if reached.has_triggers:
            why = why or fired(reached, masked, actions, self.governed)
        if why:
            raise refused(
                f"{named} cannot be written to: that runs code of the database's own which could show masked columns"
                f" ({why})",
                "write to other tables, or have a policy list the function in allowFunctions",
            )
        for key, function in functions_of(reached, actions, functions):
            name = f"{'.'.join(key)} (run by writing to {named})"
            run(self.authorizer, name, function, self.written_by_function)
        assigned = set_by_triggers(reached, actions, functions)
        if assigned and masked:
            self.assigned(reached, assigned, reached)

    def written_by_function(self, relation: Relation, write: Write) -> None:
        """What a function writes to is a target like any other: constraints, triggers and what follows included."""
        if (relation.key, write.actions) in self.followed:
            return
        self.followed.add((relation.key, write.actions))
        effect = Effect("write", write.actions, write.sets)
        if not self.governed.masked:
            self.runs_unseen(relation, effect)
            return
        self.ends_here(relation)
        self.answered(relation, effect, relation)
        self.writable(relation, effect)

    def runs_unseen(self, relation: Relation, effect: Effect) -> None:
        """Where nothing is masked: what runs by itself needs what a call of it would need."""
        for key, effects in self._reached(relation, effect).items():
            actions = frozenset[str]().union(*(one.actions for one in effects))
            reached = self.governed.catalog.relations[key]
            row_unseen(self.authorizer, reached)
            if _runs_rules(reached, effects):
                rules_unseen(self.authorizer, reached)
            known = frozenset[str]() if _UNKNOWN in effects else actions
            for name, function in functions_of(reached, known, self.governed.functions):
                called = f"{'.'.join(name)} (run by writing to {'.'.join(key)})"
                run(self.authorizer, called, function, self.written_by_function)

    def governed_target(self, reached: Relation, named: str, effect: Effect, *, unknown: bool) -> None:
        """What holds masked columns must be a table; `unknown`: what happens there, since a view passes it on."""
        verb, masked = effect.verb.upper(), self._masked(reached)
        if reached.kind not in ("r", "p"):
            raise refused(f"{verb} on {named} is refused: it shows masked columns", "write to its tables themselves")
        for constraint in reached.constraints if unknown else ():
            if constraint.columns & masked:
                raise refused(
                    f"{verb} would reach {named}, where {constraint.described} looks at the masked column "
                    f"{min(constraint.columns & masked)}",
                    "write to the table itself",
                )
        if unknown and reached.referenced & masked:
            raise refused(
                f"{verb} would reach {named}, whose masked column {min(reached.referenced & masked)} foreign keys "
                "refer to",
                "write to the table itself",
            )

    def storable(self, relation: Relation, named: str) -> None:
        """Refuses a target with a column whose type runs the user's code when it is written to, or whose rows do."""
        if relation.key in self.governed.catalog.coded_types:
            raise refused(
                f"{named} cannot be written to: its row type runs code of the database's own which could read masked "
                "columns",
                "write to other tables",
            )
        for column in relation.columns:
            schema, name = name_parts(column.type_name)[:2]
            key = (schema, name)
            if self.governed.runs_code(key):
                raise refused(
                    f"{named} cannot be written to: type {column.type_name} of its column {column.name} runs code of "
                    "the database's own which could read masked columns",
                    "write to other tables",
                )

    def _reached(self, relation: Relation, effect: Effect) -> dict[RelationName, set[Effect]]:
        """What writing to it can reach (a view's tables, children, ends of foreign keys), and what happens there."""
        reached: dict[RelationName, set[Effect]] = {}
        pending = [(relation.key, effect)]
        while pending:
            key, what = pending.pop()
            present = self.governed.catalog.relations.get(key)
            if present is None or what in reached.get(key, ()):
                continue
            reached.setdefault(key, set()).add(what)
            pending.extend((child, what) for child in self.governed.children.get(key, ()))
            follows = [(one.relation, carried(what, one)) for one in present.cascades]
            pending.extend((name, other) for name, other in follows if other is not None)
            if present.kind == "v":
                pending.extend((source, _UNKNOWN) for source in sorted(present.sources))
        return reached

    def _family(self, relation: Relation) -> dict[RelationName, Relation]:
        return self.governed.catalog.overview.family(relation)

    def _masked(self, relation: Relation) -> frozenset[str]:
        return frozenset(column.name for column in relation.columns if self.governed.mask(relation, column) is not None)

    # ---- what constraints would tell

    def answered(self, target: Relation, effect: Effect, written: Relation) -> None:
        """Refuses what constraints would answer by masked values, for each thing that happens to the target's rows.

        `written` is what the statement names: the target itself, or what leads there.
        """
        for relation in self._family(target).values():
            if effect is self.own:
                refuse_telling(self.governed, relation, _place(relation, written), effect)
            else:
                refuse_filtered(self.governed, relation, _place(relation, written))
            refuse_referring(self.governed, relation, _place(relation, written), effect)
        if "insert" in effect.actions:
            self.inserted(target, written, effect)
        if "update" in effect.actions:
            self.assigned(target, effect.sets, written)
        if "delete" in effect.actions:
            self.deleted(target, written)

    def inserted(self, target: Relation, written: Relation, effect: Effect = _UNKNOWN) -> None:
        """A new row is held against those that are there: not where that compares masked values. What the effect gives
        values to may be known; the rest is NULL but for defaults, and for what triggers may set.
        """
        # A partition's rows have the defaults of the whole.
        alone = not target.has_triggers and len(self._family(target)) == 1
        for relation, masked in self._questioned(target):
            for constraint in relation.constraints:
                if alone and _is_spared(relation, constraint, effect):
                    continue
                told = constraint.columns & masked
                if told and constraint.compares_rows and not self._reveals(relation, constraint, told):
                    raise refused(
                        f"a new row of {_place(relation, written)} would be compared with the masked values of "
                        f"{min(told)} by {constraint.described}",
                        f"have the policy's mask of {min(told)} say uniqueness: reveal"
                        if constraint.kind in _UNIQUE
                        else f"ask someone for whom {min(told)} is not masked to write the row",
                    )

    def deleted(self, target: Relation, written: Relation) -> None:
        """Whether a row may go must not depend on who refers to its masked values."""
        for relation, masked in self._questioned(target):
            told = relation.referenced & masked
            if told:
                raise refused(
                    f"whether a row of {_place(relation, written)} can be deleted depends on its masked column "
                    f"{min(told)}, since foreign keys refer to it",
                    f"ask someone for whom {min(told)} is not masked to delete the row",
                )

    def assigned(self, target: Relation, names: Collection[str], written: Relation) -> None:
        """Masked columns are not overwritten, nor columns that a constraint or expression ties to a masked one."""
        for relation, masked in self._questioned(target):
            place = _place(relation, written)
            closed = (one for one in masked.intersection(names) if not self._mask_of(relation, one).writable)
            overwritten = min(closed, default="")
            if overwritten:
                through = "" if relation.key == written.key else f" (written to through {_name(written)})"
                raise refused(
                    f"UPDATE of {_name(relation)}.{overwritten}{through}: the column is masked for you, so you cannot "
                    "overwrite it",
                    f"leave {overwritten} out, or have the policy's mask of it say writeBack: ignore or write: allow",
                )
            for bound, constraint in self._bound(relation, masked, names):
                tied = ", ".join(sorted(constraint.columns.intersection(names)))
                if tied:
                    raise refused(
                        f"UPDATE of {place} would be checked against its masked column {bound}: {constraint.described}"
                        f" ties {tied} to it",
                        f"leave {tied} out, or ask someone for whom {bound} is not masked",
                    )
                raise refused(
                    f"UPDATE of {place} would evaluate {constraint.described}, which reads the masked column {bound} "
                    "and may fail for rows that are there: it is not valid, or depends on settings or the time",
                    f"ask someone for whom {bound} is not masked to write the row",
                )
            referred = relation.referenced & masked & frozenset(names)
            if referred:
                raise refused(
                    f"whether a row of {place} can be changed depends on its masked column {min(referred)}, since"
                    " foreign keys refer to it",
                    f"ask someone for whom {min(referred)} is not masked to write it",
                )
            moves = any(one.kind == "k" and not one.columns.isdisjoint(names) for one in relation.constraints)
            if moves:
                # The row may move to another partition, as if it were deleted here and inserted there.
                self.inserted(target, written)
                self.deleted(target, written)

    def _bound(
        self, relation: Relation, masked: frozenset[str], names: Collection[str]
    ) -> Iterable[tuple[str, Constraint]]:
        """Masked columns that one of the names is tied to, or that any change of a row is checked against, and by what.

        Those that are set themselves count only where other rows are compared with them.
        """
        for constraint in relation.constraints:
            told = constraint.columns & masked
            if not constraint.compares_rows:
                told -= frozenset(names)
            elif told and self._reveals(relation, constraint, told):
                continue
            if told and (not constraint.columns.isdisjoint(names) or not constraint.validated):
                yield min(told), constraint

    def _reveals(self, relation: Relation, constraint: Constraint, told: Iterable[str]) -> bool:
        """Whether policies let a unique constraint answer by those masked columns."""
        return constraint.kind in _UNIQUE and all(self._mask_of(relation, name).reveals_uniqueness for name in told)

    def _mask_of(self, relation: Relation, name: str) -> Mask:
        return self.governed.columns[relation.schema, relation.name, name]

    def _questioned(self, target: Relation) -> Iterable[tuple[Relation, frozenset[str]]]:
        """Each relation that the statement's rows are in, with its masked columns, if it has any."""
        for relation in self._family(target).values():
            masked = self._masked(relation)
            if masked:
                yield relation, masked


def _is_spared(relation: Relation, constraint: Constraint, effect: Effect) -> bool:
    """Whether every new row is certain not to be compared with others: by NULL, or as a partial index leaves it out."""
    if effect.gives is None:
        return False
    if constraint.spared_without - effect.gives:
        return True
    for condition in constraint.conditions:
        column, values = relation.column(condition.column), effect.constants(condition.column)
        if column is not None and values and all(excludes(condition, column, value) for value in values):
            return True
    return False


def _name(relation: Relation) -> str:
    return f"{relation.schema}.{relation.name}"


def _place(reached: Relation, written: Relation) -> str:
    """What is reached, and through what, if that is not what the statement names."""
    through = "" if reached.key == written.key else f" (written to through {_name(written)})"
    return _name(reached) + through
