"""The collector's page before a real API server: people decide there by their own tokens, and the collector by none."""

from __future__ import annotations

import asyncio
import copy
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import httpx2
import pytest
from tests.operator.control.requests import ASKING

from e2e.approvals.api_server import ApiServer
from e2e.approvals.conftest import REQUESTS, Making, apply, decision, patch, told
from e2e.approvals.replicas import SYSTEM, control, gated, secrets, token
from e2e.approvals.test_control import DATABASE, POLICY, Gate, account
from penstock_collector.main import RunningCollector, serve
from penstock_collector.settings import CollectorSettings

Json = dict[str, Any]
HELD = "DELETE FROM orders WHERE id = 77"


class PagedGate(Gate):
    """A sidecar of a workload of this file's own."""

    async def post(self, sql: str, *also: Json) -> httpx2.Response:
        asking = copy.deepcopy(ASKING) | {"statement": {"sql": sql}, "databaseRef": {"name": "paged"}}
        asking |= {"alsoHeldBy": also} if also else {}
        asking["heldBy"]["policy"] = "paged"
        workload = {"namespace": "shop", "serviceAccount": self.account}
        pod = {"pod": self.metadata["name"], "podUid": self.metadata["uid"]}
        return await self.http.post(self.path, json=asking | {"requester": {"workload": workload | pod}})


@pytest.fixture
def pod(server: ApiServer) -> tuple[Json, str]:
    """Its pod, with the token that the sidecar has."""
    database, policy = copy.deepcopy(DATABASE), copy.deepcopy(POLICY)
    database["metadata"]["name"] = policy["metadata"]["name"] = policy["spec"]["databaseRef"]["name"] = "paged"
    policy["spec"]["subjects"] = [{"serviceAccount": {"name": "paged"}}]
    for documents in ((*secrets(), database, account("paged")), (policy,)):
        applied = apply(server, *documents)
        assert applied.returncode == 0, applied.stderr
    pod = {"metadata": {"name": "paged-1"}, "spec": gated("paged", "paged")}
    with server.client("admin") as admin:
        made = admin.post("/api/v1/namespaces/shop/pods", json=pod)
        assert made.status_code == 201, made.text
    return made.json(), token(server, "shop", "paged", "penstock-control", made.json())


class Person:
    """Somebody at the page."""

    def __init__(self, url: str) -> None:
        self.http = httpx2.AsyncClient(base_url=url, timeout=30, trust_env=False)

    async def sign_in(self, bearer: str) -> httpx2.Response:
        return await self.http.post("/login", data={"token": bearer}, headers={"sec-fetch-site": "same-origin"})

    async def see(self, name: str) -> httpx2.Response:
        return await self.http.get(f"/requests/on-cluster/shop/{name}")

    async def decide(self, name: str, word: str, comment: str) -> httpx2.Response:
        """By the form of the second step, as it came."""
        path = f"/requests/on-cluster/shop/{name}"
        form = (await self.http.get(f"{path}?decide={word}")).text
        uid = form.partition('name="uid" value="')[2].partition('"')[0]
        fields = {"decision": word, "comment": comment, "uid": uid}
        return await self.http.post(path, data=fields, headers={"sec-fetch-site": "same-origin"})


SignIn = Callable[..., Any]


def said(answer: httpx2.Response) -> str:
    """What a page says is wrong."""
    return answer.text.replace("&#39;", "'").partition('role="alert">')[2].partition("</p>")[0] or answer.text


@pytest.fixture
async def page(server: ApiServer, tmp_path: Path) -> AsyncIterator[RunningCollector]:
    """A collector that knows none of the prefixes that the API server puts before names."""
    settings = CollectorSettings(
        listen="127.0.0.1:0", database=tmp_path / "audit.db", api_server_url=server.url,
        api_server_ca_file=server.ca_file, kubernetes_group_roles={"approver": ["dba", "staff"]},
        kubernetes_user_prefixes=[],
    )  # fmt: skip
    ready: asyncio.Future[RunningCollector] = asyncio.get_running_loop().create_future()
    serving = asyncio.create_task(serve(settings, ready.set_result))
    running = await asyncio.wait_for(ready, 20)
    yield running
    running.stop()
    await serving


@pytest.fixture
async def sign_in(page: RunningCollector) -> AsyncIterator[SignIn]:
    people: list[Person] = []

    async def signed_in(bearer: str) -> Person:
        people.append(Person(page.url))
        answer = await people[-1].sign_in(bearer)
        assert answer.status_code == 303, said(answer)
        return people[-1]

    yield signed_in
    for one in people:
        await one.http.aclose()


async def test_what_is_approved_on_the_page_runs_once(
    server: ApiServer, pod: tuple[Json, str], sign_in: SignIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with control(server, monkeypatch) as replica:
        gate = PagedGate(replica, pod)
        async with gate.http:
            name = (await gate.ask(HELD))["request"]
            bea = await sign_in("bea")
            seen = await bea.see(name)
            assert HELD in seen.text
            assert "the API server knows you as <b>bea</b>" in seen.text
            looking = asyncio.create_task(gate.look(name, 20))
            answer = await bea.decide(name, "approved", "after the backup")
            assert answer.status_code == 303, said(answer)
            found = await asyncio.wait_for(looking, 30)
            assert (found["standing"], found["decidedBy"], found["comment"]) == ("granted", "bea", "after the backup")
            assert (await gate.ask(HELD))["standing"] == "granted"
            assert (await gate.ask(HELD))["request"] != name, "once"
    assert "Approved by <b>bea</b>" in (await bea.see(name)).text


async def test_a_denial_stays(make: Making, server: ApiServer, sign_in: SignIn) -> None:
    name = make().rpartition("/")[2]
    bea, cleo = await sign_in("bea"), await sign_in("cleo")
    assert (await bea.decide(name, "denied", "not now")).status_code == 303
    answer = await cleo.http.post(
        f"/requests/on-cluster/shop/{name}", data={"decision": "approved", "uid": await uid(server, name)}
    )
    assert (answer.status_code, said(answer)) == (409, f"Not done: the request {name} was denied by bea.")


@pytest.mark.parametrize(
    ("user", "words"),
    [
        (
            "ada@shop.example",
            "ada@shop.example may not decide: they asked for it, or the agent that asked acts for them",
        ),
        # What the collector does not know of, the API server's admission policy says.
        ("oidc:bot", "oidc:bot may not decide: they asked for it, or the agent that asked acts for them"),
        ("eve", "eve may not decide: they are in none of the approvers' groups (dba, owners)"),
    ],
)
async def test_who_may_not_reads_why(
    make: Making, server: ApiServer, sign_in: SignIn, page: RunningCollector, user: str, words: str
) -> None:
    name = make().rpartition("/")[2]
    person = await sign_in(user)
    for word in ("approved", "denied"):
        fields = {"decision": word, "comment": "so be it", "uid": await uid(server, name)}
        answer = await person.http.post(f"/requests/on-cluster/shop/{name}", data=fields)
        assert (answer.status_code, said(answer)) == (403, f"Not done: {words}.")
    with server.client("bea") as bea:
        assert "status" not in bea.get(f"{REQUESTS}/{name}").json()


async def uid(server: ApiServer, name: str) -> str:
    with server.client("bea") as bea:
        return str(bea.get(f"{REQUESTS}/{name}").json()["metadata"]["uid"])


async def test_a_service_account_does_not_sign_in(server: ApiServer, page: RunningCollector) -> None:
    person = Person(page.url)
    answer = await person.sign_in(token(server, SYSTEM, "penstock-collector"))
    await person.http.aclose()
    assert (answer.status_code, said(answer)[:32]) == (403, "That token is not a person’s. Se")


async def test_a_token_of_nobody(page: RunningCollector) -> None:
    person = Person(page.url)
    answer = await person.sign_in("nobody-" + "x" * 40)
    await person.http.aclose()
    assert (answer.status_code, said(answer)) == (403, "That token is not known here.")


def test_the_collectors_own_account_decides_nothing(make: Making, server: ApiServer) -> None:
    """Neither as itself, in whoever's name it writes, nor as somebody else."""
    path = make()
    bearer = token(server, SYSTEM, "penstock-collector")
    with server.client(bearer) as collector:
        for name in ("bea", f"system:serviceaccount:{SYSTEM}:penstock-collector"):
            answer = patch(collector, f"{path}/status", decision(name))
            assert answer.status_code == 403
            assert "only a person who acts for themselves can approve or deny" in told(answer)
        collector.headers["Impersonate-User"] = "bea"
        answer = patch(collector, f"{path}/status", decision("bea"))
        assert answer.status_code == 403
        assert "cannot impersonate" in told(answer)
    with server.client("bea") as bea:
        assert "status" not in bea.get(path).json()
