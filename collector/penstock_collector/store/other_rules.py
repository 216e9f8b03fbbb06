"""The requests of other rules that hold the same statement, as they are kept, and as JSON has them.

Which these are is `penstock_core.approvals.other_rules`'s.
"""

from __future__ import annotations

import sqlite3

from penstock_collector.store.requests import COLUMNS, Kept, kept_in
from penstock_core.approvals.other_rules import of_other_rules

# Somebody may have asked for the same statement often.
_MOST_LOOKED_AT = 200


def others_of(connection: sqlite3.Connection, kept: Kept) -> list[Kept]:
    """Of each other rule that holds it the request that was made nearest to this one."""
    spec = kept.request.spec
    if spec.statement is None:
        return []
    columns = ", ".join(f"o.{name.strip()}" for name in COLUMNS.split(","))
    rows = connection.execute(
        f"""SELECT {columns} FROM requests AS m JOIN requests AS o ON o.book = m.book AND o.requester = m.requester
            WHERE m.id = ? AND o.id <> m.id AND json_extract(o.document, '$.spec.statement.sql') = ?
            ORDER BY abs(o.made - m.made), abs(o.id - m.id) LIMIT ?""",  # noqa: S608 # literals of this package
        (kept.id, spec.statement.sql, _MOST_LOOKED_AT),
    )
    found = [kept_in(row) for row in rows]
    return of_other_rules(spec, kept.made, [(one.request.spec, one.made, one) for one in found])


def document(kept: Kept) -> dict[str, object]:
    """One of them as JSON: what everybody may see who sees requests."""
    spec = kept.request.spec
    return {
        "name": kept.name,
        "policy": spec.policy,
        "approval": "" if spec.held_by is None else spec.held_by.approval,
        "approvers": list(spec.approvers),
        "standing": kept.standing.value,
        "decidedBy": kept.status.decided_by,
    }
