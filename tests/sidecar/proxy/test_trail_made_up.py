"""The trail beside the server's own log, the client's answers and what is left in a table, of made-up conversations."""

from __future__ import annotations

import asyncio
import itertools
import random
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.sidecar.proxy import made_up, server_log
from tests.sidecar.proxy.conftest import MASKED, Running, Start, _with_shop
from tests.sidecar.proxy.made_up import MadeUp
from tests.sidecar.proxy.raw import Message, Pair
from tests.sidecar.proxy.test_trail_beside_log import SCHEMA, compared
from tests.sidecar.spooled import pending

from penstock_cli.demo.postgres import EmbeddedPostgres
from penstock_core.audit.event import BEGINS, ENDS, Event

STEPS = 12
_MARK = re.compile(r"(?!PREPARE).*INSERT INTO told\.marks (?:AS )?m(\d+)\b")
_numbers = itertools.count()


@pytest.fixture(scope="module")
def server(open_directory: Path) -> Iterator[EmbeddedPostgres]:
    settings = {**server_log.SETTINGS, "max_prepared_transactions": "50"}
    started = EmbeddedPostgres.start(open_directory / "making", settings=settings)
    _with_shop(started).psql(f"{SCHEMA} RESET ROLE; {made_up.SCHEMA}", dbname="shop")
    yield started
    started.stop()


@pytest.mark.timeout(600)
@pytest.mark.parametrize("more", ["", MASKED], ids=["plain", "masked"])
@pytest.mark.parametrize("on_failure", ["continue", "block"])
@pytest.mark.parametrize("seeds", [range(8), pytest.param(range(8, 200), marks=pytest.mark.soak)], ids=str)
async def test_made_up(start: Start, server: EmbeddedPostgres, on_failure: str, more: str, seeds: range) -> None:
    gate = await start(server, governed=True, on_failure=on_failure, more=more)
    for seed in seeds:
        await _one(gate, server, MadeUp(random.Random(seed)))  # it has to be the same each time


async def _one(gate: Running, server: EmbeddedPostgres, making: MadeUp) -> None:
    server.psql("TRUNCATE told.marks", dbname="shop")
    name = f"made up {next(_numbers)}"
    pair = Pair(gate, server)
    raw = await pair.gated(application_name=name)
    got: list[Message] = []
    for _ in range(STEPS):
        got += await raw.talk([(making.step(), b"Z")])
    pair.end()
    await compared(gate, server, name)
    events = await _ended(gate, name)
    said = "\n".join(making.said)
    assert sorted(one["rows"] for one in _ends(events)) == sorted(_rows(got)), said
    left = {int(one) for one in server.psql("SELECT id FROM told.marks", dbname="shop").split()}
    left = {one for one in left if one < made_up.OTHERS}
    assert left <= _marks(events), said
    # What went back to a savepoint is not told of each statement.
    assert left == _marks(events) or "SAVEPOINT" in said, said
    for prepared in server.psql("SELECT gid FROM pg_prepared_xacts", dbname="shop").split():
        server.psql(f"ROLLBACK PREPARED '{prepared}'", dbname="shop")


async def _ended(gate: Running, name: str) -> list[Event]:
    """The events of the application's session, once it is over."""
    while True:
        events = pending(gate.proxy.spool, 0, 100_000)
        (login,) = [one for one in events if one["kind"] == "login" and one["client"].get("application") == name]
        mine = [one for one in events if one.get("session") == login["session"]]
        if mine[-1]["kind"] == "session":
            return mine
        await asyncio.sleep(0.05)


def _ends(events: list[Event]) -> list[Event]:
    return [one for one in events if one["kind"] in ENDS and one["result"] == "ok"]


def _rows(got: list[Message]) -> Iterator[int]:
    """How many each statement had that ended well, by what the client was told."""
    count = 0
    for kind, body in got:
        count += kind in b"Dd"
        if kind in b"CsI":
            tag = body[:-1].decode() if kind == b"C" else ""
            told = tag.rpartition(" ")[2]
            yield 0 if tag.startswith("MOVE") else int(told) if told.isdigit() else count
        if kind in b"CsIE":
            count = 0


def _marks(events: list[Event]) -> set[int]:
    """Those that are there, by the trail."""
    texts = {one["statement"]: one.get("sql", "") for one in events if one["kind"] in BEGINS}
    ends = {one["transaction"]: one["result"] for one in events if one["kind"] == "transaction"}
    kept = [one["statement"] for one in _ends(events) if ends.get(one["transaction"], "commit") == "commit"]
    return {int(mark[1]) for one in kept if (mark := _MARK.match(texts[one]))}
