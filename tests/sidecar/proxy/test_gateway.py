"""A session through the whole proxy, as clients see it."""

from __future__ import annotations

from typing import Any

Start = Any


async def test_a_client_selects(start: Start, shop: Any) -> None:
    gate = await start(shop)
    async with await gate.psycopg() as client:
        cursor = await client.execute("SELECT 1 + 1")
        assert await cursor.fetchone() == (2,)
