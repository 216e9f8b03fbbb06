"""The pages of requests without a browser: what each shows to whom, and that forms decide without any script."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from tests.collector.conftest import ASKING, BEA, CEM, DAN, READER, asking_about, token_line

EVIL = "<script>alert(1)</script><img src=x onerror=alert(2)>\"'{{7*7}}"
SECRET = "eva@shop.example"
FORM = {"content-type": "application/x-www-form-urlencoded"}


async def post(client: Any, name: str, body: str, token: str = BEA, **headers: str) -> Any:
    authorization = {"authorization": f"Bearer {token}"}
    return await client.http.post(f"/requests/{name}", content=body, headers=FORM | authorization | headers)


async def test_more_than_a_page_shows_is_said(client: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(3):
        await client.asked(asking_about(f"DELETE FROM carts WHERE id = {number}"))
    assert "lists all" not in (await client.get("/requests", BEA)).text
    monkeypatch.setattr("penstock_collector.web.inbox._MOST_WAITING_SHOWN", 2)
    assert (
        "These are the latest 2 of 3. <code>penstock requests</code> lists all."
        in (await client.get("/requests", BEA)).text
    )


async def test_the_inbox_has_what_waits_first(client: Any) -> None:
    first, second = await client.asked(), await client.asked(asking_about("DROP TABLE carts"))
    await client.decide(first, comment="after the backup")
    page = (await client.get("/requests", BEA)).text
    assert page.index(second) < page.index("Decided and ended") < page.index(first)
    for expected in ("agent:support-bot", "for person:dan@shop.example", "about 1\u202f200 rows", "after the backup"):
        assert expected in page
    assert '<span class="count calm" id="waiting-count" title="requests that wait for approval">1<' in page
    assert "requests that wait for approval" in (await client.get("/", BEA)).text
    await client.decide(second, "denied", "no")
    assert "Nothing waits for approval" in (await client.get("/requests", BEA)).text


async def test_one_request_shows_all_that_its_approver_has_to_know(client: Any) -> None:
    body = {**ASKING, "statement": {**ASKING["statement"], "parametersDigest": "ab" * 32}}
    name = await client.asked(body)
    page = (await client.get(f"/requests/{name}", BEA)).text
    for expected in (
        "DELETE FROM orders WHERE email = &#39;eva@shop.example&#39;",
        "agent <b>support-bot</b>",
        "person <b>dan@shop.example</b>",
        "https://id.example",
        "sa:shop/web",
        "public.orders.email",
        "35.5",
        "support, deletes",
        "dba, owners",
        "search_path = public",
        "clean up after a test order",
        "Their values are not shown; an approval is good for these values alone",
        "values in them are shown to every member of the approvers’ groups",
        f"/requests/{name}?decide=approved",
        f"/requests/{name}?decide=denied",
    ):
        assert expected in page
    for path in ("/requests/r-2222-2222", "/requests/..%2fx", "/requests/x?decide=approved"):
        assert (await client.get(path, BEA)).status_code == 404


async def test_deciding_takes_a_second_step_and_no_script(client: Any) -> None:
    name = await client.asked()
    step = (await client.get(f"/requests/{name}?decide=approved", BEA)).text
    assert f"Approve {name}?" in step
    assert '<input type="hidden" name="decision" value="approved">' in step
    assert "DELETE FROM orders" in step
    done = await post(client, name, "decision=approved&comment=once+only")
    assert (done.status_code, done.headers["location"]) == (303, f"/requests/{name}")
    page = (await client.get(f"/requests/{name}", BEA)).text
    assert "Approved by <b>bea</b>" in page
    assert "once only" in page
    assert "Not used yet." in page
    assert "?decide=" not in page
    await client.ask()
    assert "Used 20" in (await client.get(f"/requests/{name}", BEA)).text


async def test_what_a_form_can_not_do(client: Any) -> None:
    name = await client.asked()
    for body, status, said in [
        ("decision=maybe", 400, "That was no decision"),
        ("", 400, "That was no decision"),
        ("decision=approved&comment=" + "x" * 100_000, 400, "That was no decision"),
        ("decision=approved&comment=" + "x" * 2_000, 400, "longer than 1024 characters"),
        ("decision=denied", 400, "a denial needs a comment"),
        ("decision=approved&comment=%00%1b", 400, "characters that do not show"),
    ]:
        answer = await post(client, name, body)
        assert (answer.status_code, said in answer.text) == (status, True)
    foreign = await post(client, name, "decision=approved", **{"sec-fetch-site": "cross-site"})
    assert foreign.status_code == 403
    assert (await client.look(name)).json()["standing"] == "waiting"
    await post(client, name, "decision=denied&comment=no")
    again = await post(client, name, "decision=approved", token=CEM)
    assert (again.status_code, f"{name} was denied by bea" in again.text) == (409, True)


@pytest.mark.parametrize(
    ("token", "words"),
    [
        (READER, "ada may not decide: they are in none of the approvers&#39; groups"),
        (DAN, "dan may not decide: they asked for it, or the agent that asked acts for them"),
    ],
)
async def test_who_may_not_decide_is_told_so(token: str, words: str, client: Any) -> None:
    name = await client.asked()
    for path in (f"/requests/{name}", f"/requests/{name}?decide=approved"):
        page = (await client.get(path, token)).text
        assert words in page
        assert '<form class="decide' not in page
        assert "?decide=" not in page
    assert (await post(client, name, "decision=approved", token)).status_code == 403


async def test_a_login_link_looks_and_does_not_decide(client: Any) -> None:
    name = await client.asked()
    await client.http.post("/login", content="ticket=" + client.running.collector.viewers.issue_ticket())
    page = (await client.http.get(f"/requests/{name}?decide=approved")).text
    assert "a login link proves nobody" in page
    assert SECRET not in page
    answer = await client.http.post(f"/requests/{name}", content="decision=approved", headers=FORM)
    assert (answer.status_code, "a login link proves nobody" in answer.text) == (403, True)


async def read_rows(client: Any, token: str, until: str = "", after: int = 0) -> list[dict[str, Any]]:
    """The rows of the live inbox, up to the first that has this text."""
    rows: list[dict[str, Any]] = []
    headers = {"authorization": f"Bearer {token}"}
    async with asyncio.timeout(30), client.http.stream("GET", f"/requests/tail?after={after}", headers=headers) as tail:
        async for line in tail.aiter_lines():
            if line.startswith("data: "):
                rows.append(json.loads(line[6:]))
                if until in rows[-1]["html"]:
                    break
    return rows


async def test_the_live_inbox_has_what_changes(client: Any) -> None:
    name = await client.asked()
    following = asyncio.create_task(read_rows(client, BEA, until="approved, used"))
    await asyncio.sleep(0.3)
    await client.decide(name, comment="fine")
    await client.ask()
    first, *others = await following
    assert (first["name"], first["waiting"]) == (name, True)
    # What changes twice in a moment may show as it is in the end.
    assert {(row["name"], row["waiting"]) for row in others} == {(name, False)}
    assert (await client.get("/requests/tail?after=x", BEA)).status_code == 400


async def test_values_are_shown_to_the_approvers_alone(client: Any) -> None:
    name = await client.asked()
    for token, sees in [(BEA, True), (CEM, True), (READER, False)]:
        for path in ("/requests", f"/requests/{name}"):
            assert (SECRET in (await client.get(path, token)).text) is sees
        (row,) = await read_rows(client, token)
        assert (SECRET in row["html"]) is sees


async def test_whatever_a_request_says_is_only_text(client: Any) -> None:
    principal = {"kind": "agent", "subject": EVIL, "issuer": EVIL}
    hostile = {
        **ASKING,
        "statement": {"sql": EVIL, "settings": [{"name": "x" + EVIL[:60], "value": EVIL}]},
        "requester": {"principal": principal, "actsFor": [principal]},
        "heldBy": {**ASKING["heldBy"], "approvers": ["dba", EVIL]},
        "effect": {"verbs": [EVIL[:60]], "tables": [EVIL], "masked": [EVIL]},
        "reason": EVIL,
    }
    name = await client.asked(hostile)
    texts = [(await client.get(path, BEA)).text for path in ("/requests", f"/requests/{name}")]
    texts.append((await read_rows(client, BEA))[0]["html"])
    await client.decide(name, "denied", EVIL)
    texts += [(await client.get(path, BEA)).text for path in ("/requests", f"/requests/{name}")]
    for text in texts:
        assert "<script>alert" not in text
        assert "<img src=x" not in text.lower()
        assert "&lt;script&gt;" in text


async def test_what_does_not_show_is_written_out(client: Any) -> None:
    name = await client.asked(asking_about("SELECT '\u202e\u200b\x00\x1b[1m' -- ｆull größe", reason="\u2066x"))
    page = (await client.get(f"/requests/{name}", BEA)).text
    for odd in "\u202e\u200b\x00\x1b\u2066":
        assert odd not in page
    for shown in ("\\u202e", "\\u200b", "\\u0000", "\\u001b", "\\u2066", "ｆull größe"):
        assert shown in page


async def test_the_longest_statement_is_shown_whole(client: Any) -> None:
    sql = "SELECT 1" + " " * 60_000 + "; DROP TABLE orders"
    sql += "-" * (65_536 - len(sql))
    page = await client.get(f"/requests/{await client.asked(asking_about(sql))}", BEA)
    assert sql in page.text
    assert "65\u202f536 characters" in page.text
    assert len((await client.get("/requests", BEA)).text) < 30_000


async def test_after_retention_the_decision_is_still_there(client: Any) -> None:
    name = await client.asked()
    await client.decide(name, "denied", "no")
    held = client.running.collector.holder
    later = held.clock() + 3 * 86_400
    held.clock = lambda: later
    assert await held.dispose(1) == 1
    page = (await client.get(f"/requests/{name}", BEA)).text
    assert SECRET not in page
    assert "Denied by <b>bea</b>" in page


async def test_statements_link_to_the_request_that_held_them(client: Any, sender: Any) -> None:
    held = {"policy": "support", "rule": "approvals[deletes]", "standing": "waiting"}
    third = {"session": "s1", "statement": 3}
    events = sender.seal({"kind": "open"})
    events += sender.statement(1, decision="deny", approvals=[held, held | {"request": "r-2222-2222"}])
    events += sender.statement(2, approvals=[held, held | {"request": EVIL}])
    events += sender.seal(
        {"kind": "intent", **third, "sql": "SELECT 3"},
        {"kind": "outcome", **third, "result": "ok", "approvals": [held | {"request": "r-3333-3333"}]},
    )
    # Put aside: they are no list.
    events += sender.statement(4, approvals="r-4444-4444")
    await client.send(events)
    page = (await client.get("/")).text
    for name in ("r-2222-2222", "r-3333-3333"):
        assert f'<a class="request" href="/requests/{name}">{name}</a>' in page
    assert "r-4444" not in page
    assert "<script>alert" not in page
    assert 'href="/requests/r-3333-3333"' in (await client.get("/statements/gw1/boot1/6")).text
    assert [one["request"] for one in await client.search()] == ["r-3333-3333", EVIL, "r-2222-2222"]


async def test_the_link_is_for_whom_it_does_not_lead_to_a_refusal(start: Any, settings: Any, sender: Any) -> None:
    settings.viewer_tokens_file.write_text(
        token_line(READER, "ada roles=viewer") + token_line(BEA, "bea groups=dba roles=viewer,approver")
    )
    client = await start(settings)
    held = {"policy": "support", "rule": "approvals[deletes]", "standing": "waiting", "request": "r-2222-2222"}
    await client.send(sender.seal({"kind": "open"}) + sender.statement(1, decision="deny", approvals=[held]))
    row = ""
    for who, linked in ((READER, False), (BEA, True)):
        assert (await client.get("/requests/r-2222-2222", who)).status_code == (404 if linked else 403)
        for path in ("/", "/statements/gw1/boot1/2"):
            page = (await client.get(path, who)).text
            assert ('href="/requests/r-2222-2222"' in page, "r-2222-2222" in page) == (linked, True), path
        headers = {"authorization": f"Bearer {who}"}
        async with client.http.stream("GET", "/tail?format=html&after=0", headers=headers) as followed:
            async for row in followed.aiter_lines():
                if "r-2222-2222" in row:
                    break
        assert ("/requests/r-2222-2222" in row, "r-2222-2222" in row) == (linked, True)


async def test_a_viewer_whose_groups_are_taken_sees_no_more(start: Any, settings: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr("penstock_collector.auth.token_file._CHECK_EVERY_SECONDS", 0)
    client = await start(settings)
    name = await client.asked()
    assert SECRET in (await client.get(f"/requests/{name}", BEA)).text
    settings.viewer_tokens_file.write_text(token_line(BEA, "bea"))
    assert SECRET not in (await client.get(f"/requests/{name}", BEA)).text


OWNERS = {"policy": "owners", "approval": "writes", "policyGeneration": 3, "approvers": ["dba"]}
TWO_RULES: dict[str, Any] = {**ASKING, "alsoHeldBy": [OWNERS]}


async def test_the_requests_of_other_rules_for_the_same_statement_are_shown_with_how_they_stand(client: Any) -> None:
    told = (await client.ask(TWO_RULES)).json()
    names = {one["approval"]: one["request"] for one in told["ofRules"]}
    # None of these is about it: another statement, generation, parameters, somebody else's.
    await client.asked(asking_about("DELETE FROM carts", heldBy=OWNERS))
    await client.asked({**ASKING, "heldBy": {**OWNERS, "policyGeneration": 4}})
    await client.asked({**ASKING, "heldBy": OWNERS, "statement": {**ASKING["statement"], "parametersDigest": "a" * 64}})
    await client.ask({**ASKING, "heldBy": OWNERS}, owner="gw2")
    page = (await client.get(f"/requests/{names['deletes']}", BEA)).text
    assert page.count("Held by another rule, too") == 1
    row = page[page.index("Held by another rule, too") :].split("</div>")[0]
    assert f'owners, writes: <a href="/requests/{names["writes"]}">' in row
    assert ("waiting" in row, "for dba" in row) == (True, True)
    await client.decide(names["writes"])
    page = (await client.get(f"/requests/{names['deletes']}", READER)).text
    row = page[page.index("Held by another rule, too") :].split("</div>")[0]
    assert ("approved" in row, "<b>bea</b>" in row) == (True, True)
    assert SECRET not in page
    shown = (await client.get(f"/v1/requests/{names['writes']}", BEA)).json()
    assert shown["otherRules"] == [
        {
            "name": names["deletes"], "policy": "support", "approval": "deletes", "approvers": ["dba", "owners"],
            "standing": "waiting", "decidedBy": None,
        }
    ]  # fmt: skip


async def test_of_a_statement_that_was_asked_for_again_those_of_the_same_time_are_shown(client: Any) -> None:
    rounds = []
    for _ in range(2):
        names = {one["approval"]: one["request"] for one in (await client.ask(TWO_RULES)).json()["ofRules"]}
        rounds.append(names)
        for name in names.values():
            await client.decide(name)
        assert (await client.ask(TWO_RULES)).json()["standing"] == "granted"
    assert rounds[0] != rounds[1]
    for names in rounds:
        (other,) = (await client.get(f"/v1/requests/{names['deletes']}", BEA)).json()["otherRules"]
        assert (other["name"], other["standing"]) == (names["writes"], "used")


async def test_what_one_rule_holds_has_no_others(client: Any) -> None:
    name = await client.asked()
    assert "Held by another rule" not in (await client.get(f"/requests/{name}", BEA)).text
    assert (await client.get(f"/v1/requests/{name}", BEA)).json()["otherRules"] == []
