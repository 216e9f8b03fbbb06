"""Who has a part in each request that waits, remembered: what a request says of that never changes.

Whoever floods a gate with questions must not have the one writer read hundreds of documents for each. What doesn't
belong: how many there may be of whom (`penstock_core.approvals.room`).
"""

from __future__ import annotations

import sqlite3

from penstock_core.approvals.room import Parties, parties
from penstock_core.resources.access_request import Requester

_MOST_KNOWN = 20_000


class WaitingParties:
    """For the thread that writes alone."""

    def __init__(self) -> None:
        # By the request's name, which no other is given.
        self._known: dict[str, Parties] = {}

    def of(self, connection: sqlite3.Connection, book: str) -> list[Parties]:
        """Of each request of a book that waits."""
        rows = connection.execute("SELECT name FROM requests WHERE book = ? AND standing = 'waiting'", (book,))
        if len(self._known) > _MOST_KNOWN:
            self._known.clear()
        return [self._of(connection, name) for (name,) in rows.fetchall()]

    def _of(self, connection: sqlite3.Connection, name: str) -> Parties:
        if (known := self._known.get(name)) is not None:
            return known
        (document,) = connection.execute(
            "SELECT json_extract(document, '$.spec.requester') FROM requests WHERE name = ?", (name,)
        ).fetchone()
        found = self._known[name] = parties(Requester.model_validate_json(document))
        return found
