"""Conversations: what a session holds changes in the order of the messages, however they are pipelined."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.sidecar.session.conversation import (
    BOUND,
    CLOSED,
    COPY_DONE,
    COPY_IN,
    PARSED,
    READY,
    READY_FAILED,
    READY_IN,
    Book,
    Conversation,
    allow,
    complete,
    copy_data,
    error,
    run,
    sync,
)

from penstock_core.sql.decision import Action, Decision
from penstock_sidecar.session import commands
from penstock_sidecar.session.refusals import FAILING_QUERY
from penstock_sidecar.session.states import State
from penstock_sidecar.wire.messages import FLUSH, bind, close_statement, message, parse, query

ALL = allow("DEALLOCATE ALL", deallocates=("*",))
ONE = allow("DEALLOCATE s1", deallocates=("s1",))
DISCARD = allow("DISCARD ALL", drops_temporary=True, changes_search_path=True, resets_search_path=True)
TEMPORARY = allow("CREATE TEMP TABLE t (a int)", temporary=frozenset({"t"}), writes=True)
DROP = allow("DROP TABLE t", drops_tables=frozenset({"t"}))
PATH = allow("SET search_path = b", changes_search_path=True)
RESET = allow("RESET search_path", changes_search_path=True, resets_search_path=True)
PREPARE = allow("PREPARE p AS SELECT 1", prepares=("p",))
COPY = allow("DEALLOCATE ALL; COPY t FROM STDIN", deallocates=("*",))
KNOWN = {one.text: one for one in (ALL, ONE, DISCARD, TEMPORARY, DROP, PATH, RESET, PREPARE, COPY)}


def talk() -> Conversation:
    return Conversation(dict(KNOWN))


def path_is(value: str) -> bytes:
    return message(b"S", b"search_path\x00" + value.encode() + b"\x00")


@pytest.mark.parametrize("given_up", [ALL, ONE, DISCARD])
def test_a_statement_that_is_parsed_behind_its_end_is_there(given_up: object) -> None:
    one = talk()
    text = getattr(given_up, "text")  # noqa: B009 - any of the decisions
    one.client(parse("", text), run(), parse("s1", "SELECT 22"), sync())
    # What is decided by what that does waits for it; the server is asked to answer at once.
    one.reaches_server(parse("", text), run(), FLUSH)
    assert one.session.state is State.SETTLING
    tag = "DEALLOCATE" if text == ONE.text else text
    one.server(PARSED, BOUND, complete(tag)).reaches_server(parse("s1", "SELECT 22"), sync())
    one.server(PARSED, READY)
    one.client(bind("", "s1"), sync()).reaches_server(bind("", "s1"), sync())


def test_a_statement_that_was_there_before_is_gone() -> None:
    one = talk()
    one.client(parse("s1", "SELECT 1"), sync()).server(PARSED, READY)
    one.client(query(ONE.text), bind("", "s1"), sync()).reaches_server(query(ONE.text))
    one.server(complete("DEALLOCATE"), READY)
    assert b"s1" not in one.to_server
    one.server(error("26000"), READY).client_reads_error("26000", 'prepared statement "s1" does not exist', READY)


def test_one_that_could_not_be_given_up_stays() -> None:
    one = talk()
    one.client(parse("s1", "SELECT 1"), sync()).server(PARSED, READY)
    one.client(query(ONE.text), bind("", "s1"), sync()).server(error("25P02"), READY_FAILED)
    one.reaches_server(bind("", "s1"), sync())


def test_of_several_statements_those_that_were_done_count() -> None:
    both = allow("DEALLOCATE s1; DEALLOCATE s2; SELECT 1/0", deallocates=("s1", "s2"))
    one = Conversation({both.text: both})
    one.client(parse("s1", "SELECT 1"), parse("s2", "SELECT 2"), sync()).server(PARSED, PARSED, READY)
    one.client(query(both.text)).server(complete("DEALLOCATE"), error("26000"), READY)
    one.client(bind("", "s2")).reaches_server(bind("", "s2"))
    assert "s1" not in one.flow.statements


def test_what_is_skipped_waits_for_nothing() -> None:
    one = talk()
    one.client(parse("", "broken"), parse("", ALL.text), run(), sync(), query("SELECT 1"))
    assert one.session.state is State.SETTLING
    one.server(error("42601")).reaches_server(sync(), query("SELECT 1"))
    assert one.session.state is State.RUNNING
    one.server(READY, complete("SELECT 1"), READY).reaches_client(READY, complete("SELECT 1"), READY)


def test_data_that_the_server_asks_for_does_not_wait() -> None:
    one = talk()
    one.client(query(COPY.text), copy_data(b"1\n"), COPY_DONE, query("SELECT 1")).reaches_server(query(COPY.text))
    one.server(complete("DEALLOCATE ALL"), COPY_IN).reaches_server(copy_data(b"1\n"), COPY_DONE)
    # The text is not done yet.
    assert one.session.state is State.SETTLING
    one.server(complete("COPY 1"), READY).reaches_server(query("SELECT 1"))


def test_waiting_survives_new_rules_and_ends_with_the_client() -> None:
    one = talk()
    one.client(query(ALL.text), query("SELECT 1"))
    one.new_rules(dict(KNOWN))
    assert one.session.client_waits is False, "a client that goes must be noticed"
    one.did(one.session.client_closed())
    assert one.rest == [commands.Close("")]


def test_a_temporary_table_is_there_once_the_server_made_it() -> None:
    one = talk()
    one.client(query(TEMPORARY.text), query("SELECT 1")).reaches_server(query(TEMPORARY.text))
    one.server(complete("CREATE TABLE"), READY).reaches_server(query("SELECT 1"))
    assert one.book.temporary == {"t"}


def test_a_temporary_table_that_was_not_made_is_none() -> None:
    one = talk()
    one.client(query(TEMPORARY.text), query("SELECT 1")).server(error("42P07"), READY)
    assert one.book.temporary == frozenset()


def settled(one: Conversation, text: str, tag: str, after: bytes = READY) -> None:
    one.client(query(text)).server(complete(tag), after)


def now(one: Conversation) -> frozenset[str]:
    one.client(query("SELECT 1")).server(complete("SELECT 1"), READY_IN if one.flow.in_block else READY)
    return one.book.temporary


def test_a_rollback_takes_the_temporary_tables_of_its_transaction() -> None:
    one = talk()
    settled(one, "BEGIN", "BEGIN", READY_IN)
    settled(one, TEMPORARY.text, "CREATE TABLE", READY_IN)
    assert now(one) == {"t"}
    settled(one, "ROLLBACK", "ROLLBACK")
    assert now(one) == frozenset()


def test_a_rollback_brings_back_what_its_transaction_dropped() -> None:
    for text, tag in ((DROP.text, "DROP TABLE"), ("DISCARD TEMP", "DISCARD TEMP")):
        one = Conversation(KNOWN | {"DISCARD TEMP": allow("DISCARD TEMP", drops_temporary=True)})
        settled(one, TEMPORARY.text, "CREATE TABLE")
        settled(one, "BEGIN", "BEGIN", READY_IN)
        settled(one, text, tag, READY_IN)
        assert now(one) == frozenset()
        settled(one, "ROLLBACK", "ROLLBACK")
        assert now(one) == {"t"}
        settled(one, text, tag)
        assert now(one) == frozenset()


MADE = allow("CREATE TABLE n (a int)", makes=frozenset({("", "n"), ("app", "m")}), writes=True)
UNMADE = allow("DROP TABLE n", unmakes=frozenset({("", "n")}), writes=True)
NEITHER: frozenset[tuple[str, str]] = frozenset()


def making() -> Conversation:
    """A session whose open transaction made something."""
    one = Conversation(KNOWN | {one.text: one for one in (MADE, UNMADE)})
    settled(one, "BEGIN", "BEGIN", READY_IN)
    one.client(query(MADE.text), query("SELECT 1")).reaches_server(query(MADE.text))
    one.server(complete("CREATE TABLE"), READY_IN).reaches_server(query("SELECT 1"))
    assert one.book.made == MADE.makes
    one.server(complete("SELECT 1"), READY_IN)
    return one


def made(one: Conversation) -> frozenset[tuple[str, str]]:
    now(one)
    return one.book.made


@pytest.mark.parametrize("end", ["COMMIT", "ROLLBACK"])
def test_what_a_transaction_made_is_its_own_until_it_ends(end: str) -> None:
    one = making()
    before = one.flow.epoch
    settled(one, end, end)
    assert made(one) == NEITHER
    assert one.flow.epoch > before, "what was decided by it is decided again"


def test_what_a_transaction_made_is_forgotten_where_it_may_be_gone() -> None:
    one = making()
    settled(one, UNMADE.text, "DROP TABLE", READY_IN)
    assert made(one) == {("app", "m")}
    one = making()
    settled(one, "ROLLBACK TO s", "ROLLBACK", READY_IN)
    assert made(one) == NEITHER


def test_what_was_not_made_is_not_there() -> None:
    one = Conversation({MADE.text: MADE})
    settled(one, "BEGIN", "BEGIN", READY_IN)
    one.client(query(MADE.text)).server(error("42P07"), READY_FAILED)
    assert made(one) == NEITHER


def test_under_another_path_only_names_with_schemas_mean_what_was_made() -> None:
    one = making()
    one.client(query(PATH.text), query("SELECT 1"))
    assert one.book.made == {("app", "m")}
    one.server(complete("SET"), path_is("b"), READY_IN, complete("SELECT 1"), READY_IN)
    assert made(one) == {("app", "m")}


def test_a_discard_that_fails_drops_nothing() -> None:
    one = talk()
    settled(one, TEMPORARY.text, "CREATE TABLE")
    one.client(query(DISCARD.text)).server(error("25001"), READY_FAILED)
    assert one.flow.temporary.names == {"t"}


def test_a_path_is_known_again_only_when_nothing_in_flight_may_change_it() -> None:
    one = talk()
    one.client(query(PATH.text), query(PATH.text))
    one.server(complete("SET"), path_is("a"), READY)
    one.client(query("SELECT 1"))
    assert one.book.path is None, "the second SET is still on its way"
    one.server(complete("SET"), path_is("b"), READY)
    one.client(query("SELECT 2"))
    assert one.book.path == ("b",)


def test_the_end_of_a_transaction_may_change_the_path_that_was_set_in_it() -> None:
    for end in ("ROLLBACK", "COMMIT"):
        one = talk()
        one.client(query("BEGIN")).server(complete("BEGIN"), READY_IN)
        one.client(query(PATH.text)).server(complete("SET"), path_is("b"), READY_IN)
        one.client(query(end), query("SELECT 1"))
        assert one.book.path is None
        one.server(complete(end), path_is("public"), READY)
        one.client(query("SELECT 2"))
        assert one.book.path == ("public",)


def test_without_the_servers_word_only_a_reset_outside_of_transactions_makes_it_known() -> None:
    one = talk()
    for steps, known in (
        ([(PATH.text, "SET", READY)], False),
        ([(RESET.text, "RESET", READY)], True),
        ([(PATH.text, "SET", READY), ("BEGIN", "BEGIN", READY_IN), (RESET.text, "RESET", READY_IN)], False),
        ([("ROLLBACK", "ROLLBACK", READY)], False),
        ([(DISCARD.text, "DISCARD ALL", READY)], True),
    ):
        for text, tag, after in steps:
            one.client(query(text)).server(complete(tag), after)
        one.client(query("SELECT 1")).server(complete("SELECT 1"), steps[-1][2])
        assert one.book.path == (("public",) if known else None), steps


def test_a_reset_that_fails_later_in_its_pipeline_is_none() -> None:
    one = talk()
    one.client(query(PATH.text)).server(complete("SET"), READY)
    one.client(parse("", RESET.text), run(), parse("", "SELECT 1/0"), run(), sync())
    one.server(PARSED, BOUND, complete("RESET"), PARSED, BOUND, error("22012"), READY)
    one.client(query("SELECT 1"))
    assert one.book.path is None


def test_what_is_prepared_in_sql_to_change_the_path_changes_it_when_it_runs() -> None:
    text = "PREPARE p AS SELECT set_config('search_path', 'b', false)"
    sets = allow(text, prepares=("p",), made_from=text, changes_search_path=True)
    runs = allow("EXECUTE p", executes=("p",))
    one = Conversation({sets.text: sets, runs.text: runs, RESET.text: RESET})
    one.client(query(sets.text)).server(complete("PREPARE"), READY)
    one.client(query(RESET.text)).server(complete("RESET"), READY)
    one.client(query("SELECT 1")).server(complete("SELECT 1"), READY)
    assert one.book.path == ("public",)
    one.client(query(runs.text)).server(complete("SELECT 1"), READY)
    one.client(query("SELECT 1"))
    assert one.book.path is None


class ByPath(Book):
    """One by which a bare name means what the search_path makes of it."""

    def decide(
        self, text: str, search_path: tuple[str, ...] | None, temporary: frozenset[str], types: tuple[int, ...] = (),
        made: frozenset[tuple[str, str]] = frozenset(),
    ) -> Decision:  # fmt: skip
        decision = super().decide(text, search_path, temporary, types, made)
        if "FROM t" not in text:
            return decision
        place = search_path[0] if search_path else "nowhere"
        return replace(decision, action=Action.REWRITE, text=text.replace("FROM t", f"FROM {place}.t"))


def by_path() -> Conversation:
    prepare = "PREPARE p AS SELECT 1 FROM t"
    declare = "DECLARE c CURSOR WITH HOLD FOR SELECT 1 FROM t"
    one = talk()
    one.book = ByPath(KNOWN | {
        prepare: allow(prepare, prepares=("p",), made_from=prepare),
        declare: allow(declare, declares=(("c", True),), made_from=declare),
        "EXECUTE p": allow("EXECUTE p", executes=("p",)), "FETCH c": allow("FETCH c", fetches=("c",)),
    })  # fmt: skip
    one.did(one.session.rules_replaced(one.rules("by path")))
    return one


def moved(one: Conversation, value: str) -> None:
    one.client(query(PATH.text)).server(complete("SET"), path_is(value), READY)


def test_what_was_parsed_under_another_path_is_parsed_again_before_it_is_bound() -> None:
    one = by_path()
    one.client(parse("s", "SELECT 1 FROM t"), sync()).reaches_server(parse("s", "SELECT 1 FROM public.t"), sync())
    one.server(PARSED, READY)
    moved(one, "b")
    again = close_statement("s") + parse("s", "SELECT 1 FROM b.t")
    one.client(bind("", "s"), sync()).reaches_server(again, bind("", "s"), sync())
    one.server(CLOSED, PARSED, BOUND, READY).reaches_client(BOUND, READY)
    one.client(bind("", "s"), sync()).reaches_server(bind("", "s"), sync())
    one.server(BOUND, READY)
    moved(one, "public")
    one.client(bind("", "s"))
    assert b"public.t" in one.to_server


def test_what_would_have_other_columns_has_to_be_prepared_again() -> None:
    one = by_path()
    one.client(parse("s", "SELECT * FROM t"), sync()).server(PARSED, READY)
    moved(one, "other")
    one.client(bind("", "s"), sync()).server(error("26000"), READY).client_reads_error("0A000", "other columns", READY)
    moved(one, "public")
    one.client(bind("", "s"), sync()).reaches_server(bind("", "s"), sync())


def test_what_sql_prepared_under_another_path_is_refused_and_a_cursor_is_not() -> None:
    one = by_path()
    settled(one, "PREPARE p AS SELECT 1 FROM t", "PREPARE")
    settled(one, "DECLARE c CURSOR WITH HOLD FOR SELECT 1 FROM t", "DECLARE CURSOR")
    one.client(query("EXECUTE p")).reaches_server(query("EXECUTE p"))
    one.server(complete("SELECT 1"), READY)
    moved(one, "b")
    one.client(query("EXECUTE p")).reaches_server(FAILING_QUERY)
    one.server(error("42703"), READY).client_reads_error("42501", "search_path changed", READY)
    one.client(query("FETCH c")).reaches_server(query("FETCH c"))
    one.server(complete("FETCH 1"), READY)
    moved(one, "public")
    one.client(query("EXECUTE p")).reaches_server(query("EXECUTE p"))


def test_a_name_that_sql_prepares_is_no_longer_what_parse_made() -> None:
    one = talk()
    one.client(parse("p", "SELECT secret"), sync()).server(PARSED, READY)
    one.client(query(PREPARE.text)).server(complete("PREPARE"), READY)
    assert "p" not in one.flow.statements
    # It is bound as what it is.
    one.client(bind("", "p"), sync()).reaches_server(bind("", "p"), sync())
    assert one.events[-1]["kind"] == "intent"
    assert one.flow.portals[""].statement.text == 'EXECUTE "p"'


def test_a_close_in_the_same_write_as_what_it_closes() -> None:
    one = talk()
    one.client(parse("s1", "SELECT 1"), close_statement("s1"), parse("s1", "SELECT 2"), bind("", "s1"), sync())
    one.server(PARSED, CLOSED, PARSED, BOUND, READY)
    assert one.flow.statements["s1"].text == "SELECT 2"
