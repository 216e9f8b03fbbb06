"""Tickets at a gate with several databases: each is for one of them, and no answer tells which there are."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from tests.sidecar.proxy.conftest import Start
from tests.sidecar.proxy.harbour import Harbour
from tests.sidecar.proxy.ticketing import Place, Ticket, place, shown

from penstock_cli.demo.postgres import EmbeddedPostgres


@pytest.fixture
async def stand(start: Start, shop: EmbeddedPostgres, tmp_path: Path) -> AsyncIterator[Place]:
    async for one in place(start, shop, tmp_path):
        yield one


@pytest.fixture
async def harbour(stand: Place, shop16: EmbeddedPostgres, tmp_path: Path) -> AsyncIterator[Harbour]:
    (tmp_path / "harbour").mkdir()
    servers = {"front": stand.shop, "back": shop16, "till": stand.shop}
    collector = {"url": str(stand.collector.http.base_url), "tokenFile": str(stand.directory / "harbour.token")}
    one = await Harbour.made(tmp_path / "harbour", servers).start(collector=collector)
    yield one
    await one.proxy.stop()


async def ticket(harbour: Harbour, dbname: str, **claims: Any) -> Ticket:
    async with await harbour.open(dbname, **claims) as session:
        return await shown(session)


async def email(harbour: Harbour, one: Ticket, dbname: str, password: str = "") -> str:
    """What is read with a ticket, or what is said to who does not get in."""
    where = f"host=127.0.0.1 port={harbour.proxy.port} sslmode=disable dbname={dbname} user={one.user}"
    try:
        async with await psycopg.AsyncConnection.connect(where, password=password or one.password) as session:
            found = await (await session.execute("SELECT email FROM people")).fetchone()
            assert found is not None
            return str(found[0])
    except psycopg.OperationalError as error:
        return re.sub("port [0-9]+", "", str(error))


async def test_a_ticket_is_for_the_database_that_it_was_made_at(harbour: Harbour) -> None:
    one = await ticket(harbour, "front")
    for other in ("back", "till", "counter", "nowhere"):
        assert "the ticket is for another database of this gate" in await email(harbour, one, other)
    assert await email(harbour, one, "front") == await harbour.email("front")
    assert "the ticket was used before" in await email(harbour, one, "front")


@pytest.mark.parametrize("name", ["front", "back"])
async def test_where_two_have_one_name_the_ticket_says_which(harbour: Harbour, name: str) -> None:
    one = await ticket(harbour, name)
    assert await email(harbour, one, "quay") == await harbour.email(name)


async def test_who_has_proved_nothing_is_not_told_which_there_are(harbour: Harbour) -> None:
    one = await ticket(harbour, "front")
    names = ("front", "back", "quay", "till", "nowhere")
    unknown = one._replace(user="ticket-aaaqeayeaudaocajbifq")
    assert len({await email(harbour, unknown, name) for name in names}) == 1
    wrong = {await email(harbour, await ticket(harbour, "front"), name, password="wrong") for name in names}
    assert len(wrong) == 1
    assert "there is no such ticket at this gate" in wrong.pop()


async def test_a_database_whose_policies_went_is_not_opened_by_an_old_ticket(harbour: Harbour) -> None:
    one = await ticket(harbour, "till")
    database, policy = harbour.documents("till")
    policy["spec"]["subjects"] = [{"identity": {"groups": ["owners"]}}]
    harbour.put("till", database, policy)
    harbour.poll()
    said = await email(harbour, one, "till")
    assert 'there is no database "till" here that any policy opens to you' in said
