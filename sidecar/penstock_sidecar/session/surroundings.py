"""What a session's statements are made in, beside the search_path: its settings, its temporary tables.

The server turns literals and names into values and tables where a statement is prepared, declared or bound, by the
settings of then. What runs later by a name shows none of it. So each change begins surroundings of its own, by number;
what was made in others is not taken for what its text would mean by now. What follows for statements that an approval
may hold is `held_pipeline.py`'s.
"""

from __future__ import annotations

from collections.abc import Sequence

from penstock_core.policy.holding import Holding
from penstock_core.sql.decision import Decision

# No setting has a blank in its name.
UNREAD = "settings by code of the database's own"
# The verbs that end a transaction, or a part of one: what was set in it may be undone.
_ENDS = frozenset({"commit", "rollback", "prepare transaction"})


class Surroundings:
    """Those of one session, in the order of the messages."""

    def __init__(self) -> None:
        self.now = 0
        # Since when code that nobody has read may have set what the server lists nowhere; 0: none has run.
        self.unread = 0
        # They changed within the transaction, whose end may change them again.
        self._in_transaction = False

    def sent(self, decision: Decision, ran: Sequence[Holding | None] = ()) -> None:
        """A text is being sent, or planned, with what it runs by names (None: nobody knows what that is).

        Where no policy has approvals, nothing is found out of what changes settings; there may be some later.
        """
        changes = any(one is None or one.changes_settings for one in (decision.holding, *ran))
        made = decision.holding
        if changes or decision.temporary or decision.drops_temporary or decision.drops_tables:
            self._in_transaction = True
            self.now += 1
            if (made is not None and made.sets_unknown) or any(one is None or one.sets_unknown for one in ran):
                self.unread = self.now
        elif self._in_transaction and not _ENDS.isdisjoint(decision.verbs):
            self.now += 1

    def told(self, session: str) -> dict[str, str]:
        """What an approval is for besides the settings that are known: this very session, as it is by now."""
        if not self.unread:
            return {}
        return {UNREAD: f"not known: those of session {session[:8]}, change {self.unread}"}

    def discarded(self) -> None:
        """The server has set all settings back, and nothing is on its way that could have set others."""
        self.unread = 0

    def transaction_ended(self) -> None:
        """No transaction is open any more."""
        if self._in_transaction:
            self._in_transaction = False
            self.now += 1
