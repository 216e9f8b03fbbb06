"""Conversations: a transaction gets its context, what waits for the verdict, and how the context ends."""

from __future__ import annotations

from dataclasses import replace
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
    READY_IN,
    ROW,
    WEB,
    Book,
    Conversation,
    allow,
    complete,
    deny,
    error,
    rewrite,
    run,
    sync,
)
from tests.sidecar.session.test_held_pipeline import HOLDS_DELETES, TEXT, TOLD, question

from penstock_core.identity import Principal
from penstock_core.policy.revocation import by_policy
from penstock_core.sql.decision import Decision, Denial
from penstock_sidecar.session import commands
from penstock_sidecar.session.commands import ProxyConfig, SessionRules, VerifyContext, Vouched
from penstock_sidecar.session.gate_statements import CALL_TEXT, SET_TEXT
from penstock_sidecar.session.refusals import FAILING_QUERY, FAILING_TEXT
from penstock_sidecar.session.states import State
from penstock_sidecar.wire.messages import FLUSH, bind, describe_portal, execute, message, parse, query, row

TOKEN = "header.claims.signature" + "s" * 80
SET = f"SET LOCAL penstock.context = '{TOKEN}'"
CALL = "SELECT set_config('penstock.context', $1, true)"
ADA, BOB = (Principal("person", name, "https://id.example", ("dpo",)) for name in ("ada", "bob"))
EMAIL = "SELECT email FROM people"
OWN, HERS = rewrite("SELECT 'own'"), rewrite("SELECT 'hers'")


def conversation(entries: dict[str, Decision] | None = None, **more: Any) -> Conversation:
    config = ProxyConfig("shop", "shop", workload=WEB, contexts=True)
    return Conversation({EMAIL: OWN} | (entries or {}), config=config, **more)


def rules(talk: Conversation, entries: dict[str, Decision] | None = None, policy: object = "hers") -> SessionRules:
    return replace(talk.rules(policy), decider=Book({EMAIL: HERS} | (entries or {})))


def begun(talk: Conversation) -> Conversation:
    return talk.client(query("BEGIN")).server(complete("BEGIN"), READY_IN)


def asked(talk: Conversation) -> VerifyContext:
    (command,) = talk.rest
    assert isinstance(command, VerifyContext)
    return command


def good(
    talk: Conversation, person: Principal = ADA, entries: dict[str, Decision] | None = None, seconds: float = 60.0,
    policy: object = "hers", **of_rules: Any,
) -> Conversation:  # fmt: skip
    """The token that was asked about last is good."""
    hers = replace(rules(talk, entries, policy), **of_rules)
    return talk.did(talk.session.vouched(asked(talk).ticket, Vouched(WEB.acting_for(person), hers, seconds)))


def within(talk: Conversation, **more: Any) -> Conversation:
    """In a transaction with a context."""
    good(begun(talk).client(query(SET)), **more)
    return talk.server(complete("SET"), READY_IN)


def own_again(talk: Conversation) -> Conversation:
    """The session has its own rules, without asking for them: they are the same."""
    assert talk.rest == []
    return talk


def own_anew(talk: Conversation, entries: dict[str, Decision] | None = None) -> Conversation:
    """The session asks for its own rules, and has them."""
    assert [type(one) for one in talk.rest] == [commands.AwaitRules]
    talk.book = Book({EMAIL: OWN} | (entries or {}))
    answer = talk.session.rules_replaced(talk.rules()) + talk.session.catalog_read()
    return talk.did(answer)


def who(talk: Conversation) -> list[str]:
    return [event["identity"]["name"] for event in talk.events if event["kind"] == "intent"]


# ---- the simple protocol


def test_the_server_and_the_trail_never_have_the_token() -> None:
    talk = begun(conversation()).client(query(SET)).reaches_server()
    assert talk.session.state is State.VOUCHING
    assert asked(talk) == VerifyContext(1, TOKEN)
    good(talk).reaches_server(query(SET_TEXT))
    talk.server(complete("SET"), READY_IN).reaches_client(complete("SET"), READY_IN)
    intent = talk.events[-2]
    assert intent["sql"] == SET_TEXT
    assert intent["identity"]["name"] == "sa:shop/web for person:ada"
    assert intent["identity"]["actsFor"] == [{**ADA.document("verified"), "provenBy": "context"}]
    assert TOKEN not in str(talk.events)


def test_what_is_behind_it_is_decided_by_the_persons_rules() -> None:
    talk = within(conversation())
    assert talk.session.identity.name == "sa:shop/web for person:ada"
    talk.client(query(EMAIL)).reaches_server(query(HERS.text))
    assert who(talk)[-1] == "sa:shop/web for person:ada"


@pytest.mark.parametrize(
    ("ends", "tag"), [("COMMIT", "COMMIT"), ("ROLLBACK", "ROLLBACK"), ("COMMIT", "ROLLBACK"), ("END", "COMMIT")]
)
def test_it_ends_with_its_transaction(ends: str, tag: str) -> None:
    talk = within(conversation({ends: allow(ends, ends="last")}), entries={ends: allow(ends, ends="last")})
    talk.client(query(ends)).server(complete(tag), READY)
    assert talk.session.identity == WEB
    own_again(talk.client(query(EMAIL))).reaches_server(query(OWN.text))
    assert who(talk)[-1] == "sa:shop/web"


def test_what_is_sent_behind_its_end_waits_and_is_the_sessions_own() -> None:
    talk = within(conversation(), entries={"COMMIT": allow("COMMIT", ends="last")})
    talk.client(query("COMMIT"), query(EMAIL)).reaches_server(query("COMMIT"))
    assert talk.session.state is State.SETTLING
    own_again(talk.server(complete("COMMIT"), READY)).reaches_server(query(OWN.text))


def test_a_chained_transaction_has_none() -> None:
    text = "COMMIT AND CHAIN"
    talk = within(conversation(), entries={text: allow(text, ends="last")})
    talk.client(query(text), query(EMAIL)).server(complete("COMMIT"), READY_IN)
    own_again(talk).reaches_server(query(OWN.text))


def test_a_failed_commit_ends_it_too() -> None:
    talk = within(conversation(), entries={"COMMIT": allow("COMMIT", ends="last")})
    talk.client(query("COMMIT")).server(error("23503"), READY)
    assert talk.session.identity == WEB


def test_so_does_what_is_prepared_for_a_second_phase() -> None:
    text = "PREPARE TRANSACTION 'a'"
    talk = within(conversation(), entries={text: allow(text, ends="last")})
    talk.client(parse("", text), run(), parse("", EMAIL)).server(PARSED, BOUND, complete("PREPARE TRANSACTION"))
    own_again(talk).reaches_server(parse("", OWN.text))


def test_to_roll_back_to_a_savepoint_does_not_end_it() -> None:
    entries = {"ROLLBACK TO a": replace(allow("ROLLBACK TO a"), verbs=("rollback",))}
    talk = within(conversation(), entries=entries)
    talk.client(query("SAVEPOINT a")).server(complete("SAVEPOINT"), READY_IN)
    talk.client(query(EMAIL)).server(error("22012"), READY_FAILED)
    talk.client(query("ROLLBACK TO a")).server(complete("ROLLBACK"), READY_IN)
    talk.client(query(EMAIL)).reaches_server(query(HERS.text))


def test_behind_a_savepoint_none_can_be_set() -> None:
    talk = begun(conversation()).client(query("SAVEPOINT a")).server(complete("SAVEPOINT"), READY_IN)
    talk.client(query(SET)).reaches_server(FAILING_QUERY)
    talk.server(error("42703"), READY_FAILED).client_reads_error("0A000", "behind a savepoint", READY_FAILED)
    # In the next transaction there is none.
    talk.client(query("ROLLBACK")).server(complete("ROLLBACK"), READY)
    assert asked(begun(talk).client(query(SET)))


def test_outside_a_transaction_it_is_refused_with_a_hint() -> None:
    talk = conversation().client(query(SET)).reaches_server(FAILING_QUERY)
    talk.server(error("42703"), READY).client_reads_error("25P01", "none is open", READY)
    assert who(talk) == ["sa:shop/web"]
    assert TOKEN not in str(talk.events)


def test_in_a_failed_transaction_the_server_says_so_and_no_token_is_used() -> None:
    talk = begun(conversation()).client(query("SELECT 1/0")).server(error("22012"), READY_FAILED)
    talk.client(query(SET)).reaches_server(FAILING_QUERY)
    assert talk.rest == []
    talk.server(error("25P02"), READY_FAILED).client_reads_error("25P02", then=READY_FAILED)


def test_a_token_that_is_not_good_fails_the_transaction() -> None:
    talk = begun(conversation()).client(query(SET), query(EMAIL))
    denial = Denial("the context is refused: the token has expired", "get a new one", sqlstate="28000")
    talk.did(talk.session.vouched(asked(talk).ticket, None, denial)).reaches_server(FAILING_QUERY, query(OWN.text))
    talk.server(error("42703"), READY_FAILED).client_reads_error("28000", "has expired", READY_FAILED)
    assert talk.session.identity == WEB
    assert who(talk) == ["sa:shop/web", "sa:shop/web", "sa:shop/web"]


def test_a_begin_may_come_in_the_same_text() -> None:
    talk = conversation().client(query(f"BEGIN; {SET}"), query(EMAIL))
    good(talk).reaches_server(query(f"BEGIN; {SET_TEXT}"), query(HERS.text))


def test_it_waits_for_the_answers_to_what_was_sent_before() -> None:
    talk = conversation().client(query("BEGIN"), query(SET), query(EMAIL)).reaches_server(query("BEGIN"), FLUSH)
    assert talk.session.state is State.VOUCHING
    talk.server(complete("BEGIN"), READY_IN).reaches_server()
    good(talk).reaches_server(query(SET_TEXT), query(HERS.text))


# ---- the extended protocol


def bound(token: str = TOKEN, portal: str = "", name: str = "") -> bytes:
    value = token.encode()
    names = portal.encode() + b"\0" + name.encode() + b"\0"
    return message(b"B", names + b"\0\0\0\1" + len(value).to_bytes(4, "big") + value + b"\0\1\0\1")


CALLED = f'{CALL_TEXT.replace(chr(39) * 2, "$1")} AS "set_config"'


def test_the_token_may_be_a_parameter_which_the_server_does_not_get() -> None:
    talk = begun(conversation())
    talk.client(parse("", CALL), bound(), describe_portal(""), execute(""), parse("", EMAIL), run(), sync())
    talk.reaches_server(parse("", CALLED), bound(""), describe_portal(""), FLUSH)
    assert talk.session.state is State.VOUCHING
    talk.server(PARSED, BOUND, NO_DATA)
    assert asked(talk) == VerifyContext(1, TOKEN)
    good(talk).reaches_server(execute(""), parse("", HERS.text), run(), sync())
    answers = (complete("SELECT 1"), PARSED, BOUND, ROW, ROW, complete("SELECT 2"), READY_IN)
    talk.server(ROW, *answers).reaches_client(row(TOKEN.encode()), *answers)
    assert who(talk)[1:] == ["sa:shop/web for person:ada"] * 2
    assert TOKEN not in str(talk.events)


def test_only_what_the_call_itself_returns_is_changed() -> None:
    talk = begun(conversation()).client(query(CALL.replace("$1", f"'{TOKEN}'")), query(EMAIL))
    good(talk).server(error("53200"), READY_FAILED)
    talk.client(query(EMAIL)).server(ROW, complete("SELECT 1"), READY_FAILED)
    talk.reaches_client(ROW, complete("SELECT 1"), READY_FAILED)


def test_a_call_that_is_executed_once_more_returns_nothing_of_what_comes_behind_it() -> None:
    talk = begun(conversation()).client(parse("", CALL), bound(portal="c"), execute("c"), sync())
    good(talk.server(PARSED, BOUND)).server(ROW, complete("SELECT 1"), READY_IN)
    # The server has run the portal to its end.
    good(talk.client(execute("c"), sync())).server(complete("SELECT 0"), READY_IN)
    talk.client(query(EMAIL)).server(ROW, complete("SELECT 1"), READY_IN)
    talk.reaches_client(ROW, complete("SELECT 1"), READY_IN)


def test_a_named_statement_is_verified_each_time() -> None:
    talk = begun(conversation()).client(parse("c", SET), sync()).reaches_server(parse("c", SET_TEXT), sync())
    talk.server(PARSED, READY_IN)
    talk.client(run("c"), sync()).reaches_server(bind("", "c"), FLUSH).server(BOUND)
    good(talk).reaches_server(execute(""), sync()).server(complete("SET"), READY_IN)
    talk.client(run("c"), sync()).server(BOUND)
    assert asked(talk) == VerifyContext(2, TOKEN)


def test_begin_and_context_may_come_in_one_pipeline() -> None:
    talk = conversation()
    talk.client(parse("", "BEGIN"), run(), parse("", SET), run(), parse("", EMAIL), run(), sync())
    talk.server(PARSED, BOUND, complete("BEGIN"), PARSED, BOUND)
    good(talk).reaches_server(execute(""), parse("", HERS.text), run(), sync())


def test_outside_a_block_a_pipeline_is_no_transaction() -> None:
    talk = conversation().client(parse("", SET), run(), sync()).server(PARSED, BOUND)
    assert talk.rest == []
    talk.reaches_server(execute(NOBODY), sync())
    talk.server(error("34000"), READY).client_reads_error("25P01", "none is open", READY)


def test_what_failed_before_it_skips_it_and_no_token_is_used() -> None:
    talk = begun(conversation()).client(parse("", "x"), parse("", SET), run(), parse("", EMAIL), run(), sync())
    talk.server(error("42601")).reaches_server(sync())
    assert talk.rest == []
    assert talk.server(READY_FAILED).session.identity == WEB


@pytest.mark.parametrize(
    ("given", "sqlstate"),
    [
        (bind("", ""), "0A000"),
        (message(b"B", b"\0\0\0\0\0\1\xff\xff\xff\xff\0\0"), "0A000"),
        (message(b"B", b"\0\0\0\0\0\2\0\0\0\1a\0\0\0\1b\0\0"), "0A000"),
    ],
    ids=["none", "null", "two"],
)
def test_a_bind_without_the_one_token_is_refused(given: bytes, sqlstate: str) -> None:
    talk = begun(conversation()).client(parse("", CALL), given, execute(""), sync())
    talk.reaches_server(parse("", CALLED), bind("", NOBODY), execute(NOBODY), sync())
    talk.server(PARSED, error("26000"), READY_FAILED)
    assert talk.session.identity == WEB


def test_a_token_of_64_kb_is_too_long_by_either_way() -> None:
    talk = begun(conversation()).client(query(SET.replace(TOKEN, "t" * 65_536))).reaches_server(FAILING_QUERY)
    talk.server(error("42703"), READY_FAILED).client_reads_error("54000", "too long", READY_FAILED)
    talk = begun(conversation()).client(parse("", CALL), bound("t" * 65_536)[:9000])
    talk.client(bound("t" * 65_536)[9000:], execute(""), sync())
    assert b"tttt" not in talk.to_server
    talk.server(PARSED, error("26000"), READY_FAILED)
    talk = begun(conversation()).client(parse("", CALL), bound("t" * 65_536), execute(""), sync())
    talk.reaches_server(parse("", CALLED), bind("", NOBODY), execute(NOBODY), sync())


@pytest.mark.parametrize("pieces", [1, 2])
@pytest.mark.parametrize(("length", "fits"), [(8192, True), (8193, False)])
def test_how_long_a_bind_with_a_token_may_be_does_not_depend_on_how_it_comes(
    length: int, fits: bool, pieces: int
) -> None:
    sent = bound("t" * (length - len(bound(""))))
    assert len(sent) == length
    talk = begun(conversation()).client(parse("", CALL))
    for part in (sent,) if pieces == 1 else (sent[:1000], sent[1000:]):
        talk.client(part)
    talk.reaches_server(bound("") if fits else bind("", NOBODY))


@pytest.mark.parametrize(("length", "fits"), [(32_768, True), (32_769, False)])
def test_how_long_a_token_in_a_text_may_be(length: int, fits: bool) -> None:
    talk = begun(conversation()).client(query(SET.replace(TOKEN, "t" * length)))
    assert bool(talk.rest) == fits


def test_another_type_than_text_is_refused() -> None:
    talk = begun(conversation()).client(parse("", CALL, b"\0\1\0\0\0\x17"), sync())
    talk.reaches_server(parse("", FAILING_TEXT), sync())
    talk.server(error("42703"), READY_FAILED).client_reads_error("0A000", "has to be a text", READY_FAILED)


def test_what_was_prepared_before_is_decided_again_in_it_and_behind_it() -> None:
    commit = {"COMMIT": allow("COMMIT", ends="last")}
    talk = conversation().client(parse("s", EMAIL), sync()).server(PARSED, READY)
    within(talk, entries=commit).client(run("s"), sync())
    prepared = message(b"C", b"Ss\0") + parse("s", HERS.text)
    talk.reaches_server(prepared, run("s"), sync())
    talk.server(CLOSED, PARSED, BOUND, complete("SELECT 1"), READY_IN)
    talk.client(query("COMMIT")).server(complete("COMMIT"), READY)
    own_again(talk.client(run("s"), sync()))
    talk.reaches_server(message(b"C", b"Ss\0") + parse("s", OWN.text), run("s"), sync())


def test_a_portal_that_was_bound_before_is_stale_in_it() -> None:
    talk = begun(conversation()).client(parse("", EMAIL), bind("p", ""), FLUSH).server(PARSED, BOUND)
    good(talk.client(parse("c", SET), bind("", "c"), execute(""), FLUSH).server(PARSED, BOUND))
    talk.server(complete("SET")).client(execute("p"), sync()).reaches_server(execute(NOBODY), sync())


def test_a_portal_that_was_bound_before_is_recorded_for_the_person_who_reads_it() -> None:
    talk = begun(conversation()).client(parse("", EMAIL), bind("p", ""), FLUSH).server(PARSED, BOUND)
    talk.client(parse("c", SET), bind("", "c"), execute("", 0), FLUSH).server(PARSED, BOUND)
    good(talk, entries={EMAIL: OWN}).server(complete("SET"))
    talk.client(execute("p"), sync()).reaches_server(execute("p"), sync())
    talk.server(ROW, complete("SELECT 1"), READY_IN)
    assert who(talk)[-1] == "sa:shop/web for person:ada"
    assert talk.kinds()[-2:] == ["intent rewrite", "outcome ok"]


# ---- what can't be in a context


def test_another_person_is_refused_and_the_same_one_goes_on() -> None:
    talk = within(conversation())
    good(talk.client(query(SET)), ADA).reaches_server(query(SET_TEXT)).server(complete("SET"), READY_IN)
    good(talk.client(query(SET)), BOB).reaches_server(FAILING_QUERY)
    talk.server(error("42703"), READY_FAILED).client_reads_error("42501", "another person", READY_FAILED)
    assert talk.session.identity.beneficiary == ADA


@pytest.mark.parametrize(
    ("decision", "words"),
    [
        ({"outlasts": "a cursor WITH HOLD"}, "a cursor WITH HOLD would be there"),
        ({"ends": "amid"}, "nothing can stand behind"),
    ],
)
def test_what_would_last_longer_than_it_is_refused(decision: dict[str, Any], words: str) -> None:
    made = {"x": allow("x", **decision)}
    assert conversation(made).client(query("x")).to_server == query("x")
    talk = within(conversation(made), entries=made).client(query("x")).reaches_server(FAILING_QUERY)
    talk.server(error("42703"), READY_FAILED).client_reads_error("42501", words, READY_FAILED)


def test_it_expires_in_the_middle_of_its_transaction() -> None:
    entries = {"ROLLBACK": allow("ROLLBACK", ends="last"), "COMMIT": allow("COMMIT", ends="last")}
    talk = within(conversation(), entries=entries, seconds=5)
    talk.client(parse("s", EMAIL), sync()).server(PARSED, READY_IN)
    talk.now += 5_000_000
    for text in (EMAIL, "COMMIT"):
        talk.client(query(text)).reaches_server(FAILING_QUERY)
        talk.server(error("42703"), READY_FAILED).client_reads_error("28000", "expired", READY_FAILED)
    talk.client(run("s"), sync()).reaches_server(bind("", NOBODY), execute(NOBODY), sync())
    talk.server(error("26000"), READY_FAILED)
    talk.client(query("ROLLBACK")).reaches_server(query("ROLLBACK")).server(complete("ROLLBACK"), READY)
    own_again(talk.client(query(EMAIL))).reaches_server(query(OWN.text))


def test_a_new_token_of_the_same_person_prolongs_it() -> None:
    talk = within(conversation(), seconds=5)
    talk.now += 5_000_000
    good(talk.client(query(SET)), ADA).server(complete("SET"), READY_IN)
    talk.client(query(EMAIL)).reaches_server(query(HERS.text))


def test_temporary_tables_of_other_rights_are_not_read_in_it() -> None:
    made = {"CREATE TEMP TABLE t": allow("CREATE TEMP TABLE t", temporary=frozenset({"t"}))}
    talk = conversation(made).client(query("CREATE TEMP TABLE t")).server(complete("CREATE TABLE"), READY)
    good(begun(talk).client(query(SET))).reaches_server(FAILING_QUERY)
    talk.server(error("42703"), READY_FAILED).client_reads_error("42501", "temporary tables", READY_FAILED)
    talk.client(query("ROLLBACK")).server(complete("ROLLBACK"), READY)
    good(begun(talk).client(query(SET)), policy="one").reaches_server(query(SET_TEXT))


def test_what_it_makes_for_itself_is_forgotten_with_it() -> None:
    made = {"CREATE TEMP TABLE t": allow("CREATE TEMP TABLE t", temporary=frozenset({"t"}))}
    talk = within(conversation(), entries={**made, "COMMIT": allow("COMMIT", ends="last")})
    talk.client(query("CREATE TEMP TABLE t")).server(complete("CREATE TABLE"), READY_IN)
    assert talk.flow.temporary.names == {"t"}
    talk.client(query("COMMIT")).server(complete("COMMIT"), READY)
    assert talk.flow.temporary.names == frozenset()
    good(begun(talk).client(query(SET))).reaches_server(query(SET_TEXT))


def test_a_shorter_timeout_can_not_be_kept() -> None:
    talk = good(begun(conversation()).client(query(SET)), statement_timeout=1000)
    talk.reaches_server(FAILING_QUERY).server(error("42703"), READY_FAILED)
    talk.client_reads_error("42501", "statement_timeout", READY_FAILED)


def test_a_session_that_was_loosened_ends_where_the_person_has_masks() -> None:
    talk = conversation({"SET x": allow("SET x", loosens=True)}).client(query("SET x")).server(complete("SET"), READY)
    good(begun(talk).client(query(SET)), masked=True).client_reads_error("57P01", "set up without masks")
    assert talk.session.state is State.CLOSED


@pytest.mark.parametrize("observing", [False, True])
def test_what_sets_it_can_not_be_run_by_its_name_in_sql(observing: bool) -> None:
    talk = begun(conversation({"EXECUTE c": allow("EXECUTE c", executes=("c",))}, observing=observing))
    talk.client(parse("c", CALL), sync()).server(PARSED, READY_IN)
    talk.client(query("EXECUTE c")).reaches_server(FAILING_QUERY)
    talk.server(error("42703"), READY_FAILED).client_reads_error("0A000", "EXECUTE", READY_FAILED)


def test_within_it_no_ticket_is_given() -> None:
    talk = within(conversation()).client(query("SHOW penstock.ticket")).reaches_server(FAILING_QUERY)
    talk.server(error("42703"), READY_FAILED).client_reads_error("0A000", "no ticket", READY_FAILED)


def test_by_the_extended_protocol_neither_though_it_was_prepared_before() -> None:
    talk = conversation().client(parse("t", "SHOW penstock.ticket"), sync()).server(PARSED, READY)
    within(talk)
    talk.client(bind("", "t"), execute(""), sync()).server(BOUND)
    assert execute("") not in talk.to_server
    assert not any(isinstance(one, commands.IssueTicket) for one in talk.rest)
    talk.server(error("34000"), READY_FAILED).client_reads_error("0A000", "no ticket", READY_FAILED)


def test_a_gate_without_an_issuer_of_contexts_says_so() -> None:
    talk = begun(Conversation()).client(query(SET)).reaches_server(FAILING_QUERY)
    talk.server(error("42703"), READY_FAILED).client_reads_error("0A000", "accepts no contexts", READY_FAILED)


@pytest.mark.parametrize("observing", [False, True])
def test_forms_that_no_transaction_can_have_are_refused_whatever_the_policy(observing: bool) -> None:
    talk = begun(conversation(observing=observing)).client(query(SET.replace("LOCAL", "SESSION")))
    talk.reaches_server(FAILING_QUERY)
    talk.server(error("42703"), READY_FAILED).client_reads_error("42501", "whole session", READY_FAILED)
    assert TOKEN not in str(talk.events)


def test_where_copy_data_is_due_it_breaks_the_protocol() -> None:
    talk = begun(conversation({"COPY t FROM STDIN": allow("COPY t FROM STDIN", writes=True)}))
    talk.client(query("COPY t FROM STDIN")).server(COPY_IN)
    talk.client(query(SET)).client_reads_error("08P01")
    assert talk.session.state is State.CLOSED


def test_one_in_flight_behind_a_copy_breaks_the_protocol_once_the_server_asks_for_data() -> None:
    talk = begun(conversation({"COPY t FROM STDIN": allow("COPY t FROM STDIN", writes=True)}))
    talk.client(query("COPY t FROM STDIN"), query(SET)).server(COPY_IN).client_reads_error("08P01", then=b"")
    assert talk.session.state is State.CLOSED


# ---- what happens meanwhile


def test_a_verdict_that_nobody_waits_for_changes_nothing() -> None:
    talk = begun(conversation()).client(query(SET))
    ticket = asked(talk).ticket
    hers = Vouched(WEB.acting_for(ADA), rules(talk), 60.0)
    talk.did(talk.session.vouched(ticket + 1, hers))
    assert talk.session.state is State.VOUCHING
    talk.did(talk.session.vouched(ticket, None, Denial("no", "")))
    talk.server(error("42703"), READY_FAILED).did(talk.session.vouched(ticket, hers)).reaches_server()
    assert talk.session.identity == WEB


def test_a_client_that_goes_while_it_waits_leaves_nothing() -> None:
    talk = begun(conversation()).client(query(SET))
    ticket = asked(talk).ticket
    talk.did(talk.session.client_closed())
    talk.did(talk.session.vouched(ticket, Vouched(WEB.acting_for(ADA), rules(talk), 60.0))).reaches_server()
    assert talk.session.state is State.CLOSED


def test_who_is_revoked_within_it_loses_the_session() -> None:
    talk = within(conversation()).did([])
    talk.did(talk.session.revoked(by_policy("stop-ada"))).client_reads_error("28000", "revoked")
    end = talk.events[-1]
    assert (end["event"], end["policy"], end["identity"]["name"]) == ("end", "stop-ada", "sa:shop/web for person:ada")


def test_its_own_rules_may_change_within_it() -> None:
    talk = within(conversation())
    talk.did(talk.session.rules_replaced(rules(talk, {EMAIL: deny("no more")})))
    talk.client(query(EMAIL)).reaches_server(FAILING_QUERY)


def test_its_own_rules_are_looked_at_anew_where_any_changed_within_it() -> None:
    commit = {"COMMIT": allow("COMMIT", ends="last")}
    talk = within(conversation(), entries=commit)
    talk.did(talk.session.rules_replaced(rules(talk, commit)))
    talk.client(query("COMMIT"), query(EMAIL)).server(complete("COMMIT"), READY).reaches_server()
    own_anew(talk, {EMAIL: deny("no more")}).reaches_server(FAILING_QUERY)
    talk.server(error("42703"), READY)
    # What changed before the next one does not count for it.
    within(talk, entries=commit).client(query("COMMIT"), query(EMAIL)).server(complete("COMMIT"), READY)
    own_again(talk).reaches_server(FAILING_QUERY)


def test_without_its_own_rules_nothing_is_decided_behind_it() -> None:
    talk = within(conversation(), entries={"COMMIT": allow("COMMIT", ends="last")})
    talk.did(talk.session.rules_replaced(rules(talk, {"COMMIT": allow("COMMIT", ends="last")})))
    talk.client(query("COMMIT")).server(complete("COMMIT"), READY).client(query(EMAIL))
    talk.did(talk.session.catalog_read(fresh=False)).reaches_server(FAILING_QUERY)
    talk.server(error("42703"), READY).client_reads_error("55P03", "could not be made", READY)


def test_a_change_of_the_catalog_meanwhile_does_not_matter_to_it() -> None:
    denied = {SET_TEXT: deny("setting penstock.context can't be set like this")}
    talk = good(begun(conversation(masked=True)).client(query(SET)), entries=denied)
    talk.flow.doubt()
    talk.server(complete("SET"), READY_IN).reaches_client()
    talk.did(talk.session.doubt_ended(fresh=True)).reaches_client(complete("SET"), READY_IN)


def test_approval_is_asked_for_the_person() -> None:
    talk = within(conversation({TEXT: HOLDS_DELETES}), entries={TEXT: HOLDS_DELETES}).client(query(TEXT))
    asking = question(talk.server(TOLD, READY_IN)).asking
    assert [one.subject for one in asking.requester.acts_for] == ["ada"]
    assert asking.requester.workload is not None
    assert asking.requester.principal is None
