"""Ends of transactions, as lists that are open hear of them: what was done and is undone counts as changed.

What doesn't belong: statements and their own results (`projection.py`), how an end is told (`statement_links.py`).
"""

from __future__ import annotations

import json
import sqlite3

from penstock_collector.store import record
from penstock_collector.store.forms import SESSION
from penstock_collector.store.lines import Sealed

# Of a transaction with more, the others show when they are looked at again.
_MOST = 200


def project(connection: sqlite3.Connection, id_: int, stream: int, line: Sealed) -> None:
    """Statements whose transaction was not committed are shown anew. `id_` is the event's id in `events`."""
    if line.kind != "transaction" or line.text("result") == "commit":
        return
    number = line.event.get("transaction")
    if type(number) is not int:
        return
    latest = connection.execute(
        f"""SELECT id, outcome_seq FROM statements WHERE session_id = {SESSION} AND seq < ? AND outcome_seq IS NOT NULL
            ORDER BY seq DESC LIMIT ?""",  # noqa: S608 # a literal
        (line.text("session"), stream, line.seq, _MOST),
    ).fetchall()
    told = record.documents(connection, stream, (int(row[1]) for row in latest))
    undone = []
    for statement, seq in latest:
        ran_in = json.loads(told.get(seq, "{}")).get("transaction")
        if ran_in == number:
            undone.append(statement)
        elif type(ran_in) is int and ran_in < number:
            break
    connection.execute(
        "UPDATE statements SET changed = ? WHERE id IN (SELECT value FROM json_each(?))", (id_, json.dumps(undone))
    )
