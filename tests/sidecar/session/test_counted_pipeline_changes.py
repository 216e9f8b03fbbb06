"""Conversations: what changes while the planner is asked what a statement costs."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from tests.sidecar.session.conversation import (
    BOUND,
    NO_DATA,
    NOBODY,
    PARSED,
    READY,
    READY_IN,
    ROW,
    SUSPENDED,
    Conversation,
    allow,
    complete,
    deny,
    error,
    rewrite,
    sync,
)
from tests.sidecar.session.test_held_pipeline import HOLDS_DELETES, question
from tests.sidecar.session.test_held_pipeline import TOLD as SETTINGS_AND_PLAN
from tests.sidecar.session.test_pricing import ASKED, LIMIT, TEXT, THE_END, limited, told

from penstock_core.policy.effective import CostLimit, Limit, Rule
from penstock_core.sql.decision import Decision
from penstock_sidecar.session import commands, pricing
from penstock_sidecar.session.door import Door
from penstock_sidecar.session.refusals import FAILING_QUERY
from penstock_sidecar.session.states import State
from penstock_sidecar.wire.messages import FLUSH, bind, describe_portal, execute, parse, query

AHEAD = parse("", TEXT) + bind("", "") + describe_portal("")


def asking(talk: Conversation | None = None) -> Conversation:
    """The planner is being asked about a Query."""
    talk = talk or limited()
    return talk.client(query(TEXT)).reaches_server(AHEAD, ASKED, FLUSH)


def answered(talk: Conversation, cost: str = "1.00") -> Conversation:
    return talk.server(PARSED, BOUND, NO_DATA, told(cost)).reaches_client()


def test_what_is_refused_by_now_does_not_run() -> None:
    talk = asking()
    talk.new_rules({TEXT: deny("no more")})
    answered(talk).reaches_server(sync(), FAILING_QUERY)
    talk.server(READY).reaches_client().server(error("42703"), READY).client_reads_error("42501", "no more", READY)
    assert talk.kinds() == ["intent allow", "outcome unexecuted", "intent deny", "outcome denied"]


def test_what_is_masked_by_now_runs_so() -> None:
    talk = asking()
    talk.new_rules({TEXT: rewrite("SELECT masked")})
    answered(talk).reaches_server(sync(), query("SELECT masked"))
    talk.server(READY).reaches_client().server(ROW, complete("SELECT 1"), READY)
    talk.reaches_client(ROW, complete("SELECT 1"), READY)
    assert talk.kinds() == ["intent allow", "outcome unexecuted", "intent rewrite", "outcome ok"]
    assert [one["statement"] for one in talk.events] == [1, 1, 2, 2]


def test_what_is_not_limited_any_more_runs_as_it_came() -> None:
    talk = asking()
    talk.new_rules({TEXT: allow(TEXT)})
    answered(talk, "999999.0").reaches_server(sync(), query(TEXT))
    talk.client(query("SELECT 2")).reaches_server(query("SELECT 2"))


def test_by_a_lower_limit_it_is_asked_anew() -> None:
    talk = asking()
    lower = allow(TEXT, cost_limit=CostLimit(0.5, LIMIT.rule))
    talk.new_rules({TEXT: lower})
    answered(talk).reaches_server(sync(), AHEAD, ASKED, FLUSH)
    talk.server(READY, PARSED, BOUND, NO_DATA, told("1.00")).server(error("34000"))
    talk.client_reads_error("42501", "costs more than 0.5").reaches_server(THE_END)


def test_what_is_held_by_now_is_asked_about() -> None:
    held = replace(HOLDS_DELETES, text=TEXT)
    talk = asking()
    talk.new_rules({TEXT: held})
    answered(talk).reaches_server(sync(), FLUSH)
    assert talk.session.state is State.HELD
    talk.server(READY).reaches_client()
    assert question(talk.server(SETTINGS_AND_PLAN, READY)).asking.statement.sql == TEXT


def test_what_is_decided_as_before_goes_on() -> None:
    talk = asking()
    talk.new_rules({TEXT: allow(TEXT, cost_limit=LIMIT, generation=9)})
    answered(talk).reaches_server(execute(""), FLUSH)
    talk.server(complete("SELECT 0")).reaches_server(THE_END)
    assert talk.kinds() == ["intent allow", "outcome ok"]


def test_without_rules_it_waits_for_them() -> None:
    talk = asking()
    talk.did(talk.session.rules_replaced(replace(talk.rules("another"), ready=False)))
    answered(talk).reaches_server(sync())
    assert [type(one) for one in talk.rest] == [commands.AwaitRules]
    assert talk.session.state is State.RESOLVING
    talk.server(READY).reaches_client()
    talk.new_rules({TEXT: deny("no more")})
    talk.did(talk.session.catalog_read()).reaches_server(FAILING_QUERY)


def test_in_a_transaction_too() -> None:
    talk = limited()
    talk.client(query("BEGIN")).server(complete("BEGIN"), READY_IN)
    asking(talk).new_rules({TEXT: rewrite("SELECT masked")})
    answered(talk).reaches_server(sync(), query("SELECT masked"))
    talk.server(READY_IN).reaches_client().server(complete("SELECT 0"), READY_IN).reaches_client(
        complete("SELECT 0"), READY_IN
    )


@pytest.mark.parametrize(
    ("now", "sqlstate"), [(deny("no more"), "42501"), (rewrite("SELECT masked"), "42501")], ids=["refused", "masked"]
)
def test_a_portal_that_was_bound_before_does_not_run(now: Decision, sqlstate: str) -> None:
    talk = limited()
    talk.client(parse("", TEXT), bind("", ""), execute(""), sync()).server(PARSED, BOUND)
    talk.new_rules({TEXT: now})
    assert execute("") not in talk.server(told("1.00")).to_server
    talk.server(error("34000"), READY).client_reads_error(sqlstate, then=READY)
    assert talk.kinds()[-2:] == ["intent deny", "outcome denied"]


def test_a_portal_within_a_limit_is_priced_by_a_lower_one_when_it_goes_on() -> None:
    talk = limited()
    talk.client(parse("", TEXT), bind("", ""), execute("", 1)).server(PARSED, BOUND)
    talk.server(told("100.00")).server(ROW, SUSPENDED)
    lower = allow(TEXT, cost_limit=CostLimit(50.0, LIMIT.rule))
    talk.new_rules({TEXT: lower}).client(execute("", 1)).reaches_server(ASKED, FLUSH)
    talk.server(told("100.00")).server(error("34000")).client_reads_error("42501", "costs more than 50")
    higher = allow(TEXT, cost_limit=CostLimit(9999.0, LIMIT.rule))
    talk = limited()
    talk.client(parse("", TEXT), bind("", ""), execute("", 1)).server(PARSED, BOUND)
    talk.server(told("100.00")).server(ROW, SUSPENDED)
    talk.new_rules({TEXT: higher}).client(execute("", 1)).reaches_server(execute("", 1), FLUSH)


def commits(**more: Any) -> Decision:
    return allow(TEXT, cost_limit=LIMIT, changes_catalog=True, commits_itself=True, writes=True, **more)


def test_whoever_waits_behind_the_door_waits_until_the_priced_change_is_answered() -> None:
    door = Door()
    talk = Conversation({TEXT: commits()}, door=door)
    talk.client(query(TEXT)).server(PARSED, BOUND, NO_DATA)
    assert not door.open
    # The planner has answered; what changes the catalog is only on its way now.
    talk.server(told("1.00")).reaches_server(execute(""), FLUSH)
    assert (door.open, commands.CatalogStale() in talk.rest) == (False, False)
    talk.server(complete("CALL"))
    assert (door.open, commands.CatalogStale() in talk.rest) == (False, True)


def test_a_priced_change_that_is_refused_by_now_leaves_the_door_open() -> None:
    door = Door()
    talk = Conversation({TEXT: commits()}, door=door)
    talk.client(query(TEXT))
    talk.new_rules({TEXT: deny("no more")})
    answered(talk).reaches_server(sync(), FAILING_QUERY)
    assert door.open
    talk.server(READY, error("42703"), READY)
    assert commands.CatalogStale() not in talk.rest


def test_what_the_planner_is_asked_has_names_that_no_client_knows() -> None:
    sent, due = pricing.asking("nobody", allow(TEXT), pricing.Parameters())
    assert (b"nobody" in sent, all(one.swallow for one in due)) == (False, True)


def test_a_portal_that_is_gone_when_its_execute_is_on_record() -> None:
    rows = Limit(2, Rule("web", "guardrails.maxRowsReturned"))
    talk = Conversation({TEXT: allow(TEXT, writes=True, row_limit=rows)}, on_failure="block")
    talk.client(parse("", TEXT), bind("", ""), execute(""), sync(), execute(""), sync()).durable()
    talk.server(PARSED, BOUND, complete("SELECT 1"))
    assert talk.session.state is State.RECORDING
    # The Sync ended the transaction that the portal was open in.
    talk.server(READY)
    talk.durable().reaches_server(execute(NOBODY), sync())
    talk.server(error("34000"), READY).client_reads_error("34000", 'portal "" does not exist', READY)
    assert talk.kinds()[-1] == "outcome error"
    assert talk.events[-1]["sqlstate"] == "34000"
    talk.client(query("SELECT 1")).reaches_server(query("SELECT 1"))
