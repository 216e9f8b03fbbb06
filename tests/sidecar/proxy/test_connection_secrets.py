"""What the gate writes into statements, the key of hash masks, is never told to a client by the server."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest
from tests.sidecar.proxy.conftest import MASKED

Start = Any


async def test_no_setting_makes_the_server_tell_of_rewritten_statements(start: Start, shop: Any) -> None:
    shop.psql("CREATE TABLE IF NOT EXISTS secret (email text)", dbname="shop")
    gate = await start(shop, governed=True, more=MASKED)
    shop.psql("ALTER ROLE penstock SET client_min_messages = debug5; ALTER ROLE penstock SET debug_print_parse = on")
    try:
        async with await gate.psycopg() as client:
            notices: list[str] = []
            client.add_notice_handler(lambda notice: notices.append(str(notice.message_primary)))
            for setting in ("SELECT 1", "RESET client_min_messages", "DISCARD ALL", "SELECT count(*) FROM things"):
                await client.execute(setting)
            assert notices == []
    finally:
        shop.psql("ALTER ROLE penstock RESET ALL")
    for level in ("debug5", "log"):
        with pytest.raises(psycopg.OperationalError, match="client_min_messages"):
            await gate.psycopg(options=f"-c client_min_messages={level}")
