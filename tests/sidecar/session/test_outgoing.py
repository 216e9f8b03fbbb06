"""Reads under `onFailure: block`: sent at once, answered when they are on record, as one event where that is enough."""

from __future__ import annotations

import pytest
from tests.sidecar.session.conversation import (
    BOUND,
    COPY_DONE,
    COPY_OUT,
    PARSED,
    READY,
    READY_IN,
    ROW,
    SUSPENDED,
    Conversation,
    allow,
    complete,
    copy_data,
    error,
    run,
    sync,
)

from penstock_sidecar.session import commands
from penstock_sidecar.session.outgoing import MOST_UNSEEN
from penstock_sidecar.session.states import State
from penstock_sidecar.wire import messages
from penstock_sidecar.wire.messages import bind, execute, parse, query

ONE = complete("SELECT 1")
BOTH = ["intent allow", "outcome ok"]
INSERT = allow("INSERT", writes=True)
DESCRIPTION = messages.message(b"T", b"\x00\x00")


def reading(*sent: bytes) -> Conversation:
    return Conversation({"INSERT": INSERT}, on_failure="block").client(*(sent or (query("SELECT 1"),)))


def moment(talk: Conversation) -> Conversation:
    return talk.did(talk.session.moment_over(talk.moments[-1]))


def failing(talk: Conversation, reason: str = "the disk is gone") -> Conversation:
    return talk.did(talk.session.audit_failed(talk.tickets[-1], reason))


def closes(talk: Conversation) -> bool:
    return talk.session.state is State.CLOSED and isinstance(talk.rest[-1], commands.Close)


def test_a_read_is_sent_at_once_and_recorded_with_what_came_of_it() -> None:
    talk = reading().reaches_server(query("SELECT 1"))
    assert talk.kinds() == []
    talk.server(ROW, ONE, READY).reaches_client()
    # Both at once, so that they become one event.
    assert talk.kinds() == BOTH
    assert not talk.session.server_waits
    talk.server(messages.parameter_status("a", "b")).reaches_client()
    talk.durable().reaches_client(ROW, ONE, READY, messages.parameter_status("a", "b"))
    talk.server(messages.parameter_status("a", "c")).reaches_client(messages.parameter_status("a", "c"))


def test_a_read_that_takes_longer_than_a_moment_is_on_record_while_it_runs() -> None:
    talk = moment(reading())
    assert talk.kinds() == BOTH[:1]
    talk.server(ROW).reaches_client()
    talk.durable().reaches_client(ROW)
    talk.server(ROW, ONE, READY).reaches_client(ROW, ONE, READY)
    assert talk.kinds() == BOTH
    assert len(talk.tickets) == 1, "nobody waits for its outcome"


def test_a_moment_that_is_over_late_says_nothing_of_another_read() -> None:
    talk = reading().server(ONE, READY).durable()
    first = talk.moments[-1]
    talk.client(query("SELECT 2"))
    talk.did(talk.session.moment_over(first))
    assert talk.kinds() == BOTH
    # It has a moment of its own, which began when the other was over.
    assert moment(talk).kinds() == [*BOTH, "intent allow"]
    assert len(talk.moments) == 2
    # Nor when nothing is recorded, and at the end.
    assert talk.did(talk.session.moment_over(first)).rest == []
    talk.did(talk.session.client_closed())
    assert talk.did(talk.session.moment_over(talk.moments[-1])).rest == []


def test_no_more_than_some_of_an_answer_is_kept_until_its_intent_is_durable() -> None:
    large = messages.message(b"D", bytes(MOST_UNSEEN))
    talk = reading().server(ROW).reaches_client()
    assert talk.kinds() == []
    assert not talk.session.server_waits
    talk.server(large).reaches_client()
    assert talk.kinds() == BOTH[:1]
    assert talk.session.server_waits
    talk.durable().reaches_client(ROW, large)
    assert not talk.session.server_waits
    talk.server(large).reaches_client(large)
    talk.server(ONE, READY).reaches_client(ONE, READY)
    assert talk.kinds() == BOTH


def test_so_is_what_is_copied() -> None:
    data = copy_data(bytes(MOST_UNSEEN))
    talk = reading(query("COPY t TO STDOUT")).server(COPY_OUT).reaches_client()
    talk.server(data).reaches_client().durable().reaches_client(COPY_OUT, data)
    talk.server(data, COPY_DONE, complete("COPY 2"), READY)
    talk.reaches_client(data, COPY_DONE, complete("COPY 2"), READY)
    assert talk.events[-1]["rows"] == 2
    # A few rows are one event.
    small = (COPY_OUT, copy_data(b"1"), COPY_DONE, complete("COPY 1"), READY)
    talk.client(query("COPY t TO STDOUT")).server(*small).reaches_client()
    assert talk.kinds() == BOTH * 2
    talk.durable().reaches_client(*small)


def test_the_extended_protocol_has_one_event_too() -> None:
    sent = parse("", "SELECT 1") + run() + sync()
    talk = reading(sent).reaches_server(sent)
    talk.server(PARSED, BOUND, ROW, ONE).reaches_client()
    assert talk.kinds() == [], "the Sync is not answered"
    talk.server(READY).reaches_client()
    assert talk.kinds() == BOTH
    talk.durable().reaches_client(PARSED, BOUND, ROW, ONE, READY)


def test_a_client_that_asks_for_what_there_is_gets_it_when_it_is_on_record() -> None:
    talk = reading(parse("", "SELECT 1"), bind("", ""), messages.message(b"D", b"P\x00"), messages.FLUSH)
    talk.server(PARSED, BOUND, DESCRIPTION).reaches_client()
    # Nothing comes of it before the client goes on.
    assert talk.kinds() == BOTH[:1]
    talk.durable().reaches_client(PARSED, BOUND, DESCRIPTION)
    talk.client(execute(""), sync()).server(ROW, ONE, READY).reaches_client(ROW, ONE, READY)
    assert talk.kinds() == BOTH


def test_a_portal_that_is_read_in_portions_has_an_event_for_each() -> None:
    talk = reading(query("BEGIN")).server(complete("BEGIN"), READY_IN).durable()
    talk.client(parse("", "SELECT 1"), bind("", ""), execute("", 1), sync())
    talk.server(PARSED, BOUND, ROW, SUSPENDED, READY_IN).reaches_client()
    assert talk.kinds() == BOTH * 2
    talk.durable().reaches_client(PARSED, BOUND, ROW, SUSPENDED, READY_IN)
    talk.client(execute("", 1), sync()).server(ROW, SUSPENDED, READY_IN).reaches_client()
    assert talk.kinds() == BOTH * 3
    talk.durable().reaches_client(ROW, SUSPENDED, READY_IN)


def test_what_is_behind_in_a_pipeline_is_recorded_with_what_is_before() -> None:
    talk = reading(query("SELECT 1"), query("SELECT 2"))
    talk.server(ONE, READY).reaches_client()
    assert talk.kinds() == []
    talk.server(ROW, ONE, READY).reaches_client()
    assert talk.kinds() == ["intent allow", "intent allow", "outcome ok", "outcome ok"]
    talk.durable().reaches_client(ONE, READY, ROW, ONE, READY)


def test_in_a_pipeline_each_answer_is_seen_when_its_own_record_is_durable() -> None:
    talk = reading().server(ONE, READY)
    talk.client(query("SELECT 2")).server(ROW, ONE, READY).reaches_client()
    first, second = talk.tickets
    talk.did(talk.session.durable(first)).reaches_client(ONE, READY)
    talk.did(talk.session.durable(second)).reaches_client(ROW, ONE, READY)
    assert talk.kinds() == BOTH * 2


def test_a_write_behind_a_read_takes_what_is_recorded_of_that_along() -> None:
    talk = reading(query("SELECT 1"), query("INSERT")).reaches_server(query("SELECT 1"))
    assert talk.kinds() == ["intent allow", "intent allow"]
    talk.server(ONE, READY).reaches_client()
    talk.durable().reaches_client(ONE, READY).reaches_server(query("INSERT"))
    talk.server(complete("INSERT 0 1"), READY).reaches_client(complete("INSERT 0 1"), READY)


def test_an_error_is_seen_when_it_is_on_record() -> None:
    talk = reading().server(error("22012"), READY).reaches_client()
    assert talk.kinds() == ["intent allow", "outcome error"]
    talk.durable().client_reads_error("22012", then=READY)


def test_so_is_a_read_that_the_client_cancels() -> None:
    talk = moment(reading()).durable()
    talk.server(ROW, error("57014"), READY)
    assert talk.kinds() == ["intent allow", "outcome error"]
    assert talk.to_client.startswith(ROW)
    assert (talk.events[-1]["sqlstate"], talk.events[-1]["rows"]) == ("57014", 1)


@pytest.mark.parametrize("answered", [b"", ROW, ROW + ONE], ids=["nothing", "a row", "all but the end"])
def test_a_client_that_goes_leaves_an_unknown_outcome(answered: bytes) -> None:
    talk = reading().server(answered)
    talk.did(talk.session.client_closed()).reaches_client()
    assert talk.kinds() == ["intent allow", "outcome unknown", "session end"]


def test_a_client_that_goes_before_it_saw_anything_leaves_what_came_of_it() -> None:
    talk = reading().server(ROW, ONE, READY)
    talk.did(talk.session.client_closed()).reaches_client()
    assert talk.kinds() == [*BOTH, "session end"]


def test_nothing_is_seen_of_a_read_that_can_not_be_recorded() -> None:
    talk = failing(reading().server(ROW, ONE, READY))
    talk.client_reads_error("53100", "the disk is gone")
    assert closes(talk)


def test_nor_of_one_that_runs_and_the_error_is_a_message_of_its_own() -> None:
    # Its first row came in part, and the client has seen nothing of it.
    talk = failing(moment(reading().server(DESCRIPTION, ROW[:7])))
    talk.client_reads_error("53100", "the disk is gone")
    assert closes(talk)


def test_no_error_goes_into_the_middle_of_what_the_client_has_seen() -> None:
    talk = moment(reading()).durable()
    talk.server(ROW[:7]).reaches_client(ROW[:7])
    # Meanwhile comes the next one, which can't be recorded.
    talk.client(query("SELECT 2"))
    talk.server(ROW[7:], ONE, READY).reaches_client()
    failing(moment(talk)).reaches_client()
    assert closes(talk)


ENDS = error("57P01", severity="FATAL")


def gone(*said: bytes) -> Conversation:
    """A server that is gone before what it answered is on record."""
    talk = reading().reaches_server(query("SELECT 1")).server(*said).reaches_client()
    return talk.did(talk.session.server_closed()).reaches_client()


def test_what_a_server_said_before_it_went_is_seen_once_it_is_on_record() -> None:
    talk = gone(ROW, ENDS)
    assert talk.session.state is State.ENDED
    assert talk.kinds() == ["intent allow", "outcome error", "session end"]
    talk.durable().reaches_client(ROW, ENDS)
    assert closes(talk)


def test_so_is_the_whole_answer_of_one_that_went_without_a_word() -> None:
    talk = gone(ROW, ONE, READY).durable()
    assert talk.to_client.startswith(ROW + ONE + READY)
    talk.client_reads_error("08006", "closed the connection", then=b"")
    assert closes(talk)


def test_nothing_is_put_into_a_row_that_came_in_part() -> None:
    talk = gone(DESCRIPTION, ROW[:7]).durable().reaches_client(DESCRIPTION, ROW[:7])
    assert closes(talk)


def test_nothing_more_is_read_from_the_client_of_a_server_that_is_gone() -> None:
    talk = gone(ROW, ENDS)
    assert talk.session.client_waits
    talk.client(query("INSERT")).reaches_server()
    talk.did(talk.session.answered(1, None)).did(talk.session.drain("later", at_once=False))
    assert not talk.session.takes_rules
    talk.durable().reaches_client(ROW, ENDS)
    assert closes(talk)


def test_what_can_not_be_put_on_record_is_not_seen_though_the_server_is_gone() -> None:
    talk = failing(gone(ROW, ENDS)).client_reads_error("53100", "the disk is gone")
    assert closes(talk)


@pytest.mark.parametrize("leaves", ["client_closed", "expired", "drain"])
def test_a_client_does_not_wait_for_the_last_words_of_a_server_for_ever(leaves: str) -> None:
    talk = gone(ROW, ENDS)
    session = talk.session
    ways = {
        "client_closed": session.client_closed,
        "expired": lambda: session.expired(at_once=True),
        "drain": lambda: session.drain("now", at_once=True),
    }
    talk.did(ways[leaves]())
    assert closes(talk)
    assert ROW not in talk.to_client


def test_a_session_that_has_to_end_ends_when_the_answer_was_seen() -> None:
    talk = reading()
    talk.did(talk.session.drain("later", at_once=False)).reaches_client()
    talk.server(ROW, ONE, READY).reaches_client()
    assert talk.session.state is State.RUNNING
    talk.durable()
    assert talk.to_client.startswith(ROW + ONE + READY)
    assert closes(talk)


def test_at_once_it_ends_with_the_reason_alone() -> None:
    talk = reading().server(ROW, ONE, READY)
    talk.did(talk.session.drain("now", at_once=True)).client_reads_error("57P01")
    assert closes(talk)
