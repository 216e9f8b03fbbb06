"""Large texts are decided about in a process of their own: as anywhere else, within limits, and nobody else waits."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.core.sql.test_governor import CATALOG, KEY

from penstock_core.policy.effective import EffectivePolicy, Mask, MaskRule, PolicySet, Rule
from penstock_core.sql.decision import Action, Decision
from penstock_core.sql.governor import MOST_AT_ONCE, Governor
from penstock_core.sql.shared_decisions import Question
from penstock_sidecar.proxy import deliberation
from penstock_sidecar.proxy.deep_stack import on_deep_stack
from penstock_sidecar.proxy.deliberation import Deliberation

Start = Any
MASKS = (MaskRule(("*.*.email",), Mask("email", Rule("web", "masks[0]"))),)
POLICY = EffectivePolicy("shop", PolicySet(("web",), frozenset({"select", "insert"}), MASKS), None, 7)


def question(text: str) -> Question:
    return (text, ("public",), frozenset(), (), frozenset())


@pytest.fixture
def apart(monkeypatch: pytest.MonkeyPatch) -> Iterator[Deliberation]:
    forks: list[int] = []
    fork = os.fork
    monkeypatch.setattr(os, "fork", lambda: forks.append(number := fork()) or number)
    one = Deliberation()
    yield one
    one.stop()
    assert forks
    for number in forks:
        with pytest.raises(ChildProcessError):
            os.waitpid(number, os.WNOHANG)


class Slow:
    """Decides as it is told to."""

    def __init__(self, work: Callable[[], str]) -> None:
        self.work = work
        self.kept: dict[Question, Decision] = {}

    def decide_fully(self, asked: Question) -> Decision:
        return Decision(Action.ALLOW, self.work())

    def keep(self, asked: Question, decision: Decision) -> None:
        self.kept[asked] = decision


def nested(depth: int) -> str:
    text = "SELECT id, email FROM public.people"
    for place in range(depth):
        text = f"SELECT id, email FROM ({text}) AS s{place}"
    return text


@pytest.mark.parametrize(
    "text",
    [
        f"SELECT email FROM public.people WHERE id IN ({', '.join(map(str, range(5000)))})",
        nested(200),
        f"SELECT email FROM public.people WHERE id = 1 {' ' * MOST_AT_ONCE} DELETE",
    ],
    ids=["long", "deep", "wrong"],
)
async def test_what_is_deferred_is_decided_as_it_would_be_at_once(apart: Deliberation, text: str) -> None:
    governor = Governor(POLICY, CATALOG, KEY, defers=True)
    first = governor.decide(*question(text))
    assert first.action is Action.DENY
    assert first.denial is not None
    assert first.denial.deferred
    assert (first.policies, first.generation) == (("web",), 7)
    await apart.decide(governor, question(text), "web")
    wanted = on_deep_stack(lambda: Governor(POLICY, CATALOG, KEY).decide(*question(text)))
    assert governor.decide(*question(text)) == wanted
    assert governor.decide(*question("SELECT id FROM public.people")).action is not Action.DENY


async def test_others_go_on_meanwhile(apart: Deliberation) -> None:
    slow = Slow(lambda: str(sum(range(20_000_000))))
    deciding = asyncio.create_task(apart.decide(slow, question("x"), "web"))
    longest = 0.0
    while not deciding.done():
        began = time.perf_counter()
        await asyncio.sleep(0.001)
        longest = max(longest, time.perf_counter() - began)
    assert slow.kept[question("x")].text == str(sum(range(20_000_000)))
    # Of a second or so that it took.
    assert longest < 0.3


def _ends() -> str:
    os._exit(3)


def _fails() -> str:
    raise MemoryError


def _lasts() -> str:
    time.sleep(60)
    return ""


@pytest.mark.parametrize("work", [_ends, _fails, _lasts])
async def test_what_takes_too_much_stays_unknown(
    apart: Deliberation, work: Callable[[], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deliberation, "MOST_SECONDS", 1.0)
    slow = Slow(work)
    async with asyncio.timeout(20):
        await apart.decide(slow, question("x"), "web")
    assert not slow.kept


async def test_each_identity_has_one_at_a_time(apart: Deliberation) -> None:
    def now() -> str:
        began = time.monotonic()
        time.sleep(0.2)
        return f"{began} {time.monotonic()}"

    mine = [Slow(now), Slow(now)]
    other = Slow(now)
    asked = [apart.decide(one, question("x"), "me") for one in mine]
    await asyncio.gather(*asked, apart.decide(other, question("x"), "other"))
    (first, second), (theirs,) = [
        sorted([float(part) for part in one.kept[question("x")].text.split()] for one in some)
        for some in (mine, [other])
    ]
    assert first[1] <= second[0]
    assert theirs[0] < first[1]


async def test_it_holds_nothing_that_is_open_here(apart: Deliberation) -> None:
    reading, writing = os.pipe()
    try:
        slow = Slow(lambda: " ".join(path.name for path in Path("/proc/self/fd").iterdir()))
        await apart.decide(slow, question("x"), "web")
        left = set(map(int, slow.kept[question("x")].text.split()))
        assert len(left - {0, 1, 2}) <= 2
    finally:
        os.close(reading)
        os.close(writing)


async def test_a_gate_takes_bulk_inserts_and_deep_nesting(start: Start, shop: Any) -> None:
    gate = await start(shop, governed=True, more='  masks: [{columns: ["public.things.name"], with: {partial: {}}}]\n')
    values = ", ".join(f"({number})" for number in range(100_000, 125_000))
    text = "SELECT id FROM things"
    for place in range(200):
        text = f"SELECT id FROM ({text}) AS s{place}"
    async with await gate.psycopg() as client:
        inserted = await client.execute(f"INSERT INTO things (id) VALUES {values}")
        assert inserted.rowcount == 25_000
        try:
            assert len(await (await client.execute(text)).fetchall()) >= 25_000
            cursor = await client.execute(text, prepare=True)
            assert len(await cursor.fetchall()) >= 25_000
        finally:
            shop.psql("DELETE FROM things WHERE id >= 100000", dbname="shop")
