"""While the rules of a session are being made, its statements wait; what does not need them goes on."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.sidecar.session.conversation import PARSED, READY, Conversation, deny, error, rewrite

from penstock_core.policy.effective import EffectivePolicy, Mask, MaskRule, PolicySet, Rule
from penstock_sidecar.proxy.deciders import Unmade
from penstock_sidecar.session import commands
from penstock_sidecar.session.states import State
from penstock_sidecar.wire import messages

POLICY = EffectivePolicy(
    "shop",
    PolicySet(
        ("web",), frozenset({"select"}), (MaskRule(("*.*.email",), Mask("null", Rule("web", "masks[0]"))),),
        allow_channels=frozenset({"news"}),
    ),
    None,
)  # fmt: skip
QUERY = messages.query("SELECT email")


def unmade(talk: Conversation) -> None:
    rules = replace(talk.rules("another"), decider=Unmade(POLICY), ready=False)
    talk.did(talk.session.rules_replaced(rules))
    assert not talk.rest


@pytest.mark.parametrize("masked", [True, False])
def test_a_statement_waits_for_its_rules_and_is_decided_by_them(masked: bool) -> None:
    talk = Conversation({"SELECT email": rewrite("SELECT old")}, masked=masked)
    unmade(talk)
    talk.client(QUERY, messages.query("SELECT 2"))
    assert talk.rest == [commands.AwaitRules()]
    assert talk.session.state is State.RESOLVING
    talk.reaches_server().reaches_client()
    talk.new_rules({"SELECT email": rewrite("SELECT new")})
    talk.did(talk.session.catalog_read()).reaches_server(messages.query("SELECT new"), messages.query("SELECT 2"))


def test_who_waited_in_vain_is_refused_and_asks_again_the_next_time() -> None:
    talk = Conversation()
    unmade(talk)
    talk.client(QUERY)
    talk.did(talk.session.catalog_read(fresh=False))
    (intent,) = [event for event in talk.events if event["kind"] == "intent"]
    assert intent["decision"] == "deny"
    assert b"SELECT email" not in talk.to_server
    talk.client(QUERY)
    assert talk.rest == [commands.AwaitRules()]


def test_rules_that_are_replaced_once_more_are_waited_for_again() -> None:
    talk = Conversation()
    unmade(talk)
    talk.client(QUERY)
    unmade(talk)
    talk.did(talk.session.catalog_read())
    assert talk.rest == [commands.AwaitRules()]
    talk.reaches_server()


def test_the_extended_protocol_waits_where_something_is_decided() -> None:
    talk = Conversation()
    unmade(talk)
    talk.client(messages.SYNC).reaches_server(messages.SYNC).server(READY)
    talk.client(messages.parse("", "SELECT email"), messages.SYNC)
    assert talk.rest == [commands.AwaitRules()]
    talk.new_rules({"SELECT email": deny()})
    talk.did(talk.session.catalog_read())
    assert b"SELECT email" not in talk.to_server
    assert talk.to_server.endswith(messages.SYNC)


def test_what_stands_in_tells_no_more_than_the_policy_alone() -> None:
    decider = Unmade(POLICY)
    assert decider.hears("news")
    assert not decider.hears("gossip")
    assert not decider.names("public", "people", "id", "")
    unmasked = PolicySet(("web",), frozenset({"select"}))
    assert Unmade(replace(POLICY, enforced=unmasked)).hears("gossip")


def test_the_trail_names_the_generation_of_now() -> None:
    talk = Conversation({"SELECT 1": rewrite("SELECT 1", generation=3)})
    talk.did(talk.session.rules_replaced(replace(talk.rules(), generation=7)))
    talk.client(messages.query("SELECT 1"))
    talk.did(talk.session.rules_replaced(replace(talk.rules(), generation=8)))
    talk.client(messages.query("SELECT 1"))
    assert [event["policyGeneration"] for event in talk.events if event["kind"] == "intent"] == [7, 8]


LARGE = deny("it took too much", deferred=True)


def test_a_large_text_waits_until_it_is_decided_about() -> None:
    talk = Conversation({"SELECT email": LARGE})
    talk.client(QUERY)
    (asked,) = talk.rest
    assert isinstance(asked, commands.Deliberate)
    assert asked.decider is talk.book
    assert asked.question == ("SELECT email", ("public",), frozenset(), (), frozenset())
    talk.reaches_server()
    talk.book.entries["SELECT email"] = rewrite("SELECT masked")
    talk.did(talk.session.catalog_read()).reaches_server(messages.query("SELECT masked"))


def test_what_stays_undecided_is_refused_and_has_another_try_when_it_is_sent_again() -> None:
    talk = Conversation({"SELECT email": LARGE})
    for _ in range(2):
        talk.client(QUERY)
        assert isinstance(talk.rest[0], commands.Deliberate)
        talk.did(talk.session.catalog_read())
        assert not talk.rest
        assert b"SELECT email" not in talk.to_server
        talk.server(error("42703"), READY).client_reads_error("42501", "took too much", then=READY)


def test_rules_that_are_replaced_meanwhile_decide_about_it_themselves() -> None:
    talk = Conversation({"SELECT email": LARGE})
    talk.client(QUERY)
    talk.new_rules({"SELECT email": LARGE})
    talk.did(talk.session.catalog_read())
    (asked,) = talk.rest
    assert isinstance(asked, commands.Deliberate)
    assert asked.decider is talk.book
    talk.book.entries["SELECT email"] = rewrite("SELECT masked")
    talk.did(talk.session.catalog_read()).reaches_server(messages.query("SELECT masked"))


def test_what_was_prepared_under_other_rules_waits_where_it_is_bound() -> None:
    talk = Conversation()
    talk.client(messages.parse("one", "SELECT email"), messages.SYNC).server(PARSED, READY)
    talk.new_rules({"SELECT email": LARGE})
    talk.client(messages.bind("", "one"), messages.execute(""), messages.SYNC)
    assert isinstance(talk.rest[0], commands.Deliberate)
    talk.reaches_server()
    talk.book.entries.clear()
    talk.did(talk.session.catalog_read())
    assert talk.to_server.endswith(messages.SYNC)
