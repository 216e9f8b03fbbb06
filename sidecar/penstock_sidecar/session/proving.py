"""How a client presents its token: as a password, or by SASL OAUTHBEARER. What is asked for, and what its answers mean.

Whether the token is good is found out elsewhere; when it is asked for, `beginning.py` says. Tickets are
`ticket_proving.py`'s.
"""

from __future__ import annotations

from typing import NamedTuple

from penstock_sidecar.session.commands import Challenge, LoginMethod, Redeem, TokenSource, Verify
from penstock_sidecar.session.proof_messages import ProofMessages, TooLongError, UnexpectedError
from penstock_sidecar.session.refusals import fatal
from penstock_sidecar.wire import messages, oauthbearer
from penstock_sidecar.wire.messages import ErrorFields, MalformedError

# The largest token that is read: far more than any issuer makes.
LONGEST_TOKEN = 32_768
# What may come with it in one message.
_AROUND = {"password": 1, "oauthbearer": 1_020}
_UNEXPECTED = "a token was asked for, and something else came"


class Asked(NamedTuple):
    """Whether what the client presented is good, the runtime finds out."""

    command: Verify | Challenge | Redeem


class Answer(NamedTuple):
    """The client is to be sent this, and answers in its turn."""

    data: bytes


class Failed(NamedTuple):
    """The client proved nothing; one line for the log, if it is worth one."""

    error: ErrorFields
    problem: str = ""


Found = Asked | Answer | Failed


def unexpected(text: str) -> Failed:
    """The client does not keep to what it was asked for."""
    return Failed(fatal("08P01", text), text)


class Proving:
    """One client's exchange."""

    def __init__(self, method: LoginMethod, source: TokenSource) -> None:
        self._method = method
        self._source = source
        self._messages = ProofMessages(LONGEST_TOKEN + _AROUND[method])
        # Why it failed, once it was told so and has to acknowledge it.
        self._failed: Failed | None = None

    @property
    def question(self) -> bytes:
        """The message that asks for a token."""
        return messages.AUTHENTICATION_CLEARTEXT if self._method == "password" else oauthbearer.offer()

    def receive(self, data: bytes) -> Found | None:
        """Bytes from the client; None: more have to come."""
        try:
            body = self._messages.receive(data)
        except UnexpectedError:
            return unexpected(_UNEXPECTED)
        except TooLongError:
            text = f"the token is longer than {LONGEST_TOKEN} bytes"
            return Failed(fatal("28P01", text, "have the issuer put less into it"), text)
        return None if body is None else self._read(body)

    def take_rest(self) -> bytes:
        """What the client sent beyond."""
        return self._messages.take_rest()

    def refuse(self, error: ErrorFields, problem: str) -> Answer | Failed:
        """The token is not good: by OAUTHBEARER, the client first has to acknowledge it."""
        failed = Failed(error, problem)
        if self._method == "password":
            return failed
        self._failed = failed
        return Answer(oauthbearer.challenge(self._source.configuration, self._source.scope))

    def _read(self, body: bytes) -> Found:
        if self._failed is not None:
            return self._failed if body == oauthbearer.ACKNOWLEDGEMENT else unexpected(_UNEXPECTED)
        if self._method == "password":
            if not body.endswith(b"\x00"):
                return unexpected(_UNEXPECTED)
            return Asked(Verify(body[:-1].decode(errors="replace")))
        try:
            token = oauthbearer.read_initial(body)
        except MalformedError as error:
            return unexpected(f"protocol violation: {error}")
        if token is None:
            return self.refuse(fatal("28000", "no token was presented", "get one from the issuer"), "")
        return Asked(Verify(token))
