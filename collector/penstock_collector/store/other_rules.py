"""The requests of other rules that hold the same statement: each rule has one of its own, and all have to be approved.

Which requests are about one statement is `penstock_core.approvals.binding`'s.
"""

from __future__ import annotations

import sqlite3

from penstock_collector.store.requests import COLUMNS, Kept, kept_in
from penstock_core.approvals.binding import statement_digest

# Somebody may have asked for the same statement often.
_MOST_LOOKED_AT = 200


def of_other_rules(connection: sqlite3.Connection, kept: Kept) -> list[Kept]:
    """Of each other rule that holds it the request that was made nearest to this one, in the order of their making."""
    spec = kept.request.spec
    wanted = statement_digest(spec)
    if not wanted or spec.statement is None or spec.held_by is None:
        return []
    columns = ", ".join(f"o.{name.strip()}" for name in COLUMNS.split(","))
    rows = connection.execute(
        f"""SELECT {columns} FROM requests AS m JOIN requests AS o ON o.book = m.book AND o.requester = m.requester
            WHERE m.id = ? AND o.id <> m.id AND json_extract(o.document, '$.spec.statement.sql') = ?
            ORDER BY abs(o.made - m.made), abs(o.id - m.id) LIMIT ?""",  # noqa: S608 # literals of this package
        (kept.id, spec.statement.sql, _MOST_LOOKED_AT),
    )
    found: dict[tuple[str, str], Kept] = {}
    for row in rows:
        one = kept_in(row)
        held = one.request.spec.held_by
        mine = held is None or (held.policy, held.approval) == (spec.held_by.policy, spec.held_by.approval)
        if held is not None and not mine and statement_digest(one.request.spec) == wanted:
            found.setdefault((held.policy, held.approval), one)
    return sorted(found.values(), key=lambda one: one.id)


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
