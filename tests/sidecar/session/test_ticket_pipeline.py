"""`SHOW penstock.ticket` as conversations: recorded first, answered by the gate, refused where it can't be."""

from __future__ import annotations

from typing import Any

import pytest
from tests.sidecar.session.conversation import (
    BOUND,
    PARSED,
    READY,
    READY_FAILED,
    READY_IN,
    ROW,
    SUSPENDED,
    Conversation,
    allow,
    complete,
    error,
    run,
    sync,
)

from penstock_core.policy.revocation import by_policy
from penstock_sidecar.session import commands
from penstock_sidecar.session.commands import IssuedTicket, IssueTicket
from penstock_sidecar.session.refusals import FAILING_QUERY, fatal
from penstock_sidecar.session.states import State
from penstock_sidecar.wire import messages
from penstock_sidecar.wire.messages import execute, parse, query

SHOW = query("SHOW penstock.ticket")
MADE = IssuedTicket("ticket-aaaqeayeaudaocajbifq", "made-up", "2026-11-29T12:05:00Z")
NO = fatal("57P03", "nobody keeps tickets", "present the token")._replace(severity="ERROR")


def answer(data: bytes) -> tuple[list[str], list[str], bytes]:
    """Names and values of the one row, and the status behind it."""
    parts: list[tuple[int, bytes]] = []
    while data:
        length = int.from_bytes(data[1:5], "big")
        parts.append((data[0], data[5 : length + 1]))
        data = data[length + 1 :]
    assert bytes(kind for kind, _ in parts) == b"TDCZ"
    described, row, tag, status = (body for _, body in parts)
    names, at = [], 2
    while at < len(described):
        end = described.index(b"\x00", at)
        names.append(described[at:end].decode())
        at = end + 19
    assert tag == b"SHOW\x00"
    values = [(one or b"").decode() for one in messages.read_row(row)]
    return names, values, status


def asked(**options: Any) -> Conversation:
    return Conversation(**options).client(SHOW)


def issues(talk: Conversation) -> list[Any]:
    return [one for one in talk.rest if isinstance(one, IssueTicket)]


def test_a_ticket_is_answered_by_the_gate_and_the_server_never_hears_of_it() -> None:
    talk = asked()
    assert (issues(talk), talk.to_server, talk.to_client) == ([IssueTicket("shop")], b"", b"")
    assert talk.session.state is State.ISSUING
    talk.did(talk.session.ticket_made(MADE)).reaches_server()
    assert answer(talk.to_client) == (
        ["user", "password", "expires"], [MADE.name, "made-up", "2026-11-29T12:05:00Z"], b"I",
    )  # fmt: skip
    assert talk.session.state is State.RUNNING
    assert talk.kinds() == ["intent allow", "outcome ok"]
    intent, outcome = talk.events
    assert (intent["sql"], intent["verbs"]) == ("SHOW penstock.ticket", ["show"])
    assert (outcome["ticket"], outcome["rows"]) == (MADE.name, 1)
    assert "made-up" not in repr(talk.events) + repr(MADE)
    talk.client(query("SELECT 1")).reaches_server(query("SELECT 1"))


def test_it_is_on_record_before_it_is_made() -> None:
    talk = asked(on_failure="block")
    assert (issues(talk), talk.kinds()) == ([], ["intent allow"])
    talk.did(talk.session.durable(talk.tickets[-1]))
    assert issues(talk) == [IssueTicket("shop")]
    talk.did(talk.session.durable(talk.tickets[-1]))
    assert issues(talk) == [], "it is asked for once"
    assert answer(talk.did(talk.session.ticket_made(MADE)).to_client)[1][0] == MADE.name


def test_what_can_not_be_recorded_is_not_made() -> None:
    talk = asked(on_failure="block")
    talk.did(talk.session.audit_failed(talk.tickets[-1], "the disk is full"))
    talk.reaches_server(FAILING_QUERY)
    assert issues(talk) == []
    talk.server(error("42703"), READY).client_reads_error("53100", "can't be written", READY)


def test_who_gets_none_reads_why_in_a_transaction_that_has_failed_at_the_server_too() -> None:
    talk = Conversation()
    talk.client(query("BEGIN"))
    talk.server(complete("BEGIN"), READY_IN)
    talk.client(SHOW)
    talk.did(talk.session.ticket_refused(NO)).reaches_server(FAILING_QUERY)
    talk.server(error("42703"), READY_FAILED).client_reads_error("57P03", "nobody keeps tickets", READY_FAILED)
    assert talk.events[-1]["result"] == "denied"


def test_in_a_transaction_it_is_as_before() -> None:
    talk = Conversation()
    talk.client(query("BEGIN"))
    talk.server(complete("BEGIN"), READY_IN)
    talk.client(SHOW)
    assert answer(talk.did(talk.session.ticket_made(MADE)).to_client)[2] == b"T"


def test_in_a_failed_transaction_the_server_says_so() -> None:
    talk = Conversation()
    talk.client(query("BEGIN"))
    talk.server(complete("BEGIN"), READY_IN)
    talk.client(query("SELECT broken"))
    talk.server(error("42703"), READY_FAILED)
    talk.client(SHOW).reaches_server(FAILING_QUERY)
    assert issues(talk) == []
    talk.server(error("25P02"), READY_FAILED).client_reads_error("25P02", then=READY_FAILED)


@pytest.mark.parametrize(
    "before",
    [
        query("SELECT 1"),
        parse("", "SELECT 1"),
        parse("", "SELECT 1") + run() + sync(),
        messages.SYNC,
    ],
)
def test_while_others_are_on_their_way_it_is_refused_in_its_turn(before: bytes) -> None:
    talk = Conversation()
    talk.client(before, SHOW)
    assert issues(talk) == []
    assert talk.to_server == before + FAILING_QUERY
    assert talk.events[-1]["decision"] == "deny"
    assert talk.events[-1]["reason"] == "SHOW penstock.ticket came while other statements are on their way"


def test_amid_what_a_sync_is_to_end_it_is_refused() -> None:
    talk = Conversation()
    talk.client(parse("", "SELECT 1"), run(), messages.FLUSH)
    talk.server(PARSED, BOUND, ROW, complete("SELECT 1"))
    talk.client(SHOW)
    assert (issues(talk), talk.to_server) == ([], FAILING_QUERY)


def test_among_other_statements_it_is_refused() -> None:
    talk = Conversation().client(query("SHOW penstock.ticket; SELECT 1"))
    assert (issues(talk), talk.to_server) == ([], FAILING_QUERY)
    talk.server(error("42703"), READY).client_reads_error("0A000", "stands with statements for the server", READY)


PARSE = parse("", "SHOW penstock.ticket")
# What the server has in its place.
IN_PLACE = parse(
    "",
    'SELECT NULL::pg_catalog.text AS "user", NULL::pg_catalog.text AS "password", NULL::pg_catalog.text AS "expires"',
)
DESCRIBE = messages.message(b"D", b"P\x00")
DESCRIBED = messages.message(b"T", b"\x00\x00")
GIVEN = messages.row(MADE.name.encode(), b"made-up", b"2026-11-29T12:05:00Z")


@pytest.mark.parametrize("observing", [False, True])
def test_in_the_extended_protocol_the_server_describes_the_row_and_the_gate_fills_it(observing: bool) -> None:
    talk = Conversation(observing=observing)
    talk.client(PARSE, messages.bind("", ""), DESCRIBE, execute(""), sync())
    talk.reaches_server(IN_PLACE, messages.bind("", ""), DESCRIBE, messages.FLUSH)
    assert (issues(talk), talk.kinds()) == ([], [])
    talk.server(PARSED, BOUND, DESCRIBED).reaches_client(PARSED, BOUND, DESCRIBED)
    assert (issues(talk), talk.session.state) == ([IssueTicket("shop")], State.ISSUING)
    talk.did(talk.session.ticket_made(MADE)).reaches_server(execute(""), sync())
    talk.server(ROW, complete("SELECT 1"), READY).reaches_client(GIVEN, complete("SELECT 1"), READY)
    assert talk.kinds() == ["intent allow", "outcome ok"]
    intent, outcome = talk.events
    assert (intent["sql"], intent["verbs"], intent["protocol"]) == ("SHOW penstock.ticket", ["show"], "extended")
    assert (outcome["ticket"], outcome["rows"]) == (MADE.name, 1)
    talk.client(query("SELECT 1")).server(ROW, complete("SELECT 1"), READY)
    talk.reaches_client(ROW, complete("SELECT 1"), READY)


def test_a_driver_that_goes_step_by_step_gets_it_too() -> None:
    talk = Conversation().client(PARSE, sync()).reaches_server(IN_PLACE, sync())
    talk.server(PARSED, READY).client(messages.bind("", ""), execute(""), sync())
    talk.reaches_server(messages.bind("", ""), messages.FLUSH)
    talk.server(BOUND).did(talk.session.ticket_made(MADE)).reaches_server(execute(""), sync())
    talk.server(ROW, complete("SELECT 1"), READY)
    assert GIVEN in talk.to_client


def test_what_was_prepared_gives_another_each_time_that_it_is_bound_and_one_for_each_bind() -> None:
    talk = Conversation().client(parse("s", "show Penstock.ticket"), sync()).server(PARSED, READY)
    for _ in range(2):
        talk.client(messages.bind("", "s"), execute("", 1), execute(""), sync()).server(BOUND)
        assert len(issues(talk)) == 1
        talk.did(talk.session.ticket_made(MADE)).reaches_server(execute("", 1), messages.FLUSH)
        talk.server(ROW, SUSPENDED).reaches_client(GIVEN, SUSPENDED)
        assert issues(talk) == [], "the server has no second row, and neither has the gate"
        talk.reaches_server(execute(""), sync())
        talk.server(complete("SELECT 0"), READY).reaches_client(complete("SELECT 0"), READY)
    assert talk.kinds() == ["intent allow", "outcome ok", "intent allow", "outcome ok", "transaction commit"] * 2


def test_it_is_recorded_before_it_is_made_by_the_extended_protocol_too() -> None:
    talk = Conversation(on_failure="block").client(PARSE, messages.bind("", ""), execute(""), sync())
    talk.server(PARSED, BOUND)
    assert (issues(talk), talk.kinds()) == ([], ["intent allow"])
    talk.did(talk.session.durable(talk.tickets[-1]))
    assert issues(talk) == [IssueTicket("shop")]


@pytest.mark.parametrize("recorded", [True, False])
def test_who_gets_none_by_the_extended_protocol_reads_why(recorded: bool) -> None:
    talk = Conversation(on_failure="continue" if recorded else "block")
    talk.client(PARSE, messages.bind("", ""), execute(""), sync()).server(PARSED, BOUND)
    if recorded:
        talk.did(talk.session.ticket_refused(NO))
    else:
        talk.did(talk.session.audit_failed(talk.tickets[-1], "the disk is full"))
        assert issues(talk) == []
    assert talk.to_server.endswith(sync())
    assert execute("") not in talk.to_server
    talk.server(error("34000"), READY)
    talk.client_reads_error(*(("57P03", "nobody keeps") if recorded else ("53100", "can't be written")), READY)


def test_a_row_that_does_not_come_is_no_other_statements() -> None:
    talk = Conversation().client(PARSE, messages.bind("", ""), execute(""), sync()).server(PARSED, BOUND)
    talk.did(talk.session.ticket_made(MADE)).server(error("57014"), READY)
    assert b"made-up" not in talk.to_client
    talk.client(query("SELECT 1")).server(ROW, complete("SELECT 1"), READY)
    assert b"made-up" not in talk.to_client
    assert talk.to_client.endswith(ROW + complete("SELECT 1") + READY)
    assert [one.get("ticket") for one in talk.events[:2]] == [None, MADE.name], "it was made"


def test_what_fails_before_it_makes_none() -> None:
    talk = Conversation().client(PARSE, messages.bind("", ""), execute(""), sync())
    talk.server(PARSED, error("08P01"), READY)
    assert (issues(talk), talk.session.state) == ([], State.RUNNING)
    talk.client(query("SELECT 1")).server(complete("SELECT 1"), READY)
    assert talk.session.state is State.RUNNING


@pytest.mark.parametrize("observing", [False, True])
def test_by_execute_in_sql_it_is_refused_since_the_server_would_run_what_is_in_its_place(observing: bool) -> None:
    text = "EXECUTE s"
    talk = Conversation({text: allow(text, executes=("s",))}, observing=observing)
    talk.client(parse("s", "SHOW penstock.ticket"), sync()).server(PARSED, READY)
    assert talk.client(query(text)).to_server.endswith(FAILING_QUERY)
    assert issues(talk) == []
    talk.server(error("42703"), READY).client_reads_error("0A000", "EXECUTE", READY)


def test_several_in_one_parse_are_refused() -> None:
    talk = Conversation().client(parse("", "SHOW penstock.ticket; SELECT 1"), sync())
    talk.server(error("42703"), READY).client_reads_error("0A000", "stands with statements for the server", READY)


def test_what_comes_behind_waits_and_goes_its_way() -> None:
    talk = Conversation().client(SHOW, query("SELECT 1"))
    assert talk.to_server == b""
    talk.client(query("SELECT 2"))
    assert talk.to_server == b""
    talk.did(talk.session.ticket_made(MADE)).reaches_server(query("SELECT 1"), query("SELECT 2"))
    assert talk.to_client.endswith(READY)


def test_what_the_server_says_meanwhile_comes_first_and_whole() -> None:
    talk = asked()
    notice = messages.parameter_status("application_name", "x" * 100)
    talk.server(notice[:20])
    before = talk.to_client
    talk.did(talk.session.ticket_made(MADE))
    assert talk.to_client == b"", "not within a message"
    assert talk.session.state is State.ISSUING
    talk.server(notice[20:])
    assert (before + talk.to_client).startswith(notice)
    assert answer((before + talk.to_client).removeprefix(notice))[1][0] == MADE.name


def test_a_session_that_has_to_end_ends_once_it_is_told() -> None:
    talk = asked()
    talk.did(talk.session.expired(at_once=False))
    assert talk.session.state is State.ISSUING
    talk.did(talk.session.ticket_made(MADE))
    assert talk.session.state is State.CLOSED
    assert MADE.name.encode() in talk.to_client
    assert b"token expired" in talk.to_client


@pytest.mark.parametrize("made", [True, False])
def test_a_client_that_goes_meanwhile_leaves_no_doubt_in_the_trail(made: bool) -> None:
    talk = asked(on_failure="continue" if made else "block")
    talk.did(talk.session.client_closed())
    assert talk.kinds() == ["intent allow", "outcome unknown" if made else "outcome unexecuted", "session end"]
    talk.did(talk.session.ticket_made(MADE))
    assert (talk.to_client, talk.events[3:]) == (b"", [])


def test_a_revoked_session_is_told_nothing() -> None:
    talk = asked()
    talk.did(talk.session.revoked(by_policy("stop")))
    assert talk.session.state is State.CLOSED
    assert any(isinstance(one, commands.Close) for one in talk.rest)
    assert talk.did(talk.session.ticket_made(MADE)).to_client == b""


def test_new_rules_meanwhile_change_nothing_of_it() -> None:
    talk = asked()
    talk.new_rules({})
    assert answer(talk.did(talk.session.ticket_made(MADE)).to_client)[1][0] == MADE.name
