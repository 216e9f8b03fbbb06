"""Logging in to a server, sans-I/O: its bytes in, our answers out, until it is ready for queries or refuses.

Connecting and TLS come before and belong to `penstock_sidecar.proxy`. No error here holds a credential.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

from penstock_sidecar.wire import messages
from penstock_sidecar.wire.framing import FROM_SERVER, BrokenStreamError, Look
from penstock_sidecar.wire.messages import ErrorFields
from penstock_sidecar.wire.scram import MECHANISM, MECHANISM_PLUS, Derivation, ScramClient, ScramError

# No message of a login is long; what sends more is not a server.
_LONGEST = 65536
# Not the server refuses us (class 28) but we will not go on with it.
UNSAFE = "08004"


class LoginError(Exception):
    """The login failed; `fields` is the server's error, or ours in its shape."""

    def __init__(self, fields: ErrorFields) -> None:
        super().__init__(fields.message)
        self.fields = fields


@dataclass(frozen=True, slots=True)
class Credentials:
    """User and password for the server. Never shown: neither part is in the repr."""

    username: str = field(repr=False)
    password: str = field(repr=False)


@dataclass(slots=True)
class Greeting:
    """What a server said by the time it was ready for queries."""

    parameters: dict[str, str] = field(default_factory=dict)
    pid: int = 0
    key: bytes = b""
    # Bytes that came after ReadyForQuery.
    rest: bytes = b""


class Login:
    """One login. `start()` gives the first bytes; each `feed()` gives bytes to send; `greeting` is set at the end.

    Where `due` is set after a `feed()`, that work has to be done, anywhere, and `done()` be told what it came to.
    """

    def __init__(
        self, credentials: Credentials, parameters: dict[str, str], nonce: str, *,
        trusted: bool = False, binding: bytes | None = None,
    ) -> None:  # fmt: skip
        self._credentials = credentials
        self._parameters = parameters
        self._nonce = nonce
        # Whether the connection is encrypted and the server's certificate was checked.
        self._trusted = trusted
        self._binding = binding
        self._scram: ScramClient | None = None
        self._authenticated = False
        self.due: Derivation | None = None
        self._buffer = b""
        self._collected = Greeting()
        self.greeting: Greeting | None = None

    def start(self) -> bytes:
        """The StartupMessage."""
        return messages.startup({"user": self._credentials.username, **self._parameters})

    def feed(self, data: bytes) -> bytes:
        """Take the server's bytes; returns what to send. Raises LoginError."""
        self._buffer += data
        answers = []
        while self.greeting is None and self.due is None and len(self._buffer) >= 5:
            kind, length = self._buffer[0], int.from_bytes(self._buffer[1:5], "big")
            if length < 4 or length > _LONGEST or FROM_SERVER[kind] == Look.UNKNOWN:
                raise _refusal("08P01", "what answers there is not a PostgreSQL server")
            if len(self._buffer) < length + 1:
                break
            body, self._buffer = self._buffer[5 : length + 1], self._buffer[length + 1 :]
            try:
                answers.append(self._message(kind, body))
            except (ScramError, messages.MalformedError, BrokenStreamError) as error:
                raise _refusal(UNSAFE, str(error)) from None
        return b"".join(answers)

    def done(self, salted: bytes) -> bytes:
        """The work that was due has come to this; returns what to send. Raises LoginError."""
        scram, self.due = self._scram, None
        proof = messages.message(b"p", scram.final(salted)) if scram is not None else b""
        return proof + self.feed(b"")

    def _message(self, kind: int, body: bytes) -> bytes:
        if kind == 0x45:  # E
            raise LoginError(messages.read_error(body))
        if kind == 0x52:  # R
            return self._authenticate(int.from_bytes(body[:4], "big"), body[4:])
        if kind == 0x53:  # S
            name, at = messages.read_text(body, 0)
            self._collected.parameters[name] = messages.read_text(body, at)[0]
        elif kind == 0x4B:  # K
            self._collected.pid, self._collected.key = int.from_bytes(body[:4], "big"), body[4:]
        elif kind == 0x5A:  # Z
            if not self._authenticated:
                raise _refusal("08P01", "the server was ready before it authenticated us")
            self._collected.rest, self._buffer = self._buffer, b""
            self.greeting = self._collected
        elif kind != 0x4E:  # N, a notice: not ours to show
            raise _refusal("08P01", f"the server answered the login with a message of type {chr(kind)!r}")
        return b""

    def _authenticate(self, method: int, body: bytes) -> bytes:
        password = self._credentials.password
        if method == 0:
            if self._scram is not None and not self._scram_verified:
                raise ScramError("the server skipped the end of the SCRAM exchange")
            self._authenticated = True
            return b""
        if method == 3:
            if not self._trusted:
                raise _refusal(
                    UNSAFE, "it asks for the password in clear, and no certificate proves whose server it is (tls.mode)"
                )
            return messages.password(password.encode())
        if method == 5:
            return messages.password(md5(self._credentials, body[:4]))
        if method == 10:
            return self._begin_scram(body)
        if method in (11, 12) and self._scram is not None:
            if method == 11:
                work = self._scram.challenged(body)
                if not work.long:
                    return messages.message(b"p", self._scram.final(work.run()))
                self.due = work
                return b""
            self._scram.verify(body)
            self._scram_verified = True
            return b""
        raise _refusal(UNSAFE, f"it asks for authentication method {method}, which Penstock does not speak")

    _scram_verified = False

    def _begin_scram(self, body: bytes) -> bytes:
        offered = body.decode(errors="replace").split("\x00")
        bound = self._binding is not None and MECHANISM_PLUS in offered
        if not bound and MECHANISM not in offered:
            raise _refusal(UNSAFE, "it offers no SASL mechanism that Penstock speaks")
        self._scram = ScramClient(
            self._credentials.password, self._nonce, self._binding if bound else None,
            could_bind=self._binding is not None,
        )  # fmt: skip
        first = self._scram.first()
        name = MECHANISM_PLUS if bound else MECHANISM
        return messages.message(b"p", name.encode() + b"\x00" + len(first).to_bytes(4, "big") + first)


def md5(credentials: Credentials, salt: bytes) -> bytes:
    """The answer to AuthenticationMD5Password."""

    def digest(data: bytes) -> bytes:
        # What the protocol asks for; SCRAM is used wherever the server offers it.
        return hashlib.md5(data, usedforsecurity=False).hexdigest().encode()

    inner = digest(credentials.password.encode() + credentials.username.encode())
    return b"md5" + digest(inner + salt)


def _refusal(sqlstate: str, text: str) -> LoginError:
    return LoginError(ErrorFields("FATAL", sqlstate, text))
