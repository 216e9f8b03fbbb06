"""The fields that every event has, or that a reader of the trail relies on: whether each is what it should be.

What doesn't belong: whether the event follows the one before it, and whether its hash is right (`chain.py`).
"""

from __future__ import annotations

import re
from datetime import datetime

from penstock_core.audit.chain import MAX_SAFE_INTEGER
from penstock_core.audit.event import VERSIONS, Event

MOST_OF_A_NAME = 300
MOST_OF_A_KIND = 40

_HASH = re.compile(r"[0-9a-f]{64}")
# Digits of other scripts are digits to `\d`, and would sort and compare as no time does.
_TIME = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2})(\.[0-9]{1,9})?Z")
# What tells statements apart within a stream.
_KEYS = ("session", "statement")


def complaint(event: Event) -> str:
    """What of the event is not as it should be, "" if nothing is. Whatever the fields hold, it only looks."""
    if "export" in event:
        return "it has `export`, which is for lines about an export"
    if type(event.get("v")) is not int or event["v"] not in VERSIONS:
        return f"version is not {' or '.join(map(str, VERSIONS))}"
    if not is_seq(event.get("seq")):
        return "no usable seq"
    if not is_name(event.get("stream")):
        return "no usable stream"
    if not is_hash(event.get("hash")):
        return "no usable hash"
    if not is_hash(event.get("prev")):
        return "no usable prev"
    if not is_time(event.get("time")):
        return "no usable time"
    kind = event.get("kind")
    if type(kind) is not str or not 0 < len(kind) <= MOST_OF_A_KIND:
        return "no usable kind"
    for name in _KEYS:
        if type(event.get(name)) not in (str, int, type(None)):
            return f"no usable {name}"
    return ""


def is_seq(value: object) -> bool:
    """A place in a stream: a whole number from 1."""
    # `True == 1`, and is no number.
    return type(value) is int and 0 < value <= MAX_SAFE_INTEGER


def is_count(value: object) -> bool:
    """A whole number from 0."""
    return type(value) is int and 0 <= value <= MAX_SAFE_INTEGER


def is_name(value: object) -> bool:
    """A stream's name, or a sender's."""
    return type(value) is str and 0 < len(value) <= MOST_OF_A_NAME


def is_hash(value: object) -> bool:
    """SHA-256 in hex."""
    return type(value) is str and _HASH.fullmatch(value) is not None


def is_time(value: object) -> bool:
    """A moment that there is, as RFC 3339 in UTC."""
    if type(value) is not str or (match := _TIME.fullmatch(value)) is None:
        return False
    try:
        datetime.fromisoformat(match[1])
    except ValueError:
        return False
    return True
