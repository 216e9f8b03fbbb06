"""A list, then a watch from there, again and again: what a follower is told through all of it."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import httpx2
import pytest

from penstock_operator.cluster import watch
from penstock_operator.cluster.access import Access
from penstock_operator.cluster.api import Api
from penstock_operator.cluster.watch import Json, Key, ObjectChange, follow


def thing(name: str, revision: int) -> Json:
    return {"metadata": {"namespace": "shop", "name": name, "resourceVersion": str(revision)}}


def event(kind: str, subject: Json) -> Json:
    return {"type": kind, "object": subject}


class Script:
    """An API server that gives these answers in this order, and then is silent for ever."""

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)
        self.asked: list[dict[str, str]] = []
        self.done = asyncio.Event()

    async def __call__(self, request: httpx2.Request) -> httpx2.Response:
        self.asked.append(dict(request.url.params))
        if not self.answers:
            self.done.set()
            await asyncio.Event().wait()
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        if isinstance(answer, httpx2.Response):
            return answer
        if isinstance(answer, dict):
            return httpx2.Response(200, json=answer)
        return httpx2.Response(200, content="".join(json.dumps(one) + "\n" for one in answer).encode())


class Notes:
    """A follower that writes down what it is told."""

    def __init__(self) -> None:
        self.told: list[Any] = []

    def replace(self, objects: dict[Key, Json], revision: int) -> None:
        self.told.append((sorted(name for _, name in objects), revision))

    def change(self, change: ObjectChange) -> None:
        self.told.append((change.key[1], change.object is not None, change.revision))


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "_SHORTEST_PAUSE", 0.001)


async def followed(script: Script, fields: str = "", labels: str = "", notes: Notes | None = None) -> Notes:
    notes = notes or Notes()
    api = Api(Access("https://cluster.test", ""), httpx2.MockTransport(script))
    task = asyncio.create_task(follow(api, "/things", notes, fields=fields, labels=labels))
    await asyncio.wait_for(script.done.wait(), 15)
    task.cancel()
    return notes


def listed(revision: int, *names: str) -> Json:
    return {"metadata": {"resourceVersion": str(revision)}, "items": [thing(name, 1) for name in names]}


async def test_the_watch_goes_on_where_the_list_was() -> None:
    script = Script(
        listed(10, "a"),
        [
            event("ADDED", thing("b", 11)),
            event("MODIFIED", thing("a", 12)),
            event("DELETED", thing("b", 13)),
            event("BOOKMARK", {"metadata": {"resourceVersion": "20"}}),
        ],
    )
    notes = await followed(script, fields="metadata.name=a")
    assert notes.told == [(["a"], 10), ("b", True, 11), ("a", True, 12), ("b", False, 13)]
    assert [asked.get("resourceVersion") for asked in script.asked] == [None, "10", "20"]
    assert all(asked["fieldSelector"] == "metadata.name=a" for asked in script.asked)


async def test_others_are_answered_between_many_that_come_at_once() -> None:
    turns: list[int] = []

    class Looking(Notes):
        def change(self, change: ObjectChange) -> None:
            turns.append(turned)

    turned = 0

    async def other() -> None:
        nonlocal turned
        while True:
            turned += 1
            await asyncio.sleep(0)

    turning = asyncio.create_task(other())
    await followed(
        Script(listed(10), [event("ADDED", thing(f"t{one}", one)) for one in range(11, 211)]), notes=Looking()
    )
    turning.cancel()
    assert len(turns) == 200
    assert turns == sorted(set(turns)), "the loop turns between any two"


async def test_who_set_which_field_is_not_kept() -> None:
    kept: list[Json] = []

    class Keeping(Notes):
        def replace(self, objects: dict[Key, Json], revision: int) -> None:
            kept.extend(objects.values())

        def change(self, change: ObjectChange) -> None:
            kept.append(change.object or {})

    def noted(name: str, revision: int) -> Json:
        made = thing(name, revision)
        made["metadata"]["managedFields"] = [{"manager": "kubectl", "fieldsV1": {"f:spec": {}}}]
        return made

    script = Script(listed(10) | {"items": [noted("a", 9)]}, [event("MODIFIED", noted("a", 11))])
    await followed(script, notes=Keeping())
    assert kept == [thing("a", 9), thing("a", 11)]


async def test_objects_are_chosen_by_their_labels_in_the_list_and_the_watch() -> None:
    script = Script(listed(10, "a"), [event("ADDED", thing("b", 11))])
    await followed(script, labels="penstock.dev/inject")
    assert [asked.get("labelSelector") for asked in script.asked[:2]] == ["penstock.dev/inject"] * 2
    assert not any("fieldSelector" in asked for asked in script.asked)


async def test_a_watch_that_is_cut_is_taken_up_where_it_was() -> None:
    script = Script(listed(10), [event("ADDED", thing("a", 11))], httpx2.ReadError("reset"), [])
    notes = await followed(script)
    assert notes.told == [([], 10), ("a", True, 11)]
    assert [asked.get("resourceVersion") for asked in script.asked] == [None, "10", "11", "11", "11"]


@pytest.mark.parametrize(
    "gone",
    [
        [event("ERROR", {"kind": "Status", "code": 410})],
        [{"type": "ODD"}],
        httpx2.Response(410, json={"message": "too old resource version"}),
    ],
)
async def test_one_that_the_server_lost_begins_with_a_list(gone: Any) -> None:
    notes = await followed(Script(listed(10, "a"), gone, listed(30, "b")))
    assert notes.told == [(["a"], 10), (["b"], 30)]


async def test_while_there_is_no_answer_what_was_known_stays() -> None:
    script = Script(
        listed(10, "a"), httpx2.ConnectError("down"), httpx2.Response(500), [event("ADDED", thing("b", 15))]
    )
    notes = await followed(script)
    assert notes.told == [(["a"], 10), ("b", True, 15)]


async def test_a_first_list_that_fails_is_tried_again() -> None:
    notes = await followed(Script(httpx2.ConnectError("down"), httpx2.Response(403), listed(10, "a")))
    assert notes.told == [(["a"], 10)]


async def test_a_version_that_is_no_number_is_no_version() -> None:
    odd = {"metadata": {"resourceVersion": "x7"}, "items": []}
    assert (await followed(Script(odd, listed(10)))).told == [([], 10)]
