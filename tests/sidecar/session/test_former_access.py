"""Conversations: access for a time ends, for sessions that used it, within a context and outside of one."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from tests.core.policy.test_access import PERSON, given
from tests.sidecar.session.conversation import READY, READY_IN, ROW, Conversation, complete
from tests.sidecar.session.test_context_pipeline import EMAIL, conversation, rules, within

from penstock_core.resources.grant import Grant
from penstock_sidecar.session import commands
from penstock_sidecar.session.commands import SessionRules
from penstock_sidecar.session.former_access import FormerAccess
from penstock_sidecar.session.states import State
from penstock_sidecar.wire.messages import query

OWN, HERS = given(PERSON, request="r-own"), given(PERSON, request="r-hers")


def ran(talk: Conversation, text: str = EMAIL, ready: bytes = READY) -> Conversation:
    return talk.client(query(text)).server(ROW, complete("SELECT 1"), ready)


def own_rules(talk: Conversation, *access: Grant, **more: Any) -> SessionRules:
    return replace(talk.rules(), access=access, **more)


def with_own() -> Conversation:
    """A session that has sent something by access of its own."""
    talk = conversation()
    return ran(talk.did(talk.session.rules_replaced(own_rules(talk, OWN))))


def changed(talk: Conversation, *access: Grant, own: tuple[Grant, ...] | None = None) -> Conversation:
    """The policy changed while a context is open, and that lasts for its person."""
    return talk.did(talk.session.rules_replaced(replace(rules(talk), access=access), own))


def ended(talk: Conversation) -> bool:
    return talk.session.state is State.CLOSED


def committed(talk: Conversation) -> Conversation:
    return talk.client(query("COMMIT")).server(complete("COMMIT"), READY)


def test_a_session_ends_with_the_access_that_it_used() -> None:
    talk = with_own()
    talk.did(talk.session.rules_replaced(own_rules(talk, OWN)))
    assert not ended(talk)
    talk.did(talk.session.rules_replaced(own_rules(talk)))
    assert ended(talk)
    assert b"the access by policy incident (request r-own) has ended" in talk.to_client
    assert any(isinstance(one, commands.Interrupt) for one in talk.rest)


def test_one_that_used_none_goes_on() -> None:
    talk = conversation()
    talk.did(talk.session.rules_replaced(own_rules(talk, OWN)))
    talk.did(talk.session.rules_replaced(own_rules(talk)))
    assert not ended(ran(talk))


def test_a_change_while_a_context_is_open_ends_no_session_whose_own_access_lasts() -> None:
    talk = within(with_own())
    assert not ended(changed(talk, own=(OWN,)))
    ran(talk, ready=READY_IN)
    assert not ended(committed(talk))
    talk.did(talk.session.rules_replaced(own_rules(talk, OWN)))
    assert not ended(talk)


def test_its_own_access_that_ends_meanwhile_ends_it_at_once() -> None:
    talk = within(with_own())
    assert ended(changed(talk, HERS, own=()))
    assert b"r-own" in talk.to_client


def test_access_of_the_contexts_own_that_ends_meanwhile_ends_it_too() -> None:
    talk = within(with_own(), access=(HERS,))
    ran(talk, ready=READY_IN)
    assert not ended(changed(talk, HERS, own=(OWN,)))
    assert ended(changed(talk, own=(OWN,)))
    assert b"r-hers" in talk.to_client


def test_what_was_used_in_a_context_is_over_with_its_transaction() -> None:
    talk = within(conversation(), access=(HERS,))
    ran(talk, ready=READY_IN)
    committed(talk)
    talk.did(talk.session.rules_replaced(own_rules(talk)))
    assert not ended(talk)
    # The next one is somebody else's, for whom there is none.
    within(talk)
    ran(talk, ready=READY_IN)
    assert not ended(changed(talk, own=()))


def test_access_of_the_same_request_is_not_taken_for_the_others() -> None:
    """What the context's person has says nothing of what the session itself has, and the other way about."""
    former = FormerAccess()
    former.used([OWN])
    former.used([HERS], within=True)
    assert former.over([OWN], [HERS]) is None
    assert former.over([HERS], [HERS, OWN]) is OWN
    assert former.over([OWN, HERS], [OWN]) is HERS
    former.context_ended()
    assert former.over([OWN]) is None
    assert former.over([]) is OWN
