"""A session before it has a server: encryption, the startup packet, the token.

What a startup packet may say is `opening.py`'s, a session that has a server `running.py`'s.
"""

from __future__ import annotations

from collections.abc import Mapping

from penstock_core.identity import Identity
from penstock_sidecar.session import commands, opening, refusals
from penstock_sidecar.session.choosing import SessionDatabase
from penstock_sidecar.session.commands import Close, ProxyConfig, SessionInfo
from penstock_sidecar.session.door import Door
from penstock_sidecar.session.encryption import Encryption
from penstock_sidecar.session.login import Login
from penstock_sidecar.session.opening import AcceptedStartup
from penstock_sidecar.session.progress import Progress
from penstock_sidecar.session.proving import Answer, Failed, Proving, Token
from penstock_sidecar.session.states import State
from penstock_sidecar.wire import messages, startup
from penstock_sidecar.wire.messages import ErrorFields

# How much a client may send ahead while it is being logged in.
_MOST_AHEAD = 1 << 20


class Beginning:
    """Reads what a client says first."""

    def __init__(self, config: ProxyConfig, own: SessionInfo, door: Door) -> None:
        self._config = config
        # The one that the session is with; without names until the client has chosen.
        self.database = SessionDatabase(config.database, config.dbname, door)
        self.login = Login(own.session, own.address, config.database, config.dbname)
        self.progress = Progress()
        self._reader = startup.StartupReader()
        self._encryption = Encryption(config)
        # What the client sent before it can be dealt with.
        self.ahead = b""
        self.accepted: AcceptedStartup | None = None
        self.identity = config.workload
        # While, and since, it is asked for a token.
        self._proving: Proving | None = None

    def receive(self, data: bytes) -> None:
        """Bytes from the client."""
        state = self.progress.state
        if state is State.OPENING:
            self._open(data)
            return
        if state is State.PROVING:
            self._prove(data)
            return
        self.ahead += data
        if len(self.ahead) > _MOST_AHEAD:
            self.violated("too much was sent before the session was ready")

    def violated(self, text: str) -> None:
        """End a session whose client keeps to no protocol."""
        self.end(refusals.fatal("08P01", text), text)

    def end(self, error: ErrorFields | None, problem: str = "", policy: str = "") -> None:
        """Close; the client reads `error`, unless it takes everything for the handshake's."""
        if error is not None:
            self.refuse(error, policy)
            if self.progress.state is not State.ENCRYPTING:
                self.progress.to_client.append(messages.error_response(error))
        self.close(problem)

    def refuse(self, error: ErrorFields, policy: str = "") -> None:
        """Record that the login is refused, once."""
        if (body := self.login.refused(error, policy)) is not None:
            self.progress.commands.append(commands.Record(0, [body], report=False))

    def close(self, problem: str) -> None:
        """Close without a word."""
        self.progress.commands.append(Close(problem))
        self.progress.enter(State.CLOSED)

    def _open(self, data: bytes) -> None:
        progress = self.progress
        while progress.state is State.OPENING:
            packet = self._reader.feed(data)
            data = b""
            if packet is None:
                return
            if isinstance(packet, startup.Startup):
                self._accept(packet)
            elif isinstance(packet, startup.SslRequest | startup.GssEncRequest | startup.DirectTls):
                self._negotiate(packet)
            elif isinstance(packet, startup.CancelRequest):
                progress.commands.append(commands.Cancel(packet.pid, packet.key))
                progress.enter(State.CLOSED)
            else:
                if packet.http:
                    progress.to_client.append(refusals.HTTP_ANSWER)
                    self.close(packet.reason)
                else:
                    self.end(refusals.fatal("08P01", packet.reason), packet.reason)

    def _negotiate(self, packet: startup.SslRequest | startup.GssEncRequest | startup.DirectTls) -> None:
        progress = self.progress
        answer = self._encryption.answer(packet, self._reader.rest)
        if answer.data:
            progress.to_client.append(answer.data)
        if answer.begins:
            progress.enter(State.ENCRYPTING)
            progress.commands.append(commands.StartTls(self._reader.take_rest()))
        elif answer.problem:
            self.end(answer.error, answer.problem)

    def encrypted(self, protocol: str | None) -> None:
        """The TLS handshake is done."""
        problem = self._encryption.establish(protocol)
        if problem:
            self.close(problem)
        else:
            self.progress.enter(State.OPENING)

    def _accept(self, packet: startup.Startup) -> None:
        progress = self.progress
        self.login.asked = packet.parameters
        opened = self._encryption.missing or opening.accept(packet, self._config)
        if isinstance(opened, ErrorFields):
            self.end(opened, opened.message)
            return
        self.accepted = opened
        self.login.application = opened.application
        self.ahead = self._reader.rest
        token = self._config.token
        if token == "always" or (token == "asked" and opened.user == "token"):  # noqa: S105 - no secret
            self._proving = Proving(opened.login or self._config.login, self._config.source)
            progress.to_client.append(self._proving.question)
            progress.enter(State.PROVING)
            ahead, self.ahead = self.ahead, b""
            self._prove(ahead)
        else:
            self.connect(self._config.workload)

    def _prove(self, data: bytes) -> None:
        """Read what is to hold the token."""
        if self._proving is not None:
            self._judge(self._proving, self._proving.receive(data))

    def _judge(self, proving: Proving, found: Token | Answer | Failed | None) -> None:
        progress = self.progress
        if isinstance(found, Token):
            self.ahead, proving.rest = proving.rest, b""
            progress.enter(State.VERIFYING)
            progress.commands.append(commands.Verify(found.text))
        elif isinstance(found, Failed):
            if not found.problem:
                # It only asked where tokens come from: that is no login.
                self.login.asked = None
            self.end(found.error, found.problem)
        elif isinstance(found, Answer):
            progress.to_client.append(found.data)

    def refused(self, reason: str, remedy: str, claimed: Mapping[str, str]) -> None:
        """The token is not good."""
        error = refusals.fatal("28P01", reason, remedy)
        self.login.claimed = claimed
        # At once: by OAUTHBEARER, whether it acknowledges that is the client's affair.
        self.refuse(error)
        if self._proving is None:
            self.end(error, reason)
            return
        found = self._proving.refuse(error, reason)
        if isinstance(found, Answer):
            self.progress.enter(State.PROVING)
        self._judge(self._proving, found)
        if self.progress.state is State.PROVING:
            ahead, self.ahead = self.ahead, b""
            self._prove(ahead)

    def connect(self, identity: Identity) -> None:
        """It is known who the client is."""
        self.identity = self.login.identity = identity
        if self.accepted is None:
            return
        if self._config.choose is not None:
            chosen = self._config.choose(self.accepted.dbname, identity)
            if isinstance(chosen, ErrorFields):
                self.end(chosen, chosen.message)
                return
            self.database = chosen
            self.login.database, self.login.dbname = chosen.name, chosen.dbname
        self.progress.enter(State.CONNECTING)
        self.progress.commands.append(commands.Connect(self.accepted.parameters))
