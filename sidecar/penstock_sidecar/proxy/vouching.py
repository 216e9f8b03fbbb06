"""The contexts of one connection: whether a token is good, by which rules its transaction is decided, when that ends.

What is in a token is `context_tokens.py`'s, what the session makes of it `penstock_sidecar.session`'s.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from penstock_core.policy.effective import EffectivePolicy
from penstock_core.sql.decision import Denial
from penstock_sidecar.proxy.issuers import TokenError
from penstock_sidecar.proxy.tokens import seconds_left
from penstock_sidecar.proxy.upstream import UpstreamError
from penstock_sidecar.session.commands import VerifyContext, Vouched

if TYPE_CHECKING:
    from penstock_sidecar.proxy.connection import Connection
    from penstock_sidecar.proxy.gateway import Gateway

# How long a statement may go on that began before its context expired.
GRACE_SECONDS = 30.0


class Vouching:
    """Finds out for one connection whom its transactions are for."""

    def __init__(self, connection: Connection, gateway: Gateway) -> None:
        self._connection = connection
        self._gateway = gateway
        self._timer: asyncio.TimerHandle | None = None

    async def decide(self, command: VerifyContext) -> None:
        """Verify the token, have the rules made, and tell the session."""
        session, ticket = self._connection.session, command.ticket
        try:
            vouched = await self._vouched(command.token)
        except TokenError as error:
            denial = Denial(f"the context is refused: {error}", error.remedy, sqlstate="28000")
            self._connection.perform(session.vouched(ticket, None, denial))
        except UpstreamError as error:
            reason = error.fields.message.removeprefix("penstock: ")
            denial = Denial(f"the context can't be used: {reason}", error.fields.hint, sqlstate=error.fields.sqlstate)
            self._connection.perform(session.vouched(ticket, None, denial))
        else:
            self._watch(ticket, vouched.seconds)
            self._connection.perform(session.vouched(ticket, vouched))

    async def _vouched(self, token: str) -> Vouched:
        """Raises TokenError and UpstreamError."""
        gateway, connection = self._gateway, self._connection
        if gateway.contexts is None:
            raise TokenError("no issuer of contexts is configured", "configure identity.issuers[].context")
        proof = await gateway.contexts.verify(token, connection.session.own_identity)
        while True:
            # From here to the session's answer nothing else happens: a revocation that comes later finds it changed.
            if (why := connection.rules_provider.revoked(proof.identity)) is not None:
                raise TokenError(why.message, why.remedy)
            if (left := seconds_left(proof)) <= 0:
                raise TokenError("the token has expired", "get a new one")
            rules = connection.rules_for(proof.identity)
            if isinstance(rules.policy, EffectivePolicy) and rules.policy.enforced is rules.policy.observed is None:
                # Not even a ROLLBACK could be sent.
                raise TokenError(f"no policy is for {proof.identity.name}, so that nothing is allowed", "ask for one")
            if rules.ready:
                return Vouched(proof.identity, rules, left)
            await connection.rules_provider.rules(proof.identity, connection.client_address)

    def _watch(self, ticket: int, seconds: float) -> None:
        self.stop()
        self._timer = asyncio.get_running_loop().call_later(seconds + GRACE_SECONDS, self._overdue, ticket)

    def _overdue(self, ticket: int) -> None:
        """The context expired, and something may run in it still; what comes next in it is refused anyway."""
        upstream = self._connection.upstream
        if upstream is not None and self._connection.session.runs_within(ticket):
            self._gateway.interrupt(upstream)

    def stop(self) -> None:
        """Nobody needs to look any more."""
        if self._timer is not None:
            self._timer.cancel()
