"""Conversations: statements that an approval may hold, from the first question to the answer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from tests.sidecar.session.conversation import (
    BOUND,
    CLOSED,
    NO_DATA,
    NOBODY,
    PARSED,
    READY,
    READY_IN,
    Conversation,
    allow,
    complete,
    deny,
    error,
    plan,
    rewrite,
    run,
    settings,
    sync,
)

from penstock_core.approvals.asking import Answered
from penstock_core.identity import Identity, Principal
from penstock_core.policy.effective import ApprovalRule, Rule
from penstock_core.policy.holding import Effects, Holding
from penstock_core.sql.decision import Decision
from penstock_sidecar.session import commands, held_questions
from penstock_sidecar.session.commands import AskApproval, AwaitApproval, SessionRules
from penstock_sidecar.session.door import Door
from penstock_sidecar.session.pricing import Parameters
from penstock_sidecar.session.refusals import FAILING_QUERY
from penstock_sidecar.session.states import State
from penstock_sidecar.wire.messages import FLUSH, execute, parse, query

TEXT = "DELETE FROM t"
DELETES = ApprovalRule(
    "deletes", "statement.verb == 'delete'", ("dba", "leads"), "1h", 0, Rule("web", "approvals[deletes]")
)
MANY = ApprovalRule("many", "statement.estimatedRows > 10", ("dba",), "2h", 0, Rule("web", "approvals[many]"))
WAITS = replace(DELETES, wait=60_000)
DENIED = Answered.model_validate({"standing": "denied", "request": "r-1", "decidedBy": "dora"})
GRANTED = Answered.model_validate(
    {"standing": "granted", "request": "r-1", "decidedBy": "dora", "decidedAt": "2026-01-31T18:00:00Z"}
)
WAITING = Answered(standing="waiting", request="r-1", url="https://audit.example/r-1")


def holding(*rules: ApprovalRule, **more: Any) -> Holding:
    does = Effects(frozenset({"delete"}), frozenset({"public.t"}))
    return Holding(does, **{"rules": rules, "planned": True, **more})


def decision(*rules: ApprovalRule, text: str = TEXT, **more: Any) -> Decision:
    return allow(text, writes=True, holding=holding(*rules or (DELETES,), **more))


def held(*rules: ApprovalRule, **more: Any) -> Conversation:
    return Conversation({TEXT: decision(*rules)}, **more)


def asked(ends: bool, text: str = TEXT, given: Parameters | None = None, planned: bool = True) -> bytes:
    """What the server is asked."""
    made = allow(text)
    return held_questions.asking(NOBODY, made, given or Parameters(), plan=planned, ends=ends)[0]


def answer(row: bytes) -> bytes:
    return CLOSED + CLOSED + PARSED + BOUND + row + complete("SELECT 1") + CLOSED + CLOSED


TOLD = answer(settings()) + answer(plan(5))


def question(talk: Conversation) -> AskApproval:
    (command,) = talk.rest
    assert isinstance(command, AskApproval)
    return command


def test_a_query_runs_once_it_is_granted() -> None:
    talk = held()
    talk.client(query(TEXT)).reaches_server(asked(ends=True)).reaches_client()
    assert talk.session.state is State.HELD
    talk.server(TOLD, READY).reaches_client().reaches_server()
    asking = question(talk)
    assert (asking.asking.statement.sql, asking.asking.effect.estimated_rows) == (TEXT, 5)
    assert [one.name for one in asking.asking.statement.settings] == ["role", "search_path"]
    talk.did(talk.session.answered(asking.ticket, GRANTED)).reaches_server(query(TEXT))
    talk.server(complete("DELETE 1"), READY).reaches_client(complete("DELETE 1"), READY)
    assert talk.kinds() == ["intent allow", "outcome ok"]
    assert talk.events[0]["approvals"] == [
        {
            "policy": "web", "rule": "approvals[deletes]", "standing": "granted", "request": "r-1", "waitedMs": 0,
            "decidedBy": "dora", "decidedAt": "2026-01-31T18:00:00Z",
        }
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("told", "trouble", "words"),
    [
        (WAITING, "", "until it is approved"),
        (
            Answered.model_validate({"standing": "denied", "request": "r-1", "decidedBy": "dora"}),
            "",
            "and dora denied it",
        ),
        (Answered(standing="refused", comment="too many"), "", "its approval was not asked for"),
        (None, "it is down", "its approval can't be asked for: it is down"),
    ],
)
def test_else_it_is_refused_in_its_place(told: Answered | None, trouble: str, words: str) -> None:
    talk = held()
    talk.client(query(TEXT)).server(TOLD, READY)
    talk.did(talk.session.answered(question(talk).ticket, told, trouble)).reaches_server(FAILING_QUERY)
    talk.server(error("42703"), READY).client_reads_error("42501", words, then=READY)
    waits = ["request r-1"] if told is WAITING else []
    assert talk.kinds() == [*waits, "intent deny", "outcome denied"]


def test_a_bound_statement_is_held_before_the_server_has_it() -> None:
    talk = held()
    talk.client(parse("", TEXT), run(), sync()).reaches_server(parse("", TEXT), FLUSH)
    talk.server(PARSED).reaches_client(PARSED).reaches_server(asked(ends=True))
    talk.server(TOLD, READY).reaches_client()
    talk.did(talk.session.answered(question(talk).ticket, GRANTED)).reaches_server(run(), sync())
    talk.server(BOUND, complete("DELETE 1"), READY)
    assert talk.kinds() == ["intent allow", "outcome ok"]


def test_in_a_transaction_it_is_held_when_it_is_executed() -> None:
    talk = held()
    talk.client(query("BEGIN")).server(complete("BEGIN"), READY_IN)
    talk.client(parse("", TEXT), run(), sync()).server(PARSED, BOUND).reaches_server(asked(ends=False))
    talk.server(TOLD).reaches_client()
    talk.did(talk.session.answered(question(talk).ticket, GRANTED)).reaches_server(execute(""), sync())
    talk.server(complete("DELETE 1"), READY_IN)
    assert talk.kinds() == [
        "intent allow", "outcome ok", "intent allow", "outcome unexecuted", "intent allow", "outcome ok",
    ]  # fmt: skip


def test_what_only_an_estimate_could_hold_goes_on_if_it_does_not() -> None:
    talk = held(MANY)
    talk.client(query(TEXT)).server(TOLD, READY).reaches_server(query(TEXT))
    assert talk.rest == []
    talk = held(MANY)
    talk.client(query(TEXT)).server(answer(settings()), answer(plan(11)), READY)
    assert question(talk).asking.held_by.approval == "many"
    # Nobody knows how many.
    talk = Conversation({TEXT: decision(MANY, planned=False)})
    talk.client(query(TEXT)).reaches_server(asked(ends=True, planned=False)).server(answer(settings()), READY)
    assert question(talk).asking.effect.estimated_rows is None


def test_what_several_rules_hold_needs_somebody_of_all() -> None:
    talk = held(DELETES, MANY)
    talk.client(query(TEXT)).server(answer(settings()), answer(plan(11)), READY)
    asking = question(talk).asking
    assert (asking.held_by.approvers, asking.expires_after) == (("dba",), "1h")
    alone = held(DELETES)
    alone.client(query(TEXT)).server(answer(settings()), answer(plan(11)), READY)
    assert question(alone).asking.digest != asking.digest
    talk = held(DELETES, replace(MANY, approvers=("ops",)))
    talk.client(query(TEXT)).server(answer(settings()), answer(plan(11)), READY).reaches_server(FAILING_QUERY)
    talk.server(error("42703"), READY).client_reads_error("42501", "no group in common", then=READY)


def test_late_and_foreign_answers_send_nothing() -> None:
    talk = held()
    talk.client(query(TEXT)).server(TOLD, READY)
    ticket = question(talk).ticket
    talk.did(talk.session.answered(ticket + 1, GRANTED)).reaches_server().reaches_client()
    talk.did(talk.session.cancelled()).reaches_server(FAILING_QUERY)
    talk.server(error("42703"), READY).client_reads_error("57014", "cancelled", then=READY)
    talk.did(talk.session.answered(ticket, GRANTED)).reaches_server().reaches_client()
    assert talk.session.state is State.RUNNING


@pytest.mark.parametrize("change", ["text", "generation", "gone", "denied"])
def test_what_is_decided_otherwise_meanwhile_is_asked_about_anew(change: str) -> None:
    talk = held(masked=True)
    talk.client(query(TEXT)).server(TOLD, READY)
    ticket = question(talk).ticket
    now: dict[str, Decision] = {
        "text": rewrite("DELETE FROM other", holding=holding(DELETES)), "generation": decision(),
        "gone": allow(TEXT), "denied": deny("not any more"),
    }  # fmt: skip
    talk.book.entries = {TEXT: now[change]}
    rules = replace(talk.rules("another"), generation=9)
    talk.did(talk.session.rules_replaced(rules)).reaches_server()
    talk.did(talk.session.answered(ticket, GRANTED))
    if change == "gone":
        talk.reaches_server(query(TEXT))
    elif change == "denied":
        talk.reaches_server(FAILING_QUERY)
    else:
        talk.reaches_server(asked(ends=True, text=now[change].text)).server(TOLD, READY)
        assert question(talk).asking.held_by.policy_generation == 9


def test_a_session_that_waits_is_told_so_until_its_time_is_over() -> None:
    talk = held(WAITS)
    talk.client(query(TEXT)).server(TOLD, READY)
    talk.did(talk.session.answered(question(talk).ticket, WAITING))
    # Whoever is to decide finds it in the trail while it waits.
    (told,) = talk.events
    assert (told["kind"], told["request"], told["policy"], told["rule"]) == (
        "request", "r-1", "web", "approvals[deletes]",
    )  # fmt: skip
    assert (told["approvers"], told["verbs"], told["relations"], told["estimatedRows"]) == (
        ["dba", "leads"], ["delete"], ["public.t"], 5,
    )  # fmt: skip
    assert "sql" not in told
    for left in ("60", "45", "30", "15"):
        assert talk.to_client.startswith(b"N")
        assert f"for {left} s more".encode() in talk.to_client
        (command,) = talk.rest
        assert isinstance(command, AwaitApproval)
        assert (command.request, command.seconds) == ("r-1", 15.0)
        talk.now += 15_000_000
        talk.did(talk.session.answered(command.ticket, WAITING))
    talk.reaches_server(FAILING_QUERY)
    talk.server(error("42703"), READY).client_reads_error("42501", "nobody decided within 60 s", then=READY)
    assert talk.kinds() == ["request r-1", "intent deny", "outcome denied"]
    assert talk.events[1]["approvals"][0]["waitedMs"] == 60_000


def test_what_is_approved_while_it_waits_is_asked_for_once_more() -> None:
    talk = held(WAITS)
    talk.client(query(TEXT)).server(TOLD, READY)
    talk.did(talk.session.answered(question(talk).ticket, WAITING))
    (look,) = talk.rest
    assert isinstance(look, AwaitApproval)
    # That it is approved does not use it.
    talk.did(talk.session.answered(look.ticket, GRANTED)).reaches_server()
    talk.did(talk.session.answered(question(talk).ticket, GRANTED)).reaches_server(query(TEXT))


def _agent(talk: Conversation) -> None:
    agent = Principal("agent", "bot", "https://id")
    client = talk.session._running and talk.session._running.client
    assert client is not None
    assert client.asker is not None
    client.asker = replace(client.asker, identity=Identity(None, agent))


def _block(talk: Conversation) -> None:
    talk.client(query("BEGIN")).server(complete("BEGIN"), READY_IN)


@pytest.mark.parametrize("who", [_agent, _block])
def test_agents_and_transactions_never_wait(who: Callable[[Conversation], None]) -> None:
    talk = held(WAITS)
    who(talk)
    talk.client(query(TEXT)).server(TOLD, READY_IN if who is _block else READY)
    talk.did(talk.session.answered(question(talk).ticket, WAITING)).reaches_server(FAILING_QUERY)


@pytest.mark.parametrize("ends", ["expired", "revoked", "drain", "client"])
def test_a_session_that_ends_sends_nothing(ends: str) -> None:
    talk = held(WAITS)
    talk.client(query(TEXT)).server(TOLD, READY)
    ticket = question(talk).ticket
    talk.did(
        {
            "expired": lambda: talk.session.expired(at_once=False),
            "revoked": lambda: talk.session.revoked("leavers"),
            "drain": lambda: talk.session.drain("stopping", at_once=False),
            "client": talk.session.client_closed,
        }[ends]()
    )
    assert talk.session.state is State.CLOSED
    talk.did(talk.session.answered(ticket, GRANTED)).reaches_server().reaches_client()
    assert talk.kinds() == ["intent deny", "outcome denied", "session end"]
    assert talk.events[0]["approvals"][0]["standing"] == "cancelled"


def test_whoever_waits_keeps_no_change_of_the_catalog_waiting() -> None:
    door = Door()
    talk = held(WAITS, masked=True, door=door)
    talk.client(query(TEXT)).server(TOLD, READY)
    assert door.before(talk, alone=True) == []  # type: ignore[arg-type]  # any other


@pytest.mark.parametrize(
    "row",
    [settings() + settings(), complete("x"), plan(5), settings(x="y" * 9000)],
    ids=["two", "none", "other", "long"],
)
def test_settings_that_are_not_told_hold_it_for_good(row: bytes) -> None:
    talk = held()
    talk.client(query(TEXT))
    if row.startswith(b"C"):
        row = b""
    talk.server(answer(row), answer(plan(5)), READY)
    assert not any(isinstance(one, AskApproval) and not one.asking.statement.settings for one in talk.rest)
    assert query(TEXT) not in talk.to_server


def test_an_error_of_the_questions_is_the_querys() -> None:
    talk = held()
    talk.client(query(TEXT), query("SELECT 1")).server(CLOSED, CLOSED, PARSED, BOUND, error("57014"))
    talk.client_reads_error("57014")
    talk.server(READY).reaches_client(READY).reaches_server(query("SELECT 1"))
    assert talk.kinds()[:2] == ["intent allow", "outcome error"]


def test_observing_policies_hold_nothing_and_are_told() -> None:
    observed = Holding(Effects(frozenset({"delete"})), observed=(DELETES, MANY))
    talk = Conversation({TEXT: allow(TEXT, holding=observed)})
    talk.client(query(TEXT)).reaches_server(query(TEXT))
    assert talk.events[0]["approvals"] == [
        {"policy": "web", "rule": "approvals[deletes]", "standing": "would be held"},
        {"policy": "web", "rule": "approvals[many]", "standing": "may be held"},
    ]


def test_a_condition_that_can_not_be_evaluated_refuses_by_its_name() -> None:
    broken = replace(DELETES, when="identity.groups[3] == 'x'")
    talk = held(broken)

    def rules() -> SessionRules:
        return replace(talk.rules(), facts=lambda: ({"identity.groups": ["a"]},))

    talk.did(talk.session.rules_replaced(rules())).client(query(TEXT)).reaches_server(FAILING_QUERY)
    talk.server(error("42703"), READY)
    talk.client_reads_error("42501", "whether approvals[deletes] of policy web holds", then=READY)


def test_without_approvals_nothing_is_asked() -> None:
    talk = Conversation({TEXT: allow(TEXT, holding=Holding(Effects(frozenset({"delete"}))))})
    talk.client(query(TEXT)).reaches_server(query(TEXT))
    assert not any(isinstance(one, commands.AskApproval) for one in talk.rest)
    assert NO_DATA not in talk.to_client
