"""The API server, asked as a person: what is sent where, and each answer that can't be used."""

from __future__ import annotations

import asyncio
import gzip
import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import trustme
from starlette.responses import JSONResponse, RedirectResponse, Response
from tests.collector.web.api_server import PATH, Asked, FakeApi, failing, serving

from penstock_collector.auth import personal_api
from penstock_collector.auth.personal_api import ApiServerUnavailable, PersonalApi, TokenNotTaken

BEAS = "bea-" + "x" * 40


@pytest.fixture
async def server(authority: trustme.CA, tmp_path: Path) -> AsyncIterator[tuple[FakeApi, PersonalApi]]:
    fake = FakeApi()
    fake.knows(BEAS, "bea", "dba")
    async with serving(fake, authority, tmp_path) as (url, ca_file):
        yield fake, PersonalApi(url, ca_file)


async def test_each_question_is_asked_with_ones_own_token(server: tuple[FakeApi, PersonalApi]) -> None:
    fake, api = server
    fake.knows("other", "cem", "staff")
    users = await asyncio.gather(*(api.whoami(token) for token in (BEAS, "other") for _ in range(10)))
    assert [user.username for user in users] == ["bea"] * 10 + ["cem"] * 10
    assert sorted(one.token for one in fake.asked) == sorted([BEAS] * 10 + ["other"] * 10)
    answer = await api.call(BEAS, "GET", PATH)
    assert (answer.status, answer.body["kind"]) == (200, "AccessRequest")


@pytest.mark.parametrize("token", ["", " ", "a b", "a\nb", "a\r\nX-Other: 1", "é", "a\x00", "x" * 32769])
async def test_what_can_be_no_token_is_not_sent(server: tuple[FakeApi, PersonalApi], token: str) -> None:
    fake, api = server
    with pytest.raises(TokenNotTaken):
        await api.whoami(token)
    assert fake.asked == []


async def test_a_token_that_is_not_known(server: tuple[FakeApi, PersonalApi]) -> None:
    with pytest.raises(TokenNotTaken):
        await server[1].call("nobody", "GET", PATH)


async def _hang(_asked: Asked) -> Response:
    await asyncio.sleep(30)
    return Response()


async def _compressed(_asked: Asked) -> Response:
    return Response(gzip.compress(b"{}"), headers={"content-encoding": "gzip"})


def _saying(response: Response) -> Any:
    async def answer(_asked: Asked) -> Response:
        return response

    return answer


@pytest.mark.parametrize(
    ("answer", "why", "sent"),
    [
        (_hang, "it did not answer within 0.5 seconds", True),
        (_compressed, "it answers compressed, without being asked to", True),
        (_saying(Response(b"x" * 2000)), "it answers more than 1000 bytes", True),
        (_saying(Response(b"<html>")), "it answers what is no JSON object", True),
        (_saying(Response(b"[" * 900)), "it answers what is no JSON object", True),
        (_saying(JSONResponse([])), "it answers what is no JSON object", True),
        (_saying(RedirectResponse("/elsewhere", 307)), "it answers 307", True),
        (lambda _: failing(500), "it answers 500", True),
        (lambda _: failing(429), "it answers 429", False),
    ],
)
async def test_an_answer_that_is_none(
    server: tuple[FakeApi, PersonalApi], monkeypatch: pytest.MonkeyPatch, answer: Any, why: str, sent: bool
) -> None:
    monkeypatch.setattr(personal_api, "ANSWER_SECONDS", 0.5)
    monkeypatch.setattr(personal_api, "_MOST_BYTES", 1000)
    fake, api = server
    fake.instead["PATCH"] = answer
    with pytest.raises(ApiServerUnavailable) as error:
        await api.call(BEAS, "PATCH", PATH, {})
    assert (str(error.value), error.value.sent) == (why, sent)
    assert len(fake.asked) == 1


async def test_a_server_that_is_not_there_or_not_the_one(server: tuple[FakeApi, PersonalApi], tmp_path: Path) -> None:
    other = tmp_path / "other.crt"
    trustme.CA().cert_pem.write_to_path(str(other))
    for api in (PersonalApi("https://127.0.0.1:1", None), PersonalApi(server[1]._url, other)):
        with pytest.raises(ApiServerUnavailable, match="it can't be reached") as error:
            await api.whoami(BEAS)
        assert not error.value.sent
        assert BEAS not in str(error.value)
    with pytest.raises(ApiServerUnavailable, match="the authority of its certificate can't be read") as error:
        await PersonalApi(server[1]._url, tmp_path / "none.crt").whoami(BEAS)
    assert not error.value.sent
    assert server[0].asked == []


async def test_a_server_that_says_nobody(server: tuple[FakeApi, PersonalApi]) -> None:
    fake, api = server
    fake.users[BEAS] = {"username": ""}
    with pytest.raises(ApiServerUnavailable, match="it does not say whose token it is"):
        await api.whoami(BEAS)


async def test_guesses_take_nobodys_turn_who_is_signed_in(
    server: tuple[FakeApi, PersonalApi], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(personal_api, "TURN_SECONDS", 0.3)
    fake, api = server
    fake.instead["POST"] = _hang
    guesses = [asyncio.create_task(api.whoami(f"guess-{number}", stranger=True)) for number in range(20)]
    await asyncio.sleep(0.1)
    assert (await api.call(BEAS, "GET", PATH)).status == 200
    done, _ = await asyncio.wait(guesses, timeout=2)
    assert {str(one.exception()) for one in done} == {"too many ask it at once"}
    assert len(done) == 18
    for one in guesses:
        one.cancel()
    await asyncio.gather(*guesses, return_exceptions=True)


async def test_a_connection_that_is_cut_off_may_have_been_heard(tmp_path: Path) -> None:
    async def cut(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(100)
        writer.close()

    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    async with await asyncio.start_server(cut, "127.0.0.1", 0, ssl=context) as listener:
        port = listener.sockets[0].getsockname()[1]
        authority.cert_pem.write_to_path(str(tmp_path / "cut.crt"))
        api = PersonalApi(f"https://127.0.0.1:{port}", tmp_path / "cut.crt")
        with pytest.raises(ApiServerUnavailable, match="the connection to it failed") as error:
            await api.call(BEAS, "PATCH", PATH, {})
        assert error.value.sent
