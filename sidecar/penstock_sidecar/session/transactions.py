"""Transactions as the trail has them: which statements ran in the same one, and how it ended.

Told by the server's answers alone, in their order. A transaction of one statement whose outcome says how it ended needs
no event of its own. What a transaction's end means for names and the catalog is `completions.py`'s.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Literal

from penstock_sidecar.session.in_flight import AnswerKind, Pending

# Verbs after which the transaction's state is another.
CONTROL = frozenset({"begin", "commit", "rollback", "prepare transaction", "commit prepared", "transaction"})
# Besides, what may commit on the way, outside of a block.
_MAY_END = CONTROL | {"call", "do"}
End = Literal["commit", "rollback", "prepared", "unknown"]
_ENDS: dict[bytes, End] = {b"COMMIT": "commit", b"PREPARE TRANSACTION": "prepared"}
_BEGINS = frozenset({b"BEGIN", b"START TRANSACTION"})


@dataclass(frozen=True, slots=True)
class Ended:
    """How a transaction ended, by its number within the session."""

    transaction: int
    result: End
    # Of the error by which it ended where no statement was due any more.
    sqlstate: str = ""


@dataclass(slots=True)
class Transactions:
    """The transactions of one session, one after the other."""

    number: int = 1
    # Those that ended and are to be recorded.
    ended: list[Ended] = field(default_factory=list)
    # A BEGIN opened the present one; how many of its statements succeeded; whether anything of it failed, and by what
    # that is no statement's; whether a part of it may be committed already.
    _block: bool = False
    _done: int = 0
    _failed: bool = False
    _late: str = ""
    _parted: bool = False

    def ran(self, *, ok: bool, failed: bool) -> int:
        """A statement has run, or failed, or neither is known; the transaction that it ran in."""
        self._done += ok
        self._failed |= failed
        return self.number

    def failed(self, sqlstate: str) -> None:
        """Something failed that is no statement's: what was put off until the end, by then."""
        if not self._failed:
            # Whatever comes behind the first error fails because of it.
            self._late = sqlstate
        self._failed = True

    def parted(self) -> None:
        """A CALL or DO in a pipeline has succeeded, which commits on the way if it wants to, outside of a block."""
        self._parted = not self._block

    def completed(self, tag: bytes, *, ends: bool) -> None:
        """The server completed something with this tag, which ends the transaction if that is what it is for."""
        if tag in _BEGINS:
            self._block = True
        elif (end := _ENDS.get(tag)) is not None:
            self._end(end)
        elif ends and tag == b"ROLLBACK":
            self._end("rollback")

    def ready(self, status: bytes) -> None:
        """The server waits for the next message, inside a transaction block or not."""
        if status == b"I":
            self._end("rollback" if self._failed else "commit")
        else:
            # Also where the block began by something that nobody has read.
            self._block = True
        if status == b"T":
            # What failed was undone, back to a savepoint: the rest may commit.
            self._failed, self._late = False, ""

    def lost(self, on_its_way: Collection[Pending]) -> None:
        """The session is over; nobody will learn what came of what was on its way."""
        certain = not any(map(may_end, on_its_way)) or (self._failed and not any(map(_may_recover, on_its_way)))
        self._end("rollback" if certain else "unknown")

    def _end(self, result: End) -> None:
        if self._parted and result == "rollback":
            result = "unknown"
        tells = self._block or self._done > 1 or (result != "commit" and self._done > 0)
        if tells:
            self.ended.append(Ended(self.number, result, self._late))
        if tells or self._done or self._failed:
            self.number += 1
        self._block, self._done, self._failed, self._late, self._parted = False, 0, False, "", False


def may_end(pending: Pending) -> bool:
    """Whether what is in flight may have ended the transaction well."""
    if pending.kind is AnswerKind.EXECUTE:
        return pending.decision is None or not _MAY_END.isdisjoint(pending.decision.verbs)
    return pending.kind in (AnswerKind.QUERY, AnswerKind.SYNC)


def _may_recover(pending: Pending) -> bool:
    """Whether what is in flight may have gone back to a savepoint, from where an aborted transaction goes on."""
    parts = () if pending.decision is None else pending.decision.recorded
    return pending.kind in (AnswerKind.QUERY, AnswerKind.EXECUTE) and any(
        "rollback" in part.verbs and not part.ends for part in parts
    )
