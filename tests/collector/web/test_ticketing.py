"""Gates that keep and use tickets over HTTP: whose, how large, and that of many at once one is granted."""

from __future__ import annotations

import asyncio
import json
import re
from typing import Any

import pytest
from tests.collector.conftest import OTHER_WRITER, READER, WRITER
from tests.collector.store.test_tickets import NAME, OTHER, proof, ticket

from penstock_collector.store import tickets
from penstock_core.tickets.ticket import MOST_BODY_BYTES, Judged, Kept, Salt
from penstock_core.token_review import Pod


async def send(
    client: Any, method: str, body: bytes = b"", name: str = NAME, owner: str = "gw1", token: str | None = WRITER,
    then: str = "",
) -> Any:  # fmt: skip
    headers = {} if token is None else {"authorization": f"Bearer {token}"}
    return await client.http.request(method, f"/v1/streams/{owner}/tickets/{name}{then}", content=body, headers=headers)


async def use(client: Any, body: bytes | None = None, **more: Any) -> Any:
    return await send(client, "POST", proof().written() if body is None else body, then="/use", **more)


async def keep(client: Any, **more: Any) -> Any:
    return await send(client, "PUT", ticket().written(), **more)


async def test_a_ticket_is_kept_and_used_once(client: Any) -> None:
    kept = await keep(client)
    assert (kept.status_code, kept.headers["cache-control"]) == (200, "no-store")
    assert Kept.read(kept.content).until_ms > 0
    assert (await keep(client)).status_code == 409
    judged = Judged.read((await use(client)).content)
    assert (judged.standing, judged.made) == ("granted", ticket())
    assert (await use(client)).json() == {"standing": "used"}


async def test_of_many_at_once_one_is_granted(client: Any) -> None:
    await keep(client)
    said = [answer.json()["standing"] for answer in await asyncio.gather(*(use(client) for _ in range(20)))]
    assert sorted(said) == ["granted", *["used"] * 19]


async def test_every_name_has_a_salt_of_its_own_that_stays_and_tells_nothing(client: Any) -> None:
    before = [Salt.read((await send(client, "GET", name=name)).content) for name in (NAME, OTHER)]
    await keep(client)
    await use(client)
    after = [Salt.read((await send(client, "GET", name=name)).content) for name in (NAME, OTHER)]
    assert before == after
    assert len({one.salt for one in before}) == 2
    elsewhere = Salt.read((await send(client, "GET", owner="gw2", token=OTHER_WRITER)).content)
    assert elsewhere.salt not in {one.salt for one in before}
    assert {one.iterations for one in (*before, elsewhere)} == {4096}


@pytest.mark.parametrize(
    ("token", "owner", "status"),
    [
        (None, "gw1", 401),
        ("nobody", "gw1", 401),
        (READER, "gw1", 401),
        (OTHER_WRITER, "gw1", 403),
        (WRITER, "g/1", 404),
    ],
)
async def test_only_a_gate_has_tickets_and_only_its_own(client: Any, token: str, owner: str, status: int) -> None:
    for answer in (
        await send(client, "GET", owner=owner, token=token),
        await keep(client, owner=owner, token=token),
        await use(client, owner=owner, token=token),
    ):
        assert answer.status_code == status
    await keep(client)
    assert (await use(client, owner="gw2", token=OTHER_WRITER)).json()["standing"] == "wrong"
    assert (await use(client)).json()["standing"] == "granted"


@pytest.mark.parametrize("name", ["ticket-office", "r-1234", NAME.upper(), NAME + "a", "%00", "ticket-" + "a" * 5000])
async def test_other_names_are_no_tickets(client: Any, name: str) -> None:
    for answer in (await send(client, "GET", name=name), await keep(client, name=name), await use(client, name=name)):
        assert answer.status_code == 400
        assert name not in answer.text


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"{}", 400),
        (b"\xff", 400),
        (b"[" * 100_000, 400),
        (json.dumps({"databases": ["shop"], "exchange": "AAAA", "proof": "A"}).encode(), 400),
        (json.dumps({"databases": ["shop"], "exchange": "AAAA", "proof": "AAAA", "more": 1}).encode(), 400),
        (b" " * (MOST_BODY_BYTES + 1), 413),
    ],
)
async def test_bodies_of_every_wrong_shape(client: Any, body: bytes, status: int) -> None:
    await keep(client)
    assert (await use(client, body)).status_code == status
    assert (await send(client, "PUT", body, name=OTHER)).status_code == status
    assert (await use(client)).json()["standing"] == "granted", "it is as it was"


async def test_too_many_are_not_kept(client: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr(tickets, "MOST_OF_A_BEARER", 1)
    assert (await keep(client)).status_code == 200
    refused = await keep(client, name=OTHER)
    assert (refused.status_code, "too many tickets for this person" in refused.text) == (429, True)
    text = (await client.get("/metrics")).text
    assert re.search(r'penstock_collector_tickets_total\{result="refused"\} 1.0', text)


async def test_pods_of_one_service_account_have_one_book(client: Any, monkeypatch: Any) -> None:
    pods = {"pod-1": Pod("shop", "web", "web-1", "u-1"), "pod-2": Pod("shop", "web", "web-2", "u-2"),
            "pod-3": Pod("shop", "api", "api-1", "u-3")}  # fmt: skip

    async def check(token: str, owner: str) -> Pod | None:
        return pods[token]

    monkeypatch.setattr(client.running.collector.authority, "check", check)
    assert (await keep(client, owner="u-1", token="pod-1")).status_code == 200
    assert (await use(client, owner="u-3", token="pod-3")).json()["standing"] == "wrong"
    assert (await use(client, owner="u-2", token="pod-2")).json()["standing"] == "granted"


async def test_no_log_and_no_page_has_what_proves_a_secret(client: Any, capsys: Any) -> None:
    await keep(client)
    await use(client)
    said = capsys.readouterr()
    made = ticket()
    for secret in (made.stored_key, made.server_key, "secret"):
        assert secret not in said.out + said.err
    assert NAME in said.out
