"""Access for a time on a real API server: people ask by kubectl, others approve, control tells gates what lasts."""

from __future__ import annotations

import asyncio
import copy
import json
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from e2e.approvals.api_server import ApiServer
from e2e.approvals.conftest import REQUESTS, People, apply, patch, told
from e2e.approvals.replicas import Replica, control, gated, secrets, token
from penstock_core.approvals.kubernetes_user import KubernetesUser
from penstock_core.approvals.standing import written
from penstock_core.resources import parse
from penstock_core.resources.access_policy import DatabaseAccessPolicy
from penstock_core.resources.grant import policy_digest

Json = dict[str, Any]
Kubectl = Callable[..., subprocess.CompletedProcess[str]]
ISSUER = "https://id.example"
DATABASE: Json = {
    "apiVersion": "penstock.dev/v1alpha1", "kind": "Database", "metadata": {"name": "timed", "namespace": "shop"},
    "spec": {"host": "db", "dbname": "shop", "credentialsSecretRef": {"name": "db"}},
}  # fmt: skip
POLICY: Json = {
    "apiVersion": "penstock.dev/v1alpha1",
    "kind": "DatabaseAccessPolicy",
    "metadata": {"name": "incident", "namespace": "shop"},
    "spec": {
        "databaseRef": {"name": "timed"},
        "subjects": [{"identity": {"groups": ["staff", "system:authenticated"], "issuer": ISSUER}}],
        "allow": ["select", "delete"],
        "onRequest": {"approvers": {"groups": ["dba"]}, "maxDuration": "4h"},
        "breakGlass": {"reviewers": {"groups": ["dba"]}, "maxDuration": "30m"},
    },
}


@pytest.fixture(scope="module")
def pod(server: ApiServer) -> tuple[Json, str]:
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "timed", "namespace": "shop"}}
    asking = {
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding",
        "metadata": {"name": "requesters", "namespace": "shop"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "penstock-requester"},
        "subjects": [{"kind": "Group", "apiGroup": "rbac.authorization.k8s.io", "name": "staff"}],
    }  # fmt: skip
    applied = apply(server, *secrets(), DATABASE, account, asking)
    assert applied.returncode == 0, applied.stderr
    applied = apply(server, POLICY)
    assert applied.returncode == 0, applied.stderr
    with server.client("admin") as admin:
        pod = {"metadata": {"name": "timed-1"}, "spec": gated("timed", "timed")}
        made = admin.post("/api/v1/namespaces/shop/pods", json=pod)
        assert made.status_code == 201, made.text
    return made.json(), token(server, "shop", "timed", "penstock-control", made.json())


@pytest.fixture
def kubectl(server: ApiServer) -> Kubectl:
    def run(*arguments: str, user: str = "eve") -> subprocess.CompletedProcess[str]:
        settings = {
            **os.environ,
            "PATH": os.pathsep.join([str(server.bin), str(Path(sys.executable).parent), os.environ["PATH"]]),
            "KUBECONFIG": str(server.kubeconfig(user)),
            "HOME": str(server.directory),
        }
        return subprocess.run(
            ["kubectl", "penstock", *arguments, "-n", "shop"],
            capture_output=True, text=True, timeout=60, check=False, env=settings,
        )  # fmt: skip

    return run


def ask(kubectl: Kubectl, *more: str, lasts: str = "1h", user: str = "eve") -> str:
    done = kubectl("request", "incident", "--for", lasts, "--reason", "orders hang", *more, user=user)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()[0]


class Stream:
    """What a gate of the pod is told."""

    def __init__(self, replica: Replica, bearer: str) -> None:
        self.replica = replica
        self._http = replica.client(bearer)
        self.grants: list[Json] = []
        self.generations: set[int] = set()
        self._following = asyncio.create_task(self._follow())

    async def _follow(self) -> None:
        async with self._http as http, http.stream("GET", "/v1/policies/shop/timed") as response:
            assert response.status_code == 200, await response.aread()
            async for line in response.aiter_lines():
                if line.strip():
                    bundle = json.loads(line)
                    self.generations.add(bundle["generation"])
                    self.grants = bundle.get("grants", [])

    @property
    def names(self) -> list[str]:
        return [one["request"] for one in self.grants]

    async def until(self, holds: Callable[[list[str]], bool], seconds: float = 2.0) -> None:
        began = time.monotonic()
        while not holds(self.names):
            assert time.monotonic() - began < seconds, f"not within {seconds} s: {self.names}"
            if self._following.done():
                self._following.result()
            await asyncio.sleep(0.02)

    async def end(self) -> None:
        self._following.cancel()
        await asyncio.gather(self._following, return_exceptions=True)


@pytest.fixture
async def stream(server: ApiServer, pod: Any, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Stream]:
    async with control(server, monkeypatch) as replica:
        following = Stream(replica, pod[1])
        yield following
        await following.end()


async def do(step: Callable[..., Any], *arguments: Any, **more: Any) -> Any:
    return await asyncio.to_thread(step, *arguments, **more)


async def test_it_is_asked_for_approved_for_less_and_ended(stream: Stream, kubectl: Kubectl, server: ApiServer) -> None:
    name = await do(ask, kubectl)
    await asyncio.sleep(1.0)
    assert stream.names == []
    shown = await do(kubectl, "requests", user="bea")
    assert f"{name}  waiting  person:eve  access by policy incident for 1h" in shown.stdout
    approved = await do(kubectl, "approve", name, "--for", "20m", "--comment", "for the orders", user="bea")
    assert approved.returncode == 0, approved.stderr
    await stream.until(lambda names: names == [name])
    (grant,) = stream.grants
    assert (grant["decidedBy"], grant["duration"], grant["policy"]) == ("bea", "1h", "incident")
    assert grant["requester"]["principal"]["subject"] == "eve"
    left = datetime.fromisoformat(grant["until"]) - datetime.now(UTC)
    assert timedelta(minutes=18) < left <= timedelta(minutes=20)
    again = await do(kubectl, "approve", name, "--for", "1h", user="bea")
    assert "is in effect already" in again.stderr
    ended = await do(kubectl, "end", name)
    assert ended.returncode == 0, ended.stderr
    await stream.until(lambda names: names == [])
    assert len(stream.generations) == 1, "what lasts is no change of the policies"


async def test_it_ends_by_itself(stream: Stream, kubectl: Kubectl) -> None:
    name = await do(ask, kubectl, lasts="4s")
    await do(kubectl, "approve", name, user="bea")
    await stream.until(lambda names: names == [name])
    await stream.until(lambda names: names == [], 6.0)


async def test_an_emergency_begins_at_once_and_is_told_and_reviewed(
    stream: Stream, kubectl: Kubectl, server: ApiServer
) -> None:
    name = await do(ask, kubectl, "--break-glass", lasts="30m")
    await stream.until(lambda names: names == [name])
    assert stream.grants[0]["breakGlass"] is True
    events = await do(_events, server, name, 1)
    assert [(one["reason"], one["type"]) for one in events] == [("GlassBroken", "Warning")]
    assert "person:eve broke the glass" in events[0]["message"]
    early = await do(kubectl, "review", name, "--comment", "fine", user="bea")
    assert "end it first" in early.stderr
    await do(kubectl, "end", name)
    await stream.until(lambda names: names == [])
    own = await do(kubectl, "review", name, "--comment", "fine", user="eve")
    assert "may not review" in own.stderr
    assert f"{name}  unreviewed" in (await do(kubectl, "requests", user="bea")).stdout
    done = await do(kubectl, "review", name, "--comment", "only what was said", user="bea")
    assert done.returncode == 0, done.stderr
    assert "reviewed by bea" in done.stdout


def _events(server: ApiServer, name: str, count: int) -> list[Json]:
    with server.client("admin") as admin:
        for _ in range(300):
            found = admin.get("/api/v1/namespaces/shop/events").json()["items"]
            mine = [one for one in found if one["involvedObject"]["name"] == name]
            if len(mine) >= count:
                return mine
            time.sleep(0.1)
    raise AssertionError(f"no event about {name}")


async def test_a_review_that_is_overdue_is_told_and_bars_the_next_emergency(
    stream: Stream, kubectl: Kubectl, server: ApiServer, people: People
) -> None:
    late = document(
        "late", subject="cleo", glass=True, lasts="1s", expires=timedelta(seconds=1), review=timedelta(seconds=2)
    )
    with people.client(KubernetesUser("cleo", frozenset({"staff"}))) as cleo:
        assert told(await do(cleo.post, REQUESTS, json=late)) == ""
        events = await do(_events, server, "late", 2)
        assert "ReviewOverdue" in {one["reason"] for one in events}
        again = document("again", subject="cleo", glass=True, lasts="5m", expires=timedelta(minutes=5))
        assert told(await do(cleo.post, REQUESTS, json=again)) == ""
    (event,) = await do(_events, server, "again", 1)
    assert (event["reason"], "the review of late was overdue" in event["message"]) == ("AccessNotGiven", True)
    assert "again" not in stream.names


def document(
    name: str, *, subject: str = "eve", glass: bool = False, lasts: str = "1h",
    expires: timedelta = timedelta(hours=1), review: timedelta = timedelta(hours=72), **spec: Any,
) -> Json:  # fmt: skip
    policy = parse(POLICY)
    assert isinstance(policy, DatabaseAccessPolicy)
    now = datetime.now(UTC)
    asked: Json = {
        "databaseRef": {"name": "timed"},
        "access": {
            "policy": "incident", "policyDigest": policy_digest(policy), "approvers": ["dba"], "duration": lasts,
        },
        "requester": {
            "principal": {"kind": "person", "subject": subject, "issuer": ISSUER, "groups": ["staff"]},
        },
        "reason": "orders hang",
        "expiresAt": written(now + expires),
        "nonce": "0" * 32,
    }  # fmt: skip
    if glass:
        asked["breakGlass"] = {"reviewBy": written(now + review)}
    for key, value in spec.items():
        asked[key] = {**asked.get(key, {}), **value} if isinstance(value, dict) else value
    return {
        "apiVersion": "penstock.dev/v1alpha1", "kind": "AccessRequest",
        "metadata": {"name": name, "namespace": "shop"}, "spec": asked,
    }  # fmt: skip


EVE = KubernetesUser("eve", frozenset({"staff"}))
BEA = KubernetesUser("bea", frozenset({"dba"}))
BOT = {"kind": "agent", "subject": "bot", "issuer": ISSUER}
WEB = {"namespace": "shop", "serviceAccount": "web"}
MADE_WRONGLY: dict[str, tuple[KubernetesUser, Json, str]] = {
    "for somebody else": (BEA, document("x"), "bea asks for themselves alone"),
    "for an agent": (EVE, document("x", requester={"principal": BOT | {"subject": "eve"}}), "themselves alone"),
    "with somebody behind them": (EVE, document("x", requester={"actsFor": [BOT]}), "asks for themselves alone"),
    "for a pod": (EVE, document("x", requester={"workload": WEB}), "asks for themselves alone"),
    "by a service account": (
        KubernetesUser("system:serviceaccount:shop:web", frozenset({"system:serviceaccounts"})),
        document("x", subject="system:serviceaccount:shop:web"),
        "only people ask",
    ),
    "an emergency that is too long": (EVE, document("x", glass=True, expires=timedelta(hours=2)), "ends too late"),
    "that waits too long": (EVE, document("x", expires=timedelta(hours=169)), "ends too late"),
    "without a reason": (EVE, document("x", reason=""), "spec.reason"),
    "with a reason without end": (EVE, document("x", reason="x" * 65536), "spec.reason"),
    "for a statement as well": (EVE, document("x", statement={"sql": "SELECT 1"}), "exactly one of statement, access"),
    "an emergency of an agent": (
        EVE, document("x", glass=True, requester={"principal": BOT}), "only a person",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("user", "asked", "words"), MADE_WRONGLY.values(), ids=MADE_WRONGLY)
def test_nobody_asks_otherwise(people: People, user: KubernetesUser, asked: Json, words: str) -> None:
    with people.client(user) as client:
        said = told(client.post(REQUESTS, json=copy.deepcopy(asked)))
        assert words in said, said


@pytest.fixture
def made(people: People) -> Callable[..., str]:
    def make(name: str, user: KubernetesUser = EVE, **more: Any) -> str:
        with people.client(user) as client:
            assert told(client.post(REQUESTS, json=document(name, subject=user.username, **more))) == ""
        return f"{REQUESTS}/{name}"

    return make


def approval(by: str, until: timedelta = timedelta(minutes=30), **more: Any) -> Json:
    now = datetime.now(UTC)
    status = {"decision": "approved", "decidedBy": by, "decidedAt": written(now), "until": written(now + until)}
    return {"status": status | more}


Wrong = tuple[KubernetesUser, Callable[[], Json], str]
WRITTEN_WRONGLY: dict[str, Wrong] = {
    "approved by themselves": (EVE, lambda: approval("eve"), "they asked for it"),
    "approved by themselves as a dba": (
        KubernetesUser("EVE", frozenset({"dba"})), lambda: approval("EVE"), "they asked for it",
    ),
    "approved by another name of theirs": (
        KubernetesUser("x", frozenset({"dba"}), "", {"email": ["eve"]}), lambda: approval("x"), "they asked for it",
    ),
    "approved by somebody else": (
        KubernetesUser("dan", frozenset({"staff"})), lambda: approval("dan"), "none of the approvers' groups",
    ),
    "for longer than was asked for": (BEA, lambda: approval("bea", timedelta(minutes=61)), "until must be when"),
    "without an end": (BEA, lambda: {"status": approval("bea")["status"] | {"until": None}}, "until must be when"),
    "for no time": (BEA, lambda: approval("bea", timedelta(seconds=-10)), "until must be when"),
    "as if another had": (BEA, lambda: approval("cleo"), "decidedBy must be who decides"),
    "an end before there is anything": (
        EVE, lambda: {"status": {"endedAt": written(datetime.now(UTC)), "endedBy": "eve"}}, "there is nothing to end",
    ),
    "a review of what is no emergency": (
        BEA,
        lambda: {"status": {"reviewedAt": written(datetime.now(UTC)), "reviewedBy": "bea", "review": "x"}},
        "there is nothing to review",
    ),
    "an end together with a decision": (BEA, lambda: approval("bea", endedBy="bea"), "and nothing else"),
}  # fmt: skip


@pytest.mark.parametrize(("user", "body", "words"), WRITTEN_WRONGLY.values(), ids=WRITTEN_WRONGLY)
def test_nobody_writes_otherwise(
    people: People, made: Callable[..., str], user: KubernetesUser, body: Callable[[], Json], words: str
) -> None:
    path = made(f"wrong-{time.monotonic_ns()}")
    with people.client(user) as client:
        said = told(patch(client, f"{path}/status", body()))
        assert words in said, said
        assert client.get(path).json().get("status") is None


def test_what_was_approved_is_not_made_longer_nor_begun_again(people: People, made: Callable[..., str]) -> None:
    path = made("once")
    with people.client(BEA) as bea, people.client(EVE) as eve:
        assert told(patch(bea, f"{path}/status", approval("bea", timedelta(minutes=10)))) == ""
        longer = {"status": {"until": written(datetime.now(UTC) + timedelta(minutes=50))}}
        for client in (bea, eve):
            assert told(patch(client, f"{path}/status", longer))
        ended = {"status": {"endedAt": written(datetime.now(UTC)), "endedBy": "eve"}}
        assert told(patch(eve, f"{path}/status", {"status": ended["status"] | {"endedBy": "bea"}}))
        assert told(patch(eve, f"{path}/status", ended)) == ""
        assert told(patch(eve, f"{path}/status", {"status": {"endedAt": None, "endedBy": None}}))
        assert told(patch(eve, f"{path}/status", ended | {"status": {"endedAt": "2040-01-01T00:00:00Z"}}))
    with people.client(KubernetesUser("dan", frozenset({"staff"}))) as dan:
        other = made("others")
        with people.client(BEA) as bea:
            assert told(patch(bea, f"{other}/status", approval("bea"))) == ""
        said = told(patch(dan, f"{other}/status", {"status": ended["status"] | {"endedBy": "dan"}}))
        assert "may not end it" in said


def test_an_emergency_is_reviewed_by_others_after_its_end(people: People, made: Callable[..., str]) -> None:
    path = made("glass", glass=True)
    review = {"reviewedAt": written(datetime.now(UTC)), "reviewedBy": "bea", "review": "all as said"}
    with people.client(BEA) as bea, people.client(EVE) as eve:
        assert "reviewed and not decided" in told(patch(bea, f"{path}/status", approval("bea")))
        assert "lasts still" in told(patch(bea, f"{path}/status", {"status": review}))
        end = {"status": {"endedAt": written(datetime.now(UTC)), "endedBy": "eve"}}
        assert told(patch(eve, f"{path}/status", end)) == ""
        own = {"status": review | {"reviewedBy": "eve"}}
        assert "may not review" in told(patch(eve, f"{path}/status", own))
        with people.client(KubernetesUser("eve", frozenset({"dba"}))) as member:
            assert "may not review" in told(patch(member, f"{path}/status", own))
        assert "their own name" in told(patch(bea, f"{path}/status", {"status": review | {"reviewedBy": "cleo"}}))
        assert told(patch(bea, f"{path}/status", {"status": review})) == ""
        assert told(patch(bea, f"{path}/status", {"status": {"review": "another"}}))


FORGED: dict[str, Json] = {
    "by other approvers than the policy names": {"access": {"approvers": ["dba", "staff"]}},
    "of a policy that says something else": {"access": {"policyDigest": "0" * 64}},
    "of a policy that is not there": {"access": {"policy": "none"}},
    "for longer than the policy lets": {"access": {"duration": "100h"}},
    "of another issuer than the policy's": {"requester": {"principal": {
        "kind": "person", "subject": "eve", "issuer": "https://evil.example", "groups": ["staff"]}}},
    "of another database": {"databaseRef": {"name": "other"}},
}  # fmt: skip


@pytest.mark.parametrize("spec", FORGED.values(), ids=FORGED)
async def test_what_the_policy_does_not_offer_comes_to_nothing(
    stream: Stream, people: People, made: Callable[..., str], spec: Json
) -> None:
    name = f"forged-{time.monotonic_ns()}"
    path = await do(made, name, **spec)
    with people.client(KubernetesUser("bea", frozenset({"dba", "staff"}))) as bea:
        assert told(await do(patch, bea, f"{path}/status", approval("bea"))) == ""
    good = await do(made, f"{name}-good")
    with people.client(BEA) as bea:
        assert told(await do(patch, bea, f"{good}/status", approval("bea"))) == ""
    await stream.until(lambda names: f"{name}-good" in names)
    assert name not in stream.names


async def test_who_is_the_same_by_folded_letters_approves_nothing(stream: Stream, people: People) -> None:
    with people.control as itself:
        assert told(await do(itself.post, REQUESTS, json=document("folded", subject="straße"))) == ""
    path = f"{REQUESTS}/folded"
    with people.client(KubernetesUser("STRASSE", frozenset({"dba"}))) as same:
        assert told(await do(patch, same, f"{path}/status", approval("STRASSE"))) == ""
    await asyncio.sleep(1.5)
    assert "folded" not in stream.names


async def test_a_request_that_is_deleted_ends(stream: Stream, people: People, made: Callable[..., str]) -> None:
    path = await do(made, "deleted", glass=True, lasts="30m", expires=timedelta(minutes=30))
    await stream.until(lambda names: "deleted" in names)
    with people.client(EVE) as eve, people.control as itself:
        assert "only penstock-control deletes" in told(await do(eve.delete, path))
        assert told(await do(itself.delete, path)) == ""
    await stream.until(lambda names: "deleted" not in names)


async def test_without_the_admission_policy_nothing_lasts(
    stream: Stream, people: People, made: Callable[..., str], server: ApiServer
) -> None:
    await do(made, "guarded", glass=True, lasts="30m", expires=timedelta(minutes=30))
    await stream.until(lambda names: "guarded" in names)
    path = "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicybindings/penstock-requests"
    with server.client("admin") as admin:
        binding = (await do(admin.get, path)).json()
        await do(admin.delete, path)
        try:
            await stream.until(lambda names: names == [])
        finally:
            kept = {"name": binding["metadata"]["name"], "labels": binding["metadata"].get("labels", {})}
            again = {**binding, "metadata": kept}
            answer = await do(admin.post, path.rpartition("/")[0], json=again)
            assert answer.status_code == 201, answer.text
    await stream.until(lambda names: "guarded" in names)


async def test_a_policy_that_changes_ends_it(
    stream: Stream, people: People, made: Callable[..., str], server: ApiServer
) -> None:
    await do(made, "changed", glass=True, lasts="30m", expires=timedelta(minutes=30))
    await stream.until(lambda names: "changed" in names)
    other = copy.deepcopy(POLICY)
    other["spec"]["allow"] = ["select"]
    try:
        assert (await do(apply, server, other)).returncode == 0
        await stream.until(lambda names: "changed" not in names)
    finally:
        assert (await do(apply, server, POLICY)).returncode == 0


async def test_an_agent_asks_through_its_gate(stream: Stream, kubectl: Kubectl, pod: Any) -> None:
    """Its pod asks by its own token; nobody for whom it acts approves, whatever their groups."""
    metadata = pod[0]["metadata"]
    workload = {"namespace": "shop", "serviceAccount": "timed", "pod": metadata["name"], "podUid": metadata["uid"]}
    eve = {"kind": "person", "subject": "ada@shop.example", "issuer": ISSUER, "groups": ["staff"]}
    body: Json = {
        "databaseRef": {"name": "timed"}, "policy": "incident", "duration": "1h", "reason": "orders hang",
        "requester": {"workload": workload, "principal": BOT, "actsFor": [eve]}, "nonce": "0" * 32,
    }  # fmt: skip
    path = f"/v1/streams/{metadata['uid']}/access/requests"
    async with stream.replica.client(pod[1]) as gate:
        asked = (await gate.post(path, json=body)).json()
        assert (asked["standing"], (await gate.post(path, json=body)).json()["request"]) == (
            "waiting",
            asked["request"],
        )
        other = body | {"requester": body["requester"] | {"workload": workload | {"podUid": "another"}}}
        assert (await gate.post(path, json=other)).json()["standing"] == "refused"
        assert (await gate.post("/v1/streams/another/access/requests", json=body)).status_code == 403
    name = asked["request"]
    own = await do(kubectl, "approve", name, user="ada@shop.example")
    assert "they asked for it" in own.stderr
    done = await do(kubectl, "approve", name, user="bea")
    assert done.returncode == 0, done.stderr
    await stream.until(lambda names: name in names)
    requester = next(one for one in stream.grants if one["request"] == name)["requester"]
    assert [one["subject"] for one in requester["actsFor"]] == ["ada@shop.example"]
