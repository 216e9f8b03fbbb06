"""Bad connections have a line each in the log, and not more than the log bears."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from penstock_entrance import log_throttle
from penstock_entrance.log_throttle import LogThrottle


@pytest.fixture
def lines() -> Iterator[list[dict[str, Any]]]:
    with structlog.testing.capture_logs() as captured:
        yield captured


async def test_each_has_a_line_and_the_many_have_one_together(
    lines: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_throttle, "MOST_LINES", 3)
    monkeypatch.setattr(log_throttle, "SECONDS", 0.1)
    throttle = LogThrottle()
    for number in range(10):
        throttle.warn("nonsense" if number % 3 else "garbage", client=f"10.0.0.{number}")
    assert [line["event"] for line in lines] == ["garbage", "nonsense", "nonsense"]
    assert lines[0]["client"] == "10.0.0.0"
    for _ in range(3000):
        if len(lines) > 3:
            break
        await asyncio.sleep(0.01)
    assert lines[3]["event"] == "7 more connections ended badly"
    assert lines[3]["most"] == {"nonsense": 4, "garbage": 3}
    # Afterwards there is room again.
    throttle.warn("nonsense")
    assert lines[4]["event"] == "nonsense"
    throttle.sum_up()
    assert len(lines) == 5


async def test_texts_that_the_client_chooses_take_no_memory(
    lines: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_throttle, "MOST_LINES", 0)
    throttle = LogThrottle()
    for number in range(5000):
        throttle.warn(f"no database {number}")
    assert len(throttle._left_out) <= 201
    throttle.sum_up()
    (line,) = lines
    assert line["event"] == "5000 more connections ended badly"
    assert max(line["most"].values()) == 4800
    assert len(json.dumps(line)) < 1000
