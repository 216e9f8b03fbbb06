"""One-time tickets in the store: kept, judged and used up, each a step within one transaction of the writer.

How a secret is proved is `penstock_core.tickets`'. What doesn't belong: who may keep tickets (`auth/`).
"""

from __future__ import annotations

import hashlib
import sqlite3
from typing import Literal

from penstock_core.audit.chain import canonical
from penstock_core.identity import Identity, Principal
from penstock_core.tickets.ticket import MOST_TRIES, Bearer, Judged, Made, Proved, encoded
from penstock_core.tickets.verifier import NOBODYS

# Open at once: for one bearer at one gate, of one gate, and in all.
MOST_OF_A_BEARER = 10
MOST_OF_A_BOOK = 1_000
MOST_OPEN = 5_000
# How long after its end one is remembered, and how many at most, open ones included.
KEPT_SECONDS = 3600.0
MOST_KEPT = 20_000

# Takes the place of a ticket that is not there, so that it takes as long to find out. Nobody knows a secret for it.
_NOBODYS = Made(
    database="nobody",
    bearer=Bearer.of(Identity(principal=Principal("person", "nobody", "https://nobody.example", ("nobody",) * 8)), 1),
    seconds=1,
    until_ms=1,
    stored_key=encoded(NOBODYS.stored_key),
    server_key=encoded(NOBODYS.server_key),
    seal=encoded(NOBODYS.server_key),
).written()

Kept = Literal["kept", "taken", "too many of the bearer", "too many"]


def salts_key(connection: sqlite3.Connection) -> bytes:
    """What the salts of all tickets come from."""
    return bytes(connection.execute("SELECT key FROM ticket_salts").fetchone()[0])


def keep(connection: sqlite3.Connection, book: str, name: str, made: Made, now: float) -> Kept:
    """Keep a new ticket, unless there are too many."""
    settle(connection, now)
    bearer = _digest(made.bearer)
    of_bearer, of_book, of_all = connection.execute(
        """SELECT count(*) FILTER (WHERE book = ? AND bearer = ?), count(*) FILTER (WHERE book = ?), count(*)
           FROM tickets WHERE standing = 'open'""",
        (book, bearer, book),
    ).fetchone()
    if of_bearer >= MOST_OF_A_BEARER:
        return "too many of the bearer"
    if of_book >= MOST_OF_A_BOOK or of_all >= MOST_OPEN:
        return "too many"
    if connection.execute("SELECT 1 FROM tickets WHERE name = ?", (name,)).fetchone() is not None:
        return "taken"
    connection.execute(
        "INSERT INTO tickets (name, book, bearer, made, expires, document) VALUES (?, ?, ?, ?, ?, ?)",
        (name, book, bearer, now, now + made.seconds, made.written().decode()),
    )
    return "kept"


def use(connection: sqlite3.Connection, book: str, name: str, proved: Proved, now: float) -> Judged:
    """Whether a ticket is good for who has proved this; it is used up by that. Who knows its secret is told why not."""
    settle(connection, now)
    row = connection.execute(
        "SELECT standing, tries, document FROM tickets WHERE name = ? AND book = ?", (name, book)
    ).fetchone()
    exchange, proof = proved.raw
    standing, tries, document = row or ("unknown", 0, _NOBODYS)
    made = Made.model_validate_json(document)
    if not made.verifier.proved_by(proof, exchange) or row is None:
        if standing == "open":
            _end(connection, name, "void" if tries + 1 >= MOST_TRIES else "open", tries + 1)
        else:
            # A try that is counted takes as long as a write takes to become durable, and so do all others.
            connection.execute("UPDATE ticket_salts SET key = key")
        return Judged(standing="wrong")
    if standing != "open":
        return Judged(standing=standing)
    if made.database not in proved.databases:
        return Judged(standing="elsewhere")
    _end(connection, name, "used", tries)
    return Judged(standing="granted", made=made)


def _end(connection: sqlite3.Connection, name: str, standing: str, tries: int) -> None:
    connection.execute("UPDATE tickets SET standing = ?, tries = ? WHERE name = ?", (standing, tries, name))


def settle(connection: sqlite3.Connection, now: float) -> None:
    """Keep down what has expired, so that no change of the clock revives it, and forget what ended long ago."""
    connection.execute("UPDATE tickets SET standing = 'expired' WHERE standing = 'open' AND expires <= ?", (now,))
    connection.execute("DELETE FROM tickets WHERE standing <> 'open' AND expires <= ?", (now - KEPT_SECONDS,))
    connection.execute(
        """DELETE FROM tickets WHERE name IN (
               SELECT name FROM tickets WHERE standing <> 'open' ORDER BY expires
               LIMIT max(0, (SELECT count(*) FROM tickets) - ?))""",
        (MOST_KEPT,),
    )


def _digest(bearer: Bearer) -> str:
    """Of who it is, whatever their groups are and however long their token counts."""
    parties = [[one.kind, one.issuer, one.subject] for one in (bearer.party, *bearer.acts_for)]
    return hashlib.sha256(canonical({"parties": parties})).hexdigest()
