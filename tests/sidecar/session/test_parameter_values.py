"""The values of a Bind message as they are recorded in an emergency: by their formats, as many as there is room for."""

from __future__ import annotations

import struct

import pytest

from penstock_sidecar.session.parameter_values import MOST, cut, values


def given(formats: list[int], *parts: bytes | None) -> bytes:
    message = struct.pack(f">H{len(formats)}H", len(formats), *formats) + struct.pack(">H", len(parts))
    for part in parts:
        message += struct.pack(">i", -1) if part is None else struct.pack(">i", len(part)) + part
    return message


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        (given([]), []),
        (given([], b"a", None, b""), ["a", None, ""]),
        (given([1], b"\x00\x01", b"\xff"), ["\\x0001", "\\xff"]),
        (given([0, 1], b"x", b"\x02"), ["x", "\\x02"]),
        (given([0], "ß\x00".encode(), b"\xff"), ["ß\x00", "\\xff"]),
    ],
)
def test_each_is_written_by_its_format(message: bytes, expected: list[str | None]) -> None:
    assert values(message) == (expected, True)


def test_what_there_is_no_room_for_is_left_out_and_said_to_be() -> None:
    assert cut(["a", None, "b"]) == (["a", None, "b"], True)
    kept, whole = cut(["x", "y" * MOST, "z"])
    assert (len(kept), [len(one or "") for one in kept], whole) == (2, [1, MOST - 1], False)
    assert cut(["x" * MOST]) == (["x" * MOST], True)


def test_of_a_message_that_was_cut_what_is_there_is_told() -> None:
    whole = given([0, 1, 0], b"abc", b"\x01\x02", b"z")
    assert values(whole) == (["abc", "\\x0102", "z"], True)
    for length in range(len(whole)):
        found, there = values(whole[:length])
        assert not there
        assert "".join(one or "" for one in found) in (
            "abc\\x0102"[: len("".join(one or "" for one in found))],
            "abc\\x01",
        )
