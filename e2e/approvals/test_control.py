"""Control holds requests on a real API server: two replicas, pods' own tokens, people's own decisions."""

from __future__ import annotations

import asyncio
import copy
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx2
import pytest
from tests.operator.control.requests import ASKING

from e2e.approvals.api_server import ApiServer
from e2e.approvals.conftest import REQUESTS, apply, decision, patch, told
from e2e.approvals.replicas import Replica, control, gated, secrets, token

Json = dict[str, Any]
DATABASE: Json = {
    "apiVersion": "penstock.dev/v1alpha1",
    "kind": "Database",
    "metadata": {"name": "shop", "namespace": "shop"},
    "spec": {"host": "shop-db.shop.svc", "dbname": "shop", "credentialsSecretRef": {"name": "shop-db"}},
}
POLICY: Json = {
    "apiVersion": "penstock.dev/v1alpha1",
    "kind": "DatabaseAccessPolicy",
    "metadata": {"name": "web", "namespace": "shop"},
    "spec": {
        "databaseRef": {"name": "shop"},
        "subjects": [{"serviceAccount": {"name": "web"}}],
        "allow": ["select", "delete"],
        "approvals": [{
            "name": "deletes", "when": "statement.verb == 'delete'", "approvers": {"groups": ["dba"]},
            "expiresAfter": "1h",
        }, {
            "name": "people", "when": "'public.people' in statement.tables", "approvers": {"groups": ["staff"]},
            "expiresAfter": "1h",
        }],
    },
}  # fmt: skip
PEOPLE: Json = {"policy": "web", "approval": "people", "policyGeneration": 1, "approvers": ["staff"]}


@pytest.fixture(scope="module")
def pods(server: ApiServer) -> dict[str, tuple[Json, str]]:
    """Pods of the workload, and of another one, with the tokens that their sidecars have."""
    applied = apply(server, *secrets(), DATABASE, *map(account, ("web", "batch")))
    assert applied.returncode == 0, applied.stderr
    applied = apply(server, POLICY)
    assert applied.returncode == 0, applied.stderr
    found = {}
    with server.client("admin") as admin:
        for name, of in (("web-1", "web"), ("web-2", "web"), ("batch-1", "batch")):
            pod = {"metadata": {"name": name}, "spec": gated(of, DATABASE["metadata"]["name"])}
            made = admin.post("/api/v1/namespaces/shop/pods", json=pod)
            assert made.status_code == 201, made.text
            found[name] = (made.json(), token(server, "shop", of, "penstock-control", made.json()))
    return found


def account(name: str) -> Json:
    return {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name, "namespace": "shop"}}


class Gate:
    """A pod's sidecar, which asks one replica."""

    def __init__(self, replica: Replica, pod: tuple[Json, str]) -> None:
        self.metadata, bearer = pod[0]["metadata"], pod[1]
        self.account = pod[0]["spec"]["serviceAccountName"]
        self.http = replica.client(bearer)
        self.path = f"/v1/streams/{self.metadata['uid']}/requests"

    async def post(self, sql: str, *also: Json) -> httpx2.Response:
        """`also`: rules that hold it beside that for deletes."""
        asking = copy.deepcopy(ASKING) | {"statement": {"sql": sql}} | ({"alsoHeldBy": also} if also else {})
        asking["requester"] = {
            "workload": {
                "namespace": "shop", "serviceAccount": self.account, "pod": self.metadata["name"],
                "podUid": self.metadata["uid"],
            }
        }  # fmt: skip
        return await self.http.post(self.path, json=asking)

    async def ask(self, sql: str, *also: Json) -> Json:
        answer = await self.post(sql, *also)
        for _ in range(300):
            # A replica that has just started says so until it knows the requests; a gate refuses the statement then.
            if answer.status_code != 503 or "not ready" not in answer.text:
                break
            await asyncio.sleep(0.1)
            answer = await self.post(sql, *also)
        assert answer.status_code == 200, answer.text
        told: Json = answer.json()
        return told

    async def look(self, name: str, wait: int = 0) -> Json:
        answer = await self.http.get(f"{self.path}/{name}", params={"wait": str(wait)})
        assert answer.status_code == 200, answer.text
        told: Json = answer.json()
        return told


@pytest.fixture
async def gates(server: ApiServer, pods: Any, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[tuple[Gate, Gate]]:
    """Two pods of one workload, each with a replica of its own."""
    async with control(server, monkeypatch) as first, control(server, monkeypatch) as second:
        one, two = Gate(first, pods["web-1"]), Gate(second, pods["web-2"])
        async with one.http, two.http:
            yield one, two


@pytest.fixture
def bea(server: ApiServer) -> Iterator[httpx2.Client]:
    with server.client("bea") as client:
        yield client


async def approve(bea: httpx2.Client, name: str, word: str = "approved") -> None:
    answer = await asyncio.to_thread(patch, bea, f"{REQUESTS}/{name}/status", decision("bea", word))
    assert told(answer) == ""


async def test_a_statement_is_held_approved_and_run_once(gates: tuple[Gate, Gate], bea: httpx2.Client) -> None:
    one, two = gates
    asked = await one.ask("DELETE FROM orders WHERE id = 1")
    assert asked["standing"] == "waiting"
    looking = asyncio.create_task(two.look(asked["request"], 20))
    await asyncio.sleep(0.3)
    assert not looking.done()
    await approve(bea, asked["request"])
    seen = await asyncio.wait_for(looking, 15)
    assert (seen["standing"], seen["decidedBy"], seen["comment"]) == ("granted", "bea", "fine")
    answers = await asyncio.gather(*(gate.ask("DELETE FROM orders WHERE id = 1") for gate in gates for _ in range(5)))
    assert [one["standing"] for one in answers].count("granted") == 1
    assert len({one["request"] for one in answers}) == 2, "who came too late waits for another approval"
    stored = bea.get(f"{REQUESTS}/{asked['request']}").json()
    assert stored["status"]["consumedAt"]
    assert stored["spec"]["heldBy"]["approvers"] == ["dba"], "the policy's, not what the gate says"


async def stands(gate: Gate, sql: str, wanted: list[str]) -> Json:
    """What is answered once control's watch has seen what was written."""
    for _ in range(300):
        answer = await gate.ask(sql, PEOPLE)
        if [of["standing"] for of in answer["ofRules"]] == wanted:
            break
        await asyncio.sleep(0.1)
    return answer


async def test_what_two_rules_hold_runs_once_when_somebody_of_each_has_approved(
    server: ApiServer, gates: tuple[Gate, Gate], bea: httpx2.Client
) -> None:
    """The API server lets each decide what is theirs; both replicas use both approvals, for one run."""
    one, two = gates
    sql = "DELETE FROM people WHERE id = 10"
    first, same = await asyncio.gather(one.ask(sql, PEOPLE), two.ask(sql, PEOPLE))
    named = {of["approval"]: of["request"] for of in first["ofRules"]}
    assert named == {of["approval"]: of["request"] for of in same["ofRules"]}
    path = f"{REQUESTS}/{named['people']}/status"
    refused = told(await asyncio.to_thread(patch, bea, path, decision("bea")))
    assert "bea may not decide: they are in none of the approvers' groups (staff)" in refused
    await approve(bea, named["deletes"])
    again = await stands(one, sql, ["approved", "waiting"])
    assert (again["standing"], again["request"]) == ("waiting", named["people"])
    assert "consumedAt" not in bea.get(f"{REQUESTS}/{named['deletes']}").json()["status"]
    with server.client("eve") as eve:
        assert told(await asyncio.to_thread(patch, eve, path, decision("eve"))) == ""
    assert (await asyncio.wait_for(two.look(named["people"], 20), 25))["standing"] == "granted"
    answers = await asyncio.gather(*(gate.ask(sql, PEOPLE) for gate in gates for _ in range(5)))
    assert [answer["standing"] for answer in answers].count("granted") == 1
    used = [bea.get(f"{REQUESTS}/{name}").json()["status"] for name in named.values()]
    assert all(status["consumedAt"] for status in used)


async def test_both_replicas_make_one_request(gates: tuple[Gate, Gate], bea: httpx2.Client) -> None:
    sql = "DELETE FROM orders WHERE id = 2"
    answers = await asyncio.gather(*(gate.ask(sql) for gate in gates for _ in range(10)))
    assert len({one["request"] for one in answers}) == 1
    found = bea.get(REQUESTS).json()["items"]
    assert [one["spec"].get("statement", {}).get("sql") for one in found].count(sql) == 1


async def test_a_denial_reaches_who_waits(gates: tuple[Gate, Gate], bea: httpx2.Client) -> None:
    one, _ = gates
    asked = await one.ask("DELETE FROM orders WHERE id = 3")
    looking = asyncio.create_task(one.look(asked["request"], 20))
    await asyncio.sleep(0.2)
    await approve(bea, asked["request"], "denied")
    assert (await asyncio.wait_for(looking, 15))["standing"] == "denied"
    assert (await one.ask("DELETE FROM orders WHERE id = 3"))["standing"] == "denied"


async def test_control_is_started_anew_while_somebody_waits(
    server: ApiServer, pods: Any, bea: httpx2.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with control(server, monkeypatch) as replica:
        gate = Gate(replica, pods["web-1"])
        async with gate.http:
            asked = await gate.ask("DELETE FROM orders WHERE id = 4")
            looking = asyncio.create_task(gate.look(asked["request"], 20))
            await asyncio.sleep(0.2)
    assert (await asyncio.gather(looking, return_exceptions=True))[0] is not None, (
        "it is told or cut off, and asks again"
    )
    await approve(bea, asked["request"])
    async with control(server, monkeypatch) as replica:
        gate = Gate(replica, pods["web-2"])
        async with gate.http:
            assert (await gate.ask("DELETE FROM orders WHERE id = 4"))["standing"] == "granted"
            assert (await gate.ask("DELETE FROM orders WHERE id = 4"))["standing"] == "waiting"


async def test_pods_of_others_have_no_part_in_it(server: ApiServer, pods: Any, gates: tuple[Gate, Gate]) -> None:
    one, _ = gates
    asked = await one.ask("DELETE FROM orders WHERE id = 5")
    _, bearer = pods["batch-1"]
    batch = {"Authorization": f"Bearer {bearer}"}
    own = f"/v1/streams/{pods['batch-1'][0]['metadata']['uid']}/requests/{asked['request']}"
    assert (await one.http.get(own, headers=batch)).status_code == 404
    assert (await one.http.get(f"{one.path}/{asked['request']}", headers=batch)).status_code == 403
    posted = await one.http.post(one.path, json=ASKING, headers=batch)
    assert posted.status_code == 403
    # A token for the collector, or of no pod, is none for control.
    for other in (
        token(server, "shop", "web", "penstock-collector", pods["web-1"][0]),
        token(server, "shop", "web", "penstock-control"),
    ):
        refused = await one.http.post(one.path, json=ASKING, headers={"Authorization": f"Bearer {other}"})
        assert refused.status_code == 401


async def test_a_request_that_somebody_deletes_ends_the_wait(
    server: ApiServer, gates: tuple[Gate, Gate], people: Any
) -> None:
    one, _ = gates
    asked = await one.ask("DELETE FROM orders WHERE id = 6")
    looking = asyncio.create_task(one.http.get(f"{one.path}/{asked['request']}", params={"wait": "20"}))
    await asyncio.sleep(0.2)
    with people.control as control_itself:
        deleted = await asyncio.to_thread(control_itself.delete, f"{REQUESTS}/{asked['request']}")
    assert told(deleted) == ""
    assert (await asyncio.wait_for(looking, 15)).status_code == 404
    assert (await one.ask("DELETE FROM orders WHERE id = 6"))["standing"] == "waiting"


async def test_another_policy_ends_what_was_asked_for_under_the_one_before(
    server: ApiServer, gates: tuple[Gate, Gate], bea: httpx2.Client
) -> None:
    one, _ = gates
    sql = "DELETE FROM orders WHERE id = 7"
    asked = await one.ask(sql)
    await approve(bea, asked["request"])
    stricter = copy.deepcopy(POLICY)
    stricter["spec"]["approvals"][0]["approvers"]["groups"] = ["owners"]
    assert apply(server, stricter).returncode == 0
    try:
        async with asyncio.timeout(10):
            while (answer := await one.ask(sql))["standing"] != "refused":
                await asyncio.sleep(0.1)
                assert answer["standing"] in ("granted", "waiting")
                sql += " "
        assert "the policies are of generation 2" in answer["comment"]
    finally:
        assert apply(server, POLICY).returncode == 0


async def test_ten_thousand_questions(gates: tuple[Gate, Gate], bea: httpx2.Client) -> None:
    """Of one statement: one object. Of as many statements: twenty, and words."""
    slots = asyncio.Semaphore(100)

    async def asked(gate: Gate, sql: str) -> Json:
        async with slots:
            return await gate.ask(sql)

    before = len(bea.get(REQUESTS).json()["items"])
    same = await asyncio.gather(*(asked(gates[n % 2], "DELETE FROM orders WHERE id = 8") for n in range(2_000)))
    assert {one["standing"] for one in same} == {"waiting"}
    assert len({one["request"] for one in same}) == 1
    many = await asyncio.gather(*(asked(gates[n % 2], f"DELETE FROM orders WHERE n = {n}") for n in range(2_000)))
    assert {one["standing"] for one in many} == {"waiting", "refused"}
    assert (
        "requests of this requester wait already"
        in next(one for one in many if one["standing"] == "refused")["comment"]
    )
    # Each replica counts by what it has seen: at most what is made within one round trip may be above the limit.
    assert len(bea.get(REQUESTS).json()["items"]) - before <= 2 * 20


async def test_without_an_api_server_nothing_is_granted(
    gates: tuple[Gate, Gate], server: ApiServer, bea: httpx2.Client
) -> None:
    """Comes last: it stops the API server."""
    one, _ = gates
    asked = await one.ask("DELETE FROM orders WHERE id = 8")
    await approve(bea, asked["request"])
    await asyncio.to_thread(server.stop_api_server)
    try:
        answer = await one.post("DELETE FROM orders WHERE id = 8")
        assert answer.status_code == 503
        assert "requests for approval can't be kept now" in answer.json()["error"]
    finally:
        await asyncio.to_thread(server.start_api_server)
    async with asyncio.timeout(60):
        while (answer := await one.post("DELETE FROM orders WHERE id = 8")).status_code == 503:  # noqa: ASYNC110 - nobody tells when it answers again
            await asyncio.sleep(0.3)
    assert answer.json()["standing"] == "granted", "it was not used before"
