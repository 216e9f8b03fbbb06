"""The diagram is drawn from the table, and the table holds together."""

from __future__ import annotations

from penstock_sidecar.session.diagram import mermaid
from penstock_sidecar.session.states import TABLE, Event, State


def test_every_state_is_in_the_diagram_and_can_be_reached_and_left() -> None:
    drawn = mermaid()
    assert drawn.startswith("stateDiagram-v2\n    [*] --> opening\n")
    for state in State:
        assert f"--> {state}" in drawn
    reached = {State.OPENING}
    for _ in State:
        reached |= {follower for state in reached for followers in TABLE[state].values() for follower in followers}
    assert reached == set(State)


def test_every_event_is_legal_somewhere_and_nothing_leaves_closed() -> None:
    for event in Event:
        assert any(event in events for state, events in TABLE.items() if state is not State.CLOSED)
    assert all(followers == {State.CLOSED} for followers in TABLE[State.CLOSED].values())
