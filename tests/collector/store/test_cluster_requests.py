"""Requests of a cluster on the inbox page: what the trail tells of them, and where they are seen and decided."""

from __future__ import annotations

import re
from typing import Any

import pytest
from tests.collector.conftest import ASKING, BEA, READER

from penstock_collector.store import retention

OPEN = {"kind": "open", "database": "shop", "version": "0.1.0"}
IDENTITY = {
    "name": "agent:bot for person:ada",
    "workload": {"namespace": "shop", "serviceAccount": "web", "pod": "web-1", "podUid": "u-1"},
}
WAITS: dict[str, Any] = {
    "kind": "request", "session": "s1", "identity": IDENTITY, "database": "orders", "request": "r-7k3f-9m2q",
    "policy": "support", "rule": "approvals[deletes]", "approvers": ["dba", "owners"], "verbs": ["delete"],
    "relations": ["public.orders"], "estimatedRows": 1200, "expiresAt": "2099-01-01T00:00:00.000000Z",
}  # fmt: skip


def ended(standing: str, **more: Any) -> dict[str, Any]:
    told = {"policy": "support", "rule": "approvals[deletes]", "standing": standing, "request": "r-7k3f-9m2q"}
    return {
        "kind": "intent", "session": "s1", "statement": 1, "identity": IDENTITY, "decision": "deny",
        "approvals": [told], **more,
    }  # fmt: skip


async def page(client: Any, token: str = READER) -> str:
    response = await client.get("/requests", token=token)
    assert response.status_code == 200
    text: str = response.text
    return text


def lines(text: str) -> list[str]:
    return re.findall(r"kubectl penstock [^<]*", text)


async def test_what_waits_is_shown_with_the_line_to_look_at_it(client: Any, sender: Any) -> None:
    await client.send(sender.seal(OPEN, WAITS, ended("waiting")))
    text = await page(client)
    assert lines(text) == ["kubectl penstock show -n shop r-7k3f-9m2q"]
    for expected in (
        "agent:bot for person:ada", "DELETE", "public.orders", "about 1\u202f200",
        "approvals[deletes], for dba, owners",
    ):  # fmt: skip
        assert expected in text
    # Nothing of it can be decided with a viewer token, by whomever.
    for token in (READER, BEA):
        assert 'href="/requests/r-7k3f-9m2q' not in await page(client, token)
        assert (await client.decide("r-7k3f-9m2q", token=token)).status_code == 404
        # Where the trail's pages link to.
        there = await client.get("/requests/r-7k3f-9m2q", token=token)
        assert (there.status_code, there.headers["location"]) == (303, "/requests/on-cluster/shop/r-7k3f-9m2q")
        there = await client.get(there.headers["location"], token=token)
        assert lines(there.text) == ["kubectl penstock show -n shop r-7k3f-9m2q"]


async def test_it_is_there_once_however_often_its_statement_was_sent(client: Any, sender: Any) -> None:
    again = {**WAITS, "session": "s2", "request": "r-other"}
    await client.send(sender.seal(OPEN, WAITS, again, WAITS, {**WAITS, "expiresAt": "2098-01-01T00:00:00.000000Z"}))
    assert lines(await page(client)) == [f"kubectl penstock show -n shop {name}" for name in ("r-7k3f-9m2q", "r-other")]


@pytest.mark.parametrize("kind", ["intent", "statement"])
@pytest.mark.parametrize("standing", ["granted", "denied"])
async def test_what_is_over_waits_no_more(client: Any, sender: Any, standing: str, kind: str) -> None:
    elsewhere = {**IDENTITY, "workload": {**IDENTITY["workload"], "namespace": "other"}}  # type: ignore[dict-item]
    await client.send(sender.seal(OPEN, WAITS, ended(standing, identity=elsewhere), ended("cancelled")))
    assert len(lines(await page(client))) == 1
    await client.send(sender.seal(ended(standing, kind=kind)))
    assert lines(await page(client)) == []
    assert "On the cluster" not in await page(client)


async def test_what_has_expired_waits_no_more(client: Any, sender: Any) -> None:
    await client.send(sender.seal(OPEN, {**WAITS, "expiresAt": "2026-01-01T00:00:00.000000Z"}))
    assert lines(await page(client)) == []


async def test_what_the_collector_holds_itself_is_not_shown_twice(client: Any, sender: Any) -> None:
    name = await client.asked(ASKING)
    await client.send(sender.seal(OPEN, {**WAITS, "request": name}))
    assert lines(await page(client)) == []


@pytest.mark.parametrize(
    "odd",
    [
        {"request": "r-1; rm -rf ~"},
        {"request": "$(id)"},
        {"request": "-n"},
        {"request": "r-1\nid"},
        {"request": 5},
        {"expiresAt": "zzzz"},
        {"expiresAt": ""},
        {"identity": {"name": "x"}},
        {"identity": "x"},
        {"identity": {"workload": {"namespace": "shop`id`"}}},
        {"identity": {"workload": {"namespace": ["shop"]}}},
    ],
)
async def test_nothing_gets_into_the_line_but_names_that_kubernetes_takes(
    client: Any, sender: Any, odd: dict[str, Any]
) -> None:
    await client.send(sender.seal(OPEN, {**WAITS, **odd}))
    assert [line for line in lines(await page(client)) if line != "kubectl penstock show -n shop 5"] == []


async def test_whatever_else_it_says_is_only_text(client: Any, sender: Any) -> None:
    evil = '<script>alert("x")</script>'
    odd = dict.fromkeys(("policy", "rule", "database"), evil) | {"approvers": [evil], "verbs": [evil]}
    odd |= {"identity": {**IDENTITY, "name": evil}, "relations": [evil]}
    await client.send(sender.seal(OPEN, {**WAITS, **odd}))
    text = await page(client)
    assert len(lines(text)) == 1
    assert "<script>alert" not in text


async def test_it_goes_with_its_events(client: Any, sender: Any) -> None:
    await client.send(sender.seal(OPEN, WAITS))
    await client.running.collector.writer.run(lambda connection: retention.drop(connection, 1e12, 0, 1e9, "a test"))
    assert lines(await page(client)) == []
