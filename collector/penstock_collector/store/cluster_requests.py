"""Requests for approval on a cluster, as far as the trail tells of them: which wait, and for what.

They are objects of the API server's, which people see and decide by their own credentials; this program has no right to
read them, since they hold statements with their values. What doesn't belong: requests that the collector holds itself
(`requests.py`).
"""

from __future__ import annotations

import re
import sqlite3
from dataclasses import dataclass
from typing import Any

from penstock_collector.store.lines import Sealed
from penstock_collector.store.projection import joined, split
from penstock_core.audit.event import BEGINS

MOST_SHOWN = 200
# What Kubernetes takes for a name: it goes into a line that somebody copies into a shell.
_NAME = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?Z")
# Standings after which nothing waits any more.
_OVER = frozenset({"granted", "denied"})
_COLUMNS = (
    """namespace, name, time, identity, database, policy, rule, approvers, verbs, relations, estimated_rows, expires"""
)


@dataclass(frozen=True, slots=True)
class ClusterRequest:
    """One that waits."""

    namespace: str
    name: str
    time: str
    identity: str
    database: str
    policy: str
    rule: str
    approvers: tuple[str, ...]
    verbs: tuple[str, ...]
    relations: tuple[str, ...]
    estimated_rows: int | None
    expires: str

    @property
    def command(self) -> str:
        """With which a person looks at it, before they decide."""
        return command(self.namespace, self.name)


def project(connection: sqlite3.Connection, id_: int, line: Sealed) -> None:
    """Bring what an event tells of a request into the table. `id_` is its id in `events`."""
    event = line.event
    namespace = _namespace(event)
    if not namespace:
        return
    if line.kind == "request" and _NAME.fullmatch(line.text("request")) and _TIME.fullmatch(line.text("expiresAt")):
        _note(connection, id_, namespace, line)
    elif line.kind in BEGINS and isinstance(approvals := event.get("approvals"), list):
        for one in approvals:
            if isinstance(one, dict) and one.get("standing") in _OVER and isinstance(name := one.get("request"), str):
                settle(connection, namespace, name)


def waiting(connection: sqlite3.Connection, now: str) -> list[ClusterRequest]:
    """Those that wait at that time (RFC 3339, UTC), latest first; what the collector holds itself is left out."""
    rows = connection.execute(
        f"""SELECT {_COLUMNS} FROM cluster_requests c
           WHERE over = 0 AND expires > ? AND NOT EXISTS (SELECT 1 FROM requests r WHERE r.name = c.name)
           ORDER BY id DESC LIMIT ?""",  # noqa: S608 # constants of this module
        (now, MOST_SHOWN),
    ).fetchall()
    return [_made(row) for row in rows]


def find(connection: sqlite3.Connection, namespace: str, name: str) -> ClusterRequest | None:
    """What the trail told of that request, whether it waits or not."""
    row = connection.execute(
        f"SELECT {_COLUMNS} FROM cluster_requests WHERE namespace = ? AND name = ?",  # noqa: S608 # as above
        (namespace, name),
    ).fetchone()
    return None if row is None else _made(row)


def settle(connection: sqlite3.Connection, namespace: str, name: str) -> None:
    """Somebody decided it here: it waits no more."""
    connection.execute("UPDATE cluster_requests SET over = 1 WHERE namespace = ? AND name = ?", (namespace, name))


def place(connection: sqlite3.Connection, name: str) -> tuple[str, str] | None:
    """Namespace and name of the latest request of that name; None if the trail told of none."""
    row = connection.execute(
        "SELECT namespace, name FROM cluster_requests WHERE name = ? ORDER BY id DESC LIMIT 1", (name,)
    ).fetchone()
    return None if row is None else (row[0], row[1])


def command(namespace: str, name: str) -> str:
    """With which a person looks at a request, before they decide; both are names."""
    return f"kubectl penstock show -n {namespace} {name}"


def is_name(text: str) -> bool:
    """Whether Kubernetes takes it for a name."""
    return _NAME.fullmatch(text) is not None


def _made(row: tuple[Any, ...]) -> ClusterRequest:
    return ClusterRequest(*row[:7], *(split(names) for names in row[7:10]), *row[10:])


def _note(connection: sqlite3.Connection, id_: int, namespace: str, line: Sealed) -> None:
    event = line.event
    identity, rows = event.get("identity"), event.get("estimatedRows")
    connection.execute(
        """INSERT INTO cluster_requests (id, namespace, name, time, identity, database, policy, rule, approvers, verbs,
               relations, estimated_rows, expires)
           VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
           ON CONFLICT (namespace, name) DO UPDATE SET id = excluded.id, expires = excluded.expires""",
        (
            id_,
            namespace,
            line.text("request"),
            line.text("time"),
            str(identity.get("name") or "") if isinstance(identity, dict) else "",
            line.text("database"),
            line.text("policy"),
            line.text("rule"),
            joined(event.get("approvers")),
            joined(event.get("verbs")),
            joined(event.get("relations")),
            rows if isinstance(rows, int) and not isinstance(rows, bool) else None,
            line.text("expiresAt"),
        ),
    )


def _namespace(event: dict[str, Any]) -> str:
    """The namespace of the pod that asked, where the object is; "" of one that is in none."""
    identity = event.get("identity")
    workload = identity.get("workload") if isinstance(identity, dict) else None
    name = workload.get("namespace") if isinstance(workload, dict) else None
    return name if isinstance(name, str) and _NAME.fullmatch(name) else ""
