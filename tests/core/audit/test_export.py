"""The lines of an export: written, read again, and those that are not what they say."""

from __future__ import annotations

import hashlib
import json

import pytest

from penstock_core.audit.chain import Head, canonical
from penstock_core.audit.export import MOST_RAW, BadLine, EndLine, ProblemLine, QuarantinedLine, StreamLine, read

EVENT, _ = Head("pod/boot").seal({"kind": "open"}, "2026-11-25T09:00:00Z")
RAW = b'{"seq":2,"stream":"other/boot"} \xff\x1b[2J'
QUARANTINED = QuarantinedLine("pod/boot", 2, "token:gw", "not JSON", 7, hashlib.sha256(RAW).hexdigest(), len(RAW), RAW)


@pytest.mark.parametrize(
    "one",
    [
        StreamLine("pod/boot", "pod:shop/web/123", 7, "ab" * 32, 3),
        StreamLine("pod/boot", "", 0, None),
        QUARANTINED,
        EndLine(0),
        ProblemLine("the disk"),
    ],
)
def test_what_is_written_is_read(one: StreamLine | QuarantinedLine | EndLine | ProblemLine) -> None:
    assert read(one.line()) == one


def test_an_event_is_itself() -> None:
    assert read(canonical(EVENT)) == EVENT
    assert read(EVENT) == EVENT


def test_what_is_in_quarantine_is_unlike_any_event() -> None:
    assert b"other/boot" not in QUARANTINED.line()
    assert QUARANTINED.line().isascii()


@pytest.mark.parametrize(
    "changes",
    [
        {"raw": "AA=="},
        {"raw": "?"},
        {"raw": "é"},
        {"raw": 7},
        {"length": 1},
        {"sha256": "ab" * 32},
        {"sha256": None},
        {"seq": 0},
        {"seq": "2"},
        {"stream": []},
        {"sender": None},
        {"received": 1.5},
        {"export": "stream"},
        {"export": "unheard of"},
        {"export": None},
    ],
)
def test_a_line_about_the_export_that_makes_no_sense(changes: dict[str, object]) -> None:
    spoilt = json.dumps({**json.loads(QUARANTINED.line()), **changes}, separators=(",", ":"), sort_keys=True)
    found = read(spoilt.encode())
    assert isinstance(found, BadLine)
    assert found.stream == "", "no stream is to blame"


def test_a_long_line_is_kept_as_its_beginning() -> None:
    cut = QuarantinedLine("pod/boot", 2, "token:gw", "too long", 7, "ab" * 32, 100_000, b"x" * MOST_RAW)
    assert read(cut.line()) == cut


@pytest.mark.parametrize(
    ("line", "reason", "stream"),
    [
        (b"{", "a line that is not JSON", ""),
        (b"[" * 100_000, "a line that is not JSON", ""),
        (b"\xff", "a line that is not JSON", ""),
        (b"[]", "a line that is no event", ""),
        (b"{}", "a line that names no stream", ""),
        (b'{"stream":"pod/boot"}', "version is not 1 or 2", "pod/boot"),
        (
            canonical(EVENT).replace(b'"kind":"open"', b'"kind":"open","kind":"open"'),
            "its bytes are not the canonical ones (RFC 8785)",
            "pod/boot",
        ),
        (
            canonical(EVENT).replace(b'"seq":1', b'"seq":1,"x":0.5'),
            "not canonical: float is not a JSON type of audit events",
            "pod/boot",
        ),
        (
            EndLine(3).line().replace(b":3", b": 3"),
            "a line about the export: its bytes are not the canonical ones (RFC 8785)",
            "",
        ),
    ],
)
def test_lines_that_are_none(line: bytes, reason: str, stream: str) -> None:
    found = read(line)
    assert isinstance(found, BadLine)
    assert (found.reason, found.stream) == (reason, stream)
