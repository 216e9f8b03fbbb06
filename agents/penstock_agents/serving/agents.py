"""The agents that are served over HTTP: one for each identity and session of the protocol.

Who asks was verified before (`authorization.py`). Nothing of one identity's is ever found for another.
"""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from mcp.server.auth.middleware.bearer_auth import AuthenticatedUser
from mcp.server.auth.provider import AccessToken
from mcp_types.version import HANDSHAKE_PROTOCOL_VERSIONS

from penstock_agents.calls import Agent
from penstock_agents.gate.credentials import Credential
from penstock_agents.serving.protocol import Context, NoRoomError
from penstock_agents.serving.token_exchange import TokenExchange

# By whom, and in which session.
Key = tuple[str, str]


class _Served:
    """One agent, the token that it presented last, and how many calls it has under way."""

    def __init__(self, presented: AccessToken, exchange: TokenExchange, make: Callable[[Credential], Agent]) -> None:
        self.presented = presented
        self.calls = 0
        self._exchange = exchange
        self.agent = make(self._credential)

    async def _credential(self) -> str:
        claims = self.presented.claims or {}
        return await self._exchange.exchanged(self.presented.token, str(claims["sub"]))


class Agents:
    """All of them, at most so many."""

    def __init__(self, exchange: TokenExchange, make: Callable[[Credential], Agent], most: int) -> None:
        self._exchange = exchange
        self._make = make
        self._most = most
        self._served: OrderedDict[Key, _Served] = OrderedDict()

    @asynccontextmanager
    async def of(self, context: Context) -> AsyncIterator[Agent]:
        """Whose call it is. Raises NoRoomError."""
        presented, session = _asking(context)
        key = (name_of(presented), session)
        served = self._served.get(key)
        if served is None:
            await self._make_room()
            served = self._served.setdefault(key, _Served(presented, self._exchange, self._make))
        served.presented = presented
        served.calls += 1
        self._served.move_to_end(key)
        try:
            yield served.agent
        finally:
            served.calls -= 1

    async def close_idle(self, seconds: float) -> None:
        """Close what was not used so long. Requests that agents were told of stay theirs."""
        for served in list(self._served.values()):
            if not served.calls:
                await served.agent.session.close_if_idle(seconds)

    async def close(self) -> None:
        """End all."""
        while self._served:
            _, served = self._served.popitem()
            await served.agent.session.close()

    async def _make_room(self) -> None:
        if len(self._served) < self._most:
            return
        oldest = next((key for key, served in self._served.items() if not served.calls), None)
        if oldest is None:
            raise NoRoomError
        await self._served.pop(oldest).agent.session.close()


def name_of(presented: AccessToken) -> str:
    """What tells those who ask apart: who it is, and by which client."""
    return json.dumps([presented.client_id, presented.subject or ""])


def _asking(context: Context) -> tuple[AccessToken, str]:
    """Who asks, and in which session; only where sessions begin with a handshake are their ids checked to be theirs."""
    user = context.request.scope.get("user") if context.request is not None else None
    if not isinstance(user, AuthenticatedUser):
        raise PermissionError("a call without a verified token")
    shaken = context.protocol_version in HANDSHAKE_PROTOCOL_VERSIONS
    session = context.request.headers.get("mcp-session-id", "") if shaken and context.request is not None else ""
    return user.access_token, session
