"""Conversations: statements that an approval may hold, from the first question to the answer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
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
from penstock_core.policy.revocation import by_policy
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


HOLDS_DELETES = decision()


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


def of_rules(deletes: str, many: str, standing: str = "waiting", request: str = "r-2") -> Answered:
    """What the holder says of a statement that both rules hold."""
    by = {"decidedBy": "dora", "decidedAt": "2026-01-31T18:00:00Z"}
    told = [("deletes", deletes, "r-1"), ("many", many, "r-2")]
    return Answered.model_validate(
        {
            "standing": standing, "request": request, **(by if standing != "waiting" else {}),
            "ofRules": tuple(
                {"policy": "web", "approval": name, "standing": said, "request": made}
                | (by if said in ("approved", "granted", "denied") else {})
                for name, said, made in told if said
            ),
        }
    )  # fmt: skip


def asks_of_both(talk: Conversation, rows: int = 11) -> AskApproval:
    talk.client(query(TEXT)).server(answer(settings()), answer(plan(rows)), READY)
    return question(talk)


def test_what_several_rules_hold_is_asked_of_each() -> None:
    asking = asks_of_both(held(DELETES, MANY)).asking
    rules = [(one.approval, one.approvers) for one in asking.all_held_by]
    assert (rules, asking.expires_after) == ([("deletes", ("dba", "leads")), ("many", ("dba",))], "1h")
    alone = asks_of_both(held(DELETES)).asking
    assert alone.digest == asking.digest, "an approval by one of them is one by it, whatever else holds the statement"


def test_it_runs_once_all_are_approved_and_the_client_reads_what_lacks() -> None:
    talk = held(DELETES, replace(MANY, approvers=("ops",)))
    talk.did(talk.session.answered(asks_of_both(talk).ticket, of_rules("approved", "waiting")))
    talk.reaches_server(FAILING_QUERY).server(error("42703"), READY)
    assert b"is held by approvals[deletes] of policy web and by approvals[many] of policy web" in talk.to_client
    assert b"Request r-2. Request r-1 was approved by dora." in talk.to_client
    assert b"have a member of ops approve r-2, then run the same statement again" in talk.to_client
    talk.client_reads_error("42501", "until it is approved for each of them", then=READY)
    assert talk.kinds() == ["request r-2", "intent deny", "outcome denied"]
    assert [(one["standing"], one["request"]) for one in talk.events[1]["approvals"]] == [
        ("approved", "r-1"), ("waiting", "r-2"),
    ]  # fmt: skip
    granted = of_rules("granted", "granted", "granted", "r-1")
    talk.did(talk.session.answered(asks_of_both(talk).ticket, granted)).reaches_server(query(TEXT))
    talk.server(complete("DELETE 11"), READY).reaches_client(complete("DELETE 11"), READY)
    assert [(one["standing"], one["request"]) for one in talk.events[3]["approvals"]] == [
        ("granted", "r-1"), ("granted", "r-2"),
    ]  # fmt: skip


def test_a_denial_of_one_of_them_is_told_with_its_rule() -> None:
    talk = held(DELETES, MANY)
    talk.did(talk.session.answered(asks_of_both(talk).ticket, of_rules("", "denied", "denied")))
    talk.reaches_server(FAILING_QUERY).server(error("42703"), READY)
    talk.client_reads_error("42501", "held by approvals[many] of policy web, and dora denied it", then=READY)
    assert [one["standing"] for one in talk.events[0]["approvals"]] == ["unasked", "denied"]


@pytest.mark.parametrize(
    "told",
    [
        GRANTED,
        of_rules("granted", "", "granted"),
        of_rules("granted", "approved", "granted"),
        of_rules("granted", "waiting", "granted"),
        WAITING,
    ],
)
def test_what_is_not_said_of_each_rule_sends_nothing(told: Answered) -> None:
    talk = held(DELETES, MANY)
    talk.did(talk.session.answered(asks_of_both(talk).ticket, told)).reaches_server(FAILING_QUERY)
    talk.server(error("42703"), READY)
    talk.client_reads_error("42501", "does not answer about each of its rules", then=READY)


def test_a_rule_that_comes_to_hold_it_while_another_is_asked_is_asked_too() -> None:
    late = replace(MANY, when="now > timestamp('2030-01-01T00:00:00Z')")
    talk = held(DELETES, late)
    told = {"now": datetime(2029, 12, 31, tzinfo=UTC)}
    talk.did(talk.session.rules_replaced(replace(talk.rules(), facts=lambda: [told])))
    first = asks_of_both(talk)
    assert [one.approval for one in first.asking.all_held_by] == ["deletes"]
    told["now"] = datetime(2030, 1, 2, tzinfo=UTC)
    talk.did(talk.session.answered(first.ticket, GRANTED)).reaches_server()
    assert [one.approval for one in question(talk).asking.all_held_by] == ["deletes", "many"]


def test_a_session_waits_for_each_of_them_in_turn() -> None:
    waits = replace(MANY, wait=30_000)
    talk = held(WAITS, waits)
    talk.did(talk.session.answered(asks_of_both(talk).ticket, of_rules("waiting", "waiting", request="r-1")))
    (look,) = talk.rest
    assert isinstance(look, AwaitApproval)
    assert (look.request, look.seconds) == ("r-1", 15.0)
    assert b"have a member of dba or leads approve r-1 and a member of dba approve r-2; cancel" in talk.to_client
    talk.now += 10_000_000
    # What is looked at by itself says nothing of the other.
    talk.did(talk.session.answered(look.ticket, GRANTED)).reaches_server(asked(ends=True))
    talk.server(answer(settings()), answer(plan(11)), READY)
    talk.did(talk.session.answered(question(talk).ticket, of_rules("approved", "waiting")))
    (look,) = talk.rest
    assert isinstance(look, AwaitApproval)
    assert (look.request, look.seconds) == ("r-2", 15.0)
    talk.now += 15_000_000
    talk.did(talk.session.answered(look.ticket, replace_request(WAITING, "r-2")))
    (look,) = talk.rest
    assert isinstance(look, AwaitApproval)
    assert (look.request, look.seconds) == ("r-2", 5.0)
    talk.did(talk.session.answered(look.ticket, replace_request(DENIED, "r-2"))).reaches_server(FAILING_QUERY)
    assert talk.kinds() == ["request r-1", "request r-2", "intent deny"]
    assert [one["standing"] for one in talk.events[-1]["approvals"]] == ["approved", "denied"]


def test_no_question_names_more_rules_than_it_can() -> None:
    rules = [replace(DELETES, name=f"d{number}", rule=Rule("web", f"approvals[d{number}]")) for number in range(17)]
    talk = held(*rules)
    talk.client(query(TEXT)).server(TOLD, READY).reaches_server(FAILING_QUERY)
    talk.server(error("42703"), READY).client_reads_error("42501", "and by more than 15 other rules", then=READY)
    assert len(asks_of_both(held(*rules[:16])).asking.all_held_by) == 16


def replace_request(answered: Answered, request: str) -> Answered:
    return answered.model_copy(update={"request": request})


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
    # That it is approved does not use it; and what the server answered before the wait counts no more.
    talk.did(talk.session.answered(look.ticket, GRANTED)).reaches_server(asked(ends=True))
    talk.server(TOLD, READY).reaches_server().reaches_client()
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
            "revoked": lambda: talk.session.revoked(by_policy("leavers")),
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
