"""Kubernetes tokens that people sign in with: whose they are, and that they stay where they were given."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest
from tests.collector.conftest import BEA, CEM, Client
from tests.collector.web.api_server import FakeApi, failing
from tests.collector.web.cluster_inbox.conftest import (
    BEAS,
    COMMAND,
    MACHINES,
    PAGE,
    Browser,
    decisions,
)
from tests.collector.web.signing_in import said


async def test_a_service_account_does_not_sign_in(client: Client, browse: Callable[[], Browser]) -> None:
    answer = await browse().sign_in(MACHINES)
    assert (answer.status_code, said(answer)[:37]) == (403, "That token is not a person’s. Service")
    assert "set-cookie" not in answer.headers


async def test_who_is_in_no_group_with_a_role_does_not_get_in(browse: Callable[[], Browser], cluster: FakeApi) -> None:
    answer = await browse().sign_in(cluster.knows("k8s-dan-" + "x" * 40, "dan", "gardeners"))
    assert (answer.status_code, said(answer)[:37]) == (403, "None of your groups has a role here. ")


async def test_a_token_that_nobody_has_is_a_failure_like_any_other(
    client: Client, browse: Callable[[], Browser], cluster: FakeApi
) -> None:
    browser = browse()
    for number in range(10):
        assert said(await browser.sign_in(f"guess{number}")) == "That token is not known here."
    assert (await browser.sign_in("guess")).status_code == 429
    asked = len(cluster.asked)
    assert asked == 10
    # What can be no token is sent nowhere.
    assert (await browser.sign_in("k8s " + "x" * 40)).status_code == 403
    assert (await browser.sign_in("k8s-é" + "x" * 40)).status_code == 403
    assert len(cluster.asked) == asked


async def test_viewer_tokens_are_never_sent_to_the_api_server(
    client: Client, browse: Callable[[], Browser], cluster: FakeApi
) -> None:
    browser = browse()
    assert (await browser.sign_in(BEA)).status_code == 303
    page = (await browser.get()).text
    assert "The API server knows no viewer tokens. Sign in with a Kubernetes token of your own." in page
    assert COMMAND in page
    answer = await browser.decide()
    assert (answer.status_code, COMMAND in answer.text) == (403, True)
    by_header = await client.get(PAGE, CEM)
    assert "The API server knows no viewer tokens." in by_header.text
    assert cluster.asked == []


async def test_a_login_link_proves_nobody_there_either(client: Client, browse: Callable[[], Browser]) -> None:
    browser = browse()
    await browser.http.post("/login", data={"ticket": client.running.collector.viewers.issue_ticket()})
    page = (await browser.get()).text
    assert "A login link proves nobody to the API server." in page
    assert COMMAND in page
    assert (await browser.decide()).status_code == 403


async def test_an_administrator_ends_a_sign_in_and_its_token_goes_with_it(
    client: Client, bea: Browser, cluster: FakeApi
) -> None:
    sessions = client.running.collector.viewers.sessions
    (session,) = sessions.listed()
    before = len(cluster.asked)
    sessions.end_by_id(session.id)
    assert (await bea.decide()).headers["location"].startswith("/login")
    assert len(cluster.asked) == before


async def test_a_header_in_front_of_a_session_takes_its_credentials_away(bea: Browser, cluster: FakeApi) -> None:
    before = len(cluster.asked)
    answer = await bea.http.get(PAGE, headers={"authorization": f"Bearer {CEM}"})
    assert "The API server knows no viewer tokens." in answer.text
    assert len(cluster.asked) == before


async def test_the_token_is_in_no_file_page_or_log(
    client: Client, bea: Browser, cluster: FakeApi, caplog: pytest.LogCaptureFixture, capsys: Any
) -> None:
    texts = [(await bea.get(path)).text for path in (PAGE, f"{PAGE}?decide=approved", "/requests", "/readings", "/")]
    cluster.policy["bea"] = "no"
    texts.append((await bea.decide()).text)
    cluster.policy.clear()
    await bea.decide()
    collector = client.running.collector
    (session,) = collector.viewers.sessions.listed()
    texts += [repr(session), repr(session.on_cluster), json.dumps(await client.readings())]
    texts += [caplog.text, "".join(capsys.readouterr())]
    directory = collector.settings.database.parent
    texts += [path.read_bytes().decode(errors="replace") for path in directory.iterdir() if path.is_file()]
    assert len(texts) > 10
    for text in texts:
        assert BEAS not in text


async def test_a_token_that_ends_takes_the_session_with_it(client: Client, bea: Browser, cluster: FakeApi) -> None:
    step = await bea.get(f"{PAGE}?decide=approved")
    assert step.status_code == 200
    del cluster.users[BEAS]
    answer = await bea.decide()
    assert answer.status_code == 403
    assert said(answer) == ("The API server no longer knows your token, so your session has ended. Sign in again.")
    assert f'name="next" value="{PAGE}"' in answer.text
    assert list(client.running.collector.viewers.sessions.listed()) == []
    assert (await bea.get()).status_code == 303


async def test_a_token_that_ends_between_the_look_and_the_write(client: Client, bea: Browser, cluster: FakeApi) -> None:
    cluster.instead["PATCH"] = lambda _: failing(401)
    assert "your session has ended" in said(await bea.decide())
    assert await decisions(client) == [
        ("deciding", "approved", "as bea"), ("decided", "refused", "the API server no longer knows the token"),
    ]  # fmt: skip


async def test_signing_out_drops_it(client: Client, bea: Browser, cluster: FakeApi) -> None:
    await bea.http.post("/logout", headers={"sec-fetch-site": "same-origin"})
    assert list(client.running.collector.viewers.sessions._all) == []
    before = len(cluster.asked)
    assert (await bea.get()).headers["location"].startswith("/login?next=")
    assert len(cluster.asked) == before


async def test_a_session_whose_time_is_over_is_dropped_though_nobody_comes_back(client: Client, bea: Browser) -> None:
    viewers = client.running.collector.viewers
    (session,) = viewers.sessions.listed()
    session.expires = 0.0
    async with asyncio.timeout(10):
        ended = asyncio.Event()
        viewers.sessions.on_end.append(ended.set)
        await ended.wait()
    assert viewers.sessions._all == {}


async def test_who_it_is_is_asked_again(client: Client, bea: Browser, cluster: FakeApi) -> None:
    viewers = client.running.collector.viewers
    (session,) = viewers.sessions.listed()
    cluster.knows(BEAS, "bea", "staff")
    session.checked -= 301
    page = (await bea.get("/requests")).text
    assert "approver, viewer" in page
    cluster.knows(BEAS, "bea", "gardeners")
    session.checked -= 301
    assert (await bea.get("/requests")).status_code == 303
    assert list(viewers.sessions.listed()) == []


async def test_while_the_api_server_is_away_a_session_goes_on_for_an_hour(
    client: Client, bea: Browser, cluster: FakeApi
) -> None:
    (session,) = client.running.collector.viewers.sessions.listed()
    cluster.instead["POST"] = lambda _: failing(503)
    session.checked -= 301
    assert (await bea.get("/requests")).status_code == 200
    session.checked -= 3600
    assert (await bea.get("/requests")).status_code == 303
