"""The states of one client session and the events that are legal in each: the one table of the machine.

`progress.py` checks each step against it, `diagram.py` draws it. What happens at an event is in the machine; the
statements in flight within RUNNING are `in_flight.py`'s.
"""

from __future__ import annotations

from enum import StrEnum


class State(StrEnum):
    """Where a session stands, seen from the client."""

    # The client's first packets: startup, cancel, requests for encryption.
    OPENING = "opening"
    # The TLS handshake that the client asked for.
    ENCRYPTING = "encrypting"
    # A token was asked for.
    PROVING = "proving"
    # The token is being verified.
    VERIFYING = "verifying"
    # Logging in upstream.
    CONNECTING = "connecting"
    # Messages flow.
    RUNNING = "running"
    # The client's messages wait until a write's intent is durable; the server's flow.
    RECORDING = "recording"
    # The client's messages wait for a fresh catalog; the server's flow.
    RESOLVING = "resolving"
    # The client's messages wait for the end of a statement whose rows are limited; the server's flow.
    COUNTING = "counting"
    # The client's messages wait for the answer to one that changes what they are decided by; the server's flow.
    SETTLING = "settling"
    # The client's messages wait for what tells whether one may run that an approval holds; the server's flow.
    HELD = "held"
    # The client's messages wait until it is known for whom the transaction is; the server's flow.
    VOUCHING = "vouching"
    # The client's messages wait for a ticket that the session asked for; the server's flow.
    ISSUING = "issuing"
    # The client's messages wait until a change of the catalog may be committed; the server's flow.
    CHANGING = "changing"
    # The server is gone; what it answered last waits until what it answers is on record.
    ENDED = "ended"
    CLOSED = "closed"

    # The table is asked for each message: Enum's own is written in Python.
    __hash__ = str.__hash__


# For what is asked for each message: a look-up in an enumeration takes ten times as long as one in a module.
RUNNING, ENDED, CLOSED = State.RUNNING, State.ENDED, State.CLOSED


class Event(StrEnum):
    """What can happen to a session."""

    CLIENT_BYTES = "client bytes"
    CLIENT_CLOSED = "client closed"
    SERVER_BYTES = "server bytes"
    SERVER_CLOSED = "server closed"
    ENCRYPTED = "encrypted"
    HANDSHAKE_FAILED = "handshake failed"
    CHALLENGED = "challenged"
    IDENTIFIED = "identified"
    TOKEN_REFUSED = "token refused"  # noqa: S105 - the name of an event
    CONNECTED = "connected"
    CONNECT_FAILED = "connect failed"
    DURABLE = "durable"
    AUDIT_FAILED = "audit failed"
    CATALOG_READ = "catalog read"
    DOOR_CLOSED = "door closed"
    DOUBT_ENDED = "doubt ended"
    ANSWERED = "answered"
    CANCELLED = "cancelled"
    VOUCHED = "vouched"
    TICKET_MADE = "ticket made"
    TICKET_REFUSED = "ticket refused"
    RULES_REPLACED = "rules replaced"
    EXPIRED = "expired"
    REVOKED = "revoked"
    DRAIN = "drain"

    __hash__ = str.__hash__


class IllegalEventError(Exception):
    """The runtime reported what can't happen in this state, or the machine took a step that the table lacks."""


_S, _E = State, Event
# In every state but CLOSED.
_ALWAYS: dict[Event, set[State]] = {
    _E.CLIENT_CLOSED: {_S.CLOSED},
    _E.EXPIRED: {_S.CLOSED},
    _E.REVOKED: {_S.CLOSED},
    _E.DRAIN: {_S.CLOSED},
}
# In every state with a server.
_FLOWING: dict[Event, set[State]] = {
    **_ALWAYS,
    _E.SERVER_CLOSED: {_S.ENDED, _S.CLOSED},
    _E.AUDIT_FAILED: {_S.CLOSED},
}
# What may be reported after the server has gone.
_UNDER_WAY = (
    _E.CLIENT_BYTES, _E.CATALOG_READ, _E.DOOR_CLOSED, _E.DOUBT_ENDED, _E.ANSWERED, _E.CANCELLED, _E.VOUCHED,
    _E.TICKET_MADE, _E.TICKET_REFUSED,
)  # fmt: skip
# Where a session may be after its client's messages went on.
_RESUMED = {
    _S.RUNNING, _S.RECORDING, _S.RESOLVING, _S.COUNTING, _S.SETTLING, _S.HELD, _S.VOUCHING, _S.ISSUING, _S.CHANGING,
    _S.CLOSED,
}  # fmt: skip


def _awaiting(state: State, *ends: Event) -> dict[Event, set[State]]:
    """Of a state in which the client's messages wait for what the server answers, or for one of those events."""
    return {
        **_FLOWING,
        _E.CLIENT_BYTES: {state, _S.CLOSED},
        _E.SERVER_BYTES: _RESUMED,
        _E.DOUBT_ENDED: _RESUMED,
        _E.DURABLE: {state, _S.CLOSED},
        **dict.fromkeys(ends, _RESUMED),
        _E.RULES_REPLACED: {state, _S.CLOSED},
        _E.EXPIRED: {state, _S.CLOSED},
        _E.DRAIN: {state, _S.CLOSED},
    }


# state → event → the states that may follow it.
TABLE: dict[State, dict[Event, set[State]]] = {
    _S.OPENING: {
        **_ALWAYS,
        _E.CLIENT_BYTES: {_S.OPENING, _S.ENCRYPTING, _S.PROVING, _S.VERIFYING, _S.CONNECTING, _S.CLOSED},
    },
    # Its bytes are the handshake's, until it is done.
    _S.ENCRYPTING: {
        **_ALWAYS,
        _E.ENCRYPTED: {_S.OPENING, _S.CLOSED},
        _E.HANDSHAKE_FAILED: {_S.CLOSED},
    },
    _S.PROVING: {
        **_ALWAYS,
        _E.CLIENT_BYTES: {_S.PROVING, _S.VERIFYING, _S.CLOSED},
    },
    _S.VERIFYING: {
        **_ALWAYS,
        _E.CLIENT_BYTES: {_S.VERIFYING, _S.CLOSED},
        # Of a ticket: the client is told what to prove its secret with.
        _E.CHALLENGED: {_S.PROVING, _S.VERIFYING, _S.CLOSED},
        # There may be no database of that name for who it is.
        _E.IDENTIFIED: {_S.CONNECTING, _S.CLOSED},
        # By OAUTHBEARER, the client has to acknowledge it first.
        _E.TOKEN_REFUSED: {_S.PROVING, _S.CLOSED},
    },
    _S.CONNECTING: {
        **_ALWAYS,
        _E.CLIENT_BYTES: {_S.CONNECTING, _S.CLOSED},
        _E.CONNECTED: _RESUMED,
        _E.CONNECT_FAILED: {_S.CLOSED},
    },
    _S.RUNNING: {
        **_FLOWING,
        _E.CLIENT_BYTES: _RESUMED,
        _E.SERVER_BYTES: {_S.RUNNING, _S.CLOSED},
        _E.DOUBT_ENDED: {_S.RUNNING, _S.CLOSED},
        _E.DURABLE: {_S.RUNNING, _S.CLOSED},
        _E.RULES_REPLACED: {_S.RUNNING, _S.CLOSED},
        _E.EXPIRED: {_S.RUNNING, _S.CLOSED},
        _E.DRAIN: {_S.RUNNING, _S.CLOSED},
    },
    _S.RECORDING: {
        **_FLOWING,
        _E.CLIENT_BYTES: {_S.RECORDING, _S.CLOSED},
        _E.SERVER_BYTES: {_S.RECORDING, _S.CLOSED},
        _E.DOUBT_ENDED: {_S.RECORDING, _S.CLOSED},
        _E.DURABLE: _RESUMED,
        _E.AUDIT_FAILED: _RESUMED,
        _E.RULES_REPLACED: {_S.RECORDING, _S.CLOSED},
        _E.EXPIRED: {_S.RECORDING, _S.CLOSED},
        _E.DRAIN: {_S.RECORDING, _S.CLOSED},
    },
    _S.RESOLVING: {
        **_FLOWING,
        _E.CLIENT_BYTES: {_S.RESOLVING, _S.CLOSED},
        _E.SERVER_BYTES: {_S.RESOLVING, _S.CLOSED},
        _E.DOUBT_ENDED: {_S.RESOLVING, _S.CLOSED},
        _E.DURABLE: {_S.RESOLVING, _S.CLOSED},
        _E.CATALOG_READ: _RESUMED,
        _E.RULES_REPLACED: {_S.RESOLVING, _S.CLOSED},
        _E.EXPIRED: {_S.RESOLVING, _S.CLOSED},
        _E.DRAIN: {_S.RESOLVING, _S.CLOSED},
    },
    _S.COUNTING: _awaiting(_S.COUNTING),
    _S.SETTLING: _awaiting(_S.SETTLING),
    _S.HELD: _awaiting(_S.HELD, _E.ANSWERED, _E.CANCELLED),
    _S.VOUCHING: _awaiting(_S.VOUCHING, _E.VOUCHED),
    _S.ISSUING: _awaiting(_S.ISSUING, _E.AUDIT_FAILED, _E.TICKET_MADE, _E.TICKET_REFUSED),
    _S.CHANGING: _awaiting(_S.CHANGING, _E.DOOR_CLOSED),
    # Nothing else changes anything any more.
    _S.ENDED: {
        **{event: {_S.ENDED} for event in _UNDER_WAY},
        **_ALWAYS,
        _E.DURABLE: {_S.ENDED, _S.CLOSED},
        _E.AUDIT_FAILED: {_S.ENDED, _S.CLOSED},
        _E.EXPIRED: {_S.ENDED, _S.CLOSED},
        _E.DRAIN: {_S.ENDED, _S.CLOSED},
    },
    # Reports that were under way when it ended; they change nothing.
    _S.CLOSED: {event: {_S.CLOSED} for event in _E},
}
# An answer that nobody waits for any more, and a wish to wait no longer of one who does not, change nothing.
_ELSEWHERE = (_S.RUNNING, _S.RECORDING, _S.RESOLVING, _S.COUNTING, _S.SETTLING, _S.ISSUING, _S.CHANGING)
for _state in (*_ELSEWHERE, _S.VOUCHING):
    TABLE[_state] |= {_E.ANSWERED: {_state}, _E.CANCELLED: {_state}}
for _state in (*_ELSEWHERE, _S.HELD):
    TABLE[_state] |= {_E.VOUCHED: {_state}}
