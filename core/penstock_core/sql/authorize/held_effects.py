"""What a text does, as far as approvals ask: its verbs and tables, and what it makes without running it.

Which rule holds it is `penstock_core.policy.holding`'s.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from pglast import ast, enums

from penstock_core.policy.effective import PolicySet
from penstock_core.policy.holding import Effects, Holding, holding
from penstock_core.sql.allowlists.system_relations import VALUES_SHOWN
from penstock_core.sql.authorize.authorizer import Findings, possible
from penstock_core.sql.authorize.plan_costs import is_planned
from penstock_core.sql.authorize.row_changes import outlives
from penstock_core.sql.bind.bound import Bound
from penstock_core.sql.bind.references import FunctionCall, RelationCopied, RelationRead, SettingChange
from penstock_core.sql.catalog.model import Catalog, RelationName

# Verbs by which rows of other tables may follow.
_FOLLOWED = frozenset({"update", "delete", "merge", "truncate"})


def held_effects(
    policies: PolicySet, statements: Sequence[ast.Node], bound: Bound, found: Findings, catalog: Catalog
) -> Holding | None:
    """What tells who holds a text that was found to be allowed; None where no policy holds anything."""
    if not policies.approvals:
        return None
    verbs = frozenset(verb for part in bound.parts for verb in bound.recorded_verbs(part))
    # What goes with what is dropped may be any; and whose values are shown.
    unnamed = any(map(_drops_more, statements)) or _shows_values(bound, found, catalog)
    named = catalog.relations if unnamed else bound.relations
    tables = _reached(catalog, named, follows=not verbs.isdisjoint(_FOLLOWED))
    everything = Effects(verbs, frozenset(".".join(name) for name in tables), not found.unread_code)
    kept = bool(statements) and all(_runs_nothing(statement) for statement in statements)
    does = Effects(frozenset(bound.verbs[:1])) if kept and len(statements) == 1 else everything
    made = Holding(
        does,
        everything if bound.prepares or bound.declares else Effects(),
        sets=frozenset(name for name in _changed(bound) if "." in name) | found.function_settings,
        changes_settings=_changes_settings(bound, found),
        sets_unknown=found.unread_code or found.sets_unknown,
        planned=len(statements) == 1 and is_planned(statements[0]),
        several=len(statements) > 1,
    )
    return holding(policies.approvals, made, by_name=bool(bound.executes or bound.fetches))


def _reached(catalog: Catalog, named: Iterable[RelationName], *, follows: bool) -> set[RelationName]:
    """Those relations, and whose rows these are: what views and row security read, partitions and what inherits, and
    what a part is a part of; where rows may go or change, those that refer to them, too.
    """
    found: set[RelationName] = set()
    pending, children = list(named), catalog.overview.children
    while pending:
        if (key := pending.pop()) in found:
            continue
        found.add(key)
        if (relation := catalog.relations.get(key)) is not None:
            pending += [*relation.sources, *children.get(key, ())]
            pending += [one.relation for one in relation.cascades] if follows else []
    above = list(found)
    while above:
        relation = catalog.relations.get(above.pop())
        fresh = [] if relation is None else [key for key in relation.parents if key not in found]
        found.update(fresh)
        above += fresh
    return found


def _changed(bound: Bound) -> Iterator[str]:
    """The names of settings that a text changes, as far as they are written out."""
    return (one.written for one in bound.references if isinstance(one, SettingChange) and one.written is not None)


def _changes_settings(bound: Bound, found: Findings) -> bool:
    """Whether it may change settings: itself, or by the code that it runs. Names are followed along the search_path."""
    named = {one.written for one in bound.references if isinstance(one, SettingChange)}
    unnamed = bound.changes_search_path and "search_path" not in named
    own = found.function_sets or found.unread_code or found.runs_unseen(bound.verbs)
    return bool(named - {"search_path"}) or unnamed or own


def _shows_values(bound: Bound, found: Findings, catalog: Catalog) -> bool:
    """Whether it reads what shows values of tables that it does not name: itself, by views or by functions."""
    relations = (catalog.relations.get(key) for key in _reached(catalog, bound.relations, follows=False))
    used = found.hazards.union(*(relation.hazards for relation in relations if relation is not None))
    for one in bound.references:
        if isinstance(one, FunctionCall):
            used.add(f"function {one.names[-1]}")
        elif isinstance(one, RelationRead | RelationCopied):
            used.update(f"{of.schema}.{of.name}" for of in possible(one.resolved) if of.system)
    return not used.isdisjoint(VALUES_SHOWN)


def _drops_more(statement: ast.Node) -> bool:
    """Whether it drops what it does not name."""
    if isinstance(statement, ast.DropStmt):
        return statement.behavior == enums.DropBehavior.DROP_CASCADE
    return isinstance(statement, ast.DropOwnedStmt)


def _runs_nothing(statement: ast.Node) -> bool:
    """Whether the statement inside it does not run, or only later by a name."""
    if isinstance(statement, ast.ExplainStmt):
        # Beside EXPLAIN of an EXECUTE there is nothing that the text does not show.
        return not is_planned(statement)
    if isinstance(statement, ast.DeclareCursorStmt):
        return not outlives(statement)
    return isinstance(statement, ast.PrepareStmt)
