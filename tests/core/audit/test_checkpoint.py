"""Checkpoints: signed, read again, and what is none."""

from __future__ import annotations

import base64
import json
from typing import Any

import orjson
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from penstock_core.audit.chain import GENESIS, canonical
from penstock_core.audit.checkpoint import PURPOSE, Checkpoint, CheckpointError, StreamHead, key_hash, read

KEY, OTHER = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()
CHECKPOINT = Checkpoint(
    "collector:1", 7, "2026-11-25T09:00:00Z", GENESIS, True,
    (StreamHead("gw/1", 3, "ab" * 32, "token:gw", 1), StreamHead("größe/1", 1, "cd" * 32)),
)  # fmt: skip
LINE = CHECKPOINT.sign(KEY)


def test_what_is_signed_is_read() -> None:
    assert read(LINE, [OTHER.public_key(), KEY.public_key()]) == CHECKPOINT


def test_it_is_signed_as_documented() -> None:
    document = json.loads(LINE)
    signature = base64.b64decode(document.pop("signature"))
    text = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    KEY.public_key().verify(signature, b"penstock checkpoint\n" + text.encode())
    assert document["key"] == key_hash(KEY.public_key())


def resigned(**changes: Any) -> bytes:
    """As somebody with the key would write it."""
    body = {**orjson.loads(LINE), **changes}
    body.pop("signature")
    return canonical({**body, "signature": base64.b64encode(KEY.sign(PURPOSE + canonical(body))).decode()})


def altered(**changes: Any) -> bytes:
    return canonical({**orjson.loads(LINE), **changes})


BAD = {
    "another key": (CHECKPOINT.sign(OTHER), "signed by another key than was given"),
    "no JSON": (b"{", "not JSON"),
    "a list": (b"[]", "not a checkpoint of version 1"),
    "an event": (b'{"kind":"open"}', "not a checkpoint of version 1"),
    "another version": (resigned(checkpoint=2), "not a checkpoint of version 1"),
    "a version that equals 1": (resigned(checkpoint=True), "not a checkpoint of version 1"),
    "altered": (altered(number=8), "its signature is not that of its content"),
    "a stream less": (altered(streams=[]), "its signature is not that of its content"),
    "no signature": (altered(signature=None), "it has no signature"),
    "a signature that is none": (altered(signature="?"), "its signature is not that of its content"),
    "the signature of something else": (
        altered(signature=base64.b64encode(KEY.sign(b"")).decode()), "its signature is not that of its content",
    ),
    "a key that is none": (altered(key=[]), "signed by another key than was given"),
    "another key's name": (altered(key=key_hash(OTHER.public_key())), "its signature is not that of its content"),
    "keys twice": (b'{"number":7,' + LINE[1:], "its bytes are not the canonical ones"),
    "spaces": (LINE.replace(b",", b", ", 1), "its bytes are not the canonical ones"),
    "floats": (LINE.replace(b'"number":7', b'"number":7.0'), "not canonical: float"),
    "deep": (b'{"checkpoint":1,"x":' + b"[" * 200 + b"]" * 200 + b"}", "not canonical: nested"),
    "number 0": (resigned(number=0), "a field is not what it should be"),
    "no time": (resigned(time="2026-02-30T00:00:00Z"), "a field is not what it should be"),
    "no streams": (resigned(streams={}), "a field is not what it should be"),
    "complete of another type": (resigned(complete=1), "a field is not what it should be"),
    "a head that is none": (resigned(streams=[7]), "a stream in it is not what it should be"),
    "a head without hash": (
        resigned(streams=[{"stream": "a", "seq": 1, "hash": None, "sender": "", "trimmed": 0}]),
        "a stream in it is not what it should be",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_what_is_none(name: str) -> None:
    line, reason = BAD[name]
    with pytest.raises(CheckpointError, match=reason):
        read(line, [KEY.public_key(), OTHER.public_key()] if name not in ("another key",) else [KEY.public_key()])


def test_without_keys_nothing_is_signed() -> None:
    with pytest.raises(CheckpointError, match="another key"):
        read(LINE, [])
