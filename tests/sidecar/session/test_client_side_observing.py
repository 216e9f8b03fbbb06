"""Conversations where nothing is enforced: what the session itself would refuse passes, and is recorded as refused."""

from __future__ import annotations

from dataclasses import replace

from tests.sidecar.session.conversation import (
    BOUND,
    PARSED,
    READY,
    ROW,
    Conversation,
    allow,
    complete,
    deny,
    error,
    run,
    sync,
)

from penstock_core.sql.decision import Action
from penstock_sidecar.session import commands
from penstock_sidecar.session.refusals import FAILING_QUERY
from penstock_sidecar.session.states import State
from penstock_sidecar.wire import messages
from penstock_sidecar.wire.messages import FLUSH, message, parse, query

# Of a function that nobody can call so.
CALL = message(b"F", b"\x00\x00\x00\x2a" + b"\x00" * 6)
CALLED = message(b"V", b"\x00\x00\x00\x04\x00\x00\x40\x01")
SHORT = commands.ProxyConfig("shop", "shop", statement_limit=1000)


def test_a_fast_path_call_passes() -> None:
    talk = Conversation(observing=True)
    # What comes behind it might commit what it changed.
    talk.client(CALL, query("SELECT 1")).reaches_server(CALL, FLUSH)
    talk.server(CALLED, READY).reaches_client(CALLED, READY).reaches_server(query("SELECT 1"))
    talk.server(ROW, complete("SELECT 1"), READY)
    assert talk.kinds() == ["intent allow", "intent allow", "outcome ok", "outcome ok"]
    assert talk.events[0]["observed"] == "deny"
    assert "fast-path" in talk.events[0]["reason"]


def test_a_fast_path_call_that_fails() -> None:
    talk = Conversation(observing=True)
    talk.client(CALL).server(error("42704"), READY).reaches_client(error("42704"), READY)
    assert talk.kinds()[-1] == "outcome error"
    assert talk.events[-1]["sqlstate"] == "42704"


def test_a_fast_path_call_waits_for_its_record() -> None:
    talk = Conversation(observing=True, on_failure="block")
    talk.client(CALL[:7]).reaches_server()
    talk.client(CALL[7:]).reaches_server()
    assert talk.session.state is State.RECORDING
    talk.did(talk.session.durable(talk.tickets[-1])).reaches_server(CALL)


def test_text_that_is_not_utf8_passes() -> None:
    talk = Conversation(observing=True)
    text = message(b"Q", b"SELECT '\xff'\x00")
    talk.client(text).reaches_server(text)
    talk.server(ROW, complete("SELECT 1"), READY).reaches_client(ROW, complete("SELECT 1"), READY)
    prepared = message(b"P", b"s\x00SELECT '\xff'\x00\x00\x00")
    # It may do anything, so it is sent alone, and so is what commits it.
    bound, executed = messages.bind("", "s"), messages.execute("")
    talk.client(prepared, run("s"), sync()).reaches_server(prepared, bound, FLUSH)
    talk.server(PARSED, BOUND).reaches_server(executed, FLUSH, FLUSH)
    talk.server(ROW, complete("SELECT 1")).reaches_server(sync())
    talk.server(READY)
    assert talk.kinds() == ["intent allow", "outcome ok"] * 2
    assert {event["observed"] for event in talk.events if event["kind"] == "intent"} == {"deny"}


def test_a_statement_too_long_to_decide_about_streams() -> None:
    talk = Conversation(config=SHORT, observing=True)
    long = query("SELECT '" + "x" * 5000 + "'")
    talk.client(long[:2000]).reaches_server(long[:2000])
    talk.client(long[2000:4000]).reaches_server(long[2000:4000])
    talk.client(long[4000:], query("SELECT 1")).reaches_server(long[4000:], FLUSH)
    talk.server(ROW, complete("SELECT 1"), READY).reaches_client(ROW, complete("SELECT 1"), READY)
    talk.reaches_server(query("SELECT 1"))
    assert talk.kinds() == ["intent allow", "intent allow", "outcome ok"]


def test_a_long_statement_in_one_piece_leaves_the_next_large_message_whole() -> None:
    for observing in (True, False):
        talk = Conversation(config=SHORT, observing=observing)
        long = query("SELECT '" + "x" * 5000 + "'")
        talk.client(long).reaches_server(long if observing else FAILING_QUERY)
        talk.server(complete("SELECT 1") if observing else error("42703"), READY)
        bind = message(b"B", b"\x00s\x00\x00\x00\x00\x01" + (20_000).to_bytes(4, "big") + b"x" * 20_000 + b"\x00\x00")
        prepare = parse("s", "SELECT $1")
        sent = talk.client(prepare, bind[:10_000]).to_server + talk.client(bind[10_000:], sync()).to_server
        assert sent == prepare + bind + sync()


def test_a_long_statement_that_can_not_be_recorded_is_dropped() -> None:
    first = query("SELECT '" + "y" * 5000 + "'")
    talk = Conversation(config=SHORT, observing=True, on_failure="block")
    talk.trail.refusal = "full"
    talk.client(first[:2000]).reaches_server()
    talk.client(first[2000:], query("SELECT 1")).reaches_server()
    talk.did(talk.session.audit_failed(talk.tickets[-1], "full")).reaches_server(FAILING_QUERY)


def test_once_it_is_enforced_a_session_that_ran_what_is_refused_ends() -> None:
    would_be = replace(allow("SET client_encoding = sjis"), observed=Action.DENY)
    talk = Conversation({would_be.text: would_be}, observing=True)
    talk.client(query(would_be.text)).server(complete("SET"), READY)
    talk.new_rules({}, "still observed")
    assert talk.session.state is State.RUNNING
    talk.observing = False
    talk.new_rules({"SELECT 1": deny()}).client_reads_error("57P01", "enforced now")
    assert talk.session.state is State.CLOSED


def test_once_it_is_enforced_a_session_that_ran_what_is_allowed_goes_on() -> None:
    talk = Conversation(observing=True)
    talk.client(query("SELECT 1")).server(ROW, complete("SELECT 1"), READY)
    talk.observing = False
    talk.new_rules({"SELECT 2": deny()})
    talk.client(CALL).reaches_server(FAILING_QUERY)
    talk.server(error("42703"), READY).client_reads_error("0A000", "fast-path", READY)
