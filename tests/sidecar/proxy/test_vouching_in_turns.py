"""Transactions of many people, in random order and by random ways of the protocol, over one connection: each sees what
they see when they are alone, and the application what it sees without them.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from random import Random
from typing import Any

import psycopg
import pytest
from tests.sidecar.proxy.contexts import Policies, context, gate

Start = Any
Rows = list[tuple[Any, ...]]
CALL = "SELECT set_config('penstock.context', %s, true)"
TEXTS = [
    "SELECT id, email, phone, region FROM people ORDER BY id",
    "SELECT max(email), count(*) FROM people",
    "SELECT id FROM people WHERE email = 'bob@example.com'",
    "SELECT upper(email) AS a, region FROM people WHERE id = 2",
]
PEOPLE: dict[str, list[str]] = {
    "ada": ["dpo"], "bob": [], "eve": ["sales"], "dan": ["dpo", "sales"], "fay": ["stopped"],
}  # fmt: skip
SEEDS = pytest.mark.parametrize(
    "seed", [*range(3), *(pytest.param(number, marks=pytest.mark.soak) for number in range(3, 60))]
)
EACH = 40


def policies(port: int) -> Policies:
    """By their groups, people see addresses, phones and regions, each as it is, in part or not at all."""
    found = Policies(port)
    found.application = {"masks": [{"columns": ["*.*.region"], "with": {"partial": {"keepFirst": 1}}}]}
    found.people = {
        "masks": [
            {"columns": ["*.*.email"], "with": {"hash": {}}, "unless": "'dpo' in identity.groups"},
            {"columns": ["*.*.phone"], "with": {"partial": {"keepLast": 2}}, "unless": "'sales' in identity.groups"},
            {"columns": ["*.*.region"], "with": {"null": {}}, "unless": "identity.subject != 'bob'"},
        ]
    }
    return found


async def alone(running: Any, person: str) -> dict[str, Rows]:
    """What somebody sees over a connection of their own; nobody is the application itself."""
    async with await running.psycopg() as session, session.transaction():
        if person:
            await session.execute(CALL, [context(sub=person, groups=PEOPLE[person])])
        return {text: await (await session.execute(text)).fetchall() for text in TEXTS}


class Turns:
    """One connection that many use, one after the other."""

    def __init__(self, session: psycopg.AsyncConnection[Any], seed: int, known: dict[str, dict[str, Rows]]) -> None:
        self._session, self._dice, self._known = session, Random(seed), known
        # What happened, so that the test is known to have tried it.
        self.seen: Counter[str] = Counter()

    async def transaction(self) -> None:
        dice, session = self._dice, self._session
        person = dice.choice([*PEOPLE, ""])
        if dice.random() < 0.3:
            await self._pipeline(person)
            return
        await session.execute("BEGIN")
        if person:
            await self._present(person)
        for _ in range(dice.randrange(4)):
            await self._step(person)
        end = dice.choice(["COMMIT", "ROLLBACK", "COMMIT AND CHAIN", "ROLLBACK AND CHAIN", "fail"])
        self.seen[end] += 1
        if end == "fail":
            with pytest.raises(psycopg.Error):
                await session.execute(dice.choice(["SELECT 1/0", "DELETE FROM nothing", CALL % "'garbage'"]))
            end = dice.choice(["COMMIT", "ROLLBACK"])
        await session.execute(end)
        await self._reads("")
        await session.execute("ROLLBACK")

    async def _present(self, person: str) -> None:
        token = context(sub=person, groups=PEOPLE[person])
        if self._dice.random() < 0.5:
            await self._session.execute(CALL, [token], prepare=self._dice.choice([True, False, None]))
        else:
            await self._session.execute(f"SET LOCAL penstock.context = '{token}'")
        self.seen["presented"] += 1

    async def _step(self, person: str) -> None:
        dice, session = self._dice, self._session
        match dice.choice(["read", "read", "savepoint", "again", "cursor", "another"]):
            case "savepoint":
                await session.execute("SAVEPOINT s")
                await self._reads(person)
                await session.execute(dice.choice(["ROLLBACK TO s", "RELEASE s"]))
                await self._reads(person)
            case "cursor":
                text = dice.choice(TEXTS)
                await session.execute(f"DECLARE c CURSOR FOR {text}")
                assert await (await session.execute("FETCH ALL FROM c")).fetchall() == self._known[person][text]
                await session.execute("CLOSE c")
            case "again" if person:
                with pytest.raises(psycopg.Error, match=r"another person|behind a savepoint"):
                    await session.execute("SAVEPOINT before"), await self._present("ada" if person != "ada" else "bob")
                await session.execute("ROLLBACK TO before")
            case _:
                await self._reads(person)

    async def _reads(self, person: str) -> None:
        text = self._dice.choice(TEXTS)
        found = await self._session.execute(text, prepare=self._dice.choice([True, False, None]))
        assert await found.fetchall() == self._known[person][text], (person, text)
        self.seen[f"read as {person or 'nobody'}"] += 1

    async def _pipeline(self, person: str) -> None:
        """All that depends on the verdict, and all that comes behind its end, is sent before it."""
        session, texts = self._session, self._dice.choices(TEXTS, k=3)
        async with session.pipeline():
            before = await session.execute(texts[0])
            async with session.transaction():
                if person:
                    await self._present(person)
                inside = await session.execute(texts[1])
            behind = await session.execute(texts[2])
        shown = [await one.fetchall() for one in (before, inside, behind)]
        assert shown == [self._known[who][text] for who, text in zip(("", person, ""), texts, strict=True)]
        self.seen["pipeline"] += 1


@SEEDS
async def test_each_sees_what_they_see_alone(start: Start, contextual: Any, tmp_path: Path, seed: int) -> None:
    running = await gate(start, contextual, policies(contextual.port), tmp_path)
    known = {person: await alone(running, person) for person in (*PEOPLE, "")}
    # They differ, or to compare them tells nothing.
    assert len({str(rows) for rows in known.values()}) == 5
    async with await running.psycopg(prepare_threshold=3) as session:
        turns = Turns(session, seed, known)
        for _ in range(EACH):
            await turns.transaction()
    assert min(turns.seen[one] for one in ("presented", "pipeline", "fail", "read as nobody")) > 2, turns.seen
    recorded = {event["identity"]["name"] for event in running.events("intent")}
    assert recorded == {"sa:shop/web", *(f"sa:shop/web for person:{person}" for person in PEOPLE)}
