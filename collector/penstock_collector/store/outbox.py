"""Notices on their way to webhooks, kept until they are brought, so that a restart loses none.

They are kept in the transaction of what they tell of. What doesn't belong: bringing them (`approvals/webhooks.py`).
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class KeptNotice:
    """A notice as it is kept; it says the same after a restart, and has the same id."""

    webhook: str
    id: str
    text: dict[str, Any]
    data: dict[str, Any]

    def slack(self) -> dict[str, object]:
        """For Slack and what takes the same."""
        return self.text

    def document(self, now: str) -> dict[str, object]:
        """For programs."""
        return {**self.data, "timestamp": now}


def keep(connection: sqlite3.Connection, notices: Iterable[KeptNotice]) -> None:
    """They are on their way."""
    connection.executemany(
        "INSERT INTO notices (webhook, notice, slack, document) VALUES (?, ?, ?, ?)",
        [(one.webhook, one.id, json.dumps(one.text), json.dumps(one.data)) for one in notices],
    )


def forget(connection: sqlite3.Connection, webhook: str, notice: str) -> None:
    """It was brought, or is given up."""
    connection.execute("DELETE FROM notices WHERE webhook = ? AND notice = ?", (webhook, notice))


def left(connection: sqlite3.Connection, webhooks: Iterable[str]) -> list[KeptNotice]:
    """What was on its way when the program ended, in order; what is for no webhook any more is forgotten."""
    known = set(webhooks)
    rows = connection.execute("SELECT webhook, notice, slack, document FROM notices ORDER BY id").fetchall()
    found = [KeptNotice(row[0], row[1], json.loads(row[2]), json.loads(row[3])) for row in rows]
    for one in found:
        if one.webhook not in known:
            forget(connection, one.webhook, one.id)
    return [one for one in found if one.webhook in known]
