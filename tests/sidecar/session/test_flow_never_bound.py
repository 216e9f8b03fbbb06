"""Conversations: statements that the server was asked about and that failed before they were bound."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.sidecar.session.conversation import (
    BOUND,
    NO_DATA,
    PARSED,
    READY,
    READY_FAILED,
    ROW,
    Conversation,
    allow,
    complete,
    deny,
    error,
    run,
    sync,
)

from penstock_sidecar.wire.messages import FLUSH, bind, describe_portal, describe_statement, execute, parse, query


def told(talk: Conversation) -> list[tuple[str, str, str]]:
    """Each statement that is on record, how it ended, and by which SQLSTATE."""
    texts = {event["statement"]: event["sql"] for event in talk.events if event["kind"] == "intent"}
    ends = [event for event in talk.events if event["kind"] == "outcome"]
    assert sorted(texts) == sorted(event["statement"] for event in ends), "one of each"
    return [(texts[event["statement"]], event["result"], event["sqlstate"]) for event in ends]


def talking(on_failure: str = "continue") -> Conversation:
    texts = ("SELECT a", "SELECT b", "INSERT c")
    known = {text: allow(text, audit_text=text, writes=text.startswith("INSERT")) for text in texts}
    return Conversation({**known, "SELECT no": replace(deny(), audit_text="SELECT no")}, on_failure=on_failure)


@pytest.mark.parametrize("on_failure", ["continue", "block"])
def test_a_parse_that_fails_alone_is_on_record(on_failure: str) -> None:
    talk = talking(on_failure)
    talk.client(parse("s", "SELECT a"), describe_statement("s"), sync())
    talk.server(error("42P01"), READY).reaches_client(error("42P01"), READY)
    assert told(talk) == [("SELECT a", "error", "42P01")]
    assert [event["statement"] for event in talk.events] == [1, 1]
    assert talk.events[1]["bytes"] == len(error("42P01"))


def test_one_that_was_to_be_bound_and_run_is_on_record_once() -> None:
    talk = talking()
    talk.client(parse("", "SELECT a"), run(), sync()).server(error("42P01"), READY)
    assert told(talk) == [("SELECT a", "error", "42P01")]


def test_one_that_succeeds_and_is_never_bound_is_not() -> None:
    talk = talking()
    talk.client(parse("s", "SELECT a"), describe_statement("s"), sync()).server(PARSED, NO_DATA, READY)
    assert talk.events == []


def test_one_that_is_skipped_is_not() -> None:
    talk = talking()
    talk.client(parse("", "SELECT a"), parse("", "SELECT b"), sync()).server(error("42P01"), READY)
    assert told(talk) == [("SELECT a", "error", "42P01")]


def test_what_is_bound_behind_it_has_not_failed_but_was_skipped() -> None:
    talk = talking()
    talk.client(parse("b", "SELECT b"), sync()).server(PARSED, READY)
    talk.client(parse("a", "SELECT a"), run("b"), sync()).server(error("42P01"), READY)
    assert sorted(told(talk)) == [("SELECT a", "error", "42P01"), ("SELECT b", "skipped", "")]


def test_in_a_pipeline_each_has_its_own() -> None:
    talk = talking()
    talk.client(parse("", "SELECT b"), run(), parse("a", "SELECT a"), parse("", "SELECT b"), run(), sync())
    talk.server(PARSED, BOUND, ROW, complete("SELECT 1"), error("42P01"), READY)
    assert sorted(told(talk)) == [("SELECT a", "error", "42P01"), ("SELECT b", "ok", ""), ("SELECT b", "skipped", "")]


def test_a_refused_one_is_on_record_once_and_as_refused() -> None:
    talk = talking()
    talk.client(parse("s", "SELECT no"), describe_statement("s"), sync()).server(error("42703"), READY)
    assert told(talk) == [("SELECT no", "denied", "42501")]


def test_a_describe_that_fails_is_on_record() -> None:
    """The server parses the statement once more, if a table that it names is another by then."""
    talk = talking()
    talk.client(parse("s", "SELECT a"), sync()).server(PARSED, READY)
    talk.client(describe_statement("s"), sync()).server(error("42P01"), READY)
    assert told(talk) == [("SELECT a", "error", "42P01")]


def test_a_describe_of_what_does_not_exist_is_about_no_statement() -> None:
    talk = talking()
    talk.client(describe_statement("nothing"), sync()).server(error("26000"), READY)
    assert talk.events == []


@pytest.mark.parametrize(
    ("wrong", "sqlstate"),
    [
        (execute("nothing"), "34000"),
        (bind("", "nothing"), "26000"),
        (describe_portal("nothing"), "34000"),
        (describe_statement("nothing"), "26000"),
    ],
    ids=["execute", "bind", "describe of a portal", "describe of a statement"],
)
@pytest.mark.parametrize("on_failure", ["continue", "block"])
class TestWhatDoesNotExist:
    """A message about it is no statement's, wherever it comes in a pipeline."""

    def test_what_comes_behind_it_was_skipped(self, on_failure: str, wrong: bytes, sqlstate: str) -> None:
        talk = talking(on_failure)
        talk.client(wrong, parse("", "SELECT a"), run(), sync()).server(error(sqlstate), READY)
        assert told(talk) == [("SELECT a", "skipped", "")]

    def test_what_ran_before_it_is_undone(self, on_failure: str, wrong: bytes, sqlstate: str) -> None:
        talk = talking(on_failure)
        talk.client(parse("", "SELECT a"), run(), wrong, sync())
        talk.server(PARSED, BOUND, ROW, complete("SELECT 1"), error(sqlstate), READY)
        assert told(talk) == [("SELECT a", "ok", "")]
        assert [(one["result"], one["sqlstate"]) for one in talk.events if one["kind"] == "transaction"] == [
            ("rollback", sqlstate)
        ]


def test_a_describe_of_a_portal_that_fails_fails_its_execute() -> None:
    """The transaction was aborted before, say."""
    talk = talking()
    talk.client(parse("", "SELECT a"), bind("", ""), describe_portal(""), execute(""), sync())
    talk.server(PARSED, BOUND, error("25P02"), READY_FAILED)
    assert told(talk) == [("SELECT a", "error", "25P02")]


def test_a_describe_of_a_portal_that_is_gone_by_then_fails_nothing_behind_it() -> None:
    """The gate hears of that after it was sent."""
    talk = talking()
    talk.client(
        parse("", "SELECT a"), bind("p", ""), sync(), describe_portal("p"), parse("", "SELECT b"), run(), sync()
    )
    talk.server(PARSED, BOUND, READY, error("34000"), READY)
    assert sorted(told(talk)) == [("SELECT a", "unexecuted", ""), ("SELECT b", "skipped", "")]


def test_it_fails_the_transaction_that_it_is_in() -> None:
    talk = talking()
    talk.client(query("BEGIN")).server(complete("BEGIN"), READY_FAILED.replace(b"E", b"T"))
    talk.client(parse("", "SELECT a"), sync()).server(error("42P01"), READY_FAILED)
    talk.client(query("ROLLBACK")).server(complete("ROLLBACK"), READY)
    transactions = {event["transaction"] for event in talk.events if event["kind"] in ("outcome", "transaction")}
    assert transactions == {1}
    assert talk.events[-1]["result"] == "rollback"


def test_a_write_whose_bind_still_waits_for_its_record_has_failed_and_is_on_record_once() -> None:
    talk = talking("block")
    talk.client(parse("", "INSERT c"), run(), FLUSH).server(error("42P01"))
    talk.did(talk.session.durable(talk.tickets[-1]))
    talk.client(sync()).server(READY)
    assert told(talk) == [("INSERT c", "error", "42P01")]
