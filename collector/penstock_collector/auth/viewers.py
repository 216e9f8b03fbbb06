"""Who may read, and who of them decide: viewers with a token, their sessions, and the link that logs in once.

What doesn't belong: cookies and pages (`web/login.py`).
"""

from __future__ import annotations

import secrets
import time
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass

from penstock_collector.auth.token_file import TokenFile, fingerprint
from penstock_core.approvals.four_eyes import Approver, objection
from penstock_core.identity import PrincipalKind
from penstock_core.resources.access_request import AccessRequestSpec

SESSION_SECONDS = 12 * 3600.0
TICKET_SECONDS = 600.0
_MOST_SESSIONS = 10_000
# So many failed attempts of one address within the time, and it has to wait.
_FAILURES = 10
_FAILURE_SECONDS = 300.0
_MOST_ADDRESSES = 10_000
# As long as the tokens and tickets that our own programs make.
_TOO_LONG_TO_GUESS = 32


class TooManyFailures(Exception):
    """This address has failed too often of late."""


@dataclass(frozen=True, slots=True)
class Viewer:
    """Somebody who may read."""

    name: str
    kind: PrincipalKind = "person"
    groups: frozenset[str] = frozenset()
    also: frozenset[str] = frozenset()
    # False for a session that a link began: whoever had the link may be anybody.
    known: bool = True

    def may_see_text(self, spec: AccessRequestSpec) -> bool:
        """Whether they see the statement of a request, which holds values: whom its rule asks for approval."""
        return not self.groups.isdisjoint(spec.approvers)

    def objection(self, spec: AccessRequestSpec) -> str:
        """Why they may not decide a request, in one line; empty if they may."""
        return self.unknown or objection(spec, self.approver())

    @property
    def unknown(self) -> str:
        """Why nobody knows who they are; empty if that is known."""
        return "" if self.known else "a login link proves nobody: log in with a viewer token of your own to decide"

    def approver(self) -> Approver:
        """As whom they decide; who came by a link acts for somebody else, and so may not."""
        return Approver(self.name, self.kind, self.groups, self.also, delegated=not self.known)


_LINKED = Viewer("login-link", known=False)


@dataclass(frozen=True, slots=True)
class _Session:
    # Who it was when it began; what the token file says since then counts.
    viewer: Viewer
    # The fingerprint of the token it was made with, to end it when that is taken away; "" for a ticket.
    token: str
    expires: float


class Viewers:
    """Checks tokens, keeps sessions in memory (a restart ends them), and slows guessing down."""

    def __init__(self, file: TokenFile | None, clock: Callable[[], float] = time.monotonic) -> None:
        self._file = file
        self._clock = clock
        self._sessions: OrderedDict[str, _Session] = OrderedDict()
        self._tickets: dict[str, float] = {}
        self._failures: OrderedDict[str, deque[float]] = OrderedDict()

    def of_token(self, token: str, address: str) -> Viewer | None:
        """The viewer that a token stands for, or None. Raises TooManyFailures."""
        self._check_failures(address, token)
        viewer = self._viewer(fingerprint(token)) if token else None
        if viewer is None:
            self._fail(address)
        return viewer

    def log_in(self, token: str, address: str) -> str | None:
        """A new session's secret for the cookie, or None if the token is wrong. Raises TooManyFailures."""
        viewer = self.of_token(token, address)
        return (
            self._begin(_Session(viewer, fingerprint(token), self._clock() + SESSION_SECONDS))
            if viewer is not None
            else None
        )

    def redeem(self, ticket: str, address: str) -> str | None:
        """A new session's secret for a ticket that was not used yet, or None. Raises TooManyFailures."""
        self._check_failures(address, ticket)
        expires = self._tickets.pop(fingerprint(ticket), None)
        if expires is None or expires < self._clock():
            self._fail(address)
            return None
        return self._begin(_Session(_LINKED, "", self._clock() + SESSION_SECONDS))

    def issue_ticket(self) -> str:
        """A ticket that logs in once, within ten minutes."""
        ticket = secrets.token_urlsafe(24)
        self._tickets[fingerprint(ticket)] = self._clock() + TICKET_SECONDS
        return ticket

    def of_session(self, secret: str) -> Viewer | None:
        """The viewer whose session the cookie's secret is, or None."""
        key = fingerprint(secret)
        session = self._sessions.get(key)
        if session is None:
            return None
        viewer = self._viewer(session.token) if session.token else session.viewer
        if viewer is None or session.expires < self._clock():
            del self._sessions[key]
            return None
        return viewer

    def log_out(self, secret: str) -> None:
        """End a session; unknown ones are no matter."""
        self._sessions.pop(fingerprint(secret), None)

    def _viewer(self, sought: str) -> Viewer | None:
        """By a token's fingerprint, as the file has it now; of several lines the first counts."""
        entries = self._file.entries_of(sought) if self._file is not None else []
        return Viewer(entries[0].name, entries[0].kind, entries[0].groups, entries[0].also) if entries else None

    def _begin(self, session: _Session) -> str:
        secret = secrets.token_urlsafe(32)
        self._sessions[fingerprint(secret)] = session
        while len(self._sessions) > _MOST_SESSIONS:
            self._sessions.popitem(last=False)
        return secret

    def _check_failures(self, address: str, secret: str) -> None:
        failures = self._failures.get(address)
        # Behind a proxy, all have one address: who fails on purpose must not lock the others out.
        if failures is None or len(secret) >= _TOO_LONG_TO_GUESS:
            return
        while failures and failures[0] < self._clock() - _FAILURE_SECONDS:
            failures.popleft()
        if len(failures) >= _FAILURES:
            raise TooManyFailures

    def _fail(self, address: str) -> None:
        self._failures.setdefault(address, deque(maxlen=_FAILURES)).append(self._clock())
        self._failures.move_to_end(address)
        while len(self._failures) > _MOST_ADDRESSES:
            self._failures.popitem(last=False)
