"""Who is there: by a token, a session, or a link that works once; and whether it still holds.

What doesn't belong: what a session is (`sessions.py`), the steps of signing in (`sign_in.py`), cookies and pages
(`web/login.py`).
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import replace

import structlog

from penstock_collector.auth.addresses import neighbourhood
from penstock_collector.auth.cluster_people import ClusterDownError, ClusterPeople, UnknownTokenError, lasts
from penstock_collector.auth.id_token import SignInError
from penstock_collector.auth.names import PersonNames
from penstock_collector.auth.personal_api import is_token
from penstock_collector.auth.pods import PodReaders
from penstock_collector.auth.provider import ProviderError
from penstock_collector.auth.sessions import Session, Sessions
from penstock_collector.auth.sign_in import SignedIn, SignIn
from penstock_collector.auth.token_file import Entry, TokenFile, fingerprint
from penstock_collector.auth.viewer import Viewer
from penstock_collector.sign_in_settings import SignInSettings

_log = structlog.get_logger(__name__)

SESSION_SECONDS = 12 * 3600.0
TICKET_SECONDS = 600.0
# A sign-in that can't be looked at again ends so soon, and one whose provider can't be reached goes on for so long.
UNCHECKED_SECONDS = 3600.0
# So many failed attempts of one address within the time, and it has to wait.
_FAILURES = 10
_FAILURE_SECONDS = 300.0
_MOST_ADDRESSES = 10_000
# As long as the tokens and tickets that our own programs make.
_TOO_LONG_TO_GUESS = 32


class TooManyFailures(Exception):
    """This address has failed too often of late."""


_LINKED = Viewer("login-link", how="link")


class Viewers:
    """Checks tokens, keeps sessions, and slows guessing down."""

    def __init__(
        self,
        file: TokenFile | None,
        clock: Callable[[], float] = time.monotonic,
        sign_in: SignIn | None = None,
        pods: PodReaders | None = None,
        settings: SignInSettings | None = None,
        cluster: ClusterPeople | None = None,
    ) -> None:
        self._file = file
        self._clock = clock
        self.sign_in = sign_in
        self.cluster = cluster
        self._pods = pods
        self._settings = settings or SignInSettings()
        self.sessions = Sessions(clock)
        self.names = PersonNames()
        self._tickets: dict[str, float] = {}
        self._failures: OrderedDict[str, deque[float]] = OrderedDict()

    def of_token(self, token: str, address: str) -> Viewer | None:
        """The viewer that a token stands for, or None. Raises TooManyFailures."""
        self._check_failures(address, token)
        viewer = self._viewer(fingerprint(token)) if token else None
        if viewer is None and token and self._pods is not None:
            viewer = self._pods.known(token)
        # Who sends none has guessed nothing; a form that did not arrive as a whole has none either.
        if viewer is None and token:
            self.fail(address)
        return viewer

    async def ask_about(self, token: str) -> None:
        """Before `of_token`: if the file does not know it, the API server may. Raises ReviewUnavailable."""
        if self._pods is not None and self._viewer(fingerprint(token)) is None:
            await self._pods.ask(token)

    def log_in(self, token: str, address: str) -> str | None:
        """A new session's secret for the cookie, or None if the token is wrong. Raises TooManyFailures."""
        viewer = self.of_token(token, address)
        # A pod has no browser, and its token is an hour's.
        if viewer is None or viewer.how == "pod":
            return None
        return self.sessions.begin(viewer, address, SESSION_SECONDS, token=fingerprint(token))[0]

    async def sign_in_by_token(self, token: str, address: str) -> str | None:
        """As `log_in`, and with a Kubernetes token where people have those. Raises TooManyFailures, SignInError."""
        cluster = self.cluster
        if (
            cluster is None
            or not cluster.sign_in
            or not is_token(token)
            or self._viewer(fingerprint(token)) is not None
        ):
            return self.log_in(token, address)
        self._check_failures(address, token)
        try:
            one = await cluster.known(token, stranger=True)
        except ClusterDownError:
            raise
        except UnknownTokenError:
            self.fail(address)
            return None
        except SignInError:
            self.fail(address)
            raise
        settings = self._settings
        seconds = min(settings.sign_in_hours * 3600, max(lasts(token), settings.sign_in_check_minutes * 60))
        idle = settings.sign_in_idle_minutes * 60
        return self.sessions.begin(one.viewer, address, seconds, idle=idle, on_cluster=one)[0]

    def issue_ticket(self) -> str:
        """What a link needs that logs in once, soon."""
        ticket = secrets.token_urlsafe(32)
        self._tickets[fingerprint(ticket)] = self._clock() + TICKET_SECONDS
        return ticket

    def redeem(self, ticket: str, address: str) -> str | None:
        """A new session's secret for a ticket's first use in time. Raises TooManyFailures."""
        self._check_failures(address, ticket)
        expires = self._tickets.pop(fingerprint(ticket), 0.0)
        if expires < self._clock():
            self.fail(address)
            return None
        return self.sessions.begin(_LINKED, address, SESSION_SECONDS)[0]

    def admit(self, signed_in: SignedIn, address: str) -> tuple[str, Viewer]:
        """A new session of who signed in with the provider: the secret for its cookie, and as whom."""
        self.names.learn(signed_in.person.names)
        hours = self._settings.sign_in_hours * 3600
        seconds = hours if signed_in.refresh_token else min(hours, UNCHECKED_SECONDS)
        idle = self._settings.sign_in_idle_minutes * 60
        viewer = _who(signed_in)
        secret, session = self.sessions.begin(viewer, address, seconds, idle=idle, signed_in=signed_in)
        return secret, self._of(session) or viewer

    def of_session(self, secret: str, *, by_person: bool = True) -> Viewer | None:
        """The viewer whose session the cookie's secret is, or None."""
        session = self.sessions.find(secret, by_person=by_person)
        if session is None:
            return None
        viewer = self._of(session)
        if viewer is None:
            self.sessions.drop(session)
        return viewer

    def log_out(self, secret: str) -> Session | None:
        """End a session; what it was."""
        return self.sessions.end(secret)

    async def look_again(self, secret: str) -> None:
        """Ask the provider, or the API server, about a session that it is time for, before it is used again."""
        session = self.sessions.find(secret, by_person=False)
        if session is not None and self._is_due(session):
            await self.look(session)

    async def look_at_watched(self) -> None:
        """The same for all that pages are open of."""
        due = [one for one in self.sessions.listed() if self._is_due(one) and one.watched > one.checked]
        await asyncio.gather(*(self.look(session) for session in due))

    def _is_due(self, session: Session) -> bool:
        can = session.on_cluster is not None or (
            session.signed_in is not None and bool(session.signed_in.refresh_token)
        )
        return can and self._clock() >= session.checked + self._settings.sign_in_check_minutes * 60

    async def look(self, session: Session) -> None:
        """One question for all who wait for its answer, which goes on when one of them leaves."""
        if not isinstance(session.checking, asyncio.Task):
            session.checking = asyncio.create_task(self._ask(session), name="look again")
        await asyncio.shield(session.checking)

    async def _ask(self, session: Session) -> None:
        who = {"name": session.viewer.name, "session": session.id}
        try:
            before = session.viewer
            session.viewer = await self._asked(session)
            session.checked = self._clock()
            if session.viewer.roles != before.roles:
                _log.info("a sign-in has other roles", roles=session.viewer.document()["roles"], **who)
                # What its open pages follow may no longer be theirs.
                self.sessions.ring()
        except (ProviderError, ClusterDownError) as error:
            if self._clock() >= session.checked + UNCHECKED_SECONDS:
                _log.warning("a sign-in has ended, since it can't be looked at", why=str(error), **who)
                self.sessions.drop(session)
        except SignInError as error:
            _log.info("a sign-in has ended", why=str(error), **who)
            self.sessions.drop(session)
        except Exception:
            # A fault of ours: what can't be looked at again does not go on.
            _log.exception("a sign-in could not be looked at again", **who)
            self.sessions.drop(session)
        finally:
            session.checking = None

    async def _asked(self, session: Session) -> Viewer:
        """As whom they are known now. Raises SignInError, ProviderError."""
        if session.on_cluster is not None and self.cluster is not None:
            session.on_cluster = await self.cluster.known(session.on_cluster.token)
            return session.on_cluster.viewer
        if session.signed_in is not None and self.sign_in is not None:
            session.signed_in = await self.sign_in.look_again(session.signed_in)
            self.names.learn(session.signed_in.person.names)
            return _who(session.signed_in)
        return session.viewer

    def _of(self, session: Session) -> Viewer | None:
        """As whom the session's person is known now."""
        if session.token:
            found = self._viewer(session.token)
            return replace(found, session=session.id) if found is not None else None
        viewer = replace(session.viewer, session=session.id)
        return viewer if viewer.how == "link" else self._with_names(viewer, ())

    def _viewer(self, sought: str) -> Viewer | None:
        """By a token's fingerprint, as the file has it now; of several lines the first counts."""
        entries = self._file.entries_of(sought) if self._file is not None else []
        if not entries:
            return None
        one = entries[0]
        return self._with_names(Viewer(one.name, one.kind, one.groups, one.also, _names(one), one.roles), (one,))

    def _with_names(self, viewer: Viewer, own: tuple[Entry, ...]) -> Viewer:
        """With all the names that are theirs: by the file, and by what the provider has said of them."""
        entries = self._file.entries() if self._file is not None else []
        lines = [_names(one) for one in entries if one not in own]
        also = self.names.all_of({viewer.name, viewer.subject or viewer.name, *viewer.also}, lines)
        # Names that somebody once signed in with take rights away, and give none: they may be anybody's choice.
        asks_as = viewer.asks_as
        while more := [one for one in lines if not one <= asks_as and _meet(one, asks_as)]:
            asks_as = asks_as.union(*more)
        return replace(viewer, also=also - {viewer.name.casefold()}, asks_as=asks_as)

    def _check_failures(self, address: str, secret: str) -> None:
        place = neighbourhood(address)
        failures = self._failures.get(place)
        # Behind a proxy, all have one address: who fails on purpose must not lock the others out.
        if failures is None or len(secret) >= _TOO_LONG_TO_GUESS:
            return
        while failures and failures[0] < self._clock() - _FAILURE_SECONDS:
            failures.popleft()
        if len(failures) >= _FAILURES:
            raise TooManyFailures

    def fail(self, address: str) -> None:
        """Somebody there tried in vain."""
        place = neighbourhood(address)
        self._failures.setdefault(place, deque(maxlen=_FAILURES)).append(self._clock())
        self._failures.move_to_end(place)
        while len(self._failures) > _MOST_ADDRESSES:
            self._failures.popitem(last=False)


def _names(entry: Entry) -> frozenset[str]:
    return frozenset({entry.name, *entry.also})


def _meet(some: frozenset[str], others: frozenset[str]) -> bool:
    """Whether they have a name in common, without regard to case."""
    return not {one.casefold() for one in some}.isdisjoint(one.casefold() for one in others)


def _who(signed_in: SignedIn) -> Viewer:
    person = signed_in.person
    return Viewer(
        person.name,
        "person",
        person.groups,
        person.names,
        person.own,
        signed_in.roles,
        "sign-in",
        person.issuer,
        person.subject,
    )
