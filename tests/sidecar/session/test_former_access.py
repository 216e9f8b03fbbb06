"""Conversations: access for a time ends, and with it what was decided by it, and nothing else."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from tests.sidecar.session.conversation import (
    BOUND,
    PARSED,
    READY,
    READY_IN,
    Conversation,
    allow,
    complete,
    run,
    sync,
)
from tests.sidecar.session.test_context_pipeline import EMAIL, SET, begun, conversation, good

from penstock_core.resources.grant import Grant
from penstock_core.sql.decision import Decision
from penstock_sidecar.session import commands
from penstock_sidecar.session.commands import AskAccess
from penstock_sidecar.session.states import State
from penstock_sidecar.wire.messages import parse, query

WRITE = "CREATE TEMP TABLE kept AS SELECT email FROM people"


def grant(request: str) -> Grant:
    return Grant.model_validate(
        {
            "request": request, "policy": "incident", "policyDigest": "0" * 64,
            "requester": {"principal": {"kind": "person", "subject": "ada", "issuer": "https://id.example"}},
            "approvers": ["dba"], "duration": "1h", "until": "2026-01-31T18:00:00Z", "decidedBy": "dora",
        }
    )  # fmt: skip


OURS, HERS = grant("r-ours"), grant("r-hers")


def lasts(talk: Conversation, *access: Grant, own: tuple[Grant, ...] = ()) -> Conversation:
    """That is the access by now, and no other."""
    return talk.did(talk.session.rules_replaced(replace(talk.rules(), access=access), own))


def ended(talk: Conversation) -> None:
    talk.client_reads_error("57P01", "has ended")
    assert talk.session.state is State.CLOSED


WAITING: dict[str, tuple[Decision, dict[str, Any], State]] = {
    "for the trail": (allow(WRITE, writes=True), {"on_failure": "block"}, State.RECORDING),
    "for the planner": (allow(WRITE, writes=True, cost_limit=5.0), {}, State.COUNTING),
}


@pytest.mark.parametrize("way", ["simple", "extended"])
@pytest.mark.parametrize("waits", WAITING)
def test_what_was_decided_by_it_and_waits_is_not_sent_when_it_is_over(waits: str, way: str) -> None:
    decision, options, state = WAITING[waits]
    talk = lasts(Conversation({WRITE: decision}, **options), OURS)
    if way == "simple":
        talk.client(query(WRITE))
    else:
        talk.client(parse("", WRITE), run(), sync())
        if waits == "for the planner":
            talk.server(PARSED, BOUND)
    assert talk.session.state is state
    ended(lasts(talk))
    assert query(WRITE) not in talk.to_server
    # Nobody learns what a server answers to it.
    assert commands.Interrupt() in talk.rest


def test_a_session_that_sent_nothing_by_it_goes_on() -> None:
    talk = lasts(lasts(Conversation(), OURS))
    talk.client(query("SELECT 1")).reaches_server(query("SELECT 1"))


def used(talk: Conversation) -> Conversation:
    """A session that has access of its own, and used it."""
    lasts(talk, OURS).client(query(EMAIL)).server(complete("SELECT 0"), READY)
    good(begun(talk).client(query(SET))).server(complete("SET"), READY_IN)
    return talk


def test_within_a_context_the_sessions_own_goes_on_with_the_policies() -> None:
    talk = lasts(used(conversation()), own=(OURS,))
    talk.client(query("SELECT 1")).reaches_server(query("SELECT 1"))


def test_within_a_context_the_sessions_own_ends() -> None:
    ended(lasts(used(conversation())))


def test_what_was_used_within_a_context_ends_with_it_and_not_behind_it() -> None:
    talk = good(begun(conversation()).client(query(SET)), access=(HERS,)).server(complete("SET"), READY_IN)
    lasts(talk, HERS).client(query(EMAIL)).server(complete("SELECT 0"), READY_IN)
    talk.client(query("COMMIT")).server(complete("COMMIT"), READY)
    lasts(talk).client(query("SELECT 1")).reaches_server(query("SELECT 1"))


def test_what_was_used_within_a_context_ends_it_there() -> None:
    talk = good(begun(conversation()).client(query(SET)), access=(HERS,)).server(complete("SET"), READY_IN)
    talk.client(query(EMAIL)).server(complete("SELECT 0"), READY_IN)
    ended(lasts(talk))


def test_within_a_context_it_is_asked_for_the_person() -> None:
    talk = good(begun(conversation()).client(query(SET))).server(complete("SET"), READY_IN)
    talk.client(query("SET penstock.access = 'incident for 1h: orders hang'"))
    (command,) = talk.rest
    assert isinstance(command, AskAccess)
    assert [one.subject for one in command.asking.requester.acts_for] == ["ada"]
