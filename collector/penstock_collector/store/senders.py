"""Whose a stream is: who opened it alone may write it.

A stream's name says who its owner is, and a token may stand for many owners (`gw*`). What doesn't belong: what a token
proves (`penstock_collector.auth.streams`).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence


class Foreign(Exception):
    """The stream is another sender's; the message is for the one who sent."""


def check(connection: sqlite3.Connection, stream: str, senders: Sequence[str]) -> None:
    """Raises Foreign where another opened the stream. `senders`: who the token proves, the narrowest first."""
    row = connection.execute("SELECT sender FROM streams WHERE name = ?", (stream,)).fetchone()
    if not senders:
        raise Foreign("the token has just been taken out of the stream tokens file")
    if row is not None and row[0] and row[0] not in senders:
        kind, _, name = row[0].partition(":")
        remedy = f"; give the token a second line with {name} in the stream tokens file" if kind == "token" else ""
        raise Foreign(f"the stream {stream} was opened by {row[0]}, and the token is of {', '.join(senders)}{remedy}")


def note(connection: sqlite3.Connection, stream: str, senders: Sequence[str]) -> None:
    """The stream, which is there, is this sender's from now on, if it was nobody's."""
    connection.execute("UPDATE streams SET sender = ? WHERE name = ? AND sender = ''", (senders[0], stream))
