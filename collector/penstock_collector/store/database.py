"""Opening the collector's SQLite file: schema, settings of each connection, errors as one line.

What doesn't belong: what is written (`intake.py`, `retention.py`) and read (`penstock_collector.search`).
"""

from __future__ import annotations

import os
import sqlite3
from importlib.resources import files
from pathlib import Path

from penstock_collector.store import upgrading

# Marks the file as a Penstock audit trail in its SQLite header ("PnAu"), and the version of its schema.
_APPLICATION = 0x506E4175
SCHEMA_VERSION = 15
# What brings a file of the version to the next one; a new file goes through all of them.
_STEPS = {
    0: "schema.sql", 1: "requests.sql", 2: "logins.sql", 3: "cluster_requests.sql", 4: "readings.sql", 5: "tickets.sql",
    6: "access.sql", 7: "alarms.sql", 8: "unfinished.sql", 9: "retention.sql", 10: "time_order.sql",
    11: "senders.sql", 12: "checkpoints.sql", 13: "blocks.sql", 14: "forms.sql",
}  # fmt: skip


# Of each connection: a text such that two that differ in case alone are the same, in all scripts.
FOLDED = "folded"


class StoreError(RuntimeError):
    """The store cannot be used; the message is one line for the log."""


def open_for_writing(path: Path) -> sqlite3.Connection:
    """The file's one writing connection; makes the file if there is none. Raises StoreError."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # Made here with narrow permissions, since SQLite would make it readable by all.
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        connection = connect(path)
    except OSError as error:
        raise StoreError(f"audit database {path} cannot be made: {error.strerror}") from None
    except sqlite3.Error as error:
        raise StoreError(f"audit database {path} cannot be opened: {error}") from None
    try:
        _prepare(connection, path)
    except sqlite3.Error as error:
        connection.close()
        raise StoreError(f"audit database {path} cannot be used: {error}") from None
    except StoreError:
        connection.close()
        raise
    return connection


def connect(path: Path) -> sqlite3.Connection:
    """Transactions are begun by hand, and each connection is used by one thread at a time."""
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=10)
    connection.create_function(FOLDED, 1, str.casefold, deterministic=True)
    return connection


def _prepare(connection: sqlite3.Connection, path: Path) -> None:
    # An acknowledged event is forgotten by its sender, so a commit must mean that the disk has it.
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA foreign_keys = ON")
    if connection.execute("PRAGMA page_count").fetchone()[0] == 0:
        # What retention empties goes back to the disk; only a file without tables can still be made so.
        connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
        _step(connection, 0)
    application = connection.execute("PRAGMA application_id").fetchone()[0]
    if application != _APPLICATION:
        raise StoreError(f"{path} is an SQLite database of something else, not an audit trail")
    while (version := connection.execute("PRAGMA user_version").fetchone()[0]) in range(1, SCHEMA_VERSION):
        _step(connection, version)
    if version != SCHEMA_VERSION:
        raise StoreError(f"audit database {path} has schema version {version}; this program knows {SCHEMA_VERSION}")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA journal_size_limit = 67108864")
    # A second collector on the same file would lose the order of streams; SQLite alone would let it in.
    connection.execute("BEGIN IMMEDIATE")
    connection.execute("COMMIT")
    upgrading.upgrade(connection)


def _step(connection: sqlite3.Connection, version: int) -> None:
    """One version on, in one transaction: killed in between, the file is as before."""
    script = files("penstock_collector.store").joinpath(_STEPS[version]).read_text()
    marks = f"PRAGMA application_id = {_APPLICATION}; PRAGMA user_version = {version + 1};"
    try:
        connection.executescript(f"BEGIN; {marks} {script} COMMIT;")
    except sqlite3.Error:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
