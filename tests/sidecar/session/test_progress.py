"""Each step of a session is in the table of states, also those of the two events that come most."""

from __future__ import annotations

import pytest
from tests.sidecar.session.conversation import BOUND, NO_DATA, PARSED, Conversation, allow, complete

from penstock_core.policy.effective import Limit, Rule
from penstock_sidecar.session.progress import Progress
from penstock_sidecar.session.states import TABLE, Event, IllegalEventError, State
from penstock_sidecar.wire.messages import query

INSERT = "INSERT INTO t VALUES (1)"
LIMITED = allow("SELECT limited", row_limit=Limit(2, Rule("web", "guardrails.maxRowsReturned")))


def lacking(monkeypatch: pytest.MonkeyPatch, state: State, event: Event, follower: State) -> None:
    monkeypatch.setitem(TABLE[state], event, TABLE[state][event] - {follower})


def test_a_step_that_the_table_lacks_is_not_taken_while_running(monkeypatch: pytest.MonkeyPatch) -> None:
    talk = Conversation({INSERT: allow(INSERT, writes=True)}, on_failure="block")
    lacking(monkeypatch, State.RUNNING, Event.CLIENT_BYTES, State.RECORDING)
    with pytest.raises(IllegalEventError, match="client bytes leads from running to recording"):
        talk.client(query(INSERT))


def test_nor_at_what_the_server_sends(monkeypatch: pytest.MonkeyPatch) -> None:
    talk = Conversation()
    lacking(monkeypatch, State.RUNNING, Event.SERVER_BYTES, State.CLOSED)
    with pytest.raises(IllegalEventError, match="server bytes leads from running to closed"):
        talk.server(bytes(5))


def test_what_waited_goes_on_by_the_table_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """Behind a statement whose rows are counted waits a write, whose intent has to be durable first."""
    talk = Conversation({LIMITED.text: LIMITED, INSERT: allow(INSERT, writes=True)}, on_failure="block")
    talk.client(query(LIMITED.text), query(INSERT))
    assert talk.session.state is State.COUNTING
    lacking(monkeypatch, State.COUNTING, Event.SERVER_BYTES, State.RECORDING)
    with pytest.raises(IllegalEventError, match="server bytes leads from counting to recording"):
        talk.server(PARSED, BOUND, NO_DATA, complete("SELECT 0"))


def test_the_end_is_final() -> None:
    progress = Progress(State.CLOSED)
    progress.happens(Event.DURABLE)
    progress.enter(State.CLOSED)
    with pytest.raises(IllegalEventError, match="from the end to running"):
        progress.enter(State.RUNNING)


@pytest.mark.parametrize("state", State)
def test_an_event_that_the_state_does_not_know_is_refused(state: State) -> None:
    for event in set(Event) - TABLE[state].keys():
        with pytest.raises(IllegalEventError, match=f"{event} can't happen while {state}"):
            Progress(state).happens(event)
