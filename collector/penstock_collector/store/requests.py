"""Requests for approval in the store: made, decided, used, expired, each a step within one transaction of the writer.

The rules are `penstock_core.approvals`'; here they meet what is kept. What doesn't belong: who may ask and decide
(`auth/`), telling people (`penstock_collector.approvals`).
"""

from __future__ import annotations

import hashlib
import secrets
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Literal

from penstock_collector.store.waiting_parties import WaitingParties
from penstock_core.approvals.asking import Answered, Asking, Make, Refuse, Tell, Use, bound_to
from penstock_core.approvals.binding import whose
from penstock_core.approvals.four_eyes import Approver
from penstock_core.approvals.room import no_room
from penstock_core.approvals.standing import (
    Decision,
    NotPossibleError,
    Standing,
    access_ends,
    decided,
    moment,
    standing,
    used,
    written,
)
from penstock_core.approvals.together import Step as Taken
from penstock_core.approvals.together import answers, together
from penstock_core.approvals.together import told as told_of
from penstock_core.audit.chain import MAX_SAFE_INTEGER, canonical
from penstock_core.resources.access_request import AccessRequest, AccessRequestSpec, AccessRequestStatus, Requester

# Requests of one book that wait, whoever they say they are for; core/approvals bounds those of one requester, and those
# with a part of one person or agent.
MOST_WAITING_IN_A_BOOK = 1_000
# Without letters and digits that are taken for one another when said or read.
_LETTERS = "23456789abcdefghjkmnpqrstvwxyz"
_OVER = frozenset({Standing.EXPIRED, Standing.ENDED, Standing.UNREVIEWED, Standing.REVIEWED})
_LASTING = frozenset({Standing.WAITING, Standing.APPROVED, Standing.IN_EFFECT})

Step = Literal["made", "found", "used", "refused"]


class UnknownRequestError(NotPossibleError):
    """There is no request of that name."""


@dataclass(frozen=True, slots=True)
class Kept:
    """A request as it is kept."""

    id: int
    changed: int
    request: AccessRequest
    standing: Standing
    made: float
    expires: float
    trimmed: bool

    @property
    def name(self) -> str:
        return self.request.name

    @property
    def status(self) -> AccessRequestStatus:
        return self.request.status or AccessRequestStatus()

    @property
    def waiting(self) -> bool:
        return self.standing is Standing.WAITING

    @property
    def due(self) -> bool:
        """Whether somebody has to decide it, or to look at what is done in an emergency."""
        lasts = self.standing is Standing.IN_EFFECT and self.request.spec.break_glass is not None
        return lasts or self.standing in (Standing.WAITING, Standing.UNREVIEWED)


# Nobody decides about an emergency.
TO_REVIEW = "(standing = 'unreviewed' OR (standing = 'in effect' AND decision = ''))"
_DUE = f"(standing = 'waiting' OR {TO_REVIEW})"
COLUMNS = "id, changed, document, standing, made, expires, trimmed"


def kept_in(row: Any) -> Kept:
    """The request in a row of COLUMNS."""
    id_, changed, document, at, made, expires, trimmed = row
    request = AccessRequest.model_validate_json(document)
    return Kept(id_, changed, request, Standing(at), made, expires, bool(trimmed))


@dataclass(frozen=True, slots=True)
class Asked:
    """What became of a question: the answer, and the request that it is about, if it is about one."""

    step: Step
    answered: Answered
    kept: Kept | None = None
    # Where several rules hold a statement, what became of the question of each.
    each: tuple[Asked, ...] = ()


def ask(
    connection: sqlite3.Connection, book: str, namespace: str, asking: Asking, url: str, now: float,
    known_parties: WaitingParties | None = None,
) -> Asked:  # fmt: skip
    """Use the approvals that are there, find the requests that wait, or make them; in this transaction.

    `url` is where requests are decided: a request's page is there by its name; "" if there are no pages.
    """
    settle(connection, now)
    requester = _digest(whose(asking.requester))
    known = {kept.name: kept for kept in of_requester(connection, book, requester, now)}
    steps = answers(asking, [kept.request for kept in known.values()], _time(now))
    makes = sum(isinstance(step, Make) for _, step in steps)
    if makes and (trouble := _too_many(connection, book, asking.requester, makes, known_parties)):
        return _refused(trouble)

    def taken(part: Asking, step: Taken) -> Asked:
        match step:
            case Use(request):
                kept = update(connection, known[request.name], used(request, _time(now)), now)
                return Asked("used", Answered.of(kept.request, "granted", _page(url, kept.name)), kept)
            case Tell(request):
                return Asked("found", told_of(request, _time(now), _page(url, request.name)), known[request.name])
            case Refuse(why):
                return _refused(why)
            case Make():
                kept = insert(connection, book, namespace, requester, part.spec(_time(now)), now)
                return Asked("made", Answered.of(kept.request, "waiting", _page(url, kept.name)), kept)

    found = [(part, taken(part, step)) for part, step in steps]
    if len(found) == 1:
        return replace(found[0][1], answered=together(asking, [(part, one.answered) for part, one in found]))
    each = tuple(one for _, one in found)
    made = next((one for one in each if one.step == "made"), each[0])
    answered = together(asking, [(part, one.answered) for part, one in found])
    return Asked(made.step, answered, made.kept, each)


def of_requester(connection: sqlite3.Connection, book: str, requester: str, now: float) -> list[Kept]:
    """What somebody asked for in a book, oldest first, but for what is over; denials as long as they stand."""
    rows = connection.execute(
        f"""SELECT {COLUMNS} FROM requests WHERE book = ? AND requester = ?
            AND (standing IN ('waiting', 'approved', 'in effect', 'unreviewed')
                 OR (standing = 'denied' AND expires > ?)) ORDER BY id""",  # noqa: S608 # a literal of this file
        (book, requester, now),
    )
    return [kept_in(row) for row in rows]


def waiting_in(connection: sqlite3.Connection, book: str) -> int:
    """How many requests of a book wait."""
    row = connection.execute("SELECT count(*) FROM requests WHERE book = ? AND standing = 'waiting'", (book,))
    return int(row.fetchone()[0])


def _too_many(
    connection: sqlite3.Connection, book: str, requester: Requester, more: int, known: WaitingParties | None
) -> str:
    # First what costs nothing to find out, however many ask.
    if (waiting := waiting_in(connection, book)) + more > MOST_WAITING_IN_A_BOOK:
        return f"{waiting} requests of this gate wait already; have some decided first"
    return no_room(requester, (known or WaitingParties()).of(connection, book), more)


def _refused(why: str) -> Asked:
    return Asked("refused", Answered(standing="refused", comment=why))


def _page(url: str, name: str) -> str:
    return f"{url}/requests/{name}" if url else ""


def insert(
    connection: sqlite3.Connection, book: str, namespace: str, requester: str, spec: AccessRequestSpec, now: float
) -> Kept:
    """Keep a new request; `requester` is a digest of who asks."""
    request = AccessRequest.model_validate(
        {
            "metadata": {"name": _new_name(connection), "namespace": namespace},
            "spec": spec.model_dump(mode="json", exclude_none=True),
        }
    )
    changed = _next_change(connection)
    expires = moment(request.spec.expires_at).timestamp()
    at = standing(request, _time(now))
    row = connection.execute(
        """INSERT INTO requests (changed, name, book, requester, bound, standing, made, expires, document)
           VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING id""",
        (
            changed,
            request.name,
            book,
            requester,
            bound_to(request.spec),
            at.value,
            now,
            expires,
            as_kept(request),
        ),
    ).fetchone()
    return Kept(int(row[0]), changed, request, at, now, expires, trimmed=False)


def _new_name(connection: sqlite3.Connection) -> str:
    """Short enough to be said; taken by no other, also none that has ended."""
    while True:
        letters = [secrets.choice(_LETTERS) for _ in range(8)]
        name = f"r-{''.join(letters[:4])}-{''.join(letters[4:])}"
        if connection.execute("SELECT 1 FROM requests WHERE name = ?", (name,)).fetchone() is None:
            return name


def decide(
    connection: sqlite3.Connection, name: str, approver: Approver, decision: Decision, comment: str, now: float,
    lasts: str = "",
) -> Kept:  # fmt: skip
    """Decide a request. Raises NotPossibleError, of which NotAllowedError is one, and UnknownRequestError."""
    kept, at = present(connection, name, now)
    status = decided(kept.request, approver, decision, comment, at, lasts)
    return update(connection, kept, status, now)


def present(connection: sqlite3.Connection, name: str, now: float) -> tuple[Kept, datetime]:
    """The request of that name, and the time that it stands at. Raises UnknownRequestError."""
    settle(connection, now)
    kept = find(connection, name)
    if kept is None:
        raise UnknownRequestError(f"there is no request {name}")
    # What was found to be over stays over, whatever the clock says since.
    return kept, _time(max(now, kept.expires) if kept.standing in _OVER else now)


def find(connection: sqlite3.Connection, name: str, book: str | None = None) -> Kept | None:
    """The request of that name; with `book`, only if it is in it."""
    row = connection.execute(
        f"SELECT {COLUMNS} FROM requests WHERE name = ? AND (? IS NULL OR book = ?)",  # noqa: S608 # as above
        (name, book, book),
    ).fetchone()
    return None if row is None else kept_in(row)


def told(kept: Kept, url: str) -> Answered:
    """What a gate is told that only looks: nothing is used up."""
    page = _page(url, kept.name)
    match kept.standing:
        case Standing.WAITING:
            return Answered.of(kept.request, "waiting", page)
        case Standing.APPROVED:
            return Answered.of(kept.request, "granted", page)
        case Standing.DENIED:
            return Answered.of(kept.request, "denied", page)
        case Standing.IN_EFFECT:
            return Answered.of(kept.request, "granted", page)
        case Standing.USED:
            why = f"the approval was used at {kept.status.consumed_at}; run the statement again to ask anew"
        case Standing.EXPIRED:
            why = f"the request expired at {kept.request.spec.expires_at}; run the statement again to ask anew"
        case Standing.ENDED | Standing.UNREVIEWED | Standing.REVIEWED:
            why = f"the access of {kept.name} is over; ask for it anew"
    return Answered(standing="refused", request=kept.name, comment=why, url=page)


def settle(connection: sqlite3.Connection, now: float) -> list[Kept]:
    """Keep down what is over by now, so that no change of the clock revives it; these requests."""
    rows = connection.execute(
        f"SELECT {COLUMNS} FROM requests WHERE standing IN ('waiting', 'approved', 'in effect') AND expires <= ?",  # noqa: S608 # as above
        (now,),
    ).fetchall()
    # A little later than the end, which floating-point numbers may miss.
    later = _time(now + 0.001)
    gone = [
        replace(one, standing=standing(one.request, later), changed=_next_change(connection))
        for one in map(kept_in, rows)
    ]
    for one in gone:
        connection.execute(
            "UPDATE requests SET standing = ?, ended = ?, changed = ? WHERE id = ?",
            (one.standing.value, now, one.changed, one.id),
        )
    return gone


def overdue(connection: sqlite3.Connection, after: float, now: float) -> list[Kept]:
    """The requests that have waited for `after` seconds and were not told of for that yet; they count as told now."""
    rows = connection.execute(
        f"SELECT {COLUMNS} FROM requests WHERE standing = 'waiting' AND escalated IS NULL AND made <= ? ORDER BY id",  # noqa: S608 # as above
        (now - after,),
    ).fetchall()
    late = [kept_in(row) for row in rows]
    connection.executemany("UPDATE requests SET escalated = ? WHERE id = ?", [(now, one.id) for one in late])
    return late


def update(connection: sqlite3.Connection, kept: Kept, status: AccessRequestStatus, now: float) -> Kept:
    """Keep what became of a request."""
    request = kept.request.model_copy(update={"status": status})
    at = standing(request, _time(max(now, kept.expires) if kept.standing in _OVER else now))
    ends = access_ends(request)
    expires = kept.expires if ends is None else ends.timestamp()
    changed = _next_change(connection)
    connection.execute(
        """UPDATE requests SET changed = ?, standing = ?, decision = ?, used = ?, ended = ?, expires = ?, document = ?
           WHERE id = ?""",
        (
            changed,
            at.value,
            status.decision or "",
            status.consumed_at is not None,
            None if at in _LASTING else now,
            expires,
            as_kept(request),
            kept.id,
        ),
    )
    return Kept(kept.id, changed, request, at, kept.made, expires, kept.trimmed)


def listed(
    connection: sqlite3.Connection, standings: Sequence[Standing] = (), limit: int = 200, before: int | None = None
) -> list[Kept]:
    """Requests of these standings, latest first; of any, if none is given. Those before an id."""
    wanted = [one.value for one in standings or tuple(Standing)]
    marks = ", ".join("?" * len(wanted))
    rows = connection.execute(
        f"""SELECT {COLUMNS} FROM requests WHERE standing IN ({marks}) AND id < ?
            ORDER BY id DESC LIMIT ?""",  # noqa: S608 # marks alone
        (*wanted, _behind(before), limit),
    )
    return [kept_in(row) for row in rows]


@dataclass(frozen=True, slots=True)
class Changes:
    """Requests that have changed behind a cursor, in that order, and the cursor behind them."""

    requests: tuple[Kept, ...]
    cursor: int


def changes(connection: sqlite3.Connection, after: int, limit: int = 100) -> Changes:
    """What has changed behind a cursor."""
    rows = connection.execute(
        f"SELECT {COLUMNS} FROM requests WHERE changed > ? ORDER BY changed LIMIT ?",  # noqa: S608 # as above
        (after, limit),
    ).fetchall()
    found = tuple(kept_in(row) for row in rows)
    return Changes(found, found[-1].changed if found else max(after, cursor(connection)))


def cursor(connection: sqlite3.Connection) -> int:
    """The latest change."""
    return int(connection.execute("SELECT latest FROM request_changes").fetchone()[0])


def due(connection: sqlite3.Connection, limit: int = 200, before: int | None = None) -> list[Kept]:
    """Those that somebody has to decide, and emergencies that nobody has reviewed, latest first; those before an id."""
    rows = connection.execute(
        f"SELECT {COLUMNS} FROM requests WHERE {_DUE} AND id < ? ORDER BY id DESC LIMIT ?",  # noqa: S608 # as above
        (_behind(before), limit),
    )
    return [kept_in(row) for row in rows]


def _behind(before: int | None) -> int:
    return MAX_SAFE_INTEGER if before is None else before


def others(connection: sqlite3.Connection, limit: int = 200) -> list[Kept]:
    """All but those, latest first."""
    rows = connection.execute(f"SELECT {COLUMNS} FROM requests WHERE NOT ({_DUE}) ORDER BY id DESC LIMIT ?", (limit,))  # noqa: S608 # as above
    return [kept_in(row) for row in rows]


def due_count(connection: sqlite3.Connection) -> int:
    """How many somebody has to decide or to review."""
    return int(connection.execute(f"SELECT count(*) FROM requests WHERE {_DUE}").fetchone()[0])  # noqa: S608 # as above


def emergencies(connection: sqlite3.Connection) -> list[Kept]:
    """Those that nobody has reviewed, those that last among them."""
    rows = connection.execute(f"SELECT {COLUMNS} FROM requests WHERE {TO_REVIEW}")  # noqa: S608 # as above
    return [kept_in(row) for row in rows]


def waiting_count(connection: sqlite3.Connection) -> int:
    """How many wait for a decision."""
    return int(connection.execute("SELECT count(*) FROM requests WHERE standing = 'waiting'").fetchone()[0])


def _next_change(connection: sqlite3.Connection) -> int:
    return int(connection.execute("UPDATE request_changes SET latest = latest + 1 RETURNING latest").fetchone()[0])


def as_kept(request: AccessRequest) -> str:
    """The request as its row has it."""
    return request.model_dump_json(exclude_none=True)


def _digest(value: dict[str, object]) -> str:
    return hashlib.sha256(canonical(value)).hexdigest()


def timestamp(then: float) -> str:
    """A Unix time as resources have it."""
    return written(_time(then))


def _time(now: float) -> datetime:
    return datetime.fromtimestamp(now, UTC)
