"""The server's side of SCRAM: against the client's side, and against messages of every wrong shape."""

from __future__ import annotations

import base64
import struct

import pytest

from penstock_core.tickets.verifier import Verifier
from penstock_sidecar.wire import messages
from penstock_sidecar.wire.messages import MalformedError
from penstock_sidecar.wire.scram import ScramClient, ScramError
from penstock_sidecar.wire.scram_server import BindingError, ScramServer, final, offer

SALT, BINDING = b"s" * 16, b"\x01\x02certificate"
FIRST = b"n,,n=,r=client"


def initial(first: bytes, mechanism: bytes = b"SCRAM-SHA-256", size: int | None = None) -> bytes:
    return mechanism + b"\x00" + struct.pack(">i", len(first) if size is None else size) + first


def begun(first: bytes = FIRST, binding: bytes | None = None, mechanism: bytes = b"SCRAM-SHA-256") -> ScramServer:
    server = ScramServer(binding)
    server.read_first(initial(first, mechanism))
    return server


def body(message: bytes) -> bytes:
    """What a message of the server's says, without its head and method."""
    assert message[:1] == b"R"
    assert int.from_bytes(message[1:5], "big") == len(message) - 1
    return message[9:]


@pytest.mark.parametrize("binding", [None, BINDING])
@pytest.mark.parametrize("iterations", [4096, 5000])
def test_it_understands_the_clients_side(binding: bytes | None, iterations: int) -> None:
    client = ScramClient("secret", "client-nonce", binding)
    mechanism = b"SCRAM-SHA-256" if binding is None else b"SCRAM-SHA-256-PLUS"
    server = begun(client.first(), binding, mechanism)
    challenge = body(server.challenge(SALT, iterations, "server-nonce"))
    assert challenge.startswith(b"r=client-nonceserver-nonce,s=")
    proved = server.read_last(client.final(client.challenged(challenge).run()))
    verifier = Verifier.of("secret", SALT, iterations)
    assert verifier.proved_by(proved.proof, proved.exchange)
    assert not Verifier.of("Secret", SALT, iterations).proved_by(proved.proof, proved.exchange)
    client.verify(body(final(verifier.signature(proved.exchange))))
    with pytest.raises(ScramError, match="does not know the password"):
        client.verify(body(final(Verifier.of("other", SALT).signature(proved.exchange))))


def test_what_is_offered() -> None:
    assert body(offer(None)) == b"SCRAM-SHA-256\x00\x00"
    assert body(offer(BINDING)) == b"SCRAM-SHA-256-PLUS\x00SCRAM-SHA-256\x00\x00"


@pytest.mark.parametrize(
    "first",
    [
        b"n,,n=,r=abc", b"n,,n=ada,r=abc", b"n,,n=*,r=abc", "n,,n=\u00e4da,r=abc".encode(), b"y,,n=,r=abc",
        b"n,,n=,r=abc,x=more", b"n,,n=,r=!\x2b\x2d~",
    ],
)  # fmt: skip
def test_first_messages_that_clients_send(first: bytes) -> None:
    begun(first)


@pytest.mark.parametrize(
    ("sent", "words"),
    [
        (b"", "has no end"),
        (b"SCRAM-SHA-256", "has no end"),
        (b"SCRAM-SHA-256\x00", "does not begin"),
        (b"SCRAM-SHA-256\x00\x00\x00", "does not begin"),
        (initial(FIRST, size=-1), "wrong length"),
        (initial(FIRST, size=2**31 - 1), "wrong length"),
        (initial(FIRST, size=len(FIRST) - 1), "wrong length"),
        (initial(FIRST, b"SCRAM-SHA-1"), "not offered"),
        (initial(FIRST, b"SCRAM-SHA-256-PLUS"), "not offered"),
        (initial(FIRST, b"OAUTHBEARER"), "not offered"),
        (initial(b""), "does not begin"),
        (initial(b"\xff\xfe"), "not text"),
        (initial(b"n,,"), "does not begin"),
        (initial(b"n,n=,r=abc"), "does not begin"),
        (initial(b"x,,n=,r=abc"), "does not begin"),
        (initial(b"N,,n=,r=abc"), "does not begin"),
        (initial(b"n,,n=,r="), "does not begin"),
        (initial(b"n,,n=,r=a b"), "does not begin"),
        (initial(b"n,,n=,r=a\x7f"), "does not begin"),
        (initial("n,,n=,r=\u00e4".encode()), "does not begin"),
        (initial(b"n,,n=,r=abc\n"), "does not begin"),
        (initial(b"n,,r=abc,n="), "does not begin"),
        (initial(b"n,,m=must,n=,r=abc"), "does not begin"),
        (initial(b"n,,n=,r=abc,"), "does not begin"),
        (initial(b"n,,n=,r=abc,nonsense"), "does not begin"),
        (initial(b"n,a=dba,n=,r=abc"), "whom to act as"),
        (initial(b"n, ,n=,r=abc"), "whom to act as"),
    ],
)
def test_first_messages_of_every_wrong_shape(sent: bytes, words: str) -> None:
    with pytest.raises(MalformedError, match=words):
        ScramServer(None).read_first(sent)


@pytest.mark.parametrize(
    ("flag", "mechanism", "binding", "words"),
    [
        # Somebody between has taken -PLUS out of the offer.
        (b"y", b"SCRAM-SHA-256", BINDING, "says that it was not offered"),
        (b"p=tls-server-end-point", b"SCRAM-SHA-256", BINDING, "a mechanism without"),
        (b"p=tls-server-end-point", b"SCRAM-SHA-256", None, "a mechanism without"),
        (b"p=tls-unique", b"SCRAM-SHA-256-PLUS", BINDING, "only channel binding by tls-server-end-point"),
        (b"p=tls-exporter", b"SCRAM-SHA-256-PLUS", BINDING, "only channel binding by tls-server-end-point"),
        (b"n", b"SCRAM-SHA-256-PLUS", BINDING, "only channel binding by tls-server-end-point"),
        (b"y", b"SCRAM-SHA-256-PLUS", BINDING, "only channel binding by tls-server-end-point"),
    ],
)
def test_flags_of_channel_binding_that_contradict(
    flag: bytes, mechanism: bytes, binding: bytes | None, words: str
) -> None:
    with pytest.raises(BindingError, match=words):
        ScramServer(binding).read_first(initial(flag + b",,n=,r=abc", mechanism))


def last(bound: bytes = b"n,,", nonce: bytes = b"clientserver", proof: bytes = bytes(32), more: bytes = b"") -> bytes:
    return b"c=%s,r=%s%s,p=%s" % (base64.b64encode(bound), nonce, more, base64.b64encode(proof))


def test_a_last_message_and_the_exchange_that_it_ends() -> None:
    server = begun()
    server.challenge(SALT, 4096, "server")
    proved = server.read_last(last(more=b",x=more"))
    challenge = b"r=clientserver,s=%s,i=4096" % base64.b64encode(SALT)
    assert proved.exchange == b"n=,r=client," + challenge + b",c=biws,r=clientserver,x=more"
    assert proved.proof == bytes(32)


@pytest.mark.parametrize(
    ("sent", "words"),
    [
        (b"", "does not end"),
        (b"\xff", "not text"),
        (b"c=biws", "does not end"),
        (b"c=biws,r=clientserver", "does not end"),
        (b"r=clientserver,c=biws,p=AAAA", "does not end"),
        (b"c=biws,r=clientserver,p=AAAA,x=after", "does not end"),
        (b"c=biws,r=clientserver,p=AA*A", "does not end"),
        (b"c=biws,r=clientserver,p=AAAAA", "not in base64"),
        (b"c=b,r=clientserver,p=AAAA", "not in base64"),
        (b"c=biws,r=clientserver,p=AAAA\x00", "does not end"),
        (last(nonce=b"client"), "of another exchange"),
        (last(nonce=b"server"), "of another exchange"),
        (last(nonce=b"clientserver2"), "of another exchange"),
        (last(nonce=b"CLIENTserver"), "of another exchange"),
    ],
)
def test_last_messages_of_every_wrong_shape(sent: bytes, words: str) -> None:
    server = begun()
    server.challenge(SALT, 4096, "server")
    with pytest.raises(MalformedError, match=words):
        server.read_last(sent)


@pytest.mark.parametrize(
    "bound", [b"", b"y,,", b"p=tls-server-end-point,,", b"n,a=dba,", b"n,,more", b"n,,\x01\x02certificate"]
)
def test_a_last_message_that_says_another_binding_than_the_first(bound: bytes) -> None:
    server = begun()
    server.challenge(SALT, 4096, "server")
    with pytest.raises(BindingError, match="another channel"):
        server.read_last(last(bound))


@pytest.mark.parametrize("data", [b"", BINDING[:-1], BINDING + b"x", b"another certificate"])
def test_a_client_that_saw_another_certificate(data: bytes) -> None:
    server = begun(b"p=tls-server-end-point,,n=,r=client", BINDING, b"SCRAM-SHA-256-PLUS")
    server.challenge(SALT, 4096, "server")
    with pytest.raises(BindingError, match="another channel"):
        server.read_last(last(b"p=tls-server-end-point,," + data))
    assert server.read_last(last(b"p=tls-server-end-point,," + BINDING)).proof == bytes(32)


def test_a_message_before_its_turn() -> None:
    server = ScramServer(None)
    with pytest.raises(MalformedError, match="of another exchange"):
        server.read_last(last())


def test_the_messages_are_of_the_protocol() -> None:
    assert offer(None) == messages.message(b"R", b"\x00\x00\x00\x0aSCRAM-SHA-256\x00\x00")
    assert final(b"abc") == messages.message(b"R", b"\x00\x00\x00\x0cv=YWJj")
