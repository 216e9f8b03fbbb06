"""Each statement has its own outcome and the transaction that it ran in, and it is on record how that ended."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from tests.sidecar.session.conversation import (
    BOUND,
    COPY_OUT,
    PARSED,
    READY,
    READY_FAILED,
    READY_IN,
    ROW,
    SUSPENDED,
    Conversation,
    allow,
    complete,
    copy_data,
    deny,
    error,
    run,
    sync,
)

from penstock_core.sql.decision import Decision, Recorded
from penstock_sidecar.wire.messages import bind, execute, parse, query


def several(text: str) -> Decision:
    """A text of several statements, as the governor describes it."""
    parts = [part.strip() for part in text.split(";")]
    ending = ("COMMIT", "ROLLBACK", "ROLLBACK AND CHAIN", "PREPARE TRANSACTION 'x'")
    recorded = tuple(Recorded((one.split()[0].lower(),), text=one, ends=one in ending) for one in parts)
    return replace(allow(text), verbs=tuple(one.verbs[0] for one in recorded), parts=recorded)


def talk(*texts: str, **more: Any) -> Conversation:
    return Conversation({text: several(text) for text in texts}, **more)


def outcomes(one: Conversation) -> list[tuple[Any, ...]]:
    """What became of each statement, and in which transaction; and how transactions ended."""
    return [
        ("transaction", event["transaction"], event["result"], event.get("sqlstate", ""))
        if event["kind"] == "transaction"
        else (event["statement"], event["result"], event["rows"], event["sqlstate"], event.get("transaction"))
        for event in one.events
        if event["kind"] in ("outcome", "transaction")
    ]


def test_each_statement_of_a_text_has_an_intent_and_an_outcome() -> None:
    text = "BEGIN; DELETE 1; COMMIT; SELECT 1/0; SELECT 2"
    one = talk(text)
    one.client(query(text))
    intents = [(event["statement"], event["verbs"], event["sql"]) for event in one.events]
    assert intents == [
        (1, ["begin"], "BEGIN"), (2, ["delete"], "DELETE 1"), (3, ["commit"], "COMMIT"), (4, ["select"], "SELECT 1/0"),
        (5, ["select"], "SELECT 2"),
    ]  # fmt: skip
    # They came together, and so have the digest of the whole text.
    assert len({event["sqlHmac"] for event in one.events}) == 1
    one.server(complete("BEGIN"), complete("DELETE 3"), complete("COMMIT"), error("22012"), READY)
    assert outcomes(one) == [
        (1, "ok", 0, "", 1), (2, "ok", 3, "", 1), (3, "ok", 0, "", 1), ("transaction", 1, "commit", ""),
        (4, "error", 0, "22012", 2), (5, "skipped", 0, "", None),
    ]  # fmt: skip


def test_what_failed_in_a_text_undoes_what_came_before_it() -> None:
    text = "DELETE 1; SELECT 1/0; SELECT 2"
    one = talk(text)
    one.client(query(text)).server(complete("DELETE 3"), ROW, ROW, error("22012"), READY)
    assert outcomes(one) == [
        (1, "ok", 3, "", 1), (2, "error", 2, "22012", 1), (3, "skipped", 0, "", None),
        ("transaction", 1, "rollback", ""),
    ]  # fmt: skip


@pytest.mark.parametrize("chunks", [1, 3, 7, 1000])
def test_rows_are_counted_however_they_come(chunks: int) -> None:
    text = "SELECT 1; SELECT 2"
    one = talk(text)
    one.client(query(text))
    answer = ROW * 5 + complete("SELECT 5") + ROW * 3 + error("57014") + READY
    for place in range(0, len(answer), chunks):
        one.server(answer[place : place + chunks])
    assert outcomes(one)[:2] == [(1, "ok", 5, "", 1), (2, "error", 3, "57014", 1)]


def test_rows_before_an_error_are_counted_in_both_protocols_and_of_copy() -> None:
    one = Conversation()
    one.client(query("SELECT a")).server(ROW * 4, error("57014"), READY)
    one.client(parse("", "SELECT b"), run(), sync()).server(PARSED, BOUND, ROW * 3, error("22012"), READY)
    one.client(query("COPY c")).server(COPY_OUT, copy_data(b"1\n") * 2, error("22012"), READY)
    assert [event[2] for event in outcomes(one)] == [4, 3, 2]
    assert all(event["bytes"] > 0 for event in one.events if event["kind"] == "outcome")


def test_rows_of_portions_are_counted_once_and_those_before_an_error_too() -> None:
    one = Conversation()
    one.client(parse("", "SELECT a"), bind("", ""), execute("", 2), sync()).server(
        PARSED, BOUND, ROW * 2, SUSPENDED, READY_IN
    )
    one.client(execute("", 2), sync()).server(ROW, error("22012"), READY_FAILED)
    assert [event[2] for event in outcomes(one)] == [2, 1]


def test_of_a_session_that_ends_amid_its_rows_those_are_told_that_came() -> None:
    one = Conversation()
    one.client(query("SELECT a")).server(ROW * 4)
    one.server(ROW * 2)
    one.did(one.session.client_closed())
    assert outcomes(one) == [(1, "unknown", 6, "", 1)]


def test_a_block_is_one_transaction_and_its_end_on_record() -> None:
    one = Conversation()
    for text, tag, ready in (("BEGIN", "BEGIN", READY_IN), ("DELETE 1", "DELETE 2", READY_IN)):
        one.client(query(text)).server(complete(tag), ready)
    commit = {"COMMIT": replace(allow("COMMIT"), ends="last")}
    one.new_rules(commit, "one").client(query("COMMIT")).server(complete("COMMIT"), READY)
    one.client(query("SELECT 1")).server(complete("SELECT 1"), READY)
    assert outcomes(one) == [
        (1, "ok", 0, "", 1), (2, "ok", 2, "", 1), (3, "ok", 0, "", 1), ("transaction", 1, "commit", ""),
        (4, "ok", 1, "", 2),
    ]  # fmt: skip


def test_a_commit_that_the_server_makes_a_rollback_is_one() -> None:
    one = Conversation({"COMMIT": replace(allow("COMMIT"), ends="last")})
    one.client(query("BEGIN")).server(complete("BEGIN"), READY_IN)
    one.client(query("DELETE 1")).server(error("23503"), READY_FAILED)
    one.client(query("COMMIT")).server(complete("ROLLBACK"), READY)
    assert outcomes(one)[-1] == ("transaction", 1, "rollback", "")


def test_an_error_that_waited_for_the_commit_is_the_transactions_end() -> None:
    one = Conversation({"COMMIT": replace(allow("COMMIT"), ends="last")})
    one.client(query("BEGIN")).server(complete("BEGIN"), READY_IN)
    one.client(query("INSERT 1")).server(complete("INSERT 0 1"), READY_IN)
    one.client(query("COMMIT")).server(error("23503"), READY)
    assert outcomes(one)[1:] == [
        (2, "ok", 1, "", 1), (3, "error", 0, "23503", 1), ("transaction", 1, "rollback", ""),
    ]  # fmt: skip


def test_an_error_that_waited_for_a_sync_is_the_transactions_end() -> None:
    one = Conversation()
    one.client(parse("", "INSERT 1"), run(), sync())
    one.server(PARSED, BOUND, complete("INSERT 0 1"), error("23503"), READY)
    assert outcomes(one) == [(1, "ok", 1, "", 1), ("transaction", 1, "rollback", "23503")]
    one.client(parse("", "INSERT 2"), run(), sync()).server(PARSED, BOUND, complete("INSERT 0 1"), READY)
    assert outcomes(one)[2:] == [(2, "ok", 1, "", 2)]


def test_a_pipeline_that_fails_ends_what_had_succeeded_and_skips_the_rest() -> None:
    one = Conversation()
    one.client(*(part for text in ("INSERT 1", "SELECT 1/0", "INSERT 2") for part in (parse("", text), run())), sync())
    one.server(PARSED, BOUND, complete("INSERT 0 1"), PARSED, error("22012"), READY)
    assert outcomes(one) == [
        (1, "ok", 1, "", 1), (2, "error", 0, "22012", 1), (3, "skipped", 0, "", None),
        ("transaction", 1, "rollback", ""),
    ]  # fmt: skip


def test_a_rollback_to_a_savepoint_ends_nothing_and_a_chained_one_begins_anew() -> None:
    text = "BEGIN; SELECT 1; ROLLBACK TO a; ROLLBACK AND CHAIN; SELECT 2"
    one = talk(text)
    tags = ("BEGIN", "SELECT 1", "ROLLBACK", "ROLLBACK", "SELECT 1")
    one.client(query(text)).server(*map(complete, tags), READY_IN)
    assert [event for event in outcomes(one) if event[0] == "transaction"] == [("transaction", 1, "rollback", "")]
    assert [event[4] for event in outcomes(one) if event[0] != "transaction"] == [1, 1, 1, 1, 2]


def test_what_is_prepared_for_two_phases_is_neither() -> None:
    text = "BEGIN; DELETE 1; PREPARE TRANSACTION 'x'"
    one = talk(text)
    one.client(query(text)).server(*map(complete, ("BEGIN", "DELETE 1", "PREPARE TRANSACTION")), READY)
    assert outcomes(one)[-2:] == [(3, "ok", 0, "", 1), ("transaction", 1, "prepared", "")]


def test_a_session_that_ends_in_a_block_has_rolled_back() -> None:
    one = Conversation()
    one.client(query("BEGIN")).server(complete("BEGIN"), READY_IN)
    one.client(query("DELETE 1")).server(complete("DELETE 1"), READY_IN)
    one.did(one.session.client_closed())
    assert outcomes(one)[-1] == ("transaction", 1, "rollback", "")


def test_what_may_have_committed_is_unknown() -> None:
    one = Conversation({"COMMIT": replace(allow("COMMIT"), ends="last")})
    one.client(query("BEGIN")).server(complete("BEGIN"), READY_IN)
    one.client(query("COMMIT"))
    one.did(one.session.client_closed())
    assert outcomes(one)[-2:] == [(2, "unknown", 0, "", 1), ("transaction", 1, "unknown", "")]


def failed_in_a_block(*texts: str) -> Conversation:
    one = talk("BEGIN", "SAVEPOINT s", "SELECT 1/0", *texts)
    one.client(query("BEGIN")).server(complete("BEGIN"), READY_IN)
    one.client(query("SAVEPOINT s")).server(complete("SAVEPOINT"), READY_IN)
    return one.client(query("SELECT 1/0")).server(error("22012"), READY_FAILED)


def test_what_failed_and_went_back_to_a_savepoint_may_have_committed() -> None:
    one = failed_in_a_block("ROLLBACK TO s", "COMMIT")
    one.client(query("ROLLBACK TO s")).server(complete("ROLLBACK"), READY_IN)
    one.client(query("COMMIT")).did(one.session.server_closed())
    assert outcomes(one)[-2:] == [(5, "unknown", 0, "", 1), ("transaction", 1, "unknown", "")]


def test_what_was_on_its_way_to_a_savepoint_and_to_its_commit_may_have_committed() -> None:
    one = failed_in_a_block("ROLLBACK TO s; COMMIT")
    one.client(query("ROLLBACK TO s; COMMIT")).did(one.session.server_closed())
    assert outcomes(one)[-1] == ("transaction", 1, "unknown", "")


def test_what_was_never_sent_has_not_failed_the_transaction_before_it() -> None:
    """Its record was still being written when the client left."""
    ends = {"COMMIT": replace(allow("COMMIT"), verbs=("commit",), ends="last")}
    one = Conversation({"INSERT 1": allow("INSERT 1", writes=True), **ends}, on_failure="block")
    one.client(query("BEGIN")).server(complete("BEGIN"), READY_IN).durable()
    one.client(query("COMMIT"))
    one.client(query("INSERT 1"))
    one.did(one.session.client_closed())
    assert outcomes(one)[-2:] == [(2, "unknown", 0, "", 1), ("transaction", 1, "unknown", "")]
    assert (3, "error", 0, "57014", None) in outcomes(one)


@pytest.mark.parametrize("text", ["CALL p()", "DO $$ $$"])
def test_what_may_commit_on_its_way_may_have(text: str) -> None:
    one = talk(text)
    one.client(parse("", "INSERT 1"), run(), parse("", text), run())
    one.server(PARSED, BOUND, complete("INSERT 0 1"), PARSED, BOUND)
    one.did(one.session.server_closed())
    assert outcomes(one)[-1] == ("transaction", 1, "unknown", "")


@pytest.mark.parametrize(("text", "tag"), [("CALL p()", "CALL"), ("DO $$ $$", "DO")])
def test_a_part_of_a_pipeline_may_be_committed_where_the_rest_is_undone(text: str, tag: str) -> None:
    one = talk(text, "BEGIN", "ROLLBACK")
    fails = parse("", "SELECT 1/0"), run(), sync()
    one.client(parse("", text), run(), *fails)
    one.server(PARSED, BOUND, complete(tag), PARSED, BOUND, error("22012"), READY)
    assert outcomes(one)[-1] == ("transaction", 1, "unknown", "")
    # The next one is of its own. In a block it can't commit.
    one.client(parse("", "INSERT 1"), run(), *fails)
    one.server(PARSED, BOUND, complete("INSERT 0 1"), PARSED, BOUND, error("22012"), READY)
    assert outcomes(one)[-1] == ("transaction", 2, "rollback", "")
    one.client(query("BEGIN")).server(complete("BEGIN"), READY_IN)
    one.client(parse("", text), run(), *fails)
    one.server(PARSED, BOUND, complete(tag), PARSED, BOUND, error("22012"), READY_FAILED)
    one.client(query("ROLLBACK")).server(complete("ROLLBACK"), READY)
    assert outcomes(one)[-1] == ("transaction", 3, "rollback", "")


def test_nothing_of_a_text_of_several_is_committed_on_the_way() -> None:
    text = "CALL p(); SELECT 1/0"
    one = talk(text)
    one.client(query(text)).server(complete("CALL"), error("22012"), READY)
    assert outcomes(one)[-1] == ("transaction", 1, "rollback", "")


@pytest.mark.parametrize("text", ["COMMIT", "ROLLBACK", "ROLLBACK AND CHAIN; SELECT 1"])
def test_what_failed_has_not_committed_whatever_was_on_its_way(text: str) -> None:
    one = failed_in_a_block(text)
    one.client(query(text)).did(one.session.server_closed())
    assert outcomes(one)[-1] == ("transaction", 1, "rollback", "")


def test_the_error_that_ended_a_transaction_is_the_first_of_it() -> None:
    one = talk("BEGIN", "ROLLBACK")
    one.client(query("BEGIN")).server(complete("BEGIN"), READY_IN)
    one.client(execute("nothing"), sync()).server(error("34000"), READY_FAILED)
    one.client(bind("", "nothing"), sync()).server(error("26000"), READY_FAILED)
    one.client(query("ROLLBACK")).server(complete("ROLLBACK"), READY)
    assert outcomes(one)[-1] == ("transaction", 1, "rollback", "34000")


def test_a_pipeline_whose_sync_is_not_answered_may_have_committed() -> None:
    one = Conversation()
    one.client(parse("", "INSERT 1"), run(), sync()).server(PARSED, BOUND, complete("INSERT 0 1"))
    one.did(one.session.client_closed())
    assert outcomes(one) == [(1, "ok", 1, "", 1), ("transaction", 1, "unknown", "")]
    one = Conversation()
    one.client(parse("", "INSERT 1"), run()).server(PARSED, BOUND, complete("INSERT 0 1"))
    one.did(one.session.client_closed())
    assert outcomes(one) == [(1, "ok", 1, "", 1), ("transaction", 1, "rollback", "")]


def test_a_session_that_ends_amid_a_text_leaves_what_followed_unknown() -> None:
    text = "INSERT 1; INSERT 2; INSERT 3"
    one = talk(text)
    one.client(query(text)).server(complete("INSERT 0 1"))
    one.did(one.session.client_closed())
    assert outcomes(one) == [
        (1, "ok", 1, "", 1), (2, "unknown", 0, "", 1), (3, "unknown", 0, "", 1), ("transaction", 1, "unknown", ""),
    ]  # fmt: skip


def test_single_statements_have_transactions_of_their_own_and_no_event_for_each() -> None:
    one = Conversation({"SELECT no": deny()})
    one.client(query("SELECT 1")).server(complete("SELECT 1"), READY)
    one.client(query("SELECT no")).server(error("42703"), READY)
    one.client(query("SELECT 2")).server(complete("SELECT 1"), READY)
    assert outcomes(one) == [(1, "ok", 1, "", 1), (2, "denied", 0, "42501", 2), (3, "ok", 1, "", 3)]


def test_nothing_of_a_text_runs_before_all_its_intents_are_durable() -> None:
    text = "INSERT 1; INSERT 2"
    one = Conversation({text: replace(several(text), writes=True)}, on_failure="block")
    one.client(query(text)).reaches_server()
    assert one.kinds() == ["intent allow", "intent allow"]
    one.did(one.session.durable(one.tickets[-1])).reaches_server(query(text))


def test_a_text_that_can_not_be_recorded_does_not_run() -> None:
    text = "INSERT 1; INSERT 2"
    one = Conversation({text: replace(several(text), writes=True)}, on_failure="block")
    one.client(query(text))
    one.did(one.session.audit_failed(one.tickets[-1], "the disk is full"))
    assert query(text) not in one.to_server
