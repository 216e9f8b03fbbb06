"""Conversations: what changes while a statement is asked about, waits for approval, or is about to be sent."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from tests.sidecar.session.conversation import (
    BOUND,
    CLOSED,
    PARSED,
    READY,
    Conversation,
    allow,
    complete,
    error,
    plan,
    settings,
)
from tests.sidecar.session.test_held_pipeline import (
    DELETES,
    GRANTED,
    MANY,
    TEXT,
    TOLD,
    WAITING,
    WAITS,
    answer,
    asked,
    decision,
    held,
    question,
    replace_request,
)

from penstock_core.policy.holding import Effects, Holding
from penstock_core.sql.decision import Action, Decision
from penstock_sidecar.session.commands import AskApproval, AwaitApproval
from penstock_sidecar.session.states import State
from penstock_sidecar.wire.messages import query


def granted(talk: Conversation) -> Conversation:
    """Asked about, and approved."""
    talk.client(query(TEXT)).server(TOLD, READY)
    return talk.did(talk.session.answered(question(talk).ticket, GRANTED))


def recording(talk: Conversation) -> Conversation:
    assert talk.session.state is State.RECORDING
    return talk


def durable(talk: Conversation) -> Conversation:
    return talk.did(talk.session.durable(talk.tickets[-1]))


def replaced(talk: Conversation, generation: int | None = None, policy: object = "one", **more: Any) -> Conversation:
    """Rules come, of that generation of policies."""
    return talk.did(talk.session.rules_replaced(replace(talk.rules(policy), generation=generation, **more)))


def looks(talk: Conversation) -> AwaitApproval:
    (command,) = talk.rest
    assert isinstance(command, AwaitApproval)
    return command


def waits(*rules: Any, told: bytes = TOLD) -> Conversation:
    """A session that waits for somebody to decide about r-1."""
    talk = held(*rules or (WAITS,))
    talk.client(query(TEXT)).server(told, READY)
    return talk.did(talk.session.answered(question(talk).ticket, WAITING))


def test_what_was_approved_is_not_asked_for_twice_where_it_would_be_asked_as_before() -> None:
    talk = recording(granted(held(on_failure="block")))
    # The catalog, or another's policy, changed while the trail is written.
    replaced(talk)
    durable(talk).reaches_server()
    assert talk.rest == []
    durable(recording(talk)).reaches_server(query(TEXT))
    talk.server(complete("DELETE 1"), READY)
    assert talk.kinds() == ["intent allow", "outcome unexecuted", "intent allow", "outcome ok"]
    notes = [event["approvals"][0]["standing"] for event in talk.events if event["kind"] == "intent"]
    assert notes == ["granted", "granted"]


@pytest.mark.parametrize(
    ("generation", "policy"), [(9, "one"), (9, "masks of another column"), (None, "by the same number")]
)
def test_of_other_policies_it_is_asked_for_anew(generation: int | None, policy: str) -> None:
    talk = recording(granted(held(on_failure="block")))
    replaced(talk, generation, policy)
    durable(talk).reaches_server(asked(ends=True)).server(TOLD, READY)
    assert question(talk).asking.held_by.policy_generation == (generation or 0)


def test_an_approval_is_for_one_message_alone() -> None:
    talk = granted(held()).server(complete("DELETE 1"), READY)
    talk.client(query(TEXT)).server(TOLD, READY)
    assert isinstance(question(talk), AskApproval)


def test_whom_nothing_held_is_held_by_what_is_known_of_them_now() -> None:
    of_group = replace(DELETES, when="'contractors' in identity.groups")
    talk = Conversation({TEXT: decision(of_group)}, on_failure="block")
    replaced(talk, facts=lambda: ({"identity.groups": ["staff"]},))
    recording(talk.client(query(TEXT)))
    replaced(talk, facts=lambda: ({"identity.groups": ["contractors"]},))
    durable(talk).reaches_server(asked(ends=True))
    assert talk.kinds() == ["intent allow", "outcome unexecuted"]


PREPARE, RUN = f"PREPARE s AS {TEXT}", "EXECUTE s"


def prepared(*tables: str) -> dict[str, Decision]:
    makes = Effects(frozenset({"delete"}), frozenset(tables))
    made = Holding(Effects(frozenset({"prepare"})), makes)
    runs = Holding(Effects(frozenset({"execute"})), rules=(DELETES,))
    return {
        PREPARE: Decision(
            Action.ALLOW, PREPARE, verbs=("prepare", "delete"), prepares=("s",), made_from=PREPARE, holding=made
        ),
        RUN: Decision(Action.ALLOW, RUN, verbs=("execute",), executes=("s",), holding=runs),
    }


@pytest.mark.parametrize("known", [True, False])
def test_what_a_name_runs_is_what_was_asked_about_or_is_asked_about_anew(known: bool) -> None:
    """What EXECUTE runs may reach other tables when the holder has answered: a view was replaced, a key was made."""
    before, now = ("public.t",), ("public.t",) if known else ("public.t", "public.u")
    talk = Conversation(prepared(*before))
    talk.client(query(PREPARE)).server(complete("PREPARE"), READY)
    talk.client(query(RUN)).server(answer(settings()), READY)
    asking = question(talk)
    assert asking.asking.effect.tables == before
    talk.book.entries = prepared(*now)
    replaced(talk).reaches_server()
    talk.did(talk.session.answered(asking.ticket, GRANTED))
    if known:
        talk.reaches_server(query(RUN))
    else:
        talk.reaches_server()
        assert question(talk).asking.effect.tables == now


def test_settings_that_are_others_after_the_wait_are_asked_about_anew() -> None:
    talk = waits()
    talk.did(talk.session.answered(looks(talk).ticket, GRANTED)).reaches_server(asked(ends=True))
    talk.server(answer(settings(search_path="elsewhere")), answer(plan(5)), READY)
    asking = question(talk)
    assert ("search_path", "elsewhere") in [(one.name, one.value) for one in asking.asking.statement.settings]
    # For these, nobody has approved anything.
    talk.did(talk.session.answered(asking.ticket, replace_request(WAITING, "r-2"))).reaches_server()
    assert looks(talk).request == "r-2"
    assert talk.kinds() == ["request r-1", "request r-2"], "who is to decide finds both in the trail"


def test_what_the_planner_says_after_the_wait_counts() -> None:
    many = replace(MANY, wait=60_000)
    talk = waits(many, told=answer(settings()) + answer(plan(11)))
    talk.did(talk.session.answered(looks(talk).ticket, GRANTED)).reaches_server(asked(ends=True))
    talk.server(answer(settings()), answer(plan(5)), READY).reaches_server(query(TEXT))
    assert talk.rest == [], "no approval is used for what needs none"


def test_what_the_server_refuses_after_the_wait_uses_no_approval() -> None:
    talk = waits()
    talk.did(talk.session.answered(looks(talk).ticket, GRANTED))
    talk.server(CLOSED, CLOSED, PARSED, BOUND, error("42P01")).client_reads_error("42P01")
    assert talk.rest == []
    talk.server(READY).reaches_client(READY).reaches_server()
    assert talk.kinds() == ["request r-1", "intent allow", "outcome error"]


@pytest.mark.parametrize("generation", [None, 9])
def test_a_policy_that_comes_while_it_waits_has_a_request_of_its_own(generation: int | None) -> None:
    talk = waits()
    look = looks(talk)
    replaced(talk, generation)
    talk.did(talk.session.answered(look.ticket, GRANTED)).reaches_server(asked(ends=True))
    asking = question(talk.server(TOLD, READY))
    assert asking.asking.held_by.policy_generation == (generation or 0)
    talk.did(talk.session.answered(asking.ticket, replace_request(WAITING, "r-2")))
    assert talk.kinds() == ["request r-1", "request r-2"]


def test_what_is_not_held_any_more_after_the_wait_runs_as_it_is_decided_now() -> None:
    talk = waits()
    look = looks(talk)
    talk.book.entries = {TEXT: allow(TEXT, writes=True)}
    replaced(talk, 9)
    talk.did(talk.session.answered(look.ticket, GRANTED)).reaches_server(query(TEXT))
