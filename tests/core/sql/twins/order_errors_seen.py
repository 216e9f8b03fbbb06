"""What a client sees of a statement that fails: the rows that come before the error, and the error."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import psycopg
from pglast import split
from psycopg import pq
from tests.core.sql.twins.world import Mode, Twins

from penstock_core.sql.decision import Decision

# Errors that no row makes.
_OTHERS = ("25", "40", "57")


@dataclass(frozen=True)
class Course:
    """How a statement went."""

    rows: tuple[tuple[bytes | None, ...], ...]
    sqlstate: str
    constraint: str
    notices: int


def courses(twins: Twins, decision: Decision, mode: Mode = "simple") -> tuple[Course, Course]:
    """How it goes for clients of the two, errors told as the session does; all is rolled back."""
    return _course(twins.left, decision, mode), _course(twins.right, decision, mode)


def _course(url: str, decision: Decision, mode: Mode) -> Course:
    with psycopg.connect(url, autocommit=True) as connection:
        notices: list[psycopg.errors.Diagnostic] = []
        connection.add_notice_handler(notices.append)
        server = connection.pgconn
        server.exec_(b"BEGIN")
        rows: list[tuple[bytes | None, ...]] = []
        sqlstate = constraint = ""
        for statement in [decision.text] if mode == "simple" else split(decision.text):
            for result in _results(server, statement.encode(), mode):
                rows += _rows(server, result)
                if result.status == pq.ExecStatus.FATAL_ERROR:
                    sqlstate = (result.error_field(pq.DiagnosticField.SQLSTATE) or b"").decode()
                    constraint = (result.error_field(pq.DiagnosticField.CONSTRAINT_NAME) or b"").decode()
            if sqlstate:
                break
        server.exec_(b"ROLLBACK")
        server.exec_(b"DISCARD ALL")
    mixed = decision.mixed_errors if sqlstate and not sqlstate.startswith(_OTHERS) else ""
    if mixed:
        return Course(tuple(rows), mixed, "", 0)
    return Course(tuple(rows), sqlstate, constraint, 0 if decision.mixed_errors else len(notices))


def _results(server: pq.abc.PGconn, text: bytes, mode: Mode) -> Iterator[pq.abc.PGresult]:
    if mode == "simple":
        server.send_query(text)
    else:
        server.send_query_params(text, [], result_format=mode == "binary")
    server.set_single_row_mode()
    while (result := server.get_result()) is not None:
        yield result


def _rows(server: pq.abc.PGconn, result: pq.abc.PGresult) -> Iterator[tuple[bytes | None, ...]]:
    if result.status == pq.ExecStatus.COPY_OUT:
        while (chunk := server.get_copy_data(0))[0] > 0:
            yield (bytes(chunk[1]),)
    for row in range(result.ntuples):
        yield tuple(result.get_value(row, column) for column in range(result.nfields))
