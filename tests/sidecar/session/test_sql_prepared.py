"""What was prepared or declared in SQL is run under the policy that it was made under, or not at all."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.sidecar.session.conversation import (
    BOUND,
    CLOSED,
    NO_DATA,
    PARSED,
    READY,
    READY_FAILED,
    READY_IN,
    Conversation,
    allow,
    complete,
    error,
    run,
    sync,
)

from penstock_core.sql.decision import Action, Recorded
from penstock_sidecar.session import refusals
from penstock_sidecar.wire.messages import FLUSH, bind, describe_portal, execute, parse, query

PREPARE = allow("PREPARE p AS SELECT 1", prepares=("p",), made_from="PREPARE p AS SELECT 1")
EXECUTE = allow("EXECUTE p", executes=("p",))
DECLARE = allow("DECLARE c CURSOR FOR SELECT 1", declares=(("c", False),), made_from="DECLARE c CURSOR FOR SELECT 1")
HOLD = allow(
    "DECLARE c CURSOR WITH HOLD FOR SELECT 1",
    declares=(("c", True),),
    made_from="DECLARE c CURSOR WITH HOLD FOR SELECT 1",
)
FETCH = allow("FETCH c", fetches=("c",))
CLOSE = allow("CLOSE c", closes=("c",))
DEALLOCATE = allow("DEALLOCATE p", deallocates=("p",))
KNOWN = {one.text: one for one in (PREPARE, EXECUTE, DECLARE, HOLD, FETCH, CLOSE, DEALLOCATE)}

# The same by another policy or catalog, by which what is made is rewritten.
OTHERWISE = KNOWN | {
    one.text: replace(one, action=Action.REWRITE, text=f"{one.text} FROM masked")
    for one in (PREPARE, DECLARE, HOLD, allow("SELECT 1"))
}


def talk() -> Conversation:
    return Conversation(dict(KNOWN))


def does(one: Conversation, text: str, tag: str, after: bytes = READY) -> None:
    one.client(query(text)).reaches_server(query(one.book.entries.get(text, allow(text)).text))
    one.server(complete(tag), after).reaches_client(complete(tag), after)


def is_refused(one: Conversation, text: str) -> None:
    one.client(query(text)).reaches_server(refusals.FAILING_QUERY)
    one.server(error(refusals.UNDEFINED_COLUMN), READY)
    one.client_reads_error("42501", "the policy, the catalog or search_path changed since", READY)


def test_what_was_prepared_runs_until_the_policy_changes_and_again_when_it_is_prepared_anew() -> None:
    one = talk()
    does(one, PREPARE.text, "PREPARE")
    does(one, EXECUTE.text, "SELECT 1")
    one.new_rules(dict(KNOWN), policy="one")
    does(one, EXECUTE.text, "SELECT 1")
    one.new_rules(dict(KNOWN), policy="another")
    does(one, EXECUTE.text, "SELECT 1")
    one.new_rules(OTHERWISE, policy="one")
    is_refused(one, EXECUTE.text)
    does(one, DEALLOCATE.text, "DEALLOCATE")
    does(one, PREPARE.text, "PREPARE")
    does(one, EXECUTE.text, "SELECT 1")


def test_a_name_that_is_taken_stays_what_it_was() -> None:
    one = talk()
    does(one, PREPARE.text, "PREPARE")
    one.new_rules(OTHERWISE)
    one.client(query(PREPARE.text))
    one.server(error("42P05"), READY)
    is_refused(one, EXECUTE.text)


def test_a_cursor_goes_with_its_transaction() -> None:
    one = talk()
    does(one, "BEGIN", "BEGIN", READY_IN)
    does(one, DECLARE.text, "DECLARE CURSOR", READY_IN)
    one.new_rules(OTHERWISE)
    one.client(query(FETCH.text)).reaches_server(refusals.FAILING_QUERY)
    one.server(error(refusals.UNDEFINED_COLUMN), READY_FAILED)
    does(one, "ROLLBACK", "ROLLBACK")
    does(one, "BEGIN", "BEGIN", READY_IN)
    does(one, DECLARE.text, "DECLARE CURSOR", READY_IN)
    does(one, FETCH.text, "FETCH 1", READY_IN)


def test_a_cursor_that_is_held_stays_stale_until_it_is_closed() -> None:
    one = talk()
    does(one, HOLD.text, "DECLARE CURSOR")
    one.new_rules(OTHERWISE)
    is_refused(one, FETCH.text)
    does(one, CLOSE.text, "CLOSE CURSOR")
    does(one, HOLD.text, "DECLARE CURSOR")
    does(one, FETCH.text, "FETCH 1")


@pytest.mark.parametrize(("text", "tag"), [("DEALLOCATE ALL", "DEALLOCATE ALL"), ("DISCARD ALL", "DISCARD ALL")])
def test_a_session_that_gave_up_all_begins_anew(text: str, tag: str) -> None:
    one = talk()
    does(one, PREPARE.text, "PREPARE")
    one.new_rules(OTHERWISE)
    does(one, text, tag)
    does(one, PREPARE.text, "PREPARE")
    does(one, EXECUTE.text, "SELECT 1")


def test_what_parse_prepared_under_an_older_policy_is_not_executed_in_sql() -> None:
    one = talk()
    one.client(parse("p", "SELECT 1"), sync()).server(PARSED, READY)
    does(one, EXECUTE.text, "SELECT 1")
    one.new_rules(OTHERWISE)
    is_refused(one, EXECUTE.text)
    # Bound, it is decided anew.
    one.client(run("p"), sync()).server(CLOSED, PARSED, BOUND, complete("SELECT 1"), READY)
    does(one, EXECUTE.text, "SELECT 1")


def test_an_unknown_name_is_the_servers_business_while_no_policy_has_changed() -> None:
    one = talk()
    # In a portal, since nobody knows whether it changes the catalog.
    one.client(query(EXECUTE.text)).reaches_server(
        parse("", EXECUTE.text), bind("", ""), describe_portal(""), execute(""), FLUSH
    )
    one.server(PARSED, BOUND, NO_DATA, error("26000")).reaches_client(error("26000"))
    one.server(READY, CLOSED, CLOSED).reaches_client(READY)
    one.new_rules(OTHERWISE)
    is_refused(one, EXECUTE.text)


def test_an_unknown_statement_is_the_servers_business_unless_code_that_nobody_read_has_run() -> None:
    code = allow("SELECT odd()", changes_search_path=True)
    one = Conversation({**KNOWN, code.text: code}, masked=True)
    # The catalog changed, and the policy did not.
    one.new_rules({**KNOWN, code.text: code}, policy="one")
    one.client(query(EXECUTE.text)).reaches_server(
        parse("", EXECUTE.text), bind("", ""), describe_portal(""), execute(""), FLUSH
    )
    one.server(PARSED, BOUND, NO_DATA, error("26000")).reaches_client(error("26000"))
    one.server(READY, CLOSED, CLOSED).reaches_client(READY)
    # A function that was read may have opened a cursor.
    is_refused(one, FETCH.text)
    does(one, code.text, "SELECT 1")
    one.new_rules({**KNOWN, code.text: code}, policy="one")
    is_refused(one, EXECUTE.text)


def test_made_and_run_in_one_text() -> None:
    both = allow("PREPARE p AS SELECT 1; EXECUTE p", prepares=("p",), executes=("p",))
    one = Conversation({both.text: both})
    one.new_rules({both.text: both})
    does(one, both.text, "SELECT 1")


def test_names_of_temporary_tables_are_handed_to_the_decider() -> None:
    make = allow("CREATE TEMP TABLE t (a int)", temporary=frozenset({"t"}))
    drop = allow("DISCARD TEMP", drops_temporary=True)
    one = Conversation({make.text: make, drop.text: drop})
    does(one, make.text, "CREATE TABLE")
    does(one, "SELECT 1", "SELECT 1")
    assert one.book.temporary == {"t"}
    does(one, drop.text, "DISCARD TEMP")
    does(one, "SELECT 1", "SELECT 1")
    assert one.book.temporary == frozenset()


def test_what_is_run_by_its_name_is_on_record_with_what_it_reads_and_does() -> None:
    about = {"relations": ("public.people",), "masked": ("public.people.email",)}
    kept = {
        one.text: replace(one, verbs=verbs, **about)  # type: ignore[arg-type]  # they are of these types
        for one, verbs in ((PREPARE, ("prepare", "delete")), (DECLARE, ("declare", "select")))
    }
    # As texts that share a decision have it: what they run is their own.
    shared = allow("EXECUTE another")
    runs = {
        one.text: replace(one, verbs=verbs, same_but_text=shared)
        for one, verbs in ((EXECUTE, ("execute",)), (FETCH, ("fetch",)))
    }
    parsed = replace(allow("SELECT email"), verbs=("select",), relations=("public.letters",))
    one = Conversation(KNOWN | kept | runs | {parsed.text: parsed})
    one.client(parse("q", parsed.text), sync()).server(PARSED, READY)
    one.book.entries['EXECUTE "q"'] = replace(allow('EXECUTE "q"', executes=("q",)), verbs=("execute",))
    does(one, "BEGIN", "BEGIN", READY_IN)
    for text, tag in (
        (PREPARE.text, "PREPARE"), (DECLARE.text, "DECLARE CURSOR"),
        (EXECUTE.text, "DELETE 1"), (EXECUTE.text, "DELETE 1"), (FETCH.text, "FETCH 1"), ('EXECUTE "q"', "SELECT 1"),
    ):  # fmt: skip
        does(one, text, tag, READY_IN)
    found = [(event["verbs"], event["relations"], event["masked"]) for event in one.events if event["kind"] == "intent"]
    executed = (["execute", "delete"], ["public.people"], ["public.people.email"])
    assert found[-4:] == [
        executed,
        executed,
        (["fetch", "select"], ["public.people"], ["public.people.email"]),
        (["execute", "select"], ["public.letters"], []),
    ]


def test_a_cursor_of_sql_is_executed_as_it_is_fetched_from() -> None:
    fetch = allow('FETCH ALL FROM "c"', fetches=("c",), redact_errors=True)
    one = Conversation(KNOWN | {fetch.text: fetch})
    does(one, "BEGIN", "BEGIN", READY_IN)
    one.client(execute("c"), sync()).server(error("34000"), READY_FAILED)
    one.client_reads_error("34000", 'portal "c" does not exist', READY_FAILED)
    does(one, "ROLLBACK", "ROLLBACK")
    does(one, "BEGIN", "BEGIN", READY_IN)
    does(one, DECLARE.text, "DECLARE CURSOR", READY_IN)
    one.events.clear()
    one.client(execute("c", 1), sync()).reaches_server(execute("c", 1), sync())
    assert one.kinds() == ["intent allow"]
    one.server(error("22012"), READY_FAILED).client_reads_error("22012", "text withheld", READY_FAILED)
    does(one, "ROLLBACK", "ROLLBACK")
    does(one, "BEGIN", "BEGIN", READY_IN)
    does(one, DECLARE.text, "DECLARE CURSOR", READY_IN)
    one.new_rules(OTHERWISE | {fetch.text: fetch})
    one.client(execute("c"), sync()).server(error(refusals.UNDEFINED_PORTAL), READY_FAILED)
    one.client_reads_error("42501", "changed since", READY_FAILED)


def test_what_runs_by_its_name_has_a_link_to_what_made_it() -> None:
    one = talk()
    does(one, "SELECT 1", "SELECT 1")
    does(one, PREPARE.text, "PREPARE")
    does(one, EXECUTE.text, "SELECT 1")
    does(one, DEALLOCATE.text, "DEALLOCATE")
    does(one, PREPARE.text, "PREPARE")
    does(one, EXECUTE.text, "SELECT 1")
    made = {event["statement"]: event.get("madeBy") for event in one.events if event["kind"] == "intent"}
    assert made == {1: None, 2: None, 3: [2], 4: None, 5: None, 6: [5]}


def test_what_a_text_makes_and_runs_is_recorded_for_what_runs_it() -> None:
    parts = (
        Recorded(("prepare", "select"), ("public.people",), ("public.people.email",), "PREPARE"),
        Recorded(("execute",), (), (), "EXECUTE"),
        Recorded(("show",), (), (), "SHOW"),
    )
    text = "PREPARE p AS SELECT 1; EXECUTE p; SHOW x"
    decision = replace(allow(text), prepares=("p",), executes=("p",), made_from=text, parts=parts)
    one = Conversation({text: decision})
    one.client(query(text))
    assert [(event["verbs"], event["relations"], event["masked"]) for event in one.events] == [
        (["prepare", "select"], ["public.people"], ["public.people.email"]),
        (["execute", "select"], ["public.people"], ["public.people.email"]),
        (["show"], [], []),
    ]
