"""Sessions of browsers: who each is, until when, and which of them are to be looked at again. In memory: a restart ends
them.

What doesn't belong: how one begins (`viewers.py`, `sign_in.py`), the cookie (`web/login.py`).
"""

from __future__ import annotations

import secrets
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

from penstock_collector.auth.cluster_people import ClusterSignIn
from penstock_collector.auth.sign_in import SignedIn
from penstock_collector.auth.token_file import fingerprint
from penstock_collector.auth.viewer import Viewer

MOST_SESSIONS = 10_000
# Of one person; the one that was used least lately ends.
MOST_OF_ONE = 50


@dataclass(slots=True)
class Session:
    """One browser's."""

    key: str
    # What it is called where its secret must not be.
    id: str
    # Who it was when it began; of a token, what its file says since then counts.
    viewer: Viewer
    # The fingerprint of the token that it was made with, "" for others.
    token: str
    address: str
    began: float
    # When its person last asked for something, and when an open page last did so by itself.
    used: float
    watched: float
    # By the clock of the sessions; without use, it ends `idle` after the last.
    expires: float
    idle: float
    # Of those that signed in with the provider: by what, and when the provider last said so.
    signed_in: SignedIn | None = None
    # Of those that signed in with a Kubernetes token: that, and whom the API server knows by it.
    on_cluster: ClusterSignIn | None = None
    # The fingerprint of a token that the API server did not take, "" if there is none.
    not_taken: str = ""
    checked: float = 0.0
    checking: object = field(default=None, repr=False)

    @property
    def viewer_named(self) -> Viewer:
        """Who it is, with the name of the session."""
        return replace(self.viewer, session=self.id)

    def ended(self, now: float) -> bool:
        return now >= self.expires or now >= self.used + self.idle


class Sessions:
    """All of them."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        # Least lately used first.
        self._all: OrderedDict[str, Session] = OrderedDict()
        # Called when one ends or may less, so that what it follows stops.
        self.on_end: list[Callable[[], None]] = []

    def begin(
        self,
        viewer: Viewer,
        address: str,
        seconds: float,
        *,
        idle: float = float("inf"),
        token: str = "",
        signed_in: SignedIn | None = None,
        on_cluster: ClusterSignIn | None = None,
    ) -> tuple[str, Session]:
        """A new session, and the secret for its cookie, which is kept nowhere."""
        secret, now = secrets.token_urlsafe(32), self._clock()
        session = Session(
            fingerprint(secret), secrets.token_hex(4), viewer, token, address, now, now, now, now + seconds, idle,
            signed_in, on_cluster, checked=now,
        )  # fmt: skip
        of_them = [one for one in self._all.values() if one.viewer.is_same(viewer)]
        for surplus in of_them[: max(0, len(of_them) + 1 - MOST_OF_ONE)]:
            self._end(surplus.key)
        self._all[session.key] = session
        while len(self._all) > MOST_SESSIONS:
            self._end(next(iter(self._all)))
        return secret, session

    def find(self, secret: str, *, by_person: bool = True) -> Session | None:
        """The session of a cookie; asked for by an open page alone, it is watched and not used."""
        key = fingerprint(secret)
        session = self._all.get(key)
        if session is None:
            return None
        now = self._clock()
        if session.ended(now):
            self._end(key)
            return None
        session.watched = now
        if by_person:
            session.used = now
            self._all.move_to_end(key)
        return session

    def end(self, secret: str) -> Session | None:
        """End the session of a cookie; what it was."""
        return self._end(fingerprint(secret))

    def end_by_id(self, id_: str) -> Session | None:
        """End somebody's session; what it was, None if there is no such."""
        found = next((one for one in self._all.values() if one.id == id_), None)
        return self._end(found.key) if found is not None else None

    def drop(self, session: Session) -> None:
        """End it, if that did not happen meanwhile."""
        self._end(session.key)

    def listed(self) -> Iterator[Session]:
        """Those that have not ended, latest used first."""
        now = self._clock()
        return (one for one in reversed(list(self._all.values())) if not one.ended(now))

    def end_what_is_over(self) -> None:
        """Let go of those whose time is over, and of what they were made with, whether somebody comes back or not."""
        now = self._clock()
        for key in [key for key, one in self._all.items() if one.ended(now)]:
            self._end(key)

    def ring(self) -> None:
        """Those who follow look whether they still may."""
        for told in self.on_end:
            told()

    def _end(self, key: str) -> Session | None:
        session = self._all.pop(key, None)
        if session is not None:
            self.ring()
        return session
