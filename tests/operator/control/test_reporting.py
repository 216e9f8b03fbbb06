"""Gates report for themselves alone, and nobody but the operator reads what all said: over TLS on a real port."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from tests.operator.control.test_app import AUTHORITY, Running, served
from tests.operator.controllers.test_namespaces import OURS as RESOURCES
from tests.operator.controllers.test_namespaces import Shelf
from tests.operator.doubles import GOOD, Clock, Cluster, synced, token

from penstock_core.gate_report import MOST_BODY_BYTES
from penstock_operator.control.reporting import Reporting
from penstock_operator.controllers.gate_news import PATIENCE_SECONDS, ControlPlace, GateNews
from penstock_operator.controllers.namespaces import Namespaces
from penstock_operator.controllers.resource_status import digest_of
from penstock_operator.inject.sidecar import Shape
from penstock_operator.metrics import OperatorMetrics

GATES, OURS = "/v1/gates", "/v1/gates/shop"
OPERATOR = token(subject="operator")


class Desk(Running):
    """A `control` whose API server knows a pod's token and the operator's."""

    def __init__(self, shop: Any, shape: Shape) -> None:
        super().__init__(synced(shop), shape)
        self.control.reporting = Reporting(
            self.control.reports,
            self.policies,
            self.control.tokens,
            self.control.gated,
            ("penstock-system", "penstock-operator"),
        )
        self.operator = {"Authorization": f"Bearer {OPERATOR}"}

    def be_operator(self) -> None:
        user = GOOD["user"] | {"username": "system:serviceaccount:penstock-system:penstock-operator"}
        self.reviewer.status = GOOD | {"user": user}

    def be_pod(self) -> None:
        self.reviewer.status = None


@pytest.fixture
async def desk(shop: Any, shape: Shape) -> AsyncIterator[Desk]:
    async with served(desk := Desk(shop, shape)):
        yield desk


async def test_a_pod_reports_and_the_operator_reads_it(desk: Desk) -> None:
    answer = await desk.client.post(OURS, json={"number": 7, "reached": True}, headers=desk.bearer)
    assert answer.status_code == 204
    desk.be_operator()
    told = (await desk.client.get(GATES, headers=desk.operator)).json()
    (gate,) = told["gates"]
    assert (gate["namespace"], gate["database"], gate["pod"]) == ("shop", "shop", "web-1")
    assert gate["report"] == {"number": 7, "reached": True}
    again = await desk.client.get(
        GATES, headers=desk.operator, params={"instance": told["instance"], "after": told["revision"]}
    )
    assert again.json()["gates"] == []


async def test_a_stream_is_a_gate_that_follows(desk: Desk) -> None:
    async with desk.client.stream("GET", "/v1/policies/shop/shop", headers=desk.bearer) as stream:
        lines = stream.aiter_lines()
        await anext(lines)
        assert [one["following"] for one in desk.control.reports.told("", 0)["gates"]] == [True]


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        (b"{", 400, "a report that can't be read"),
        (b"[]", 400, "a report that can't be read"),
        (b'{"number": -1}', 400, "number"),
        (b'{"number": 1, "trouble": 7}', 400, "trouble"),
        (b'{"number": 1, "reason": "two words"}', 400, "reason"),
        (b'{"number": 1, "trouble": "%s"}' % (b"x" * 401), 400, "trouble"),
        (b'{"number": 1, "sensitive": {"count": 9, "first": [%s"x"]}}' % (b'"x",' * 8), 400, "sensitive"),
        (b" " * (MOST_BODY_BYTES + 1), 413, "at most"),
    ],
)
async def test_what_is_no_report_is_refused_in_one_line(desk: Desk, body: bytes, status: int, words: str) -> None:
    answer = await desk.client.post(OURS, content=body, headers=desk.bearer)
    assert answer.status_code == status
    assert words in answer.json()["error"]
    assert "\n" not in answer.json()["error"]
    assert desk.control.reports.told("", 0)["gates"] == []


async def test_a_report_of_another_version_is_read_as_far_as_it_is_known(desk: Desk) -> None:
    answer = await desk.client.post(OURS, json={"number": 1, "later": {"x": 1}}, headers=desk.bearer)
    assert answer.status_code == 204


async def test_nobody_reports_without_a_pods_token_nor_of_a_database_that_is_not_there(desk: Desk) -> None:
    assert (await desk.client.post(OURS, json={"number": 1})).status_code == 401
    other = {"Authorization": f"Bearer {token(subject='nobody')}"}
    assert (await desk.client.post(OURS, json={"number": 1}, headers=other)).status_code == 401
    desk.reviewer.databases = ["shop", "absent"]
    answer = await desk.client.post("/v1/gates/absent", json={"number": 1}, headers=desk.bearer)
    assert answer.status_code == 404
    answer = await desk.client.post("/v1/gates/billing", json={"number": 1}, headers=desk.bearer)
    assert (answer.status_code, "is for absent, shop, not for billing" in answer.json()["error"]) == (403, True)
    assert desk.control.reports.told("", 0)["gates"] == []


async def test_a_pod_does_not_read_what_others_said(desk: Desk) -> None:
    answer = await desk.client.get(GATES, headers=desk.bearer)
    assert (answer.status_code, answer.json()["error"]) == (403, "what all gates said is for the operator alone")


def news_of(desk: Desk, cluster: Cluster, directory: Path, touched: list[str], clock: Clock) -> GateNews:
    """The operator's, which finds that control by the API server."""
    (directory / "token").write_text(OPERATOR)
    cluster.objects["/apis/discovery.k8s.io/v1/namespaces/svc/endpointslices"] = {
        "items": [{"endpoints": [{"addresses": ["127.0.0.1"]}]}]
    }
    place = ControlPlace("svc", "localhost", desk.port, directory / "token")
    news = GateNews(cluster.api(), place, lambda: AUTHORITY.certificate_pem, touched.append, clock)
    news.host = "localhost"
    return news


async def test_the_operators_news_are_what_the_gates_said(desk: Desk, tmp_path: Path) -> None:
    """By the addresses that the API server has, over TLS by the Service's name."""
    touched: list[str] = []
    clock = Clock()
    news = news_of(desk, Cluster(), tmp_path, touched, clock)
    async with desk.client.stream("GET", "/v1/policies/shop/shop", headers=desk.bearer) as stream:
        lines = stream.aiter_lines()
        await anext(lines)
        await desk.client.post(OURS, json={"number": 7, "reached": True}, headers=desk.bearer)
        desk.be_operator()
        await news.look()
        assert touched == ["shop"]
        (gate,) = news.of("shop", "shop").values()
        assert (gate.pod, gate.reachable, gate.report and gate.report.number) == ("web-1", True, 7)
    for _ in range(1500):
        await news.look()
        if touched[1:]:
            break
        await asyncio.sleep(0.02)
    clock.now += PATIENCE_SECONDS
    await news.look()
    (gate,) = news.of("shop", "shop").values()
    assert not gate.reachable
    assert touched[2:] == ["shop"], "time alone is news, once"
    news.keep("shop", [])
    assert news.of("shop", "shop") == {}
    await news.close()


async def test_a_pod_without_a_session_for_long_is_in_the_status_an_event_and_a_metric(
    desk: Desk, shop: Any, tmp_path: Path
) -> None:
    shelf = Shelf(shop)
    shelf.cluster.objects["/api/v1/namespaces/shop/pods/web-1"]["metadata"]["uid"] = "u-1"
    news = news_of(desk, shelf.cluster, tmp_path, [], Clock())
    namespaces = Namespaces(shelf.cluster.api(), "1", lambda: b"PEM", "operator-0", news, quiet_minutes=60)
    metrics = OperatorMetrics(lambda: sum(namespaces.quiet.values()))
    report = {"digest": digest_of(shop.database, [shop.policy]), "reached": True, "hadSession": True}

    async def told(number: int, **more: Any) -> tuple[str, int, float | None, list[str]]:
        desk.be_pod()
        await desk.client.post(OURS, json={"number": number, **report, **more}, headers=desk.bearer)
        desk.be_operator()
        await news.look()
        await namespaces.reconcile("shop")
        pods = shelf.cluster.objects[f"{RESOURCES}/databases/shop"]["status"]["pods"]
        events = [one["reason"] for one in shelf.cluster.created if one["regarding"]["kind"] == "Database"]
        reason = shelf.status("databases/shop")["reason"]
        return reason, pods["quiet"]["count"], metrics.registry.get_sample_value("penstock_operator_quiet_pods"), events

    assert await told(1) == ("Accepted", 0, 0, ["Accepted"]), "an older gate"
    assert await told(2, idleSeconds=3601) == ("NoSession", 1, 1, ["Accepted", "NoSession"])
    event = shelf.cluster.created[-1]
    assert (event["type"], event["note"].rpartition(": ")[2]) == ("Normal", "web-1")
    assert await told(3, idleSeconds=4201) == ("NoSession", 1, 1, ["Accepted", "NoSession"]), "it is said once"
    assert (await told(4, idleSeconds=0))[:3] == ("Accepted", 0, 0)
    await news.close()
