"""What became of a statement at the gate, without the connection: rows that were read, or why there are none."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum


class Ending(StrEnum):
    """How a statement ended that did not succeed."""

    # The server or the gate answered with an error.
    ERROR = "error"
    # The gate can't be reached, or doesn't let the token in; nothing was sent.
    NO_SESSION = "no session"
    # The connection was lost, or given up, after the statement had been sent.
    LOST = "lost"
    # One answer was larger than this process takes into memory.
    TOO_LARGE = "too large"
    # It is of a kind that can't be run here.
    NOT_HERE = "not here"
    # Too many wait for this session.
    BUSY = "busy"
    # It took longer than it may, and did not end when it was cancelled.
    TOO_SLOW = "too slow"


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why a statement did not succeed."""

    ending: Ending
    message: str = ""
    sqlstate: str = ""
    detail: str = ""
    hint: str = ""
    # Whether the gate itself says so, and not the server behind it.
    by_gate: bool = False


@dataclass(slots=True)
class Outcome:
    """What came back of one statement."""

    # Name and type of each column, with the type's OID.
    columns: list[tuple[str, str, int]] = field(default_factory=list)
    rows: list[list[bytes | None]] = field(default_factory=list)
    # Whether there were more rows, or bytes of rows, than were to be kept.
    more: bool = False
    affected: int | None = None
    notices: list[str] = field(default_factory=list)
    trouble: Trouble | None = None
