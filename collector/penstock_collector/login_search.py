"""Looking for logins: the filters, the same for history and for what happens now, and the queries.

What doesn't belong: HTTP and HTML, statements (`search.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, ClassVar

from penstock_collector.lookup import LookedFor, Table, came_late, contains, match_expression, place_path
from penstock_collector.store.arrivals import RECEIVED


@dataclass(frozen=True, slots=True)
class LoginFilters(LookedFor):
    """What is looked for of logins."""

    choices: ClassVar[Mapping[str, tuple[str, ...]]] = {"outcome": ("accepted", "refused")}

    # Part of the identity's name, or of what a refused token claims, in any case.
    identity: str = ""
    outcome: str = ""
    # The beginning of the client's address.
    address: str = ""
    stream: str = ""
    session: str = ""
    # Words that must all be found; each of three letters or more may be the beginning of a word.
    q: str = ""
    # RFC 3339; from including, to excluding.
    since: str = ""
    until: str = ""

    def conditions(self) -> tuple[list[str], dict[str, Any]]:
        """SQL on `logins r`, except for `q`."""
        wanted = {
            "identity": contains("r.identity || char(10) || r.claimed", "identity", self.identity),
            "outcome": "r.outcome = :outcome",
            "address": "substr(r.address, 1, length(:address)) = :address",
            "stream": "r.stream = (SELECT id FROM streams WHERE name = :stream)",
            "session": "r.session = :session",
            "since": "r.time >= :since",
            "until": "r.time < :until",
        }
        values: dict[str, Any] = {name: getattr(self, name) for name in wanted}
        return [sql for name, sql in wanted.items() if values[name]], values | {"match": match_expression(self.q)}


@dataclass(frozen=True, slots=True)
class LoginRecord:
    """A login as it is shown; of a refused one, several that were alike."""

    id: int
    changed: int
    stream: str
    seq: int
    session: str
    time: str
    outcome: str
    # Verified; "" if it was not.
    identity: str
    # What a refused token says: asserted.
    claimed: str
    address: str
    username: str
    application: str
    dbname: str
    database: str
    reason: str
    sqlstate: str
    policy: str
    count: int
    # None as long as its session goes on.
    ended: str | None
    end_reason: str | None
    statements: int | None
    duration_us: int | None
    # When it arrived; Unix time.
    received: float | None

    @property
    def late(self) -> bool:
        """Whether its arrival is worth showing beside its time."""
        return came_late(self.time, self.received)

    @property
    def path(self) -> str:
        """The page of its event."""
        return place_path(self.stream, self.seq)

    def document(self) -> dict[str, object]:
        """For JSON."""
        return {field.name: getattr(self, field.name) for field in fields(self)}


_COLUMNS = f"""r.id, r.changed, t.name, r.seq, r.session, r.time, r.outcome, r.identity, r.claimed, r.address,
    r.username, r.application, r.dbname, r.database, r.reason, r.sqlstate, r.policy, r.count, r.ended, r.end_reason,
    r.statements, r.duration_us, {RECEIVED}"""


LOGINS = Table("logins", _COLUMNS, lambda row: LoginRecord(*row), text="logins_text", key="r.id")
