"""The shape of an audit event: a JSON object, of some kind and version.

Events are plain dictionaries of JSON types without floats (numbers are whole: microseconds, bytes, rows), so that
their canonical bytes are the same in every language. How they are chained is in `chain.py`, what is cut from one that
is too large in `size.py`.

    {"v": 2, "stream": "<pod uid or gateway name>/<boot id>", "seq": 1, "prev": "<64 hex>", "time": "2026-…Z",
     "kind": "intent", …, "hash": "<64 hex>"}

Which fields each kind has is in `fields.py`, and in docs/events.md, which is made of that. Version 1 had no kinds
`policy` and `transaction`, one intent and outcome for a text of several statements, and of verbs those of statements
alone; its events are read as they are.
"""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

Kind = Literal[
    "open", "policy", "login", "session", "request", "emergency", "around", "intent", "outcome", "statement",
    "transaction", "heartbeat", "loss", "close", "reading", "dropped",
]  # fmt: skip
KINDS: tuple[Kind, ...] = (
    "open", "policy", "login", "session", "request", "emergency", "around", "intent", "outcome", "statement",
    "transaction", "heartbeat", "loss", "close", "reading", "dropped",
)  # fmt: skip

# Those that tell of a statement's beginning, and of its end; one tells of both.
BEGINS = frozenset({"intent", "statement"})
ENDS = frozenset({"outcome", "statement"})

# A chained event, or the body of one before the chain adds v, stream, seq, prev, time and hash.
Event: TypeAlias = dict[str, Any]

VERSION = 2
# Those that are read.
VERSIONS = (1, 2)

# How the name of the collector's own stream begins, which no gate's can.
OWN = "collector:"
