"""What tokens say of themselves is read, and never believed further than that."""

from __future__ import annotations

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock_core.pod_token import Claims, claims, is_worth_a_review

# What JSON takes for a number, and no clock for a time.
END_OF_TIME = (
    b"1" + b"0" * 400, b"1" + b"0" * 5_000, b"1e400", b"-1e400", b"Infinity", b"-Infinity", b"NaN", b"9007199254740993",
    b"true", b"null",
)  # fmt: skip


def token(payload: object) -> str:
    text = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    return f"e30.{base64.urlsafe_b64encode(text).decode().rstrip('=')}.c2ln"


def test_audiences_and_expiry_are_read() -> None:
    assert claims(token({"aud": ["a", "b"], "exp": 7})) == Claims(("a", "b"), 7.0)
    assert claims(token({"aud": "a", "exp": 7.5})) == Claims(("a",), 7.5)


@pytest.mark.parametrize(
    "garbage",
    ["", "x", "a.b.c", "a.b.c.d", "x" * 20_000, token([]), token({"aud": "a"}), token({"exp": "7"}),
     *(token(b'{"aud": "a", "exp": ' + number + b"}") for number in END_OF_TIME),
     token(b"[" * 9_000), token(b"\xff"), "é.é.é", "\ud800.\ud800.\ud800"],
)  # fmt: skip
def test_garbage_claims_nothing(garbage: str) -> None:
    assert claims(garbage) is None
    assert not is_worth_a_review(garbage, "a", 0)


@given(st.text())
def test_no_text_is_an_error(text: str) -> None:
    claims(text)
    claims(f"a.{text}.b")


@pytest.mark.parametrize(
    ("payload", "worth"),
    [
        ({"aud": ["control"], "exp": 10_000}, True),
        ({"aud": "control", "exp": 10_000}, True),
        ({"aud": "collector", "exp": 10_000}, False),
        ({"aud": [["control"]], "exp": 10_000}, False),
        # Our clock may be ahead of the API server's, but not by hours.
        ({"aud": "control", "exp": 9_000}, True),
        ({"aud": "control", "exp": 6_000}, False),
    ],
)
def test_only_what_could_be_good_is_worth_a_review(payload: object, worth: bool) -> None:
    assert is_worth_a_review(token(payload), "control", now=10_000) is worth
