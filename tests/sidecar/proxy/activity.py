"""Waiting for what a server does: until one of its processes runs a statement, or waits in it for something."""

from __future__ import annotations

import asyncio

import psycopg

from penstock_cli.demo.postgres import EmbeddedPostgres

_ACTIVE = """
SELECT 1 FROM pg_stat_activity
WHERE pid = %s AND state = 'active' AND (%s = '' OR %s IN (wait_event, wait_event_type))
"""


async def runs(server: EmbeddedPostgres, pid: int, waiting_for: str = "") -> None:
    """Until that process runs a statement; `waiting_for`: and waits in it for that event, or for one of that type."""
    async with await psycopg.AsyncConnection.connect(server.url(), autocommit=True) as looking:
        async with asyncio.timeout(20):
            while True:
                found = await looking.execute(_ACTIVE, (pid, waiting_for, waiting_for))
                if await found.fetchone():
                    return
                await asyncio.sleep(0.01)
