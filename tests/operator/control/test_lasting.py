"""Hundreds of streams at once: all are told of a change, probes are answered meanwhile, and who leaves is forgotten."""

from __future__ import annotations

import asyncio
import ssl
import time
from typing import Any

import httpx2
import pytest
from bench.followers import Follower, follow
from tests.operator.control.test_app import Running, served
from tests.operator.doubles import GOOD_TOKEN, WEB, change, synced

from penstock_entrance import visitors
from penstock_operator.control.lasting import Listener, Notice
from penstock_operator.inject.sidecar import Shape
from penstock_operator.objects import POLICIES

STREAMS = 300
# On a machine that is busy with other things: a loop that writes to all of them in one turn takes as long, too, so
# that what is held here is that it ends at all.
LONGEST_SECONDS = 20.0


@pytest.fixture
def one_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """All streams here are of one pod, which may have as many."""
    monkeypatch.setattr(visitors.Visitors.__init__, "__kwdefaults__", {"strangers": 1000, "of_one": 1000, "most": None})


async def streams(running: Running, count: int) -> list[Follower]:
    context: ssl.SSLContext = running.trust
    path = "/v1/policies/shop/shop"
    return await asyncio.gather(*(follow(running.port, path, GOOD_TOKEN, context) for _ in range(count)))


async def longest_probe(running: Running, until: asyncio.Event) -> float:
    longest = 0.0
    async with httpx2.AsyncClient(trust_env=False, timeout=LONGEST_SECONDS) as client:
        while not until.is_set():
            began = time.monotonic()
            assert (await client.get(f"http://127.0.0.1:{running.health_port}/healthz")).status_code == 200
            longest = max(longest, time.monotonic() - began)
            await asyncio.sleep(0.01)
    return longest


@pytest.mark.usefixtures("one_name")
async def test_a_change_is_at_all_streams_and_probes_are_answered_meanwhile(shop: Any, shape: Shape) -> None:
    async with served(Running(synced(shop), shape)) as running, asyncio.timeout(3 * LONGEST_SECONDS):
        followers = await streams(running, STREAMS)
        assert not [one.trouble for one in followers if one.trouble]
        done = asyncio.Event()
        probing = asyncio.create_task(longest_probe(running, done))
        for allow in (["insert"], ["update"], ["delete"]):
            for one in followers:
                one.got.clear()
            shop.policy["spec"]["allow"] = allow
            change(running.policies, POLICIES, WEB, shop.policy, 120)
            await asyncio.gather(*(one.got.wait() for one in followers))
        done.set()
        assert {one.bundles for one in followers} == {4}
        assert await probing < LONGEST_SECONDS / 4
        assert not [one.trouble for one in followers if one.trouble]


@pytest.mark.usefixtures("one_name")
async def test_who_leaves_is_noticed_at_once(shop: Any, shape: Shape) -> None:
    async with served(Running(synced(shop), shape)) as running, asyncio.timeout(LONGEST_SECONDS):
        followers = await streams(running, 3)
        assert running.metrics.registry.get_sample_value("penstock_control_streams") == 3
        for one in followers[:2]:
            one.leave()
        while running.metrics.registry.get_sample_value("penstock_control_streams") != 1:  # noqa: ASYNC110 - a gauge
            await asyncio.sleep(0.01)


async def test_listeners_are_woken_some_at_a_time() -> None:
    notice, woken = Notice(), []

    async def one(number: int) -> None:
        assert await Listener().wait(LONGEST_SECONDS, notice)
        woken.append(number)

    tasks = [asyncio.create_task(one(number)) for number in range(100)]
    await asyncio.sleep(0)
    notice.set()
    await asyncio.sleep(0)
    assert 0 < len(woken) < 100
    await asyncio.gather(*tasks)
    assert woken == list(range(100))


async def test_a_notice_that_is_set_already_keeps_nobody_waiting() -> None:
    notice = Notice()
    notice.set()
    assert await asyncio.wait_for(Listener().wait(LONGEST_SECONDS, Notice(), notice), LONGEST_SECONDS / 4)


async def test_time_goes_by_for_who_is_not_woken() -> None:
    listener, notice = Listener(), Notice()
    assert await listener.wait(0.01, notice)
    # Who waits no more is not woken by what comes then.
    notice.set()
    assert await listener.wait(0.01, Notice())


async def test_who_is_gone_waits_for_nothing() -> None:
    listener = Listener()
    waiting = asyncio.create_task(listener.wait(LONGEST_SECONDS, Notice()))
    await asyncio.sleep(0)
    listener.leave()
    assert not await waiting
    assert not await listener.wait(LONGEST_SECONDS, Notice())
