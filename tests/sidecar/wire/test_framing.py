"""However the bytes are cut into chunks, what goes on and what is looked at is the same."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock_sidecar.wire.framing import FROM_CLIENT, FROM_SERVER, PREFIX, BrokenStreamError, Scanner
from penstock_sidecar.wire.messages import message

LIMIT = 500


def bodies(largest: int) -> st.SearchStrategy[bytes]:
    return st.integers(0, largest).flatmap(lambda size: st.just(bytes(index % 251 for index in range(size))))


def messages_of(kinds: bytes, largest: int) -> st.SearchStrategy[list[bytes]]:
    one = st.tuples(st.sampled_from(sorted(kinds)), bodies(largest)).map(
        lambda pair: message(bytes([pair[0]]), pair[1])
    )
    return st.lists(one, max_size=12)


def cut(data: bytes, places: list[int]) -> list[bytes]:
    ends = sorted({place % (len(data) + 1) for place in places} | {len(data)})
    return [data[start:end] for start, end in zip([0, *ends], ends, strict=False) if end > start]


def seen(table: bytes, chunks: list[bytes], limit: int = LIMIT) -> tuple[bytes, list[tuple[int, bytes, bool]]]:
    scanner = Scanner(table, limit=limit)
    passed, spots = b"", []
    for chunk in chunks:
        data, found = scanner.scan(chunk)
        passed += data
        spots += [(spot.kind, data[spot.start : spot.end][: PREFIX - 1], spot.complete) for spot in found]
    return passed, spots


@given(messages_of(b"DdcATtnGHW123sIENSCZ", 400), st.lists(st.integers(0, 10_000), max_size=40))
def test_a_server_stream_is_the_same_in_any_chunks(parts: list[bytes], places: list[int]) -> None:
    data = b"".join(parts)
    whole, chunked = seen(FROM_SERVER, [data]), seen(FROM_SERVER, cut(data, places))
    assert chunked[0] == whole[0] == data
    assert [kind for kind, _, _ in chunked[1]] == [kind for kind, _, _ in whole[1]]
    looked_at = [spot for spot in whole[1] if spot[0] in b"ENSCZ"]
    assert [spot for spot in chunked[1] if spot[0] in b"ENSCZ"] == looked_at


@given(messages_of(b"dBQPDECSHXcf", 400), st.lists(st.integers(0, 10_000), max_size=40))
def test_a_client_stream_is_the_same_in_any_chunks(parts: list[bytes], places: list[int]) -> None:
    data = b"".join(parts)
    assert seen(FROM_CLIENT, cut(data, places)) == seen(FROM_CLIENT, [data]) == (data, seen(FROM_CLIENT, [data])[1])
    assert len(seen(FROM_CLIENT, [data])[1]) == sum(part[:1] != b"d" for part in parts)


@given(st.lists(st.integers(0, 60_000), max_size=20))
def test_large_messages_are_cut_off_and_the_rest_goes_on(places: list[int]) -> None:
    bind = message(b"B", b"x" * 30_000)
    data = bind + message(b"d", b"y" * 20_000) + message(b"S", b"")
    passed, spots = seen(FROM_CLIENT, cut(data, places))
    assert passed == data
    assert [kind for kind, _, _ in spots] == [ord("B"), ord("S")]


@given(st.lists(st.integers(0, 60_000), max_size=20))
def test_a_text_beyond_the_limit_is_dropped_as_it_comes(places: list[int]) -> None:
    data = message(b"Q", b"x" * 3000) + message(b"S", b"")
    scanner = Scanner(FROM_CLIENT, limit=LIMIT)
    kept, kinds = b"", []
    for chunk in cut(data, places):
        passed, spots = scanner.scan(chunk)
        kinds += [(spot.kind, spot.complete) for spot in spots]
        dropped = [spot for spot in spots if not spot.complete]
        kept += passed if not dropped else passed[: dropped[0].start] + passed[dropped[0].end :]
    assert kinds == [(ord("Q"), False), (ord("S"), True)]
    assert kept == message(b"S", b"")


@pytest.mark.parametrize(
    "data",
    [b"\x16\x03\x01\x02\x00", b"Q\x00\x00\x00\x03", b"Z\x00\x00\x00\x05", b"?", message(b"p", b"x" * 70_000)[:100]],
)
def test_what_is_no_message_breaks_the_stream(data: bytes) -> None:
    with pytest.raises(BrokenStreamError):
        Scanner(FROM_CLIENT).scan(data)


def test_rows_are_never_looked_at() -> None:
    rows = message(b"D", b"x" * 20) * 1000
    data, spots = Scanner(FROM_SERVER).scan(rows)
    assert data is rows
    assert spots == []


@given(st.lists(st.integers(0, 2000), max_size=20))
def test_rows_are_counted_once_whatever_the_chunks(places: list[int]) -> None:
    row, data, done = message(b"D", bytes(40)), message(b"d", bytes(7)), message(b"C", b"SELECT 1\0")
    stream = row * 9 + done + message(b"c", b"") + data * 4 + done + row
    scanner, counted = Scanner(FROM_SERVER), 0
    for chunk in cut(stream, places):
        scanner.scan(chunk)
        counted += sum(count for kind, _, count in scanner.rows if kind in b"Dd")
    assert counted == 14


def test_a_chunk_that_only_adds_to_a_message_tells_of_no_rows_again() -> None:
    row, done = message(b"D", bytes(40)), message(b"C", b"SELECT 9\0")
    scanner = Scanner(FROM_SERVER)
    scanner.scan(row * 9 + done[:1])
    assert scanner.rows == [(ord("D"), 0, 9)]
    for piece in (done[1:3], done[3:6], done[6:]):
        scanner.scan(piece)
        assert scanner.rows == []


def test_runs_of_rows_are_told_with_their_places() -> None:
    row, done = message(b"D", bytes(40)), message(b"C", b"SELECT 1\0")
    scanner = Scanner(FROM_SERVER)
    scanner.scan(row * 3 + done + row)
    assert scanner.rows == [(ord("D"), 0, 3), (ord("D"), 3 * len(row) + len(done), 1)]
