"""Gates that ask for approval over HTTP: whose requests, how large, how many, and how long they wait."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path
from typing import Any

import pytest
from tests.collector.conftest import ASKING, OTHER_WRITER, READER, WRITER, asking_about

from penstock_collector.approvals import holder, polls
from penstock_core.token_review import Pod


def move(path: Path, target: Path) -> None:
    path.rename(target)


async def test_a_gate_asks_waits_and_uses_what_was_approved(client: Any) -> None:
    made = (await client.ask()).json()
    assert made["standing"] == "waiting"
    name = made["request"]
    waiting = asyncio.create_task(client.look(name, wait=20))
    await asyncio.sleep(0.2)
    assert not waiting.done()
    begun = time.monotonic()
    assert (await client.decide(name, comment="once")).status_code == 200
    told = (await waiting).json()
    assert time.monotonic() - begun < 5
    assert (told["standing"], told["decidedBy"], told["comment"]) == ("granted", "bea", "once")
    assert (await client.look(name)).json()["standing"] == "granted", "looking uses nothing"
    assert (await client.ask()).json()["standing"] == "granted"
    ended = (await client.look(name)).json()
    assert ended["standing"] == "refused"
    assert "the approval was used at" in ended["comment"]
    again = (await client.ask()).json()
    assert (again["standing"], again["request"] == name) == ("waiting", False)


async def test_an_approval_is_used_once_whoever_asks_at_once(client: Any) -> None:
    name = await client.asked()
    await client.decide(name)
    answers = await asyncio.gather(*(client.ask() for _ in range(20)))
    standings = [answer.json()["standing"] for answer in answers]
    assert standings.count("granted") == 1
    assert standings.count("waiting") == 19
    assert len({answer.json()["request"] for answer in answers}) == 2


async def test_a_denial_is_told_with_its_words(client: Any) -> None:
    name = await client.asked()
    await client.decide(name, "denied", "ask again after the release")
    for answer in (await client.ask(), await client.look(name, wait=20)):
        assert answer.json()["standing"] == "denied"
        assert answer.json()["comment"] == "ask again after the release"


async def test_a_look_ends_when_its_time_is_over(client: Any) -> None:
    name = await client.asked()
    begun = time.monotonic()
    assert (await client.look(name, wait=0.3)).json()["standing"] == "waiting"
    assert 0.25 < time.monotonic() - begun < 5
    for wait in ("x", "-1", "nan", "1e9", "99999"):
        answer = await client.get(f"/v1/streams/gw1/requests/{name}?wait={wait}", WRITER)
        assert answer.status_code == 400


async def test_a_stop_lets_go_of_those_who_wait(client: Any) -> None:
    waiting = asyncio.create_task(client.look(await client.asked(), wait=30))
    await asyncio.sleep(0.2)
    begun = time.monotonic()
    await client.ended()
    assert (await waiting).json()["standing"] == "waiting"
    assert time.monotonic() - begun < 4


@pytest.mark.parametrize(
    ("owner", "token", "status"),
    [
        ("gw1", None, 401),
        ("gw1", "nonsense", 401),
        ("gw1", READER, 401),
        ("gw1", OTHER_WRITER, 403),
        ("gw1%2F..", WRITER, 404),
        ("-gw1", WRITER, 400),
    ],
)
async def test_only_the_owner_asks_and_looks(owner: str, token: str | None, status: int, client: Any) -> None:
    name = await client.asked()
    assert (await client.ask(owner=owner, token=token)).status_code == status
    assert (await client.get(f"/v1/streams/{owner}/requests/{name}", token)).status_code == status


async def test_another_gates_request_is_not_to_be_seen(client: Any) -> None:
    name = await client.asked()
    await client.decide(name)
    unknown = await client.look("r-2222-2222", owner="gw2", token=OTHER_WRITER)
    foreign = await client.look(name, owner="gw2", token=OTHER_WRITER)
    assert (foreign.status_code, foreign.text) == (404, unknown.text)
    other = (await client.ask(owner="gw2", token=OTHER_WRITER)).json()
    assert (other["standing"], other["request"] == name) == ("waiting", False)
    assert (await client.ask()).json()["standing"] == "granted"


@pytest.mark.parametrize(
    ("body", "complaint"),
    [
        (b"", "the body: Invalid JSON"),
        (b"[]", "the body: "),
        (b"[" * 100_000, "the body: Invalid JSON"),
        (b"\xff\xfe", "the body: Invalid JSON"),
        ({**ASKING, "more": 1}, "more: Extra inputs"),
        ({**ASKING, "nonce": "x"}, "nonce: "),
        ({**ASKING, "expiresAfter": "soon"}, "expiresAfter: "),
        ({**ASKING, "heldBy": {**ASKING["heldBy"], "approvers": []}}, "heldBy.approvers: "),
        ({**ASKING, "heldBy": {**ASKING["heldBy"], "policyGeneration": 2**60}}, "a number is too large"),
        (asking_about(""), "statement.sql: "),
        (asking_about("secret" * 20_000), "statement.sql: String should have at most 65536 characters"),
        (json.dumps(asking_about("secret?")).replace("?", "\\ud800").encode(), "the body: Invalid JSON"),
        ({**ASKING, "effect": {"estimatedRows": -1}}, "effect.estimatedRows: "),
    ],
)
async def test_a_body_that_makes_no_sense(body: Any, complaint: str, client: Any) -> None:
    answer = await client.ask(body)
    assert answer.status_code == 400
    assert complaint in answer.json()["error"]
    assert "secret" not in answer.text


async def test_a_body_that_is_too_large_is_not_read(client: Any) -> None:
    answer = await client.ask(b"x" * 10_000_000)
    assert answer.status_code == 413
    assert (await client.ask(asking_about("x" * 65_536))).json()["standing"] == "waiting"
    assert (await client.ask(asking_about("\U0001f600" * 65_536))).json()["standing"] == "waiting"


async def test_no_more_wait_than_there_is_room_for(client: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(polls, "MOST_OF_A_BOOK", 3)
    name = await client.asked()
    waiting = [asyncio.create_task(client.look(name, wait=20)) for _ in range(3)]
    await asyncio.sleep(0.3)
    answer = await client.look(name, wait=20)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "2")
    assert (await client.look(name)).status_code == 200
    await client.decide(name)
    assert {(await one).json()["standing"] for one in waiting} == {"granted"}
    assert (await client.look(name, wait=20)).json()["standing"] == "granted"


async def test_a_store_that_cannot_be_written_grants_nothing(client: Any, settings: Any) -> None:
    name = await client.asked()
    await client.decide(name)
    aside = settings.database.with_suffix(".moved")
    move(settings.database, aside)
    answer = await client.ask()
    assert answer.status_code == 503
    assert "was removed or replaced" in answer.json()["error"]
    move(aside, settings.database)
    assert (await client.ask()).json()["standing"] == "granted"


async def test_what_a_pod_asks_is_about_itself(client: Any) -> None:
    """A pod's token proves its service account; what it says of itself must agree, and replicas share a book."""
    from penstock_core.approvals.asking import Asking

    mine = Asking.model_validate(ASKING)
    web = holder.Book.of("u-1", Pod("shop", "web", "web-1", "u-1"))
    twin = holder.Book.of("u-2", Pod("shop", "web", "web-2", "u-2"))
    held: holder.Holder = client.running.collector.holder
    first = await held.ask(web, mine)
    assert (await held.ask(twin, mine)).request == first.request
    assert (await held.look(twin, first.request, 0)) is not None
    for other in (Pod("shop", "job", "job-1", "u-3"), Pod("other", "web", "web-1", "u-4")):
        with pytest.raises(holder.NotItsOwnError, match="is of another workload"):
            await held.ask(holder.Book.of(other.uid, other), mine)
        assert await held.look(holder.Book.of(other.uid, other), first.request, 0) is None
    nobody = Asking.model_validate({**ASKING, "requester": {"principal": ASKING["requester"]["principal"]}})
    with pytest.raises(holder.NotItsOwnError):
        await held.ask(web, nobody)
