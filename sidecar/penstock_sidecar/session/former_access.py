"""The end of access for a time, for a session that used it.

What a session made while it saw more than it may see now could hold values: temporary tables, settings of its own,
cursors and prepared statements with their rows and plans. So it does not outlive the access by which it sent anything,
and what it runs then is cancelled. A session that used none of it goes on by the rules of now.

Within a context, the access is another's: the application's for that person, beside the session's own. Nothing outlasts
its transaction, so what was used there is of no account when that is over.
"""

from __future__ import annotations

from collections.abc import Iterable

from penstock_core.resources.grant import Grant
from penstock_sidecar.session.refusals import fatal
from penstock_sidecar.wire.messages import ErrorFields


class FormerAccess:
    """By which access a session sent anything."""

    def __init__(self) -> None:
        self._own: dict[str, Grant] = {}
        self._within: dict[str, Grant] = {}

    def used(self, access: Iterable[Grant], *, within: bool = False) -> None:
        """A statement is being sent while that lasts; `within` a context, of which it is then."""
        used = self._within if within else self._own
        for one in access:
            used.setdefault(one.request, one)

    def context_ended(self) -> None:
        """The transaction that had a context is over."""
        self._within.clear()

    def over(self, own: Iterable[Grant], within: Iterable[Grant] = ()) -> Grant | None:
        """One of them that lasts no more, if there is any: what lasts is the session's own, and the context's."""
        for used, lasts in ((self._own, own), (self._within, within)):
            names = {one.request for one in lasts}
            if (over := next((one for name, one in used.items() if name not in names), None)) is not None:
                return over
        return None


def ended(one: Grant) -> ErrorFields:
    """What the client reads."""
    return fatal("57P01", f"the access by policy {one.policy} (request {one.request}) has ended", "connect again")
