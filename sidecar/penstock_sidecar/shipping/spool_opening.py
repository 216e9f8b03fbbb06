"""Opening the spool's file: making it, recovering what a killed process left, keeping a damaged file aside.

What doesn't belong: what happens to the file once it is open (`spool_file.py`).
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import sqlite3
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from penstock_core.audit.chain import GENESIS, ChainError, Head
from penstock_core.audit.event import Event
from penstock_sidecar.shipping.errors import SpoolBroken
from penstock_sidecar.shipping.spool_file import (
    SCHEMA,
    Entry,
    SpoolFile,
    StreamState,
    lines,
    load_streams,
    outstanding,
    row_id,
    seal,
    store_head,
    timestamp,
    translated,
    unknown_outcome,
)

# Marks the file as a Penstock spool in its SQLite header ("PnSp"), and the version of its schema.
_APPLICATION = 0x506E5370
_SCHEMA_VERSION = 1
_LOST_PROCESS = "the process ended without closing this stream"


class _Damaged(Exception):
    """The file is a spool that can't be trusted any more."""


@dataclass(frozen=True, slots=True)
class OpenedSpool:
    """An open spool, the lock that keeps other processes out, and what was found on the way."""

    file: SpoolFile
    reader: sqlite3.Connection
    lock: int
    # Where a damaged file was kept, and the event that tells of it in the new stream.
    kept_aside: Path | None
    loss: Event | None


def open_spool(path: Path, stream: str, max_bytes: int, now: datetime) -> OpenedSpool:
    """Open or make the file and begin `stream` in it. Raises SpoolBroken with one line."""
    lock = _lock(path)
    try:
        return _open_locked(path, stream, max_bytes, now, lock)
    except BaseException:
        os.close(lock)
        raise


def _open_locked(path: Path, stream: str, max_bytes: int, now: datetime, lock: int) -> OpenedSpool:
    kept_aside, loss = None, None
    try:
        connection = _connect_for_writing(path)
    except _Damaged as damage:
        kept_aside = _keep_aside(path, now)
        loss = {
            "kind": "loss",
            "toTime": timestamp(now),
            "cause": f"spool damaged ({damage}), kept as {kept_aside.name}",
        }
        connection = _connect_for_writing(path)
    try:
        connection.execute("BEGIN IMMEDIATE")
        for state in load_streams(connection):
            if state.name == stream:
                raise SpoolBroken(
                    f"audit spool {path} has a stream {stream} already; each start needs a name of its own"
                )
            _recover(connection, state, now)
        cursor = connection.execute("INSERT INTO streams (name, seq, hash) VALUES (?, 0, ?)", (stream, GENESIS))
        connection.execute("COMMIT")
        current = StreamState(int(cursor.lastrowid or 0), Head(stream), 0, closed=False)
        reader = _connection(path)
        return OpenedSpool(SpoolFile(connection, current, max_bytes), reader, lock, kept_aside, loss)
    except BaseException as error:
        connection.close()
        if isinstance(error, sqlite3.Error):
            raise SpoolBroken(f"audit spool {path}: {translated(error)}") from None
        raise


def _lock(path: Path) -> int:
    """One process at a time; the kernel releases the lock however the process ends."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path.with_name(path.name + ".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise SpoolBroken(f"audit spool {path} cannot be opened: {error.strerror}") from None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        raise SpoolBroken(f"audit spool {path} is in use by another process") from None
    return descriptor


def _connection(path: Path) -> sqlite3.Connection:
    """Transactions are begun by hand, and each connection is used by one thread at a time."""
    return sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=5)


def _connect_for_writing(path: Path) -> sqlite3.Connection:
    """The file, checked and ready to be written. Raises _Damaged, SpoolBroken."""
    try:
        # Made here with narrow permissions, since SQLite would make it readable by all.
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        connection = _connection(path)
    except OSError as error:
        raise SpoolBroken(f"audit spool {path} cannot be written: {error.strerror}") from None
    except sqlite3.Error as error:
        raise SpoolBroken(f"audit spool {path} cannot be opened: {error}") from None
    try:
        _prepare(connection, path)
    except sqlite3.DatabaseError as error:
        connection.close()
        if error.sqlite_errorcode & 0xFF in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
            raise _Damaged(str(error)) from None
        raise SpoolBroken(f"audit spool {path}: {translated(error)}") from None
    except BaseException:
        connection.close()
        raise
    return connection


def _prepare(connection: sqlite3.Connection, path: Path) -> None:
    application = connection.execute("PRAGMA application_id").fetchone()[0]
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    new = connection.execute("PRAGMA page_count").fetchone()[0] == 0
    if not new and application != _APPLICATION:
        raise SpoolBroken(f"{path} is an SQLite database of something else, not an audit spool")
    if not new and version != _SCHEMA_VERSION:
        raise SpoolBroken(f"audit spool {path} has schema version {version}; this program knows {_SCHEMA_VERSION}")
    # A commit returns when the disk has it: an intent must survive the machine, not only the process.
    connection.execute("PRAGMA synchronous = FULL")
    if new:
        # Before the switch to WAL, which writes a page of its own: a kill in between leaves an empty file or all of it.
        connection.executescript(
            f"BEGIN; PRAGMA application_id = {_APPLICATION}; PRAGMA user_version = {_SCHEMA_VERSION}; {SCHEMA} COMMIT;"
        )
        _sync_directory(path.parent)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA journal_size_limit = 16777216")
    if new:
        return
    complaint = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
    if complaint != "ok":
        raise _Damaged(str(complaint).splitlines()[-1])
    for state in load_streams(connection):
        _check_chain(connection, state)


def _sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _check_chain(connection: sqlite3.Connection, state: StreamState) -> None:
    """What waits in the file is what was sealed, or somebody else has written here."""
    seq, head = state.acknowledged, None
    while True:
        batch = lines(connection, state, seq, limit=1000, max_bytes=4_000_000)
        if not batch:
            break
        for found, line in batch:
            try:
                event = json.loads(line)
                head = head or Head(state.name, seq, event["prev"])
                head = head.follow(event)
            except (ChainError, ValueError, TypeError, KeyError) as error:
                raise _Damaged(f"event {found}: {error}") from None
            seq = found
    if (head or Head(state.name, seq, state.head.hash)) != state.head:
        raise _Damaged(f"stream {state.name} ends at seq {seq}, not {state.head.seq}")


def _recover(connection: sqlite3.Connection, state: StreamState, now: datetime) -> None:
    """End a stream that its process did not: each intent gets an outcome, and the stream its close."""
    if not state.closed:
        bodies = [unknown_outcome(key) for key in outstanding(connection, state.id)]
        if state.head.seq:
            head, sealed = seal(state.head, Entry([*bodies, {"kind": "close", "reason": _LOST_PROCESS}], now))
            connection.executemany(
                "INSERT INTO events (id, line) VALUES (?, ?)", [(row_id(state.id, seq), line) for seq, line in sealed]
            )
            store_head(connection, state.id, head, closed=True)
            state = StreamState(state.id, head, state.acknowledged, closed=True)
    connection.execute("DELETE FROM intents WHERE stream = ?", (state.id,))
    if not state.depth:
        connection.execute("DELETE FROM streams WHERE id = ?", (state.id,))


def _keep_aside(path: Path, now: datetime) -> Path:
    """Rename the file and its companions, so that somebody can look at them later."""
    suffix = f".corrupt-{now:%Y%m%dT%H%M%S.%fZ}"
    try:
        for companion in ("-wal", "-shm"):
            with contextlib.suppress(FileNotFoundError):
                path.with_name(path.name + companion).rename(path.with_name(path.name + suffix + companion))
        return path.rename(path.with_name(path.name + suffix))
    except OSError as error:
        raise SpoolBroken(f"audit spool {path} is damaged and cannot be kept aside: {error.strerror}") from None
