"""How a client proves the secret of a ticket: SCRAM-SHA-256, by the same exchange whether there is a ticket or not.

Whether the proof is good is found out elsewhere; when it is asked for, `beginning.py` says. Tokens are `proving.py`'s.
"""

from __future__ import annotations

from penstock_sidecar.session.commands import Challenge, Redeem
from penstock_sidecar.session.proof_messages import ProofMessages, TooLongError, UnexpectedError
from penstock_sidecar.session.proving import Answer, Asked, Failed, Found, unexpected
from penstock_sidecar.session.refusals import fatal
from penstock_sidecar.wire import scram_server
from penstock_sidecar.wire.messages import ErrorFields, MalformedError
from penstock_sidecar.wire.scram_server import BindingError, ScramServer

_UNEXPECTED = "the secret of a ticket was asked for, and something else came"


class TicketProving:
    """One client's exchange."""

    def __init__(self, ticket: str, dbname: str, binding: bytes | None) -> None:
        """`dbname`: the database that the client asks for. `binding`: what tells its encrypted channel from others."""
        self._ticket = ticket
        self._dbname = dbname
        self._messages = ProofMessages(scram_server.LONGEST)
        self._scram = ScramServer(binding)
        self._challenged = False
        self.question = scram_server.offer(binding)

    def receive(self, data: bytes) -> Found | None:
        """Bytes from the client; None: more have to come."""
        try:
            body = self._messages.receive(data)
            return None if body is None else self._read(body)
        except UnexpectedError:
            return unexpected(_UNEXPECTED)
        except TooLongError:
            return unexpected(f"protocol violation: a SCRAM message of more than {scram_server.LONGEST} bytes")
        except MalformedError as error:
            return unexpected(f"protocol violation: {error}")
        except BindingError as error:
            text = f"channel binding failed: {error}"
            return Failed(fatal("28000", text, "see that nothing between client and gate ends TLS"), text)

    def take_rest(self) -> bytes:
        """What the client sent beyond."""
        return self._messages.take_rest()

    def challenged(self, salt: bytes, iterations: int, nonce: str) -> Answer:
        """It is known with what the secret is proved; `nonce` is for this exchange alone."""
        self._challenged = True
        return Answer(self._scram.challenge(salt, iterations, nonce))

    def refuse(self, error: ErrorFields, problem: str) -> Failed:
        """The ticket is not good, or that could not be found out."""
        return Failed(error, problem)

    def _read(self, body: bytes) -> Found:
        if not self._challenged:
            self._scram.read_first(body)
            return Asked(Challenge(self._ticket))
        proof = self._scram.read_last(body)
        return Asked(Redeem(self._ticket, self._dbname, proof.exchange, proof.proof))
