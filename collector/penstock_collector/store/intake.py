"""Taking in a batch of one stream, in one transaction: what is stored, and up to where nothing is missing.

Never refuses for what the events say: a resend is harmless, a fork is kept and raises an alarm, a bad line takes its
place in quarantine. What doesn't belong: reading lines (`penstock_collector.store.lines`), what a search needs
(`projection.py`).
"""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass, field

from penstock_collector.store import (
    alarms,
    arrivals,
    cluster_requests,
    emergencies,
    logins,
    packing,
    projection,
    record,
    symptoms,
    transaction_ends,
    unfinished,
)
from penstock_collector.store.alarms import Alarm
from penstock_collector.store.emergencies import ToldEmergency
from penstock_collector.store.lines import Bad, Sealed
from penstock_core.audit.chain import GENESIS

# Of so many bad lines of a stream what they said is kept; of more, their hashes. Whoever sends them says nothing new.
MOST_KEPT = 200


@dataclass(slots=True)
class Taken:
    """What became of a batch."""

    # The highest seq up to which everything has come: the sender may forget what is there.
    acknowledged: int = 0
    stored: list[str] = field(default_factory=list)
    duplicates: int = 0
    quarantined: int = 0
    forks: int = 0
    # Of which nothing told before.
    emergencies: list[ToldEmergency] = field(default_factory=list)


@dataclass(slots=True)
class _Stream:
    id: int
    contiguous: int
    contiguous_hash: str | None
    trimmed: int
    # How many bad lines are kept in full, once that is of interest.
    kept: int | None = None


def take(
    connection: sqlite3.Connection,
    stream: str,
    batch: Sequence[Sealed | Bad],
    *,
    oldest: int,
    now: float,
    workload: str = "",
    late: float = math.inf,
) -> Taken:
    """Store a batch. `oldest` is the lowest seq that the sender still has: what is missing before it never comes.

    `workload` is the service account of the pod that sends; events that come `late` seconds after their time raise an
    alarm.
    """
    state = _stream(connection, stream, now, workload)
    taken = Taken()
    new: list[Sealed] = []
    seqs = _places(batch, state.contiguous)
    present = record.hashes(connection, state.id, seqs, state.contiguous)
    arrivals.begin(connection, now)
    for seq, line in zip(seqs, batch, strict=True):
        if isinstance(line, Bad):
            _quarantine(connection, state, seq, line, taken, now)
        elif seq <= state.trimmed or line.hash in present.get(seq, ()):
            taken.duplicates += 1
        else:
            if present.get(seq):
                taken.forks += 1
                alarms.sound(connection, state.id, Alarm.FORK, seq, f"two different events have seq {seq}", now)
            _store(connection, state, line, taken, now)
            present.setdefault(seq, set()).add(line.hash)
            new.append(line)
    taken.stored = [line.kind for line in new]
    _note_close(connection, state, new, now)
    symptoms.judge(connection, state.id, new, late, now)
    _advance(connection, state, now)
    # Nothing that is in the batch, or after it, can be lost.
    oldest = min([oldest, *seqs]) if seqs else 0
    while _accept_loss(connection, state, oldest, now):
        _advance(connection, state, now)
    _note_gap(connection, state, now)
    _remember(connection, state, [line for line in batch if isinstance(line, Sealed)], now)
    taken.acknowledged = state.contiguous
    packing.pack(connection, state.id, state.contiguous)
    return taken


def acknowledged_of(connection: sqlite3.Connection, stream: str) -> int | None:
    """Up to where everything of a stream has come; None of one that has not begun."""
    row = connection.execute("SELECT contiguous FROM streams WHERE name = ?", (stream,)).fetchone()
    return None if row is None else int(row[0])


def _stream(connection: sqlite3.Connection, name: str, now: float, workload: str) -> _Stream:
    connection.execute(
        """INSERT INTO streams (name, workload, contiguous_hash, first_received, last_received) VALUES (?, ?, ?, ?, ?)
           ON CONFLICT (name) DO UPDATE SET workload = excluded.workload WHERE workload <> excluded.workload""",
        (name, workload, GENESIS, now, now),
    )
    row = connection.execute(
        "SELECT id, contiguous, contiguous_hash, trimmed FROM streams WHERE name = ?", (name,)
    ).fetchone()
    return _Stream(*row)


def _places(batch: Sequence[Sealed | Bad], contiguous: int) -> list[int]:
    """The seq of each line. A bad line's is told by its neighbours: nothing it says of itself is to be trusted."""
    known = [(index, line.seq) for index, line in enumerate(batch) if isinstance(line, Sealed)]
    places: list[int] = []
    for index, line in enumerate(batch):
        if isinstance(line, Sealed):
            places.append(line.seq)
        elif places:
            places.append(places[-1] + 1)
        elif known:
            places.append(max(1, known[0][1] - (known[0][0] - index)))
        else:
            claimed = line.claimed_seq or 0
            places.append(claimed if 0 < claimed <= contiguous else contiguous + 1)
    return places


def _store(connection: sqlite3.Connection, state: _Stream, line: Sealed, taken: Taken, now: float) -> None:
    cursor = connection.execute(
        """INSERT INTO events (stream, seq, hash, kind, session, statement, received, document)
           VALUES (?, ?, ?, ?, ?, ?, ?, ?)""",
        (
            state.id,
            line.seq,
            line.hash,
            line.kind,
            line.text("session"),
            line.text("statement"),
            now,
            line.document,
        ),
    )
    id_ = int(cursor.lastrowid or 0)
    record.note_place(connection, state.id, line)
    projection.project(connection, id_, state.id, line)
    transaction_ends.project(connection, id_, state.id, line)
    logins.project(connection, id_, state.id, line)
    cluster_requests.project(connection, id_, line)
    unfinished.note(connection, id_, state.id, line)
    taken.emergencies += emergencies.note(connection, id_, state.id, line, now)


def _note_close(connection: sqlite3.Connection, state: _Stream, stored: Sequence[Sealed], now: float) -> None:
    """A stream ends with its close. One that goes on all the same is no gate that has ended, and counts as open."""
    if not stored:
        return
    closes = [line.seq for line in stored if line.kind == "close"]
    closed_at, last = connection.execute("SELECT closed_at, last_seq FROM streams WHERE id = ?", (state.id,)).fetchone()
    closed_at = min([*closes, *([] if closed_at is None else [closed_at])], default=None)
    last = max(last, *(line.seq for line in stored))
    if closed_at is None:
        return
    goes_on = last > closed_at
    connection.execute("UPDATE streams SET closed = ?, closed_at = ? WHERE id = ?", (not goes_on, closed_at, state.id))
    if goes_on:
        detail = f"event {last} comes after event {closed_at}, which closed the stream"
        alarms.sound(connection, state.id, Alarm.BREAK, last, detail, now)


def _quarantine(connection: sqlite3.Connection, state: _Stream, seq: int, line: Bad, taken: Taken, now: float) -> None:
    if state.kept is None:
        few = "SELECT 1 FROM quarantine WHERE stream = ? LIMIT ?"
        state.kept = connection.execute(f"SELECT count(*) FROM ({few})", (state.id, MOST_KEPT)).fetchone()[0]  # noqa: S608 # a literal
    raw = line.raw if state.kept < MOST_KEPT else b""
    cursor = connection.execute(
        """INSERT INTO quarantine (stream, seq, claimed_seq, received, reason, sha256, length, raw)
           VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING""",
        (state.id, seq, line.claimed_seq, now, line.reason, line.sha256, line.length, raw),
    )
    if cursor.rowcount:
        state.kept += 1
        taken.quarantined += 1
        alarms.sound(connection, state.id, Alarm.QUARANTINE, seq, f"line at seq {seq}: {line.reason}", now)
    else:
        taken.duplicates += 1


def _advance(connection: sqlite3.Connection, state: _Stream, now: float) -> None:
    """Move `contiguous` over everything that is there, checking that each event follows the one before it."""
    rows = connection.execute(
        """SELECT seq, hash, id, json_extract(document, '$.prev') FROM events
           WHERE stream = ? AND seq > ? ORDER BY seq, id""",
        (state.id, state.contiguous),
    )
    broken: list[tuple[int, int]] = []
    for seq, hash_, event, prev in rows:
        while seq > state.contiguous + 1 and _is_bad(connection, state):
            state.contiguous, state.contiguous_hash = state.contiguous + 1, None
        if seq == state.contiguous:
            continue  # The other branch of a fork.
        if seq > state.contiguous + 1:
            break
        if state.contiguous_hash not in (None, prev) and not _has(connection, state.id, state.contiguous, prev):
            broken.append((seq, event))
        state.contiguous, state.contiguous_hash = seq, hash_
    while _is_bad(connection, state):
        state.contiguous, state.contiguous_hash = state.contiguous + 1, None
    for seq, event in broken:
        connection.execute("UPDATE events SET broken = 1 WHERE id = ?", (event,))
        alarms.sound(connection, state.id, Alarm.BREAK, seq, f"event {seq} does not follow event {seq - 1}", now)


def _is_bad(connection: sqlite3.Connection, state: _Stream) -> bool:
    """Whether what comes next is in quarantine. By its place: all that is behind a gap may be much."""
    next_ = (state.id, state.contiguous + 1)
    found = connection.execute("SELECT 1 FROM quarantine WHERE stream = ? AND seq = ? LIMIT 1", next_)
    return found.fetchone() is not None


def _has(connection: sqlite3.Connection, stream: int, seq: int, hash_: str) -> bool:
    return hash_ in record.hashes(connection, stream, [seq], seq).get(seq, ())


def _next_known(connection: sqlite3.Connection, state: _Stream) -> int | None:
    """The lowest seq behind the gap that is there, or None if there is no gap."""
    row = connection.execute(
        """SELECT min(seq) FROM (SELECT min(seq) AS seq FROM events WHERE stream = :stream AND seq > :seq
           UNION ALL SELECT min(seq) FROM quarantine WHERE stream = :stream AND seq > :seq)""",
        {"stream": state.id, "seq": state.contiguous},
    ).fetchone()
    return None if row[0] is None else int(row[0])


def _accept_loss(connection: sqlite3.Connection, state: _Stream, oldest: int, now: float) -> bool:
    """Step over what the sender has lost for good, if that is what comes next."""
    first = state.contiguous + 1
    if first >= oldest:
        return False
    last = min(oldest, _next_known(connection, state) or oldest) - 1
    connection.execute(
        "INSERT OR REPLACE INTO losses (stream, first_seq, last_seq, noticed) VALUES (?, ?, ?, ?)",
        (state.id, first, last, now),
    )
    detail = f"seq {first} to {last} were lost by the sender" if last > first else f"seq {first} was lost by the sender"
    alarms.sound(connection, state.id, Alarm.LOST, first, detail, now)
    state.contiguous, state.contiguous_hash = last, None
    return True


def _note_gap(connection: sqlite3.Connection, state: _Stream, now: float) -> None:
    behind = _next_known(connection, state)
    if behind is None:
        alarms.clear(connection, state.id, Alarm.GAP, now)
        return
    first, last = state.contiguous + 1, behind - 1
    if alarms.acknowledged_at(connection, state.id, Alarm.GAP, first):
        return
    detail = f"seq {first} to {last} are missing" if last > first else f"seq {first} is missing"
    alarms.sound(connection, state.id, Alarm.GAP, state.contiguous + 1, detail, now)


def _remember(connection: sqlite3.Connection, state: _Stream, events: Sequence[Sealed], now: float) -> None:
    connection.execute(
        "UPDATE streams SET contiguous = ?, contiguous_hash = ?, last_received = ? WHERE id = ?",
        (state.contiguous, state.contiguous_hash, now, state.id),
    )
    for line in events:
        if line.kind == "open":
            connection.execute(
                "UPDATE streams SET database = ?, version = ? WHERE id = ?",
                (line.text("database"), line.text("version"), state.id),
            )
    if events:
        last = max(events, key=lambda line: line.seq)
        connection.execute(
            "UPDATE streams SET last_seq = ?, last_time = ? WHERE id = ? AND last_seq < ?",
            (last.seq, last.text("time"), state.id, last.seq),
        )
    alarms.clear(connection, state.id, Alarm.SILENT, now)
    unfinished.heard(connection, state.id)
