"""What is known of a session's search_path, in the order of the messages: by it, bare names are decided about.

A message that may change it makes it unknown (None) from when it is sent until the server has said, at the next
ReadyForQuery, what it is. Servers before PostgreSQL 18 never say; there it becomes known again when the session resets
it. What a path means for names is `penstock_core.sql`'s.
"""

from __future__ import annotations

import re

from penstock_core.sql.decision import Decision

# The verbs that end a transaction, or a part of one: what was set in it may be undone.
_ENDS = frozenset({"commit", "rollback", "prepare transaction"})
_NAME = re.compile(r'\s*(?:"((?:[^"]|"")*)"|([^\s,"]+))\s*(?:,|$)')
_USER = "$user"

Path = tuple[str, ...] | None


class SearchPath:
    """The search_path of one session."""

    def __init__(self) -> None:
        # That of the session's beginning, and whether the client chose it.
        self._default: Path = ()
        self._chosen = False
        # The login, which `$user` means.
        self._user = ""
        # The server's own word for the path of a new session, and for the one it has; None where it says none.
        self._initial: str | None = None
        self._reported: str | None = None
        self._path: Path = ()
        # What is in flight and may change it, and how many of these were answered since the last ReadyForQuery.
        self._moving = 0
        self._moved = 0
        # The last of the answered ones set it back to the session's default.
        self._reset = False
        # It was changed within the transaction, whose end may change it again.
        self._in_transaction = False
        # Something was prepared or declared in SQL that changes it whenever it runs.
        self._prepared = False

    def begin(self, default: tuple[str, ...], chosen: str | None, user: str, initial: str | None) -> None:
        """The session begins with the path that the client chose, or that of the gate's login."""
        self._user, self._initial, self._reported = user, initial, initial
        self._chosen = chosen is not None
        self._default = default if chosen is None else self.read(chosen)
        self._path = self._default

    def replace_default(self, default: tuple[str, ...]) -> None:
        """The path that the gate's login begins with is another, or means another."""
        if self._chosen:
            return
        if self._path == self._default:
            self._path = default
        self._default = default

    @property
    def now(self) -> Path:
        """The path that a message sent now is run with; None where that is not known."""
        return None if self._moving else self._path

    @property
    def moving(self) -> bool:
        """Whether it may be another by the time that a message sent now is run."""
        return self._moving > 0

    def sent(self, decision: Decision) -> bool:
        """A message is being sent; whether it may change the path, so that `answered` has to be told."""
        moves = (
            decision.changes_search_path
            or (self._prepared and bool(decision.executes or decision.fetches))
            or (self._in_transaction and not _ENDS.isdisjoint(decision.verbs))
        )
        if moves:
            self._moving += 1
            # Whether it is there when it is run does not show in the text that runs it.
            self._prepared |= bool(decision.prepares or decision.declares)
        return moves

    def answered(self, decision: Decision | None) -> None:
        """Such a message was answered, or skipped (None)."""
        self._moved += 1
        self._reset = decision is not None and decision.resets_search_path and _ENDS.isdisjoint(decision.verbs)

    def report(self, value: str) -> None:
        """The server said what the path is. It does so before ReadyForQuery."""
        self._reported = value
        if not self._moving:
            self._path = self._meaning(value)

    def ready(self, status: bytes, rolled_back: bool) -> None:
        """The server is ready for the next query: all that was answered is done."""
        if not self._moved:
            if status == b"I":
                self._in_transaction = False
            return
        self._moving -= self._moved
        self._moved = 0
        self._in_transaction = status != b"I"
        if self._reported is not None:
            self._path = self._meaning(self._reported)
        else:
            self._path = self._default if self._reset and status == b"I" and not rolled_back else None

    def _meaning(self, value: str) -> Path:
        return self._default if value == self._initial else self.read(value)

    def read(self, value: str) -> Path:
        """A path as the setting holds it; None where only the server can say what it means.

        One that names pg_catalog or pg_temp is of that kind: it changes what comes before what.
        """
        names: list[str] = []
        at = 0
        while at < len(value.rstrip()):
            found = _NAME.match(value, at)
            if found is None:
                return None
            name = found[2].lower() if found[2] is not None else found[1].replace('""', '"')
            if name == _USER:
                name = self._user
            if name.startswith("pg_") or not (not name or (name.isidentifier() and name.isascii())):
                return None
            if name:
                # No schema is called "".
                names.append(name)
            at = found.end()
        return tuple(names)
