"""Functions of the database's own that a statement has run: by its calls, or through views, triggers and operators.

A function may be run if the identity may do what it does: its verbs, its guardrails, and where columns are masked,
nothing that could show them. One whose body is not known needs every verb, or a policy that vouches for it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from penstock_core.policy.effective import PolicySet
from penstock_core.sql.allowlists.functions import WRITING_FUNCTIONS
from penstock_core.sql.authorize.authorizer import Authorizer
from penstock_core.sql.authorize.row_changes import check_function
from penstock_core.sql.catalog.function_bodies import Write
from penstock_core.sql.catalog.function_effects import FunctionEffects
from penstock_core.sql.catalog.model import Relation
from penstock_core.sql.guardrails.own_rows import beside_itself
from penstock_core.sql.guardrails.require_where import Target, chooses
from penstock_core.sql.masking.function_access import shown
from penstock_core.sql.masking.masked_columns import Governed
from penstock_core.sql.refusal import Refused, refused
from penstock_core.sql.syntax.type_names import name_parts

_CHANGING = frozenset({"insert", "update", "delete"})
_VOUCH = "write the statement without it, or have a policy list it in allowFunctions"


Writable = Callable[[Relation, Write], None]


def run(authorizer: Authorizer, name: str, effects: FunctionEffects, writable: Writable | None = None) -> None:
    """A function, under the name that people know it by, is run with what the statement gives it. Raises Refused.

    `writable` refuses a relation that may not be written to in that way, and looks after what runs by itself then.
    """
    found, bound, governed = authorizer.found, authorizer.bound, authorizer.governed
    for schema, called in sorted(effects.calls):
        authorizer.deny_function((schema, called) if schema else (called,))
    unlimited = bool(effects.unknown) and not effects.native
    sets = any(called == "set_config" for _, called in effects.calls)
    found.function_sets |= sets or effects.keeps or effects.unbounded or effects.vouched or unlimited
    found.function_settings |= effects.sets
    found.sets_unknown |= effects.unbounded or unlimited
    found.hazards.update(effects.hazards)
    if effects.keeps:
        bound.outlasts = f"a setting of the session's, which function {name} changes,"
    found.writes |= effects.vouched or unlimited or any(called in WRITING_FUNCTIONS for _, called in effects.calls)
    if effects.unbounded or unlimited:
        bound.changes_search_path = True
        bound.resets_search_path = False
        if governed.masked and len(bound.verbs) > 1:
            raise refused(f"function {name} may change search_path for what follows", "send its statement alone")
    if governed.masked:
        reason = shown(effects, governed.reach)
        if reason:
            raise user_function(name, reason)
    elif unlimited:
        _unlimited(governed.policies, name, effects.unknown)
    found.verbs |= effects.verbs
    found.unread_code |= unlimited and not effects.vouched
    found.changes_rows |= effects.vouched or unlimited or not _CHANGING.isdisjoint(effects.verbs)
    check_function(governed.policies, name, effects)
    _verbs(authorizer, name, effects)
    _written(authorizer, name, effects.writes, writable)
    bound.concerns(effects.reads)


def _unlimited(policies: PolicySet, name: str, why: str) -> None:
    """What is not known may do anything: only where anything may be done."""
    if policies.missing:
        missing = ", ".join(policies.missing)
        raise refused(f"function {name} could do what no policy allows ({missing}), since {why}", _VOUCH)
    for rule in policies.guards:
        raise refused(f"function {name} could bypass a guardrail, since {why}", _VOUCH, rule)


def _verbs(authorizer: Authorizer, name: str, effects: FunctionEffects) -> None:
    allow = authorizer.governed.policies.allow
    missing = sorted(effects.verbs - allow)
    if missing:
        may = ", ".join(sorted(allow)) or "nothing"
        raise refused(
            f"function {name} needs the verb {missing[0]}; your policies allow: {may}",
            "ask for a policy that allows it",
        )
    authorizer.found.writes |= bool(effects.verbs - {"select"})


def _written(authorizer: Authorizer, name: str, writes: Iterable[Write], writable: Writable | None) -> None:
    governed = authorizer.governed
    for write in writes:
        relation = governed.catalog.relations.get(write.relation)
        if relation is None:
            continue
        authorizer.bound.concerns((relation.key,))
        authorizer.found.written.add(relation.key)
        _guarded(governed, name, write, relation)
        if not governed.masked:
            _sets_off(authorizer, name, relation, write, writable)
            continue
        if writable is None or governed.governs(relation):
            where = f"{relation.schema}.{relation.name}"
            raise user_function(name, f"it writes to {where}, which has masked columns")
        writable(relation, write)


def _sets_off(
    authorizer: Authorizer, name: str, relation: Relation, write: Write, writable: Writable | None
) -> None:  # fmt: skip
    """Where nothing is masked: what its write has run by itself needs what it needs when the statement writes."""
    if writable is not None:
        writable(relation, write)
    elif relation.has_triggers or relation.has_rules:
        # Run by a view or a type; what is behind that is not followed.
        why = f"it writes to {relation.schema}.{relation.name}, which runs triggers or rules"
        _unlimited(authorizer.governed.policies, name, why)
        authorizer.found.unread_code = True


def _guarded(governed: Governed, name: str, write: Write, relation: Relation) -> None:
    """Its statements are held to requireWhere like any other."""
    columns = frozenset(column.name for column in relation.columns)
    not_null = frozenset(column.name for column in relation.columns if column.not_null)
    for verb in sorted(write.actions & governed.require_where.keys()):
        # What follows a conflict is one row.
        conflict = write.where is None and "insert" in write.actions
        target = beside_itself(Target(write.alias, relation.key, columns, not_null), write.where, write.sources)
        if not (conflict or chooses(write.where, target)):
            raise refused(
                f"function {name} runs {verb.upper()} on {relation.schema}.{relation.name} without a WHERE that"
                " chooses rows",
                "write the statement itself, with a WHERE",
                governed.require_where[verb],
            )


# ---- what runs by itself


def read_unseen(authorizer: Authorizer, relation: Relation) -> None:
    """Functions that views, row security policies and generated columns run."""
    row_unseen(authorizer, relation)
    governed = authorizer.governed
    for name in governed.calling.get(relation.key, ()):
        schema, _, called = name.rpartition(".")
        if (schema, called) in governed.catalog.routines:
            effects = governed.functions.verdict(schema, called)
            run(authorizer, f"{name} (run by reading {relation.schema}.{relation.name})", effects)


def row_unseen(authorizer: Authorizer, relation: Relation) -> None:
    """Where nothing is masked: functions that the types of a relation's row and columns run."""
    if authorizer.catalog.type_functions and not authorizer.governed.masked:
        type_unseen(authorizer, relation.schema, relation.name)
        for column in relation.columns:
            schema, name = name_parts(column.type_name)[:2]
            type_unseen(authorizer, schema, name)


def type_unseen(authorizer: Authorizer, schema: str, name: str) -> None:
    """Where nothing is masked: functions that a value of that type, in whatever schema if it is bare, may run."""
    for key, functions in authorizer.catalog.type_functions.items():
        if key[1] == name.removeprefix("_") and schema in ("", key[0]):
            for function in functions:
                effects = authorizer.governed.functions.verdict(*function)
                run(authorizer, f"{'.'.join(function)} (run by type {'.'.join(key)})", effects)


def rules_unseen(authorizer: Authorizer, relation: Relation) -> None:
    """Where nothing is masked: what the rules of that relation (CREATE RULE) do, which nobody reads."""
    named, policies = f"{relation.schema}.{relation.name}", authorizer.governed.policies
    remedy = "write to another table, or have triggers in place of its rules"
    if policies.missing:
        missing = ", ".join(policies.missing)
        raise refused(f"the rules of {named} could do what no policy allows ({missing})", remedy)
    for rule in policies.guards:
        raise refused(f"the rules of {named} could bypass a guardrail", remedy, rule)
    found = authorizer.found
    found.writes = found.unread_code = found.changes_rows = found.function_sets = True
    authorizer.bound.changes_search_path, authorizer.bound.resets_search_path = True, False


def user_function(name: str, reason: str = "") -> Refused:
    """The refusal of a function of the database's own."""
    why = f": {reason}" if reason else ""
    return refused(f"function {name} is this database's own and could show masked columns{why}", _VOUCH)
