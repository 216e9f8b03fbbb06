"""A session before it has a server: encryption, the startup packet, the token.

What a startup packet may say is `opening.py`'s, a session that has a server `running.py`'s.
"""

from __future__ import annotations

from collections.abc import Mapping

from penstock_core.identity import Identity
from penstock_core.tickets.ticket import is_name
from penstock_sidecar.session import commands, opening, refusals
from penstock_sidecar.session.choosing import SessionDatabase
from penstock_sidecar.session.commands import Close, ProxyConfig, SessionInfo
from penstock_sidecar.session.door import Door
from penstock_sidecar.session.encryption import Encryption
from penstock_sidecar.session.login import Login
from penstock_sidecar.session.opening import AcceptedStartup
from penstock_sidecar.session.progress import Progress
from penstock_sidecar.session.proving import Answer, Asked, Failed, Found, Proving
from penstock_sidecar.session.states import State
from penstock_sidecar.session.ticket_proving import TicketProving
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
        # What tells the encrypted channel from others.
        self._binding: bytes | None = None
        # While, and since, it is asked for a token, or for the secret of a ticket.
        self._proving: Proving | TicketProving | None = None

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
        self.progress.commands.append(Close(self.login.without_values(problem)))
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

    def encrypted(self, protocol: str | None, binding: bytes | None) -> None:
        """The TLS handshake is done."""
        self._binding = binding
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
        proving = self._proving = self._asks(opened)
        if proving is None:
            self.connect(self._config.workload)
            return
        progress.to_client.append(proving.question)
        progress.enter(State.PROVING)
        self._prove_ahead()

    def _asks(self, opened: AcceptedStartup) -> Proving | TicketProving | None:
        """What the client has to prove itself by, if it has to."""
        config = self._config
        if config.token != "never" and is_name(opened.user):  # noqa: S105 - no secret
            return TicketProving(opened.user, opened.dbname, self._binding)
        if config.token == "always" or (config.token == "asked" and opened.user == "token"):  # noqa: S105 - likewise
            return Proving(opened.login or config.login, config.source)
        return None

    def _prove(self, data: bytes) -> None:
        """Read what is to hold the token, or prove the ticket."""
        if self._proving is not None:
            self._judge(self._proving, self._proving.receive(data))

    def _prove_ahead(self) -> None:
        """Go on with what came before it was asked for."""
        if self.progress.state is State.PROVING:
            ahead, self.ahead = self.ahead, b""
            self._prove(ahead)

    def _judge(self, proving: Proving | TicketProving, found: Found | None) -> None:
        progress = self.progress
        if isinstance(found, Asked):
            self.ahead = proving.take_rest()
            progress.enter(State.VERIFYING)
            progress.commands.append(found.command)
        elif isinstance(found, Failed):
            if not found.problem:
                # It only asked where tokens come from: that is no login.
                self.login.asked = None
            self.end(found.error, found.problem)
        elif isinstance(found, Answer):
            progress.to_client.append(found.data)

    def challenged(self, salt: bytes, iterations: int, nonce: str) -> None:
        """It is known with what the secret of the ticket is proved."""
        proving = self._proving
        if isinstance(proving, TicketProving):
            self.progress.enter(State.PROVING)
            self._judge(proving, proving.challenged(salt, iterations, nonce))
            self._prove_ahead()

    def refused(self, reason: str, remedy: str, claimed: Mapping[str, str], sqlstate: str) -> None:
        """The token or ticket is not good."""
        error = refusals.fatal(sqlstate, reason, remedy)
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
        self._prove_ahead()

    def connect(self, identity: Identity, said: bytes = b"", bound_to: str = "") -> None:
        """It is known who the client is; it is told that by the message `said`, if there is one. `bound_to`: the
        Database that its ticket is for.
        """
        self.identity = self.login.identity = identity
        self.login.by_ticket = isinstance(self._proving, TicketProving)
        if self.accepted is None:
            return
        if self._config.choose is not None:
            # A ticket says which of several is meant that have one name.
            chosen = self._config.choose(bound_to or self.accepted.dbname, identity)
            if isinstance(chosen, ErrorFields):
                self.end(chosen, chosen.message)
                return
            self.database = chosen
            self.login.database, self.login.dbname = chosen.name, chosen.dbname
        if bound_to and self.database.name != bound_to:
            text = f"the ticket is for database {bound_to}"
            self.end(refusals.fatal("28000", text, "connect to the database that it was made for"), text)
            return
        if said:
            self.progress.to_client.append(said)
        self.progress.enter(State.CONNECTING)
        self.progress.commands.append(commands.Connect(self.accepted.parameters))
