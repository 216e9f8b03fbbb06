"""What is left of the server's errors about governed data: all that can hold no row's value."""

from __future__ import annotations

import pytest
from tests.sidecar.session.conversation import allow, rewrite

from penstock_core.sql.decision import Decision
from penstock_core.sql.masking.filtered_writes import OUTSIDE
from penstock_sidecar.session.server_errors import readable
from penstock_sidecar.wire.messages import ErrorFields

TEXT = "SELECT p.id, p.nmae FROM person p WHERE p.age = 'x' ORDER BY p.nmae"
SENT = (
    "SELECT p.id, p.nmae FROM (SELECT id, '***'::pg_catalog.text AS email, age FROM public.person) AS p"
    " WHERE p.age = 'x' ORDER BY p.nmae"
)
DECISION = rewrite(SENT)
KEY = "6b6579"


def read(text: str = TEXT, decision: Decision | None = DECISION, names: bool = True, **fields: str) -> ErrorFields:
    given = {"severity": "ERROR", "sqlstate": "42703", "message": "column p.nmae does not exist", **fields}
    return readable(ErrorFields(**given), text, decision, lambda *_: names)


ANALYSIS = {"position": "14", "file": "parse_relation.c"}


def test_an_error_of_analysis_is_told_with_its_place_in_the_clients_text() -> None:
    hint = 'Perhaps you meant to reference the column "p.name".'
    second = str(SENT.rindex("p.nmae") + 1)
    assert read(**ANALYSIS, hint=hint) == ErrorFields(
        "ERROR", "42703", "column p.nmae does not exist", "", hint, str(TEXT.index("p.nmae") + 1)
    )
    assert read(position=second, file="parse_relation.c").position == str(TEXT.rindex("p.nmae") + 1)


def test_a_place_that_is_not_certain_is_left_out() -> None:
    # `id` is there twice in the text sent.
    assert read(position=str(SENT.index("id,") + 1), file="parse_relation.c").position == ""
    assert read(position="9999", file="parse_relation.c").position == ""


def test_what_the_gate_put_before_names_is_taken_out() -> None:
    said = {"sqlstate": "42883", "message": "function pg_catalog.lower(integer) does not exist", **ANALYSIS}
    assert read(**said).message == "function lower(integer) does not exist"
    assert read("SELECT pg_catalog.lower(1)", **said).message == said["message"]


@pytest.mark.parametrize(
    "fields",
    [
        # RAISE takes any SQLSTATE and text, and gives itself away by its source, its context and the missing place.
        {"message": "ada@example.com", "file": "pl_exec.c", "where": "PL/pgSQL function f() line 1 at RAISE"},
        {"message": "ada@example.com", "file": "parse_relation.c"},
        {"message": "ada@example.com", **ANALYSIS, "where": "PL/pgSQL function f() line 1 at EXECUTE"},
        {"message": "ada@example.com", **ANALYSIS, "internal_query": "SELECT 1", "internal_position": "3"},
        {"message": "ada@example.com", **ANALYSIS, "internal_position": "3"},
        {"message": "ada@example.com", **ANALYSIS, "file": "pl_exec.c"},
        {"message": "ada@example.com", **ANALYSIS, "file": "xparse_relation.c"},
        {"message": "ada@example.com", **ANALYSIS, "file": "../parse_relation.c"},
        # to_regclass and its kin read names from rows.
        {"sqlstate": "42P01", "message": 'relation "ada@example.com" does not exist', "file": "namespace.c"},
        {"sqlstate": "42704", "message": 'type "ada@example.com" does not exist', "file": "parse_type.c"},
        # A value of a row, as against a literal.
        {"sqlstate": "22P02", "message": 'invalid input syntax for type integer: "ada"', "file": "numutils.c"},
        {"sqlstate": "22P02", "message": "ada", "position": "3", "where": "COPY t, line 1"},
        {"sqlstate": "22012", "message": "ada", "position": "3", "file": "int.c"},
        {"sqlstate": "P0001", "message": "ada", **ANALYSIS},
        {"sqlstate": "23505", "message": "ada", **ANALYSIS},
        {"sqlstate": "42601", "message": f"syntax error at or near '{KEY}'", "position": "3", "file": "scan.l"},
        {"message": "deadlock detected: ada"},
    ],
)
def test_whatever_may_hold_a_value_is_withheld(fields: dict[str, str]) -> None:
    for names in (True, False):
        got = read(names=names, detail="ada", hint="ada", **fields)
        assert "ada" not in "".join(got)
        assert KEY not in "".join(got)
        assert "text withheld" in got.message
        assert got.position == ""


def test_what_names_something_of_the_gates_own_is_withheld() -> None:
    assert "withheld" in read(message="column penstock_7 does not exist", **ANALYSIS).message
    assert "withheld" not in read("SELECT penstock_7", message="column penstock_7 does not exist", **ANALYSIS).message


def test_a_literal_that_is_not_of_its_type_is_the_clients_own() -> None:
    said = 'invalid input syntax for type integer: "x"'
    got = read(sqlstate="22P02", message=said, position=str(SENT.index("'x'") + 1), file="numutils.c")
    assert (got.message, got.position) == (said, str(TEXT.index("'x'") + 1))


@pytest.mark.parametrize(
    "text",
    [
        "current transaction is aborted, commands ignored until end of transaction block",
        "canceling statement due to statement timeout", "deadlock detected",
    ],
)  # fmt: skip
def test_texts_that_are_always_the_same_are_told_without_their_detail(text: str) -> None:
    got = read(sqlstate="40P01", message=text, detail="Process 1 waits: UPDATE … 'ada'", hint="See server log.")
    assert got == ErrorFields("ERROR", "40P01", text)


def test_names_of_prepared_statements_and_cursors_are_the_clients_own() -> None:
    run = allow('EXECUTE "p q"', executes=("p q",), redact_errors=True)
    fetch = allow("FETCH c", fetches=("c",), redact_errors=True)
    assert read(run.text, run, sqlstate="26000", message='prepared statement "p q" does not exist').message.startswith(
        "p"
    )
    assert read(fetch.text, fetch, sqlstate="34000", message='cursor "c" does not exist').message.startswith("c")
    for other in ('prepared statement "ada" does not exist', 'cursor "p q" does not exist'):
        assert "withheld" in read(run.text, run, sqlstate="26000", message=other).message


NAMES = {"schema": "public", "table": "users", "column": "name", "constraint": "users_name_key"}


@pytest.mark.parametrize(
    ("sqlstate", "message", "told"),
    [
        ("23505", 'duplicate key value violates unique constraint "users_name_key"', True),
        ("23502", 'null value in column "name" of relation "users" violates not-null constraint', True),
        ("23503", 'insert or update on table "users" violates foreign key constraint "users_name_key"', True),
        ("23514", 'new row for relation "users" violates check constraint "users_name_key"', True),
        ("23503", 'update or delete on table "ada" violates foreign key constraint', False),
        ("23505", "ada@example.com is there already", False),
    ],
)
def test_names_of_constraints_on_what_is_not_masked_are_told(sqlstate: str, message: str, told: bool) -> None:
    got = read(sqlstate=sqlstate, message=message, detail="Key (name)=(ada) already exists.", **NAMES)
    assert (got.schema, got.table, got.column, got.constraint) == tuple(NAMES.values())
    assert got.detail == ""
    assert "ada" not in got.message
    assert (got.message == message) == told
    hidden = read(sqlstate=sqlstate, message=message, detail="Key (email)=(ada)", names=False, **NAMES)
    assert (hidden.schema, hidden.table, hidden.column, hidden.constraint) == ("", "", "", "")
    assert "text withheld" in hidden.message


@pytest.mark.parametrize("sqlstate", ["22012", "22P02", "23505", "23514", "21000", "42804", "44000", "54000", "P0001"])
def test_errors_that_rows_make_are_told_alike_where_their_order_would_tell(sqlstate: str) -> None:
    fields = ErrorFields("ERROR", sqlstate, "a text", "a detail", schema="public", table="person", constraint="c")
    for mixed in ("22000", "23000"):
        told = readable(fields, TEXT, DECISION, lambda *_: True, mixed)
        assert told.sqlstate == mixed
        assert "a row makes the" in told.message
        assert told == readable(fields._replace(sqlstate="22003"), TEXT, DECISION, lambda *_: True, mixed)


@pytest.mark.parametrize("sqlstate", ["40001", "40P01", "57014", "53200", "55P03", "25P02"])
def test_what_no_row_makes_stays_what_it_is(sqlstate: str) -> None:
    fields = ErrorFields("ERROR", sqlstate, "a text")
    assert readable(fields, TEXT, DECISION, lambda *_: True, "22000").sqlstate == sqlstate
    analysis = ErrorFields("ERROR", "42703", "column p.nmae does not exist", position="14", file="parse_relation.c")
    assert readable(analysis, TEXT, DECISION, lambda *_: True, "22000").sqlstate == "42703"


@pytest.mark.parametrize("place", ["", "9"])
def test_a_row_that_a_filter_would_leave_out_is_told_in_words(place: str) -> None:
    said = f'invalid input syntax for type integer: "{OUTSIDE}16384"'
    got = read(sqlstate="22P02", message=said, position=place, file="numutils.c")
    assert (got.sqlstate, got.hint) == ("44000", "write values that the policy's row filter lets through")
    assert "16384" not in str(got)
    told = ErrorFields("ERROR", "22P02", said)
    assert readable(told, TEXT, DECISION, lambda *_: True, "23000").sqlstate == "23000"
