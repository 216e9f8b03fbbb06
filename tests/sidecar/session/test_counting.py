"""Conversations: statements whose rows are limited, and what waits behind them."""

from __future__ import annotations

from typing import Any

import pytest
from tests.sidecar.session.conversation import (
    BOUND,
    CLOSED,
    COPY_IN,
    COPY_OUT,
    NO_DATA,
    NOBODY,
    PARSED,
    READY,
    READY_FAILED,
    ROW,
    SUSPENDED,
    Conversation,
    allow,
    complete,
    error,
    rewrite,
    run,
    sync,
)

from penstock_core.policy.effective import Limit, Rule
from penstock_core.sql.decision import Decision
from penstock_sidecar.session import commands
from penstock_sidecar.session.states import State
from penstock_sidecar.wire.messages import (
    FLUSH,
    bind,
    close_portal,
    close_statement,
    describe_portal,
    execute,
    message,
    parse,
    query,
)

LIMIT = Limit(2, Rule("web", "guardrails.maxRowsReturned"))
TEXT = "SELECT i"
DESCRIBED = message(b"T", b"\x00\x00")
IN_PLACE = parse("", TEXT) + bind("", "") + describe_portal("") + execute("", 2) + FLUSH
THE_END = sync() + close_statement("") + close_portal("") + FLUSH


def limited(**more: Any) -> Decision:
    return allow(TEXT, row_limit=LIMIT, **more)


def counting(on_failure: str = "continue", **more: Any) -> Conversation:
    return Conversation({TEXT: limited(**more)}, on_failure=on_failure)


def bound(talk: Conversation) -> Conversation:
    """Parsed and bound, not executed."""
    talk.client(parse("", TEXT), bind("", "")).reaches_server(parse("", TEXT), bind("", ""))
    return talk.server(PARSED, BOUND).reaches_client(PARSED, BOUND)


def test_a_query_runs_in_a_portal_and_its_client_does_not_notice() -> None:
    talk = counting()
    talk.client(query(TEXT)).reaches_server(IN_PLACE)
    talk.server(PARSED, BOUND, DESCRIBED, ROW, complete("SELECT 1"))
    talk.reaches_client(DESCRIBED, ROW, complete("SELECT 1")).reaches_server(THE_END)
    talk.server(READY, CLOSED, CLOSED).reaches_client(READY)
    assert (list(talk.flow.queue), talk.flow.status) == ([], b"I")
    assert talk.kinds() == ["intent allow", "outcome ok"]
    assert (talk.events[0]["protocol"], talk.events[1]["rows"]) == ("simple", 1)


def test_that_a_query_has_no_rows_is_not_said() -> None:
    talk = counting()
    talk.client(query(TEXT)).server(PARSED, BOUND, NO_DATA, complete("DO")).reaches_client(complete("DO"))


def test_a_rewritten_query_runs_as_it_is_rewritten() -> None:
    talk = Conversation({TEXT: rewrite("SELECT masked", row_limit=LIMIT)})
    talk.client(query(TEXT))
    assert talk.to_server.startswith(parse("", "SELECT masked"))


def test_as_many_as_the_limit_are_found_to_be_all() -> None:
    talk = counting()
    talk.client(query(TEXT)).server(PARSED, BOUND, DESCRIBED, ROW, ROW, SUSPENDED)
    talk.reaches_client(DESCRIBED, ROW, ROW).reaches_server(execute("", 1), FLUSH)
    talk.server(complete("SELECT 0")).reaches_client(complete("SELECT 2"))
    assert talk.events[-1]["rows"] == 2


def test_one_more_goes_no_further_and_the_server_fails_in_its_place() -> None:
    talk = counting()
    talk.client(query(TEXT)).server(PARSED, BOUND, DESCRIBED, ROW, ROW, SUSPENDED)
    talk.server(ROW[:5]).server(ROW[5:], SUSPENDED).reaches_client().reaches_server(execute(NOBODY), FLUSH)
    talk.server(error("34000")).client_reads_error("42501", "returns more than 2 rows").reaches_server(THE_END)
    talk.server(READY_FAILED, CLOSED, CLOSED).reaches_client(READY_FAILED)
    assert talk.kinds() == ["intent allow", "outcome denied"]
    assert (talk.events[-1]["sqlstate"], talk.events[-1]["rows"]) == ("42501", 2)
    # And rows are hopped over again.
    talk.client(query("SELECT 1")).server(ROW, ROW, ROW, complete("SELECT 3")).reaches_client(
        ROW, ROW, ROW, complete("SELECT 3")
    )


def test_another_error_at_the_row_beyond_is_the_servers_own() -> None:
    talk = counting()
    talk.client(query(TEXT)).server(PARSED, BOUND, DESCRIBED, ROW, ROW, SUSPENDED)
    talk.server(error("22012")).client_reads_error("22012", "words of the server")
    assert talk.kinds() == ["intent allow", "outcome error"]


def test_what_comes_behind_waits_and_is_skipped_after_the_error() -> None:
    talk = bound(counting())
    behind = parse("", "INSERT"), run(), sync(), query("SELECT 1")
    talk.client(execute("", 0), *behind).reaches_server(execute("", 2), FLUSH)
    assert talk.session.state is State.COUNTING
    talk.client(query("SELECT 2")).reaches_server()
    talk.server(ROW, ROW, SUSPENDED).server(ROW, SUSPENDED)
    talk.server(error("34000"))
    talk.reaches_server(sync(), query("SELECT 1"), query("SELECT 2")).client_reads_error("42501")
    assert talk.session.state is State.RUNNING


def test_what_comes_behind_goes_on_after_the_end() -> None:
    talk = bound(counting())
    talk.client(execute("", 0), sync()).server(ROW, complete("SELECT 1")).reaches_server(sync())


def test_portions_of_a_portal_count_together() -> None:
    talk = bound(counting())
    talk.client(execute("", 1)).reaches_server(execute("", 1), FLUSH)
    talk.server(ROW, SUSPENDED).reaches_client(ROW, SUSPENDED)
    talk.client(execute("", 5)).reaches_server(execute("", 1), FLUSH)
    talk.server(ROW, SUSPENDED).reaches_client(ROW).reaches_server(execute("", 1), FLUSH)
    talk.server(complete("SELECT 0")).reaches_client(complete("SELECT 1"))
    talk.client(execute("", 5)).reaches_server(execute("", 1), FLUSH)
    talk.server(ROW, SUSPENDED).reaches_client().reaches_server(execute(NOBODY), FLUSH)
    assert [event["rows"] for event in talk.events if event["kind"] == "outcome"] == [1, 1]


def test_a_portal_that_is_bound_anew_counts_anew() -> None:
    talk = bound(counting())
    talk.client(execute("", 2)).server(ROW, ROW, SUSPENDED)
    talk.client(bind("", ""), execute("", 2)).reaches_server(bind("", ""), execute("", 2), FLUSH)


def test_a_query_is_skipped_with_what_was_sent_before_it() -> None:
    talk = counting()
    talk.client(parse("", "SELEKT"), query(TEXT)).reaches_server(parse("", "SELEKT"), IN_PLACE)
    # As at the server, which reads no Query before the Sync.
    talk.server(error("42601")).client_reads_error("42601").reaches_server()
    talk.client(query("SELECT 1")).reaches_server()
    talk.client(sync()).reaches_server(sync()).server(READY).reaches_client(READY)
    talk.client(query("SELECT 1")).reaches_server(query("SELECT 1"))


def test_a_query_takes_the_unnamed_statement_away_as_at_the_server() -> None:
    talk = counting()
    talk.client(parse("", "SELECT 1"), sync()).server(PARSED, READY)
    talk.client(query(TEXT)).server(PARSED, BOUND, DESCRIBED, complete("SELECT 0")).server(READY, CLOSED, CLOSED)
    talk.client(bind("", ""), sync()).reaches_server(bind("", NOBODY), sync())
    talk.server(error("26000"), READY).client_reads_error("26000", "unnamed prepared statement", READY)


def test_block_a_write_is_recorded_before_it_is_sent_and_counted() -> None:
    talk = counting("block", writes=True)
    talk.client(query(TEXT), query("SELECT 1")).reaches_server()
    (ticket,) = talk.tickets
    talk.did(talk.session.durable(ticket)).reaches_server(IN_PLACE)
    assert talk.session.state is State.COUNTING
    talk.server(PARSED, BOUND, DESCRIBED, complete("INSERT 0 0"))
    talk.reaches_server(THE_END, query("SELECT 1"))


def test_block_what_a_read_answers_waits_for_its_event_and_what_comes_behind_for_its_answer() -> None:
    talk = counting("block")
    talk.client(query(TEXT), query("SELECT 1")).reaches_server(IN_PLACE)
    talk.server(PARSED, BOUND, DESCRIBED, ROW, complete("SELECT 1")).reaches_client()
    talk.reaches_server(THE_END, query("SELECT 1"))
    talk.server(READY, CLOSED, CLOSED, complete("SELECT 0"), READY).reaches_client()
    assert talk.kinds() == ["intent allow", "outcome ok"] * 2
    talk.durable().reaches_client(DESCRIBED, ROW, complete("SELECT 1"), READY, complete("SELECT 0"), READY)


def test_a_client_is_read_from_while_it_waits_but_not_without_end() -> None:
    talk = counting()
    talk.client(query(TEXT))
    assert not talk.session.client_waits
    talk.client(bytes(2 << 20)).reaches_server()
    assert talk.session.client_waits


def test_nonsense_that_waited_ends_the_session_in_words() -> None:
    talk = counting()
    talk.client(query(TEXT))
    talk.client(b"?????????").reaches_client()
    talk.server(PARSED, BOUND, DESCRIBED, complete("SELECT 0"))
    assert b"protocol violation" in talk.to_client
    assert isinstance(talk.rest[-1], commands.Close)


@pytest.mark.parametrize("body", [b"", b"\x00", b"\x00\x00\x00", b"\x00\x00\x00\x00\x00more"])
def test_an_execute_that_is_none_ends_the_session_before_anything_is_recorded_of_it(body: bytes) -> None:
    talk = bound(counting())
    talk.client(message(b"E", body)).client_reads_error("08P01")
    # Of the Bind there was, and of it alone.
    assert talk.kinds() == ["intent allow", "outcome unexecuted", "session end"]


@pytest.mark.parametrize("copying", [COPY_IN, COPY_OUT])
def test_copying_can_not_be_counted_and_is_not_expected(copying: bytes) -> None:
    talk = counting()
    talk.client(query(TEXT)).server(PARSED, BOUND, NO_DATA, copying)
    talk.client_reads_error("08P01", "began to COPY")


def test_a_session_that_ends_meanwhile_leaves_an_unknown_outcome() -> None:
    talk = counting()
    talk.client(query(TEXT))
    talk.did(talk.session.rules_replaced(talk.rules("another")))
    talk.did(talk.session.drain("stopping", at_once=False)).reaches_client()
    talk.did(talk.session.client_closed())
    assert talk.kinds() == ["intent allow", "outcome unknown", "session end"]
