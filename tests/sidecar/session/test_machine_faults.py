"""A fault of the gate's own ends the session in words: nothing more is sent, and nobody waits for ever."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from tests.sidecar.session.conversation import Book, Conversation, allow

from penstock_core.sql.decision import Decision
from penstock_sidecar.session import commands
from penstock_sidecar.session.commands import Command
from penstock_sidecar.session.states import State
from penstock_sidecar.wire import messages
from penstock_sidecar.wire.messages import query

TEXT = "DELETE FROM t"
WRITES = allow(TEXT, writes=True)


class Faulty(Book):
    """A decider with a fault."""

    def decide(self, *question: Any) -> Decision:
        raise ZeroDivisionError("a fault")


def ended(talk: Conversation, answer: list[Command]) -> None:
    assert isinstance(talk.session.fault, ZeroDivisionError)
    assert talk.session.state is State.CLOSED
    assert not any(isinstance(one, commands.ToServer) for one in answer)
    (told,) = (one.data for one in answer if isinstance(one, commands.ToClient))
    error = messages.read_error(told[5:])
    assert (error.severity, error.sqlstate) == ("FATAL", "XX000")
    assert error.message == "penstock: the gate failed (ZeroDivisionError)"
    assert error.hint == "connect again, and report it to the Penstock project"
    assert commands.Close("the gate failed (ZeroDivisionError)") in answer
    bodies = [body for one in answer if isinstance(one, commands.Record) for body in one.bodies]
    assert (bodies[-1]["event"], bodies[-1]["sqlstate"]) == ("end", "XX000")
    # It is over: whatever else comes is for nobody.
    assert talk.session.client_bytes(query("SELECT 1")) == []


def test_while_a_statement_is_decided() -> None:
    talk = Conversation()
    talk.session.rules_replaced(replace(talk.rules("other"), decider=Faulty()))
    ended(talk, talk.session.client_bytes(query(TEXT)))


def test_with_what_was_to_be_sent_before_it() -> None:
    talk = Conversation()
    talk.session.rules_replaced(replace(talk.rules("other"), decider=Faulty()))
    ended(talk, talk.session.client_bytes(messages.SYNC + query(TEXT)))


def test_when_an_intent_is_on_record() -> None:
    talk = Conversation({TEXT: WRITES}, on_failure="block").client(query(TEXT))
    assert talk.session.state is State.RECORDING
    talk.did(talk.session.rules_replaced(replace(talk.rules("other"), decider=Faulty())))
    ended(talk, talk.session.durable(talk.tickets[-1]))


def test_while_something_is_done_for_the_session() -> None:
    talk = Conversation()
    ended(talk, talk.session.failed(ZeroDivisionError("a fault")))
    # It was under way, and nobody waits for it.
    assert talk.session.failed(ZeroDivisionError("another")) == []
