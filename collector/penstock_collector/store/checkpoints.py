"""Making checkpoints in the store: each signed once, chained to the one before, and held until it is kept elsewhere.

What doesn't belong: where they are kept, and when (`penstock_collector.checkpoints`).
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from datetime import UTC, datetime

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from penstock_core.audit.checkpoint import Checkpoint, StreamHead, line_hash
from penstock_core.audit.event import OWN

# Every so often one lists all streams, so that older ones may be thrown away some day.
COMPLETE_EVERY = 96
_KNOWN = "contiguous > 0 AND contiguous_hash IS NOT NULL"
_CHANGED = "(contiguous <> checkpointed OR trimmed <> checkpointed_trimmed)"


@dataclass(frozen=True, slots=True)
class Pending:
    """A checkpoint that is signed, and not known to be kept elsewhere."""

    collector: str
    number: int
    line: bytes
    # Whether it was made just now.
    fresh: bool


def seal(connection: sqlite3.Connection, key: Ed25519PrivateKey, now: float) -> Pending:
    """The one that waits to be kept, or else the next one, within the transaction that is open."""
    number, hash_, waiting = connection.execute("SELECT number, hash, pending FROM checkpoint_head").fetchone()
    own = connection.execute("SELECT stream, seq, hash, trimmed FROM readings_head").fetchone()
    if waiting is not None:
        return Pending(own[0], number, waiting, fresh=False)
    complete = number % COMPLETE_EVERY == 0
    where = _KNOWN if complete else f"{_KNOWN} AND {_CHANGED}"
    rows = connection.execute(
        f"SELECT name, contiguous, contiguous_hash, sender, trimmed FROM streams WHERE {where} ORDER BY name"  # noqa: S608 # literals
    ).fetchall()
    if own[1]:
        rows.append((own[0], own[1], own[2], OWN.rstrip(":"), own[3]))
    time = datetime.fromtimestamp(now, UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
    line = Checkpoint(own[0], number + 1, time, hash_, complete, tuple(StreamHead(*row) for row in rows)).sign(key)
    connection.execute(
        f"UPDATE streams SET checkpointed = contiguous, checkpointed_trimmed = trimmed WHERE {where}"  # noqa: S608 # literals
    )
    connection.execute(
        "UPDATE checkpoint_head SET number = ?, hash = ?, pending = ?", (number + 1, line_hash(line), line)
    )
    return Pending(own[0], number + 1, line, fresh=True)


def kept(connection: sqlite3.Connection, number: int) -> None:
    """That one is kept elsewhere, so that the next one may be made."""
    connection.execute("UPDATE checkpoint_head SET pending = NULL WHERE number = ?", (number,))
