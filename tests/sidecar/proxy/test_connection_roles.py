"""Roles of the server at a gate: who a session is stays who its client proved to be, alone and within a context."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from tests.sidecar.proxy.contexts import ALONE, STAFF, prepare, seen, set_local

Start = Any


@pytest.fixture(scope="module")
def contextual(shop: Any) -> Iterator[Any]:
    """A server that would let the login have another role."""
    prepare(shop)
    shop.psql("CREATE ROLE insiders; GRANT insiders TO penstock")
    yield shop
    shop.psql("DROP ROLE insiders")


async def refused(session: Any, text: str, *parameters: Any) -> Any:
    with pytest.raises(psycopg.Error) as caught:
        await session.execute(text, parameters or None)
    return caught.value


async def test_roles_beside_it_change_nothing(running: Any) -> None:
    async with await running.psycopg() as session:
        await session.execute("BEGIN")
        await session.execute(set_local())
        for text in ("SET ROLE NONE", "SET SESSION AUTHORIZATION DEFAULT", "RESET ALL"):
            await session.execute(text)
            assert await seen(session) == STAFF
        assert (await refused(session, "SET ROLE postgres")).sqlstate == "42501"


OTHER_ROLES = {
    "SET ROLE insiders": "setting role may not name another role",
    "SET LOCAL ROLE insiders": "setting role may not name another role",
    "SET role TO 'insiders'": "setting role may not name another role",
    "SELECT set_config('role', 'insiders', false)": "setting role may not name another role",
    "SELECT set_config('role', %s, false)": "setting role may not name another role",
    "SET SESSION AUTHORIZATION insiders": "setting session_authorization may not name another role",
    "SET LOCAL SESSION AUTHORIZATION insiders": "setting session_authorization may not name another role",
    "SELECT set_config('session_authorization', 'insiders', true)": "session_authorization may not name another role",
    "DO $$BEGIN SET ROLE insiders; END$$": "DO",
    "CREATE FUNCTION disguised() RETURNS int LANGUAGE sql SET role = 'insiders' AS 'SELECT 1'": "CREATE FUNCTION",
    "ALTER ROLE penstock SET role = 'insiders'": "ALTER ROLE",
}


@pytest.mark.parametrize("text", OTHER_ROLES)
async def test_nobody_takes_another_role(running: Any, text: str) -> None:
    """Alone and within a context, in one line of the gate's."""
    parameters = ("insiders",) if "%s" in text else ()
    async with await running.psycopg() as session:
        for vouched, shown in ((False, ALONE), (True, STAFF)):
            await session.execute("BEGIN")
            if vouched:
                await session.execute(set_local())
            error = await refused(session, text, *parameters)
            assert (error.sqlstate, error.diag.message_primary.startswith("penstock: ")) == ("42501", True)
            assert OTHER_ROLES[text] in error.diag.message_primary
            await session.execute("ROLLBACK")
            await session.execute("BEGIN")
            if vouched:
                await session.execute(set_local())
            assert await seen(session) == shown
            found = await session.execute("SELECT current_user, session_user")
            assert await found.fetchone() == ("penstock", "penstock")
            await session.execute("COMMIT")
