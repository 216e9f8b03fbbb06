"""Noninterference: what a client sees of two databases that differ in masked columns alone is the same."""

from __future__ import annotations

from typing import get_args

import pytest
from tests.core.sql.twins.corpus import DENY, ORDERED, PASS, SINCE, TOLD
from tests.core.sql.twins.corpus_stored import LEAKS, LEAKS_SINCE
from tests.core.sql.twins.world import PEOPLE, Mode, Seen, Twins, see

from penstock_core.sql.decision import Action, Decision

# They fail on the server, on both twins alike.
FAILING = {
    "19 error oracle": "22012",
    "20 cast error": "22P02",
    "22 cursor that fails": "22P02",
    "23 prepared, failing": "22P02",
    "34 not null": "23502",
    "insert that breaks a check": "23514",
    "insert that is there": "23505",
    "merge that meets a row twice": "21000",
    # The masked value of a domain's column breaks the domain's check where it is put into the table's own row type.
    "jsonb_populate_record": "23514",
}
RAW = {str(value).encode() for people in PEOPLE.values() for row in people for value in row[:2] if value}


def view(seen: Seen, *, ordered: bool) -> Seen:
    if ordered:
        return seen
    rows = tuple(sorted(seen.rows, key=lambda row: tuple((value is None, value or b"") for value in row)))
    return Seen(seen.sqlstate, seen.message, seen.status, seen.columns, rows)


def difference(twins: Twins, name: str, text: str, mode: Mode = "simple") -> str | None:
    """How the statement tells the twins apart, or goes wrong; None if all is well."""
    decision = twins.governor().decide(text, ("public",))
    if decision.action is Action.DENY:
        return f"refused: {decision.denial.reason}" if decision.denial else "refused"
    left, right = twins.run(decision, mode)
    if left.sqlstate != expected(twins, name):
        return f"{left.sqlstate or 'no error'} {left.message}"
    ordered = text.startswith(ORDERED)
    if view(left, ordered=ordered) != view(right, ordered=ordered):
        return f"the twins differ: {left} {right}"
    shown = [value for row in (*left.rows, *right.rows) for value in row if value]
    leaks = [raw for raw in RAW if any(raw in value for value in shown)]
    return f"raw values show: {leaks}" if leaks else None


def expected(twins: Twins, name: str) -> str:
    """The SQLSTATE that the statement ends with; empty for none."""
    since, unknown = SINCE.get(name, (0, ""))
    return unknown if twins.catalog.server_version < since * 10000 else FAILING.get(name, "")


@pytest.mark.parametrize("mode", get_args(Mode))
@pytest.mark.parametrize("name", [*PASS, *TOLD])
def test_the_twins_look_the_same(twins: Twins, name: str, mode: Mode) -> None:
    assert difference(twins, name, {**PASS, **TOLD}[name], mode) is None


@pytest.mark.parametrize("name", DENY)
def test_what_could_tell_them_apart_is_refused(twins: Twins, name: str) -> None:
    decision = twins.governor().decide(DENY[name], ("public",))
    assert decision.action is Action.DENY
    assert decision.text == ""
    assert decision.denial is not None
    assert decision.denial.reason
    assert decision.denial.remedy
    assert "not understood (" not in decision.denial.reason
    # It is the gate that refuses it, not a slip of the corpus.
    assert decision.denial.sqlstate != "42601"


@pytest.mark.parametrize("name", [*LEAKS, *LEAKS_SINCE])
def test_what_is_refused_would_tell_them_apart(twins: Twins, name: str) -> None:
    """Were it forwarded as it is, errors reduced: the corpus knows what it is about."""
    since, text = LEAKS_SINCE.get(name, (0, LEAKS.get(name, "")))
    if twins.catalog.server_version < since * 10000:
        return
    left, right = twins.run(Decision(Action.ALLOW, text, redact_errors=True))
    assert view(left, ordered=False) != view(right, ordered=False)


def test_locks_do_not_tell_how_rows_were_found(twins: Twins) -> None:
    """Locks on rows and index pages are as many as what a plan looked at."""
    text = "SELECT count(body) FROM wide WHERE id < 5;"
    text += " SELECT locktype, page, tuple, mode, relation::regclass FROM pg_locks"
    decision = twins.governor().decide(text, ("public",))
    serializable = "SET TRANSACTION ISOLATION LEVEL SERIALIZABLE"
    left, right = (see(url, decision, serializable) for url in (twins.left, twins.right))
    assert left == right
    assert (b"relation", None, None, b"AccessShareLock", b"wide") in left.rows
    assert {row[:3] for row in left.rows} <= {(b"relation", None, None), (b"virtualxid", None, None)}
    assert not any(b"pkey" in (row[4] or b"") for row in left.rows)


def test_the_twins_differ_by_what_catalogs_must_not_show(twins: Twins) -> None:
    """So that the statements about catalogs prove something."""
    text = "SELECT relpages, pg_table_size(oid) FROM pg_class WHERE relname = 'wide'"
    assert see(twins.left, Decision(Action.ALLOW, text)) != see(twins.right, Decision(Action.ALLOW, text))
    text = "SELECT attmissingval FROM pg_attribute WHERE attrelid = 'wide'::regclass AND attname = 'late'"
    assert see(twins.left, Decision(Action.ALLOW, text)) != see(twins.right, Decision(Action.ALLOW, text))


def test_a_not_null_that_rows_break_is_a_question(twins18: Twins) -> None:
    """Since PostgreSQL 18 it need not be valid: then any change of a row without a value fails."""
    assert twins18.governor().decide("UPDATE gap SET note = 'x' WHERE id = 1", ("public",)).action is Action.DENY


def test_the_masks_show_what_they_should(twins: Twins) -> None:
    decision = twins.governor().decide("SELECT email, ssn, salary, dom, mail_key FROM u ORDER BY id", ("public",))
    seen, _ = twins.run(decision)
    assert seen.rows == (
        (b"d***@example.com", b"*******3333", b"0", b"***", None),
        (b"e***@example.org", b"*******3333", b"0", b"***", None),
        (b"f***@example.com", b"*******9999", b"0", b"***", None),
        (None, None, b"0", b"***", None),
        (b"k***@example.org", b"*******3333", b"0", b"***", None),
    )
    assert decision.masked == (
        "public.u.dom",
        "public.u.email",
        "public.u.mail_key",
        "public.u.salary",
        "public.u.ssn",
    )
    assert decision.redact_errors
    rounded = twins.governor().decide(
        "SELECT born, at AT TIME ZONE 'UTC', seen, spent, steps FROM visit ORDER BY id", ("public",)
    )
    assert twins.run(rounded)[0].rows == (
        (b"1984-01-01", b"2024-01-01 00:00:00", b"2024-05-01 00:00:00", b"10.00", b"1000"),
        (b"1984-01-01", b"2024-01-01 00:00:00", b"2024-05-01 00:00:00", b"10.00", b"1000"),
        (b"1990-01-01", b"2023-12-01 00:00:00", b"2024-04-01 00:00:00", b"-10.00", b"-100"),
        (None, None, None, None, None),
    )


def test_the_row_description_is_the_tables_own(twins: Twins) -> None:
    import psycopg

    masked = twins.run(twins.governor().decide("SELECT * FROM u", ("public",)))[0]
    with psycopg.connect(twins.left) as connection:
        plain = connection.pgconn.exec_(b"SELECT * FROM u")
        assert [column[:2] for column in masked.columns] == [
            ((plain.fname(n) or b"").decode(), plain.ftype(n)) for n in range(plain.nfields)
        ]
        assert [column[3] for column in masked.columns] == [plain.fmod(n) for n in range(plain.nfields)]


def test_a_masked_column_is_compared_by_the_collation_of_the_column(twins: Twins) -> None:
    decision = twins.governor().decide(
        "SELECT DISTINCT pg_collation_for(email), pg_collation_for(ssn) FROM u", ("public",)
    )
    seen, _ = twins.run(decision)
    assert seen.rows == ((b'"default"', b'"default"'),)
