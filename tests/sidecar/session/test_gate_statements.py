"""Which texts are for the gate, in whatever guise, and which are the server's."""

from __future__ import annotations

import pytest

from penstock_sidecar.session.gate_statements import asks_for_ticket, is_alone


@pytest.mark.parametrize(
    "text",
    [
        "SHOW penstock.ticket", "show PENSTOCK.Ticket;", " SHOW\n penstock . ticket ; ", "SHOW penstock.ticket;;",
        'SHOW "penstock"."ticket"', 'SHOW "penstock.ticket"', 'SHOW "Penstock".ticket',
        "/* mine */ SHOW penstock.ticket", "SHOW penstock.ticket -- now", "SHOW/**/penstock.ticket",
    ],
)  # fmt: skip
def test_it_is_known_in_every_guise(text: str) -> None:
    assert asks_for_ticket(text.encode())
    assert is_alone(text.encode())


@pytest.mark.parametrize(
    "text",
    ["SHOW penstock.ticket; SELECT 1", "BEGIN; SHOW penstock.ticket", "SHOW penstock.ticket; SHOW penstock.ticket"],
)
def test_it_is_known_among_others(text: str) -> None:
    assert asks_for_ticket(text.encode())
    assert not is_alone(text.encode())


@pytest.mark.parametrize(
    "text",
    [
        b"", b"SELECT 1", b"SHOW penstock.tickets", b"SHOW penstock", b"SELECT 'SHOW penstock.ticket'",
        b"-- SHOW penstock.ticket", b"SET penstock.ticket = 1", b"SELECT current_setting('penstock.ticket')",
        b"SHOW penstock.ticket '", b"SHOW penstock.ticket\xff", b"SHOW penstock.ticket" + b" " * 1024,
        b"EXPLAIN SHOW penstock.ticket", b"RESET penstock.ticket", b'SHOW "penstock.ticket.x"',
    ],
)  # fmt: skip
def test_other_texts_are_the_servers(text: bytes) -> None:
    assert not asks_for_ticket(text)
