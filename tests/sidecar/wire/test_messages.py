"""Writing and reading messages."""

from __future__ import annotations

import pytest

from penstock_sidecar.wire import messages
from penstock_sidecar.wire.messages import BindHead, ErrorFields, MalformedError


def test_errors_are_read_as_they_were_written() -> None:
    fields = ErrorFields("ERROR", "42501", "no", "because", "ask")
    assert messages.read_error(messages.error_response(fields)[5:]) == fields


def test_a_zero_byte_in_a_text_does_not_end_the_field() -> None:
    written = messages.error_response(ErrorFields("ERROR", "42601", "at \x00 here"))
    assert messages.read_error(written[5:]).message == "at   here"


def test_an_error_that_was_cut_off_is_read_as_far_as_it_goes() -> None:
    whole = messages.error_response(ErrorFields("ERROR", "42501", "m" * 100))[5:]
    assert messages.read_error(whole[:40]).sqlstate == "42501"


def test_bind_heads() -> None:
    body = b"p\x00s\x00" + b"\x00\x02\x00\x00\x00\x01" + b"\x00\x03"
    assert messages.read_bind(body, True) == BindHead("p", "s", 3, 4)
    assert messages.read_bind(b"p\x00s\x00\x00", False) == BindHead("p", "s", None, 4)
    for broken in (b"p", b"p\x00s\x00\x00", b"\xff\x00s\x00\x00\x00\x00\x00"):
        with pytest.raises(MalformedError):
            messages.read_bind(broken, True)


def test_negotiation_names_the_version_and_what_is_unknown() -> None:
    written = messages.negotiate_protocol_version(messages.PROTOCOL_3_2, ["_pq_.x"])
    assert written == b"v\x00\x00\x00\x13\x00\x03\x00\x02\x00\x00\x00\x01_pq_.x\x00"
