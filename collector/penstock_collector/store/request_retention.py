"""What retention takes of the requests for approval: those that nobody decided, and the texts of the others.

What doesn't belong: how requests come to their end (`requests.py`).
"""

from __future__ import annotations

import sqlite3

from penstock_collector.store import requests

# Requests that nobody decided and that have ended: the oldest go first.
MOST_UNDECIDED_KEPT = 10_000
_DELETED_TEXT = "-- deleted when the retention was over"
_DELETED_REASON = "(deleted when the retention was over)"
_TRIMMED_AT_ONCE = 500
_DAY = 86_400.0


def dispose(connection: sqlite3.Connection, days: int | None, now: float) -> int:
    """Delete some of what ended more than `days` ago (None: only what is too much); how many.

    A request that was decided loses its statement's text and keeps the rest. Call again as long as something was.
    """
    cutoff = now - days * _DAY if days is not None else float("-inf")
    trimmed = connection.execute(
        f"""SELECT {requests.COLUMNS} FROM requests
            WHERE (decision <> '' OR standing = 'reviewed') AND ended < ? AND expires < ? AND NOT trimmed
            ORDER BY id LIMIT ?""",  # noqa: S608 # as above
        # A denial stands, by its text, as long as the request would have lived.
        (cutoff, now, _TRIMMED_AT_ONCE),
    ).fetchall()
    for row in trimmed:
        _trim(connection, requests.kept_in(row))
    deleted = connection.execute(
        """DELETE FROM requests WHERE id IN (
               SELECT id FROM requests WHERE decision = '' AND standing = 'expired' AND (ended < ? OR id <= (
                   SELECT id FROM requests WHERE decision = '' AND standing = 'expired'
                   ORDER BY id DESC LIMIT 1 OFFSET ?)) ORDER BY id LIMIT ?)""",
        (cutoff, MOST_UNDECIDED_KEPT, _TRIMMED_AT_ONCE),
    ).rowcount
    return len(trimmed) + deleted


def _trim(connection: sqlite3.Connection, kept: requests.Kept) -> None:
    spec = kept.request.spec
    if spec.statement is not None:
        statement = spec.statement.model_copy(update={"sql": _DELETED_TEXT, "settings": ()})
        spec = spec.model_copy(update={"statement": statement, "reason": None})
    else:
        spec = spec.model_copy(update={"reason": _DELETED_REASON})
    text = requests.as_kept(kept.request.model_copy(update={"spec": spec}))
    connection.execute("UPDATE requests SET trimmed = 1, document = ? WHERE id = ?", (text, kept.id))
