"""What the kubelet is told of a process whose work is done by two loops."""

from __future__ import annotations

import asyncio
import threading
import time

import httpx2
import pytest
from prometheus_client import CollectorRegistry

from penstock_operator import health
from penstock_operator.controllers.handlers import Watch


async def asked(watch: Watch) -> tuple[int, str]:
    app = health.health(lambda: [], CollectorRegistry(), watch.turns)
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://it") as client:
        answer = await client.get("/healthz")
    return answer.status_code, answer.text


async def test_it_lives_while_both_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "_LONGEST_TURN_SECONDS", 0.2)
    watch, other = Watch(None), asyncio.new_event_loop()  # type: ignore[arg-type]  # it never runs
    assert await asked(watch) == (200, "ok\n"), "before the watch has begun"
    watch._loop = other
    turning = threading.Thread(target=other.run_forever)
    turning.start()
    try:
        assert await asked(watch) == (200, "ok\n")
        other.call_soon_threadsafe(time.sleep, 1)
        assert await asked(watch) == (503, "a loop of this process does not turn\n")
        await asyncio.sleep(1)
        assert await asked(watch) == (200, "ok\n"), "it was only busy"
    finally:
        other.call_soon_threadsafe(other.stop)
        turning.join()
        other.close()
    assert await asked(watch) == (200, "ok\n"), "who ended is told of otherwise"
