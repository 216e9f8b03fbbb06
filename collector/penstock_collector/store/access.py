"""Access for a time in the store: asked for, ended early, reviewed, and what of it lasts now.

The rules are `penstock_core.approvals.access`'s; deciding is the same as of statements (`requests.py`). What doesn't
belong: who may ask (`auth/`), telling gates and people (`penstock_collector.approvals`).
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Literal

from penstock_collector.store import requests
from penstock_collector.store.requests import Asked, Kept
from penstock_collector.store.waiting_parties import WaitingParties
from penstock_core.approvals.access import (
    AskingAccess,
    access_spec,
    answer_access,
    ended,
    grant,
    overdue,
    reviewed,
)
from penstock_core.approvals.asking import Answered, Make, Refuse, Tell
from penstock_core.approvals.four_eyes import Approver
from penstock_core.approvals.room import no_room
from penstock_core.approvals.standing import Standing
from penstock_core.audit.chain import canonical
from penstock_core.policy.access import grantee
from penstock_core.resources.access_request import AccessRequest, AccessRequestStatus, Requester
from penstock_core.resources.grant import Grant, Offer

# Of one database: requests for access that wait, whoever asks.
MOST_WAITING_FOR_A_DATABASE = 1_000
_SAID: dict[Standing, Literal["granted", "waiting", "denied"]] = {
    Standing.IN_EFFECT: "granted",
    Standing.WAITING: "waiting",
    Standing.DENIED: "denied",
}


def book(namespace: str, database: str) -> str:
    """Where requests for access to a database are: they are not of the gate that asked."""
    return f"access {namespace}/{database}"


def ask(
    connection: sqlite3.Connection, namespace: str, asking: AskingAccess, offer: Offer | None, url: str, now: float,
    known_parties: WaitingParties | None = None,
) -> Asked:  # fmt: skip
    """Find what lasts or waits, or make a request; in this transaction."""
    requests.settle(connection, now)
    place = book(namespace, asking.database_ref.name)
    requester = _digest(asking.requester)
    rows = requests.of_requester(connection, place, requester, now)
    known = {kept.name: kept for kept in rows}
    match answer_access(asking, offer, namespace, [kept.request for kept in rows], _time(now)):
        case Refuse(why):
            return Asked("refused", Answered(standing="refused", comment=why))
        case Tell(request):
            return Asked("found", _answered(known[request.name], url), known[request.name])
        case Make():
            if not asking.break_glass and (why := _too_many(connection, place, asking, known_parties)):
                return Asked("refused", Answered(standing="refused", comment=why))
            if offer is None:
                raise ValueError("nothing is offered")
            spec = access_spec(asking, offer, _time(now))
            kept = requests.insert(connection, place, namespace, requester, spec, now)
            return Asked("made", _answered(kept, url), kept)


def _too_many(connection: sqlite3.Connection, place: str, asking: AskingAccess, known: WaitingParties | None) -> str:
    if trouble := no_room(asking.requester, (known or WaitingParties()).of(connection, place), 1):
        return trouble
    if requests.waiting_in(connection, place) >= MOST_WAITING_FOR_A_DATABASE:
        return f"{MOST_WAITING_FOR_A_DATABASE} requests for this database wait; have some decided first"
    return ""


def _answered(kept: Kept, url: str) -> Answered:
    return Answered.of(kept.request, _SAID[kept.standing], f"{url}/requests/{kept.name}" if url else "")


def end(connection: sqlite3.Connection, name: str, who: Approver, now: float) -> Kept:
    """End access before its time. Raises NotPossibleError."""
    return _step(connection, name, now, lambda request, at: ended(request, who, at))


def review(connection: sqlite3.Connection, name: str, who: Approver, comment: str, now: float) -> Kept:
    """Review an emergency. Raises NotPossibleError."""
    return _step(connection, name, now, lambda request, at: reviewed(request, who, comment, at))


def _step(
    connection: sqlite3.Connection,
    name: str,
    now: float,
    step: Callable[[AccessRequest, datetime], AccessRequestStatus],
) -> Kept:
    kept, at = requests.present(connection, name, now)
    return requests.update(connection, kept, step(kept.request, at), now)


def lasting(connection: sqlite3.Connection, namespace: str, database: str, now: float) -> list[Grant]:
    """What lasts of a database at that time, though nobody has settled it since."""
    rows = requests.listed(connection, [Standing.IN_EFFECT], -1)
    asked = (
        one.request
        for one in rows
        if (one.request.namespace, one.request.spec.database_ref.name) == (namespace, database)
    )
    return [found for one in asked if (found := grant(one, _time(now))) is not None]


def to_review(connection: sqlite3.Connection) -> list[Kept]:
    """Emergencies that nobody has reviewed, those that last among them; the first to be reviewed first."""
    return sorted(requests.emergencies(connection), key=_due)


def review_count(connection: sqlite3.Connection) -> int:
    """How many these are."""
    counted = connection.execute(f"SELECT count(*) FROM requests WHERE {requests.TO_REVIEW}")  # noqa: S608 # a constant
    return int(counted.fetchone()[0])


def _due(kept: Kept) -> str:
    glass = kept.request.spec.break_glass
    return "" if glass is None else glass.review_by


def newly_overdue(connection: sqlite3.Connection, now: float) -> list[Kept]:
    """Emergencies whose review is overdue and that were not told of for that yet; they count as told now."""
    told = {row[0] for row in connection.execute("SELECT id FROM requests WHERE told_overdue IS NOT NULL")}
    late = [one for one in to_review(connection) if overdue(one.request, _time(now)) and one.id not in told]
    connection.executemany("UPDATE requests SET told_overdue = ? WHERE id = ?", [(now, one.id) for one in late])
    return late


def _digest(requester: Requester) -> str:
    return hashlib.sha256(canonical({"grantee": _plain(grantee(requester))})).hexdigest()


def _plain(value: object) -> object:
    return [_plain(one) for one in value] if isinstance(value, tuple) else value


def _time(now: float) -> datetime:
    return datetime.fromtimestamp(now, UTC)
