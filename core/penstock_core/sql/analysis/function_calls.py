"""Functions of the database's own that a statement has run: by its calls, or through views, triggers and operators.

A function may be run if the identity may do what it does: its verbs, its guardrails, and where columns are masked,
nothing that could show them. One whose body is not known needs every verb, or a policy that vouches for it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from penstock_core.sql.allowlists.functions import WRITING_FUNCTIONS
from penstock_core.sql.analysis.facts import Facts
from penstock_core.sql.catalog.function_bodies import Write
from penstock_core.sql.catalog.function_effects import FunctionEffects
from penstock_core.sql.catalog.model import Relation
from penstock_core.sql.guardrails.require_where import Target, chooses
from penstock_core.sql.masking.function_access import shown
from penstock_core.sql.masking.masked_columns import Governed
from penstock_core.sql.refusal import Refused, refused

_VOUCH = "write the statement without it, or have a policy list it in allowFunctions"
_WHERE = frozenset({"update", "delete"})


@dataclass(frozen=True, slots=True)
class OwnFunctions:
    """What one identity may have run; refuses by raising."""

    governed: Governed
    facts: Facts
    # Refuses names that the policy denies.
    denied: Callable[[tuple[str, ...]], None]
    # Refuses a relation that may not be written to in that way where columns are masked.
    writable: Callable[[Relation, Write], None]

    def run(self, name: str, effects: FunctionEffects) -> None:
        """A function, under the name that people know it by, is run with what the statement gives it."""
        for schema, called in sorted(effects.calls):
            self.denied((schema, called) if schema else (called,))
        unlimited = bool(effects.unknown) and not effects.native
        changes = any(called in WRITING_FUNCTIONS for _, called in effects.calls)
        self.facts.writes |= effects.vouched or unlimited or changes
        if effects.unbounded or unlimited:
            self.facts.changes_search_path = True
            self.facts.resets_search_path = False
        if self.governed.masked:
            reason = shown(effects, self.governed.reach)
            if reason:
                raise user_function(name, reason)
        elif unlimited:
            self._unlimited(name, effects.unknown)
        self._verbs(name, effects)
        self._written(name, effects.writes)
        self.facts.relations |= effects.reads

    def _unlimited(self, name: str, why: str) -> None:
        """What is not known may do anything: only where anything may be done."""
        policies = self.governed.policies
        if policies.missing:
            missing = ", ".join(policies.missing)
            raise refused(f"function {name} could do what no policy allows ({missing}), since {why}", _VOUCH)
        for rule in policies.guards:
            raise refused(f"function {name} could pass by a guardrail, since {why}", _VOUCH, rule)

    def _verbs(self, name: str, effects: FunctionEffects) -> None:
        missing = sorted(effects.verbs - self.governed.policies.allow)
        if missing:
            may = ", ".join(sorted(self.governed.policies.allow)) or "nothing"
            raise refused(
                f"function {name} needs the verb {missing[0]}; your policies allow: {may}",
                "ask for a policy that allows it",
            )
        self.facts.writes |= bool(effects.verbs - {"select"})

    def _written(self, name: str, writes: Iterable[Write]) -> None:
        relations = self.governed.catalog.relations
        for write in writes:
            relation = relations.get(write.relation)
            if relation is None:
                continue
            self.facts.relations.add(relation.key)
            self._guarded(name, write, relation)
            if self.governed.masked:
                if self.governed.governs(relation):
                    where = f"{relation.schema}.{relation.name}"
                    raise user_function(name, f"it writes to {where}, which has masked columns")
                self.writable(relation, write)

    def _guarded(self, name: str, write: Write, relation: Relation) -> None:
        """Its statements are held to requireWhere like any other."""
        rules = dict(self.governed.policies.require_where)
        columns = frozenset(column.name for column in relation.columns)
        not_null = frozenset(column.name for column in relation.columns if column.not_null)
        for verb in sorted(write.actions & _WHERE):
            # What follows a conflict is one row.
            conflict = write.where is None and "insert" in write.actions
            chosen = conflict or chooses(write.where, Target(write.alias, columns, not_null))
            if verb in rules and not chosen:
                raise refused(
                    f"function {name} runs {verb.upper()} on {relation.schema}.{relation.name} without a WHERE that"
                    " chooses rows",
                    "write the statement itself, with a WHERE",
                    rules[verb],
                )


def user_function(name: str, reason: str = "") -> Refused:
    """The refusal of a function of the database's own."""
    why = f": {reason}" if reason else ""
    return refused(f"function {name} is this database's own and could show masked columns{why}", _VOUCH)
