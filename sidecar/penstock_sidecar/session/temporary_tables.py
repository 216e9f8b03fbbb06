"""The names of what only a session has, in the order of the messages: its temporary tables, and what its open
transaction made and no catalog outside of it has yet.

A name comes and goes when the server has said so, for which later messages wait (`client_pipeline.py`). Where a text
does not tell which of its parts came to pass, a temporary table's name stays: taking a table for temporary that is not
refuses too much; the other way round it would be read as another. What the transaction made is forgotten instead: then
its name is one that nobody knows. What a name means in a statement is `penstock_core.sql`'s.
"""

from __future__ import annotations

from collections.abc import Callable

from penstock_core.sql.decision import Decision

_NONE: frozenset[str] = frozenset()
_NOTHING: frozenset[tuple[str, str]] = frozenset()


class TemporaryTables:
    """Those of one session, and what its transaction made; `forgot` is called when something of that is given up."""

    def __init__(self, forgot: Callable[[], None]) -> None:
        self.names = _NONE
        # By schema, empty where none was written, and name.
        self.made_here = _NOTHING
        self._forgot = forgot
        # Made, and dropped, in the transaction: its rollback undoes that.
        self._made = _NONE
        self._dropped = _NONE

    def made(self, decision: Decision, failed: bool) -> None:
        """A text was answered that makes some, or that changes what the transaction made."""
        committed = "commit" in decision.verbs
        self._forget(decision.unmakes)
        if failed and not committed:
            return
        # What was made before a COMMIT in the same text stays, and which that is is not known.
        self._made |= frozenset() if committed else decision.temporary - self.names
        self.names |= decision.temporary
        self.made_here |= _NOTHING if failed else decision.makes

    def dropped(self, names: frozenset[str] | None = None) -> None:
        """The server has dropped these; None: all of them."""
        gone = self.names if names is None else self.names & names
        self.names -= gone
        self._dropped |= gone

    def committed(self) -> None:
        """A transaction was committed."""
        self._made = self._dropped = _NONE
        self._forget(self.made_here)

    def rolled_back(self) -> None:
        """A transaction, or a part of one, was undone: what it had dropped may be there again."""
        self.names |= self._dropped
        self._forget(self.made_here)

    @property
    def made_by_schema(self) -> frozenset[tuple[str, str]]:
        """What the transaction made by names that mean the same under any search path."""
        return frozenset(one for one in self.made_here if one[0])

    def path_changed(self) -> None:
        """What bare names mean may be another."""
        self._forget(self.made_here - self.made_by_schema)

    def transaction_ended(self, undone: bool) -> None:
        """No transaction is open any more."""
        if undone:
            self.names = (self.names | self._dropped) - self._made
        self._made = self._dropped = _NONE
        if self.made_here:
            self._forget(self.made_here)

    def _forget(self, gone: frozenset[tuple[str, str]]) -> None:
        if not self.made_here.isdisjoint(gone):
            self.made_here -= gone
            self._forgot()
