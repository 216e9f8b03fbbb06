"""The names of a session's temporary tables, in the order of the messages: such a name means the session's own table.

A name comes and goes when the server has said so, for which later messages wait (`client_pipeline.py`). Where a text
does not tell which of its parts came to pass, a name stays: taking a table for temporary that is not refuses too much;
the other way round it would be read as another. What a name means in a statement is `penstock_core.sql`'s.
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

    def made(self, decision: Decision, failed: bool) -> None:
        """A text that makes some was answered."""
        committed = "commit" in decision.verbs
        if failed and not committed:
            return
        # What was made before a COMMIT in the same text stays, and which that is is not known.
        self._made |= frozenset() if committed else decision.temporary - self.names
        self.names |= decision.temporary

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
