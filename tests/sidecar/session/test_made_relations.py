"""What an open transaction made is handed to the decider until the transaction ends, and no longer."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.sidecar.session.conversation import (
    BOUND,
    PARSED,
    READY,
    READY_FAILED,
    READY_IN,
    Conversation,
    allow,
    complete,
    error,
    run,
    sync,
)

from penstock_core.sql.decision import Decision, Made
from penstock_sidecar.session.made_relations import MadeRelations
from penstock_sidecar.wire.messages import bind, parse, query

MADE: Made = frozenset({("public", "mart", "r")})
MAKE = "CREATE TABLE public.mart (id int)"
READ = "SELECT * FROM public.mart"


def decision(text: str, *verbs: str, makes: Made = frozenset()) -> Decision:
    return replace(allow(text, makes=makes, writes=True), verbs=verbs)


KNOWN = {
    one.text: one
    for one in (
        decision(MAKE, "create", makes=MADE),
        decision(f"{MAKE}; COMMIT", "create", "commit", makes=MADE),
        decision("BEGIN", "begin"),
        decision("COMMIT", "commit"),
        decision("ROLLBACK", "rollback"),
        decision("ROLLBACK TO a", "rollback"),
        decision("SAVEPOINT a", "savepoint"),
        decision("PREPARE TRANSACTION 'x'", "prepare transaction"),
    )
}


def talk(*, masked: bool = True) -> Conversation:
    one = Conversation(dict(KNOWN), masked=masked)
    return settled(one, "BEGIN", "BEGIN")


def settled(one: Conversation, text: str, tag: str, after: bytes = READY_IN) -> Conversation:
    one.client(query(text)).server(complete(tag), after)
    return one


def now(one: Conversation) -> Made:
    """What the next statement is decided by."""
    settled(one, "SELECT 1", "SELECT 1", READY_IN if one.flow.in_block else READY)
    return one.book.made


def test_a_table_is_there_once_the_server_made_it() -> None:
    one = talk()
    one.client(query(MAKE), query("SELECT 1"))
    assert one.book.made == frozenset()
    one.server(complete("CREATE TABLE"), READY_IN)
    assert one.book.made == MADE
    one.server(complete("SELECT 1"), READY_IN)
    assert now(one) == MADE


def test_likewise_in_the_extended_protocol() -> None:
    one = talk()
    one.client(parse("", MAKE), run(), parse("", READ), run(), sync())
    assert one.book.made == frozenset()
    one.server(PARSED, BOUND, complete("CREATE TABLE"))
    assert one.book.made == MADE


def test_what_was_not_made_is_none() -> None:
    one = talk()
    one.client(query(MAKE)).server(error("42P07"), READY_FAILED)
    assert one.flow.made.names == frozenset()


def test_without_masks_nobody_asks() -> None:
    assert now(settled(talk(masked=False), MAKE, "CREATE TABLE")) == frozenset()


@pytest.mark.parametrize(
    ("text", "tag", "after"),
    [
        ("COMMIT", "COMMIT", READY),
        ("ROLLBACK", "ROLLBACK", READY),
        ("ROLLBACK TO a", "ROLLBACK", READY_IN),
        ("PREPARE TRANSACTION 'x'", "PREPARE TRANSACTION", READY),
    ],
)
def test_with_the_transaction_or_a_part_of_it_ends_what_it_made(text: str, tag: str, after: bytes) -> None:
    one = settled(talk(), MAKE, "CREATE TABLE")
    epoch = one.flow.epoch
    settled(one, text, tag, after)
    assert one.flow.made.names == frozenset()
    assert one.flow.epoch > epoch, "what was prepared before is decided again"


def test_a_statement_that_reads_it_is_decided_again_when_it_is_gone() -> None:
    one = settled(talk(), MAKE, "CREATE TABLE")
    one.client(parse("s", READ), sync()).server(PARSED, READY_IN)
    settled(one, "ROLLBACK", "ROLLBACK", READY)
    one.book.entries[READ] = allow(READ)
    one.client(bind("", "s"))
    assert one.book.made == frozenset()


def test_a_savepoint_keeps_it() -> None:
    one = settled(talk(), MAKE, "CREATE TABLE")
    assert now(settled(one, "SAVEPOINT a", "SAVEPOINT")) == MADE


def test_outside_a_transaction_it_is_everybodys_at_once() -> None:
    one = Conversation(dict(KNOWN), masked=True)
    settled(one, MAKE, "CREATE TABLE", READY)
    assert one.flow.made.names == frozenset()


def test_of_a_text_that_ends_transactions_nothing_is_sure() -> None:
    made = MadeRelations()
    made.answered(KNOWN[f"{MAKE}; COMMIT"], failed=False)
    assert made.names == frozenset()
    made.answered(KNOWN[MAKE], failed=True)
    assert made.names == frozenset()
    made.answered(KNOWN[MAKE], failed=False)
    assert made.names == MADE
    assert made.ended()
    assert not made.ended()
