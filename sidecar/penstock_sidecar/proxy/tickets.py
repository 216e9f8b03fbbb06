"""One-time tickets, as a gate makes and takes them: with the collector, which keeps what proves their secrets.

The secret itself is told to the client that asked for it, and kept nowhere. What doesn't belong: the exchange by which
a client proves it (`penstock_sidecar.wire.scram_server`), and what a ticket is bound to (`penstock_core.tickets`).
"""

from __future__ import annotations

import asyncio
import hmac
import secrets
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple, TypeVar
from urllib.parse import quote

import structlog

from penstock_core.identity import Workload
from penstock_core.tickets.ticket import (
    LIFE_SECONDS,
    MOST_BODY_BYTES,
    MOST_DATABASES,
    Bearer,
    Judged,
    Kept,
    Made,
    Proved,
    Salt,
    Standing,
    encoded,
    name_of,
    secret_of,
)
from penstock_core.tickets.verifier import Verifier
from penstock_sidecar.proxy.http_service import ANSWER_SECONDS, HttpService, ServiceError
from penstock_sidecar.proxy.tokens import Proof, seconds_left
from penstock_sidecar.session.commands import IssuedTicket, Redeem

_log = structlog.get_logger(__name__)

T = TypeVar("T")

# By how much the clocks of a gate's replicas may differ.
_CLOCKS_SECONDS = 30.0
# Questions at once: whoever can reach the gate can have it ask.
_AT_ONCE = 8
_AGAIN = "get a new one by SHOW penstock.ticket, in a session by token"


class TicketError(Exception):
    """There is no ticket, or it is not good; the text is one line for the client."""

    def __init__(self, reason: str, remedy: str = "", sqlstate: str = "28P01") -> None:
        super().__init__(reason)
        self.remedy = remedy
        self.sqlstate = sqlstate


class Redeemed(NamedTuple):
    """What a ticket opens: whose session, with which Database; and the gate's own proof to the client."""

    proof: Proof
    database: str
    signature: bytes


class Tickets:
    """The tickets of one gate, and of its replicas."""

    def __init__(
        self, url: str, owner: str, token_file: Path | None = None, ca_file: Path | None = None,
        *, answer_seconds: float = ANSWER_SECONDS,
    ) -> None:  # fmt: skip
        self._service = HttpService("keeper of tickets", url, token_file, ca_file, longest=2 * MOST_BODY_BYTES)
        self._url = f"{self._service.host}/v1/streams/{quote(owner, safe='')}/tickets"
        self._seconds = answer_seconds
        self._slots = asyncio.Semaphore(_AT_ONCE)

    async def make(self, proof: Proof, database: str, key: bytes) -> IssuedTicket:
        """A new ticket for whom that token named, sealed by a key of the gate and its replicas. Raises TicketError."""
        seconds = int(min(LIFE_SECONDS, seconds_left(proof)))
        if seconds < 1:
            raise TicketError("the session's token is about to expire", "log in again with a new token", "55000")
        name, secret = name_of(secrets.token_bytes(16)), secret_of(secrets.token_bytes(20))
        salt = await self.salt(name)
        # Milliseconds, during which others go on.
        verifier = await asyncio.to_thread(Verifier.of, secret, salt.raw, salt.iterations)
        made = Made(
            database=database, bearer=Bearer.of(proof.identity, int(proof.expires * 1000)), seconds=seconds,
            until_ms=int((time.time() + seconds) * 1000), stored_key=encoded(verifier.stored_key),
            server_key=encoded(verifier.server_key),
        )  # fmt: skip
        kept = await self._asked("PUT", name, made.sealed(name, _sealing(key)).written(), Kept.read)
        until = datetime.fromtimestamp(kept.until_ms // 1000, UTC)
        return IssuedTicket(name, secret, f"{until:%Y-%m-%dT%H:%M:%SZ}")

    async def salt(self, name: str) -> Salt:
        """What a client needs to prove the secret of that ticket, if there is one. Raises TicketError."""
        return await self._asked("GET", name, b"", Salt.read)

    async def redeem(self, redeem: Redeem, keys: Mapping[str, bytes], workload: Workload | None) -> Redeemed:
        """What the ticket opens, in that pod; it is used up by this. Raises TicketError.

        `keys`: of each Database that the client may mean, what tickets for it are sealed by.

        The collector says whether it was used before, and is believed in nothing else.
        """
        databases = tuple(keys)[:MOST_DATABASES]
        proved = Proved(databases=databases, exchange=encoded(redeem.exchange), proof=encoded(redeem.proof))
        judged = await self._asked("POST", f"{redeem.ticket}/use", proved.written(), Judged.read)
        made = judged.made
        if made is None:
            raise _refused(judged.standing)
        key = keys.get(made.database)
        if key is None:
            raise _refused("elsewhere")
        sealed = made.is_sealed(redeem.ticket, _sealing(key))
        if not sealed or not made.verifier.proved_by(redeem.proof, redeem.exchange):
            raise TicketError(
                "the ticket was not made by this gate, or was changed since",
                "see that all replicas of the gate have one mask key, and the collector is yours",
            )
        if made.until_ms / 1000 + _CLOCKS_SECONDS < time.time():
            raise _refused("expired")
        found = Proof(made.bearer.identity(workload), made.bearer.until_ms / 1000)
        if seconds_left(found) <= 0:
            raise TicketError("the token that the ticket was made with has expired", "log in again with a new token")
        return Redeemed(found, made.database, made.verifier.signature(redeem.exchange))

    async def close(self) -> None:
        """Nothing is asked any more."""
        await self._service.close()

    async def _asked(self, method: str, path: str, body: bytes, read: Callable[[bytes], T]) -> T:
        try:
            said = await self._exchange(method, f"{self._url}/{path}", body)
            found = self._read(*said, read)
        except ServiceError as error:
            self._service.note(str(error))
            raise TicketError(
                f"tickets can't be had or checked at the moment: {error}", "present the token itself", "57P03"
            ) from None
        self._service.note("")
        return found

    async def _exchange(self, method: str, url: str, body: bytes) -> tuple[int, bytes]:
        """Within the time, waiting for one's turn included. Raises ServiceError."""
        try:
            async with asyncio.timeout(self._seconds), self._slots:
                return await self._service.exchange(method, url, body, self._seconds)
        except TimeoutError:
            raise ServiceError(f"{self._service.called} is asked too much") from None

    def _read(self, status: int, body: bytes, read: Callable[[bytes], T]) -> T:
        if status == 429:
            raise TicketError(
                "too many tickets are open", "use those that you have, or wait until they have expired", "53400"
            )
        if status in (401, 403):
            raise ServiceError(f"{self._service.called} does not take tickets from this gate")
        if status != 200:
            raise ServiceError(f"{self._service.called} answers {status}")
        try:
            return read(body)
        except ValueError:
            raise ServiceError(self._service.odd) from None


def _sealing(key: bytes) -> bytes:
    """What tickets are sealed by, from the key that all gates of a Database have."""
    return hmac.digest(key, b"penstock tickets", "sha256")


def _refused(standing: Standing) -> TicketError:
    """A ticket that was proved, and is not good; or that was not proved, and may not even be one."""
    match standing:
        case "used":
            return TicketError("the ticket was used before: one is good for one session", _AGAIN)
        case "expired":
            return TicketError("the ticket has expired", _AGAIN)
        case "void":
            return TicketError("the ticket is void: a wrong secret was tried with it several times", _AGAIN)
        case "elsewhere":
            return TicketError("the ticket is for another database of this gate", "connect to the one that it is for")
        case _:
            return TicketError("there is no such ticket at this gate, or its secret is another", _AGAIN)
