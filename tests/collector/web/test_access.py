"""Access for a time at the collector: offers of gates, people who ask, decide, end and review, on pages as by JSON."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import httpx2
import pytest
from tests.collector.conftest import BEA, BOT, CEM, DAN, OTHER_WRITER, READER, WRITER
from tests.collector.web.test_inbox import EVIL, post
from tests.core.policy.test_access import policy

from penstock_core.resources.grant import Offer

POLICY = policy(
    "incident",
    subjects=[{"identity": {"kind": "person", "groups": ["dba", "staff"]}}],
    onRequest={"approvers": {"groups": ["dba"]}, "maxDuration": "4h"},
    breakGlass={"reviewers": {"groups": ["owners"]}, "maxDuration": "30m"},
)
NEWS: dict[str, Any] = {
    "databaseRef": {"name": "shop"},
    "namespace": "shop",
    "offers": [Offer.of(POLICY).model_dump(mode="json", exclude_none=True)],
    "issuers": ["https://id.example"],
}
WISH = {"policy": "incident", "duration": "1h", "reason": "orders hang"}


async def call(client: Any, path: str, body: Any, token: str = BEA) -> Any:
    return await client.http.post(path, json=body, headers={"authorization": f"Bearer {token}"})


async def hear(client: Any, wait: float = 0, token: str = WRITER, owner: str = "gw1", **changes: Any) -> Any:
    return await call(client, f"/v1/streams/{owner}/access?wait={wait:g}", NEWS | changes, token)


async def asked(client: Any, token: str = DAN, **changes: Any) -> str:
    await hear(client)
    body = WISH | ({"subject": "dan@shop.example"} if token == DAN else {}) | changes
    answer = await call(client, "/v1/access", body, token)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["name"])


async def test_a_gate_hears_at_once_what_lasts(client: Any) -> None:
    name = await asked(client)
    known = (await hear(client)).json()["digest"]
    waiting = asyncio.create_task(hear(client, 10, known=known))
    await asyncio.sleep(0.2)
    assert not waiting.done()
    began = time.monotonic()
    assert (await client.decide(name)).status_code == 200
    (grant,) = (await waiting).json()["grants"]
    assert time.monotonic() - began < 2
    assert (grant["request"], grant["decidedBy"]) == (name, "bea")
    assert grant["requester"]["principal"]["subject"] == "dan@shop.example"
    other = await hear(client, token=OTHER_WRITER, owner="gw2", databaseRef={"name": "other"})
    assert other.json()["grants"] == []
    assert (await call(client, f"/v1/requests/{name}/end", {}, DAN)).status_code == 200
    assert (await hear(client)).json()["grants"] == []


async def test_a_gate_that_waits_hears_when_it_ends_by_itself(client: Any) -> None:
    name = await asked(client, duration="1s")
    await client.decide(name)
    known = (await hear(client)).json()["digest"]
    began = time.monotonic()
    assert (await hear(client, 10, known=known)).json()["grants"] == []
    assert time.monotonic() - began < 2


@pytest.mark.parametrize(
    ("token", "owner", "status"),
    [("nobody", "gw1", 401), (BEA, "gw1", 401), (OTHER_WRITER, "gw1", 403), (WRITER, "a b", 400)],
)
async def test_only_gates_hear(client: Any, token: str, owner: str, status: int) -> None:
    assert (await hear(client, token=token, owner=owner)).status_code == status


@pytest.mark.parametrize("changes", [{"databaseRef": {}}, {"offers": [{}]}, {"more": 1}, {"namespace": "../x"}])
async def test_what_is_no_question_is_refused(client: Any, changes: dict[str, Any]) -> None:
    answer = await hear(client, **changes)
    assert (answer.status_code, ": " in answer.json()["error"]) == (400, True)


async def test_who_may_not_ask(client: Any) -> None:
    await hear(client)
    for token, said in ((READER, "is not for person:ada"), (BOT, "agents and services ask through the gate")):
        answer = await call(client, "/v1/access", WISH, token)
        assert said in answer.text, answer.text
    several = await call(client, "/v1/access", WISH, DAN)
    assert "say as whom you ask: dan or dan@shop.example" in several.text
    gone = await call(client, "/v1/access", WISH | {"policy": "other"}, BEA)
    assert "no gate offers a policy other" in gone.text


async def test_gates_that_differ_are_waited_for(client: Any) -> None:
    await hear(client)
    newer = policy("incident", **POLICY.spec.model_dump(mode="json", include={"on_request"}))
    await hear(
        client, token=OTHER_WRITER, owner="gw2", offers=[Offer.of(newer).model_dump(mode="json", exclude_none=True)]
    )
    assert "gates have several versions" in (await call(client, "/v1/access", WISH, BEA)).text


async def test_what_can_be_asked_for_is_listed(client: Any) -> None:
    assert (await client.get("/v1/access", BEA)).json() == {"offers": []}
    await hear(client)
    (offer,) = (await client.get("/v1/access", BEA)).json()["offers"]
    assert (offer["policy"], offer["longest"], offer["longestEmergency"]) == ("incident", "4h", "30m")


async def test_an_approver_decides_on_the_page_for_less(client: Any) -> None:
    name = await asked(client, reason=EVIL)
    inbox = (await client.get("/requests", BEA)).text
    assert "access by policy incident for 1h" in inbox
    assert "<script>alert(1)" not in inbox
    page = (await client.get(f"/requests/{name}?decide=approved", BEA)).text
    assert 'name="lasts"' in page
    assert "<script>alert(1)" not in page
    wrong = await post(client, name, "decision=approved&lasts=soon")
    assert (wrong.status_code, "must be a duration" in wrong.text) == (409, True)
    longer = await post(client, name, "decision=approved&lasts=2h")
    assert (longer.status_code, "approve that, or less" in longer.text) == (409, True)
    assert (await post(client, name, "decision=approved&lasts=10m")).status_code == 303
    lasts = (await client.get(f"/requests/{name}", DAN)).text
    assert "Approved by <b>bea</b>" in lasts
    assert "decide=ended" in lasts
    assert "decide=ended" not in (await client.get(f"/requests/{name}", READER)).text
    refused = await post(client, name, "decision=ended", READER)
    assert (refused.status_code, "may not end it" in refused.text) == (403, True)
    assert (await post(client, name, "decision=ended", DAN)).status_code == 303
    assert "Ended" in (await client.get(f"/requests/{name}", BEA)).text


async def test_an_emergency_stands_as_an_alarm_until_others_review_it(client: Any) -> None:
    name = await asked(client, breakGlass=True, duration="30m")
    for path, words in (("/requests", "emergency, in effect"), ("/streams", "in an emergency"), ("/", ">1<")):
        assert words in (await client.get(path, BEA)).text, path
    metrics = (await client.http.get("/metrics")).text
    assert 'penstock_collector_emergencies{review="due"} 1.0' in metrics
    early = await post(client, name, "decision=reviewed&comment=x", CEM)
    assert (early.status_code, "end it first" in early.text) == (409, True)
    await post(client, name, "decision=ended", DAN)
    for token in (DAN, BEA):
        answer = await post(client, name, "decision=reviewed&comment=x", token)
        assert (answer.status_code, "may not review" in answer.text) == (403, True)
    page = (await client.get(f"/requests/{name}?decide=reviewed", CEM)).text
    assert f"/?request={name}" in page
    assert (await post(client, name, "decision=reviewed&comment=", CEM)).status_code == 409
    assert (await post(client, name, "decision=reviewed&comment=as+said", CEM)).status_code == 303
    assert "Reviewed by <b>cem</b>" in (await client.get(f"/requests/{name}", BEA)).text
    assert "No alarm stands" in (await client.get("/streams", BEA)).text


async def test_who_came_by_a_link_asks_for_nothing(client: Any) -> None:
    await hear(client)
    ticket = client.running.collector.viewers.issue_ticket()
    async with httpx2.AsyncClient(base_url=client.http.base_url, trust_env=False, follow_redirects=True) as linked:
        await linked.post("/login", content=f"ticket={ticket}")
        assert (await linked.get("/v1/requests")).status_code == 200
        for path, body in (("/v1/access", WISH), ("/v1/requests/r-2222-2222/review", {"comment": "x"})):
            answer = await linked.post(path, json=body)
            assert answer.status_code in (403, 404), answer.text
        asking = await linked.post("/v1/access", json=WISH)
        assert (asking.status_code, "a login link proves nobody" in asking.text) == (403, True)


async def test_what_people_do_about_access_is_on_record(client: Any) -> None:
    name = await asked(client)
    await call(client, "/v1/access", WISH | {"policy": "other"}, BEA)
    assert (await call(client, f"/v1/requests/{name}/end", {}, CEM)).status_code == 403
    await client.decide(name)
    assert (await post(client, name, "decision=ended", DAN)).status_code == 303
    glass = await asked(client, breakGlass=True, duration="30m")
    await call(client, f"/v1/requests/{glass}/end", {}, DAN)
    refused = await call(client, f"/v1/requests/{glass}/review", {"comment": "x"}, DAN)
    assert refused.status_code == 403
    assert (await call(client, f"/v1/requests/{glass}/review", {"comment": "as said"}, CEM)).status_code == 200
    found = [one for one in await client.readings() if one["action"] in ("asked", "decided", "ended", "reviewed")]
    assert [(one["action"], one["by"]["name"], one["what"], one.get("result", "")) for one in found] == [
        ("asked", "dan", name, ""),
        ("asked", "bea", "other", "refused"),
        ("ended", "cem", name, "refused"),
        ("decided", "bea", name, "approved"),
        ("ended", "dan", name, ""),
        ("asked", "dan", glass, "emergency"),
        ("ended", "dan", glass, ""),
        ("reviewed", "dan", glass, "refused"),
        ("reviewed", "cem", glass, ""),
    ]
    assert "no gate offers a policy other" in found[1]["reason"]
    assert "may not end it" in found[2]["reason"]
    assert "may not review" in found[7]["reason"]
    assert not any("orders hang" in str(one) or "as said" in str(one) for one in found)


async def test_what_a_gate_asks_for_and_what_lasts_is_no_reading(client: Any) -> None:
    await hear(client)
    assert await client.readings() == []
