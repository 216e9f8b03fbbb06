"""What a statement is connected with: the end of its transaction, and the statements that made what it ran by a name.

What doesn't belong: the statement itself (`search.py`).
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from penstock_collector.lookup import place_path
from penstock_collector.store import forms, record
from penstock_collector.store.forms import SESSION
from penstock_core.audit.event import BEGINS, ENDS

# Of what ran by a name: so many statements that may have made it are shown.
_MOST = 20


@dataclass(frozen=True, slots=True)
class Transaction:
    """The transaction that a statement ran in, by its number within the session."""

    number: int
    # commit, rollback, prepared or unknown; "" if no event tells: it ended as the statement did, or goes on.
    result: str = ""
    sqlstate: str = ""

    @property
    def words(self) -> str:
        """For people."""
        told = {"commit": "committed", "rollback": "rolled back", "prepared": "prepared", "unknown": "end unknown"}
        end = told.get(self.result, self.result)
        return ", ".join(
            part for part in (str(self.number), end and f"{end} ({self.sqlstate})".removesuffix(" ()")) if part
        )


def ends_of(connection: sqlite3.Connection, stream: int, outcomes: Iterable[tuple[str, int]]) -> dict[int, str]:
    """How the transactions ended of the statements with outcomes of these sessions, at these seqs.

    Those that no event tells of are not in it (`Transaction`).
    """
    found: dict[int, str] = {}
    # Reading an outcome may mean to open its block, so only those that an event may tell of are read.
    outcome_seqs = [
        seq for session, seq in outcomes if record.has_later(connection, stream, session, "transaction", seq)
    ]
    known: dict[tuple[Any, Any], str] = {}
    for seq, document in record.documents(connection, stream, outcome_seqs).items():
        outcome = json.loads(document)
        key = outcome.get("session"), outcome.get("transaction")
        if key not in known:
            transaction = _transaction(connection, stream, outcome)
            known[key] = "" if transaction is None else transaction.result
        found[seq] = known[key]
    return found


@dataclass(frozen=True, slots=True)
class Links:
    """What the page of a statement leads to."""

    transaction: Transaction | None = None
    # The numbers of the statements that made what it ran, and the paths of their pages.
    made_by: tuple[tuple[int, str], ...] = ()


def links(connection: sqlite3.Connection, stream: str, number: int, documents: Iterable[str]) -> Links:
    """Of a statement, by its events; `number` is the stream's in the store."""
    events = [event for document in documents if isinstance(event := json.loads(document), dict)]
    intent = next((event for event in events if event.get("kind") in BEGINS), {})
    outcome = next((event for event in events if event.get("kind") in ENDS), {})
    return Links(_transaction(connection, number, outcome), _made_by(connection, stream, number, intent))


def _transaction(connection: sqlite3.Connection, stream: int, outcome: dict[str, Any]) -> Transaction | None:
    transaction = outcome.get("transaction")
    if not isinstance(transaction, int):
        return None
    # They end one after the other, and none before its statements.
    found = record.of_session(connection, stream, str(outcome.get("session", "")), "transaction", after=outcome["seq"])
    end = json.loads(found[0].document) if found else {}
    if end.get("transaction") != transaction:
        return Transaction(transaction)
    return Transaction(transaction, str(end.get("result", "")), str(end.get("sqlstate") or ""))


def _made_by(
    connection: sqlite3.Connection, stream: str, number: int, intent: dict[str, Any]
) -> tuple[tuple[int, str], ...]:
    named = intent.get("madeBy")
    wanted = [one for one in named if isinstance(one, int)][:_MOST] if isinstance(named, list) else []
    found = (
        connection.execute(
            f"SELECT seq FROM statements WHERE session_id = {SESSION} AND statement = ? LIMIT 1",  # noqa: S608 # a literal
            (str(intent.get("session", "")), number, forms.key(str(one))),
        ).fetchone()
        for one in wanted
    )
    return tuple((one, place_path(stream, row[0])) for one, row in zip(wanted, found, strict=True) if row is not None)
