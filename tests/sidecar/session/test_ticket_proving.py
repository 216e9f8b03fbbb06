"""How a client proves a ticket, as conversations; which names are tickets; and that there is no other way."""

from __future__ import annotations

import base64

import pytest
from tests.sidecar.session.conversation import WEB, Conversation
from tests.sidecar.wire.test_scram_server import initial

from penstock_core.identity import Identity, Principal
from penstock_core.tickets.verifier import Verifier
from penstock_sidecar.session import commands
from penstock_sidecar.session.commands import ProxyConfig
from penstock_sidecar.session.states import State
from penstock_sidecar.wire import messages, scram_server
from penstock_sidecar.wire.scram import ScramClient

NAME = "ticket-aaaqeayeaudaocajbifq"
SALT, BINDING = b"s" * 16, b"certificate"
ADA = Identity(principal=Principal("person", "ada", "https://login.example"))
CONFIG = ProxyConfig("shop", "shop", token="always", tls="optional")


def begun(user: str = NAME, config: ProxyConfig = CONFIG, binding: bytes | None = None) -> Conversation:
    talk = Conversation(open_=False, config=config)
    if binding is not None:
        talk.client(messages.ssl_request())
        talk.did(talk.session.encrypted(None, binding))
    return talk.client(messages.startup({"user": user, "database": "shop"}))


def response(data: bytes) -> bytes:
    return messages.message(b"p", data)


def challenged(
    talk: Conversation, first: bytes = b"n,,n=,r=client", mechanism: bytes = b"SCRAM-SHA-256"
) -> Conversation:
    talk.client(response(initial(first, mechanism)))
    assert talk.rest == [commands.Challenge(NAME)]
    assert talk.session.state is State.VERIFYING
    return talk.did(talk.session.challenged(SALT, 4096, "server"))


def proves(talk: Conversation, binding: bytes | None = None) -> ScramClient:
    """The exchange up to the proof; the client's side of it."""
    client = ScramClient("secret", "client", binding)
    challenged(talk, client.first(), b"SCRAM-SHA-256" if binding is None else b"SCRAM-SHA-256-PLUS")
    talk.client(response(client.final(client.challenged(talk.to_client[9:]).run())))
    return client


@pytest.mark.parametrize("binding", [None, BINDING])
def test_a_ticket_and_its_proof(binding: bytes | None) -> None:
    talk = begun(binding=binding)
    assert talk.to_client == scram_server.offer(binding)
    client = proves(talk, binding)
    (redeem,) = talk.rest
    assert isinstance(redeem, commands.Redeem)
    assert (redeem.ticket, redeem.dbname) == (NAME, "shop")
    verifier = Verifier.of("secret", SALT)
    assert verifier.proved_by(redeem.proof, redeem.exchange)
    said = scram_server.final(verifier.signature(redeem.exchange))
    talk.did(talk.session.identified(ADA, said)).reaches_client(said)
    client.verify(said[9:])
    assert talk.session.identity == ADA
    assert isinstance(talk.rest[0], commands.Connect)


def test_byte_by_byte() -> None:
    talk = begun()
    for byte in response(initial(b"n,,n=,r=client")):
        assert talk.rest == []
        talk.client(bytes([byte]))
    assert talk.rest == [commands.Challenge(NAME)]


def test_a_ticket_that_is_not_good() -> None:
    talk = begun()
    proves(talk)
    talk.did(talk.session.token_refused("the ticket has expired", "get a new one"))
    talk.client_reads_error("28P01", "the ticket has expired")
    assert talk.session.state is State.CLOSED


def test_tickets_that_can_not_be_looked_up() -> None:
    talk = begun()
    talk.client(response(initial(b"n,,n=,r=client")))
    talk.did(talk.session.token_refused("nobody answers", "present the token", sqlstate="57P03"))
    talk.client_reads_error("57P03", "nobody answers")
    assert talk.session.state is State.CLOSED


@pytest.mark.parametrize(
    ("sent", "sqlstate", "words"),
    [
        (messages.message(b"p", b"my-token\x00"), "08P01", "has no end|not offered|wrong length"),
        (messages.query("SELECT 1"), "08P01", "something else came"),
        (b"p\x00\x00\x00\x03", "08P01", "something else came"),
        (b"p\xff\xff\xff\xff", "08P01", "something else came"),
        (response(b"x" * 4097), "08P01", "more than 4096 bytes"),
        (response(b"x" * 65_536), "08P01", "more than 4096 bytes"),
        (response(initial(b"n,,n=,r=" + b"a" * 65_536)), "08P01", "more than 4096 bytes"),
        (response(initial(b"p=tls-server-end-point,,n=,r=client")), "28000", "a mechanism without"),
    ],
)
def test_what_is_no_exchange_is_refused_in_words(sent: bytes, sqlstate: str, words: str) -> None:
    talk = begun()
    talk.client(sent)
    fields = messages.read_error(talk.to_client[5:])
    assert fields.sqlstate == sqlstate
    assert any(word in fields.message for word in words.split("|"))
    assert talk.session.state is State.CLOSED


def test_the_largest_message_is_read() -> None:
    talk = begun()
    first = b"n,,n=,r="
    around = len(b"SCRAM-SHA-256\x00") + 4 + len(first)
    talk.client(response(initial(first + b"a" * (4096 - around))))
    assert talk.rest == [commands.Challenge(NAME)]


def test_a_client_whose_offer_somebody_shortened() -> None:
    talk = begun(binding=BINDING)
    talk.client(response(initial(b"y,,n=,r=client"))).client_reads_error("28000", "says that it was not offered")
    # Without TLS there is nothing to bind to.
    challenged(begun(), b"y,,n=,r=client")


@pytest.mark.parametrize(
    "final",
    [b"c=biws,r=client,p=AAAA", b"c=biws,r=clientserverx,p=AAAA", b"c=biws,r=clientserver", b"", b"x" * 5000],
)
def test_a_last_message_that_does_not_end_the_exchange(final: bytes) -> None:
    talk = challenged(begun())
    talk.client(response(final)).client_reads_error("08P01")
    assert talk.session.state is State.CLOSED
    assert not any(isinstance(one, commands.Redeem) for one in talk.rest)


def test_what_is_sent_ahead_of_the_challenge_proves_nothing() -> None:
    talk = begun()
    guess = b"c=biws,r=clientserver,p=" + base64.b64encode(bytes(32))
    # The nonce that this exchange will have can't be known; here it was, by chance.
    talk.client(response(initial(b"n,,n=,r=client")), response(guess[:-1]))
    talk.did(talk.session.challenged(SALT, 4096, "server")).rest = []
    assert talk.session.state is State.CLOSED


def test_what_follows_the_proof_waits_until_there_is_a_session() -> None:
    talk = challenged(begun())
    final = b"c=biws,r=clientserver,p=" + base64.b64encode(bytes(32))
    talk.client(response(final), messages.query("SELECT 1"))
    assert [type(one) for one in talk.rest] == [commands.Redeem]
    talk.did(talk.session.identified(ADA, b""))
    assert talk.to_server == b""


@pytest.mark.parametrize(
    "user",
    [
        "ticket", "ticket-", "ticket-office", NAME.upper(), NAME[:-1], NAME + "a", NAME[:-1] + "1", NAME + " ",
        "token", "ada", "' OR 1=1 --", NAME[:-1] + "\u0430",
    ],
)  # fmt: skip
def test_names_that_are_no_tickets_are_asked_for_a_token(user: str) -> None:
    assert begun(user).to_client == messages.AUTHENTICATION_CLEARTEXT


def test_in_a_pod_a_ticket_is_one_and_other_names_are_the_pods() -> None:
    asked = ProxyConfig("shop", "shop", token="asked", workload=WEB)
    assert begun(config=asked).to_client == scram_server.offer(None)
    assert isinstance(begun("ticket-office", asked).rest[0], commands.Connect)


def test_where_nobody_proves_anything_a_tickets_name_is_any_name() -> None:
    talk = begun(config=ProxyConfig("shop", "shop", token="never", workload=WEB))
    assert isinstance(talk.rest[0], commands.Connect)
    assert talk.session.identity == WEB
