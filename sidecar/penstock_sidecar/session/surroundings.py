"""What a session's statements are made in, beside the search_path: its settings, its temporary tables.

The server turns literals and names into values and tables where a statement is prepared, declared or bound, by the
settings of then. What runs later by a name shows none of it. So each change begins surroundings of its own, by number;
what was made in others is not taken for what its text would mean by now. What follows for statements that an approval
may hold is `held_pipeline.py`'s.
"""

from __future__ import annotations

from penstock_core.sql.decision import Decision

# The verbs that end a transaction, or a part of one: what was set in it may be undone.
_ENDS = frozenset({"commit", "rollback", "prepare transaction"})


class Surroundings:
    """Those of one session, in the order of the messages."""

    def __init__(self) -> None:
        self.now = 0
        # They changed within the transaction, whose end may change them again.
        self._in_transaction = False

    def sent(self, decision: Decision, *, runs_changing: bool = False) -> None:
        """A text is being sent, or planned; `runs_changing`: what it runs by its name may change settings."""
        made = decision.holding
        # Where no policy has approvals, nothing is found out of what changes settings; there may be some later.
        changes = runs_changing or made is None or made.changes_settings
        if changes or decision.temporary or decision.drops_temporary or decision.drops_tables:
            self._in_transaction = True
            self.now += 1
        elif self._in_transaction and not _ENDS.isdisjoint(decision.verbs):
            self.now += 1

    def transaction_ended(self) -> None:
        """No transaction is open any more."""
        if self._in_transaction:
            self._in_transaction = False
            self.now += 1
