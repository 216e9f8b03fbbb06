"""Conversations of sessions that share a door: changes of the catalog, and who waits for them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from tests.sidecar.session.conversation import (
    BOUND,
    CLOSED,
    COPY_DONE,
    COPY_IN,
    PARSED,
    READY,
    Conversation,
    allow,
    complete,
    copy_data,
    deny,
    error,
    settings,
)
from tests.sidecar.session.test_held_pipeline import DELETES, GRANTED, answer, asked, question

from penstock_core.policy.holding import Effects, Holding
from penstock_core.sql.decision import Action, Decision
from penstock_sidecar.session import commands
from penstock_sidecar.session.door import Door
from penstock_sidecar.session.refusals import FAILING_QUERY
from penstock_sidecar.session.states import State
from penstock_sidecar.wire import messages
from penstock_sidecar.wire.messages import FLUSH, SYNC, bind, describe_portal, execute, message, parse, query


def does(text: str, verb: str, **more: Any) -> Decision:
    return replace(allow(text, writes=True, **more), verbs=(verb,))


VIEW = does("CREATE VIEW v AS SELECT 1", "create", changes_catalog=True)
DROP = does("DROP TABLE t", "drop", changes_catalog=True, drops_tables=frozenset({"t"}))
CALLED = does("SELECT f()", "select", changes_catalog=True)
INSERT = does("INSERT INTO t VALUES ($1)", "insert")
COPY = does("COPY t FROM STDIN", "copy", changes_catalog=True, commits_itself=True)
BOTH = replace(VIEW, text=f"{VIEW.text}; COMMIT", verbs=("create", "commit"))
KNOWN = {one.text: one for one in (VIEW, DROP, CALLED, INSERT, COPY, BOTH)}
IN_PORTAL = bind("", "") + describe_portal("") + execute("") + FLUSH
END = SYNC + message(b"C", b"S\0") + message(b"C", b"P\0") + FLUSH


def pair() -> tuple[Door, Conversation, Conversation]:
    """An owner, and a clerk with masks."""
    door = Door()
    return door, Conversation(dict(KNOWN), door=door), Conversation(dict(KNOWN), door=door, masked=True)


def outcomes(one: Conversation) -> list[str]:
    intents = [event["statement"] for event in one.events if event["kind"] == "intent"]
    ends = {event["statement"]: event["result"] for event in one.events if event["kind"] == "outcome"}
    assert sorted(ends) == sorted(intents)
    return [ends[number] for number in intents]


def test_a_change_commits_when_it_has_done_its_work_and_nobody_who_writes_is_inside() -> None:
    door, owner, clerk = pair()
    clerk.client(query(INSERT.text))
    owner.client(query(VIEW.text)).reaches_server(parse("", VIEW.text) + IN_PORTAL)
    owner.server(PARSED, BOUND, message(b"n", b""), complete("CREATE VIEW"))
    assert owner.rest == [commands.CloseDoor(alone=False, who=owner.flow)]
    assert owner.session.state is State.CHANGING
    clerk.server(complete("INSERT 0 1"), READY)
    door.force(owner.session.door_key)
    owner.did(owner.session.door_closed(alone=True)).reaches_server(END)
    owner.server(READY, CLOSED, CLOSED).reaches_client(READY)
    assert commands.CatalogStale() in owner.rest


def test_a_session_that_waits_to_commit_is_told_of_new_rules() -> None:
    _, owner, clerk = pair()
    clerk.client(query(INSERT.text))
    owner.client(query(VIEW.text)).server(PARSED, BOUND, message(b"n", b""), complete("CREATE VIEW"))
    assert owner.session.state is State.CHANGING
    assert owner.session.takes_rules
    owner.new_rules({})
    assert owner.session.state is State.CHANGING


def test_what_waits_to_commit_when_its_session_ends_has_an_outcome() -> None:
    _, owner, clerk = pair()
    clerk.client(query(INSERT.text))
    owner.client(query(BOTH.text))
    assert owner.session.state is State.CHANGING
    owner.did(owner.session.client_closed())
    assert outcomes(owner) == ["error"]


def test_what_is_bound_again_while_the_catalog_changes_leaves_the_portal_before_until_then() -> None:
    door, owner, clerk = pair()
    clerk.client(parse("", INSERT.text), bind("", ""), FLUSH).server(PARSED, BOUND)
    door.force(owner.session.door_key)
    clerk.client(bind("", ""), SYNC)
    assert clerk.session.state is State.RESOLVING
    assert commands.AwaitCatalog() in clerk.rest
    door.give_up(owner.session.door_key)
    clerk.did(clerk.session.catalog_read()).reaches_server(bind("", ""), SYNC)
    clerk.server(BOUND, READY)
    assert outcomes(clerk) == ["unexecuted", "unexecuted"]


def test_what_others_wait_for_is_asked_for_while_its_session_waits_for_them() -> None:
    door, owner, clerk = pair()
    clerk.client(parse("", INSERT.text), bind("", ""))
    door.force(owner.session.door_key)
    clerk.client(execute("")).reaches_server(FLUSH)
    assert clerk.session.state is State.RESOLVING


def test_the_server_is_not_asked_amid_a_message_that_is_passing() -> None:
    door, owner, clerk = pair()
    large = message(b"B", b"\0\0\0\0\0\1" + (2_000_000).to_bytes(4, "big") + b"x" * 2_000_000 + b"\0\0")
    clerk.client(parse("", INSERT.text), large[:1_500_000])
    door.force(owner.session.door_key)
    clerk.did(clerk.session.flush()).reaches_server()
    clerk.client(large[1_500_000:-10]).reaches_server(large[1_500_000:-10])
    clerk.client(large[-10:]).reaches_server(large[-10:], FLUSH)
    clerk.did(clerk.session.flush()).reaches_server(FLUSH)


def test_behind_a_table_that_is_dropped_in_a_portal_nothing_is_decided_before_its_end() -> None:
    _, owner, _ = pair()
    owner.client(query(DROP.text), query("SELECT 1")).reaches_server(parse("", DROP.text) + IN_PORTAL)
    owner.server(PARSED, BOUND, message(b"n", b""), complete("DROP TABLE")).reaches_server(END)
    assert owner.session.state is State.SETTLING
    owner.server(READY, CLOSED, CLOSED).reaches_server(query("SELECT 1"))


def test_a_function_that_is_called_by_the_fast_path_runs_in_no_portal() -> None:
    _, owner, _ = pair()
    call = message(b"F", (957).to_bytes(4, "big") + bytes(6))
    owner.book.entries["SELECT pg_catalog.lo_creat()"] = CALLED
    owner.client(call)
    assert owner.session.state is State.RUNNING
    owner.reaches_server(call)


def test_copy_data_comes_though_the_copy_may_change_the_catalog_and_a_sync_stands_before_it() -> None:
    # As libpq does: Sync right behind Execute, and another after the data.
    for blindly in (False, True):
        _, owner, _ = pair()
        begin, data = (parse("", COPY.text), bind("", ""), execute(""), SYNC), (copy_data(b"1\n"), COPY_DONE, SYNC)
        owner.client(*begin, *data) if blindly else owner.client(*begin)
        # Alone: what comes before it is answered first.
        owner.server(PARSED, BOUND).server(COPY_IN)
        if blindly:
            owner.reaches_server(SYNC, *data[:2], FLUSH)
        else:
            owner.reaches_server(SYNC).client(*data).reaches_server(*data[:2], FLUSH)
        owner.server(complete("COPY 1")).reaches_server(SYNC)
        owner.server(READY)
        assert owner.session.state is State.RUNNING
        assert not owner.flow.queue
        assert outcomes(owner) == ["ok"]


def test_the_early_sync_of_such_a_copy_ends_it_where_it_failed_before_its_data() -> None:
    _, owner, _ = pair()
    owner.client(parse("", COPY.text), bind("", ""), execute(""), SYNC)
    owner.server(PARSED, BOUND).server(COPY_IN, error("P0001"), READY)
    owner.client(copy_data(b"1\n"), COPY_DONE, SYNC).server(READY)
    assert owner.session.state is State.RUNNING
    assert outcomes(owner) == ["error"]


def test_a_statement_that_waits_behind_copy_data_ends_the_session() -> None:
    _, owner, _ = pair()
    owner.client(parse("", COPY.text), bind("", ""), execute(""), execute(""))
    owner.server(PARSED, BOUND).server(COPY_IN).client_reads_error("08P01", "where COPY data is due")


def test_planning_may_change_the_catalog_and_the_sync_commits_that() -> None:
    door, owner, clerk = pair()
    clerk.client(query(INSERT.text))
    owner.client(parse("", CALLED.text), bind("", ""), SYNC).server(PARSED, BOUND)
    assert owner.rest == [commands.CloseDoor(alone=False, who=owner.flow)]
    clerk.server(complete("INSERT 0 1"), READY)
    door.force(owner.session.door_key)
    owner.did(owner.session.door_closed(alone=True)).reaches_server(SYNC)
    owner.server(READY)
    assert commands.CatalogStale() in owner.rest
    assert outcomes(owner) == ["unexecuted"]


def test_types_that_a_client_declared_count_when_it_is_decided_again() -> None:
    _, _, clerk = pair()
    clerk.client(parse("", "SELECT $1", b"\0\1\0\0\0\x17"), FLUSH).server(PARSED)
    clerk.new_rules({})
    clerk.client(bind("", ""))
    assert clerk.book.types == (23,)


def test_what_changes_the_catalog_is_not_decided_again_because_its_own_bind_was_sent() -> None:
    _, _, clerk = pair()
    asked: list[str] = []
    decide = clerk.book.decide

    def watched(text: str, *more: Any) -> Decision:
        asked.append(text)
        return decide(text, *more)

    clerk.book.decide = watched  # type: ignore[method-assign]
    clerk.client(parse("", VIEW.text), bind("", ""), execute(""))
    clerk.server(PARSED, BOUND).reaches_server(execute(""))
    assert asked == [VIEW.text]


def waits_at_the_door(text: str, **more: Any) -> tuple[Door, Conversation]:
    """A statement that may commit a change by itself, while a clerk writes."""
    door, owner, clerk = pair()
    owner.book.entries = {text: replace(KNOWN[text], **more)}
    clerk.client(query(INSERT.text))
    owner.client(query(text)).reaches_server()
    assert owner.session.state is State.CHANGING
    return door, owner


def opened(door: Door, owner: Conversation, *, alone: bool = True) -> Conversation:
    door.force(owner.flow)
    return owner.did(owner.session.door_closed(alone=alone))


def test_what_is_refused_by_now_is_not_sent_when_the_door_is_closed_for_it() -> None:
    for alone in (True, False):
        door, owner = waits_at_the_door(BOTH.text)
        owner.new_rules({BOTH.text: deny("no more")})
        opened(door, owner, alone=alone).reaches_server(FAILING_QUERY)
        owner.server(error("42703"), READY).client_reads_error("42501", "no more", then=READY)
        assert door.open
        assert outcomes(owner) == ["unexecuted", "denied"]


def test_what_is_masked_by_now_waits_at_the_door_anew() -> None:
    door, owner = waits_at_the_door(BOTH.text)
    owner.new_rules({BOTH.text: replace(BOTH, action=Action.REWRITE, text="SELECT masked")})
    opened(door, owner).reaches_server()
    assert owner.session.state is State.CHANGING
    opened(door, owner).reaches_server(query("SELECT masked"))
    assert not door.open


def test_what_is_held_by_now_is_asked_about_with_the_door_open() -> None:
    door, owner = waits_at_the_door(BOTH.text)
    holds = Holding(Effects(frozenset({"create"})), rules=(replace(DELETES, when="statement.verb == 'create'"),))
    owner.new_rules({BOTH.text: replace(BOTH, holding=holds)})
    opened(door, owner)
    assert (owner.session.state, door.open) == (State.HELD, True)


def test_what_was_approved_and_waits_at_the_door_is_asked_for_anew_by_newer_policies_alone() -> None:
    holds = Holding(Effects(frozenset({"create"})), rules=(replace(DELETES, when="statement.verb == 'create'"),))
    for generation, sent in ((None, True), (9, False)):
        door, owner, clerk = pair()
        owner.book.entries = {BOTH.text: replace(BOTH, holding=holds)}
        clerk.client(query(INSERT.text))
        owner.client(query(BOTH.text)).server(answer(settings()), READY)
        owner.did(owner.session.answered(question(owner).ticket, GRANTED))
        assert owner.session.state is State.CHANGING
        owner.did(owner.session.rules_replaced(replace(owner.rules(), generation=generation)))
        opened(door, owner).reaches_server(*([] if sent else [asked(ends=True, planned=False)]))
        if sent:
            opened(door, owner).reaches_server(query(BOTH.text))


def test_what_is_decided_as_before_is_sent_when_the_door_is_closed_for_it() -> None:
    door, owner = waits_at_the_door(BOTH.text)
    owner.new_rules({BOTH.text: replace(BOTH, generation=9)})
    opened(door, owner).reaches_server(query(BOTH.text))


def test_what_waits_for_the_answers_before_it_goes_by_the_rules_of_then() -> None:
    _, owner, _ = pair()
    owner.client(query("SELECT 1"), query(BOTH.text)).reaches_server(query("SELECT 1"), FLUSH)
    assert owner.session.state is State.CHANGING
    owner.new_rules({BOTH.text: deny("no more")})
    owner.server(complete("SELECT 1"), READY).reaches_server(FAILING_QUERY)
    owner.server(error("42703"), READY).client_reads_error("42501", "no more", then=READY)


def test_the_end_of_a_transaction_goes_on_whatever_the_rules_are_by_then() -> None:
    door, owner, clerk = pair()
    owner.client(query("BEGIN")).server(complete("BEGIN"), messages.ready(b"T"))
    owner.client(query(VIEW.text)).server(complete("CREATE VIEW"), messages.ready(b"T"))
    clerk.client(query(INSERT.text))
    owner.client(query("COMMIT"))
    assert owner.session.state is State.CHANGING
    owner.new_rules({"COMMIT": deny("no more")})
    opened(door, owner).reaches_server(query("COMMIT"))
