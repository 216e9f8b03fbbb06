"""What one client presents to log in, a token or a ticket: judged, with the end of the session that follows from it.

How a token is verified is `tokens.py`'s, what tickets are `tickets.py`'s; when something is judged, the session says.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

import structlog

from penstock_sidecar.proxy.issuers import TokenError
from penstock_sidecar.proxy.tickets import TicketError, Tickets
from penstock_sidecar.proxy.tokens import Proof, claimed, seconds_left
from penstock_sidecar.session.commands import Challenge, Command, IssueTicket, Redeem, Verify
from penstock_sidecar.session.machine import Session
from penstock_sidecar.session.refusals import fatal
from penstock_sidecar.wire import scram_server

if TYPE_CHECKING:
    from penstock_sidecar.proxy.gateway import Gateway
    from penstock_sidecar.proxy.served_database import ServedDatabase

_log = structlog.get_logger(__name__)

# How long a session may go on with what is in flight after its token expired.
EXPIRY_GRACE_SECONDS = 30.0

Judged = Verify | Challenge | Redeem | IssueTicket


class Credentials:
    """Those of one connection."""

    def __init__(
        self, gateway: Gateway, only: ServedDatabase | None, session: Session,
        perform: Callable[[Iterable[Command]], None],
        later: Callable[[float, Callable[[], None]], None],
    ) -> None:  # fmt: skip
        self._gateway = gateway
        # The database that the session is with, whatever it asks for.
        self._only = only
        self._session = session
        self._perform = perform
        self._later = later
        # The token that was presented, once it is known to be good.
        self._token: Proof | None = None

    async def judge(self, command: Judged) -> None:
        """Do what the session asks for, and tell it what came of that."""
        session = self._session
        try:
            if isinstance(command, IssueTicket):
                await self._issue(command.database)
            elif isinstance(command, Verify):
                await self._verify(command.token)
            elif isinstance(command, Challenge):
                found = await self._tickets.salt(command.ticket)
                self._perform(session.challenged(found.raw, found.iterations, secrets.token_urlsafe(18)))
            else:
                await self._redeem(command)
        except TokenError as error:
            told = claimed(command.token) if isinstance(command, Verify) else {}
            self._perform(session.token_refused(str(error), error.remedy, told))
        except TicketError as error:
            self._refuse(command, error)
        except Exception as error:
            # A fault of ours: nobody is let in, and nobody kept waiting.
            _log.exception("a ticket could not be dealt with")
            self._refuse(command, TicketError(f"the gate failed ({type(error).__name__})", "report it", "XX000"))

    @property
    def _tickets(self) -> Tickets:
        """Raises TicketError."""
        if self._gateway.tickets is None:
            raise TicketError(
                "this gate has no tickets: it has no collector to keep them, or identity.tickets is false",
                "present the token itself",
                "0A000",
            )
        return self._gateway.tickets

    def _keys(self, meant: Callable[[ServedDatabase], bool]) -> dict[str, bytes]:
        """Of these Databases, what their gates have and nobody else."""
        found = {}
        for one in self._gateway.databases.values():
            bundle = one.rules_provider.bundle
            if bundle is not None and meant(one):
                found[one.name] = bundle.mask_key_bytes
        return found

    def _refuse(self, command: Judged, error: TicketError) -> None:
        if isinstance(command, IssueTicket):
            told = fatal(error.sqlstate, str(error), error.remedy)._replace(severity="ERROR")
            self._perform(self._session.ticket_refused(told))
        else:
            self._perform(self._session.token_refused(str(error), error.remedy, sqlstate=error.sqlstate))

    async def _verify(self, token: str) -> None:
        """Raises TokenError."""
        verifier = self._gateway.tokens
        if verifier is None:
            raise TokenError("no issuer of tokens is configured", "configure identity.issuers")
        self._token = await verifier.verify(token)
        self._begin(self._token)

    async def _redeem(self, redeem: Redeem) -> None:
        """Raises TicketError."""
        workload = self._gateway.workload.workload
        # A name that leads nowhere is judged like any other: which there are is told to nobody who has proved nothing.
        asked, only = redeem.dbname, self._only
        keys = self._keys(lambda one: one is only or (only is None and asked in (one.name, one.dbname)))
        found = await self._tickets.redeem(redeem, keys, workload)
        self._begin(found.proof, scram_server.final(found.signature), found.database)

    def _begin(self, proof: Proof, said: bytes = b"", bound_to: str = "") -> None:
        """The session begins, and ends with its token."""
        session, left = self._session, seconds_left(proof)
        self._later(left, lambda: self._perform(session.expired(at_once=False)))
        self._later(left + EXPIRY_GRACE_SECONDS, lambda: self._perform(session.expired(at_once=True)))
        self._perform(session.identified(proof.identity, said, bound_to))

    async def _issue(self, database: str) -> None:
        """A session that asks for a ticket. Raises TicketError."""
        if self._token is None:
            # What a stolen ticket opens must not open more and more.
            raise TicketError(
                "only a session that presented a token gets tickets", "connect with the token as the password", "42501"
            )
        key = self._keys(lambda one: one.name == database).get(database)
        if key is None:
            raise TicketError("no policy has been loaded yet", "try again in a moment", "57P03")
        made = await self._tickets.make(self._token, database, key)
        self._perform(self._session.ticket_made(made))
