"""Rows are counted by their frames, from where a statement's begin to where it ends or breaks off."""

from __future__ import annotations

from penstock_sidecar.session.delivered_rows import DeliveredRows
from penstock_sidecar.wire.framing import FROM_SERVER, Scanner
from penstock_sidecar.wire.messages import message

ROW, DONE = message(b"D", bytes(20)), message(b"C", b"SELECT 1\0")


def test_rows_of_several_chunks_add_up() -> None:
    scanner = Scanner(FROM_SERVER)
    rows = DeliveredRows(scanner)
    for chunk in (ROW * 2, ROW[:7], ROW[7:] + ROW):
        data, _ = scanner.scan(chunk)
        rows.chunk_ended(len(data))
    assert rows.before == 4


def test_the_next_statements_rows_are_its_own() -> None:
    scanner = Scanner(FROM_SERVER)
    rows = DeliveredRows(scanner)
    stream = ROW * 3 + DONE + ROW * 2
    data, (done,) = scanner.scan(stream)
    assert rows.up_to(done.start) == 3
    rows.next_from(done.end)
    assert rows.up_to(len(data)) == 2
    rows.chunk_ended(len(data))
    assert rows.before == 2


def test_what_is_no_row_does_not_count() -> None:
    scanner = Scanner(FROM_SERVER)
    rows = DeliveredRows(scanner)
    data, _ = scanner.scan(message(b"c", b"") + message(b"d", b"1") * 2 + message(b"c", b""))
    assert rows.up_to(len(data)) == 2
