"""SCRAM-SHA-256 against the example of RFC 7677, and against servers that lie."""

from __future__ import annotations

import pytest

from penstock_sidecar.wire.scram import ScramClient, ScramError, prepared

NONCE = "rOprNGfwEbeRWgbNEkqO"
SERVER_FIRST = b"r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"


class Example(ScramClient):
    """The RFC's example has a user name, which PostgreSQL's exchange leaves empty."""

    @property
    def _bare(self) -> str:
        return f"n=user,r={NONCE}"


def test_the_example_of_the_rfc() -> None:
    client = Example("pencil", NONCE)
    assert client.first() == b"n,,n=user,r=rOprNGfwEbeRWgbNEkqO"
    assert client.final(client.challenged(SERVER_FIRST).run()) == (
        b"c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
    )
    client.verify(b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=")


def test_a_server_that_does_not_know_the_password_is_found_out() -> None:
    client = Example("pencil", NONCE)
    client.final(client.challenged(SERVER_FIRST).run())
    with pytest.raises(ScramError, match="does not know the password"):
        client.verify(b"v=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=")
    with pytest.raises(ScramError):
        Example("pencil", NONCE).verify(b"v=")


@pytest.mark.parametrize(
    "first",
    [
        b"r=other,s=W22Z,i=4096", b"r=%s,s=W22Z,i=4096", b"s=W22Z,i=1", b"r=x,s=!,i=1", b"r=%sx,s=W22Z,i=1000001",
        b"r=%sx,s=W22Z,i=99999999", b"r=%sx,s=W22Z,i=0", b"r=%sx,s=W22Z,i=-1", b"\xff",
    ],
)  # fmt: skip
def test_malformed_first_messages_are_refused(first: bytes) -> None:
    with pytest.raises(ScramError):
        ScramClient("pencil", NONCE).challenged(first.replace(b"%s", NONCE.encode()))


def test_channel_binding_stands_in_the_first_message() -> None:
    assert ScramClient("p", "n", b"hash").first().startswith(b"p=tls-server-end-point,,")
    assert ScramClient("p", "n", could_bind=True).first().startswith(b"y,,")


@pytest.mark.parametrize(
    ("password", "bytes_"),
    [("pencil", b"pencil"), ("I\u00adX", b"IX"), ("a\u00a0b", b"a b"), ("\u2168", b"IX"), ("\u0007", b"\x07"),
     ("\u06271", "\u06271".encode())],
)  # fmt: skip
def test_passwords_are_prepared_as_postgresql_does(password: str, bytes_: bytes) -> None:
    assert prepared(password) == bytes_


def test_printable_ascii_stays_as_it_is() -> None:
    """What the tables of SASLprep say of it, letter by letter; control characters take the long way."""
    letters = "".join(map(chr, range(0x20, 0x7F)))
    assert prepared(letters) == letters.encode()
    assert prepared(letters + "\N{SOFT HYPHEN}") == letters.encode()


def test_what_takes_long_is_told_and_shows_no_password() -> None:
    for iterations, long in ((4096, False), (16_384, False), (16_385, True), (1_000_000, True)):
        work = ScramClient("pencil", NONCE).challenged(b"r=%sx,s=W22Z,i=%d" % (NONCE.encode(), iterations))
        assert (work.long, work.iterations) == (long, iterations)
        assert "pencil" not in repr(work)


def test_a_server_that_asks_for_the_work_once_more_gets_none() -> None:
    client = Example("pencil", NONCE)
    client.challenged(SERVER_FIRST)
    with pytest.raises(ScramError, match="once more"):
        client.challenged(SERVER_FIRST)
