"""The end of access for a time, for a session that used it.

What a session made while it saw more than it may see now could hold values: temporary tables, settings of its own,
cursors and prepared statements with their rows and plans. So it does not outlive the access by which it sent anything,
and what it runs then is cancelled. A session that used none of it goes on by the rules of now.
"""

from __future__ import annotations

from collections.abc import Iterable

from penstock_core.resources.grant import Grant
from penstock_sidecar.session.refusals import fatal
from penstock_sidecar.wire.messages import ErrorFields


class FormerAccess:
    """By which access a session sent anything."""

    def __init__(self) -> None:
        self._used: dict[str, Grant] = {}

    def used(self, access: Iterable[Grant]) -> None:
        """A statement is being sent while that lasts."""
        for one in access:
            self._used.setdefault(one.request, one)

    def over(self, access: Iterable[Grant]) -> Grant | None:
        """One of them that lasts no more, if there is any."""
        names = {one.request for one in access}
        return next((one for name, one in self._used.items() if name not in names), None)


def ended(one: Grant) -> ErrorFields:
    """What the client reads."""
    return fatal("57P01", f"the access by policy {one.policy} (request {one.request}) has ended", "connect again")
