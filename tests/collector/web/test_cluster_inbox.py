"""A cluster's request on its page: decided with the credentials of who is signed in, and by nothing else."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import httpx2
import pytest
import trustme
from starlette.responses import JSONResponse, RedirectResponse, Response
from tests.collector.conftest import BEA, CEM, Client
from tests.collector.store.test_cluster_requests import OPEN, WAITS
from tests.collector.web.api_server import NAME, Asked, FakeApi, failing, serving
from tests.collector.web.signing_in import Person, said
from tests.collector.web.test_access import WISH, hear
from tests.oidc_provider.provider import Instead, OidcProvider

from penstock_collector.auth import personal_api
from penstock_collector.settings import CollectorSettings

PAGE = f"/requests/on-cluster/shop/{NAME}"
COMMAND = f"kubectl penstock show -n shop {NAME}"
SQL = "DELETE FROM orders"
# Kubernetes tokens of people, as long as such are.
BEAS, EVES, ADAS, BOTS, MACHINES = (f"k8s-{name}-{'x' * 40}" for name in ("bea", "eve", "ada", "bot", "machine"))


@pytest.fixture
async def api(authority: trustme.CA, tmp_path: Path) -> AsyncIterator[tuple[FakeApi, dict[str, Any]]]:
    fake = FakeApi()
    fake.knows(BEAS, "bea", "dba")
    fake.knows(EVES, "eve", "staff")
    fake.knows(ADAS, "ada@shop.example", "dba")
    fake.knows(BOTS, "oidc:bot", "dba")
    fake.knows(MACHINES, "system:serviceaccount:shop:web", "dba", "system:serviceaccounts")
    async with serving(fake, authority, tmp_path) as (url, ca_file):
        yield fake, {"api_server_url": url, "api_server_ca_file": ca_file}


@pytest.fixture
def cluster(api: tuple[FakeApi, dict[str, Any]]) -> FakeApi:
    return api[0]


@pytest.fixture
def by_token(settings: CollectorSettings, api: tuple[FakeApi, dict[str, Any]]) -> CollectorSettings:
    roles = {"viewer": ["staff"], "approver": ["dba", "staff"], "admin": ["system:serviceaccounts"]}
    return settings.model_copy(update={**api[1], "kubernetes_group_roles": roles, "secure_cookies": False})


@pytest.fixture
async def client(start: Any, by_token: CollectorSettings) -> Client:
    started: Client = await start(by_token)
    return started


class Browser:
    """Somebody's, at the page."""

    def __init__(self, url: str) -> None:
        self.http = httpx2.AsyncClient(base_url=url, timeout=20, trust_env=False, verify=False)

    async def sign_in(self, token: str) -> httpx2.Response:
        fields = {"token": token, "next": PAGE}
        return await self.http.post("/login", data=fields, headers={"sec-fetch-site": "same-origin"})

    async def get(self, path: str = PAGE) -> httpx2.Response:
        return await self.http.get(path)

    async def decide(self, decision: str = "approved", comment: str = "", **more: str) -> httpx2.Response:
        fields = {"decision": decision, "comment": comment, "uid": "uid-1"} | more
        return await self.http.post(PAGE, data=fields, headers={"sec-fetch-site": "same-origin"})


@pytest.fixture
async def browse(client: Client) -> AsyncIterator[Callable[[], Browser]]:
    made: list[Browser] = []

    def browser() -> Browser:
        made.append(Browser(client.running.url))
        return made[-1]

    yield browser
    for one in made:
        await one.http.aclose()


@pytest.fixture
async def bea(browse: Callable[[], Browser]) -> Browser:
    browser = browse()
    assert (await browser.sign_in(BEAS)).status_code == 303
    return browser


async def decisions(client: Client) -> list[tuple[str, str, str]]:
    found = [one for one in await client.readings() if one["action"] in ("deciding", "decided")]
    assert all(one["what"] == f"shop/{NAME}" for one in found)
    return [(one["action"], one["result"], one.get("reason", "")) for one in found]


# ── With a Kubernetes token ──


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


# ── Who may not ──


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


# ── What becomes of it meanwhile ──


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


@pytest.mark.parametrize("place", ["shop/R", "shop%00/r-1", "-/r", "shop/r%0a", "..%2f..%2fversion/r"])
async def test_what_is_no_name_is_asked_of_nobody(bea: Browser, cluster: FakeApi, place: str) -> None:
    before = len(cluster.asked)
    answer = await bea.get(f"/requests/on-cluster/{place}")
    assert answer.status_code == 404
    answer = await bea.http.post(f"/requests/on-cluster/{place}", data={"decision": "approved"})
    assert answer.status_code == 404
    assert len(cluster.asked) == before


# ── Where the token is, and for how long ──


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


# ── With a sign-in at a provider that the API server trusts ──


@pytest.fixture
async def desk(start: Any, sign_in_settings: CollectorSettings, api: tuple[FakeApi, dict[str, Any]]) -> Any:
    """In place of the one without an API server."""
    return await start(sign_in_settings.model_copy(update=api[1]))


def trusting(cluster: FakeApi, desk: Any, name: str = "https://login.example#bea") -> str:
    """The API server knows whoever signed in last by their ID token from now on; the token."""
    session = next(desk.running.collector.viewers.sessions.listed())
    token: str = session.signed_in.id_token
    return cluster.knows(token, name, "dba")


async def test_the_sign_ins_own_token_decides(person: Person, desk: Any, cluster: FakeApi) -> None:
    await person.sign_in("bea")
    token = trusting(cluster, desk)
    page = (await person.get(PAGE)).text
    assert "the API server knows you as <b>https://login.example#bea</b>" in page
    assert token not in page
    answer = await person.post(PAGE, decision="approved", uid="uid-1", comment="")
    assert answer.status_code == 303
    (write,) = cluster.writes()
    assert (write.token, cluster.status["decidedBy"]) == (token, "https://login.example#bea")
    (deciding,) = [one for one in await desk.readings() if one["action"] == "deciding"]
    assert (deciding["by"]["name"], deciding["reason"]) == ("bea@shop.example", "as https://login.example#bea")


async def test_a_refreshed_sign_in_decides_with_the_newer_token(person: Person, desk: Any, cluster: FakeApi) -> None:
    await person.sign_in("bea")
    old = trusting(cluster, desk)
    (session,) = desk.running.collector.viewers.sessions.listed()
    session.checked -= 301
    await person.get("/requests")
    new = trusting(cluster, desk)
    assert new != old
    assert (await person.post(PAGE, decision="denied", uid="uid-1", comment="no")).status_code == 303
    assert cluster.writes()[0].token == new


async def test_whoever_asked_by_a_name_that_the_provider_gave_them(person: Person, desk: Any, cluster: FakeApi) -> None:
    """The API server knows them by another one, and can't see it."""
    assert cluster.object is not None
    principal = {"kind": "person", "subject": "bea@shop.example", "issuer": "https://id.example"}
    cluster.object["spec"]["requester"] = {"principal": principal}
    await person.sign_in("bea")
    trusting(cluster, desk, "x-4711")
    answer = await person.post(PAGE, decision="approved", uid="uid-1", comment="")
    assert (answer.status_code, said(answer)) == (
        403, "Not done: x-4711 may not decide: they asked for it, or the agent that asked acts for them.",
    )  # fmt: skip
    assert cluster.writes() == []


async def test_a_provider_that_the_api_server_does_not_trust(person: Person, desk: Any, cluster: FakeApi) -> None:
    await person.sign_in("bea")
    page = (await person.get(PAGE)).text
    assert "The API server does not take your sign-in with Example: it has to trust that provider" in page
    assert COMMAND in page
    asked = len(cluster.asked)
    assert asked > 0
    # The session goes on; what was not taken is not sent again.
    assert (await person.get("/requests")).status_code == 200
    assert (await person.post(PAGE, decision="approved", uid="uid-1")).status_code == 403
    assert len(cluster.asked) == asked


async def test_an_id_token_that_has_expired_is_renewed_before_it_is_sent(
    person: Person, desk: Any, cluster: FakeApi, oidc: OidcProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    await person.sign_in("bea")
    old = trusting(cluster, desk)
    ended = {old}
    monkeypatch.setattr("penstock_collector.auth.credentials.lasts", lambda token: -1.0 if token in ended else 600.0)
    page = (await person.get(PAGE)).text
    new = next(desk.running.collector.viewers.sessions.listed()).signed_in.id_token
    assert new != old
    assert old not in {one.token for one in cluster.asked}
    assert "The API server does not take" in page
    trusting(cluster, desk)
    ended.add(new)
    oidc.instead("/token", Instead(status=500))
    assert "Your sign-in’s token has expired, and there is no newer one." in (await person.get(PAGE)).text


async def test_the_line_of_kubectl_is_one_to_copy(bea: Browser) -> None:
    assert re.findall(r"<code>(kubectl[^<]*)</code>", (await bea.get()).text) == [COMMAND]
