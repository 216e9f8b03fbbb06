"""No statement of a masked session is answered by an older catalog than a change through the same gate has made."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.sidecar.proxy.freshness import RAW, WAYS, House, done, house_in
from tests.sidecar.proxy.raw import bind, run

from penstock_cli.demo.postgres import EmbeddedPostgres
from penstock_sidecar.session.door import Door
from penstock_sidecar.wire import messages
from penstock_sidecar.wire.messages import SYNC, parse, query

Start = Any


@pytest.fixture
async def house(start: Start, old_or_new_shop: EmbeddedPostgres, tmp_path: Path) -> AsyncIterator[House]:
    async with house_in(start, old_or_new_shop, "freshness", tmp_path) as one:
        yield one


@dataclass(frozen=True)
class Change:
    """What makes a masked value show in what the clerk asks, and what takes it away again."""

    asks: str
    make: tuple[str, ...]
    undo: tuple[str, ...]
    before: tuple[str, ...] = ()


CHANGES = {
    "a column is renamed": Change(
        "SELECT * FROM renamed",
        ("ALTER TABLE renamed RENAME pub TO secret", "UPDATE renamed SET secret = 'raw@example.com'"),
        ("UPDATE renamed SET secret = 'plain'", "ALTER TABLE renamed RENAME secret TO pub"),
        ("CREATE TABLE renamed (id int, pub text)", "INSERT INTO renamed VALUES (1, 'plain')"),
    ),
    "a view is replaced": Change(
        "SELECT txt FROM v",
        ("CREATE OR REPLACE VIEW v AS SELECT email AS txt FROM people",),
        ("CREATE OR REPLACE VIEW v AS SELECT txt FROM plain",),
        ("CREATE VIEW v AS SELECT txt FROM plain",),
    ),
    "tables change names": Change(
        "SELECT txt FROM a",
        ("ALTER TABLE a RENAME TO a_old", "ALTER VIEW b RENAME TO a"),
        ("ALTER VIEW a RENAME TO b", "ALTER TABLE a_old RENAME TO a"),
        ("CREATE TABLE a AS SELECT txt FROM plain", "CREATE VIEW b AS SELECT email AS txt FROM people"),
    ),
    "a relation changes its schema": Change(
        "SELECT txt FROM public.moved",
        ("ALTER TABLE public.moved SET SCHEMA early", "ALTER VIEW other.moved SET SCHEMA public"),
        ("ALTER VIEW public.moved SET SCHEMA other", "ALTER TABLE early.moved SET SCHEMA public"),
        (
            "CREATE TABLE public.moved AS SELECT txt FROM plain",
            "CREATE VIEW other.moved AS SELECT email AS txt FROM people",
        ),
    ),
    "a view comes earlier in the path": Change(
        "SELECT txt FROM plain",
        ("CREATE VIEW early.plain AS SELECT id, email AS txt FROM public.people",),
        ("DROP VIEW early.plain",),
    ),
    "a table is dropped and made again": Change(
        "SELECT txt FROM made",
        ("DROP VIEW made", "CREATE VIEW made AS SELECT email AS txt FROM people"),
        ("DROP VIEW made", "CREATE VIEW made AS SELECT txt FROM plain"),
        ("CREATE VIEW made AS SELECT txt FROM plain",),
    ),
    "a function fits better": Change(
        "SELECT upper(code) FROM plain",
        ("CREATE FUNCTION early.upper(varchar) RETURNS text LANGUAGE sql AS 'SELECT max(email) FROM public.people'",),
        ("DROP FUNCTION early.upper(varchar)",),
    ),
    "a table inherits": Change(
        "SELECT txt FROM parent",
        ("ALTER TABLE child INHERIT parent",),
        ("ALTER TABLE child NO INHERIT parent",),
        (
            "CREATE TABLE parent (id int, txt text)", "CREATE TABLE child (id int, txt text, email text)",
            "ALTER TABLE child ADD FOREIGN KEY (txt) REFERENCES people (email)",
            "INSERT INTO child VALUES (1, 'raw@example.com')",
        ),
    ),
    "a partition is attached": Change(
        "SELECT txt FROM whole",
        ("ALTER TABLE whole ATTACH PARTITION part FOR VALUES FROM (0) TO (10)",),
        ("ALTER TABLE whole DETACH PARTITION part",),
        (
            "CREATE TABLE whole (id int, txt text) PARTITION BY RANGE (id)", "CREATE TABLE part (id int, txt text)",
            "ALTER TABLE part ADD FOREIGN KEY (txt) REFERENCES people (email)",
            "INSERT INTO part VALUES (1, 'raw@example.com')",
        ),
    ),
    "a foreign key is added": Change(
        "SELECT ref FROM orders",
        (
            "ALTER TABLE orders ADD CONSTRAINT k FOREIGN KEY (ref) REFERENCES people (email)",
            "UPDATE orders SET ref = 'raw@example.com'",
        ),
        ("UPDATE orders SET ref = NULL", "ALTER TABLE orders DROP CONSTRAINT k"),
        ("CREATE TABLE orders (id int, ref text)", "INSERT INTO orders VALUES (1)"),
    ),
    "a trigger is made": Change(
        "INSERT INTO filled VALUES (1) RETURNING txt",
        ("CREATE TRIGGER fill BEFORE INSERT ON filled FOR EACH ROW EXECUTE FUNCTION fill()",),
        ("DROP TRIGGER fill ON filled",),
        (
            "CREATE TABLE filled (id int, txt text)",
            "CREATE FUNCTION fill() RETURNS trigger LANGUAGE plpgsql AS"
            " 'BEGIN NEW.txt = (SELECT email FROM people LIMIT 1); RETURN NEW; END'",
        ),
    ),
}  # fmt: skip


@dataclass
class Clerk:
    """Asks the same again and again, until it is told to stop."""

    house: House
    asks: str
    way: int
    ended: int = 0
    rounds: int = 0
    answered: int = 0
    stopped: bool = False

    async def work(self) -> None:
        while not self.stopped:
            # A session ends if what it has on its way can't be taken back otherwise.
            with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
                await self._work()
            self.ended += not self.stopped

    async def _work(self) -> None:
        self.session = session = await self.house.clerk()
        asks = self.asks
        if self.way == 2:
            await done(session, parse("kept", asks) + SYNC)
        if self.way == 3:
            await done(session, query(f"PREPARE kept AS {asks}"))
        while not self.stopped:
            answer = await self._ask()
            self.rounds += 1
            self.answered += b"plain" in answer or b"PLAIN" in answer or b"SELECT 1" in answer or b"INSERT" in answer
            assert RAW not in answer, answer
            await asyncio.sleep(0)

    async def _ask(self) -> bytes:
        session, asks = self.session, self.asks
        match self.way:
            case 0:
                return await done(session, query(asks))
            case 1:
                return await done(session, run(asks) * 3, 3)
            case 2:
                got = await done(session, bind("", "kept") + messages.execute("") + SYNC)
                if b"26000" in got:
                    await done(session, parse("kept", asks) + SYNC)
                return got
            case 3:
                got = await done(session, query("EXECUTE kept"))
                if b"created in SQL" in got:
                    await done(session, query("DEALLOCATE kept"))
                    got += await done(session, query(f"PREPARE kept AS {asks}"))
                return got
            case _:
                got = await done(session, query("BEGIN") + query(asks) + query("COMMIT"), 3)
        return got


# Each kind takes about half a minute: the soak has all of them.
AT_EACH_RUN = ("a view is replaced", "a table is dropped and made again", "a trigger is made")
KINDS = [name if name in AT_EACH_RUN else pytest.param(name, marks=pytest.mark.soak) for name in CHANGES]


@pytest.mark.parametrize("name", KINDS)
async def test_whoever_asks_meanwhile_never_sees_a_masked_value(house: House, name: str) -> None:
    change = CHANGES[name]
    owner = await house.owner()
    for statement in change.before:
        assert b"ERROR" not in await done(owner, query(statement))
    # The gate knows what they ask for as it is before the first change, whenever it reads the catalog next.
    await house.gate.proxy.rules_provider.refresh_catalog()
    clerks = [Clerk(house, change.asks, way) for way in range(5)]
    at_work = [asyncio.create_task(clerk.work()) for clerk in clerks]
    try:
        await _change(house, change, owner, clerks, at_work)
    finally:
        for clerk in clerks:
            clerk.stopped = True
        ends = await asyncio.gather(*at_work, return_exceptions=True)
    assert [end for end in ends if end is not None] == []
    assert all(clerk.answered for clerk in clerks), [(clerk.rounds, clerk.answered) for clerk in clerks]


async def _change(house: House, change: Change, owner: Any, clerks: list[Clerk], at_work: list[Any]) -> None:
    # The first change comes after the gate has read the catalog that they are answered by.
    while not all(clerk.answered for clerk in clerks) and not any(task.done() for task in at_work):  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    for way in WAYS:
        for statements in (change.make, change.undo):
            for data in way(statements):
                # Another may hold a lock, or be at it all the time: then it is tried again, as a whole.
                got = await done(owner, data)
                assert b"ERROR" not in got, got
            assert await house.gate.proxy.rules_provider.open()
            await asyncio.sleep(0.03)
            for task in at_work:
                assert not task.done() or task.result() is None


async def test_without_the_door_masked_values_are_seen(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """So that the test above can fail."""
    monkeypatch.setattr(Door, "open", property(lambda door: True))
    monkeypatch.setattr(Door, "commits", lambda door, who: None)
    monkeypatch.setattr(Door, "close", lambda door, who, alone: True)
    with pytest.raises(AssertionError, match=RAW.decode()):
        await test_whoever_asks_meanwhile_never_sees_a_masked_value(house, "a view is replaced")
