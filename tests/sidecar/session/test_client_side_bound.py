"""The record of a Bind holds for its Execute as long as it says, word for word, what that one's would."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.sidecar.proxy.raw import bind
from tests.sidecar.session.conversation import (
    BOUND,
    PARSED,
    READY_IN,
    Conversation,
    allow,
    complete,
    sync,
)

from penstock_core.identity import Identity, Workload
from penstock_core.sql.decision import Decision, Recorded
from penstock_sidecar.wire.messages import execute, parse, query

TEXT = "SELECT 1"
TELLS = allow(TEXT, relations=("public.t",), policies=("web",), generation=3)
DONE = complete("SELECT 1")


def bound(on_failure: str = "continue", values: list[bytes] | None = None) -> Conversation:
    """Within a transaction, so that the portal outlives its message."""
    talk = Conversation({TEXT: TELLS}, on_failure=on_failure).client(query("BEGIN")).server(complete("BEGIN"), READY_IN)
    if on_failure == "block":
        talk.durable()
    talk.events.clear()
    talk.client(parse("s", TEXT), bind("p", "s", values or []), sync()).server(PARSED, BOUND, READY_IN)
    assert talk.kinds() == ["intent allow"]
    return talk


@pytest.mark.parametrize("on_failure", ["continue", "block"])
@pytest.mark.parametrize("values", [[], [b"7"]], ids=["plain", "with a parameter"])
def test_the_catalog_is_read_anew_and_nothing_is_decided_otherwise(on_failure: str, values: list[bytes]) -> None:
    talk = bound(on_failure, values)
    talk.new_rules({TEXT: replace(TELLS)}, "one")
    talk.client(execute("p"), sync()).reaches_server(execute("p"), sync()).server(DONE, READY_IN)
    assert talk.kinds() == ["intent allow", "outcome ok"]
    # What is executed once more is another run, under an intent of its own.
    talk.client(execute("p"), sync()).server(DONE, READY_IN)
    assert talk.kinds()[2:] == ["intent allow", "outcome ok"]


@pytest.mark.parametrize(
    "now",
    [
        replace(TELLS, relations=("public.other",)),
        replace(TELLS, policies=("another", "web")),
        replace(TELLS, generation=4),
        replace(TELLS, writes=True, verbs=("select", "insert")),
        replace(TELLS, parts=(Recorded(("select",), ("public.t",), (), rewritten="SELECT 1"),)),
    ],
    ids=["relations", "policies", "generation", "verbs", "rewritten"],
)
def test_what_would_be_on_record_otherwise_is_recorded_anew(now: Decision) -> None:
    talk = bound()
    talk.new_rules({TEXT: now}, "one")
    talk.client(execute("p"), sync()).server(DONE, READY_IN)
    assert talk.kinds() == ["intent allow", "outcome unexecuted", "intent allow", "outcome ok"]
    assert talk.events[0]["statement"] != talk.events[2]["statement"]


def test_somebody_else_s_is_recorded_anew() -> None:
    talk = bound()
    evidence = talk.flow.evidence
    assert evidence is not None
    evidence.acts_as(Identity(Workload("shop", "another", "web-1", "u-1")))
    talk.new_rules({TEXT: TELLS}, "one")
    talk.client(execute("p"), sync()).server(DONE, READY_IN)
    assert talk.kinds() == ["intent allow", "outcome unexecuted", "intent allow", "outcome ok"]


def test_a_record_that_was_not_waited_for_is_none_where_it_has_to_be() -> None:
    talk = bound()
    talk.on_failure = "block"
    talk.new_rules({TEXT: TELLS}, "one")
    talk.client(execute("p"), sync()).server(DONE, READY_IN)
    assert talk.kinds() == ["intent allow", "outcome unexecuted", "intent allow", "outcome ok"]


def test_its_session_counts_the_statement_once() -> None:
    talk = bound()
    talk.client(parse("t", "SELECT 2"), bind("q", "t"), sync()).server(PARSED, BOUND, READY_IN)
    talk.new_rules({TEXT: TELLS}, "one")
    talk.client(execute("q"), execute("p"), sync()).server(DONE, DONE, READY_IN)
    talk.did(talk.session.client_closed())
    (end,) = [one for one in talk.events if one["kind"] == "session"]
    assert end["statements"] == 3
