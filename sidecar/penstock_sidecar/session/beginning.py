"""A session before it has a server: encryption, the startup packet, the token.

What a startup packet may say is `opening.py`'s; the events and the session that runs are `machine.py`'s.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

from penstock_core.identity import Identity
from penstock_sidecar.session import commands, opening, refusals
from penstock_sidecar.session.commands import ProxyConfig
from penstock_sidecar.session.encryption import Encryption
from penstock_sidecar.session.flow import Flow
from penstock_sidecar.session.opening import AcceptedStartup
from penstock_sidecar.session.states import State
from penstock_sidecar.wire import messages, startup
from penstock_sidecar.wire.messages import ErrorFields

# The largest token that is read: far more than any issuer makes.
_LONGEST_TOKEN = 32_768


class Beginning(ABC):
    """Reads what a client says first."""

    def __init__(self, config: ProxyConfig, flow: Flow) -> None:
        self._config = config
        self._flow = flow
        self._reader = startup.StartupReader()
        self._encryption = Encryption(config)
        # What the client sent before it can be dealt with.
        self._ahead = b""
        self._opened: AcceptedStartup | None = None
        self.identity = config.workload

    @abstractmethod
    def _break(self, text: str) -> None:
        """End a session whose client keeps to no protocol."""

    @abstractmethod
    def _end(self, error: ErrorFields | None, problem: str = "") -> None:
        """Close; the client reads `error`."""

    @abstractmethod
    def _close(self, problem: str) -> None:
        """Close without a word."""

    def _open(self, data: bytes) -> None:
        flow = self._flow
        while flow.state is State.OPENING:
            packet = self._reader.feed(data)
            data = b""
            if packet is None:
                return
            if isinstance(packet, startup.Startup):
                self._accept(packet)
            elif isinstance(packet, startup.SslRequest | startup.GssEncRequest | startup.DirectTls):
                self._negotiate(packet)
            elif isinstance(packet, startup.CancelRequest):
                flow.commands.append(commands.Cancel(packet.pid, packet.key))
                flow.state = State.CLOSED
            else:
                if packet.http:
                    flow.to_client.append(refusals.HTTP_ANSWER)
                    self._close(packet.reason)
                else:
                    self._end(refusals.fatal("08P01", packet.reason), packet.reason)

    def _negotiate(self, packet: startup.SslRequest | startup.GssEncRequest | startup.DirectTls) -> None:
        flow = self._flow
        answer = self._encryption.answer(packet, self._reader.rest)
        if answer.data:
            flow.to_client.append(answer.data)
        if answer.begins:
            flow.state = State.ENCRYPTING
            flow.commands.append(commands.StartTls(self._reader.take_rest()))
        elif answer.problem:
            self._end(answer.error, answer.problem)

    def _go_on_encrypted(self, protocol: str | None) -> None:
        problem = self._encryption.establish(protocol)
        if problem:
            self._close(problem)
        else:
            self._flow.state = State.OPENING

    def _accept(self, packet: startup.Startup) -> None:
        flow = self._flow
        opened = self._encryption.missing or opening.accept(packet, self._config)
        if isinstance(opened, ErrorFields):
            self._end(opened, opened.message)
            return
        self._opened = opened
        self._ahead = self._reader.rest
        token = self._config.token
        if token == "always" or (token == "asked" and opened.user == "token"):  # noqa: S105 - no secret
            flow.to_client.append(messages.AUTHENTICATION_CLEARTEXT)
            flow.state = State.PROVING
            self._prove()
        else:
            self._connect(self._config.workload)

    def _prove(self) -> None:
        """Read the PasswordMessage that holds the token."""
        data = self._ahead
        if len(data) < 5:
            return
        length = int.from_bytes(data[1:5], "big")
        if data[0] != ord("p") or not 5 <= length <= _LONGEST_TOKEN:
            self._break("a token was asked for, and something else came")
            return
        if len(data) <= length:
            return
        self._ahead = data[length + 1 :]
        token = data[5:length].decode(errors="replace")
        self._flow.state = State.VERIFYING
        self._flow.commands.append(commands.Verify(token))

    def _connect(self, identity: Identity) -> None:
        self.identity = identity
        if self._opened is not None:
            self._flow.state = State.CONNECTING
            self._flow.commands.append(commands.Connect(self._opened.parameters))
