"""Conversations: statements about whose cost the planner is asked before they run."""

from __future__ import annotations

from typing import Any

import pytest
from tests.sidecar.session.conversation import (
    BOUND,
    CLOSED,
    NO_DATA,
    NOBODY,
    PARSED,
    READY,
    ROW,
    SUSPENDED,
    Conversation,
    allow,
    complete,
    counts,
    error,
    sync,
)

from penstock_core.policy.effective import CostLimit, Limit, Rule
from penstock_sidecar.session import measuring, pricing
from penstock_sidecar.session.states import State
from penstock_sidecar.wire.messages import (
    FLUSH,
    MalformedError,
    bind,
    close_portal,
    close_statement,
    describe_portal,
    execute,
    message,
    parameters_of,
    parse,
    query,
    read_bind,
)

LIMIT = CostLimit(1234.5, Rule("web", "guardrails.maxPlanCost"))
TEXT = "SELECT i"
DECISION = allow(TEXT, cost_limit=LIMIT)
ASKED, _ = pricing.asking(NOBODY, DECISION, pricing.Parameters())
THE_END = sync() + close_statement("") + close_portal("") + FLUSH


def plan(cost: str, more: bytes = b"") -> bytes:
    """The row of EXPLAIN, up to where it is interesting."""
    head = b'[{"Plan": {"Node Type": "Limit", "Startup Cost": 0.29, "Total Cost": '
    text = head + cost.encode() + b', "Plans": [{"Total Cost": 99999.00}]' + more
    return message(b"D", b"\x00\x01" + len(text).to_bytes(4, "big") + text)


def told(cost: str, more: bytes = b"") -> bytes:
    return CLOSED + CLOSED + PARSED + BOUND + plan(cost, more) + complete("EXPLAIN") + CLOSED + CLOSED


def limited(**more: Any) -> Conversation:
    return Conversation({TEXT: allow(TEXT, cost_limit=LIMIT, **more)})


def test_a_query_runs_once_the_planner_has_answered() -> None:
    talk = limited()
    talk.client(query(TEXT)).reaches_server(parse("", TEXT), bind("", ""), describe_portal(""), ASKED, FLUSH)
    assert talk.session.state is State.COUNTING
    talk.server(PARSED, BOUND, NO_DATA, told("1234.50")).reaches_client().reaches_server(execute(""), FLUSH)
    talk.server(ROW, complete("SELECT 1")).reaches_client(ROW, complete("SELECT 1")).reaches_server(THE_END)
    talk.server(READY, CLOSED, CLOSED).reaches_client(READY)
    assert talk.kinds() == ["intent allow", "outcome ok"]


def test_what_is_dearer_does_not_run() -> None:
    talk = limited()
    talk.client(query(TEXT)).server(PARSED, BOUND, NO_DATA, told("98765.43")).reaches_server(execute(NOBODY), FLUSH)
    talk.server(error("34000")).client_reads_error("42501", "costs more than 1,200 (about 99,000)")
    talk.reaches_server(THE_END)
    assert talk.kinds() == ["intent allow", "outcome denied"]
    assert (talk.events[-1]["rule"], talk.events[-1]["rows"]) == ("guardrails.maxPlanCost", 0)


def test_where_masked_columns_are_read_the_estimate_is_not_told() -> None:
    talk = limited(redact_errors=True)
    talk.client(query(TEXT)).server(PARSED, BOUND, NO_DATA, told("98765.43")).server(error("34000"))
    talk.client_reads_error("42501", "costs more than 1,200")
    assert b"about" not in talk.to_client
    assert "about" not in talk.events[-1]["reason"]


def test_of_a_long_plan_the_beginning_is_enough() -> None:
    talk = limited()
    row = told("7.00", bytes(100_000))
    talk.client(query(TEXT)).server(PARSED, BOUND, NO_DATA, row[:20_000]).server(row[20_000:])
    talk.reaches_client().reaches_server(execute(""), FLUSH)


def test_a_plan_that_tells_no_cost_is_refused() -> None:
    talk = limited()
    talk.client(query(TEXT)).server(PARSED, BOUND, NO_DATA, told("null")[:0])
    talk.server(CLOSED, CLOSED, PARSED, BOUND, ROW, complete("EXPLAIN"), CLOSED, CLOSED).server(error("34000"))
    talk.client_reads_error("42501", "does not tell what the statement costs")


def test_it_is_asked_with_the_types_and_values_of_the_parameters_once_for_a_portal() -> None:
    talk = limited()
    types, given = b"\x00\x01\x00\x00\x00\x17", b"\x00\x01\x00\x01\x00\x01\x00\x00\x00\x04\x00\x00\x00\x07"
    bound = message(b"B", b"\x00\x00" + given + b"\x00\x01\x00\x01")
    talk.client(parse("", TEXT, types), bound, execute("", 1)).server(PARSED, BOUND)
    assert talk.session.state is State.COUNTING
    talk.server(told("1.00")).reaches_server(execute("", 1), FLUSH)
    talk.server(ROW, SUSPENDED).client(execute("", 1)).reaches_server(execute("", 1), FLUSH)
    again = limited()
    again.client(parse("", TEXT, types), bound, execute("", 1))
    assert (again.to_server.count(given), again.to_server.count(types)) == (2, 2)


def test_an_error_of_planning_is_reduced_where_masked_columns_are_read() -> None:
    talk = limited(redact_errors=True)
    talk.client(query(TEXT)).server(PARSED, BOUND, NO_DATA, CLOSED, CLOSED, PARSED, BOUND, error("22012"))
    talk.client_reads_error("22012")
    assert b"words of the server" not in talk.to_client
    assert talk.kinds() == ["intent allow", "outcome error"]


def test_the_rows_that_it_changes_are_counted_besides() -> None:
    talk = limited(change_limit=Limit(1, LIMIT.rule), writes=True)
    asking, _ = measuring.asking(NOBODY)
    talk.client(query(TEXT)).server(PARSED, BOUND, NO_DATA, told("1.00")).reaches_server(asking, execute(""), FLUSH)
    counted = (CLOSED, CLOSED, PARSED, BOUND, counts(3), complete("SELECT 1"), CLOSED, CLOSED)
    talk.server(*counted, complete("UPDATE 0")).reaches_client().reaches_server(asking, FLUSH)
    talk.server(*counted).reaches_client(complete("UPDATE 0")).reaches_server(THE_END)


def test_a_session_that_ends_meanwhile_leaves_an_unknown_outcome() -> None:
    talk = limited()
    talk.client(query(TEXT)).server(PARSED, BOUND, NO_DATA)
    talk.did(talk.session.client_closed())
    assert talk.kinds() == ["intent allow", "outcome unknown", "session end"]


@pytest.mark.parametrize("cut", range(1, 12))
def test_a_bind_that_ends_early_has_no_parameters(cut: int) -> None:
    body = b"\x00\x00" + b"\x00\x00\x00\x01\x00\x00\x00\x02ab"
    assert parameters_of(body + b"\x00\x00", read_bind(body, complete=True)) == body[2:]
    head = read_bind(body, complete=False)
    with pytest.raises(MalformedError):
        parameters_of(body[: len(body) - cut], head)
