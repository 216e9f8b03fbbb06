"""Searching, paging, exporting; with what people type, and with what attackers would."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.collector.conftest import ndjson

from penstock_collector.lookup import match_expression
from penstock_collector.store.database import StoreError
from penstock_collector.store.export import BEGINNING, portion
from penstock_collector.web import exporting
from penstock_core.audit.export import EndLine, ProblemLine, QuarantinedLine, read
from penstock_core.audit.report import Fault
from penstock_core.audit.verify import verify

OPEN = {"kind": "open", "database": "shop", "version": "0.1.0"}


@pytest.fixture(params=["in two events", "in one"])
async def filled(client: Any, sender: Any, request: pytest.FixtureRequest) -> Any:
    """Five statements, 1 to 5."""
    told = sender.whole if request.param == "in one" else sender.statement
    agent = {"name": "agent:support-bot"}
    await client.send(
        sender.seal(OPEN)
        + told(1, sql="SELECT total FROM public.orders WHERE id = $1")
        + told(
            2,
            sql="SELECT email FROM public.customers",
            identity=agent,
            decision="rewrite",
            relations=["public.customers", "sales.Orders Old"],
            masked=["public.customers.email"],
            policy="support-agents",
            rule="masks[0]",
        )
        + told(
            3,
            sql="DELETE FROM public.orders",
            identity=agent,
            decision="deny",
            verbs=["delete"],
            reason="DELETE without WHERE",
        )
        + told(4, sql="SELECT card_number FROM payments", relations=["public.payments"])
        + told(5, sql="UPDATE t SET naïve = 'Größe 東京'", verbs=["update", "select"], relations=[])
    )
    return client


@pytest.mark.parametrize("order", ["in order", "late", "as one"])
async def test_a_limit_that_was_exceeded_while_it_ran_is_found(client: Any, sender: Any, order: str) -> None:
    key = {"session": "s9", "statement": 1}
    intent = {"kind": "intent", **key, "decision": "allow", "sql": "DELETE FROM t", "identity": {"name": "sa:shop/web"}}
    outcome = {"kind": "outcome", **key, "result": "denied", "sqlstate": "42501", "rows": 4, "policy": "careful"}
    outcome |= {"rule": "guardrails.maxRowsChanged", "reason": "the statement changes more than 3 rows"}
    whole = {**intent, **outcome, "kind": "statement"}
    bodies = {"in order": (intent, outcome), "late": (outcome, intent), "as one": (whole,)}[order]
    await client.send(sender.seal(OPEN, *bodies))
    for words in ("maxRowsChanged", "careful", "changes more", "DELETE"):
        (found,) = await client.search(urlencode({"q": words}))
        assert (found["policy"], found["rule"], found["result"]) == ("careful", "guardrails.maxRowsChanged", "denied")


@pytest.mark.parametrize("word", ["ŽOFIE", "žofie", "Žofie", "GRÖSSE", "größe", "GRÖẞE", "zofie"])
async def test_an_identity_is_found_in_any_case_of_any_script(client: Any, sender: Any, word: str) -> None:
    await client.send(sender.seal(OPEN) + sender.statement(1, identity={"name": "person:ŽOFIE Größe"}))
    assert len(await client.search(urlencode({"identity": word}))) == (word != "zofie")


@pytest.mark.parametrize("told", ["statement", "whole"])
async def test_each_request_that_a_statement_ran_by_finds_it(client: Any, sender: Any, told: str) -> None:
    """Several rules may hold it, and several accesses last, of which one is an emergency."""
    approvals = [{"policy": "web", "rule": f"approvals[{one}]", "request": f"r-{one}"} for one in (1, 2)]
    access = [{"policy": "glass", "request": "r-3", "until": "2026-11-28T10:00:00Z", "breakGlass": True}]
    make = getattr(sender, told)
    alone = make(2, approvals=approvals[:1])
    await client.send(sender.seal(OPEN) + make(1, approvals=approvals, access=access) + alone + make(3))
    found = {name: await client.search(f"request={name}") for name in ("r-1", "r-2", "r-3", "r-", "-1", "r-4")}
    numbers = {name: "".join(one["statement"] for one in each) for name, each in found.items()}
    assert numbers == {"r-1": "12", "r-2": "1", "r-3": "1", "r-": "", "-1": "", "r-4": ""}
    assert [one["requests"] for one in found["r-1"]] == [["r-1", "r-2", "r-3"], ["r-1"]]
    assert [one["request"] for one in found["r-1"]] == ["r-1", "r-1"]
    page = (await client.get("/?request=r-3")).text
    assert all(f">{name}<" in page for name in ("r-1", "r-2", "r-3"))


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({}, "54321"),
        ({"identity": "agent:support-bot"}, "32"),
        ({"identity": "SUPPORT"}, "32"),
        ({"identity": "%"}, ""),
        ({"decision": "deny"}, "3"),
        ({"decision": "rewrite", "identity": "web"}, ""),
        ({"verb": "select"}, "5421"),
        ({"verb": "SELECT"}, "5421"),
        ({"verb": "sel"}, ""),
        ({"relation": "public.orders"}, "31"),
        ({"relation": "orders"}, "31"),
        ({"relation": "rders"}, ""),
        ({"relation": "Orders Old"}, "2"),
        ({"stream": "gw1/boot1"}, "54321"),
        ({"stream": "gw1/other"}, ""),
        ({"session": "s1"}, "54321"),
        ({"q": "orders"}, "321"),
        ({"q": "EMAIL customers"}, "2"),
        ({"q": "ema"}, "2"),
        ({"q": "card_number"}, "4"),
        ({"q": "größe"}, "5"),
        ({"q": "grosse"}, ""),
        ({"q": "東京"}, "5"),
        ({"q": "without where"}, "3"),
        ({"q": "masks[0]"}, "2"),
        ({"q": "= ( ) '"}, "54321"),
        ({"q": "email", "decision": "allow"}, ""),
        ({"since": "2026-11-25T09:04:00Z"}, "5432"),
        ({"since": "2026-11-25T10:04:00+01:00"}, "5432"),
        ({"until": "2026-11-25T09:04:00Z"}, "1"),
        ({"since": "2026-11-25T09:04:00Z", "until": "2026-11-25T09:06:00"}, "2"),
    ],
)
async def test_filters(filters: dict[str, str], expected: str, filled: Any) -> None:
    assert "".join(found["statement"] for found in await filled.search(urlencode(filters))) == expected


ATTEMPTS = [
    '"',
    '""',
    "'",
    "*",
    "a*b",
    "NOT",
    "AND OR",
    "NEAR(a b)",
    "sql:",
    "^a",
    "a-b",
    "{x}: y",
    "\\",
    "%",
    "'; --",
    "-",
    "\u202e",
]


@pytest.mark.parametrize("text", [*ATTEMPTS, "x" * 400, "a\x00b", " \t "])
async def test_any_text_is_just_text(text: str, filled: Any) -> None:
    for name in ("q", "identity", "verb", "relation", "stream", "session"):
        response = await filled.get("/v1/events?" + urlencode({name: text}))
        assert response.status_code == 200, (name, response.text)


@given(st.text(max_size=30))
def test_words_are_always_quoted(words: str) -> None:
    expression = match_expression(words)
    outside = expression.replace('""', "").split('"')[::2]
    assert set("".join(outside)) <= {"*", " "}


@pytest.mark.parametrize(
    ("query", "complaint"),
    [
        ("decision=maybe", "decision is one of allow, rewrite, deny, not 'maybe'"),
        ("since=yesterday", "since is a time such as 2026-11-25T09:00:00Z, not 'yesterday'"),
        ("before=x", "before is a whole number, not 'x'"),
        ("before=-1", "before is a whole number, not '-1'"),
        ("limit=1.5", "limit is a whole number, not '1.5'"),
        ("before=" + "9" * 40, f"before is a whole number, not '{'9' * 40}'"),
        ("q=" + "x" * 500, "q is longer than 400 characters"),
    ],
)
async def test_filters_that_mean_nothing(query: str, complaint: str, client: Any) -> None:
    response = await client.get(f"/v1/events?{query}")
    assert (response.status_code, response.json()) == (400, {"error": complaint})
    if not query.startswith("limit"):
        page = await client.get(f"/?{query}")
        assert page.status_code == 400
        assert "Traceback" not in page.text


@pytest.mark.parametrize("query", ["", "q=orders", "decision=allow"])
async def test_pages_meet_without_overlap_while_more_arrive(query: str, client: Any, sender: Any) -> None:
    await client.send(sender.seal(OPEN) + [e for n in range(25) for e in sender.statement(n, sql="SELECT orders")])
    seen, before = [], ""
    while True:
        page = (await client.get(f"/v1/events?limit=10&{query}{before}")).json()
        seen += [int(found["statement"]) for found in page["events"]]
        if page["next"] is None:
            break
        before = f"&before={page['next']}"
        await client.send(sender.statement(100 + len(seen), sql="SELECT orders"))
    assert seen == list(range(24, -1, -1))


async def test_a_limit_is_kept_within_reason(client: Any, sender: Any) -> None:
    await client.send(sender.seal(OPEN) + [event for number in range(600) for event in sender.statement(number)])
    assert len((await client.get("/v1/events?limit=1000000")).json()["events"]) == 500
    assert len((await client.get("/v1/events?limit=0")).json()["events"]) == 100


@pytest.mark.parametrize("moment", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"])
async def test_a_time_beyond_the_calendar_is_a_bad_filter(client: Any, moment: str) -> None:
    response = await client.get("/v1/events?" + urlencode({"since": moment}))
    assert response.status_code == 400
    assert "since is a time such as" in response.json()["error"]


async def test_bytes_that_are_no_text_do_not_end_an_export(client: Any, sender: Any) -> None:
    events = sender.seal(OPEN)
    await client.send(ndjson(events) + b'{"seq":2,"x":"\xed\xa0\x80"}\n')
    await client.send(sender.statement(1), oldest=3)
    assert [one["seq"] for one in await client.exported()] == [1, 2, 3]
    wrapped = [one for line in await client.export_lines() if isinstance(one := read(line), QuarantinedLine)]
    assert [(one.seq, one.raw) for one in wrapped] == [(2, b'{"seq":2,"x":"\xed\xa0\x80"}')]


async def test_an_export_that_breaks_off_says_so(client: Any, sender: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    await client.send(sender.seal(OPEN))

    def broken(connection: Any, stream: str, after: Any) -> Any:
        if after != BEGINNING:
            raise StoreError("audit database cannot be read: disk I/O error")
        return portion(connection, stream, after)

    monkeypatch.setattr(exporting, "portion", broken)
    lines = await client.export_lines()
    _, first, last = map(read, lines)
    assert first["kind"] == "open"
    assert last == ProblemLine("audit database cannot be read: disk I/O error")
    assert [finding.fault for finding in verify(lines).findings].count(Fault.CUT_TAIL) == 2


async def test_an_export_larger_than_a_portion_is_whole(client: Any, sender: Any) -> None:
    events = sender.seal(OPEN) + [event for number in range(1200) for event in sender.statement(number)]
    for start in range(0, len(events), 500):
        await client.send(events[start : start + 500])
    assert await client.exported() == events
    lines = await client.export_lines()
    assert read(lines[-1]) == EndLine(len(lines) - 1)
    assert verify(lines).intact


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        # However often, a word is looked for once; and one that is the beginning of another, not at all.
        ("a " * 200, '"a"'),
        ("ord Orders orders ord", '"orders"*'),
        # The beginning of a word has three letters; what is shorter is a word, since half of the index begins with it.
        ("se sel", '"se" "sel"*'),
        ("public.or x_a 10", '"public.or" "x_a" "10"'),
        ("public.orders", '"public.orders"*'),
        ("a-b 'c", '"a-b" "\'c"'),
        # Of scripts without spaces, a sentence is one word.
        ("顧 客", '"顧"* "客"*'),
        ("é éa éab", '"é" "éa" "éab"*'),
        ("_ .. ''", ""),
    ],
)
def test_words_are_looked_for_once_and_as_beginnings_where_they_are_long_enough(typed: str, meant: str) -> None:
    assert match_expression(typed) == meant


async def test_more_words_than_a_search_takes_are_refused(filled: Any) -> None:
    words = "+".join(f"{letter}word" for letter in "abcdefghijklm")
    for path in ("/v1/events", "/v1/logins", "/tail", "/", "/logins"):
        answer = await filled.get(f"{path}?q={words}")
        assert answer.status_code == 400
        assert "more than 12 words" in answer.text
    assert (await filled.get(f"/v1/events?q={words.rpartition('+')[0]}")).status_code == 200
