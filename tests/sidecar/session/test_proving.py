"""How a client presents its token, in either way, as conversations; and that it can't leave the way that it is on."""

from __future__ import annotations

import json
import struct

import pytest
from tests.sidecar.session.conversation import Conversation

from penstock_core.identity import Identity, Principal
from penstock_sidecar.session import commands
from penstock_sidecar.session.commands import ProxyConfig, TokenSource
from penstock_sidecar.session.states import State
from penstock_sidecar.wire import messages, oauthbearer
from penstock_sidecar.wire.messages import query

WELL_KNOWN = "https://login.example/.well-known/openid-configuration"
CONFIG = ProxyConfig("shop", "shop", token="always", login="oauthbearer", source=TokenSource(WELL_KNOWN, "openid db"))
STARTUP = messages.startup({"user": "app", "database": "shop"})


def response(text: bytes) -> bytes:
    data = b"n,,\x01auth=" + text + b"\x01\x01"
    return messages.message(b"p", b"OAUTHBEARER\x00" + struct.pack(">i", len(data)) + data)


ACKNOWLEDGED = messages.message(b"p", b"\x01")


def begun(config: ProxyConfig = CONFIG, **parameters: str) -> Conversation:
    talk = Conversation(open_=False, config=config)
    talk.client(messages.startup({"user": "app", "database": "shop", **parameters}))
    return talk


def wants(talk: Conversation) -> list[str]:
    return [one.token for one in talk.rest if isinstance(one, commands.Verify)]


def test_a_token_by_oauthbearer() -> None:
    talk = begun()
    assert talk.to_client == oauthbearer.offer()
    for byte in response(b"Bearer abc"):
        assert wants(talk) == []
        talk.client(bytes([byte]))
    assert (wants(talk), talk.session.state) == (["abc"], State.VERIFYING)
    ada = Identity(principal=Principal("person", "ada", "https://login.example"))
    talk.did(talk.session.identified(ada))
    assert talk.session.state is State.CONNECTING


def test_a_token_that_is_not_good_is_told_so_twice() -> None:
    talk = begun()
    talk.client(response(b"Bearer abc"))
    talk.did(talk.session.token_refused("the token has expired", "get a new one"))
    assert talk.to_client == oauthbearer.challenge(WELL_KNOWN, "openid db")
    assert talk.session.state is State.PROVING
    talk.client(ACKNOWLEDGED).client_reads_error("28P01", "the token has expired")
    assert talk.session.state is State.CLOSED


def test_an_acknowledgement_that_came_ahead() -> None:
    talk = begun()
    talk.client(response(b"Bearer abc") + ACKNOWLEDGED)
    talk.did(talk.session.token_refused("no", "get a new one"))
    head = oauthbearer.challenge(WELL_KNOWN, "openid db")
    assert talk.to_client.startswith(head)
    assert messages.read_error(talk.to_client[len(head) + 5 :]).sqlstate == "28P01"
    assert talk.session.state is State.CLOSED


@pytest.mark.parametrize("second", [response(b"Bearer abc"), query("SELECT 1"), messages.password(b"abc")])
def test_after_a_refusal_no_second_token_is_taken(second: bytes) -> None:
    talk = begun()
    talk.client(response(b"Bearer abc"))
    talk.did(talk.session.token_refused("no", "get a new one"))
    talk.client(second).client_reads_error("08P01")
    assert (talk.session.state, wants(talk)) == (State.CLOSED, [])


def test_a_client_without_a_token_is_told_where_there_is_one() -> None:
    talk = begun()
    talk.client(response(b""))
    assert json.loads(talk.to_client[9:])["openid-configuration"] == WELL_KNOWN
    talk.client(ACKNOWLEDGED).client_reads_error("28000", "no token was presented")


@pytest.mark.parametrize(
    "sent",
    [messages.password(b"abc"), query("SELECT 1"), messages.message(b"p", b""), response(b"Basic abc"), STARTUP],
)
def test_what_is_no_answer_ends_the_session(sent: bytes) -> None:
    talk = begun()
    talk.client(sent).client_reads_error("08P01")
    assert (wants(talk), talk.session.state) == ([], State.CLOSED)


@pytest.mark.parametrize("login", ["password", "oauthbearer"])
def test_a_token_that_is_too_long(login: str) -> None:
    talk = begun(options=f"-c penstock.login={login}")
    sent = messages.password(b"x" * 65_536) if login == "password" else response(b"Bearer " + b"x" * 65_536)
    talk.client(sent).client_reads_error("28P01", "longer than 32768 bytes")
    assert wants(talk) == []


@pytest.mark.parametrize("login", ["password", "oauthbearer"])
def test_the_longest_token(login: str) -> None:
    talk = begun(options=f"-c penstock.login={login}")
    token = b"x" * 32_768
    talk.client(messages.password(token) if login == "password" else response(b"Bearer " + token))
    assert wants(talk) == [token.decode()]


@pytest.mark.parametrize("configured", ["password", "oauthbearer"])
@pytest.mark.parametrize(
    ("options", "asked"),
    [("", ""), ("-c penstock.login=password", "password"), ("-c penstock.login=OAuthBearer", "oauthbearer")],
)
def test_a_client_may_ask_for_the_other_way(configured: str, options: str, asked: str) -> None:
    config = ProxyConfig("shop", "shop", token="always", login=configured)  # type: ignore[arg-type]
    talk = begun(config, options=options)
    by_password = (asked or configured) == "password"
    assert talk.to_client == (messages.AUTHENTICATION_CLEARTEXT if by_password else oauthbearer.offer())
    # It is the gate's business, and no setting of the server's.
    accepted = talk.session._beginning.accepted
    assert accepted is not None
    assert "penstock.login" not in accepted.parameters


def test_a_way_that_there_is_not() -> None:
    begun(options="-c penstock.login=magic").client_reads_error("22023", "penstock.login magic is not known")


def test_in_a_pod_nothing_is_asked_of_who_needs_no_token() -> None:
    talk = begun(ProxyConfig("shop", "shop", token="asked", login="oauthbearer"))
    assert talk.session.state is State.CONNECTING
