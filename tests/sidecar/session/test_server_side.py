"""What the client reads of errors and notices of statements whose rows come in an order that nobody may learn."""

from __future__ import annotations

from dataclasses import replace

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

from penstock_core.sql.decision import Action, Decision
from penstock_sidecar.wire import messages
from penstock_sidecar.wire.messages import ErrorFields, parse, query

MIXED = replace(
    allow("UPDATE t SET x = 1 / y"), action=Action.REWRITE, text="UPDATE t SET x = 1 / y", redact_errors=True,
    writes=True, mixed_errors="23000",
)  # fmt: skip
READ = replace(allow("SELECT sum(1 / y)"), redact_errors=True, mixed_errors="22000")
PREPARE = replace(
    allow("PREPARE p AS SELECT sum(1 / y)"), redact_errors=True, mixed_errors="22000", prepares=("p",),
    made_from="PREPARE p AS SELECT sum(1 / y)",
)  # fmt: skip
EXECUTE = allow("EXECUTE p", executes=("p",), redact_errors=True)
CURSOR = replace(
    allow("DECLARE c CURSOR FOR SELECT sum(1 / y)"), redact_errors=True, mixed_errors="22000", declares=(("c", False),),
    made_from="DECLARE c CURSOR FOR SELECT sum(1 / y)",
)  # fmt: skip
FETCH = allow("FETCH c", fetches=("c",), redact_errors=True)
OTHER = allow("UPDATE u SET x = 1", redact_errors=True, writes=True)
KNOWN = {one.text: one for one in (MIXED, READ, PREPARE, EXECUTE, CURSOR, FETCH, OTHER)}
NOTICE = messages.notice_response(ErrorFields("NOTICE", "00000", "row 7"))


def talk() -> Conversation:
    return Conversation(dict(KNOWN))


def succeeds(one: Conversation, decision: Decision, tag: str, then: bytes = READY_IN) -> None:
    one.client(query(decision.text)).server(complete(tag), then)


def test_whatever_comes_first_the_client_reads_the_same() -> None:
    for sqlstate in ("22012", "23505"):
        one = talk()
        one.client(query(MIXED.text)).server(error(sqlstate), READY)
        one.client_reads_error("23000", "penstock: a row makes the change fail", READY)
        one.client(parse("", READ.text), run(), sync()).server(PARSED, BOUND, error(sqlstate), READY)
        assert b"C22000\x00" in one.to_client


def test_notices_on_the_way_would_tell_as_much() -> None:
    one = talk()
    one.client(query(READ.text)).server(NOTICE, ROW, NOTICE, complete("SELECT 1"), READY)
    one.reaches_client(ROW, complete("SELECT 1"), READY)


@pytest.mark.parametrize(("made", "tag", "runs"), [(PREPARE, "PREPARE", EXECUTE), (CURSOR, "DECLARE CURSOR", FETCH)])
def test_what_was_made_in_sql_is_told_of_as_it_is_run(made: Decision, tag: str, runs: Decision) -> None:
    one = talk()
    one.client(query("BEGIN")).server(complete("BEGIN"), READY_IN)
    succeeds(one, made, tag)
    one.client(query(runs.text)).server(error("22012"), READY_FAILED)
    one.client_reads_error("22000", "", READY_FAILED)


def test_what_waits_for_the_commit_is_told_of_like_that_too() -> None:
    one = talk()
    one.client(query("BEGIN")).server(complete("BEGIN"), READY_IN)
    succeeds(one, MIXED, "UPDATE 7")
    # Another statement's error is its own.
    one.client(query("SAVEPOINT s")).server(complete("SAVEPOINT"), READY_IN)
    one.client(query(OTHER.text)).server(error("23514"), READY_FAILED)
    one.client_reads_error("23514", "withheld", READY_FAILED)
    one.client(query("ROLLBACK TO s")).server(complete("ROLLBACK"), READY_IN)
    one.client(query("COMMIT")).server(error("23503"), READY)
    one.client_reads_error("23000", "", READY)
    # It ended with the transaction.
    one.client(query("BEGIN")).server(complete("BEGIN"), READY_IN)
    succeeds(one, OTHER, "UPDATE 1")
    one.client(query("COMMIT")).server(error("23503"), READY)
    one.client_reads_error("23503", "", READY)


def test_what_waits_for_a_sync_is_told_of_like_that_too() -> None:
    one = talk()
    one.client(parse("", MIXED.text), run(), sync()).server(PARSED, BOUND, complete("UPDATE 7"), error("23503"), READY)
    assert b"C23000\x00" in one.to_client
