"""One agent over standard input and output: the client starts this program, and ends it by closing its input."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from mcp.server.stdio import stdio_server

from penstock_agents.calls import Agent
from penstock_agents.gate.requests import CollectorRequests
from penstock_agents.gate.session import GateSession
from penstock_agents.serving.idle import closing_idle
from penstock_agents.serving.protocol import Context, mcp_server
from penstock_agents.settings import Settings
from penstock_agents.tools.offered import offered


async def serve(settings: Settings) -> None:
    """Serve until the client has gone."""
    limits = settings.limits
    session = GateSession(settings.gate, settings.credential(), limits.statement_seconds)
    requests = CollectorRequests(settings.collector) if settings.collector is not None else None
    agent = Agent(session, limits, requests)

    @asynccontextmanager
    async def the_agent(_context: Context) -> AsyncIterator[Agent]:
        yield agent

    @asynccontextmanager
    async def lifespan(_server: object) -> AsyncIterator[None]:
        try:
            async with closing_idle(session.close_if_idle):
                yield
        finally:
            await session.close()

    tools = offered(writes=not settings.read_only, follows=requests is not None)
    server = mcp_server(tools, the_agent, lifespan)
    async with stdio_server() as (received, sent):
        await server.run(received, sent, server.create_initialization_options())
