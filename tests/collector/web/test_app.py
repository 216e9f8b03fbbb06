"""Every path says what it needs, and keeps to it: who has which role is let in where, and what is recorded."""

from __future__ import annotations

import itertools
import time
from pathlib import Path
from typing import Any

import httpx2
import pytest
from starlette.responses import JSONResponse
from starlette.routing import Mount, Route
from tests.collector.auth.conftest import Api, token
from tests.collector.conftest import OTHER_WRITER, WRITER, token_line

from penstock_collector.auth.kubernetes import TokenReviewer
from penstock_collector.auth.pods import PodReaders
from penstock_collector.auth.roles import RIGHTS, Right, Role
from penstock_collector.settings import CollectorSettings
from penstock_collector.web.app import build
from penstock_collector.web.parameters import TAKEN

# Of those that record by themselves: in one transaction with what they change.
CHANGES = {
    "/alarms",
    "/holds",
    "/v1/alarms/acknowledged",
    "/v1/holds",
    "/v1/holds/{number:int}/release",
    "/requests/{name}",
    "/requests/on-cluster/{namespace}/{name}",
    "/sign-ins",
    "/v1/access",
    "/v1/requests/{name}/decision",
    "/v1/requests/{name}/end",
    "/v1/requests/{name}/review",
}
EVERYBODY = {"/login", "/login/provider", "/login/callback", "/logout", "/healthz", "/readyz", "/metrics"}
GATES = {
    "/v1/streams/{owner}/{boot}/events",
    "/v1/streams/{owner}/access",
    "/v1/streams/{owner}/access/requests",
    "/v1/streams/{owner}/requests",
    "/v1/streams/{owner}/requests/{name}",
    "/v1/streams/{owner}/tickets/{name}",
    "/v1/streams/{owner}/tickets/{name}/use",
}


def routes(client: Any) -> list[Route]:
    found = build(client.running.collector).routes
    assert [route.path for route in found if isinstance(route, Mount)] == ["/static"], "static files alone are mounted"
    rest = [route for route in found if not isinstance(route, Mount)]
    assert all(isinstance(route, Route) for route in rest)
    return rest  # type: ignore[return-value] # as asserted


def filled(route: Route) -> str:
    path = (
        route.path.replace("{owner}/{boot}/{seq:int}", "gw1/boot1/2")
        .replace("{name}", "r-1111-1111")
        .replace("{number:int}", "1")
        .replace("{namespace}", "shop")
    )
    return path.replace("{owner}/{boot}", "gw1/boot1").replace("{owner}", "gw1")


def method(route: Route) -> str:
    return next((one for one in ("POST", "PUT") if one in (route.methods or ())), "GET")


@pytest.fixture
def settings(settings: CollectorSettings) -> CollectorSettings:
    """With a token for each set of roles: `none`, `viewer`, `viewer,auditor`, and so on."""
    assert settings.viewer_tokens_file is not None
    with Path(settings.viewer_tokens_file).open("a") as file:
        for roles in role_sets():
            name = ",".join(roles)
            file.write(token_line(f"read-{name}", f"person-{name} roles={name}"))
    return settings


def role_sets() -> list[tuple[Role, ...]]:
    return [roles for count in (1, 2, 3, 4) for roles in itertools.combinations(Role, count)]


async def test_every_path_names_what_it_needs_and_what_the_record_calls_it(client: Any) -> None:
    for route in routes(client):
        guarded = getattr(route.endpoint, "guarded", None)
        assert guarded is not None, f"{route.path} names nothing"
        if isinstance(guarded.needs, Right):
            assert guarded.action or (route.path in CHANGES and method(route) == "POST"), (
                f"{route.path} is not recorded"
            )
        else:
            assert route.path in {"everybody": EVERYBODY, "gates": GATES}[guarded.needs], route.path


async def answer(http: httpx2.AsyncClient, route: Route, headers: dict[str, str]) -> int:
    """The status, without what follows it: live pages have no end."""
    async with http.stream(method(route), filled(route), headers=headers) as response:
        return response.status_code


async def test_nobody_gets_anything_without_signing_in(client: Any) -> None:
    for route in routes(client):
        guarded: Any = route.endpoint
        if isinstance(guarded.guarded.needs, Right) or route.path in GATES:
            assert await answer(client.http, route, {}) in (303, 401), route.path
            assert await answer(client.http, route, {"cookie": "penstock=x; __Host-penstock=x"}) in (303, 401)


@pytest.mark.parametrize("roles", role_sets(), ids=",".join)
async def test_each_path_opens_for_the_roles_that_have_its_right_alone(client: Any, roles: tuple[Role, ...]) -> None:
    headers = {"authorization": f"Bearer read-{','.join(roles)}", "sec-fetch-site": "same-origin"}
    rights = frozenset().union(*(RIGHTS[role] for role in roles))
    for route in routes(client):
        guarded: Any = route.endpoint
        if not isinstance(needs := guarded.guarded.needs, Right):
            continue
        status = await answer(client.http, route, headers)
        if needs in rights:
            assert status in (200, 303, 400, 404), route.path
        elif route.path == "/" and Right.REQUESTS in rights:
            assert status == 303, "whoever sees requests alone begins with them"
        else:
            assert status == 403, route.path


async def test_a_parameter_that_means_nothing_is_refused_everywhere_and_named(client: Any) -> None:
    for route in routes(client):
        guarded: Any = route.endpoint
        if route.path in EVERYBODY:
            continue
        token_ = WRITER if guarded.guarded.needs == "gates" else "read-admin"
        headers = {"authorization": f"Bearer {token_}", "sec-fetch-site": "same-origin"}
        for query in ("nonsense=1", "streams=gw1%2Fboot1", "%E2%80%AE="):
            answered = await client.http.request(method(route), f"{filled(route)}?{query}", headers=headers)
            assert answered.status_code == 400, (route.path, query)
            assert "unknown parameter" in answered.text
        taken = guarded.guarded.takes
        assert all(name in answered.text for name in taken)
        for name in taken:
            answered = await client.http.request(method(route), f"{filled(route)}?{name}=1&{name}=1", headers=headers)
            assert (answered.status_code, f"{name} is given more than once" in answered.text) == (400, True), route.path


def test_only_paths_that_are_there_take_parameters(client: Any) -> None:
    assert set(TAKEN) <= {route.path for route in routes(client)}


async def test_what_a_stranger_gets_wrong_tells_nothing(client: Any) -> None:
    assert (await client.get("/v1/events?nonsense=1", token=None)).status_code == 401
    assert (await client.get("/v1/export?nonsense=1", token="read-viewer")).status_code == 403


async def test_what_is_lacking_is_said(client: Any) -> None:
    told = await client.get("/v1/export", token="read-viewer")
    assert told.json()["error"] == "You may not export the trail: you have viewer, and it needs auditor or admin."
    page = await client.get("/readings", token="read-approver")
    assert (page.status_code, "it needs auditor or admin" in page.text) == (403, True)
    assert (await client.get("/", token="read-approver")).headers["location"] == "/requests"


async def test_a_page_leads_only_to_what_its_reader_may_see(client: Any) -> None:
    for given, seen in [
        ("read-viewer", {"/", "/streams"}),
        ("read-auditor", {"/", "/streams", "/readings"}),
        ("read-viewer,approver", {"/", "/streams", "/requests"}),
        ("read-admin", {"/", "/streams", "/requests", "/readings", "/sign-ins"}),
    ]:
        text = (await client.get("/", token=given)).text
        bar = text[text.index("<nav") : text.index("</nav>")]
        assert {
            path for path in ("/", "/streams", "/requests", "/readings", "/sign-ins") if f'href="{path}"' in bar
        } == seen


async def test_past_alarms_are_for_auditors_and_the_button_for_who_may_press_it(client: Any, sender: Any) -> None:
    await client.send(sender.seal({"kind": "open", "database": "shop", "version": "0.1.0"}))
    await client.send(b"?\n")
    await client.send(b"?\n", stream="gw1/boot2")
    await client.post(b"?\n", stream="gw2/boot1", token=OTHER_WRITER)
    await client.http.post(
        "/alarms",
        data={"kind": "quarantine", "sender": "=gw1", "until": f"{time.time():.3f}", "comment": "a test of ours"},
        headers={"authorization": "Bearer read-admin"},
    )
    pages = {role: (await client.get("/streams", token=f"read-{role}")).text for role in ("viewer", "auditor", "admin")}
    assert ["acknowledged by person-admin: a test of ours" in pages[role] for role in pages] == [False, True, True]
    assert ["I have looked at it" in pages[role] for role in pages] == [False, False, True]


async def test_a_pod_reads_what_its_service_account_may(
    client: Any, api: tuple[Api, Any], reviewer: TokenReviewer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client.running.collector.viewers, "_pods", PodReaders(reviewer, {"auditor": ["shop/web"]}))
    given = token()
    assert (await client.get("/v1/events", token=given)).status_code == 401
    api[0].knows(other := token(name="other"))
    assert (await client.get("/v1/export", token=other)).status_code == 200
    assert (await client.get("/v1/requests", token=other)).status_code == 403
    async with client.http.stream("GET", "/tail", headers={"authorization": f"Bearer {other}"}) as tail:
        assert tail.status_code == 200
    last = [one for one in await client.readings() if one["action"] == "followed"][-1]
    who = {"how": "pod", "kind": "service", "name": "system:serviceaccount:shop:web", "subject": "web-1"}
    assert last["by"] == {**who, "roles": ["auditor"]}
    api[0].answer = JSONResponse({}, 500)
    told = await client.get("/v1/events", token=token(name="later"))
    assert (told.status_code, told.json()["error"]) == (503, "The token can't be checked at the moment.")
