"""People decide over HTTP: four eyes by every way in, decided once, and what each may see."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest
from tests.collector.conftest import ASKING, BEA, BOT, CEM, DAN, READER, WRITER, asking_about, token_line

from penstock_collector.approvals import attempts

WITH = {name: f"Bearer {token}" for name, token in {"bea": BEA, "ada": READER, "gate": WRITER}.items()}


async def test_the_list_and_one_of_it(client: Any) -> None:
    first = await client.asked()
    other = await client.asked(asking_about("DELETE FROM carts"))
    await client.decide(first, comment="fine")
    listed = (await client.get("/v1/requests", BEA)).json()["requests"]
    assert [(one["name"], one["standing"]) for one in listed] == [(other, "waiting"), (first, "approved")]
    waiting = (await client.get("/v1/requests?standing=waiting,denied", BEA)).json()["requests"]
    assert [one["name"] for one in waiting] == [other]
    one = (await client.get(f"/v1/requests/{first}", BEA)).json()
    assert one["requester"] == ["agent:support-bot", "person:dan@shop.example"]
    assert one["workload"] == "sa:shop/web"
    assert (one["decision"], one["decidedBy"], one["comment"], one["usedAt"]) == ("approved", "bea", "fine", None)
    assert one["effect"]["estimatedRows"] == 1200.4
    assert one["sql"] == ASKING["statement"]["sql"]
    assert (await client.get("/v1/requests?standing=open", BEA)).status_code == 400
    assert (await client.get("/v1/requests/r-2222-2222", BEA)).status_code == 404


async def test_the_list_has_pages(client: Any) -> None:
    names = [await client.asked(asking_about(f"DELETE FROM carts WHERE id = {number}")) for number in range(5)]
    for standing in ("due", "waiting", ""):
        seen, before = [], ""
        while True:
            page = (await client.get(f"/v1/requests?standing={standing}&limit=2{before}", BEA)).json()
            seen.append([one["name"] for one in page["requests"]])
            if page["next"] is None:
                break
            before = f"&before={page['next']}"
        assert seen == [names[:2:-1], names[2:0:-1], names[:1]]
    assert (await client.get("/v1/requests?before=last", BEA)).status_code == 400


async def test_only_whom_the_rule_asks_sees_the_text(client: Any) -> None:
    name = await client.asked()
    for token, sees in [(BEA, True), (CEM, True), (DAN, True), (READER, False)]:
        one = (await client.get(f"/v1/requests/{name}", token)).json()
        assert ("eva@shop.example" in str(one)) is sees
        assert ("eva@shop.example" in (await client.get("/v1/requests", token)).text) is sees


@pytest.mark.parametrize(
    ("token", "status", "words"),
    [
        (READER, 403, "ada may not decide: they are in none of the approvers' groups (dba, owners)"),
        (BOT, 403, "other-bot may not decide: only a person who acts for themselves can approve or deny"),
        (DAN, 403, "dan may not decide: they asked for it, or the agent that asked acts for them"),
        (WRITER, 401, "sign in, or send a viewer token"),
        ("nonsense", 401, "sign in, or send a viewer token"),
    ],
)
async def test_who_may_not_decide(token: str, status: int, words: str, client: Any) -> None:
    name = await client.asked()
    for decision in ("approved", "denied"):
        answer = await client.decide(name, decision, "because", token)
        assert (answer.status_code, answer.json()["error"]) == (status, words)
    assert (await client.look(name)).json()["standing"] == "waiting"


@pytest.mark.parametrize(
    "line", ["dan@shop.example groups=dba", "DAN@Shop.Example groups=dba", "SUPPORT-BOT groups=dba"]
)
async def test_nobody_decides_under_another_spelling(line: str, start: Any, settings: Any) -> None:
    settings.viewer_tokens_file.write_text(token_line("t", line))
    client = await start(settings)
    answer = await client.decide(await client.asked(), token="t")
    assert answer.status_code == 403
    assert "they asked for it" in answer.json()["error"]


async def test_a_login_link_decides_nothing(client: Any) -> None:
    name = await client.asked()
    await client.http.post("/login", content="ticket=" + client.running.collector.viewers.issue_ticket())
    answer = await client.http.post(f"/v1/requests/{name}/decision", json={"decision": "approved"})
    assert answer.status_code == 403
    assert "a login link proves nobody: sign in as yourself to decide" in answer.json()["error"]
    assert "eva@shop.example" not in (await client.http.get(f"/v1/requests/{name}")).text


async def test_a_session_decides_as_its_token_does(client: Any) -> None:
    name = await client.asked()
    await client.http.post("/login", content=f"token={BEA}".encode())
    for header in ({"sec-fetch-site": "cross-site"}, {"origin": "https://evil.example"}, {"origin": "null"}):
        answer = await client.http.post(f"/v1/requests/{name}/decision", json={"decision": "approved"}, headers=header)
        assert answer.status_code == 403
    assert (await client.look(name)).json()["standing"] == "waiting"
    answer = await client.http.post(f"/v1/requests/{name}/decision", json={"decision": "approved"})
    assert answer.json()["decidedBy"] == "bea"


async def test_two_people_at_once_decide_once(client: Any) -> None:
    name = await client.asked()
    answers = await asyncio.gather(
        *(client.decide(name, "approved", "yes", BEA) for _ in range(5)),
        *(client.decide(name, "denied", "no", CEM) for _ in range(5)),
    )
    assert sorted(answer.status_code for answer in answers) == [200] + [409] * 9
    (won,) = [answer.json() for answer in answers if answer.status_code == 200]
    one = (await client.get(f"/v1/requests/{name}", BEA)).json()
    assert (one["decision"], one["decidedBy"]) == (won["decision"], won["decidedBy"])


async def test_what_can_not_be_decided(client: Any) -> None:
    clock = client.running.collector.holder
    name = await client.asked()
    assert (await client.decide("r-2222-2222")).status_code == 404
    assert (await client.decide("%2e%2e")).status_code in (404, 405)
    await client.decide(name)
    again = await client.decide(name, "denied", "no", CEM)
    assert (again.status_code, again.json()["error"]) == (409, f"the request {name} was approved by bea")
    await client.ask()
    assert "was approved and used" in (await client.decide(name)).json()["error"]
    late = await client.asked()
    clock.clock = lambda: time.time() + 3700
    answer = await client.decide(late)
    assert answer.status_code == 409
    assert "run the statement again to ask anew" in answer.json()["error"]
    clock.clock = time.time
    assert "expired" in (await client.decide(late)).json()["error"]


@pytest.mark.parametrize(
    ("comment", "decision", "status"),
    [
        ("x" * 100_000, "approved", 413),
        ("x" * 1_025, "approved", 400),
        ("a\x00b", "approved", 400),
        ("\x1b[2Jgone", "approved", 400),
        ("\u202eevil", "approved", 400),
        ("", "denied", 400),
        (" \n ", "denied", 400),
        ("x" * 1_024, "approved", 200),
        ("in two\r\nlines", "denied", 200),
        ("<b>&'\"</b> für später ✓", "approved", 200),
    ],
)
async def test_comments(comment: str, decision: str, status: int, client: Any) -> None:
    name = await client.asked()
    answer = await client.decide(name, decision, comment)
    assert answer.status_code == status
    if status == 200:
        assert answer.json()["comment"] == " ".join(comment.split())
    else:
        assert (await client.look(name)).json()["standing"] == "waiting"


@pytest.mark.parametrize(
    "body", [b"", b"[]", b'{"decision": "maybe"}', b'{"decision": "approved", "by": "cem"}', b"[" * 10_000]
)
async def test_a_decision_that_makes_no_sense(body: bytes, client: Any) -> None:
    name = await client.asked()
    headers = {"authorization": WITH["bea"]}
    answer = await client.http.post(f"/v1/requests/{name}/decision", content=body, headers=headers)
    assert (answer.status_code, "a decision is" in answer.json()["error"]) == (400, True)


async def test_attempts_are_bounded_for_each_person(client: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attempts, "MOST", 5)
    name = await client.asked()
    answers = [await client.decide(f"r-2222-222{number}") for number in range(6)]
    assert [answer.status_code for answer in answers] == [404] * 5 + [429]
    assert (await client.decide(name)).status_code == 429
    assert (await client.decide(name, token=CEM)).status_code == 200
