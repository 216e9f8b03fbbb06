"""Statements that were over before their intent was written: one event in place of both."""

from __future__ import annotations

import random
from typing import Any

import pytest
from tests.sidecar.shipping.spools import Opener, append_each, clock, intent, kinds, outcome
from tests.sidecar.spooled import pending

from penstock_core.audit.chain import canonical
from penstock_core.audit.event import Event
from penstock_core.audit.form import Form
from penstock_core.audit.size import MAX_BODY
from penstock_core.audit.verify import verify
from penstock_sidecar.shipping.joining import joined
from penstock_sidecar.shipping.sealing import Entry
from penstock_sidecar.shipping.spool import EventRefused, SpoolFull
from penstock_sidecar.shipping.whole_statement import whole

END = {"kind": "transaction", "session": "s1", "transaction": 1, "result": "commit"}


def told(*entries: list[Event]) -> list[list[tuple[str, Any]]]:
    """What becomes of entries: of each event its kind and statement."""
    found = joined([Entry(bodies, clock()) for bodies in entries])
    return [[(body["kind"], body.get("statement")) for body in entry.bodies] for entry in found]


def test_an_intent_and_its_outcome_are_one_event() -> None:
    (entry,) = joined([Entry([intent(1, "SELECT 2"), outcome(1)], clock())])
    assert entry.bodies == [{**intent(1, "SELECT 2"), **outcome(1), "kind": "statement"}]


def test_it_stands_where_the_intent_stood() -> None:
    login = {"kind": "login", "session": "s1"}
    end = {"kind": "session", "session": "s1"}
    assert told([login, intent(1)], [intent(2)], [outcome(1), end]) == [
        [("login", None), ("statement", 1)], [("intent", 2)], [("session", None)],
    ]  # fmt: skip


def test_who_waits_for_an_intent_waits_for_the_event_in_its_place() -> None:
    found = joined([Entry([intent(1)], clock(), awaited=True), Entry([outcome(1)], clock(), awaited=False)])
    assert [(len(entry.bodies), entry.awaited) for entry in found] == [(1, True), (0, False)]


def test_where_nothing_belongs_together_nothing_is_made_anew() -> None:
    entries = [Entry([intent(1), outcome(2)], clock()), Entry([outcome(3)], clock())]
    assert joined(entries) is entries


def test_an_outcome_joins_no_statement_but_its_own() -> None:
    other = {**outcome(1), "session": "s2"}
    assert told([intent(1), other, outcome(2), outcome(1), outcome(1)]) == [
        [("statement", 1), ("outcome", 1), ("outcome", 2), ("outcome", 1)]
    ]


def test_what_says_different_things_of_one_field_stays_two_events() -> None:
    refused, beyond = {**intent(1), "rule": "guardrails.a"}, {**outcome(1), "rule": "guardrails.b"}
    assert told([refused, beyond]) == [[("intent", 1), ("outcome", 1)]]


def test_the_end_of_a_transaction_keeps_its_place_between_its_statements_and_the_next() -> None:
    pipeline = [intent(1), intent(2), intent(3), outcome(1), outcome(2), END, outcome(3), intent(4)]
    assert told([*pipeline, outcome(4)]) == [
        [("statement", 1), ("statement", 2), ("intent", 3), ("transaction", None), ("outcome", 3),
         ("statement", 4)]
    ]  # fmt: skip
    assert told([intent(1), {**END, "session": "s2"}, outcome(1)]) == [[("statement", 1), ("transaction", None)]]


def bodies(number: int, **more: Any) -> tuple[Event, Event]:
    """As sessions make them: with forms."""
    shared = {**intent(number), **more}
    del shared["statement"], shared["sqlHmac"]
    begun = Form(shared, ["statement"], ["sqlHmac"])
    came = Form({"kind": "outcome", "session": "s1", "result": "ok"}, ["statement", "rows"])
    return begun.body(statement=number, sqlHmac="0f" * 32), came.body(statement=number, rows=2)


async def test_forms_make_the_same_of_it(open_spool: Opener) -> None:
    spool = open_spool()
    await spool.append([{"kind": "open"}, *bodies(7, masked=["t.a"])])
    _, event = pending(spool)
    told = {"session": "s1", "statement": 7, "sql": "SELECT 1", "masked": ["t.a"], "sqlHmac": "0f" * 32}
    assert event.items() >= {"kind": "statement", **told, "result": "ok", "rows": 2}.items()
    assert verify(pending(spool)).intact


@pytest.mark.parametrize("length", [10, 16 * 1024, 16 * 1024 + 1, 100_000])
@pytest.mark.parametrize("plain", [False, True], ids=["form", "as of an emergency"])
async def test_it_is_the_same_however_long_and_by_whatever_it_was_made(
    open_spool: Opener, length: int, plain: bool
) -> None:
    spool = open_spool(max_bytes=2_000_000)
    begun, came = bodies(1, rewritten="x" * length)
    one = whole(begun, came)
    assert one is not None
    assert (one.form is not None) == (length + len("SELECT 1") <= 16 * 1024), "of a long one nothing is kept"
    await spool.append([{"kind": "open"}, dict(begun) if plain else begun, came])
    _, event = pending(spool)
    assert event.items() >= {**begun, **came, "kind": "statement"}.items()
    assert verify(pending(spool)).intact


async def test_the_room_of_an_intent_is_free_again_with_its_event(open_spool: Opener) -> None:
    spool = open_spool(max_bytes=80_000)
    await spool.append([{"kind": "open"}])

    async def until_full() -> None:
        for number in range(1000):
            await spool.append([intent(number), outcome(number)])

    with pytest.raises(SpoolFull, match="no room for intent/outcome"):
        await until_full()
    # Room is kept for outcomes of intents, of which there are none.
    assert kinds(pending(spool, limit=2000)).count("statement") > 80
    assert verify(pending(spool, limit=2000)).streams[0].unfinished == {}


@pytest.mark.parametrize("over", [-1, 0, 1, 60])
async def test_what_is_too_large_for_one_event_is_told_in_two_of_which_nothing_is_cut(
    open_spool: Opener, over: int
) -> None:
    spool = open_spool(max_bytes=2_000_000)
    await spool.append([{"kind": "open"}, intent(0, ""), outcome(0)])
    length = MAX_BODY - len(canonical(pending(spool, 1, 1)[0]))
    await spool.append([intent(1, "x" * (length + over)), outcome(1)])
    events = pending(spool, after_seq=2)
    assert kinds(events) == (["statement"] if over <= 0 else ["intent", "outcome"])
    assert events[0]["sql"] == "x" * (length + over)
    assert not any("truncated" in event for event in events)
    assert verify(pending(spool)).intact


async def test_of_two_events_each_is_cut_where_it_is_too_large_itself(open_spool: Opener) -> None:
    spool = open_spool(max_bytes=2_000_000)
    await spool.append([{"kind": "open"}, intent(1, "x" * 1_000_000), outcome(1)])
    _, begun, ended = pending(spool)
    assert (begun["kind"], begun["truncated"], ended["kind"], ended["result"]) == ("intent", ["sql"], "outcome", "ok")


async def test_an_outcome_that_can_not_be_written_takes_no_intent_along(open_spool: Opener) -> None:
    spool = open_spool()
    await spool.append([{"kind": "open"}])
    results = append_each(spool, [([intent(1), intent(2)], True), ([{**outcome(1), "rows": 0.5}], False)])
    await results[0]
    with pytest.raises(EventRefused, match="float"):
        await results[1]
    assert spool.refusal is None
    assert [(event["kind"], event.get("statement")) for event in pending(spool)[1:]] == [
        ("intent", 1), ("intent", 2)
    ]  # fmt: skip


async def test_what_is_refused_is_not_on_record_as_a_part_of_something_else(open_spool: Opener) -> None:
    spool = open_spool(max_bytes=60_000)
    await spool.append([{"kind": "open"}, intent("0")])
    large = intent("2", "x" * 50_000)
    first, second, third = append_each(spool, [([intent("1")], True), ([outcome("1"), large], True), ([END], True)])
    await first
    with pytest.raises(SpoolFull, match="no room for intent/outcome"):
        await second
    await third
    assert kinds(pending(spool)) == ["open", "intent", "intent", "transaction"]
    # Whoever brought it brings it again.
    await spool.append([outcome("1"), outcome("0")])
    assert verify(pending(spool)).streams[0].unfinished == {}


async def test_an_intent_that_is_refused_has_no_outcome_in_what_comes_with_it(open_spool: Opener) -> None:
    spool = open_spool(max_bytes=60_000)
    await spool.append([{"kind": "open"}, intent("0")])
    refused, taken = append_each(spool, [([intent("1", "x" * 60_000)], True), ([outcome("1"), outcome("0")], True)])
    with pytest.raises(SpoolFull):
        await refused
    await taken
    # Nor later.
    await spool.append([outcome("1")])
    assert [(event["kind"], event.get("statement")) for event in pending(spool)[1:]] == [
        ("intent", "0"), ("outcome", "0")
    ]  # fmt: skip


async def test_statements_of_many_sessions_in_any_order_are_told_once_and_whole(open_spool: Opener) -> None:
    """Whatever is written together: each statement that ended has both its parts, once, and no order is broken."""
    chance = random.Random(7)
    spool = open_spool(max_bytes=10_000_000)
    await spool.append([{"kind": "open"}])
    running: list[tuple[str, int]] = []
    sent: list[tuple[str, int]] = []
    for _ in range(300):
        groups: list[tuple[list[Event], bool]] = []
        for _ in range(chance.randrange(1, 5)):
            some: list[Event] = []
            for _ in range(chance.randrange(6)):
                if running and chance.random() < 0.5:
                    session, number = running.pop(chance.randrange(len(running)))
                    some.append({**outcome(0), "session": session, "statement": number})
                elif chance.random() < 0.1:
                    some.append({**END, "session": f"s{chance.randrange(4)}"})
                else:
                    one = (f"s{chance.randrange(4)}", len(sent))
                    sent.append(one)
                    running.append(one)
                    some.append({**intent(0), "session": one[0], "statement": one[1]})
            groups.append((some, chance.random() < 0.5))
        await append_each(spool, groups)[-1]
    events = pending(spool, limit=1_000_000)
    begun = [(event["session"], event["statement"]) for event in events if event["kind"] in ("intent", "statement")]
    ended = [(event["session"], event["statement"]) for event in events if event["kind"] in ("outcome", "statement")]
    assert begun == sent, "in the order in which they began"
    assert sorted(ended) == sorted(set(sent) - set(running))
    assert kinds(events).count("statement") > 50
    report = verify(events)
    assert report.intact
    assert len(report.streams[0].unfinished) == len(running)
