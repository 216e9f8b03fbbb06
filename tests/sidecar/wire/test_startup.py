"""What clients open with, whole, cut off, and wrong."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock_sidecar.wire import messages
from penstock_sidecar.wire.startup import (
    CancelRequest,
    DirectTls,
    GssEncRequest,
    NotPostgres,
    Packet,
    SslRequest,
    Startup,
    StartupReader,
)

names = st.text(st.characters(exclude_characters="\x00", codec="utf-8"), min_size=1, max_size=20)


@given(st.dictionaries(names, names, max_size=5), st.integers(0, 200))
def test_a_startup_packet_is_read_in_any_two_pieces(parameters: dict[str, str], place: int) -> None:
    data = messages.startup(parameters)
    reader = StartupReader()
    place = min(place, len(data))
    first = reader.feed(data[:place])
    packet = first if first is not None else reader.feed(data[place:])
    assert packet == Startup(messages.PROTOCOL_3_0, parameters)


def test_what_follows_a_startup_packet_is_kept() -> None:
    reader = StartupReader()
    assert reader.feed(messages.ssl_request() + messages.startup({"user": "u"}) + b"more") == SslRequest()
    assert reader.feed(b"") == Startup(messages.PROTOCOL_3_0, {"user": "u"})
    assert reader.rest == b"more"


@pytest.mark.parametrize(
    ("data", "packet"),
    [
        (b"\x00\x00\x00\x08\x04\xd2\x16\x30", GssEncRequest()),
        (messages.cancel_request(7, b"1234"), CancelRequest(7, b"1234")),
        (messages.cancel_request(7, b"x" * 32), CancelRequest(7, b"x" * 32)),
        (b"\x16\x03\x01\x02\x00\x01", DirectTls()),
        (b"\x00\x00", None),
        (messages.startup({"user": "u"})[:-3], None),
    ],
)
def test_other_packets(data: bytes, packet: Packet | None) -> None:
    assert StartupReader().feed(data) == packet


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"GET / HTTP/1.1\r\n", "HTTP"),
        (b"\x00\x00\x00\x04", "length is given as 4 bytes"),
        (b"\x7f\x00\x00\x00", "length is given as 2130706432 bytes"),
        (messages.cancel_request(7, b""), "impossible length"),
        (b"\x00\x00\x00\x0c\x00\x03\x00\x00user", "malformed"),
        (b"\x00\x00\x00\x0e\x00\x03\x00\x00u\x00\xff\x00\x00\x00", "malformed"),
    ],
)
def test_what_is_no_postgresql_packet_is_said_to_be_none(data: bytes, words: str) -> None:
    packet = StartupReader().feed(data)
    assert isinstance(packet, NotPostgres)
    assert words in packet.reason
