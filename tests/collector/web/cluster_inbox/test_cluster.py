"""Requests that change or go while somebody looks at them, and an API server that is in trouble or another's."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
import trustme
from starlette.responses import JSONResponse, RedirectResponse, Response
from tests.collector.conftest import Client
from tests.collector.web.api_server import NAME, Asked, FakeApi, failing
from tests.collector.web.cluster_inbox.conftest import (
    BEAS,
    COMMAND,
    Browser,
    decisions,
)
from tests.collector.web.signing_in import said

from penstock_collector.auth import personal_api
from penstock_collector.settings import CollectorSettings


async def test_what_was_decided_meanwhile(bea: Browser, cluster: FakeApi) -> None:
    assert cluster.object is not None
    decided = {"decision": "denied", "decidedBy": "cleo", "decidedAt": "2026-11-29T09:10:00Z", "comment": "no"}
    cluster.object["status"] = decided
    answer = await bea.decide()
    assert (answer.status_code, said(answer)) == (409, f"Not done: the request {NAME} was denied by cleo.")
    assert "Denied by <b>cleo</b>" in answer.text
    assert cluster.writes() == []


async def test_what_is_decided_in_the_same_moment(bea: Browser, cluster: FakeApi) -> None:
    async def overtaken(asked: Asked) -> Response:
        assert cluster.object is not None
        cluster.object["metadata"]["resourceVersion"] = "8"
        del cluster.instead["PATCH"]
        return cluster._patch(asked, "bea")

    cluster.instead["PATCH"] = overtaken
    answer = await bea.decide()
    assert (answer.status_code, said(answer)) == (
        409, "Not done: the request was changed meanwhile; look at it again.",
    )  # fmt: skip
    assert cluster.status == {}


async def test_another_object_of_the_same_name_is_not_what_was_seen(bea: Browser, cluster: FakeApi) -> None:
    assert cluster.object is not None
    cluster.object["metadata"]["uid"] = "uid-2"
    for uid in ("uid-1", ""):
        answer = await bea.decide(uid=uid)
        assert (answer.status_code, said(answer)) == (
            409, f"Not done: the request {NAME} is another one than you saw; look at it again.",
        )  # fmt: skip
    assert cluster.writes() == []


async def test_what_has_expired_or_is_gone(bea: Browser, cluster: FakeApi) -> None:
    assert cluster.object is not None
    cluster.object["spec"]["expiresAt"] = "2026-01-01T00:00:00Z"
    answer = await bea.decide()
    assert (answer.status_code, "expired at 2026-01-01T00:00:00Z" in said(answer)) == (409, True)
    assert "Nobody decided in time." in answer.text
    cluster.object = None
    page = await bea.get()
    assert (page.status_code, "There is no such request on the cluster, or no longer." in page.text) == (404, True)
    answer = await bea.decide()
    assert (answer.status_code, said(answer)) == (
        404, "Not done: there is no such request on the cluster, or no longer.",
    )  # fmt: skip


@pytest.mark.parametrize("odd", [{"spec": {"later": 1}}, {"metadata": []}, {"status": 5}])
async def test_an_object_of_another_version(bea: Browser, cluster: FakeApi, odd: dict[str, Any]) -> None:
    assert cluster.object is not None
    cluster.object |= odd
    page = await bea.get()
    assert (page.status_code, "not of a version that this collector knows" in page.text) == (409, True)
    assert COMMAND in page.text


async def _hang(_asked: Asked) -> Response:
    await asyncio.sleep(30)
    return JSONResponse({})


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (lambda _: failing(500), "it answers 500"),
        (lambda _: failing(429), "it answers 429"),
        (_hang, "it did not answer within 0.5 seconds"),
    ],
)
async def test_an_api_server_in_trouble(
    client: Client, bea: Browser, cluster: FakeApi, monkeypatch: pytest.MonkeyPatch, answer: Any, why: str
) -> None:
    monkeypatch.setattr(personal_api, "ANSWER_SECONDS", 0.5)
    cluster.instead["GET"] = answer
    page = await bea.get()
    assert page.status_code == 503
    assert f"The API server can&#39;t be asked: {why}; try again." in page.text
    assert COMMAND in page.text
    del cluster.instead["GET"]
    cluster.instead["PATCH"] = answer
    told = await bea.decide()
    assert cluster.asked[-1].method == "PATCH", "nobody waits for it once more"
    assert COMMAND in told.text
    if "429" in why:
        assert (told.status_code, said(told)) == (503, f"Not done: the API server can't be asked: {why}; try again.")
        return
    assert (told.status_code, said(told)) == (
        504,
        f"Not done: the API server was told, and {why}; whether it took the decision is not known. Look at it again.",
    )
    assert [result for _, result, _ in await decisions(client)] == ["approved", "unknown"]


async def test_an_api_server_that_is_not_the_one(
    start: Any, by_token: CollectorSettings, cluster: FakeApi, tmp_path: Path
) -> None:
    trustme.CA().cert_pem.write_to_path(str(tmp_path / "other.crt"))
    client = await start(by_token.model_copy(update={"api_server_ca_file": tmp_path / "other.crt"}))
    browser = Browser(client.running.url)
    answer = await browser.sign_in(BEAS)
    await browser.http.aclose()
    assert (answer.status_code, said(answer)[:66]) == (
        503, "The API server can't be asked whose token it is: it can't be reach",
    )  # fmt: skip
    assert BEAS not in answer.text
    assert cluster.asked == []


async def test_a_redirect_is_not_followed(bea: Browser, cluster: FakeApi) -> None:
    async def elsewhere(_asked: Asked) -> Response:
        return RedirectResponse("/elsewhere", 307)

    cluster.instead["GET"] = elsewhere
    assert (await bea.get()).status_code == 503
    assert [one.path for one in cluster.asked if "elsewhere" in one.path] == []


@pytest.mark.parametrize("place", ["shop/R", "shop%00/r-1", "-/r", "shop/r%0a", "..%2f..%2fversion/r"])
async def test_what_is_no_name_is_asked_of_nobody(bea: Browser, cluster: FakeApi, place: str) -> None:
    before = len(cluster.asked)
    answer = await bea.get(f"/requests/on-cluster/{place}")
    assert answer.status_code == 404
    answer = await bea.http.post(f"/requests/on-cluster/{place}", data={"decision": "approved"})
    assert answer.status_code == 404
    assert len(cluster.asked) == before
