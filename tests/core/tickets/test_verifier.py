"""What proves a secret: the example of RFC 7677, and everything that is not that proof."""

from __future__ import annotations

import base64

import pytest

from penstock_core.tickets.verifier import ITERATIONS, NOBODYS, Verifier, salt_of

SALT = base64.b64decode("W22ZaJ0SNY7soEsUEjb6gQ==")
EXCHANGE = (
    b"n=user,r=rOprNGfwEbeRWgbNEkqO,"
    b"r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096,"
    b"c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
)
PROOF = base64.b64decode("dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=")


def test_the_example_of_the_rfc() -> None:
    verifier = Verifier.of("pencil", SALT, 4096)
    assert verifier.proved_by(PROOF, EXCHANGE)
    assert base64.b64encode(verifier.signature(EXCHANGE)) == b"6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="


@pytest.mark.parametrize(
    ("verifier", "proof", "exchange"),
    [
        (Verifier.of("pencils", SALT), PROOF, EXCHANGE),
        (Verifier.of("pencil", SALT[::-1]), PROOF, EXCHANGE),
        (Verifier.of("pencil", SALT, 4097), PROOF, EXCHANGE),
        (Verifier.of("pencil", SALT), PROOF, EXCHANGE + b" "),
        (Verifier.of("pencil", SALT), PROOF, b""),
        (Verifier.of("pencil", SALT), bytes(32), EXCHANGE),
        (Verifier.of("pencil", SALT), PROOF[:31], EXCHANGE),
        (Verifier.of("pencil", SALT), PROOF + b"\x00", EXCHANGE),
        (Verifier.of("pencil", SALT), b"", EXCHANGE),
        (NOBODYS, PROOF, EXCHANGE),
        (NOBODYS, bytes(32), EXCHANGE),
    ],
)
def test_nothing_else_proves_it(verifier: Verifier, proof: bytes, exchange: bytes) -> None:
    assert ITERATIONS == 4096
    assert not verifier.proved_by(proof, exchange)


def test_a_verifier_shows_no_keys() -> None:
    verifier = Verifier.of("pencil", SALT)
    assert repr(verifier) == "Verifier()"
    # Who has read the stored key can't prove with it.
    assert not verifier.proved_by(verifier.stored_key, EXCHANGE)


def test_salts_differ_by_name_and_key_and_stay() -> None:
    salts = [salt_of(name, key) for name in ("ticket-a", "ticket-b") for key in (b"1" * 32, b"2" * 32)]
    assert len(set(salts)) == 4
    assert {len(salt) for salt in salts} == {16}
    assert salt_of("ticket-a", b"1" * 32) == salts[0]
