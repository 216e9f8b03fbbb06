"""The names of a session's temporary tables, in the order of the messages: such a name means the session's own table.

A name is there from when its CREATE is sent, whatever comes of that: taking a table for temporary that is none refuses
too much, the other way round it would be read as another. It goes when the server has said that the table is gone.
What a name means in a statement is `penstock_core.sql`'s.
"""

from __future__ import annotations

from penstock_core.sql.decision import Decision

_NONE: frozenset[str] = frozenset()


class TemporaryTables:
    """Those of one session."""

    def __init__(self) -> None:
        self.names = _NONE
        # Made, and dropped, in the transaction: its rollback undoes that.
        self._made = _NONE
        self._dropped = _NONE

    def sent(self, decision: Decision) -> frozenset[str]:
        """A message is being sent; which of the tables that it makes are new, for `made`."""
        fresh = decision.temporary - self.names
        self.names |= decision.temporary
        # What a COMMIT in the same text keeps is not known.
        return _NONE if "commit" in decision.verbs else fresh

    def made(self, names: frozenset[str]) -> None:
        """The message that makes these was answered, in whatever way."""
        self._made |= names

    def dropped(self, names: frozenset[str] | None = None) -> None:
        """The server has dropped these; None: all of them."""
        gone = self.names if names is None else self.names & names
        self.names -= gone
        self._dropped |= gone

    def committed(self) -> None:
        """A transaction was committed."""
        self._made = self._dropped = _NONE

    def rolled_back(self) -> None:
        """A transaction, or a part of one, was undone: what it had dropped may be there again."""
        self.names |= self._dropped

    def transaction_ended(self, undone: bool) -> None:
        """No transaction is open any more."""
        if undone:
            self.names = (self.names | self._dropped) - self._made
        self._made = self._dropped = _NONE
