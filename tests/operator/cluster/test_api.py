"""Requests to the API server, and what comes of the ways in which they fail."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import httpx2
import pytest

from penstock_operator.cluster.access import Access
from penstock_operator.cluster.api import Api, ApiError

Answer = Callable[[httpx2.Request], httpx2.Response]


def api(answer: Answer, access: Access | None = None) -> Api:
    return Api(access or Access("https://cluster.test", "", token="t"), httpx2.MockTransport(answer))


async def test_requests_bear_the_token_and_the_kind_of_patch() -> None:
    seen: list[httpx2.Request] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        seen.append(request)
        return httpx2.Response(200, json={"a": 1})

    async with api(answer) as subject:
        assert await subject.get("/x", labelSelector="a=b") == {"a": 1}
        await subject.apply("/x", {}, manager="me", force=False)
        await subject.merge("/x", {})
        await subject.create("/x", {})
    assert seen[0].headers["Authorization"] == "Bearer t"
    assert seen[0].url.params["labelSelector"] == "a=b"
    assert [request.headers.get("Content-Type") for request in seen[1:]] == [
        "application/apply-patch+yaml",
        "application/merge-patch+json",
        "application/json",
    ]
    assert dict(seen[1].url.params) == {"fieldManager": "me", "force": "false"}


@pytest.mark.parametrize(
    ("response", "status", "words"),
    [
        (httpx2.Response(403, json={"message": "secrets is forbidden"}), 403, "secrets is forbidden"),
        (httpx2.Response(502, text="<html>"), 502, "/x: HTTP 502"),
        (httpx2.Response(500, json=["odd"]), 500, "/x: HTTP 500"),
        (httpx2.Response(200, text="<html>"), 200, "/x: the answer is not a JSON object"),
        (httpx2.Response(200, json=[]), 200, "/x: the answer is not a JSON object"),
    ],
)
async def test_a_refusal_is_told_in_the_servers_words(response: httpx2.Response, status: int, words: str) -> None:
    with pytest.raises(ApiError) as caught:
        await api(lambda _: response).get("/x")
    assert caught.value.status == status
    assert str(caught.value) == words


async def test_a_server_that_is_not_there_has_status_0() -> None:
    def answer(request: httpx2.Request) -> httpx2.Response:
        raise httpx2.ConnectTimeout("")

    with pytest.raises(ApiError, match="can't be reached: ConnectTimeout") as caught:
        await api(answer).get("/x")
    assert caught.value.status == 0
    with pytest.raises(ApiError, match="can't be reached"):
        async with api(answer).stream("/x") as events:
            assert [event async for event in events] == []


async def test_a_token_that_is_gone_is_said(tmp_path: Path) -> None:
    access = Access("https://cluster.test", "", token_file=tmp_path / "token")
    with pytest.raises(ApiError, match="our own service account's token can't be read"):
        await api(lambda _: httpx2.Response(200, json={}), access).get("/x")


async def test_documents_are_split_at_newlines_alone() -> None:
    # U+0085 and U+2028 end lines for many a splitter, and stand unescaped in JSON.
    body = '{"a": "x\u0085y\u2028z"}\n\n{"b": 2}\n'.encode()
    async with api(lambda _: httpx2.Response(200, content=body)).stream("/x") as events:
        assert [event async for event in events] == [{"a": "x\u0085y\u2028z"}, {"b": 2}]


async def test_a_stream_of_something_else_is_an_error() -> None:
    async with api(lambda _: httpx2.Response(200, content=b"<html>\n")).stream("/x") as events:
        with pytest.raises(ApiError, match="something other than JSON"):
            await anext(events)
    with pytest.raises(ApiError, match="too old"):
        async with api(lambda _: httpx2.Response(410, json={"message": "too old"})).stream("/x") as events:
            await anext(events)
