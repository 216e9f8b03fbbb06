"""The holder's log and its limits: what is said of each step, and never a value."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from tests.collector.conftest import BEA, BOT, DAN

from penstock_collector.approvals.attempts import MOST, Attempts
from penstock_collector.approvals.comment import BadCommentError, checked


async def test_each_step_is_a_line_of_the_log(client: Any, capsys: pytest.CaptureFixture[str]) -> None:
    name = await client.asked()
    await client.decide(name, token=DAN)
    await client.decide(name, token=BOT)
    await client.decide(name, comment="eva@shop.example", token=BEA)
    await client.ask()
    lines = [line for line in capsys.readouterr().out.splitlines() if name in line]
    for line, parts in zip(
        lines,
        [
            ("request made", "policy=support", "verbs=['delete']", "tables=['public.orders']"),
            ("attempt to decide refused", "by=dan", "they asked for it"),
            ("attempt to decide refused", "by=other-bot", "only a person who acts for themselves"),
            ("request decided", "by=bea", "decision=approved"),
            ("request used", "policy=support"),
        ],
        strict=True,
    ):
        assert all(part in line for part in parts), line
        assert "eva@shop.example" not in line


async def test_what_expires_wakes_those_who_wait(client: Any) -> None:
    name = await client.asked()
    held = client.running.collector.holder
    waiting = asyncio.create_task(client.look(name, wait=20))
    await asyncio.sleep(0.2)
    now = held.clock()
    held.clock = lambda: now + 3700
    await held.keep_time()
    async with asyncio.timeout(15):
        told = (await waiting).json()
    assert told["standing"] == "refused"
    assert "the request expired at" in told["comment"]


async def test_the_metrics_count_steps(client: Any) -> None:
    name = await client.asked()
    assert "penstock_collector_requests_waiting 1.0" in (await client.http.get("/metrics")).text
    await client.decide(name, token=DAN)
    await client.decide(name)
    await client.ask()
    text = (await client.http.get("/metrics")).text
    for line in (
        'penstock_collector_requests_asked_total{result="made"} 1.0',
        'penstock_collector_requests_asked_total{result="used"} 1.0',
        'penstock_collector_requests_decided_total{decision="refused"} 1.0',
        'penstock_collector_requests_decided_total{decision="approved"} 1.0',
        "penstock_collector_requests_waiting 0.0",
    ):
        assert line in text


def test_attempts_are_counted_by_the_minute() -> None:
    attempts = Attempts()
    assert all(attempts.one_more("bea", number / 100) for number in range(MOST))
    assert not attempts.one_more("bea", 10.0)
    assert attempts.one_more("cem", 10.0)
    assert attempts.one_more("bea", 60.0)
    assert not attempts.one_more("bea", 60.0)


def test_a_comment_is_one_line() -> None:
    assert checked(" two\r\n lines\t", "denied") == "two lines"
    assert checked("", "approved") == ""
    with pytest.raises(BadCommentError):
        checked("", "denied")
