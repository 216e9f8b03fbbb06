"""Conversations: what was approved once goes on in portions, for whom and under what it was approved."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.sidecar.session.conversation import (
    BOUND,
    PARSED,
    READY_IN,
    ROW,
    SUSPENDED,
    Conversation,
    allow,
    complete,
    settings,
)
from tests.sidecar.session.test_context_pipeline import SET, begun, conversation, good
from tests.sidecar.session.test_held_pipeline import DELETES, GRANTED, TOLD, answer, decision, plan, question

from penstock_core.policy.effective import ApprovalRule, Rule
from penstock_core.policy.holding import Holding
from penstock_sidecar.session.states import State
from penstock_sidecar.wire.messages import FLUSH, bind, execute, parse, query

TEXT = "DELETE FROM t"
PEOPLE = ApprovalRule("people", DELETES.when, ("dba",), "1h", 0, Rule("people", "approvals[people]"))


def begins(talk: Conversation) -> Conversation:
    """A portal in a transaction, of which the first portion was approved."""
    begun(talk).client(parse("", TEXT), bind("c", ""), execute("c", 1), FLUSH).server(PARSED, BOUND)
    talk.did(talk.session.answered(question(talk.server(TOLD)).ticket, GRANTED)).reaches_server(execute("c", 1), FLUSH)
    return talk.server(ROW, SUSPENDED)


def test_the_next_portion_goes_its_way() -> None:
    talk = begins(conversation({TEXT: decision()}))
    talk.client(execute("c", 1), FLUSH).reaches_server(execute("c", 1), FLUSH)
    talk.server(ROW, SUSPENDED).client(execute("c", 1), FLUSH).reaches_server(execute("c", 1), FLUSH)


@pytest.mark.parametrize("rules", [(DELETES,), (PEOPLE,), (DELETES, PEOPLE)])
def test_within_a_context_another_asks_whatever_rule_holds_it(rules: tuple[ApprovalRule, ...]) -> None:
    talk = begins(conversation({TEXT: decision()}))
    good(talk.client(query(SET)), entries={TEXT: decision(*rules)}).server(complete("SET"), READY_IN)
    talk.client(execute("c", 1), FLUSH)
    assert talk.session.state is State.HELD
    asking = question(talk.server(TOLD)).asking
    assert [one.subject for one in asking.requester.acts_for] == ["ada"]


def test_by_other_rules_of_the_same_generation_it_is_asked_about_anew() -> None:
    talk = begins(conversation({TEXT: decision()}))
    talk.new_rules({TEXT: decision(replace(DELETES, approvers=("owners",)))})
    talk.client(execute("c", 1), FLUSH)
    assert talk.session.state is State.HELD
    assert question(talk.server(TOLD)).asking.held_by.approvers == ("owners",)


@pytest.mark.parametrize("changed", [False, True])
def test_behind_another_statement_the_server_is_asked_whether_settings_are_the_same(changed: bool) -> None:
    tell = "SELECT tell('x')"
    talk = begins(conversation({TEXT: decision(), tell: allow(tell, holding=Holding())}))
    talk.client(query(tell)).server(complete("SELECT 1"), READY_IN)
    talk.client(execute("c", 1), FLUSH)
    told = answer(settings(**{"app.kept": "x"} if changed else {})) + answer(plan(5))
    talk.server(told)
    if changed:
        assert question(talk).asking.statement.settings[0].name == "app.kept"
    else:
        talk.reaches_server(execute("c", 1), FLUSH)
        talk.server(ROW, SUSPENDED).client(execute("c", 1), FLUSH).reaches_server(execute("c", 1), FLUSH)
