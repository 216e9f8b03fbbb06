"""Conversations: statements whose changed rows are counted, before their end goes to the client."""

from __future__ import annotations

from typing import Any

import pytest
from tests.sidecar.session.conversation import (
    BOUND,
    CLOSED,
    COPY_IN,
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
    copy_data,
    counts,
    error,
    run,
    sync,
)

from penstock_core.policy.effective import Limit, Rule
from penstock_sidecar.session import commands, measuring
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

LIMIT = Limit(2, Rule("web", "guardrails.maxRowsChanged"))
TEXT = "UPDATE t"
ASKED, _ = measuring.asking(NOBODY)
THE_END = sync() + close_statement("") + close_portal("") + FLUSH


def counted(before: int, **more: Any) -> bytes:
    """What the server answers when it is asked."""
    return CLOSED + CLOSED + PARSED + BOUND + counts(before, **more) + complete("SELECT 1") + CLOSED + CLOSED


def changing(on_failure: str = "continue", text: str = TEXT, **more: Any) -> Conversation:
    return Conversation({text: allow(text, change_limit=LIMIT, writes=True, **more)}, on_failure=on_failure)


def sent(talk: Conversation) -> Conversation:
    talk.client(query(TEXT)).reaches_server(
        parse("", TEXT), bind("", ""), describe_portal(""), ASKED, execute(""), FLUSH
    )
    return talk.server(PARSED, BOUND, NO_DATA, counted(5)).reaches_client()


def test_the_end_of_a_statement_waits_until_its_rows_are_counted() -> None:
    talk = sent(changing())
    talk.server(complete("UPDATE 2")).reaches_client().reaches_server(ASKED, FLUSH)
    talk.server(counted(7)).reaches_client(complete("UPDATE 2")).reaches_server(THE_END)
    talk.server(READY, CLOSED, CLOSED).reaches_client(READY)
    assert talk.kinds() == ["intent allow", "outcome ok"]
    assert talk.events[-1]["rows"] == 2


def test_too_many_fail_in_the_servers_own_way() -> None:
    talk = sent(changing())
    talk.server(complete("UPDATE 1")).reaches_client().reaches_server(ASKED, FLUSH)
    talk.server(counted(8)).reaches_client().reaches_server(execute(NOBODY), FLUSH)
    talk.server(error("34000")).client_reads_error("42501", "changes more than 2 rows").reaches_server(THE_END)
    talk.server(READY_FAILED, CLOSED, CLOSED).reaches_client(READY_FAILED)
    assert talk.kinds() == ["intent allow", "outcome denied"]
    assert talk.events[-1]["rule"] == "guardrails.maxRowsChanged"


@pytest.mark.parametrize("off", ["before", "after"])
def test_a_server_that_does_not_count_changes_nothing(off: str) -> None:
    talk = changing()
    talk.client(query(TEXT)).server(PARSED, BOUND, NO_DATA, counted(5, on=off != "before"), complete("UPDATE 0"))
    talk.server(counted(5, on=off != "after")).reaches_client()
    talk.server(error("34000")).client_reads_error("42501", "track_counts")


def test_rows_that_come_back_go_on_at_once() -> None:
    talk = changing()
    described = message(b"T", b"\x00\x00")
    talk.client(query(TEXT)).server(PARSED, BOUND, described, counted(5), ROW, ROW, complete("UPDATE 2"))
    talk.reaches_client(described, ROW, ROW)
    talk.server(counted(5)).reaches_client(complete("UPDATE 2"))


def test_a_large_row_that_comes_back_goes_on_in_pieces() -> None:
    talk = changing()
    row = message(b"D", bytes(100_000))
    talk.client(query(TEXT)).server(PARSED, BOUND, message(b"T", b"\x00\x00"), counted(5))
    talk.server(row[:9000]).reaches_client(row[:9000])
    talk.server(row[9000:], complete("UPDATE 1")).reaches_client(row[9000:])
    talk.server(counted(6)).reaches_client(complete("UPDATE 1"))


def test_portions_of_a_portal_count_together() -> None:
    talk = changing()
    talk.client(parse("", TEXT), bind("", ""), execute("", 1)).server(PARSED, BOUND, counted(0), ROW, SUSPENDED)
    talk.reaches_client(PARSED, BOUND, ROW).server(counted(2)).reaches_client(SUSPENDED)
    talk.client(execute("", 1)).server(counted(2), ROW, SUSPENDED).server(counted(3)).server(error("34000"))
    talk.client_reads_error("42501")


def test_what_fails_before_the_statement_is_the_servers_own() -> None:
    talk = changing()
    talk.client(query(TEXT)).server(PARSED, BOUND, NO_DATA, CLOSED, CLOSED, error("25P02"))
    talk.client_reads_error("25P02").reaches_server(THE_END)
    assert (talk.kinds(), talk.events[-1]["sqlstate"]) == (["intent allow", "outcome error"], "25P02")


def test_what_comes_behind_waits_and_is_skipped_after_the_error() -> None:
    talk = changing()
    talk.client(parse("", TEXT), run(), parse("", "INSERT"), run(), sync()).server(PARSED, BOUND, counted(0))
    assert talk.session.state is State.COUNTING
    talk.server(complete("UPDATE 3")).server(counted(3)).server(error("34000"))
    talk.client_reads_error("42501")
    talk.reaches_server(sync())
    assert talk.session.state is State.RUNNING


COPY = "COPY t FROM STDIN"


def copying() -> Conversation:
    talk = changing(text=COPY)
    talk.client(query(COPY)).server(PARSED, BOUND, NO_DATA, counted(0), COPY_IN).reaches_client(COPY_IN)
    assert talk.session.state is State.RUNNING
    return talk


def test_the_data_of_a_copy_flows_and_its_end_is_counted() -> None:
    talk = copying()
    talk.client(copy_data(b"1\n"), message(b"c", b""))
    assert talk.session.state is State.COUNTING
    talk.reaches_server(copy_data(b"1\n"), message(b"c", b""), FLUSH)
    talk.server(complete("COPY 1")).reaches_client()
    talk.server(counted(1)).reaches_client(complete("COPY 1")).reaches_server(THE_END)
    talk.server(READY, CLOSED, CLOSED).reaches_client(READY)


def test_a_copy_that_fails_ends_between_two_messages_of_its_data() -> None:
    talk = copying()
    data = copy_data(b"1\n" * 10)
    talk.client(data[:7]).server(error("22P02")).client_reads_error("22P02").reaches_server()
    talk.client(data[7:]).reaches_server(data[7:], THE_END)
    talk.server(READY, CLOSED, CLOSED).reaches_client(READY)
    talk.client(message(b"c", b""), query("SELECT 1")).server(complete("SELECT 1"), READY)
    talk.reaches_client(complete("SELECT 1"), READY)
    assert talk.kinds()[:2] == ["intent allow", "outcome error"]


def test_counts_that_can_not_be_read_end_the_session() -> None:
    talk = changing()
    talk.client(query(TEXT)).server(PARSED, BOUND, NO_DATA, CLOSED, CLOSED, PARSED, BOUND, ROW)
    assert isinstance(talk.rest[-1], commands.Close)


def test_a_session_that_ends_meanwhile_leaves_an_unknown_outcome() -> None:
    talk = sent(changing())
    talk.server(complete("UPDATE 1"))
    talk.did(talk.session.client_closed())
    assert talk.kinds() == ["intent allow", "outcome unknown", "session end"]


@pytest.mark.parametrize(
    ("before", "after", "rows"),
    [({}, {}, 0), ({}, {1: 2, 2: 3}, 5), ({1: 2}, {1: 2, 2: 1}, 1), ({1: 9}, {2: 3}, 3), ({1: 9}, {1: 4, 2: 3}, 3)],
)
def test_one_table_hides_nothing_of_another(before: dict[int, int], after: dict[int, int], rows: int) -> None:
    assert measuring.changed(before, after) == rows
