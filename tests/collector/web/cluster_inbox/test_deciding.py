"""A cluster's request on its page: decided with the credentials of who is signed in, and by nothing else."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from tests.collector.conftest import BEA, Client
from tests.collector.store.test_cluster_requests import OPEN, WAITS
from tests.collector.web.api_server import NAME, FakeApi
from tests.collector.web.cluster_inbox.conftest import (
    ADAS,
    BEAS,
    BOTS,
    COMMAND,
    EVES,
    PAGE,
    SQL,
    Browser,
    decisions,
)
from tests.collector.web.signing_in import said
from tests.collector.web.test_access import WISH, hear


async def test_somebody_signs_in_with_their_token_and_approves(client: Client, bea: Browser, cluster: FakeApi) -> None:
    page = (await bea.get()).text
    for expected in (SQL, "agent:bot", "the API server knows you as <b>bea</b>", COMMAND, 'id="approve"'):
        assert expected in page
    step = (await bea.get(f"{PAGE}?decide=approved")).text
    assert 'name="uid" value="uid-1"' in step
    assert f'action="{PAGE}"' in step
    assert cluster.writes() == [], "looking decides nothing"
    answer = await bea.decide(comment="as  agreed")
    assert (answer.status_code, answer.headers["location"]) == (303, PAGE)
    (write,) = cluster.writes()
    assert write.token == BEAS
    assert write.body["metadata"] == {"resourceVersion": "7", "uid": "uid-1"}
    assert set(write.body["status"]) == {"decision", "decidedBy", "decidedAt", "comment"}
    assert {**write.body["status"], "decidedAt": ""} == {
        "decision": "approved", "decidedBy": "bea", "decidedAt": "", "comment": "as agreed",
    }  # fmt: skip
    assert "Approved by <b>bea</b>" in (await bea.get()).text
    assert await decisions(client) == [("deciding", "approved", "as bea"), ("decided", "approved", "")]


async def test_a_denial_needs_a_comment(bea: Browser, cluster: FakeApi) -> None:
    answer = await bea.decide("denied", " ")
    assert (answer.status_code, said(answer)) == (
        400, "Not done: a denial needs a comment: say why, the requester reads it.",
    )  # fmt: skip
    assert cluster.writes() == []
    assert (await bea.decide("denied", "not now")).status_code == 303
    assert (cluster.status["decision"], cluster.status["comment"]) == ("denied", "not now")


async def test_access_is_given_for_no_longer_than_was_asked_for(bea: Browser, cluster: FakeApi) -> None:
    assert cluster.object is not None
    spec = {key: value for key, value in cluster.object["spec"].items() if key not in ("heldBy", "statement")}
    spec |= {"reason": "orders hang", "access": {
        "policy": "incident", "policyDigest": "0" * 64, "approvers": ["dba"], "duration": "1h",
    }}  # fmt: skip
    cluster.object["spec"] = spec
    assert 'name="lasts"' in (await bea.get(f"{PAGE}?decide=approved")).text
    for lasts, why in (("2h", "approve that, or less"), ("soon", "a duration")):
        answer = await bea.decide(lasts=lasts)
        assert (answer.status_code, why in said(answer)) == (409, True)
    assert (await bea.decide(lasts="30m")).status_code == 303
    assert cluster.status["until"] > cluster.status["decidedAt"]
    assert "It lasts until" in (page := (await bea.get()).text)
    assert 'id="end"' not in page


async def test_the_inbox_leads_to_it_and_shows_it_no_more_once_it_is_decided(
    client: Client, bea: Browser, sender: Any
) -> None:
    await client.send(sender.seal(OPEN, WAITS))
    assert f'href="{PAGE}"' in (await bea.get("/requests")).text
    there = await bea.get(f"/requests/{NAME}")
    assert (there.status_code, there.headers["location"]) == (303, PAGE)
    await bea.decide()
    assert PAGE not in (await bea.get("/requests")).text


@pytest.mark.parametrize(
    ("token", "why"),
    [
        (ADAS, "ada@shop.example may not decide: they asked for it, or the agent that asked acts for them"),
        (BOTS, "oidc:bot may not decide: they asked for it, or the agent that asked acts for them"),
        (EVES, "eve may not decide: they are in none of the approvers' groups (dba, owners)"),
    ],
)
async def test_who_may_not_has_no_way_to(
    client: Client, browse: Callable[[], Browser], cluster: FakeApi, token: str, why: str
) -> None:
    browser = browse()
    await browser.sign_in(token)
    page = await browser.get(f"{PAGE}?decide=approved")
    assert f"{why}." in page.text.replace("&#39;", "'")
    assert "<form class" not in page.text.replace('<form class="who"', "")
    answer = await browser.decide()
    assert (answer.status_code, said(answer)) == (403, f"Not done: {why}.")
    assert cluster.writes() == []
    assert await decisions(client) == [("decided", "refused", why)]


async def test_the_api_server_has_the_last_word(client: Client, bea: Browser, cluster: FakeApi) -> None:
    cluster.policy["bea"] = "bea may not decide: they asked for it, or the agent that asked acts for them"
    answer = await bea.decide()
    assert (answer.status_code, said(answer)) == (403, f"Not done: {cluster.policy['bea']}.")
    assert cluster.status == {}
    assert await decisions(client) == [
        ("deciding", "approved", "as bea"), ("decided", "refused", cluster.policy["bea"]),
    ]  # fmt: skip


async def test_without_rights_the_line_for_kubectl_is_there(bea: Browser, cluster: FakeApi) -> None:
    cluster.without_rights.add("bea")
    page = await bea.get()
    assert page.status_code == 403
    assert "The API server lets you not see requests in the namespace shop; have the ClusterRole" in page.text
    assert COMMAND in page.text
    assert SQL not in page.text
    assert (await bea.decide()).status_code == 403


@pytest.mark.parametrize("headers", [{"sec-fetch-site": "cross-site"}, {"origin": "https://evil.example"}])
async def test_no_other_page_decides(bea: Browser, cluster: FakeApi, headers: dict[str, str]) -> None:
    fields = {"decision": "approved", "uid": "uid-1"}
    answer = await bea.http.post(PAGE, data=fields, headers=headers)
    assert (answer.status_code, cluster.writes()) == (403, [])


async def test_a_collector_outside_of_a_cluster_lists_them_alone(start: Any, settings: Any, sender: Any) -> None:
    client = await start(settings)
    await client.send(sender.seal(OPEN, WAITS))
    page = await client.get(PAGE, BEA)
    assert (page.status_code, "This collector knows no API server to decide it at." in page.text) == (200, True)
    for expected in (COMMAND, "agent:bot for person:ada", "public.orders", "about 1\u202f200", "dba, owners"):
        assert expected in page.text


async def test_the_collectors_own_requests_are_decided_as_ever(
    client: Client, browse: Callable[[], Browser], bea: Browser, cluster: FakeApi
) -> None:
    name = await client.asked()
    token = cluster.knows("k8s-dan-" + "x" * 40, "oidc:dan@shop.example", "dba")
    dan = browse()
    await dan.sign_in(token)
    form = {"data": {"decision": "approved"}, "headers": {"sec-fetch-site": "same-origin"}}
    answer = await dan.http.post(f"/requests/{name}", **form)  # type: ignore[arg-type] # as the client takes them
    assert (answer.status_code, "oidc:dan@shop.example may not decide: they asked for it" in said(answer)) == (
        403,
        True,
    )
    assert (await bea.http.post(f"/requests/{name}", **form)).status_code == 303  # type: ignore[arg-type] # as above
    assert (await client.look(name)).json()["decidedBy"] == "bea"


async def test_nobody_asks_for_access_by_what_only_the_api_server_calls_them(client: Client, bea: Browser) -> None:
    await hear(client)
    for subject in ({}, {"subject": "bea"}, {"subject": "dan@shop.example"}):
        answer = await bea.http.post("/v1/access", json=WISH | subject, headers={"sec-fetch-site": "same-origin"})
        assert (answer.status_code, "bea can't ask here: nobody vouches" in answer.text) == (403, True)


async def test_the_line_of_kubectl_is_one_to_copy(bea: Browser) -> None:
    assert re.findall(r"<code>(kubectl[^<]*)</code>", (await bea.get()).text) == [COMMAND]


async def test_what_can_not_be_recorded_is_not_sent(client: Client, bea: Browser, cluster: FakeApi) -> None:
    database = client.running.collector.settings.database
    await bea.get()
    database.rename(database.with_name("away"))
    answer = await bea.decide()
    database.with_name("away").rename(database)
    assert answer.status_code == 503
    assert "The decision can&#39;t be recorded, and so was not sent" in answer.text
    assert cluster.writes() == []


async def test_too_many_attempts(client: Client, bea: Browser, cluster: FakeApi) -> None:
    cluster.policy["bea"] = "no"
    answers = [(await bea.decide()).status_code for _ in range(60)]
    asked = len(cluster.asked)
    answers.append((await bea.decide()).status_code)
    assert answers == [403] * 60 + [429]
    assert len(cluster.asked) == asked, "the API server is not asked in vain"
