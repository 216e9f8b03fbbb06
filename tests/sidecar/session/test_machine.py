"""Conversations: opening, proving, ending; what waits for what; and the table that it all obeys."""

from __future__ import annotations

import gc
import weakref
from dataclasses import replace
from typing import Any

import pytest
from tests.sidecar.session.conversation import (
    BOUND,
    PARSED,
    READY,
    READY_IN,
    ROW,
    Book,
    Conversation,
    allow,
    complete,
    error,
    greeting,
    run,
    sync,
)

from penstock_core.identity import Identity, Principal
from penstock_core.policy.revocation import by_policy
from penstock_sidecar.session import commands
from penstock_sidecar.session.commands import ProxyConfig
from penstock_sidecar.session.states import Event, IllegalEventError, State
from penstock_sidecar.wire import messages
from penstock_sidecar.wire.messages import ErrorFields, bind, parse, query

STARTUP = messages.startup({"user": "app", "database": "shop"})
ADA = Identity(principal=Principal("person", "ada", "https://issuer.example"))


def closes(talk: Conversation) -> str:
    (close,) = talk.rest
    assert isinstance(close, commands.Close)
    assert talk.session.state is State.CLOSED
    return close.problem


def test_encryption_is_declined_and_then_the_session_opens() -> None:
    talk = Conversation(open_=False)
    talk.client(messages.ssl_request()).reaches_client(b"N")
    talk.client(b"\x00\x00\x00\x08\x04\xd2\x16\x30").reaches_client(b"N")
    talk.client(STARTUP)
    assert talk.rest == [commands.Connect(talk.session._beginning.accepted.parameters)]  # type: ignore[union-attr]  # opened
    talk.did(talk.session.connected(talk.rules(), greeting(server_version="18.0")))
    assert talk.to_client == (
        messages.AUTHENTICATION_OK
        + messages.parameter_status("server_version", "18.0")
        + messages.backend_key(77, bytes(range(4)))
        + READY
    )
    assert talk.kinds() == ["login accepted"]


def test_what_a_client_sends_ahead_waits_for_the_login() -> None:
    talk = Conversation(open_=False)
    talk.client(STARTUP, query("SELECT 1")).reaches_server()
    talk.client(query("SELECT 2")).reaches_server()
    assert talk.session.client_waits
    talk.did(talk.session.connected(talk.rules(), greeting())).reaches_server(query("SELECT 1"), query("SELECT 2"))


def test_too_much_ahead_is_too_much() -> None:
    talk = Conversation(open_=False)
    talk.client(STARTUP)
    talk.client(b"x" * 2_000_000).client_reads_error("08P01", "too much")
    closes(talk)


def test_a_token_is_asked_for_verified_and_names_who_it_is() -> None:
    talk = Conversation(open_=False, config=ProxyConfig("shop", "shop", token="always"))
    talk.client(STARTUP).reaches_client(messages.AUTHENTICATION_CLEARTEXT)
    word = messages.password(b"a.b.c")
    talk.client(word[:3])
    talk.client(word[3:], query("SELECT 1"))
    assert talk.rest == [commands.Verify("a.b.c")]
    talk.did(talk.session.identified(ADA))
    assert isinstance(talk.rest[0], commands.Connect)
    talk.did(talk.session.connected(talk.rules(), greeting())).reaches_server(query("SELECT 1"))
    assert {event["identity"]["name"] for event in talk.events} == {"person:ada"}


@pytest.mark.parametrize("data", [query("SELECT 1"), b"p\x02\x00\x00\x00x", b"p\x00\x00\x00\x02"])
def test_something_else_where_a_token_is_due(data: bytes) -> None:
    talk = Conversation(open_=False, config=ProxyConfig("shop", "shop", token="always"))
    talk.client(STARTUP)
    talk.client(data).client_reads_error("08P01")
    closes(talk)


def test_a_token_that_is_too_long_is_answered_once_it_came() -> None:
    talk = Conversation(open_=False, config=ProxyConfig("shop", "shop", token="always"))
    talk.client(STARTUP)
    token = messages.password(b"x" * 100_000)
    for at in range(0, len(token) - 1000, 1000):
        talk.client(token[at : at + 1000])
        assert (talk.to_client, talk.session.state) == (b"", State.PROVING)
    talk.client(token[-1000:]).client_reads_error("28P01", "longer than 32768 bytes")


def test_a_token_that_is_refused_says_why() -> None:
    talk = Conversation(open_=False, config=ProxyConfig("shop", "shop", token="always"))
    talk.client(STARTUP, messages.password(b"x"))
    talk.did(talk.session.token_refused("the token has expired")).client_reads_error("28P01", "the token has expired")
    assert closes(talk) == "the token has expired"


def test_no_upstream_says_why() -> None:
    talk = Conversation(open_=False)
    talk.client(STARTUP)
    talk.did(talk.session.connect_failed(ErrorFields("FATAL", "08001", "penstock: not there")))
    talk.client_reads_error("08001", "not there")
    assert closes(talk) == "penstock: not there"
    assert talk.kinds() == ["login refused"]


def test_cancel_requests_are_handed_on() -> None:
    talk = Conversation(open_=False)
    talk.client(messages.cancel_request(7, b"1234"))
    assert talk.rest == [commands.Cancel(7, b"1234")]


def test_newer_protocols_get_longer_keys() -> None:
    talk = Conversation(open_=False)
    talk.client(messages.startup({"user": "app", "database": "shop"}, messages.PROTOCOL_3_2))
    talk.did(talk.session.connected(talk.rules(), greeting()))
    assert messages.backend_key(77, bytes(range(32))) in talk.to_client
    assert talk.session.cancel_key == bytes(range(32))


# What waits for what.


def test_block_a_write_waits_and_what_follows_it_waits_behind() -> None:
    insert = allow("INSERT 1", writes=True)
    talk = Conversation({"INSERT 1": insert}, on_failure="block")
    talk.client(query("SELECT 1"), query("INSERT 1"), query("SELECT 2")).reaches_server(query("SELECT 1"))
    assert talk.session.state is State.RECORDING
    assert talk.session.client_waits
    talk.client(query("SELECT 3")).reaches_server()
    talk.did(talk.session.durable(talk.tickets[-1]))
    talk.reaches_server(query("INSERT 1"), query("SELECT 2"), query("SELECT 3"))
    assert talk.session.state is State.RUNNING


def test_block_a_client_that_says_farewell_behind_a_write_ends_its_session() -> None:
    talk = Conversation({"INSERT": allow("INSERT", writes=True)}, on_failure="block")
    talk.client(query("INSERT"), messages.TERMINATE).reaches_server()
    talk.did(talk.session.durable(talk.tickets[-1])).reaches_server(query("INSERT"), messages.TERMINATE)
    assert talk.kinds() == ["intent allow", "outcome unknown", "session end"]


def test_block_a_write_that_waited_is_skipped_if_what_came_before_it_failed() -> None:
    talk = Conversation({"INSERT 1": allow("INSERT 1", writes=True)}, on_failure="block")
    talk.client(parse("", "broken"), parse("a", "INSERT 1"), run("a"), sync(), query("SELECT 2"))
    talk.server(error("42601"))
    talk.did(talk.session.durable(talk.tickets[-1])).reaches_server(sync(), query("SELECT 2"))
    talk.server(READY, complete("SELECT 1"), READY)
    talk.did(talk.session.durable(talk.tickets[-1])).reaches_client(READY, complete("SELECT 1"), READY)
    assert talk.kinds() == [
        "intent allow", "intent allow", "outcome error", "outcome skipped", "intent allow", "outcome ok",
    ], "what failed has been recorded, too"  # fmt: skip


def test_continue_waits_for_nothing() -> None:
    talk = Conversation({"INSERT 1": allow("INSERT 1", writes=True)})
    talk.client(query("INSERT 1")).reaches_server(query("INSERT 1"))
    talk.server(complete("INSERT 0 1"), READY).reaches_client(complete("INSERT 0 1"), READY)
    assert talk.tickets == []


@pytest.mark.parametrize(
    "sent", [query("INSERT 1"), parse("", "INSERT 1") + run() + sync()], ids=["simple", "extended"]
)
def test_block_a_write_that_can_not_be_recorded_fails_in_its_place(sent: bytes) -> None:
    talk = Conversation({"INSERT 1": allow("INSERT 1", writes=True)}, on_failure="block")
    talk.client(sent)
    # Not even bound: planning it runs code.
    assert bind("", "") not in talk.to_server
    assert query("INSERT 1") not in talk.to_server
    sent_before = talk.to_server
    talk.did(talk.session.audit_failed(talk.tickets[-1], "the spool is full"))
    assert talk.session.state is State.RUNNING
    if sent_before:
        talk.server(PARSED, error("26000"), READY)
        talk.did([commands.ToClient(talk.to_client[len(PARSED) :])])
    else:
        talk.server(error("42703"), READY)
    talk.client_reads_error("53100", "the statement was not run", READY)
    assert "outcome" not in " ".join(talk.kinds())


def test_block_while_the_trail_refuses_reads_wait_too() -> None:
    talk = Conversation(on_failure="block")
    talk.trail.refusal = "the spool is full"
    talk.client(query("SELECT 1")).reaches_server()
    talk.did(talk.session.durable(talk.tickets[-1])).reaches_server(query("SELECT 1"))


def test_block_a_read_under_way_that_can_not_be_recorded_ends_the_session() -> None:
    talk = Conversation(on_failure="block")
    talk.client(query("SELECT 1")).server(ROW, complete("SELECT 1"), READY)
    talk.did(talk.session.audit_failed(talk.tickets[-1], "the disk is gone"))
    talk.client_reads_error("53100", "the disk is gone")
    closes(talk)


# The end.


def test_a_client_that_goes_leaves_unknown_outcomes() -> None:
    talk = Conversation()
    talk.client(query("SELECT 1"))
    talk.did(talk.session.client_closed())
    assert closes(talk) == ""
    assert talk.kinds() == ["intent allow", "outcome unknown", "session end"]


def test_a_server_that_goes_is_told_of_unless_it_said_so_itself() -> None:
    talk = Conversation()
    talk.did(talk.session.server_closed()).client_reads_error("08006", "closed the connection")
    talk = Conversation()
    talk.server(error("57P01", severity="FATAL"))
    talk.did(talk.session.server_closed()).reaches_client()
    assert closes(talk) == ""


@pytest.mark.parametrize(
    ("sent", "said"), [(query("SELECT 1"), b""), (parse("", "SELECT 1") + run() + sync(), PARSED + BOUND)],
    ids=["simple", "extended"],
)  # fmt: skip
def test_of_a_statement_that_ended_with_the_session_the_error_is_on_record(sent: bytes, said: bytes) -> None:
    talk = Conversation()
    talk.client(sent).server(said + error("57P01", severity="FATAL"))
    talk.did(talk.session.server_closed())
    assert [event.get("sqlstate") for event in talk.events if event["kind"] == "outcome"] == ["57P01"]
    assert talk.kinds() == ["intent allow", "outcome error", "session end"]


def test_no_error_is_put_into_the_middle_of_a_row() -> None:
    talk = Conversation()
    talk.client(query("SELECT 1"))
    talk.server(ROW[:7])
    talk.did(talk.session.server_closed()).reaches_client()


def test_draining_waits_for_the_transactions_end() -> None:
    talk = Conversation()
    talk.client(query("BEGIN")).server(complete("BEGIN"), READY_IN)
    talk.did(talk.session.drain("the gate is shutting down", at_once=False)).reaches_client()
    talk.client(query("COMMIT")).server(complete("COMMIT"), READY)
    assert talk.to_client.startswith(complete("COMMIT") + READY)
    assert b"57P01" in talk.to_client
    talk.reaches_server(messages.TERMINATE)
    closes(talk)


def test_draining_at_once_and_expiry() -> None:
    talk = Conversation()
    talk.client(query("SELECT 1"))
    talk.did(talk.session.drain("the gate is shutting down", at_once=True)).client_reads_error("57P01", "shutting down")
    talk = Conversation()
    talk.did(talk.session.expired(at_once=False)).client_reads_error("57P01", "token expired")


def test_a_revoked_identity_has_no_more_session_and_the_end_tells_why() -> None:
    talk = Conversation()
    talk.client(query("SELECT 1"))
    talk.did(talk.session.revoked(by_policy("stop"))).client_reads_error("28000", "access is revoked (policy stop)")
    assert talk.session.state is State.CLOSED
    end = talk.events[-1]
    assert (end["event"], end["reason"], end["policy"]) == ("end", "the identity is revoked", "stop")
    assert talk.did(talk.session.revoked(by_policy("stop"))).rest == []


def test_a_revoked_identity_gets_no_session_and_that_is_recorded() -> None:
    talk = Conversation(open_=False)
    talk.client(STARTUP)
    talk.did(talk.session.revoked(by_policy("stop"))).client_reads_error("28000", "access is revoked (policy stop)")
    (refused,) = talk.events
    assert (refused["kind"], refused["outcome"], refused["policy"]) == ("login", "refused", "stop")
    assert (refused["reason"], refused["sqlstate"]) == ("access is revoked (policy stop)", "28000")
    assert refused["identity"]["name"] == "sa:shop/web"


def test_a_revocation_before_the_client_has_said_anything() -> None:
    talk = Conversation(open_=False)
    talk.did(talk.session.revoked(by_policy("stop"))).client_reads_error("28000", "access is revoked")
    assert talk.events == []


def test_a_shorter_timeout_ends_sessions_that_began_with_more_once_they_are_idle() -> None:
    talk = Conversation()
    talk.client(query("BEGIN")).server(complete("BEGIN"), READY_IN)
    talk.did(talk.session.rules_replaced(talk.rules(statement_timeout=1500))).reaches_client()
    (end,) = talk.rest
    assert isinstance(end, commands.EndWithin)
    assert end.seconds == 1.5
    # As long again is given once only.
    talk.did(talk.session.rules_replaced(talk.rules(statement_timeout=1500)))
    assert talk.rest == []
    talk.client(query("COMMIT")).server(complete("COMMIT"), READY)
    assert b"shortened statementTimeout" in talk.to_client
    closes(talk)


def test_a_longer_timeout_leaves_sessions_and_counts_from_then_on() -> None:
    talk = Conversation(open_=False)
    talk.client(STARTUP)
    talk.did(talk.session.connected(talk.rules(statement_timeout=1000), greeting(), 1000))
    for limit in (2000, 2000, 3000):
        talk.did(talk.session.rules_replaced(talk.rules(statement_timeout=limit))).reaches_client()
    # By now it may have been set to that.
    talk.did(talk.session.rules_replaced(talk.rules(statement_timeout=2500)))
    talk.client_reads_error("57P01", "shortened statementTimeout")


def test_a_timeout_shortened_during_the_login_ends_the_session_before_it_begins() -> None:
    talk = Conversation(open_=False)
    talk.client(STARTUP, query("SELECT pg_sleep(9)"))
    talk.did(talk.session.connected(talk.rules(statement_timeout=1000), greeting(), 2000))
    talk.reaches_server().client_reads_error("57P01", "shortened statementTimeout")
    closes(talk)
    assert talk.kinds() == ["login refused"]


# ── Masks that come while a session is open ──


def masked_from_now_on(talk: Conversation) -> Conversation:
    return talk.did(talk.session.rules_replaced(replace(talk.rules(), masked=True)))


def test_a_session_that_set_what_only_unmasked_ones_may_ends_when_columns_are_masked() -> None:
    talk = Conversation()
    talk.book.entries["SET enable_sort = off"] = allow("SET enable_sort = off", loosens=True)
    talk.client(query("SET enable_sort = off")).server(complete("SET"), READY)
    # While nothing is masked, other rules are as good as any.
    talk.did(talk.session.rules_replaced(talk.rules("other"))).reaches_client()
    masked_from_now_on(talk).client_reads_error("57P01", "columns are masked now")
    closes(talk)


def test_one_that_set_nothing_of_the_kind_goes_on() -> None:
    talk = Conversation()
    talk.client(query("SELECT 1")).server(complete("SELECT 1"), READY)
    masked_from_now_on(talk).reaches_client()
    assert talk.session.state is State.RUNNING


def test_what_a_session_begins_with_counts_alike() -> None:
    for ends, masked in ((False, False), (True, True)):
        talk = Conversation(open_=False)
        talk.client(messages.startup({"user": "app", "database": "shop", "options": "-c enable_sort=off"}))
        talk.did(talk.session.connected(replace(talk.rules(), masked=masked), greeting()))
        if not ends:
            masked_from_now_on(talk)
        talk.client_reads_error("57P01", "columns are masked now")
        closes(talk)


def test_a_server_that_makes_no_sense_ends_the_session() -> None:
    for nonsense in (PARSED, b"?????", complete("SELECT 1")):
        talk = Conversation()
        talk.server(nonsense).client_reads_error("08P01", "can't be understood")
        assert "\n" not in closes(talk)


def test_events_out_of_turn_are_the_runtimes_fault() -> None:
    talk = Conversation()
    with pytest.raises(IllegalEventError, match=r"catalog read can't happen while running"):
        talk.session.catalog_read()
    opening: Any = Conversation(open_=False).session
    with pytest.raises(IllegalEventError):
        opening.server_bytes(READY)


def test_after_the_end_nothing_happens_any_more() -> None:
    talk = Conversation()
    talk.did(talk.session.client_closed())
    session = talk.session
    late = [
        session.client_bytes(query("SELECT 1")),
        session.server_bytes(READY),
        session.durable(9),
        session.audit_failed(9, ""),
        session.catalog_read(),
        session.rules_replaced(talk.rules()),
        session.client_closed(),
        session.server_closed(),
        session.drain("the gate is shutting down", at_once=True),
        session.connect_failed(ErrorFields("FATAL", "08001", "")),
        session.token_refused(""),
    ]
    assert late == [[]] * len(late)
    assert {Event.CONNECTED, Event.IDENTIFIED} < set(Event)


def test_what_is_sent_to_a_channel_passes_where_the_rules_of_now_let_it_be_heard() -> None:
    one = Conversation()
    heard = messages.message(b"A", b"\0\0\0\1news\0its payload\0")
    unheard = messages.message(b"A", b"\0\0\0\1governed news\0" + b"x" * 7999 + b"\0")
    one.server(unheard, heard).reaches_client(heard)
    # In pieces, too, and between the messages of an answer.
    whole = unheard + heard + unheard
    for at in (3, 9, 20, 8000):
        one.server(whole[:at])
        told = one.to_client
        one.server(whole[at:])
        assert told + one.to_client == heard
    one.client(messages.query("SELECT 1")).server(ROW, unheard, complete("SELECT 1"), unheard, READY)
    one.reaches_client(ROW, complete("SELECT 1"), READY)


def test_what_ended_keeps_nothing_of_what_it_was_decided_by() -> None:
    talk = Conversation()
    decider = Book({})
    gone = weakref.ref(decider)
    talk.did(talk.session.rules_replaced(replace(talk.rules(), decider=decider)))
    del decider
    talk.client(query("SELECT 1"), parse("p", "SELECT 2"), bind("", "p"))
    gc.disable()
    try:
        assert gone() is not None
        talk.did(talk.session.client_closed())
        assert gone() is None
    finally:
        gc.enable()
    assert talk.session.door_key is None
    talk.did(talk.session.server_closed())
    assert (talk.session.state, talk.rest) == (State.CLOSED, [])
