"""`control` as its callers meet it: over TLS on a real port."""

from __future__ import annotations

import asyncio
import base64
import copy
import json
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import pytest
from tests.operator.control.requests import Clock as AskingClock
from tests.operator.control.requests import RequestServer
from tests.operator.doubles import GOOD_TOKEN, SHOP, WEB, Clock, Reviewer, change, gated, synced, token, tokens

from penstock_cli.demo.loopback import free_port
from penstock_operator.certificates.authority import KeyPair, build_authority, build_leaf
from penstock_operator.control import app
from penstock_operator.control.certificate import ServedCertificate
from penstock_operator.control.metrics import ControlMetrics
from penstock_operator.control.policies import Policies
from penstock_operator.health import health
from penstock_operator.inject.sidecar import Shape
from penstock_operator.objects import DATABASES, POLICIES
from penstock_operator.serving import Endpoint, ServingError, serve

NOW = datetime.now(UTC)
AUTHORITY = build_authority(NOW, timedelta(days=1))


def secret(leaf: KeyPair) -> dict[str, Any]:
    pair = {"tls.crt": leaf.certificate_pem, "tls.key": leaf.key_pem}
    return {"data": {name: base64.b64encode(pem).decode() for name, pem in pair.items()}}


def leaf(life: timedelta = timedelta(hours=1)) -> KeyPair:
    return build_leaf(AUTHORITY, ["localhost"], NOW, life)


class Running:
    """A `control` that serves, and a client that trusts its authority."""

    def __init__(self, policies: Policies, shape: Shape) -> None:
        self.policies = policies
        self.reviewer = Reviewer()
        self.certificate = ServedCertificate()
        self.certificate.replace({("penstock-system", "tls"): secret(leaf())}, 1)
        self.metrics = ControlMetrics(policies, self.certificate)
        self.requests = RequestServer()
        self.holder = self.requests.holder(policies, AskingClock())
        self.asker = self.requests.asker(self.holder, policies, AskingClock())
        self.control = app.Control(
            policies, tokens(self.reviewer, Clock()), self.holder, shape, self.metrics, gated=gated(self.reviewer)
        )
        self.port, self.health_port = free_port(), free_port()
        self.trust = ssl.create_default_context(cadata=AUTHORITY.certificate_pem.decode())
        self.client = httpx2.AsyncClient(
            base_url=f"https://localhost:{self.port}", verify=self.trust, trust_env=False, timeout=10
        )
        self.bearer = {"Authorization": f"Bearer {GOOD_TOKEN}"}

    def endpoints(self) -> list[Endpoint]:
        return [
            Endpoint(app.Secured(self.control, self.asker), "127.0.0.1", self.port, self.certificate.context),
            Endpoint(health(lambda: self.policies.lacking, self.metrics.registry), "127.0.0.1", self.health_port),
        ]


@asynccontextmanager
async def served(running: Running) -> AsyncIterator[Running]:
    """It, while it answers."""
    stop = asyncio.Event()
    serving = asyncio.create_task(serve(running.endpoints(), stop, drain=2))
    async with running.client:
        for _ in range(1500):
            try:
                await running.client.get("/")
                break
            except httpx2.ConnectError:
                await asyncio.sleep(0.02)
        yield running
    running.control.stopping.set()
    stop.set()
    await serving


@pytest.fixture
async def running(shop: Any, shape: Shape) -> AsyncIterator[Running]:
    async with served(Running(synced(shop), shape)) as running:
        yield running


async def test_a_pod_is_mutated(running: Running) -> None:
    pod = {
        "kind": "Pod",
        "metadata": {"annotations": {"penstock.dev/inject": "true", "penstock.dev/database": "shop"}},
        "spec": {"containers": [{"name": "web"}]},
    }
    answer = await running.client.post("/mutate", json={"request": {"uid": "1", "namespace": "shop", "object": pod}})
    assert answer.status_code == 200
    assert answer.json()["kind"] == "AdmissionReview"
    assert answer.json()["response"]["patchType"] == "JSONPatch"


async def test_a_pod_of_a_labelled_namespace_needs_no_word_and_waits_for_control_to_know_the_label(
    running: Running,
) -> None:
    asked = {"request": {"uid": "1", "namespace": "shop", "object": {
        "kind": "Pod", "metadata": {}, "spec": {"containers": [{"name": "web"}]}}}}  # fmt: skip
    early = (await running.client.post("/mutate/labelled", json=asked)).json()["response"]
    assert "so new that its pods can't be given a gate yet" in early["status"]["message"]
    assert "patch" not in (await running.client.post("/mutate", json=asked)).json()["response"]
    labels = {"labels": {"penstock.dev/inject": "enabled"}, "annotations": {"penstock.dev/database": "shop"}}
    running.policies.labelled_namespace = {"shop": labels}.get
    answer = (await running.client.post("/mutate/labelled", json=asked)).json()["response"]
    assert answer["patchType"] == "JSONPatch"


@pytest.mark.parametrize("path", ["/mutate", "/mutate/labelled", "/guard", "/validate"])
@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"\xff", b'{"request": {"uid": "1"}}', b"[" * 100_000])
async def test_garbage_is_one_line(running: Running, path: str, body: bytes) -> None:
    answer = await running.client.post(path, content=body)
    assert answer.status_code == 400
    assert list(answer.json()) == ["error"]
    assert "\n" not in answer.json()["error"]


@pytest.mark.parametrize("path", ["/mutate", "/guard", "/validate"])
@pytest.mark.parametrize(
    "change",
    [
        {"metadata": {"annotations": ["penstock.dev/inject"]}, "spec": {"ephemeralContainers": 1}},
        {"metadata": {"annotations": {"penstock.dev/inject": 7}}, "spec": {"ephemeralContainers": [1]}},
        {"spec": 7},
        {"spec": {"containers": "web", "ephemeralContainers": "x"}},
        {"spec": {"containers": [{"name": "web", "env": 7}], "ephemeralContainers": [[]]}},
        {"spec": {"containers": [], "volumes": [{"projected": {"sources": [7]}}], "ephemeralContainers": [7]}},
    ],
)
async def test_an_object_that_no_api_server_would_send_is_one_line(
    running: Running, path: str, change: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    annotations = {"penstock.dev/inject": "true", "penstock.dev/database": "shop"}
    pod = {"kind": "Pod", "metadata": {"annotations": annotations}, "spec": {"containers": []}} | change
    answer = await running.client.post(path, json={"request": {"uid": "1", "namespace": "shop", "object": pod}})
    assert answer.status_code == 400 or not answer.json()["response"]["allowed"]
    assert "Traceback" not in capsys.readouterr().out


async def test_a_body_larger_than_any_object_is_not_read_to_its_end(running: Running) -> None:
    answer = await running.client.post("/mutate", content=b" " * (9 * 1024 * 1024))
    assert answer.status_code == 400
    assert "larger" in answer.json()["error"]


async def test_a_resource_is_validated(running: Running, shop: Any) -> None:
    async def reviewed(subject: dict[str, Any]) -> dict[str, Any]:
        review = {"request": {"uid": "1", "namespace": "shop", "object": subject}}
        answer = await running.client.post("/validate", json=review)
        response: dict[str, Any] = answer.json()["response"]
        return response

    assert await reviewed(shop.policy) == {"uid": "1", "allowed": True}
    assert await reviewed(shop.database) == {"uid": "1", "allowed": True}
    shop.policy["spec"]["databaseRef"]["name"] = "shpo"
    early = await reviewed(shop.policy)
    assert early["allowed"], "the Database may come next"
    assert "there is no Database shpo" in early["warnings"][0]
    shop.policy["spec"]["approvals"] = [{"name": "a", "when": "statement.verb", "approvers": {"groups": ["dba"]}}]
    refused = await reviewed(shop.policy)
    assert refused["status"]["code"] == 422
    assert "spec.approvals[0].when: must be true or false, and is string" in refused["status"]["message"]
    del shop.policy["spec"]["approvals"]
    conditioned = {"columns": ["*.*.email"], "with": {"redact": {}}, "unless": "'dpo' in identity.groups"}
    shop.policy["spec"] |= {"guardrails": {}, "databaseRef": {"name": "shop"}, "masks": [conditioned]}
    assert await reviewed(shop.policy) == {"uid": "1", "allowed": True}
    conditioned["unless"] = "'dpo' in user.groups"
    no_condition = await reviewed(shop.policy)
    assert no_condition["status"]["code"] == 422
    assert "spec.masks[0].unless: column 14: user.groups is not known" in no_condition["status"]["message"]


CONDITIONS: dict[str, tuple[str, str]] = {
    "no CEL": ("identity.name = 'ada'", "column 15: can't be read as CEL from there on"),
    "a name that there is not": ("'dba' in user.groups", "column 14: user.groups is not known"),
    "a loop in a loop": (
        "identity.groups.exists(a, identity.groups.exists(b, a == b))",
        "column 23: exists, all and their like can't be nested; use in",
    ),
    "a pattern for each": (
        "identity.groups.exists(g, g.matches('a*'))",
        "column 36: matches can't be used within exists, all and their like; use startsWith, endsWith or contains",
    ),
    "a pattern that counts": ("identity.name.matches('(a{9999})')", "counted repetitions"),
    "a time that is none": ("now > timestamp('soon')", "that is no timestamp"),
    "too deep": ("(" * 50 + "now == now" + ")" * 50, "is nested too deeply; split it, or use in with a list"),
    "without end": ("identity.name == '" + "a" * 2048 + "'", "must have at most 2048 characters"),
}
FAILS = "can't be evaluated where lists are empty and numbers are 0 (Index error: index=3 size=0), and "


@pytest.mark.parametrize(
    ("field", "outcome"),
    [("masks[0].unless", "the mask applies then"), ("approvals[0].when", "the statement is refused then")],
)
async def test_kubectl_apply_is_told_of_conditions_that_are_none_and_of_those_that_fail(
    running: Running, shop: Any, field: str, outcome: str
) -> None:
    """In one line each: the first are refused, the others are warned of."""

    async def reviewed(text: str) -> dict[str, Any]:
        mask = {"columns": ["*.*.email"], "with": {"redact": {}}, "unless": text}
        rule = {"name": "a", "when": text, "approvers": {"groups": ["dba"]}}
        policy = {**shop.policy, "spec": {**shop.policy["spec"], "masks": [mask], "approvals": []}}
        if field.endswith("when"):
            policy["spec"] |= {"masks": [], "approvals": [rule]}
        review = {"request": {"uid": "1", "namespace": "shop", "object": policy}}
        response: dict[str, Any] = (await running.client.post("/validate", json=review)).json()["response"]
        return response

    for name, (text, words) in CONDITIONS.items():
        refused = await reviewed(text)
        message = refused["status"]["message"]
        assert (refused["allowed"], refused["status"]["code"], "\n" in message) == (False, 422, False), name
        assert f"spec.{field}: " in message, name
        assert words in message, name
    taken = await reviewed("identity.groups[3] == 'dba'")
    assert taken["allowed"]
    (warning,) = taken["warnings"]
    assert warning == f"penstock: DatabaseAccessPolicy shop/web: spec.{field}: {FAILS}{outcome}; test for that first"
    asks_first = await reviewed("size(identity.groups) > 3 && identity.groups[3] == 'dba'")
    assert asks_first == {"uid": "1", "allowed": True}


async def test_what_is_stored_already_may_be_labelled_though_it_is_not_valid_any_more(
    running: Running, shop: Any
) -> None:
    stored = {**shop.policy, "spec": {"databaseRef": {"name": "shop"}, "subjects": []}}
    labelled = {**stored, "metadata": {**stored["metadata"], "labels": {"team": "shop"}}}
    changed = {**stored, "spec": {**stored["spec"], "mode": "observe"}}
    for document, allowed in ((labelled, True), (changed, False)):
        review = {"request": {"uid": "1", "namespace": "shop", "object": document, "oldObject": stored}}
        answer = await running.client.post("/validate", json=review)
        assert answer.json()["response"]["allowed"] is allowed


@pytest.mark.parametrize(("fields", "end"), [(300, "; and 280 more"), (900, "; and at least 481 more")])
async def test_of_many_problems_the_first_are_told(running: Running, shop: Any, fields: int, end: str) -> None:
    document = {**shop.policy, "spec": {**shop.policy["spec"], **{f"field{number}": 1 for number in range(fields)}}}
    review = {"request": {"uid": "1", "namespace": "shop", "object": document}}
    message = (await running.client.post("/validate", json=review)).json()["response"]["status"]["message"]
    assert message.endswith(end)
    assert len(message) < 10_000


async def test_a_pod_follows_its_policies(running: Running, shop: Any) -> None:
    async with running.client.stream("GET", "/v1/policies/shop/shop", headers=running.bearer) as answer:
        assert answer.status_code == 200
        lines = answer.aiter_lines()
        assert json.loads(await anext(lines))["generation"] == 1
        shop.policy["spec"]["allow"] = []
        change(running.policies, POLICIES, WEB, shop.policy, 120)
        bundle = json.loads(await asyncio.wait_for(anext(lines), 15))
        assert (bundle["generation"], bundle["policies"][0]["spec"]["allow"]) == (2, [])
        change(running.policies, "databases", SHOP, None, 130)
        assert not json.loads(await asyncio.wait_for(anext(lines), 15)).get("policies"), "who listens loses access"
        metrics = await running.client.get(f"http://127.0.0.1:{running.health_port}/metrics")
        assert "penstock_control_streams 1.0" in metrics.text


async def test_a_silent_stream_has_a_heartbeat(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app, "HEARTBEAT_SECONDS", 0.05)
    async with running.client.stream("GET", "/v1/policies/shop/shop", headers=running.bearer) as answer:
        lines = answer.aiter_lines()
        await anext(lines)
        assert await asyncio.wait_for(anext(lines), 15) == ""


async def test_a_stream_ends_with_the_token_it_was_asked_for_with(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that a token that was taken along is of no use for long, nor a pod's that is gone."""
    monkeypatch.setattr(app, "SHORTEST_STREAM_SECONDS", 0.0)
    short = token(life=0.3)
    running.reviewer.good.add(short)
    async with running.client.stream(
        "GET", "/v1/policies/shop/shop", headers={"Authorization": f"Bearer {short}"}
    ) as answer:
        async with asyncio.timeout(30):
            assert len([line async for line in answer.aiter_lines() if line]) == 1


async def test_a_stream_ends_when_the_process_is_to_end(running: Running) -> None:
    async with running.client.stream("GET", "/v1/policies/shop/shop", headers=running.bearer) as answer:
        lines = answer.aiter_lines()
        await anext(lines)
        running.control.stopping.set()
        assert [line async for line in lines] == []


@pytest.mark.parametrize(
    ("path", "authorization", "status", "words"),
    [
        ("/v1/policies/shop/shop", None, 401, "a bearer token is needed"),
        ("/v1/policies/shop/shop", "Basic eDp5", 401, "a bearer token is needed"),
        ("/v1/policies/shop/shop", "Bearer bad", 401, "not a running pod's"),
        ("/v1/policies/other/shop", f"Bearer {GOOD_TOKEN}", 403, "a pod of shop can't read policies of other"),
        ("/v1/policies/shop/nothing", f"Bearer {GOOD_TOKEN}", 404, "no usable Database nothing in shop"),
        ("/v1/policies/shop/billing", f"Bearer {GOOD_TOKEN}", 403, "is for nothing, shop, not for billing"),
    ],
)
async def test_others_do_not(running: Running, path: str, authorization: str | None, status: int, words: str) -> None:
    running.reviewer.databases = ["shop", "nothing"]
    headers = {} if authorization is None else {"Authorization": authorization}
    answer = await running.client.get(path, headers=headers)
    assert answer.status_code == status
    assert words in answer.json()["error"]


async def test_a_token_that_can_not_be_checked_is_no_token(running: Running) -> None:
    running.reviewer.down = True
    answer = await running.client.get("/v1/policies/shop/shop", headers=running.bearer)
    assert answer.status_code == 503


async def test_a_renewed_certificate_is_served_without_a_restart(running: Running) -> None:
    def served() -> bytes:
        with (
            socket.create_connection(("127.0.0.1", running.port), 5) as plain,
            running.trust.wrap_socket(plain, server_hostname="localhost") as tls,
        ):
            return tls.getpeercert(binary_form=True) or b""

    before = await asyncio.to_thread(served)
    renewed = leaf(timedelta(hours=2))
    running.certificate.replace({("penstock-system", "tls"): secret(renewed)}, 2)
    after = await asyncio.to_thread(served)
    assert before != after
    assert running.certificate.not_after == renewed.certificate.not_valid_after_utc.timestamp()
    running.certificate.replace({("penstock-system", "tls"): {"data": {"tls.crt": "", "tls.key": "eA=="}}}, 3)
    assert await asyncio.to_thread(served) == after, "one that can't be used does not displace one that can"


async def test_health_says_what_is_lacking(running: Running) -> None:
    async def asked(path: str) -> httpx2.Response:
        return await running.client.get(f"http://127.0.0.1:{running.health_port}{path}")

    assert (await asked("/readyz")).status_code == 200
    running.policies._synced.clear()
    ready = await asked("/readyz")
    assert (ready.status_code, ready.text.startswith("waiting for the list of databases")) == (503, True)
    assert (await asked("/healthz")).status_code == 200
    assert (await running.client.post("/mutate", json={})).status_code == 503
    assert (await running.client.get("/v1/policies/shop/shop", headers=running.bearer)).status_code == 503


async def test_a_port_that_is_taken_is_one_line(running: Running) -> None:
    with pytest.raises(ServingError, match=f"can't listen on 127.0.0.1:{running.port}"):
        await serve(running.endpoints(), asyncio.Event())


async def test_a_database_that_is_not_there_is_told_from_one_that_is_not_valid(running: Running) -> None:
    before = running.policies._objects[DATABASES][SHOP]
    answers = []
    for document in ({**before, "spec": {"host": 7}}, None):
        change(running.policies, DATABASES, SHOP, document, 200)
        answer = await running.client.get("/v1/policies/shop/shop", headers=running.bearer)
        assert (answer.status_code, answer.json()["error"]) == (404, "there is no usable Database shop in shop")
        answers.append(answer.json()["absent"])
    assert answers == [False, True]


@pytest.mark.parametrize("field", ["suspended", "revoked"])
async def test_nobody_suspends_anything_in_the_name_of_another(running: Running, shop: Any, field: str) -> None:
    of = shop.database if field == "suspended" else shop.policy
    plain = copy.deepcopy(of)
    of["spec"] |= {field: {"reason": "INC-77", "by": "ada"}} | ({"mode": "revoke"} if field == "revoked" else {})

    async def reviewed(user: str, before: dict[str, Any] | None = None) -> dict[str, Any]:
        request = {"uid": "1", "namespace": "shop", "object": of, "userInfo": {"username": user}, "oldObject": before}
        answer = await running.client.post("/validate", json={"request": request})
        response: dict[str, Any] = answer.json()["response"]
        return response

    assert (await reviewed("ada", plain))["allowed"]
    refused = await reviewed("bea", plain)
    assert refused["status"]["message"] == (
        f"penstock: spec: {field}.by: must be bea, whose request this is; or leave it out"
    )
    assert not (await reviewed("bea"))["allowed"]
    # Who changes something else leaves the word that is there.
    before = copy.deepcopy(of)
    of["spec"]["databaseRef" if field == "revoked" else "dbname"] = {"name": "shop"} if field == "revoked" else "shop2"
    assert (await reviewed("bea", before))["allowed"]
    of["spec"][field]["reason"] = "another"
    assert not (await reviewed("bea", before))["allowed"]
