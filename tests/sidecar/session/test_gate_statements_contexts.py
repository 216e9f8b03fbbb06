"""Texts that set a context in the forms that drivers can send, and those that only seem to."""

from __future__ import annotations

import pytest

from penstock_core.sql.decision import Denial
from penstock_sidecar.session.gate_statements import CALL_TEXT, SET_TEXT, ContextStatement, gate_statement

TOKEN = "eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJhZGEifQ." + "s" * 86
CALLED = f'{CALL_TEXT} AS "set_config"'

FORMS = {
    f"SET LOCAL penstock.context = '{TOKEN}'": SET_TEXT,
    f"set local penstock.context to '{TOKEN}';": SET_TEXT,
    f"/* app:1 */ SET LOCAL Penstock.CONTEXT TO '{TOKEN}' -- traceparent": SET_TEXT,
    f"SET LOCAL \"penstock.context\" = '{TOKEN}'": SET_TEXT,
    f"SET LOCAL \"Penstock\".\"Context\" = E'{TOKEN}'": SET_TEXT,
    f"SET LOCAL U&\"\\0070enstock\".context = '{TOKEN}'": SET_TEXT,
    f"SELECT set_config('penstock.context', '{TOKEN}', true)": CALLED,
    f"SELECT pg_catalog.set_config('Penstock.Context', '{TOKEN}'::text, TRUE) AS \"é\"\"\"": f'{CALL_TEXT} AS "é"""',
    f"SELECT set_config(U&'penstock\\002Econtext', '{TOKEN}', true)": CALLED,
}  # fmt: skip


@pytest.mark.parametrize(("text", "sent"), FORMS.items())
def test_a_token_that_is_written_out_is_left_out_of_what_is_sent(text: str, sent: str) -> None:
    found = gate_statement(text)
    assert isinstance(found, ContextStatement)
    assert (found.token, found.text, found.begins) == (TOKEN, sent, False)
    assert TOKEN not in found.recorded


@pytest.mark.parametrize(
    "begin", ["BEGIN", "start transaction read only, isolation level serializable", "/* ü */ BEGIN /* üü */ WORK"]
)
def test_a_begin_may_stand_before_it(begin: str) -> None:
    found = gate_statement(f"{begin}; SET LOCAL penstock.context = '{TOKEN}';")
    assert isinstance(found, ContextStatement)
    assert (found.token, found.begins) == (TOKEN, True)
    assert found.text == f"{begin.removeprefix('/* ü */ ')}; {SET_TEXT}"


@pytest.mark.parametrize(
    "text",
    [
        "SELECT set_config('penstock.context', $1, true)",
        "SELECT pg_catalog.set_config('penstock.context', $1::text, true) AS context",
        "select set_config('penstock.context', $1::varchar, true);",
    ],
)
def test_the_token_may_be_the_one_parameter(text: str) -> None:
    found = gate_statement(text)
    assert isinstance(found, ContextStatement)
    assert (found.token, found.recorded) == (None, CALL_TEXT)
    assert found.text.startswith("SELECT pg_catalog.set_config('penstock.context', $1, true) AS ")


REFUSED = {
    f"SET penstock.context = '{TOKEN}'": "whole session",
    f"SET SESSION penstock.context = '{TOKEN}'": "whole session",
    f"SELECT set_config('penstock.context', '{TOKEN}', false)": "whole session",
    "SELECT set_config('penstock.context', $1, $2)": "whole session",
    "SELECT set_config('penstock.context', $2, true)": "one parameter",
    f"SELECT set_config('penstock.context', '{TOKEN}' || '', true)": "no signed token",
    f"SELECT set_config('penstock.context', '{TOKEN}'::varchar(3), true)": "no signed token",
    f"SELECT other.set_config('penstock.context', '{TOKEN}', true)": "that call",
    f"SELECT set_config('penstock.context', '{TOKEN}', true), 1": "within a query",
    f"SELECT set_config('penstock.context', '{TOKEN}', true) FROM customers": "within a query",
    f"SELECT set_config('penstock.context', '{TOKEN}', true) LIMIT 1": "within a query",
    f"SELECT 1 WHERE set_config('penstock.context', '{TOKEN}', true) = ''": "within a query",
    f"PREPARE p AS SELECT set_config('penstock.context', '{TOKEN}', true)": "like this",
    "PREPARE p AS SELECT set_config('penstock.context', $1, true)": "like this",
    f"DECLARE c CURSOR FOR SELECT set_config('penstock.context', '{TOKEN}', true)": "like this",
    f"UPDATE t SET a = set_config('penstock.context', '{TOKEN}', true)": "like this",
    f"SET LOCAL penstock.context = '{TOKEN}'; SELECT 1": "beside other",
    f"SELECT 1; SET LOCAL penstock.context = '{TOKEN}'": "beside other",
    f"BEGIN; SET LOCAL penstock.context = '{TOKEN}'; SELECT 1; COMMIT": "beside other",
    f"BEGIN; SELECT set_config('penstock.context', '{TOKEN}', true)": "like this",
    "SET LOCAL penstock.context = ''": "no signed token",
    "SET LOCAL penstock.context = 'garbage'": "no signed token",
    "SET LOCAL penstock.context = ada": "no signed token",
    "SET LOCAL penstock.context = 'a', 'b'": "no signed token",
    f"SET LOCAL penstock.context = '{TOKEN} '": "no signed token",
    f"SET LOCAL penstock.context = $${TOKEN}$$": "no signed token",
    f"/* '{TOKEN}' */ SET LOCAL penstock.context = 'token'": "no signed token",
    "SET LOCAL penstock.context TO DEFAULT": "taken back",
    "SET LOCAL penstock.context FROM CURRENT": "taken back",
    "RESET penstock.context": "taken back",
    "SHOW penstock.context": "can't be read",
    "SELECT current_setting('penstock.context')": "can't be read",
    "SELECT pg_catalog.current_setting('penstock.context', true)": "can't be read",
    "SELECT * FROM t WHERE a = current_setting('PENSTOCK.context', true)": "within a query",
    f"ALTER ROLE web SET penstock.context = '{TOKEN}'": "like this",
    f"ALTER DATABASE shop SET penstock.context = '{TOKEN}'": "like this",
    f"ALTER SYSTEM SET penstock.context = '{TOKEN}'": "like this",
    f"CREATE FUNCTION f() RETURNS int LANGUAGE sql SET penstock.context = '{TOKEN}' AS 'SELECT 1'": "like this",
    f"DO $$BEGIN EXECUTE 'SET LOCAL Penstock.context = ''{TOKEN}'''; END$$": "like this",
    "CREATE FUNCTION f() RETURNS text LANGUAGE sql AS 'SELECT set_config(''penstock.context'', ''x'', true)'": "like",
}  # fmt: skip


@pytest.mark.parametrize(("text", "words"), REFUSED.items())
def test_whatever_else_would_set_or_read_it_is_refused(text: str, words: str) -> None:
    found = gate_statement(text)
    assert isinstance(found, Denial)
    assert words in found.reason
    assert found.remedy
    assert TOKEN not in found.reason + found.remedy


@pytest.mark.parametrize(
    "text",
    [
        "SELECT 1",
        "SELECT 'penstock.context'",
        "SELECT 'SET LOCAL penstock.context = ''x'''",
        "-- penstock.context\nSELECT 1",
        "SET LOCAL penstock.contexts = 'x'",
        "SELECT set_config('app.tenant', 'penstock.context', true)",
        "SET LOCAL penstock.context = 'never ended",
        f"SELECT {'1, ' * 4000} set_config('penstock.context', '{TOKEN}', true)",
        f"SET LOCAL penstock.context = '{TOKEN * 2000}'",
    ],
)
def test_what_does_neither_is_no_statement_to_the_gate(text: str) -> None:
    """A text that is longer than any token is decided about like others, and settings of the gate's own are refused."""
    assert gate_statement(text) is None
