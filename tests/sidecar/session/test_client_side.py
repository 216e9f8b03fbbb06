"""Conversations: what becomes of what clients send."""

from __future__ import annotations

import pytest
from tests.sidecar.session.conversation import (
    BOUND,
    CLOSED,
    COPY_DONE,
    COPY_IN,
    NO_DATA,
    NOBODY,
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
    greeting,
    rewrite,
    run,
    sync,
)

from penstock_sidecar.session import commands
from penstock_sidecar.session.refusals import FAILING_QUERY, FAILING_TEXT
from penstock_sidecar.session.states import State
from penstock_sidecar.wire.messages import (
    FLUSH,
    TERMINATE,
    bind,
    close_statement,
    execute,
    message,
    notice_response,
    parse,
    query,
    read_error,
    startup,
)


def test_an_allowed_query_passes_as_it_came() -> None:
    talk = Conversation()
    talk.client(query("SELECT 1")).reaches_server(query("SELECT 1"))
    talk.server(ROW, complete("SELECT 1"), READY).reaches_client(ROW, complete("SELECT 1"), READY)
    assert talk.kinds() == ["intent allow", "outcome ok"]
    assert talk.events[1]["rows"] == 1
    assert talk.events[1]["durationUs"] == 10
    assert talk.events[1]["bytes"] == len(ROW + complete("SELECT 1") + READY)


def test_a_rewritten_query_goes_in_its_place() -> None:
    talk = Conversation({"SELECT email": rewrite("SELECT masked")})
    talk.client(query("SELECT email"), query("SELECT 2"))
    talk.reaches_server(query("SELECT masked"), query("SELECT 2"))


def test_a_denied_query_fails_at_the_server_with_our_words() -> None:
    talk = Conversation({"SELECT no": deny("no such things")})
    talk.client(query("SELECT no")).reaches_server(FAILING_QUERY)
    talk.server(error("42703"), READY_FAILED).client_reads_error("42501", "penstock: no such things", READY_FAILED)
    assert talk.kinds() == ["intent deny", "outcome denied"]
    assert talk.events[1]["sqlstate"] == "42501", "what the client was told, not what the server said to that end"


def test_in_an_aborted_transaction_the_servers_own_error_passes() -> None:
    talk = Conversation({"SELECT no": deny()})
    talk.client(query("SELECT no"))
    talk.server(error("25P02"), READY_FAILED).reaches_client(error("25P02"), READY_FAILED)
    assert talk.kinds() == ["intent deny", "outcome denied"]


def test_a_pipeline_is_skipped_until_sync_as_the_server_skips_it() -> None:
    talk = Conversation({"SELECT no": deny()})
    talk.client(
        parse("", "SELECT no"), run(), parse("", "SELECT 1"), run(), sync(), parse("", "SELECT 2"), run(), sync()
    )
    assert talk.to_server.startswith(parse("", FAILING_TEXT))
    talk.server(error("42703"), READY)
    assert [event["sqlstate"] for event in talk.events if event["kind"] == "outcome"] == ["42501", ""]
    talk.server(PARSED, BOUND, ROW, complete("SELECT 1"), READY)
    talk.reaches_client(PARSED, BOUND, ROW, complete("SELECT 1"), READY)
    assert [(event["kind"], event["statement"], event.get("result")) for event in talk.events] == [
        ("intent", 1, None), ("intent", 2, None), ("intent", 3, None),
        ("outcome", 1, "denied"), ("outcome", 2, "skipped"), ("outcome", 3, "ok"),
    ]  # fmt: skip


def test_what_comes_after_an_error_and_before_sync_is_not_sent_nor_recorded() -> None:
    talk = Conversation()
    talk.client(parse("", "SELECT 1"), FLUSH).server(error("42P01"))
    talk.client(run(), query("SELECT 2"), FLUSH).reaches_server()
    talk.client(sync()).reaches_server(sync())
    talk.server(READY).reaches_client(READY)
    talk.client(query("SELECT 3")).reaches_server(query("SELECT 3"))
    assert talk.kinds() == ["intent allow", "outcome error", "intent allow"], "what failed, and what comes after it"


def test_named_statements_come_and_go() -> None:
    talk = Conversation()
    talk.client(parse("s", "SELECT 1"), sync()).server(PARSED, READY)
    talk.client(run("s"), sync()).reaches_server(run("s"), sync())
    talk.server(BOUND, ROW, complete("SELECT 1"), READY)
    talk.client(close_statement("s"), sync()).server(CLOSED, READY)
    talk.client(run("s"), sync()).reaches_server(bind("", NOBODY), execute(NOBODY), sync())
    talk.server(error("26000"), READY).client_reads_error("26000", 'prepared statement "s" does not exist', READY)


def test_a_failed_parse_leaves_the_older_statement() -> None:
    talk = Conversation()
    talk.client(parse("s", "SELECT 1"), sync()).server(PARSED, READY)
    talk.client(parse("s", "SELECT 2"), sync()).server(error("42P05"), READY)
    talk.client(run("s"), sync()).reaches_server(run("s"), sync())
    assert talk.flow.statements["s"].text == "SELECT 1"


def test_a_close_that_is_skipped_closes_nothing() -> None:
    talk = Conversation()
    talk.client(parse("s", "SELECT 1"), sync()).server(PARSED, READY)
    talk.client(parse("", "broken"), close_statement("s"), sync()).server(error("42601"), READY)
    talk.client(run("s"), sync()).reaches_server(run("s"), sync())


def test_statements_of_an_older_policy_are_prepared_anew_unnoticed() -> None:
    talk = Conversation()
    talk.client(parse("s", "SELECT email"), sync()).server(PARSED, READY)
    talk.new_rules({"SELECT email": rewrite("SELECT masked")})
    talk.client(run("s"), sync())
    talk.reaches_server(close_statement("s"), parse("s", "SELECT masked"), run("s"), sync())
    talk.server(CLOSED, PARSED, BOUND, ROW, complete("SELECT 1"), READY)
    talk.reaches_client(BOUND, ROW, complete("SELECT 1"), READY)
    # And once only.
    talk.client(run("s"), sync()).reaches_server(run("s"), sync())


def test_a_new_parse_that_fails_is_tried_again() -> None:
    talk = Conversation()
    talk.client(parse("s", "SELECT email"), sync()).server(PARSED, READY)
    talk.new_rules({"SELECT email": rewrite("SELECT masked")})
    talk.client(run("s"), sync()).server(CLOSED, error("25P02"), READY_FAILED)
    talk.client(query("ROLLBACK")).server(complete("ROLLBACK"), READY)
    talk.client(run("s"), sync()).reaches_server(parse("s", "SELECT masked"), run("s"), sync())


def test_the_same_decision_under_new_rules_changes_nothing() -> None:
    talk = Conversation()
    talk.client(parse("s", "SELECT 1"), sync()).server(PARSED, READY)
    talk.new_rules({})
    talk.client(run("s"), sync()).reaches_server(run("s"), sync())


def test_a_statement_that_new_rules_deny_fails_at_bind() -> None:
    talk = Conversation()
    talk.client(parse("s", "SELECT email"), sync()).server(PARSED, READY)
    talk.new_rules({"SELECT email": deny("not any more")})
    talk.client(run("s"), sync()).reaches_server(bind("", NOBODY), execute(NOBODY), sync())
    talk.server(error("26000"), READY).client_reads_error("42501", "not any more", READY)


def test_an_open_portal_of_an_older_policy_is_refused() -> None:
    talk = Conversation()
    talk.client(query("BEGIN")).server(complete("BEGIN"), READY_IN)
    talk.client(parse("s", "SELECT email"), bind("p", "s"), execute("p", 1), sync())
    talk.server(PARSED, BOUND, ROW, SUSPENDED, READY_IN)
    talk.new_rules({"SELECT email": rewrite("SELECT masked")})
    talk.client(execute("p", 1), sync()).reaches_server(execute(NOBODY), sync())
    talk.server(error("34000"), READY_FAILED).client_reads_error("42501", "while this portal was open", READY_FAILED)


def test_a_portal_that_is_decided_alike_goes_on() -> None:
    talk = Conversation()
    talk.client(query("BEGIN")).server(complete("BEGIN"), READY_IN)
    talk.client(parse("s", "SELECT 1"), bind("p", "s"), execute("p", 1), sync())
    talk.server(PARSED, BOUND, ROW, SUSPENDED, READY_IN)
    talk.new_rules({})
    talk.client(execute("p", 1), sync()).reaches_server(execute("p", 1), sync())


def test_what_a_portal_returns_in_portions_is_on_record_portion_by_portion() -> None:
    talk = Conversation()
    talk.client(parse("s", "SELECT 1"), bind("p", "s"), execute("p", 2), execute("p", 3), execute("p", 0), sync())
    talk.server(PARSED, BOUND, ROW, ROW, SUSPENDED, ROW, ROW, ROW, SUSPENDED, ROW, complete("SELECT 1"), READY)
    assert [event["rows"] for event in talk.events if event["kind"] == "outcome"] == [2, 3, 1]


def test_one_unknown_name_behind_the_other_has_the_catalog_read_each_time() -> None:
    talk = Conversation({text: deny("unknown", unknown_names=True) for text in ("SELECT a", "SELECT b")})
    talk.client(query("SELECT a"), query("SELECT b"), query("SELECT 1"))
    for _ in range(2):
        assert talk.rest == [commands.RefreshCatalog()]
        talk.did(talk.session.catalog_read())
    talk.reaches_server(FAILING_QUERY, query("SELECT 1"))


@pytest.mark.parametrize("name", ["", "s"])
def test_a_parse_that_fails_late_takes_nothing_from_the_one_behind_it(name: str) -> None:
    talk = Conversation({"SELECT no": deny()})
    talk.client(parse(name, "SELECT no"), sync(), parse(name, "SELECT 1"))
    talk.server(error("42703"), READY).client_reads_error("42501", then=READY)
    talk.client(bind("", name), execute(""), sync()).reaches_server(bind("", name), execute(""), sync())
    talk.server(PARSED, BOUND, complete("SELECT 1"), READY)


def test_a_named_statement_outlives_those_that_were_to_take_its_name() -> None:
    talk = Conversation({"SELECT 5": rewrite("SELECT five")})
    talk.client(parse("s", "SELECT 5"), sync()).server(PARSED, READY)
    talk.client(parse("s", "SELECT 6"), sync(), parse("s", "SELECT 7"), sync())
    talk.server(error("42P05"), READY).server(error("42P05"), READY)
    assert talk.flow.statements["s"].text == "SELECT 5"


def test_unknown_names_are_decided_again_after_the_catalog_was_read() -> None:
    talk = Conversation({"SELECT new": deny("unknown relation new", unknown_names=True)})
    talk.client(query("SELECT new"), query("SELECT 2")).reaches_server()
    assert talk.rest == [commands.RefreshCatalog()]
    assert talk.session.state is State.RESOLVING
    assert talk.session.client_waits
    talk.client(query("SELECT 3")).reaches_server()
    talk.new_rules({})
    talk.did(talk.session.catalog_read())
    talk.reaches_server(query("SELECT new"), query("SELECT 2"), query("SELECT 3"))


def test_names_that_stay_unknown_are_denied_after_one_reading() -> None:
    talk = Conversation({"SELECT new": deny("unknown relation new", unknown_names=True)})
    talk.client(query("SELECT new"))
    talk.did(talk.session.catalog_read()).reaches_server(FAILING_QUERY)
    assert talk.session.state is State.RUNNING
    # Another statement asks anew.
    talk.server(error("42703"), READY).client(query("SELECT new"))
    assert talk.rest == [commands.RefreshCatalog()]


def test_copy_in_by_a_query() -> None:
    talk = Conversation()
    talk.client(query("COPY t FROM STDIN")).server(COPY_IN).reaches_client(COPY_IN)
    talk.client(copy_data(b"1\n"), copy_data(b"2\n")).reaches_server(copy_data(b"1\n"), copy_data(b"2\n"))
    talk.client(COPY_DONE).server(complete("COPY 2"), READY)
    assert talk.events[-1]["rows"] == 2
    assert not talk.flow.queue


def test_copy_in_by_the_extended_protocol_with_a_sync_that_the_server_ignores() -> None:
    talk = Conversation()
    # As libpq does: Sync right behind Execute, and another after the data.
    talk.client(parse("", "COPY t FROM STDIN"), bind("", ""), message(b"D", b"P\x00"), execute(""), sync())
    talk.server(PARSED, BOUND, NO_DATA, COPY_IN)
    talk.client(copy_data(b"1\n"), COPY_DONE, sync())
    talk.server(complete("COPY 1"), READY)
    assert not talk.flow.queue
    talk.client(query("SELECT 1")).server(complete("SELECT 1"), READY)
    assert talk.kinds()[-2:] == ["intent allow", "outcome ok"]


def test_copy_in_sent_blindly_before_the_server_asked_for_it() -> None:
    talk = Conversation()
    talk.client(
        parse("", "COPY t FROM STDIN"), run(), sync(), copy_data(b"1\n"), COPY_DONE, sync(), query("SELECT 1")
    )  # fmt: skip
    talk.server(PARSED, BOUND, COPY_IN, complete("COPY 1"), READY, complete("SELECT 1"), READY)
    assert not talk.flow.queue
    assert talk.kinds() == ["intent allow", "intent allow", "outcome ok", "outcome ok"]


def test_a_statement_in_the_middle_of_copy_data_ends_the_session() -> None:
    # The server would take it for wrong data and forget it, and which answer is whose could not be told any more.
    talk = Conversation()
    talk.client(query("COPY t FROM STDIN")).server(COPY_IN)
    talk.client(copy_data(b"1\n"), query("SELECT 1")).client_reads_error("08P01", "where COPY data is due")
    talk = Conversation()
    talk.client(query("COPY t FROM STDIN"), query("SELECT 1"))
    talk.server(COPY_IN).client_reads_error("08P01", "where COPY data was due")


def test_a_sync_in_the_middle_of_a_querys_copy_is_not_answered() -> None:
    talk = Conversation()
    talk.client(query("COPY t FROM STDIN"), sync()).server(COPY_IN)
    talk.client(sync(), copy_data(b"1\n"), COPY_DONE).server(complete("COPY 1"), READY)
    assert not talk.flow.queue


def test_copy_in_that_fails_while_the_client_still_sends() -> None:
    talk = Conversation()
    talk.client(parse("", "COPY t FROM STDIN"), run(), sync()).server(PARSED, BOUND, COPY_IN)
    talk.client(copy_data(b"x\n")).server(error("22P02"))
    talk.client(copy_data(b"y\n"), COPY_DONE, sync()).server(READY)
    assert not talk.flow.queue
    talk.client(query("SELECT 1")).reaches_server(query("SELECT 1"))
    talk.server(complete("SELECT 1"), READY).reaches_client(complete("SELECT 1"), READY)


def test_a_trigger_that_fails_before_the_data_is_read_honours_the_early_sync() -> None:
    talk = Conversation()
    talk.client(parse("", "COPY t FROM STDIN"), run(), sync()).server(PARSED, BOUND, COPY_IN, error("P0001"), READY)
    talk.client(copy_data(b"y\n"), COPY_DONE, sync()).server(READY)
    talk.client(query("SELECT 1")).server(complete("SELECT 1"), READY).reaches_client(complete("SELECT 1"), READY)
    assert talk.kinds()[-2:] == ["intent allow", "outcome ok"]


def test_a_statement_too_long_to_decide_about_is_denied_and_dropped() -> None:
    talk = Conversation(config=commands.ProxyConfig("shop", "shop", statement_limit=1000))
    long = query("SELECT '" + "x" * 5000 + "'")
    talk.client(long[:2000]).reaches_server(FAILING_QUERY)
    talk.client(long[2000:], query("SELECT 1")).reaches_server(query("SELECT 1"))
    talk.server(error("42703"), READY).client_reads_error("54000", "longer than 1000 bytes", READY)


def test_text_that_is_not_utf8_is_denied() -> None:
    talk = Conversation()
    talk.client(message(b"Q", b"SELECT '\xff'\x00")).reaches_server(FAILING_QUERY)
    talk.server(error("42703"), READY).client_reads_error("22021", "UTF-8", READY)


def test_a_large_bind_streams() -> None:
    talk = Conversation()
    talk.client(parse("s", "SELECT $1"), sync()).server(PARSED, READY)
    body = b"\x00s\x00\x00\x00\x00\x01" + (100_000).to_bytes(4, "big") + b"x" * 100_000 + b"\x00\x00"
    large = message(b"B", body) + execute("") + sync()
    sent = b""
    for at in range(0, len(large), 10_000):
        sent += talk.client(large[at : at + 10_000]).to_server
        assert at == 0 or talk.to_server, "it goes on as it comes"
    assert sent == large
    assert talk.events[-1]["parameters"] == 1


def test_a_large_bind_that_is_denied_is_dropped_as_it_comes() -> None:
    talk = Conversation()
    talk.client(parse("s", "SELECT $1"), sync()).server(PARSED, READY)
    talk.new_rules({"SELECT $1": deny("gone")})
    large = message(b"B", b"\x00s\x00\x00\x00\x00\x01" + (50_000).to_bytes(4, "big") + b"x" * 50_000 + b"\x00\x00")
    talk.client(large[:20_000]).reaches_server(bind("", NOBODY))
    talk.client(large[20_000:], sync()).reaches_server(sync())
    talk.server(error("26000"), READY).client_reads_error("42501", "gone", READY)


@pytest.mark.parametrize(
    "data",
    [
        b"\x00\x00\x00\x00\x00",
        b"Q\x00\x00\x00\x02",
        b"?\x00\x00\x00\x04",
        message(b"p", b"x\x00"),
        message(b"Q", b"no end"),
        message(b"Q", b"SELECT 1\x00; DROP TABLE t\x00"),
        message(b"B", b"no end"),
        message(b"P", b"a\x00b"),
    ],
)
def test_malformed_messages_end_the_session_with_one_line(data: bytes) -> None:
    talk = Conversation()
    talk.client(query("SELECT 1"))
    talk.client(data).client_reads_error("08P01", "protocol violation")
    (close,) = talk.rest
    assert isinstance(close, commands.Close)
    assert "\n" not in close.problem
    assert talk.session.state is State.CLOSED
    assert talk.kinds() == ["intent allow", "outcome unknown", "session end"]


def test_terminate_passes_and_closes() -> None:
    talk = Conversation()
    talk.client(TERMINATE).reaches_server(TERMINATE)
    assert talk.rest == [commands.Close("")]
    assert talk.kinds() == ["session end"]


def test_the_search_path_is_unknown_once_it_may_have_changed() -> None:
    talk = Conversation({"SET search_path = b": allow("SET search_path = b", changes_search_path=True)})
    talk.client(query("SELECT 1"))
    assert talk.book.path == ("public",)
    talk.client(query("SET search_path = b"), query("SELECT 2"))
    assert talk.book.path is None
    # PostgreSQL 18 tells.
    talk.server(complete("SELECT 1"), READY, complete("SET"), message(b"S", b"search_path\x00b\x00"), READY)
    talk.client(query("SELECT 3"))
    assert talk.book.path == ("b",)


def test_errors_and_notices_of_governed_statements_are_reduced() -> None:
    talk = Conversation({"SELECT email": allow("SELECT email", redact_errors=True)})
    talk.client(query("SELECT email"))
    notice = notice_response(read_error(error("01000", "ada")[5:]))
    talk.server(notice, error("23505", "ada"), READY)
    assert b"ada" not in talk.to_client
    assert talk.to_client.count(b"withheld") == 2


def test_a_search_path_chosen_at_startup_is_what_names_resolve_by() -> None:
    talk = Conversation(open_=False)
    talk.client(startup({"user": "app", "database": "shop", "search_path": "till, public"}))
    talk.did(talk.session.connected(talk.rules(), greeting(search_path="till, public")))
    talk.client(query("SELECT 1"))
    assert talk.book.path == ("till", "public")
    talk.new_rules({"SET": allow("SET", changes_search_path=True)})
    talk.client(query("SET"), query("SELECT 2"))
    assert talk.book.path is None
    talk.server(complete("SELECT 1"), READY, complete("SET"), READY, complete("SELECT 1"), READY)
    talk.client(query("DISCARD ALL")).server(complete("DISCARD ALL"), READY)
    talk.client(query("SELECT 3"))
    assert talk.book.path == ("till", "public")


def test_what_the_server_says_of_a_rewritten_statement_as_it_is_parsed_is_reduced() -> None:
    talk = Conversation({"SELECT email": rewrite("SELECT masked", redact_errors=True)})
    talk.client(parse("", "SELECT email"), sync())
    talk.server(error("42883", "in SELECT masked with a key"), READY)
    assert b"with a key" not in talk.to_client
    assert b"42883" in talk.to_client


CALLED = message(b"V", b"\xff\xff\xff\xff")


def call(number: int, size: int = 4) -> bytes:
    """A fast-path call with one argument of that size."""
    return message(b"F", number.to_bytes(4) + b"\x00\x00\x00\x01" + size.to_bytes(4) + bytes(size) + b"\x00\x01")


def test_a_call_of_a_large_objects_function_is_decided_like_the_select_of_it() -> None:
    talk = Conversation({"SELECT pg_catalog.lo_unlink()": deny("no deletions")})
    talk.client(call(954)).reaches_server(call(954))
    talk.server(CALLED, READY).reaches_client(CALLED, READY)
    assert talk.kinds() == ["intent allow", "outcome ok"]
    talk.client(call(964)).reaches_server(FAILING_QUERY)
    talk.server(error("42703"), READY).client_reads_error("42501", "no deletions", READY)
    assert talk.kinds()[2:] == ["intent deny", "outcome denied"]


def test_a_call_of_another_function_is_refused() -> None:
    for other in (call(765), call(0), message(b"F", b""), message(b"F", b"\x00\x03\xba")):
        talk = Conversation()
        talk.client(other).reaches_server(FAILING_QUERY)
        talk.server(error("42703"), READY).client_reads_error("0A000", "fast-path", READY)


def test_a_call_with_much_data_is_decided_before_all_of_it_is_there() -> None:
    large = call(955, 100_000)
    talk = Conversation()
    talk.client(large[:8000]).reaches_server()
    talk.client(large[8000:50_000]).reaches_server(large[:50_000])
    talk.client(large[50_000:], query("SELECT 1")).reaches_server(large[50_000:], query("SELECT 1"))
    talk = Conversation({"SELECT pg_catalog.lowrite()": deny()})
    talk.client(large[:50_000]).reaches_server(FAILING_QUERY)
    talk.client(large[50_000:], query("SELECT 1")).reaches_server(query("SELECT 1"))


def test_a_call_is_not_carried_out_where_it_would_have_to_be_rewritten() -> None:
    talk = Conversation({"SELECT pg_catalog.loread()": rewrite("SELECT 1")})
    talk.client(call(954)).reaches_server(FAILING_QUERY)
