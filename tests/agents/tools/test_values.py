"""Values as JSON: what is exact stays so, and what is long is cut where its letters end."""

from __future__ import annotations

import pytest

from penstock_agents.tools.results import Value
from penstock_agents.tools.values import shown

INT8, TEXT, BOOL = 20, 25, 16
CASES: list[tuple[bytes | None, int, Value, int]] = [
    (None, TEXT, None, 0),
    (b"t", BOOL, True, 0),
    (b"9007199254740991", INT8, 9007199254740991, 0),
    (b"9007199254740992", INT8, "9007199254740992", 0),
    (b"-9007199254740992", INT8, "-9007199254740992", 0),
    (b"12345678", TEXT, "12345678", 0),
    (b"123456789", TEXT, "12345678", 9),
    ("é".encode() * 8, TEXT, "é" * 8, 0),
    ("\U0001f600".encode() * 9, TEXT, "\U0001f600" * 8, 9),
    ("\U0001f600".encode() * 1000, TEXT, "\U0001f600" * 8, 1000),
    (b"\xff\xfe", TEXT, "\ufffd\ufffd", 0),
]


@pytest.mark.parametrize(("raw", "oid", "value", "cut"), CASES)
def test_a_value(raw: bytes | None, oid: int, value: Value, cut: int) -> None:
    assert shown(raw, oid, 20 if oid == INT8 else 8) == (value, cut)
