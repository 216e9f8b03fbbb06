"""What ROLLBACK undoes: whether a text does no more than to change rows of plain tables, and nothing runs by itself.

Numbers that columns take from sequences count for nothing: no rollback sets them back, and nobody reads anything in
those that are missing. What a text may do is authorized elsewhere; what doesn't belong: when that matters (the gate).
"""

from __future__ import annotations

from penstock_core.sql.authorize.authorizer import Findings
from penstock_core.sql.bind.bound import Bound
from penstock_core.sql.bind.name_resolution import Ambiguous
from penstock_core.sql.bind.references import TargetWritten
from penstock_core.sql.catalog.model import Relation
from penstock_core.sql.masking.masked_columns import Governed
from penstock_core.sql.syntax.type_names import name_parts

_ROWS = frozenset({"select", "insert", "update", "delete", "merge"})


def undone_by_rollback(bound: Bound, found: Findings, governed: Governed) -> bool:
    """Whether all that the one statement of a text does to the database is undone with its transaction."""
    if len(bound.parts) != 1 or found.writes or found.unread_code or found.calls_own_code or found.changes_catalog:
        # A function may do anything: send something elsewhere, take a lock, write to a file.
        return False
    if not _ROWS.issuperset(bound.recorded_verbs(bound.parts[0])):
        return False
    targets = [one.resolved for one in bound.references if isinstance(one, TargetWritten)]
    return bool(targets) and all(
        target is not None
        and not isinstance(target, Ambiguous)
        and target.relation is not None
        and _is_plain(target.relation, governed)
        for target in targets
    )


def _is_plain(relation: Relation, governed: Governed) -> bool:
    """Whether writing to it writes to this one table of the server's, and runs nothing of the database's own."""
    code = relation.has_triggers or relation.has_rules or relation.calls or relation.write_calls
    elsewhere = relation.cascades or governed.children.get(relation.key)
    if relation.kind != "r" or code or elsewhere or relation.default_calls:
        return False
    types = (name_parts(column.type_name)[:2] for column in relation.columns)
    return relation.key not in governed.catalog.coded_types and not any(
        governed.runs_code((schema, name)) for schema, name in types
    )
