"""Deciders are made beside the loop, once, for whoever needs them; and kept within bounds."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from structlog.testing import capture_logs

from penstock_core.policy.effective import EffectivePolicy, Mask, MaskRule, PolicySet, Rule
from penstock_core.sql.catalog.model import Catalog
from penstock_sidecar.proxy import deciders
from penstock_sidecar.proxy.deciders import Deciders
from penstock_sidecar.proxy.upstream import UpstreamError

KEY = bytes(32)


def policy(name: str) -> EffectivePolicy:
    masks = (MaskRule(("*.*.email",), Mask("null", Rule(name, "masks[0]"))),)
    return EffectivePolicy("shop", PolicySet((name,), frozenset({"select"}), masks), None)


class Maker:
    """Makes what can be told apart, when it may."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.threads: set[int] = set()
        self.may = threading.Event()
        self.may.set()

    def __call__(self, one: EffectivePolicy, catalog: Catalog, key: bytes) -> Any:
        assert self.may.wait(10)
        assert one.enforced is not None
        self.asked += one.enforced.policies
        self.threads.add(threading.get_ident())
        if one.enforced.policies == ("broken",):
            raise KeyError("it")
        return Made()


class Made:
    pass


@pytest.fixture
def maker() -> Maker:
    return Maker()


@pytest.fixture
async def kept(maker: Maker) -> AsyncIterator[Deciders]:
    made = Deciders(maker)
    yield made
    maker.may.set()
    await made.stop()


async def test_those_who_ask_together_get_the_same_while_the_loop_goes_on(kept: Deciders, maker: Maker) -> None:
    catalog = Catalog()
    maker.may.clear()
    asking = [asyncio.create_task(kept.made(policy("a"), catalog, KEY)) for _ in range(3)]
    await asyncio.sleep(0)
    assert kept.known(policy("a"), catalog, KEY) is None
    maker.may.set()
    first, *others = await asyncio.gather(*asking)
    assert all(one is first for one in others)
    assert maker.asked == ["a"]
    assert maker.threads.isdisjoint({threading.get_ident()})
    assert kept.known(policy("a"), catalog, KEY) is first


async def test_who_has_no_masks_does_not_wait_for_who_has(kept: Deciders) -> None:
    catalog, may = Catalog(), threading.Event()

    def make(one: EffectivePolicy, catalog: Catalog, key: bytes) -> Any:
        if one != plain:
            assert may.wait(10)
        return Made()

    plain = EffectivePolicy("shop", PolicySet(("plain",), frozenset({"select"})), None)
    kept.make = make
    masked = asyncio.create_task(kept.made(policy("a"), catalog, KEY))
    assert await asyncio.wait_for(kept.made(plain, catalog, KEY), 15)
    assert not masked.done()
    may.set()
    await masked


async def test_one_who_gives_up_leaves_it_to_the_others(kept: Deciders, maker: Maker) -> None:
    catalog = Catalog()
    maker.may.clear()
    gone, stays = (asyncio.create_task(kept.made(policy("a"), catalog, KEY)) for _ in range(2))
    await asyncio.sleep(0)
    gone.cancel()
    await asyncio.sleep(0)
    maker.may.set()
    assert isinstance(await stays, Made)
    assert gone.cancelled()


async def test_another_catalog_or_key_has_others(kept: Deciders, maker: Maker) -> None:
    one, other = Catalog(), Catalog()
    first = await kept.made(policy("a"), one, KEY)
    assert await kept.made(policy("a"), one, b"k" * 32) is not first
    assert kept.known(policy("a"), other, KEY) is None
    assert await kept.made(policy("a"), other, KEY) is not first
    assert kept.known(policy("a"), one, KEY) is None


async def test_what_is_made_of_a_catalog_that_was_replaced_meanwhile_is_not_kept(kept: Deciders, maker: Maker) -> None:
    one, other = Catalog(), Catalog()
    maker.may.clear()
    old = asyncio.create_task(kept.made(policy("a"), one, KEY))
    await asyncio.sleep(0.01)
    new = asyncio.create_task(kept.made(policy("a"), other, KEY))
    await asyncio.sleep(0.01)
    maker.may.set()
    assert await old is not await new
    assert kept.known(policy("a"), other, KEY) is await new


async def test_what_nobody_uses_is_kept_within_bounds(
    kept: Deciders, maker: Maker, monkeypatch: pytest.MonkeyPatch
) -> None:
    catalog = Catalog()
    monkeypatch.setattr(deciders, "MOST_KEPT", 100 << 16)
    used = await kept.made(policy("used"), catalog, KEY)
    for number in range(200):
        await kept.made(policy(f"p{number}"), catalog, KEY)
    assert len(kept._kept) == 100
    assert kept.known(policy("p0"), catalog, KEY) is None
    assert kept.known(policy("p199"), catalog, KEY) is not None
    assert kept.known(policy("used"), catalog, KEY) is used, "a session has it: it takes no memory of its own"


async def test_the_databases_of_one_gate_share_these_bounds(maker: Maker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deciders, "MOST_KEPT", 100 << 16)
    fourth, catalog = Deciders(maker, 4), Catalog()
    for number in range(50):
        await fourth.made(policy(f"p{number}"), catalog, KEY)
    assert len(fourth._kept) == 25
    await fourth.stop()


async def test_a_fault_is_told_and_the_next_who_asks_has_another_try(kept: Deciders, maker: Maker) -> None:
    for _ in range(2):
        with pytest.raises(UpstreamError, match=r"can't be made \(KeyError\)"):
            await kept.made(policy("broken"), Catalog(), KEY)
    assert maker.asked == ["broken", "broken"]


async def test_a_hundred_policies_are_made_once(kept: Deciders, maker: Maker) -> None:
    catalog = Catalog()
    again: Callable[[int], Any] = lambda number: kept.made(policy(f"p{number}"), catalog, KEY)  # noqa: E731
    for _ in range(2):
        for number in range(100):
            await again(number)
    assert len(maker.asked) == 100


async def test_what_does_not_fit_is_told_of_the_next_policy_though_it_failed_for_one(
    kept: Deciders, monkeypatch: pytest.MonkeyPatch
) -> None:
    catalog = Catalog()
    unused = deciders.unused_masks

    def failing(one: EffectivePolicy, world: Catalog) -> tuple[str, ...]:
        assert one.enforced is not None
        return unused(one, world) if one.enforced.policies == ("b",) else (_ for _ in ()).throw(KeyError("it"))

    monkeypatch.setattr(deciders, "unused_masks", failing)
    with capture_logs() as logged:
        await asyncio.gather(kept.made(policy("a"), catalog, KEY), kept.made(policy("b"), catalog, KEY))
        telling = kept._telling
        assert telling is not None
        await telling
    (told,) = [line["event"] for line in logged if "no column" in line["event"]]
    assert "policy b" in told
    assert [line["log_level"] for line in logged if "failed" in line["event"]] == ["error"]
