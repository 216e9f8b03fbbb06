"""Writes under `onFailure: block`: sent when they are on record, or at once where a COMMIT is still to come."""

from __future__ import annotations

import pytest
from tests.sidecar.session.conversation import (
    BOUND,
    PARSED,
    READY,
    READY_FAILED,
    READY_IN,
    ROW,
    Conversation,
    allow,
    complete,
    error,
    run,
    sync,
)

from penstock_sidecar.session import commands
from penstock_sidecar.session.states import State
from penstock_sidecar.wire import messages
from penstock_sidecar.wire.messages import parse, query

ROWS = "UPDATE t SET a = 1"
MORE = "UPDATE t SET a = f()"
BOOK = {
    ROWS: allow(ROWS, writes=True, undone_by_rollback=True),
    MORE: allow(MORE, writes=True),
}
DONE = complete("UPDATE 1")
BOTH = ["intent allow", "outcome ok"]


def in_block() -> Conversation:
    talk = Conversation(BOOK, on_failure="block").client(query("BEGIN")).server(complete("BEGIN"), READY_IN)
    talk.durable().reaches_client(complete("BEGIN"), READY_IN)
    talk.events.clear()
    return talk


def recording(talk: Conversation) -> Conversation:
    assert talk.session.state is State.RECORDING
    return talk.reaches_server()


def test_outside_of_a_block_it_waits() -> None:
    recording(Conversation(BOOK, on_failure="block").client(query(ROWS))).durable().reaches_server(query(ROWS))


def test_in_a_block_it_is_sent_at_once_and_its_intent_handed_over() -> None:
    talk = in_block().client(query(ROWS)).reaches_server(query(ROWS))
    assert talk.kinds() == BOTH[:1]
    talk.server(DONE, READY_IN).reaches_client()
    talk.durable().reaches_client(DONE, READY_IN)
    assert talk.kinds() == BOTH
    talk.client(query("COMMIT")).reaches_server(query("COMMIT"))


def test_so_it_is_in_the_extended_protocol() -> None:
    sent = parse("", ROWS) + run() + sync()
    talk = in_block().client(sent).reaches_server(sent)
    talk.server(PARSED, BOUND, DONE, READY_IN).reaches_client()
    talk.durable().reaches_client(PARSED, BOUND, DONE, READY_IN)
    assert talk.kinds() == BOTH


def test_what_rollback_does_not_undo_waits_there_too() -> None:
    recording(in_block().client(query(MORE))).durable().reaches_server(query(MORE))


@pytest.mark.parametrize("end", ["COMMIT", "PREPARE TRANSACTION 'x'", "COMMIT PREPARED 'x'", "ROLLBACK TO s"])
def test_no_transaction_ends_before_all_its_writes_are_on_record(end: str) -> None:
    verb = end.partition("'")[0].strip().lower().removesuffix(" to s")
    talk = in_block()
    talk.book.entries[end] = allow(end).changed(verbs=(verb,))
    talk.client(query(ROWS), query(end)).reaches_server(query(ROWS))
    assert talk.session.state is State.RECORDING
    talk.server(DONE, READY_IN).reaches_client().reaches_server()
    talk.durable().reaches_client(DONE, READY_IN).reaches_server(query(end))


def test_nor_where_the_commit_comes_when_the_answer_did_and_was_not_seen() -> None:
    talk = in_block().client(query(ROWS)).server(DONE, READY_IN).reaches_client()
    recording(talk.client(query("COMMIT"))).durable().reaches_client(DONE, READY_IN).reaches_server(query("COMMIT"))
    talk.server(complete("COMMIT"), READY).reaches_client(complete("COMMIT"), READY)


def test_behind_what_may_end_the_block_it_waits() -> None:
    talk = in_block().client(query("COMMIT"), query(ROWS)).reaches_server(query("COMMIT"))
    assert talk.session.state is State.RECORDING


def test_in_a_block_that_has_failed_it_waits() -> None:
    talk = in_block().client(query("SELECT 1")).server(error("22012"), READY_FAILED).durable()
    recording(talk.client(query(ROWS)))


def test_while_the_trail_refuses_it_waits() -> None:
    talk = in_block()
    talk.trail.refusal = "the spool is full"
    recording(talk.client(query(ROWS)))


def test_what_can_not_be_recorded_ends_the_session_and_with_it_the_block() -> None:
    talk = in_block().client(query(ROWS)).server(DONE, READY_IN)
    talk.did(talk.session.audit_failed(talk.tickets[-1], "the disk is gone"))
    talk.client_reads_error("53100", "the disk is gone").reaches_server()
    assert isinstance(talk.rest[-1], commands.Close)


def test_a_read_in_front_of_it_is_recorded_with_it() -> None:
    talk = in_block().client(query("SELECT 1"), query(ROWS)).reaches_server(query("SELECT 1"), query(ROWS))
    assert talk.kinds() == ["intent allow", "intent allow"]
    talk.server(ROW, complete("SELECT 1"), READY_IN, DONE, READY_IN).reaches_client()
    talk.durable().reaches_client(ROW, complete("SELECT 1"), READY_IN, DONE, READY_IN)


def test_a_client_that_leaves_in_the_block_leaves_its_intent() -> None:
    talk = in_block().client(query(ROWS), messages.TERMINATE).reaches_server(query(ROWS), messages.TERMINATE)
    assert talk.kinds() == ["intent allow", "outcome unknown", "transaction unknown", "session end"]
