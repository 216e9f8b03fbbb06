"""How a client presents its token: as a password, or by SASL OAUTHBEARER. What is asked for, and what its answers mean.

Whether the token is good is found out elsewhere; when it is asked for, `beginning.py` says.
"""

from __future__ import annotations

from typing import NamedTuple

from penstock_sidecar.session.commands import LoginMethod, TokenSource
from penstock_sidecar.session.refusals import fatal
from penstock_sidecar.wire import messages, oauthbearer
from penstock_sidecar.wire.messages import ErrorFields, MalformedError

# The largest token that is read: far more than any issuer makes.
LONGEST_TOKEN = 32_768
# What may come with it in one message.
_AROUND = {"password": 5, "oauthbearer": 1_024}
# The largest message that is answered in words, once all of it came and was dropped.
_MOST_DROPPED = 16 << 20
_UNEXPECTED = "a token was asked for, and something else came"


class Token(NamedTuple):
    """The client presented this token."""

    text: str


class Answer(NamedTuple):
    """The client is to be sent this, and answers in its turn."""

    data: bytes


class Failed(NamedTuple):
    """The client proved nothing; one line for the log, if it is worth one."""

    error: ErrorFields
    problem: str = ""


class Proving:
    """One client's exchange. What it sent beyond is in `rest`."""

    def __init__(self, method: LoginMethod, source: TokenSource) -> None:
        self._method = method
        self._source = source
        self.rest = b""
        # How much of a message that is too long is still to come.
        self._dropping = 0
        # Why it failed, once it was told so and has to acknowledge it.
        self._failed: Failed | None = None

    @property
    def question(self) -> bytes:
        """The message that asks for a token."""
        return messages.AUTHENTICATION_CLEARTEXT if self._method == "password" else oauthbearer.offer()

    def receive(self, data: bytes) -> Token | Answer | Failed | None:
        """Bytes from the client; None: more have to come."""
        if self._dropping:
            return self._drop(data)
        self.rest += data
        if len(self.rest) < 5:
            return None
        length = int.from_bytes(self.rest[1:5], "big")
        if self.rest[:1] != b"p" or not 4 <= length <= _MOST_DROPPED:
            return Failed(fatal("08P01", _UNEXPECTED), _UNEXPECTED)
        if length - _AROUND[self._method] > LONGEST_TOKEN:
            self._dropping = length + 1
            came, self.rest = self.rest, b""
            return self._drop(came)
        if len(self.rest) <= length:
            return None
        body, self.rest = self.rest[5 : length + 1], self.rest[length + 1 :]
        return self._read(body)

    def refuse(self, error: ErrorFields, problem: str) -> Answer | Failed:
        """The token is not good: by OAUTHBEARER, the client first has to acknowledge it."""
        failed = Failed(error, problem)
        if self._method == "password":
            return failed
        self._failed = failed
        return Answer(oauthbearer.challenge(self._source.configuration, self._source.scope))

    def _drop(self, data: bytes) -> Failed | None:
        """Pass over what is too long: who is still writing does not read what is answered."""
        self._dropping -= len(data)
        if self._dropping > 0:
            return None
        text = f"the token is longer than {LONGEST_TOKEN} bytes"
        return Failed(fatal("28P01", text, "have the issuer put less into it"), text)

    def _read(self, body: bytes) -> Token | Answer | Failed:
        if self._failed is not None:
            if body == oauthbearer.ACKNOWLEDGEMENT:
                return self._failed
            return Failed(fatal("08P01", _UNEXPECTED), _UNEXPECTED)
        if self._method == "password":
            if not body.endswith(b"\x00"):
                return Failed(fatal("08P01", _UNEXPECTED), _UNEXPECTED)
            return Token(body[:-1].decode(errors="replace"))
        try:
            token = oauthbearer.read_initial(body)
        except MalformedError as error:
            return Failed(fatal("08P01", f"protocol violation: {error}"), f"protocol violation: {error}")
        if token is None:
            return self.refuse(fatal("28000", "no token was presented", "get one from the issuer"), "")
        return Token(token)
