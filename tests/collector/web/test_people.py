"""People at work: roles that end while a page is open, sign-ins that others end, one person under several names."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from tests.collector.conftest import ASKING, BEA, READER, token_line
from tests.collector.web.signing_in import SESSION, Person
from tests.collector.web.test_access import WISH, hear
from tests.oidc_provider.provider import Instead, OidcProvider

from penstock_collector import main, readings
from penstock_collector.auth import provider as provider_module
from penstock_collector.auth import viewers as viewers_module
from penstock_collector.settings import CollectorSettings
from penstock_collector.store import requests


@pytest.fixture
def sign_in_settings(sign_in_settings: CollectorSettings, monkeypatch: pytest.MonkeyPatch) -> CollectorSettings:
    """The provider is asked anew every half a second."""
    monkeypatch.setattr(main, "_LOOK_SECONDS", 0.1)
    monkeypatch.setattr(provider_module, "FRESH_SECONDS", 0.0)
    monkeypatch.setattr(provider_module, "PAUSE_SECONDS", 0.0)
    return sign_in_settings.model_copy(update={"sign_in_check_minutes": 0.5 / 60})


async def events(person: Person, path: str) -> AsyncIterator[tuple[str, Any]]:
    async with person.http.stream("GET", path) as stream:
        assert stream.status_code == 200
        name = ""
        async for line in stream.aiter_lines():
            if line.startswith("event: "):
                name = line[7:]
            elif line.startswith("data: "):
                yield name, json.loads(line[6:])


# ── Looked at again ──


@pytest.mark.parametrize("path", ["/tail", "/requests/tail"])
async def test_a_page_that_is_open_ends_with_the_role(
    person: Person, oidc: OidcProvider, desk: Any, sender: Any, path: str
) -> None:
    await person.sign_in("bea")
    asked = oidc.asked("/token")

    async def taken_away() -> None:
        await asyncio.sleep(0.3)
        oidc.user("bea", groups=["gardeners"], email="bea@shop.example", email_verified=True)

    async with asyncio.timeout(30), asyncio.TaskGroup() as group:
        group.create_task(taken_away())
        found = [event async for event in events(person, path)]
    assert found == [("ended", {"error": "the session has ended"})]
    assert oidc.asked("/token") > asked
    await desk.send(sender.seal({"kind": "open", "database": "shop", "version": "0.1.0"}) + sender.statement(1))
    assert (await person.get("/requests")).headers["location"] == "/login?next=%2Frequests"


@pytest.mark.parametrize(("path", "left"), [("/tail", "dba"), ("/requests/tail", "staff")])
async def test_a_page_that_is_open_ends_with_its_own_role(
    person: Person, oidc: OidcProvider, path: str, left: str
) -> None:
    await person.sign_in("bea")

    async def taken_away() -> None:
        await asyncio.sleep(0.3)
        oidc.user("bea", groups=[left], email="bea@shop.example", email_verified=True)

    async with asyncio.timeout(30), asyncio.TaskGroup() as group:
        group.create_task(taken_away())
        found = [event async for event in events(person, path)]
    assert found == [("ended", {"error": "the session has ended"})]
    assert (await person.get(path)).status_code == 403, "while the sign-in goes on"


async def test_a_role_that_is_taken_away_leaves_the_others(person: Person, oidc: OidcProvider) -> None:
    await person.sign_in("ada")
    assert (await person.get("/readings")).status_code == 200
    oidc.user("ada", groups=["staff"], email="ada@shop.example", email_verified=True)
    await asyncio.sleep(0.6)
    assert (await person.get("/readings")).status_code == 403
    assert (await person.get("/")).status_code == 200


async def test_who_signs_out_at_the_provider_is_out_here(person: Person, desk: Any) -> None:
    await person.sign_in("ada")
    (session,) = desk.running.collector.viewers.sessions.listed()
    url = await desk.running.collector.viewers.sign_in.sign_out_url(session.signed_in)
    person.visitor.sign_out(url)
    await asyncio.sleep(0.6)
    assert (await person.get("/")).headers["location"] == "/login"


async def test_while_the_provider_is_down_a_sign_in_goes_on_for_a_while(
    person: Person, oidc: OidcProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    await person.sign_in("ada")
    oidc.instead("/token", Instead(status=503))
    await asyncio.sleep(0.6)
    assert (await person.get("/")).status_code == 200
    monkeypatch.setattr(viewers_module, "UNCHECKED_SECONDS", 0.5)
    assert (await person.get("/")).headers["location"] == "/login"


async def test_who_is_somebody_else_all_at_once(person: Person, oidc: OidcProvider) -> None:
    await person.sign_in("ada")
    oidc.token_answers["id_token"] = oidc.sign({"sub": "eve", "aud": "penstock", "groups": ["platform"]})
    oidc.apply()
    await asyncio.sleep(0.6)
    assert (await person.get("/")).headers["location"] == "/login"


async def test_a_provider_that_gives_nothing_to_ask_again_with(person: Person, oidc: OidcProvider, desk: Any) -> None:
    oidc.token_answers["refresh_token"] = ""
    oidc.apply()
    await person.sign_in("ada")
    (session,) = desk.running.collector.viewers.sessions.listed()
    assert round(session.expires - session.began, 3) == 3600, "and so the sign-in is a short one"
    await asyncio.sleep(0.6)
    assert (await person.get("/")).status_code == 200
    assert session.idle == 3600


async def test_many_requests_at_once_ask_once(
    person: Person, oidc: OidcProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Else what looks by itself would have asked before.
    monkeypatch.setattr(main, "_LOOK_SECONDS", 1000.0)
    await asyncio.sleep(0.2)
    await person.sign_in("ada")
    await asyncio.sleep(0.6)
    before = oidc.asked("/token")
    answers = await asyncio.gather(*(person.get("/v1/streams") for _ in range(10)))
    assert {answer.status_code for answer in answers} == {200}
    assert oidc.asked("/token") == before + 1


# ── Ended by others ──


async def test_an_administrator_ends_a_sign_in(people: Callable[[], Person], desk: Any, oidc: OidcProvider) -> None:
    oidc.user("dan", groups=["platform"], email="dan@shop.example", email_verified=True)
    ada, dan = people(), people()
    await ada.sign_in("ada")
    await dan.sign_in("dan")
    page = (await dan.get("/sign-ins")).text
    assert "ada@shop.example" in page
    assert page.count("this one") == 1
    (id_,) = [part.partition('"')[0] for part in page.split('name="session" value="')[1:]]
    foreign = await dan.http.post("/sign-ins", data={"session": id_}, headers={"sec-fetch-site": "cross-site"})
    assert foreign.status_code == 403
    assert (await ada.post("/sign-ins", session=id_)).status_code == 403
    assert (await ada.get("/")).status_code == 200
    assert (await dan.post("/sign-ins", session=id_)).headers["location"] == "/sign-ins"
    assert (await ada.get("/")).headers["location"] == "/login"
    assert (await dan.post("/sign-ins", session=id_)).status_code == 404
    found = await desk.readings()
    (ended,) = [one for one in found if one["action"] == "ended a sign-in"]
    assert (ended["by"]["name"], ended["what"]) == ("dan@shop.example", f"ada@shop.example {id_}")


# ── Four eyes ──


def asked_by(subject: str) -> dict[str, Any]:
    principal = {"kind": "person", "subject": subject, "issuer": "https://gates.example"}
    return {**ASKING, "requester": {"principal": principal}}


async def test_who_signed_in_decides_by_their_groups_and_it_is_on_record(person: Person, desk: Any) -> None:
    await person.sign_in("bea")
    name = await desk.asked(asked_by("somebody"))
    assert "Approve…" in (await person.get(f"/requests/{name}")).text
    answer = await person.post(f"/requests/{name}", decision="approved", comment="fine")
    assert answer.status_code == 303
    assert (await desk.look(name)).json()["standing"] == "granted"
    (decided,) = [one for one in await desk.readings() if one["action"] == "decided"]
    assert (decided["result"], decided["what"], decided["by"]["subject"]) == ("approved", name, "bea")
    assert (await person.post(f"/requests/{name}", decision="denied", comment="no")).status_code == 409


@pytest.mark.parametrize("name", ["bea", "BEA@shop.example", "bea@shop.example"])
async def test_nobody_decides_what_they_asked_for_under_another_name(person: Person, desk: Any, name: str) -> None:
    await person.sign_in("bea")
    request = await desk.asked(asked_by(name))
    answer = await person.post(f"/requests/{request}", decision="approved")
    assert answer.status_code == 403
    assert "may not decide: they asked for it" in answer.text
    (refused,) = [one for one in await desk.readings() if one["action"] == "decided"]
    assert (refused["result"], "they asked for it" in refused["reason"]) == ("refused", True)


async def test_a_token_and_a_sign_in_with_one_name_in_common_are_one_person(
    person: Person,
    desk: Any,
    oidc: OidcProvider,
    sign_in_settings: CollectorSettings,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """`bea` has a token that gives her address; that her subject is `00u7` is known once she has signed in."""
    monkeypatch.setattr("penstock_collector.auth.token_file._CHECK_EVERY_SECONDS", 0.0)
    assert sign_in_settings.viewer_tokens_file is not None
    with sign_in_settings.viewer_tokens_file.open("a") as file:
        file.write(token_line("deputy-token", "deputy groups=dba also=bea@shop.example"))
    by_subject, by_token = await desk.asked(asked_by("00u7")), await desk.asked(asked_by("deputy"))
    viewers = desk.running.collector.viewers
    before = viewers.of_token("deputy-token", "")
    assert "00u7" not in before.also
    oidc.user("bea", groups=["dba"], email="bea@shop.example", email_verified=True, sub="00u7")
    there = await person.leave_for_provider()
    assert (await person.come_back(person.visitor.sign_in(there, "bea"))).status_code == 303
    refused = await desk.decide(by_subject, token="deputy-token")
    assert (refused.status_code, "they asked for it" in refused.text) == (403, True)
    answer = await person.post(f"/requests/{by_token}", decision="approved")
    assert (answer.status_code, "they asked for it" in answer.text) == (403, True)
    assert (await desk.decide(by_subject, token=BEA)).status_code == 200, "somebody else's token is nobody's"


async def signed_in_as(person: Person, oidc: OidcProvider, **claims: Any) -> None:
    oidc.user("eve", groups=["dba", "staff"], **claims)
    there = await person.leave_for_provider()
    assert (await person.come_back(person.visitor.sign_in(there, "eve"))).status_code == 303


async def test_nobody_asks_for_access_under_a_name_that_they_gave_themselves(
    people: Callable[[], Person], desk: Any, oidc: OidcProvider
) -> None:
    """What the provider does not vouch for takes rights away, and gives none."""
    bea, eve = people(), people()
    await bea.sign_in("bea")
    await hear(desk)
    chosen = {"sub": "Eve-00u9", "preferred_username": "bea", "email": "bea@shop.example", "email_verified": False}
    await signed_in_as(eve, oidc, **chosen)
    for name in ("bea", "bea@shop.example"):
        answer = await eve.http.post("/v1/access", json={**WISH, "subject": name})
        assert (answer.status_code, "asks for themselves alone: as Eve-00u9" in answer.text) == (403, True), name
    request = await desk.asked(asked_by("bea"))
    refused = await eve.post(f"/requests/{request}", decision="approved")
    assert (refused.status_code, "they asked for it" in refused.text) == (403, True), "but it takes rights away"


@pytest.mark.parametrize("asked", [{}, {"subject": "Eve-00u9"}, {"subject": "eve-00U9"}])
async def test_access_is_for_the_name_as_gates_have_it(
    person: Person, desk: Any, oidc: OidcProvider, asked: dict[str, str]
) -> None:
    await hear(desk)
    await signed_in_as(person, oidc, sub="Eve-00u9", email="", email_verified=False)
    answer = await person.http.post("/v1/access", json=WISH | asked)
    assert answer.status_code == 200, answer.text
    (kept,) = await desk.running.collector.readers.run(lambda connection: requests.listed(connection, [], 9))
    assert kept.request.spec.requester.principal.subject == "Eve-00u9"


async def test_names_outlast_a_restart(person: Person, desk: Any, start: Any, sign_in_settings: Any) -> None:
    await person.sign_in("bea")
    await desk.ended()
    again = await start(sign_in_settings)
    assert again.running.collector.viewers.names.all_of({"bea@shop.example"}) == {"bea", "bea@shop.example"}
    cookie = {"cookie": f"{SESSION}={person.cookie()}"}
    assert (await again.http.get("/", headers=cookie)).headers["location"] == "/login", "and sessions don't"


async def test_groups_without_the_role_decide_nothing(desk: Any, oidc: OidcProvider, person: Person) -> None:
    """`dba` gives the role here; a token of its group without the role is let in, and decides nothing."""
    file = desk.running.collector.settings.viewer_tokens_file
    with file.open("a") as opened:
        opened.write(token_line("only-a-viewer", "eve groups=dba roles=viewer"))
    await asyncio.sleep(1.1)
    name = await desk.asked()
    answer = await desk.decide(name, token="only-a-viewer")
    assert (answer.status_code, answer.json()["error"]) == (
        403, "You may not decide requests: you have viewer, and it needs approver or admin.",
    )  # fmt: skip
    assert (await desk.get(f"/v1/requests/{name}", token="only-a-viewer")).status_code == 403


# ── On record ──


async def test_failures_without_number_do_not_fill_the_disk(desk: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readings, "_FAILURES_A_MINUTE", 5)
    # The clock is near that of the retention, which would drop what is old.
    now = [time.time() // 60 * 60]
    monkeypatch.setattr(desk.running.collector.readings, "_clock", lambda: now[0])
    for _ in range(20):
        await desk.http.get("/login/callback?state=x")
    failed = [one for one in await desk.readings() if one["action"] == "sign-in failed"]
    assert len(failed) == 5
    now[0] += 60
    await desk.http.get("/login/callback?state=x")
    *_, last = [one for one in await desk.readings() if one["action"] == "sign-in failed"]
    assert last["filters"] == [{"name": "leftOut", "value": "15"}]


async def test_a_token_that_is_wrong_is_on_record_and_the_token_is_not(desk: Any) -> None:
    await desk.get("/v1/events", token="a-guess-that-is-secret")
    (failed,) = [one for one in await desk.readings() if one["action"] == "sign-in failed"]
    assert failed["reason"] == "no such token"
    assert "a-guess" not in json.dumps(await desk.readings())


async def test_no_secret_is_on_record(person: Person, desk: Any) -> None:
    back = person.visitor.sign_in(await person.leave_for_provider("/login/provider?next=/streams"), "ada")
    await person.come_back(back)
    code = back.partition("code=")[2].partition("&")[0]
    await person.get("/?ticket=hidden&q=shown")
    await person.post("/logout")
    text = json.dumps(await desk.readings())
    assert "shown" in text
    for secret in (code, person.cookie() or code, "hidden", READER):
        assert secret not in text


async def test_whatever_is_asked_for_fits_into_the_record(desk: Any) -> None:
    long = "&".join(f"a{number}=" + "x" * 600 for number in range(30))
    assert (await desk.get(f"/v1/events?%E2%98%83=%ED%A0%BD%00%FF&{long}")).status_code == 400
    *_, last = await desk.readings()
    assert len(last["filters"]) == 20
    assert last["filters"][0]["name"] == "\u2603"
    assert max(len(one["value"]) for one in last["filters"]) == 500


async def test_a_slow_disk_holds_up_what_reads_as_little_as_it_can(
    desk: Any, sender: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Forty readings at once while each commit takes a fifth of a second: a few commits, and not forty."""
    await desk.send(sender.seal({"kind": "open", "database": "shop", "version": "0.1.0"}) + sender.statement(1))
    commits = 0
    append = readings.readings.append

    def slow(*arguments: Any, **more: Any) -> None:
        nonlocal commits
        commits += 1
        time.sleep(0.2)
        append(*arguments, **more)

    monkeypatch.setattr(readings.readings, "append", slow)
    began = time.monotonic()
    answers = await asyncio.gather(*(desk.get("/v1/events?q=orders") for _ in range(40)))
    assert {answer.status_code for answer in answers} == {200}
    assert commits <= 6
    assert time.monotonic() - began < 5
    found = [one for one in await desk.readings() if one["action"] == "searched"]
    assert len(found) == 40
