"""What a session's open transaction has made: tables and views that no other session sees, and whose names are its own.

Until the transaction has ended, whoever would make something else of such a name waits for it; so the name means what
was made here, though the catalog does not hold it yet. What is not sure to be there is not listed. What a name means in
a statement is `penstock_core.sql`'s.
"""

from __future__ import annotations

from penstock_core.sql.decision import Decision, Made

_NOTHING: Made = frozenset()
# Of a text that begins or ends transactions, which of its parts are still open is not known.
_CONTROL = frozenset({"begin", "commit", "rollback", "savepoint", "release", "prepare transaction"})


class MadeRelations:
    """Those of one session."""

    def __init__(self) -> None:
        self.names = _NOTHING

    def answered(self, decision: Decision, *, failed: bool) -> None:
        """A text that makes some was answered."""
        if not failed and _CONTROL.isdisjoint(decision.verbs):
            self.names |= decision.makes

    def ended(self) -> bool:
        """The transaction, or a part of it, has ended; whether names mean something else now."""
        listed, self.names = bool(self.names), _NOTHING
        return listed
