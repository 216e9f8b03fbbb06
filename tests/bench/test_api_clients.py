"""What the choice of our own list and watch rests on. Where this fails with a newer client, look at that again."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from bench import api_clients


@pytest.fixture(scope="module")
def found() -> dict[str, Any]:
    return asyncio.run(api_clients.compare(200))


def test_all_see_what_happens(found: dict[str, Any]) -> None:
    for client in api_clients.CLIENTS:
        assert found[client]["CPU of an event, µs"] > 0
        assert found[client]["an object of 400 kB"] == "seen"
        assert found[client]["after a bookmark it goes on from"].startswith("150")


def test_ours_begins_anew_where_the_official_ones_end_or_leave_it_to_their_caller(found: dict[str, Any]) -> None:
    gone, silent = "after 410 twice", "after 2 s of silence"
    assert found["ours"][gone].startswith("list, 100, list, 100")
    assert found["ours"][silent] == "watches anew"
    for client in ("thread", "aio"):
        assert found[client][gone].endswith("ends: ApiException")
    assert "ReadTimeoutError" in found["thread"][silent]
