"""The end of access for a time, for a session that used it.

What a session made while it saw more than it may see now could hold values: temporary tables, settings of its own,
cursors and prepared statements with their rows and plans. So it does not outlive the access by which it sent anything,
and what it runs then is cancelled. A session that used none of it goes on by the rules of now. What was used within the
context of a transaction is of no consequence behind it, since nothing of a context outlasts it.
"""

from __future__ import annotations

from collections.abc import Iterable

from penstock_core.resources.grant import Grant
from penstock_sidecar.session.refusals import fatal
from penstock_sidecar.wire.messages import ErrorFields


class FormerAccess:
    """By which access anything was decided that a session sent, or is about to."""

    def __init__(self) -> None:
        self._used: dict[str, Grant] = {}
        # That of the session itself, while a context holds.
        self._own: dict[str, Grant] = {}

    def used(self, access: Iterable[Grant]) -> None:
        """A statement was decided while that lasts."""
        for one in access:
            self._used.setdefault(one.request, one)

    def over(self, access: Iterable[Grant], own: Iterable[Grant] = ()) -> Grant | None:
        """One of them that lasts no more, if any does. `own`: what the session itself has, while a context holds."""
        names, names_of_own = {one.request for one in access}, {one.request for one in own}
        gone = (one for name, one in self._used.items() if name not in names)
        gone_of_own = (one for name, one in self._own.items() if name not in names_of_own)
        return next(gone, None) or next(gone_of_own, None)

    def context_begins(self) -> None:
        """From here on it is another's access that counts."""
        self._own, self._used = self._used, {}

    def context_ends(self) -> None:
        """It is the session's own again."""
        self._own, self._used = {}, self._own


def ended(one: Grant) -> ErrorFields:
    """What the client reads."""
    return fatal("57P01", f"the access by policy {one.policy} (request {one.request}) has ended", "connect again")
