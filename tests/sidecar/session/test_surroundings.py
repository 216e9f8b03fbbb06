"""Conversations: what was prepared, declared or bound under other settings than those that an approval would be for."""

from __future__ import annotations

from typing import Any

import pytest
from tests.sidecar.session.conversation import (
    BOUND,
    CLOSED,
    PARSED,
    READY,
    READY_IN,
    Conversation,
    allow,
    complete,
    error,
    run,
    settings,
    sync,
)
from tests.sidecar.session.test_held_pipeline import DELETES, GRANTED, TEXT, TOLD, answer, decision, question
from tests.sidecar.session.test_held_pipeline_changes import PREPARE, RUN, prepared

from penstock_core.policy.holding import Effects, Holding
from penstock_sidecar.session.refusals import FAILING_QUERY
from penstock_sidecar.wire.messages import bind, close_statement, execute, parse, query

SETS = allow("SET datestyle TO 'DMY'", holding=Holding(Effects(frozenset({"set"})), changes_settings=True))
READS = allow("SELECT 1", holding=Holding(Effects(frozenset({"select"}))))
UNKNOWN = allow("SELECT unknown()")
PATH = allow("SET search_path TO app", holding=Holding(Effects(frozenset({"set"}))), changes_search_path=True)
TEMPORARY = allow("CREATE TEMP TABLE t (i int)", holding=Holding(), temporary=frozenset({"t"}))
DROPS = allow("DROP TABLE t", holding=Holding(), drops_tables=frozenset({"t"}))
ENDS = {text: allow(text, holding=Holding()) for text in ("BEGIN", "COMMIT", "ROLLBACK")}
BOOK = {one.text: one for one in (SETS, READS, UNKNOWN, PATH, TEMPORARY, DROPS)} | ENDS


def talks(**more: Any) -> Conversation:
    return Conversation({**BOOK, **prepared("public.t"), TEXT: decision(DELETES)}, **more)


def says(talk: Conversation, *texts: str, status: bytes = READY) -> Conversation:
    for text in texts:
        talk.client(query(text)).server(complete(text.split()[0]), status)
    return talk


@pytest.mark.parametrize(
    "between", [SETS.text, UNKNOWN.text, TEMPORARY.text, DROPS.text], ids=["set", "unknown", "temporary", "drop"]
)
def test_what_was_prepared_before_a_change_is_refused(between: str) -> None:
    talk = says(talks(), PREPARE, between)
    talk.client(query(RUN)).reaches_server(FAILING_QUERY).server(error("42703"), READY)
    talk.client_reads_error("42501", "before settings or temporary tables of the session changed", then=READY)


@pytest.mark.parametrize("between", [READS.text, PATH.text, "BEGIN", "COMMIT"])
def test_what_changes_nothing_in_between_is_nothing_to_it(between: str) -> None:
    talk = says(talks(), PREPARE, between)
    talk.client(query(RUN)).server(answer(settings()), READY)
    assert question(talk).asking.statement.sql.startswith(RUN)


def test_what_a_transaction_set_is_changed_by_its_end() -> None:
    for end in ("COMMIT", "ROLLBACK"):
        talk = says(talks(), "BEGIN", SETS.text, PREPARE, status=READY_IN)
        says(talk, end).client(query(RUN)).reaches_server(FAILING_QUERY)


def test_settings_before_it_are_what_it_is_made_in() -> None:
    talk = says(talks(), SETS.text, PREPARE)
    talk.client(query(RUN)).server(answer(settings()), READY)
    assert question(talk).asking.statement.sql.startswith(RUN)


def test_what_runs_a_change_by_its_name_is_one() -> None:
    talk = talks()
    for name in ("a", "b"):
        text = f"PREPARE {name} AS SELECT 1"
        holding = SETS.holding if name == "a" else READS.holding
        talk.book.entries[text] = allow(text, prepares=(name,), made_from=text, holding=holding)
        talk.book.entries[f"EXECUTE {name}"] = allow(f"EXECUTE {name}", executes=(name,), holding=Holding())
    says(talk, "PREPARE a AS SELECT 1", "PREPARE b AS SELECT 1", PREPARE, "EXECUTE b")
    talk.client(query(RUN)).server(answer(settings()), READY)
    talk.did(talk.session.answered(question(talk).ticket, GRANTED)).server(complete("DELETE 1"), READY)
    says(talk, "EXECUTE a").client(query(RUN)).reaches_server(FAILING_QUERY)


def test_what_was_parsed_before_a_change_is_parsed_again_and_once() -> None:
    talk = talks()
    talk.client(parse("s", TEXT), sync()).server(PARSED, READY)
    says(talk, SETS.text)
    for again in (True, False):
        talk.client(run("s"), sync()).server(TOLD, READY)
        talk.did(talk.session.answered(question(talk).ticket, GRANTED))
        anew = (close_statement("s"), parse("s", TEXT)) if again else ()
        talk.reaches_server(*anew, run("s"), sync())
        talk.server(*((CLOSED, PARSED) if again else ()), BOUND, complete("DELETE 1"), READY)
        talk.reaches_client(BOUND, complete("DELETE 1"), READY)


def test_without_approvals_nothing_is_parsed_again() -> None:
    talk = Conversation({TEXT: allow(TEXT)})
    talk.client(parse("s", TEXT), sync()).server(PARSED, READY)
    says(talk, "SET datestyle TO 'DMY'")
    talk.client(run("s"), sync()).reaches_server(run("s"), sync())


def test_what_was_bound_before_a_change_is_refused() -> None:
    talk = says(talks(), "BEGIN", status=READY_IN)
    talk.client(parse("", TEXT), bind("c", ""), sync()).server(PARSED, BOUND, READY_IN)
    says(talk, SETS.text, status=READY_IN)
    talk.client(execute("c"), sync())
    assert execute("c") not in talk.to_server
    talk.server(error("34000"), READY_IN).client_reads_error("42501", "before settings", then=READY_IN)
