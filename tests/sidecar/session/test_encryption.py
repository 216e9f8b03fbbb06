"""Requests for encryption, told as conversations: what is answered, what is refused, what comes after the handshake."""

from __future__ import annotations

from typing import Any

import pytest
from tests.sidecar.session.conversation import WEB, Conversation

from penstock_sidecar.session import commands
from penstock_sidecar.session.commands import ProxyConfig
from penstock_sidecar.session.states import State
from penstock_sidecar.wire import messages

SSL = messages.ssl_request()
GSSENC = (8).to_bytes(4, "big") + messages.GSSENC_REQUEST.to_bytes(4, "big")
STARTUP = messages.startup({"user": "app", "database": "shop"})
HELLO = b"\x16\x03\x01\x02\x00 a client hello"


def arriving(tls: Any) -> Conversation:
    return Conversation(open_=False, config=ProxyConfig("shop", "shop", tls=tls, workload=WEB))


def test_tls_is_offered_where_it_is_configured() -> None:
    one = arriving("optional").client(SSL).reaches_client(b"S")
    assert one.rest == [commands.StartTls(b"")]
    assert one.session.state is State.ENCRYPTING
    assert not one.session.client_waits
    one.did(one.session.encrypted(None)).client(STARTUP)
    assert isinstance(one.rest[0], commands.Connect)


def test_without_a_certificate_the_answer_is_no_and_plain_text_goes_on() -> None:
    one = arriving("off").client(GSSENC).reaches_client(b"N")
    one.client(SSL).reaches_client(b"N")
    one.client(STARTUP)
    assert isinstance(one.rest[0], commands.Connect)


def test_gssapi_is_never_spoken_and_tls_may_follow() -> None:
    one = arriving("required").client(GSSENC).reaches_client(b"N")
    one.client(SSL).reaches_client(b"S")


@pytest.mark.parametrize("tls", ["off", "optional", "required"])
@pytest.mark.parametrize("request_", [SSL, GSSENC], ids=["ssl", "gssapi"])
def test_nothing_may_come_between_the_request_and_the_handshake(tls: Any, request_: bytes) -> None:
    one = arriving(tls).client(request_, STARTUP)
    one.client_reads_error("08P01", "unencrypted data followed a request for encryption")
    assert one.session.state is State.CLOSED
    assert not any(isinstance(command, commands.Connect | commands.StartTls) for command in one.rest)


def test_a_request_may_come_in_pieces() -> None:
    one = arriving("required").client(SSL[:3]).reaches_client(b"")
    one.client(SSL[3:]).reaches_client(b"S")


def test_plain_text_is_refused_where_tls_is_required() -> None:
    arriving("required").client(STARTUP).client_reads_error("28000", "requires an encrypted connection")
    one = arriving("optional").client(STARTUP)
    assert isinstance(one.rest[0], commands.Connect)


def test_cancelling_needs_no_encryption_and_may_have_it() -> None:
    cancel = messages.cancel_request(7, b"1234")
    plain = arriving("required").client(cancel)
    assert plain.rest == [commands.Cancel(7, b"1234")]
    encrypted = arriving("required").client(SSL)
    encrypted.did(encrypted.session.encrypted(None)).client(cancel)
    assert encrypted.rest == [commands.Cancel(7, b"1234")]


def test_a_client_may_begin_with_tls_at_once_if_it_names_the_protocol() -> None:
    one = arriving("required").client(HELLO).reaches_client(b"")
    assert one.rest == [commands.StartTls(HELLO)]
    one.did(one.session.encrypted("postgresql")).client(STARTUP)
    assert isinstance(one.rest[0], commands.Connect)
    other = arriving("required").client(HELLO)
    other.did(other.session.encrypted(None)).reaches_client(b"")
    (close,) = other.rest
    assert isinstance(close, commands.Close)
    assert "ALPN" in close.problem


@pytest.mark.parametrize("first", [GSSENC, SSL])
def test_once_it_asked_it_can_not_begin_at_once(first: bytes) -> None:
    one = arriving("optional").client(first)
    if first == SSL:
        one.did(one.session.encrypted(None))
    one.client(HELLO).reaches_client(messages.TLS_REFUSED)
    assert one.session.state is State.CLOSED


@pytest.mark.parametrize("request_", [SSL, GSSENC])
def test_there_is_no_encryption_within_encryption(request_: bytes) -> None:
    one = arriving("required").client(SSL)
    one.did(one.session.encrypted(None)).client(request_).client_reads_error("08P01", "encrypted already")


def test_whoever_asks_again_and_again_is_left() -> None:
    one = arriving("off").client(SSL).client(SSL).reaches_client(b"N").client(SSL).reaches_client(b"")
    assert one.session.state is State.CLOSED


def test_a_handshake_that_fails_is_one_line_in_the_log() -> None:
    one = arriving("required").client(SSL)
    one.did(one.session.handshake_failed("the TLS handshake failed: no shared cipher"))
    assert one.rest == [commands.Close("the TLS handshake failed: no shared cipher")]
    one.did(one.session.client_closed())
    assert one.session.state is State.CLOSED


def test_it_may_leave_or_be_sent_away_during_the_handshake() -> None:
    gone = arriving("required").client(SSL)
    assert gone.did(gone.session.client_closed()).session.state is State.CLOSED
    sent = arriving("required").client(SSL)
    sent.did(sent.session.drain("shutting down", at_once=False)).reaches_client(b"")
    assert sent.session.state is State.CLOSED
