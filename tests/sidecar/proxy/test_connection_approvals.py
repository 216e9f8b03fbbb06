"""Statements that an approval holds: none runs before it is granted, each runs once, whatever way it came."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from tests.sidecar.proxy.approvals import ALLOW, APPROVALS, EITHER, Begin, Place, Sent, begin_at, places, told
from tests.sidecar.proxy.conftest import Start
from tests.sidecar.proxy.raw import Raw, bind, errors, rows, run, states

from penstock_cli.demo.postgres import EmbeddedPostgres
from penstock_sidecar.wire.messages import SYNC, execute, message, parse, query


@pytest.fixture
async def begin(start: Start, shop: EmbeddedPostgres) -> AsyncIterator[Begin]:
    async with places(start, shop) as begin:
        yield begin


# In whatever guise it comes: what is sent before, the statement, and what is sent to see that the session goes on.
GUISES: dict[str, tuple[list[bytes], bytes]] = {
    "a query": ([], query("DELETE FROM held")),
    "the extended protocol": ([], run("DELETE FROM held")),
    "in WITH": ([], query("WITH gone AS (DELETE FROM held RETURNING id) SELECT count(*) FROM gone")),
    "by EXPLAIN ANALYZE": ([], query("EXPLAIN ANALYZE DELETE FROM held")),
    "by MERGE": ([], query("MERGE INTO held AS h USING (VALUES (1)) AS v (i) ON true WHEN MATCHED THEN DELETE")),
    "by TRUNCATE": ([], query("TRUNCATE held")),
    "by DO": ([], query("DO $$ BEGIN DELETE FROM held; END $$")),
    "by a function": ([], query("SELECT purge()")),
    "by EXECUTE": ([query("PREPARE p AS DELETE FROM held")], query("EXECUTE p")),
    "by EXECUTE of a Parse": ([parse("p", "DELETE FROM held") + SYNC], query("EXECUTE p")),
    "by a Bind of PREPARE": ([query("PREPARE p AS DELETE FROM held")], bind("", "p") + execute("") + SYNC),
    "by a statement prepared": ([parse("s", "DELETE FROM held") + SYNC], bind("", "s") + execute("") + SYNC),
    "by COPY": ([], query("COPY (DELETE FROM held RETURNING id) TO STDOUT")),
    "with row limits": ([], parse("", "DELETE FROM held RETURNING id") + bind() + execute("", 9) + SYNC),
    "in a pipeline": ([], parse("", "SELECT 1") + bind() + execute("") + run("DELETE FROM held")),
    "in portions of a cursor": (
        [query("PREPARE other AS SELECT 1")],
        parse("", "DELETE FROM held RETURNING id") + bind("c") + execute("c", 2) + execute("c", 9) + SYNC,
    ),
}  # fmt: skip


@pytest.mark.parametrize("guise", GUISES)
async def test_it_runs_once_it_is_approved_and_once_alone(begin: Begin, guise: str) -> None:
    place: Place = await begin()
    before, sent = GUISES[guise]
    client = await place.client()
    await client.talk([(one, b"Z") for one in before])
    first = await client.talk([(sent, b"Z")])
    fields = told(first)
    assert (fields.sqlstate, place.left) == ("42501", 5)
    assert fields.message.startswith("penstock: the statement is held by approvals[changes] of policy web until")
    assert fields.detail.startswith("Request r-1: https://audit.example/requests/r-1. It is good until 20")
    assert fields.hint == "have a member of dba approve it, then run the same statement again"
    assert states(first)[-1] == "I"
    again = await client.talk([(sent, b"Z")])
    assert told(again).detail == fields.detail
    await place.holder.decide()
    done = await client.talk([(sent, b"Z")])
    assert (errors(done), place.left) == ([], 0)
    place.fill()
    assert "r-2" in told(await client.talk([(sent, b"Z")])).detail
    assert place.left == 5


async def test_what_no_approval_holds_goes_its_way(begin: Begin) -> None:
    place: Place = await begin()
    texts = (
        "INSERT INTO app.held VALUES (6, 'x')", "UPDATE held SET note = 'y'", "BEGIN", "COMMIT", "DEALLOCATE ALL",
        "PREPARE p AS DELETE FROM held", "EXPLAIN (COSTS OFF) DELETE FROM held", "SET work_mem = '8MB'", "",
        "BEGIN; SELECT 1; COMMIT", "SELECT nonsense", "SELECT count(*) FROM held",
    )  # fmt: skip
    for text in texts:
        for sent in EITHER:
            if sent is run and ";" in text:
                continue
            steps = [(sent(text), b"Z")]
            assert [text, *await (await place.client()).talk(steps)] == [
                text, *await (await place.pair.direct()).talk(steps)
            ]  # fmt: skip
    assert place.holder.asked == []


async def test_the_request_says_what_is_asked_for(begin: Begin) -> None:
    place: Place = await begin()
    client = await place.client()
    await client.ask("SET work_mem = '8MB'")
    await client.talk([(run("DELETE FROM held WHERE id < $1", b"3"), b"Z")])
    (asking,) = place.holder.asked
    assert asking.statement.sql == "DELETE FROM held WHERE id < $1"
    settings = {one.name: one.value for one in asking.statement.settings}
    assert {"search_path", "role", "session_authorization", "work_mem"} <= settings.keys()
    assert settings.keys().isdisjoint({"application_name", "client_encoding", "row_security", "statement_timeout"})
    assert (settings["work_mem"], settings["role"], settings["session_authorization"]) == ("8192", "none", "penstock")
    assert (asking.effect.verbs, asking.effect.tables) == (("delete",), ("public.held",))
    assert asking.effect.estimated_rows is not None
    assert asking.effect.estimated_cost is not None
    assert asking.requester.workload is not None
    assert (asking.requester.workload.namespace, asking.requester.workload.service_account) == ("shop", "web")
    assert (asking.held_by.policy, asking.held_by.approval, asking.held_by.approvers) == ("web", "changes", ("dba",))
    assert place.holder.paths == ["POST /v1/streams/u-1/requests"]


async def _held(client: Raw, text: str, *values: bytes | None) -> str:
    """The request that a statement waits for."""
    fields = told(await client.talk([(run(text, *values), b"Z")]))
    return str(fields.detail.split()[1].rstrip(":"))


async def test_an_approval_is_for_that_statement_alone(begin: Begin) -> None:
    place: Place = await begin()
    client, text = await place.client(), "DELETE FROM held WHERE id = $1"
    names = {await _held(client, text, b"1")}
    await place.holder.decide()
    others = [(text, b"2"), (text + " ", b"1"), ("DELETE FROM held WHERE id = $1::int", b"1")]
    for other, value in others:
        names.add(await _held(client, other, value))
    for setting in ("search_path = app, public", "work_mem = '9MB'", "DateStyle = 'German'", "app.tenant = 'o''neill'"):
        await client.ask(f"SET {setting}")
        names.add(await _held(client, text, b"1"))
        await client.ask(f"RESET {setting.split()[0]}")
    assert (len(names), place.left) == (8, 5)
    assert ("app.tenant", "o'neill") in {(one.name, one.value) for one in place.holder.asked[-1].statement.settings}
    got = await client.talk([(run(text, b"1"), b"Z")])
    assert (errors(got), place.left) == ([], 4)


async def test_what_runs_by_a_name_is_what_was_approved(begin: Begin) -> None:
    place: Place = await begin()
    client = await place.client()
    await client.ask("PREPARE p AS DELETE FROM held WHERE id = 1")
    fields = told(await client.ask("EXECUTE p"))
    (asking,) = place.holder.asked
    assert asking.statement.sql == "EXECUTE p\n/* runs: */ PREPARE p AS DELETE FROM held WHERE id = 1"
    await place.holder.decide()
    await client.ask("DEALLOCATE p")
    await client.ask("PREPARE p AS DELETE FROM held")
    assert told(await client.ask("EXECUTE p")).detail != fields.detail
    assert place.left == 5


async def test_a_cursor_is_held_once_for_all_its_portions(begin: Begin) -> None:
    place: Place = await begin(
        more="    - {name: reads, when: \"'public.held' in statement.tables\", approvers: {groups: [dba]}}\n"
    )
    client = await place.client()
    await client.ask("BEGIN")
    await client.ask("DECLARE c CURSOR FOR SELECT id FROM held")
    assert errors(await client.ask("FETCH 2 FROM c")) == ["42501"]
    sql = "FETCH 2 FROM c\n/* runs all of: */ DECLARE c CURSOR FOR SELECT id FROM held"
    assert place.holder.asked[-1].statement.sql == sql
    await client.ask("ROLLBACK")
    await place.holder.decide()
    await client.ask("BEGIN")
    await client.ask("DECLARE c CURSOR FOR SELECT id FROM held")
    assert len(rows(await client.ask("FETCH 2 FROM c"))) == 2
    assert len(rows(await client.ask("FETCH 2 FROM c"))) == 2
    await client.ask("CLOSE c")
    # Another one of the name is another, also where all comes at once.
    got = await client.talk(
        [(run("DECLARE c CURSOR FOR SELECT id FROM held") + run("FETCH 2 FROM c"), b"Z"), (b"", b"Z")]
    )
    assert errors(got) == ["42501"]


async def test_in_a_transaction_it_fails_and_the_transaction_with_it(begin: Begin) -> None:
    place: Place = await begin(wait="1h")
    client = await place.client()
    await client.ask("BEGIN")
    got = await client.ask("DELETE FROM held")
    assert (errors(got), states(got)) == (["42501"], "E")
    assert errors(await client.ask("DELETE FROM held")) == ["25P02"]
    await client.ask("ROLLBACK")
    await place.holder.decide()
    await client.ask("BEGIN")
    assert errors(await client.ask("DELETE FROM held")) == []
    await client.ask("ROLLBACK")
    assert place.left == 5
    # What was rolled back is used all the same.
    await client.ask("BEGIN")
    assert errors(await client.ask("DELETE FROM held")) == ["42501"]


async def test_several_statements_of_which_one_is_held_are_refused(begin: Begin) -> None:
    place: Place = await begin()
    for text in ("SELECT 1; DELETE FROM held", "BEGIN; DELETE FROM held; COMMIT"):
        fields = told(await (await place.client()).ask(text))
        assert (fields.sqlstate, fields.hint) == ("42501", "send the statements one by one")
    assert (place.holder.asked, place.left) == ([], 5)


async def test_two_sessions_at_once_use_an_approval_once(begin: Begin) -> None:
    place: Place = await begin()
    clients = [await place.client() for _ in range(4)]
    await clients[0].ask("DELETE FROM held")
    await place.holder.decide()
    answers = await asyncio.gather(*(client.ask("DELETE FROM held") for client in clients))
    assert sorted(errors(got) for got in answers) == [[], ["42501"], ["42501"], ["42501"]]


async def test_a_statement_that_fails_has_used_its_approval(begin: Begin) -> None:
    place: Place = await begin()
    client, text = await place.client(), "DELETE FROM held WHERE 1 / (id - 1) > 0"
    await client.ask(text)
    await place.holder.decide()
    assert errors(await client.ask(text)) == ["22012"]
    assert errors(await client.ask(text)) == ["42501"]
    assert len(place.holder.requests) == 2


async def test_what_could_not_run_is_not_asked_about(begin: Begin) -> None:
    place: Place = await begin()
    client = await place.client()
    for sent in EITHER:
        got = await client.talk([(sent("DELETE FROM held WHERE missing = 1"), b"Z")])
        assert (errors(got), states(got)) == (["42703"], "I")
        assert rows(await client.ask("SELECT 1")) == [[b"1"]]
    assert place.holder.asked == []


async def test_where_a_condition_fails_nothing_runs_and_nobody_is_asked(begin: Begin) -> None:
    rule = "{name: fourth, when: \"statement.tables[3] == 'public.held'\", approvers: {groups: [dba]}}"
    place: Place = await begin(more=f"    - {rule}\n")
    client = await place.client()
    for sent in EITHER:
        got = await client.talk([(sent("UPDATE held SET note = 'x'"), b"Z")])
        fields = told(got)
        assert (fields.sqlstate, states(got)) == ("42501", "I")
        assert fields.message.startswith("penstock: whether approvals[fourth] of policy web holds")
        assert "Index error: index=3 size=1" in fields.message + fields.detail
    assert place.server.psql("SELECT count(*) FROM held WHERE note = 'x'", "shop").strip() == "0"
    assert place.holder.asked == []


BROKEN: dict[str, tuple[Any, str]] = {
    "down": (lambda holder: holder.stop(), "cannot be reached"),
    "nonsense": (lambda holder: setattr(holder, "wrong", (200, b'{"standing": "yes"}')), "does not answer as a holder"),
    "no request": (lambda holder: setattr(holder, "wrong", (200, b'{"standing": "granted"}')), "does not answer as a"),
    "no JSON": (lambda holder: setattr(holder, "wrong", (200, b"granted")), "does not answer as a holder"),
    "endless": (lambda holder: setattr(holder, "wrong", (200, b" " * 100_000)), "does not answer as a holder"),
    "an error": (lambda holder: setattr(holder, "wrong", (500, b"")), "answers 500"),
    "elsewhere": (lambda holder: setattr(holder, "wrong", (302, b"")), "answers 302"),
    "no access": (lambda holder: setattr(holder, "wrong", (403, b"")), "does not take requests from this gate"),
    "slow": (lambda holder: setattr(holder, "slow", 60), "does not answer in time"),
}  # fmt: skip


@pytest.mark.parametrize("trouble", BROKEN)
async def test_without_a_holder_nothing_runs(begin: Begin, trouble: str) -> None:
    place: Place = await begin()
    breaks, words = BROKEN[trouble]
    place.running.proxy.approval_requests._seconds = 0.5
    breaks(place.holder)
    client = await place.client()
    fields = told(await client.ask("DELETE FROM held"))
    assert fields.sqlstate == "42501"
    assert words in fields.message
    assert (place.left, rows(await client.ask("SELECT 1"))) == (5, [[b"1"]])


async def test_a_gate_without_a_holder_runs_nothing(start: Start, shop: EmbeddedPostgres, begin: Begin) -> None:
    place: Place = await begin()
    running = await start(shop, governed=True, allow=ALLOW, more=APPROVALS.format(wait="0s"))
    async with await running.psycopg() as client:
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match="this gate has no holder of requests"):
            await client.execute("DELETE FROM held")
    assert place.left == 5


async def test_who_asks_too_much_is_told_so(begin: Begin) -> None:
    place: Place = await begin()
    client = await place.client()
    for number in range(20):
        await client.ask(f"DELETE FROM held WHERE id = {number}")
    fields = told(await client.ask("DELETE FROM held"))
    assert fields.detail == "20 requests of this requester wait already; have some decided first"


async def test_a_denial_is_told_in_its_words(begin: Begin) -> None:
    place: Place = await begin()
    client = await place.client()
    await client.ask("DELETE FROM held")
    await place.holder.decide("denied", comment="not on a Friday")
    fields = told(await client.ask("DELETE FROM held"))
    assert "and dora denied it" in fields.message
    assert fields.detail.endswith("They say: not on a Friday")


async def test_only_the_holders_clock_counts(begin: Begin) -> None:
    place: Place = await begin()
    client = await place.client()
    await client.ask("DELETE FROM held")
    await place.holder.decide()
    place.holder.ahead = timedelta(hours=2)
    assert errors(await client.ask("DELETE FROM held")) == ["42501"]
    place.holder.ahead = timedelta(days=-3)
    assert errors(await client.ask("DELETE FROM held")) == []


async def test_a_new_policy_ends_what_was_approved(begin: Begin) -> None:
    place: Place = await begin()
    client = await place.client()
    await client.ask("DELETE FROM held")
    await place.holder.decide()
    before = place.running.proxy.rules_provider.bundle
    assert before is not None
    place.running.proxy.rules_provider.replace_bundle(before.model_copy(update={"generation": before.generation + 1}))
    fields = told(await client.ask("DELETE FROM held"))
    assert "Request r-2" in fields.detail


async def test_the_trail_tells_what_became_of_it(begin: Begin) -> None:
    place: Place = await begin()
    client = await place.client()
    await client.ask("DELETE FROM held")
    await place.holder.decide()
    await client.talk([(run("DELETE FROM held"), b"Z")])
    await place.running.settled(2)
    notes = [one["approvals"] for one in place.running.events("intent") if "approvals" in one]
    rule = {"policy": "web", "rule": "approvals[changes]", "request": "r-1", "waitedMs": 0}
    (first,), (second,) = notes
    assert first == {**rule, "standing": "waiting"}
    decided = second.pop("decidedAt")
    assert second == {**rule, "standing": "granted", "decidedBy": "dora"}
    assert decided.startswith("20")
    results = [one["result"] for one in place.running.events("outcome")]
    assert results == ["denied", "ok"]


CREATES = """  approvals:
    - {{name: creates, when: "statement.verb in ['create', 'call']", approvers: {{groups: [dba]}}, wait: {wait}}}
"""


@pytest.mark.parametrize("text", ["CREATE INDEX CONCURRENTLY ON held (note)", "CALL commits()"])
@pytest.mark.parametrize("sent", EITHER)
async def test_what_can_be_in_no_transaction_runs_when_it_is_approved(begin: Begin, sent: Sent, text: str) -> None:
    place: Place = await begin(approvals=CREATES)
    place.server.psql(f"SET ROLE penstock; {COMMITS}", "shop")
    client = await place.client()
    assert errors(await client.talk([(sent(text), b"Z")])) == ["42501"]
    await place.holder.decide()
    assert errors(await client.talk([(sent(text), b"Z")])) == []


COMMITS = """CREATE OR REPLACE PROCEDURE commits() LANGUAGE plpgsql AS $$ BEGIN
INSERT INTO public.held VALUES (17, 'x'); COMMIT; DELETE FROM public.held WHERE id = 17; END $$"""


@pytest.mark.parametrize("sent", EITHER)
@pytest.mark.parametrize("block", [False, True])
async def test_data_that_is_copied_in_waits_for_the_approval(begin: Begin, sent: Sent, block: bool) -> None:
    place: Place = await begin(approvals=CREATES.replace("'call'", "'copy'"))
    client = await place.client()
    copy = sent("COPY held FROM STDIN")
    if block:
        await client.ask("BEGIN")
    got = await client.talk([(copy, b"Z")])
    assert (errors(got), [kind for kind, _ in got if kind == b"G"]) == (["42501"], [])
    await client.ask("ROLLBACK")
    await place.holder.decide()
    if block:
        await client.ask("BEGIN")
    got = await client.talk([(copy, b"G"), (DATA, b"Z")])
    assert errors(got) == []
    await client.ask("COMMIT")
    assert place.left == 6


DATA = message(b"d", b"77\tx\n") + message(b"c", b"") + SYNC


async def test_other_limits_hold_of_what_was_approved(begin: Begin) -> None:
    place: Place = await begin(more="  guardrails: {maxRowsChanged: 2, maxRowsReturned: 1, maxPlanCost: 1000}\n")
    client = await place.client()
    for sent in EITHER:
        text = f"DELETE FROM held WHERE id < 4 AND note <> '{sent.__name__}' RETURNING 1"
        for wanted in (["42501"], ["42501"], ["42501"]):
            fields = told(await client.talk([(sent(text), b"Z")]))
            assert [fields.sqlstate] == wanted
            if "until it is approved" in fields.message:
                await place.holder.decide()
        assert place.left == 5
    beyond = [one for one in place.running.events("outcome") if one.get("decision") != "deny" and "rule" in one]
    assert {one["rule"] for one in beyond} == {"guardrails.maxRowsReturned"}
    text = "DELETE FROM held WHERE id = 4"
    await client.ask(text)
    await place.holder.decide(name=next(one.name for one in place.holder.waiting if one.spec.statement.sql == text))
    assert (errors(await client.ask(text)), place.left) == ([], 4)


@pytest.mark.parametrize("sent", EITHER)
async def test_each_server_is_asked_alike(start: Start, each_shop: EmbeddedPostgres, sent: Sent) -> None:
    place = await begin_at(start, each_shop)
    client = await place.client()
    assert errors(await client.talk([(sent("DELETE FROM held"), b"Z")])) == ["42501"]
    (asking,) = place.holder.asked
    assert [one.name for one in asking.statement.settings] == ["role", "search_path", "session_authorization"]
    assert asking.effect.estimated_rows is not None
    await place.holder.decide()
    assert (errors(await client.talk([(sent("DELETE FROM held"), b"Z")])), place.left) == ([], 0)
    place.end()


LARGE = """  approvals:
    - {{name: large, when: "statement.estimatedRows > 100", approvers: {{groups: [dba]}}, wait: {wait}}}
  masks: [{{columns: ["public.held.note"], with: {{redact: {{}}}}}}]
"""


async def test_what_the_planner_expects_decides_with_the_parameters_it_runs_with(begin: Begin) -> None:
    place: Place = await begin(approvals=LARGE)
    more = "INSERT INTO held SELECT i, 'n' FROM generate_series(10, 5000) AS i"
    place.server.psql(f"SET ROLE penstock; {more}; ANALYZE held", "shop")
    client = await place.client()
    for text, value, count in (
        ("SELECT note FROM held WHERE id < $1", b"20", 15), ("SELECT note FROM held WHERE id < $1", b"4000", None),
        ("DELETE FROM held WHERE id < $1", b"4000", None),
    ):  # fmt: skip
        got = await client.talk([(run(text, value), b"Z")])
        if count is None:
            assert "is held by approvals[large]" in told(got).message, text
        else:
            assert (errors(got), len(rows(got))) == ([], count)
    assert {one.effect.masked for one in place.holder.asked} <= {("public.held.note",), ()}
    # What has no rows is not held, and what cannot be estimated is.
    assert errors(await client.ask("SET work_mem = '8MB'")) == []
    assert "is held by approvals[large]" in told(await client.ask("DROP TABLE app.held")).message


async def test_an_error_of_the_plan_tells_nothing_of_what_is_masked(begin: Begin) -> None:
    place: Place = await begin(approvals=LARGE)
    client = await place.client()
    fields = told(await client.ask("SELECT id FROM held WHERE note::int = 'secret'::int"))
    assert (fields.sqlstate, "secret" in fields.message) == ("22P02", False)
    assert rows(await client.ask("SELECT 1")) == [[b"1"]]


async def test_a_cursor_that_outlives_its_transaction_is_held_when_it_is_made(begin: Begin) -> None:
    place: Place = await begin()
    client = await place.client()
    await client.ask("BEGIN")
    assert errors(await client.ask("DECLARE c CURSOR WITH HOLD FOR SELECT purge()")) == ["42501"]
    await client.ask("COMMIT")
    assert place.left == 5
