"""The client of a holder of requests: by which token, to which address, and what it makes of each answer."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.sidecar.holder import TOKEN, Holder

from penstock_core.approvals.asking import Answered, Asking
from penstock_sidecar.proxy.approval_requests import ApprovalRequests, HolderError, carried_out
from penstock_sidecar.session.commands import AskApproval, AwaitApproval

ASKING = Asking.model_validate(
    {
        "databaseRef": {"name": "shop"},
        "heldBy": {"policy": "web", "approval": "drops", "policyGeneration": 7, "approvers": ["dba"]},
        "statement": {"sql": "DROP TABLE t"},
        "requester": {"workload": {"namespace": "shop", "serviceAccount": "web"}},
        "expiresAfter": "1h",
        "nonce": "0" * 32,
    }
)


@pytest.fixture
async def holder() -> AsyncIterator[Holder]:
    one = Holder()
    await one.listen()
    yield one
    one.stop()


def client(holder: Holder, token_file: Path | None = None, owner: str = "u-1") -> ApprovalRequests:
    return ApprovalRequests(f"{holder.url}/", owner, token_file, answer_seconds=1.0)


async def test_it_asks_looks_and_uses(holder: Holder) -> None:
    requests = client(holder)
    first = await requests.ask(ASKING)
    assert (first.standing, first.request) == ("waiting", "r-1")
    look = asyncio.create_task(requests.look("r-1", 10))
    await holder.until_looked_at()
    await holder.decide()
    assert (await look).standing == "granted"
    assert (await requests.look("r-1", 0.1)).standing == "granted"
    assert (await requests.ask(ASKING)).decided_by == "dora"
    assert (await requests.ask(ASKING)).standing == "waiting"
    await requests.close()


async def test_the_stream_and_the_request_are_named_in_the_path(holder: Holder) -> None:
    requests = client(holder, owner="a b/c")
    await requests.ask(ASKING)
    with pytest.raises(HolderError, match="does not know the request"):
        await requests.look("../x?y", 0.1)
    assert holder.paths == [
        "POST /v1/streams/a%20b%2Fc/requests",
        "GET /v1/streams/a%20b%2Fc/requests/..%2Fx%3Fy?wait=1",
    ]
    await requests.close()


async def test_the_token_is_that_of_the_file_by_then(holder: Holder, tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text(f"{TOKEN}\n")
    requests = client(holder, token)
    await requests.ask(ASKING)
    token.write_text("another")
    await requests.ask(ASKING)
    assert [one.get("authorization") for one in holder.headers] == [f"Bearer {TOKEN}", "Bearer another"]
    for wrong in ("", "two words", "naïve"):
        token.write_text(wrong)
        with pytest.raises(HolderError, match="token file holds no token"):
            await requests.ask(ASKING)
    token.unlink()
    with pytest.raises(HolderError, match="token can't be read"):
        await requests.ask(ASKING)
    await requests.close()


async def test_a_holder_that_does_not_wait_is_not_asked_all_the_time(holder: Holder) -> None:
    requests = client(holder)
    await requests.ask(ASKING)
    holder.wrong = (200, Answered(standing="waiting", request="r-1").model_dump_json(by_alias=True).encode())
    began = time.monotonic()
    assert (await requests.look("r-1", 1.2)).standing == "waiting"
    assert time.monotonic() - began >= 1.2
    assert 2 <= len(holder.paths) - 1 <= 4
    await requests.close()


async def test_a_holder_that_does_not_answer_is_given_up(holder: Holder) -> None:
    requests = client(holder)
    holder.slow = 30
    for waiting in (requests.ask(ASKING), requests.look("r-1", 0.1)):
        with pytest.raises(HolderError, match="does not answer in time"):
            await waiting
    await requests.close()


async def test_whatever_happens_there_is_an_answer(holder: Holder, monkeypatch: pytest.MonkeyPatch) -> None:
    assert await carried_out(AskApproval(1, ASKING), None) == (
        None, "this gate has no holder of requests; it is the collector where none is configured",
    )  # fmt: skip
    requests = client(holder)
    told, trouble = await carried_out(AskApproval(1, ASKING), requests)
    assert (told is not None, trouble) == (True, "")
    told, trouble = await carried_out(AwaitApproval(1, "r-9", 0.1), requests)
    assert (told, "does not know the request" in trouble) == (None, True)
    monkeypatch.setattr(requests, "_read", lambda said: 1 // 0)
    assert await carried_out(AskApproval(1, ASKING), requests) == (None, "the gate failed (ZeroDivisionError)")
    await requests.close()
