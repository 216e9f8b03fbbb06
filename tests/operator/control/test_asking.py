"""What a gate asks about approvals, over TLS on a real port: who it must be, and what it is told."""

from __future__ import annotations

import asyncio
import copy
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest
from tests.operator.control.requests import ASKING, policies_of
from tests.operator.control.test_access_asking import asking
from tests.operator.control.test_app import Running, served
from tests.operator.doubles import GOOD_TOKEN, token

from penstock_core.approvals.asking import MOST_BODY_BYTES
from penstock_operator.inject.sidecar import Shape

REQUESTS = "/v1/streams/u-1/requests"


@pytest.fixture
async def running(shop: Any, shape: Shape) -> AsyncIterator[Running]:
    async with served(Running(policies_of(shop), shape)) as running:
        yield running


async def asked(running: Running, path: str = REQUESTS, **changes: Any) -> httpx2.Response:
    return await running.client.post(path, json=ASKING | changes, headers=running.bearer)


async def test_a_gate_asks_waits_and_is_granted(running: Running) -> None:
    answer = await asked(running)
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    told = answer.json()
    assert (told["standing"], told["expiresAt"]) == ("waiting", "2030-03-17T18:46:40.000000Z")
    looking = asyncio.create_task(
        running.client.get(f"{REQUESTS}/{told['request']}", params={"wait": "20"}, headers=running.bearer)
    )
    await asyncio.sleep(0.1)
    assert not looking.done()
    running.requests.decide(told["request"])
    assert (await asyncio.wait_for(looking, 15)).json()["standing"] == "granted"
    granted = (await asked(running)).json()
    assert (granted["standing"], granted["decidedBy"]) == ("granted", "bea")
    metrics = await running.client.get(f"http://127.0.0.1:{running.health_port}/metrics")
    assert 'penstock_control_requests_total{answer="granted"} 1.0' in metrics.text


async def test_a_look_ends_when_the_process_is_to_end(running: Running) -> None:
    name = (await asked(running)).json()["request"]
    looking = asyncio.create_task(
        running.client.get(f"{REQUESTS}/{name}", params={"wait": "20"}, headers=running.bearer)
    )
    await asyncio.sleep(0.1)
    running.control.stopping.set()
    assert (await asyncio.wait_for(looking, 15)).json()["standing"] == "waiting"


@pytest.mark.parametrize(
    ("path", "authorization", "status", "words"),
    [
        (REQUESTS, None, 401, "a bearer token is needed"),
        (REQUESTS, "Bearer bad", 401, "not a running pod's"),
        (REQUESTS, f"Bearer {token('penstock-collector')}", 401, "not a running pod's"),
        ("/v1/streams/u-2/requests", f"Bearer {GOOD_TOKEN}", 403, "a pod asks for itself alone"),
    ],
)
async def test_who_is_not_the_pod_asks_nothing(
    running: Running, path: str, authorization: str | None, status: int, words: str
) -> None:
    headers = {} if authorization is None else {"Authorization": authorization}
    post = await running.client.post(path, json=ASKING, headers=headers)
    get = await running.client.get(f"{path}/r-2222-2222", headers=headers)
    for answer in (post, get):
        assert (answer.status_code, words in answer.json()["error"]) == (status, True)
    assert running.requests.calls == []


async def test_a_pod_asks_about_its_own_databases(running: Running) -> None:
    access = asking().model_dump(mode="json", by_alias=True, exclude_none=True)
    for path, body in ((REQUESTS, ASKING), ("/v1/streams/u-1/access/requests", access)):
        asked_for_another = body | {"databaseRef": {"name": "billing"}}
        answer = await running.client.post(path, json=asked_for_another, headers=running.bearer)
        assert (answer.status_code, answer.json()["error"]) == (
            403,
            "the gate of the pod shop/web-1 is for shop, not for billing",
        )
    assert running.requests.calls == []


@pytest.mark.parametrize(
    ("workload", "status"),
    [
        (None, 403),
        ({"namespace": "other", "serviceAccount": "web", "pod": "web-1", "podUid": "u-1"}, 403),
        ({"namespace": "shop", "serviceAccount": "batch", "pod": "web-1", "podUid": "u-1"}, 403),
        ({"namespace": "shop", "serviceAccount": "web", "pod": "web-9", "podUid": "u-1"}, 403),
        ({"namespace": "shop", "serviceAccount": "web", "pod": "web-1", "podUid": "u-9"}, 403),
        ({"namespace": "shop", "serviceAccount": "web"}, 403),
        ({"namespace": "shop", "serviceAccount": "web", "pod": "web-1", "podUid": "u-1"}, 200),
    ],
)
async def test_a_pod_asks_for_itself(running: Running, workload: Any, status: int) -> None:
    requester = copy.deepcopy(ASKING["requester"]) | {"workload": workload}
    if workload is None:
        del requester["workload"]
    answer = await asked(running, requester=requester)
    assert answer.status_code == status
    assert len(running.requests.objects) == (status == 200)


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        (b"", 400, "the body"),
        (b"{", 400, "the body"),
        (b"[]", 400, "the body"),
        (b"\xff", 400, "the body"),
        (json.dumps(ASKING | {"nonce": "secret!"}).encode(), 400, "nonce"),
        (json.dumps(ASKING | {"statement": {"sql": ""}}).encode(), 400, "statement.sql"),
        (json.dumps(ASKING | {"statement": {"sql": "x" * 70_000}}).encode(), 400, "statement.sql"),
        (json.dumps(ASKING | {"secret": 1}).encode(), 400, "secret"),
        (json.dumps(ASKING | {"heldBy": ASKING["heldBy"] | {"policyGeneration": 2**70}}).encode(), 400, ""),
        (b" " * (MOST_BODY_BYTES + 1), 413, "at most"),
    ],
)
async def test_garbage_is_one_line_that_repeats_nothing(running: Running, body: bytes, status: int, words: str) -> None:
    answer = await running.client.post(REQUESTS, content=body, headers=running.bearer)
    error = answer.json()["error"]
    assert (answer.status_code, words in error, "\n" in error) == (status, True, False)
    assert "secret!" not in error
    assert running.requests.objects == {}


@pytest.mark.parametrize("wait", ["soon", "-1", "1e3", "9999999999", "nan", ""])
async def test_a_wait_is_a_number_of_seconds(running: Running, wait: str) -> None:
    answer = await running.client.get(f"{REQUESTS}/r-2222-2222", params={"wait": wait}, headers=running.bearer)
    assert (answer.status_code, answer.json()["error"]) == (400, "wait is a number of seconds")


async def test_without_an_api_server_it_is_503_in_words(running: Running) -> None:
    running.requests.down = True
    answer = await asked(running)
    assert answer.status_code == 503
    assert "requests for approval can't be kept now" in answer.json()["error"]
