"""Which texts are held to `maxRowsChanged`: those that may change rows. The counting is the session's.

The server counts what it changes in each table, also by triggers, foreign keys and functions; the gate asks it for
these counts before and after a statement, in the statement's own transaction. So what the server does not count, or
does later, is refused where there is such a limit.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pglast import ast

from penstock_core.policy.effective import Limit, PolicySet
from penstock_core.sql.allowlists.statement_kinds import kind_of
from penstock_core.sql.authorize.authorizer import Findings
from penstock_core.sql.bind.bound import Bound
from penstock_core.sql.bind.name_resolution import Ambiguous, ResolvedRelation
from penstock_core.sql.bind.references import TargetWritten
from penstock_core.sql.bind.writes import Writing
from penstock_core.sql.catalog.function_effects import FunctionEffects
from penstock_core.sql.catalog.functions import Functions
from penstock_core.sql.catalog.model import Relation, RelationName
from penstock_core.sql.refusal import refused

_ALWAYS = (*Writing.__args__, ast.ExecuteStmt, ast.FetchStmt, ast.CallStmt, ast.CreateTableAsStmt)
# What the statement itself may change, if it writes or calls what does.
_PERHAPS = (ast.SelectStmt, ast.ExplainStmt, ast.CopyStmt)
_HOLD = 0x0020
_COMMITS = "COMMIT or ROLLBACK"


def change_limit(
    limit: Limit | None,
    statements: Sequence[ast.Node],
    bound: Bound,
    found: Findings,
    functions: Functions,
) -> Limit | None:
    """The limit, if it is to be kept of that text. Raises Refused where it could not be."""
    if limit is None:
        return None
    if any(isinstance(one, ast.TruncateStmt) for one in statements):
        reason = "TRUNCATE removes rows without counting them, and their number is limited"
        raise refused(reason, "use DELETE with a WHERE", limit.rule)
    if found.changes_rows and any(isinstance(one, ast.DeclareCursorStmt) and outlives(one) for one in statements):
        reason = "a cursor WITH HOLD over what changes rows changes them at COMMIT, where they are not counted"
        raise refused(reason, "declare it without HOLD, and close it in the transaction", limit.rule)
    writes = bound.writes or found.writes
    if not any(_may_change_rows(one, found, writes=writes) for one in statements):
        return None
    if len(statements) > 1:
        reason = "several statements in one text, some of which may change rows, cannot be limited one by one"
        raise refused(reason, "send the statements one by one", limit.rule)
    _check_counted(limit, bound, found.written, functions)
    return limit


def outlives(cursor: ast.DeclareCursorStmt) -> bool:
    """Whether a cursor outlives its transaction: at COMMIT at the latest, all of it has been run."""
    return bool((cursor.options or 0) & _HOLD)


def _may_change_rows(statement: ast.Node, found: Findings, *, writes: bool) -> bool:
    if isinstance(statement, ast.CopyStmt) and statement.is_from:
        return True
    if kind_of(statement) is not None and found.changes_rows:
        # A change of the schema that runs functions: for defaults, say.
        return True
    return isinstance(statement, _ALWAYS) or (isinstance(statement, _PERHAPS) and writes)


def _check_counted(limit: Limit, bound: Bound, written: set[RelationName], functions: Functions) -> None:
    """Refuse changes that the server does not count before the statement has ended. Raises Refused."""
    targets = [one.resolved for one in bound.references if isinstance(one, TargetWritten)]
    named = {one.key for target in targets for one in _meant(target)}
    for relation in _reached(named | written, functions):
        name = f"{relation.schema}.{relation.name}"
        if relation.kind == "f":
            reason = f"{name} is a foreign table, whose changed rows the server does not count"
            raise refused(reason, "change it on a connection to its own server", limit.rule)
        for trigger in relation.triggers:
            if _deferrable(trigger.definition) and _changes(functions.trigger(trigger)):
                raise refused(
                    f"a deferrable trigger of {name} may change rows at COMMIT, where they are not counted",
                    "have its owner make it NOT DEFERRABLE",
                    limit.rule,
                )


def _meant(target: ResolvedRelation | Ambiguous | None) -> tuple[Relation, ...]:
    """The relations that a name may mean."""
    if isinstance(target, Ambiguous):
        return tuple(target.candidates)
    return () if target is None or target.relation is None else (target.relation,)


def check_function(policies: PolicySet, name: str, effects: FunctionEffects) -> None:
    """Refuse a function whose changes could not be counted, or undone. Raises Refused."""
    limit = policies.max_rows_changed
    if limit is None:
        return
    why = "it may run TRUNCATE, which does not count rows" if "truncate" in effects.verbs else ""
    if _COMMITS in effects.hazards:
        why = "it runs COMMIT or ROLLBACK, behind which nothing can be undone"
    if why:
        remedy = "write the statements without it, or have a policy list it in allowFunctions"
        raise refused(f"function {name} cannot be limited to a number of changed rows: {why}", remedy, limit.rule)


def _reached(keys: set[RelationName], functions: Functions) -> Iterator[Relation]:
    """Those relations, and whatever may change with them: by foreign keys, triggers, views and inheritance."""
    relations = functions.catalog.relations
    pending, seen = list(keys), set(keys)
    while pending:
        relation = relations.get(pending.pop())
        if relation is None:
            continue
        yield relation
        more = {one.relation for one in relation.cascades} | (relation.sources if relation.kind == "v" else set())
        for trigger in relation.triggers:
            more |= {one.relation for one in functions.trigger(trigger).writes}
        more |= {one.key for one in relations.values() if relation.key in one.parents}
        pending += sorted(more - seen)
        seen |= more


def _deferrable(definition: str) -> bool:
    """Whether a trigger, as the server prints it, may be put off to the end of the transaction."""
    before, _, _ = definition.partition(" FOR EACH ")
    return before.startswith("CREATE CONSTRAINT TRIGGER ") and " NOT DEFERRABLE" not in before


def _changes(effects: FunctionEffects) -> bool:
    return bool(effects.unknown or effects.vouched or effects.verbs - {"select"})
