"""Checkpoints: where all streams of a collector stood, signed with Ed25519, each chained to the one before.

A checkpoint is one line, the canonical bytes (RFC 8785) of an object:

    {"checkpoint": 1, "collector": "collector:…", "number": 7, "time": "2026-…Z", "prev": "<hash of the one before>",
     "complete": false, "streams": [{"stream", "seq", "hash", "sender", "trimmed"}, …],
     "key": "<hash of the public key>", "signature": "<base64>"}

It lists the streams that have changed since the one before; `complete` ones list all. Signed are the bytes without
`signature`, behind `PURPOSE`. What doesn't belong: when one is made, where it is kept, a series of them
(`checkpoint_series.py`).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import orjson
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from penstock_core.audit import essentials
from penstock_core.audit.chain import ChainError, canonical

VERSION = 1
# So that nothing else that a key may have signed can pass for a checkpoint.
PURPOSE = b"penstock checkpoint\n"


class CheckpointError(ValueError):
    """Bytes that are no checkpoint, or none that one of the keys signed; the message says what is wrong."""


@dataclass(frozen=True, slots=True)
class StreamHead:
    """Where a stream stood, who opened it, and up to where retention had deleted it."""

    stream: str
    seq: int
    hash: str
    sender: str = ""
    trimmed: int = 0


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """Where the streams stood at a moment."""

    collector: str
    number: int
    time: str
    # The hash of the signed bytes of the one before it.
    prev: str
    complete: bool
    streams: tuple[StreamHead, ...]

    def sign(self, key: Ed25519PrivateKey) -> bytes:
        """The signed line, without its end."""
        body: dict[str, Any] = {
            "checkpoint": VERSION, "collector": self.collector, "number": self.number, "time": self.time,
            "prev": self.prev, "complete": self.complete, "key": key_hash(key.public_key()),
            "streams": [asdict(one) for one in self.streams],
        }  # fmt: skip
        signature = key.sign(PURPOSE + canonical(body))
        return canonical({**body, "signature": base64.b64encode(signature).decode()})


def key_hash(key: Ed25519PublicKey) -> str:
    """What a checkpoint calls the key that signed it."""
    return hashlib.sha256(key.public_bytes_raw()).hexdigest()


def line_hash(line: bytes) -> str:
    """What the next checkpoint calls this one."""
    return hashlib.sha256(line).hexdigest()


def read(line: bytes, keys: Sequence[Ed25519PublicKey]) -> Checkpoint:
    """The checkpoint that one of the keys has signed. Raises CheckpointError."""
    try:
        value = orjson.loads(line)
    except ValueError:
        raise CheckpointError("not JSON") from None
    if not isinstance(value, dict) or value.get("checkpoint") != VERSION or value.get("checkpoint") is True:
        raise CheckpointError(f"not a checkpoint of version {VERSION}")
    try:
        if canonical(value) != line:
            raise CheckpointError("its bytes are not the canonical ones (RFC 8785)")
        bare = canonical({name: part for name, part in value.items() if name != "signature"})
    except ChainError as error:
        raise CheckpointError(str(error)) from None
    _check_signature(value, bare, keys)
    return _checkpoint(value)


def _check_signature(value: dict[str, Any], bare: bytes, keys: Sequence[Ed25519PublicKey]) -> None:
    by_hash = {key_hash(key): key for key in keys}
    named, signature = value.get("key"), value.get("signature")
    key = by_hash.get(named) if isinstance(named, str) else None
    if key is None:
        raise CheckpointError("signed by another key than was given")
    if not isinstance(signature, str):
        raise CheckpointError("it has no signature")
    try:
        key.verify(base64.b64decode(signature, validate=True), PURPOSE + bare)
    except (InvalidSignature, binascii.Error, ValueError):
        raise CheckpointError("its signature is not that of its content: it was altered, or made up") from None


def _checkpoint(value: dict[str, Any]) -> Checkpoint:
    """Signed or not, what it says is looked at before it is believed."""
    match value:
        case {
            "collector": collector, "number": number, "time": time, "prev": prev, "complete": bool(complete),
            "streams": list(streams),
        } if (
            essentials.is_name(collector) and essentials.is_seq(number)
            and essentials.is_time(time) and essentials.is_hash(prev)
        ):  # fmt: skip
            return Checkpoint(collector, number, time, prev, complete, tuple(map(_head, streams)))
    raise CheckpointError("a field is not what it should be")


def _head(value: object) -> StreamHead:
    match value:
        case {"stream": stream, "seq": seq, "hash": hash_, "sender": str(sender), "trimmed": trimmed} if (
            essentials.is_name(stream)
            and essentials.is_seq(seq)
            and essentials.is_hash(hash_)
            and essentials.is_count(trimmed)
        ):
            return StreamHead(stream, seq, hash_, sender, trimmed)
    raise CheckpointError("a stream in it is not what it should be")
