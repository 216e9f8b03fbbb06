"""Conversations: the rules change while a statement waits for its intent to become durable."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.sidecar.session.conversation import (
    PARSED,
    READY,
    Conversation,
    allow,
    complete,
    deny,
    error,
    rewrite,
    run,
    sync,
)
from tests.sidecar.session.test_held_pipeline import HOLDS_DELETES, TOLD, question

from penstock_core.sql.decision import Decision
from penstock_sidecar.session import commands
from penstock_sidecar.session.refusals import FAILING_QUERY
from penstock_sidecar.session.states import State
from penstock_sidecar.wire.messages import bind, execute, parse, query

TEXT = "DELETE FROM t"
WRITES = allow(TEXT, writes=True)


def waiting(*sent: bytes, decision: Decision = WRITES) -> Conversation:
    talk = Conversation({TEXT: decision}, on_failure="block").client(*(sent or (query(TEXT),)))
    assert talk.session.state is State.RECORDING
    return talk


def durable(talk: Conversation) -> Conversation:
    return talk.did(talk.session.durable(talk.tickets[-1]))


def test_what_is_refused_by_now_is_not_sent() -> None:
    talk = waiting()
    talk.new_rules({TEXT: deny("no more")}).reaches_server()
    durable(talk).reaches_server(FAILING_QUERY)
    talk.server(error("42703"), READY).client_reads_error("42501", "no more", READY)
    assert talk.kinds() == ["intent allow", "outcome unexecuted", "intent deny", "outcome denied"]


def test_what_is_masked_by_now_is_sent_so() -> None:
    talk = waiting()
    talk.new_rules({TEXT: replace(rewrite("DELETE FROM masked"), writes=True)})
    durable(talk).reaches_server()
    durable(talk).reaches_server(query("DELETE FROM masked"))
    talk.server(complete("DELETE 1"), READY)
    assert talk.kinds() == ["intent allow", "outcome unexecuted", "intent rewrite", "outcome ok"]


def test_what_is_decided_as_before_goes_on() -> None:
    talk = waiting()
    talk.new_rules({TEXT: replace(WRITES, generation=9)})
    durable(talk).reaches_server(query(TEXT))
    talk.server(complete("DELETE 1"), READY)
    assert talk.kinds() == ["intent allow", "outcome ok"]


def test_what_is_held_by_now_is_asked_about() -> None:
    talk = waiting()
    talk.new_rules({TEXT: HOLDS_DELETES})
    durable(talk)
    assert talk.session.state is State.HELD
    assert question(talk.server(TOLD, READY)).asking.statement.sql == TEXT


def test_without_rules_it_waits_for_them() -> None:
    talk = waiting()
    talk.did(talk.session.rules_replaced(replace(talk.rules("another"), ready=False)))
    durable(talk).reaches_server()
    assert [type(one) for one in talk.rest] == [commands.AwaitRules]


def test_of_a_bind_too() -> None:
    talk = waiting(parse("s", TEXT), bind("c", "s"), execute("c"), sync())
    talk.new_rules({TEXT: deny("no more")})
    durable(talk)
    assert execute("c") not in talk.to_server
    assert bind("c", "s") not in talk.to_server
    talk.server(PARSED, error("26000"), READY).client_reads_error("42501", "no more", READY)
    assert talk.kinds()[:2] == ["intent allow", "outcome unexecuted"]
    # Under that name nothing was opened.
    talk.new_rules({TEXT: allow(TEXT)}).client(execute("c"), sync()).server(error("34000"), READY)
    talk.client_reads_error("34000", "does not exist", READY)


def test_of_a_parse_that_runs_code_too() -> None:
    talk = waiting(parse("s", TEXT), run("s"), sync(), decision=replace(WRITES, runs_code_when_parsed=True))
    talk.new_rules({TEXT: deny("no more")})
    durable(talk)
    assert parse("s", TEXT) not in talk.to_server
    assert "s" not in talk.flow.statements


@pytest.mark.parametrize("text", ["COMMIT", "ROLLBACK"])
def test_the_end_of_a_transaction_is_never_put_off(text: str) -> None:
    talk = Conversation({text: replace(allow(text), writes=True)}, on_failure="block")
    talk.client(query("BEGIN")).server(complete("BEGIN"), b"Z\x00\x00\x00\x05T").client(query(text))
    assert talk.session.state is State.RECORDING
    talk.new_rules({text: deny("no more")})
    durable(talk).reaches_server(query(text))


def test_what_follows_it_goes_on_behind_it() -> None:
    talk = waiting(query(TEXT), query("SELECT 1"))
    talk.new_rules({TEXT: deny("no more")})
    durable(talk).reaches_server(FAILING_QUERY, query("SELECT 1"))
