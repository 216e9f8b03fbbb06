"""What a text does, as far as approvals ask: its verbs and tables, and what it makes without running it.

Which rule holds it is `penstock_core.policy.holding`'s.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pglast import ast

from penstock_core.policy.effective import PolicySet
from penstock_core.policy.holding import Effects, Holding, holding
from penstock_core.sql.authorize.authorizer import Findings
from penstock_core.sql.authorize.plan_costs import is_planned
from penstock_core.sql.authorize.recorded_verbs import recorded_verbs
from penstock_core.sql.authorize.row_changes import outlives
from penstock_core.sql.bind.references import Bound, SettingChange


def held_effects(policies: PolicySet, statements: Sequence[ast.Node], bound: Bound, found: Findings) -> Holding | None:
    """What tells who holds a text that was found to be allowed; None where no policy holds anything."""
    if not policies.approvals:
        return None
    used = (verb for part in bound.parts for verb in recorded_verbs(bound, part))
    tables = frozenset(".".join(name) for name in bound.relations)
    everything = Effects(frozenset(used), tables, not found.unread_code)
    kept = bool(statements) and all(_runs_nothing(statement) for statement in statements)
    does = Effects(frozenset(bound.verbs[:1])) if kept and len(statements) == 1 else everything
    made = Holding(
        does,
        everything if bound.prepares or bound.declares else Effects(),
        sets=frozenset(name for name in _changed(bound) if "." in name),
        planned=len(statements) == 1 and is_planned(statements[0]),
        several=len(statements) > 1,
    )
    return holding(policies.approvals, made, by_name=bool(bound.executes or bound.fetches))


def _changed(bound: Bound) -> Iterator[str]:
    """The names of settings that a text changes, as far as they are written out."""
    return (one.written for one in bound.references if isinstance(one, SettingChange) and one.written is not None)


def _runs_nothing(statement: ast.Node) -> bool:
    """Whether the statement inside it does not run, or only later by a name."""
    if isinstance(statement, ast.ExplainStmt):
        # Beside EXPLAIN of an EXECUTE there is nothing that the text does not show.
        return not is_planned(statement)
    if isinstance(statement, ast.DeclareCursorStmt):
        return not outlives(statement)
    return isinstance(statement, ast.PrepareStmt)
