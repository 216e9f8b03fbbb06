"""Bytes of any kind, and messages with something wrong in them: the readers raise what they promise, and nothing else.

Deterministic; `make soak` has fifty times as many.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from random import Random

import pytest

from penstock_sidecar.wire import messages
from penstock_sidecar.wire.framing import FROM_CLIENT, FROM_SERVER, BrokenStreamError, Scanner
from penstock_sidecar.wire.login import Credentials, Login, LoginError
from penstock_sidecar.wire.messages import MalformedError, message
from penstock_sidecar.wire.startup import NotPostgres, StartupReader

SEEDS = pytest.mark.parametrize(
    "seed", [*range(2), *(pytest.param(number, marks=pytest.mark.soak) for number in range(2, 100))]
)
TIMES = 15_000
ERROR = messages.error_response(messages.ErrorFields("ERROR", "42703", "no", "d", "h"))
SAID = {
    FROM_CLIENT: [
        messages.query("SELECT 1"), messages.parse("a", "SELECT $1"), messages.bind("p", "a"), messages.execute("p"),
        message(b"D", b"Sa\0"), message(b"d", b"1\n" * 5000), messages.SYNC, message(b"B", bytes(20_000)),
    ],
    FROM_SERVER: [
        message(b"D", b"\0\1\0\0\0\1x") * 50, message(b"T", bytes(100)), message(b"C", b"SELECT 1\0"), ERROR,
        messages.ready(), messages.parameter_status("a", "b"), message(b"N", b"M" + b"x" * 20_000), message(b"1", b""),
    ],
}  # fmt: skip
OPENINGS = [
    messages.startup({"user": "u", "database": "d", "options": "-c a=b"}), messages.ssl_request(),
    messages.cancel_request(7, b"1234"), messages.startup({"user": "u", "_pq_.x": "1"}, (3 << 16) | 9),
    b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01\x02\x00",
]  # fmt: skip
LOGINS = [
    message(b"R", b"\0\0\0\0"), message(b"R", b"\0\0\0\3"), message(b"R", b"\0\0\0\5salt"),
    message(b"R", b"\0\0\0\x0aSCRAM-SHA-256\0\0"), message(b"R", b"\0\0\0\x0br=noncexyz,s=c2FsdA==,i=2"),
    message(b"R", b"\0\0\0\x0cv=c2lnbmF0dXJl"), messages.parameter_status("server_version", "18"),
    messages.backend_key(7, b"1234"), messages.ready(), ERROR,
]  # fmt: skip


def broken(dice: Random, data: bytes) -> bytes:
    """With something wrong in it, mostly."""
    for _ in range(dice.randrange(4)):
        at = dice.randrange(len(data) + 1)
        data = dice.choice([
            data[:at] + bytes([dice.randrange(256)]) + data[at + 1 :], data[:at], data[at:],
            data[:at] + dice.randbytes(dice.randrange(9)) + data[at:], data[:at] + data[:at],
            data[:1] + dice.choice([0, 3, 4, 7, 2**31, 2**32 - 1]).to_bytes(4, "big") + data[5:],
        ])  # fmt: skip
    return data


def pieces(dice: Random, data: bytes) -> list[bytes]:
    found = []
    while data:
        size = dice.choice([1, 2, 5, 100, 10_000])
        found.append(data[:size])
        data = data[size:]
    return found


@SEEDS
@pytest.mark.parametrize("table", [FROM_CLIENT, FROM_SERVER], ids=["client", "server"])
def test_a_scanner_breaks_in_words_and_keeps_nothing_it_need_not(table: bytes, seed: int) -> None:
    dice = Random(seed)
    for _ in range(TIMES):
        scanner = Scanner(table, limit=15_000, small=1000)
        stream = broken(dice, b"".join(dice.choices(SAID[table], k=dice.randrange(1, 6))))
        went = taken = 0
        with contextlib.suppress(BrokenStreamError):
            for piece in pieces(dice, stream):
                data, spots = scanner.scan(piece)
                taken += len(piece)
                went += len(data)
                assert all(0 <= spot.start < spot.end <= len(data) for spot in spots)
                assert went <= taken
                # At most one message is kept, and none beyond the limit.
                assert sum(map(len, scanner._parts)) <= 15_000 + 10_000


@SEEDS
def test_what_opens_is_read_or_said_to_be_none(seed: int) -> None:
    dice = Random(seed)
    for _ in range(TIMES * 3):
        reader = StartupReader()
        for piece in pieces(dice, broken(dice, b"".join(dice.choices(OPENINGS, k=2)))):
            packet = reader.feed(piece)
            if isinstance(packet, NotPostgres):
                assert packet.reason
                break
            if packet is not None:
                reader.take_rest()


@SEEDS
def test_a_login_fails_in_words_and_is_never_taken_in_by_half(seed: int) -> None:
    dice = Random(seed)
    for _ in range(TIMES):
        encrypted = dice.random() < 0.5
        login = Login(Credentials("u", "secret"), {}, "nonce", trusted=encrypted)
        login.start()
        said = b"".join(dice.choices(LOGINS, k=dice.randrange(1, 8)))
        sent, refusals = b"", []
        for piece in pieces(dice, broken(dice, said)):
            try:
                sent += login.feed(piece)
            except LoginError as error:
                refusals.append(error)
                break
        assert all(refusal.fields.sqlstate and "secret" not in str(refusal) for refusal in refusals)
        assert encrypted or b"secret" not in sent


READERS: list[Callable[[bytes], object]] = [
    lambda body: messages.read_text(body, 0),
    lambda body: messages.read_bind(body, True),
    lambda body: messages.read_bind(body, False),
    messages.read_error,
    messages.read_pairs,
]


@SEEDS
def test_readers_of_single_messages_raise_nothing_else(seed: int) -> None:
    dice = Random(seed)
    bodies = [part[5:] for parts in SAID.values() for part in parts if len(part) < 1000]
    for _ in range(TIMES * 3):
        body = broken(dice, dice.choice(bodies))
        for read in READERS:
            with contextlib.suppress(MalformedError):
                read(body)
