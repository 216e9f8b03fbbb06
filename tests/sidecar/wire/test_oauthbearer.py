"""Messages of SASL OAUTHBEARER: what is offered, what a client may answer, and what is no answer."""

from __future__ import annotations

import json
import struct

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from penstock_sidecar.wire.messages import MalformedError
from penstock_sidecar.wire.oauthbearer import challenge, offer, read_initial


def initial(response: bytes, mechanism: bytes = b"OAUTHBEARER", size: int | None = None) -> bytes:
    return mechanism + b"\x00" + struct.pack(">i", len(response) if size is None else size) + response


def test_what_is_offered() -> None:
    assert offer() == b"R\x00\x00\x00\x15\x00\x00\x00\x0aOAUTHBEARER\x00\x00"


def test_what_a_challenge_says() -> None:
    told = challenge("https://i/.well-known/openid-configuration", "openid db")
    assert told[:9] == b"R" + struct.pack(">II", len(told) - 1, 11)
    assert json.loads(told[9:]) == {
        "status": "invalid_token",
        "openid-configuration": "https://i/.well-known/openid-configuration",
        "scope": "openid db",
    }
    assert json.loads(challenge("", "openid")[9:]) == {"status": "invalid_token"}


@pytest.mark.parametrize(
    ("response", "token"),
    [
        (b"n,,\x01auth=Bearer eyJ.a-b_c~d+e/f==\x01\x01", "eyJ.a-b_c~d+e/f=="),
        (b"n,,\x01auth=bearer  abc\x01\x01", "abc"),
        (b"y,,\x01host=gate\x01port=5432\x01auth=Bearer abc\x01\x01", "abc"),
        (b"n,,\x01auth=\x01\x01", None),
    ],
)
def test_what_a_client_answers(response: bytes, token: str | None) -> None:
    assert read_initial(initial(response)) == token


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"OAUTHBEARER",
        initial(b"n,,\x01auth=Bearer a\x01\x01", b"SCRAM-SHA-256"),
        initial(b"n,,\x01auth=Bearer a\x01\x01", b"oauthbearer"),
        initial(b"n,,\x01auth=Bearer a\x01\x01", size=-1),
        initial(b"n,,\x01auth=Bearer a\x01\x01", size=5),
        initial(b"n,,\x01auth=Bearer a\x01\x01") + b"x",
        initial(b""),
        initial(b"n,,"),
        initial(b"n,,\x01\x01"),
        initial(b"n,a=eve,\x01auth=Bearer a\x01\x01"),
        initial(b"p=tls-unique,,\x01auth=Bearer a\x01\x01"),
        initial(b"n\x01auth=Bearer a\x01\x01"),
        initial(b"n,,\x01auth=Bearer a\x01"),
        initial(b"n,,\x01auth=Bearer a\x01\x01\x01"),
        initial(b"n,,\x01auth=Bearer a\x01auth=Bearer b\x01\x01"),
        initial(b"n,,\x01auth=Bearer a\x01auth=\x01\x01"),
        initial(b"n,,\x01auth=Basic abc\x01\x01"),
        initial(b"n,,\x01auth=Bearer\x01\x01"),
        initial(b"n,,\x01auth=Bearer \x01\x01"),
        initial(b"n,,\x01auth=Bearer a b\x01\x01"),
        initial(b"n,,\x01auth=Bearer \xc3\xa9\x01\x01"),
        initial(b"n,,\x01auth=Bearer a\x00b\x01\x01"),
        initial(b"n,,\x01=x\x01auth=Bearer a\x01\x01"),
    ],
)
def test_what_is_no_answer(body: bytes) -> None:
    with pytest.raises(MalformedError):
        read_initial(body)


@given(st.binary(max_size=200).map(initial) | st.binary(max_size=60))
@example(initial(b"n,,\x01" + b"a=\x01" * 60))
def test_whatever_comes_is_a_token_or_malformed(body: bytes) -> None:
    try:
        token = read_initial(body)
    except MalformedError:
        return
    assert token is None or token.isascii()
