"""Logging in: each method, and servers that are none. Real servers are in tests/sidecar/proxy/test_upstream.py."""

from __future__ import annotations

import pytest

from penstock_sidecar.wire import messages
from penstock_sidecar.wire.login import Credentials, Login, LoginError
from penstock_sidecar.wire.messages import ErrorFields, message

WHO = Credentials("penstock", "made-up-word")
OK = messages.AUTHENTICATION_OK
REST = messages.parameter_status("server_version", "18.0") + messages.backend_key(7, b"1234") + messages.ready()


def login(**options: bool) -> Login:
    return Login(WHO, {"database": "shop"}, "nonce", **options)  # type: ignore[arg-type]  # bools all


def test_trust() -> None:
    one = login()
    assert one.start() == messages.startup({"user": "penstock", "database": "shop"})
    data = OK + REST + messages.notice_response(ErrorFields("NOTICE", "00000", "hello"))
    for at in range(len(data)):
        assert one.feed(data[at : at + 1]) == b""
    greeting = one.greeting
    assert greeting is not None
    assert (greeting.pid, greeting.key, greeting.parameters) == (7, b"1234", {"server_version": "18.0"})


def test_md5() -> None:
    answer = login().feed(message(b"R", b"\x00\x00\x00\x05salt"))
    assert answer == message(b"p", b"md5e169bf7c55b8494e6114eef7b5b0c068\x00")


def test_a_password_in_clear_only_where_a_certificate_proved_who_asks() -> None:
    asked = message(b"R", b"\x00\x00\x00\x03")
    assert login(trusted=True).feed(asked) == message(b"p", b"made-up-word\x00")
    with pytest.raises(LoginError, match="no certificate proves"):
        login().feed(asked)


def test_a_server_that_breaks_off_the_scram_exchange_is_not_trusted() -> None:
    one = login()
    first = one.feed(message(b"R", b"\x00\x00\x00\x0aSCRAM-SHA-256\x00\x00"))
    assert first.startswith(b"p")
    assert b"n,,n=,r=nonce" in first
    with pytest.raises(LoginError, match="skipped the end"):
        one.feed(OK)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (
            messages.error_response(ErrorFields("FATAL", "28P01", "password authentication failed")),
            "password authentication",
        ),
        (b"HTTP/1.1 400 Bad Request", "not a PostgreSQL server"),
        (message(b"R", b"\x00\x00\x00\x07"), "authentication method 7"),
        (message(b"R", b"\x00\x00\x00\x0aOAUTHBEARER\x00\x00"), "no SASL mechanism"),
        (messages.ready(), "before it authenticated"),
        (message(b"T", b""), "message of type 'T'"),
        (b"R\x00\xff\xff\xff", "not a PostgreSQL server"),
    ],
)
def test_refusals_and_servers_that_are_none(data: bytes, words: str) -> None:
    with pytest.raises(LoginError, match=words) as failed:
        login().feed(data + b"\x00" * 8)
    assert "made-up-word" not in repr(failed.value)


def test_credentials_do_not_show_themselves() -> None:
    assert repr(WHO) == "Credentials()"


def test_what_takes_long_is_done_elsewhere_and_nothing_is_answered_meanwhile() -> None:
    one = login()
    one.feed(message(b"R", b"\x00\x00\x00\x0aSCRAM-SHA-256\x00\x00"))
    challenge = message(b"R", b"\x00\x00\x00\x0br=noncex,s=W22Z,i=20000")
    assert one.feed(challenge + challenge) == b""
    assert one.due is not None
    assert one.feed(b"") == b""
    with pytest.raises(LoginError, match="once more"):
        one.done(one.due.run())


def test_what_takes_too_long_is_not_done() -> None:
    one = login()
    one.feed(message(b"R", b"\x00\x00\x00\x0aSCRAM-SHA-256\x00\x00"))
    with pytest.raises(LoginError, match="the server asks for 1000001 SCRAM iterations"):
        one.feed(message(b"R", b"\x00\x00\x00\x0br=noncex,s=W22Z,i=1000001"))
    assert one.due is None
