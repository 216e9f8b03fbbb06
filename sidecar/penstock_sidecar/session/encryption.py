"""Whether a client's connection is to be encrypted: what its requests for TLS and GSSAPI are answered with, and whether
a session may begin without.

The handshake itself, certificates and ciphers are `penstock_sidecar.proxy`'s.
"""

from __future__ import annotations

from dataclasses import dataclass

from penstock_sidecar.session.commands import ProxyConfig
from penstock_sidecar.session.refusals import fatal
from penstock_sidecar.wire import messages
from penstock_sidecar.wire.messages import ErrorFields
from penstock_sidecar.wire.startup import DirectTls, GssEncRequest, SslRequest

# The protocol that a client has to name when it begins with TLS at once, so that no other's bytes are taken for it.
ALPN = "postgresql"
_MOST_REQUESTS = 2
_REQUIRED = fatal("28000", "this gate requires an encrypted connection", "set sslmode=require, or verify-full")
# What comes between the request and the handshake was sent by whom? It would be read as if it had come encrypted.
_INJECTED = "unencrypted data followed a request for encryption"
_WITHIN = "encryption was requested, but the connection is encrypted already"


@dataclass(frozen=True, slots=True)
class Answer:
    """What becomes of a request for encryption."""

    data: bytes = b""
    # The handshake begins.
    begins: bool = False
    # The connection ends, with this error where the client can read one; one line for the log.
    error: ErrorFields | None = None
    problem: str = ""


class Encryption:
    """What one client and the gate have agreed on."""

    def __init__(self, config: ProxyConfig) -> None:
        self._config = config
        self._requests = 0
        self._direct = False
        self._established = False

    def answer(self, packet: SslRequest | GssEncRequest | DirectTls, rest: bytes) -> Answer:
        """To a request after which came `rest`."""
        if isinstance(packet, DirectTls):
            return self._begin_at_once()
        if self._established:
            return Answer(error=fatal("08P01", _WITHIN), problem=_WITHIN)
        self._requests += 1
        if self._requests > _MOST_REQUESTS:
            return Answer(problem="a client that asks for encryption again and again")
        if rest:
            return Answer(error=fatal("08P01", _INJECTED), problem=_INJECTED)
        if isinstance(packet, SslRequest) and self._config.tls != "off":
            return Answer(b"S", begins=True)
        return Answer(b"N")

    def _begin_at_once(self) -> Answer:
        if self._config.tls == "off":
            words = "a client that begins with TLS; this listener speaks none (sslmode=disable)"
            return Answer(messages.TLS_REFUSED, problem=words)
        if self._established or self._requests:
            return Answer(messages.TLS_REFUSED, problem="a TLS handshake where none is due")
        self._direct = True
        return Answer(begins=True)

    def establish(self, protocol: str | None) -> str:
        """The handshake is done, with that protocol agreed on by ALPN; what is wrong with it, or nothing."""
        self._established = True
        if self._direct and protocol != ALPN:
            return f"a client that begins with TLS and does not ask for the protocol {ALPN} by ALPN"
        return ""

    @property
    def missing(self) -> ErrorFields | None:
        """Why no session may begin on the connection as it is."""
        return _REQUIRED if self._config.tls == "required" and not self._established else None
