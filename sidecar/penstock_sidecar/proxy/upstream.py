"""Connecting to the server: TCP, TLS by mode, logging in with Penstock's own credentials; and cancelling.

The login's messages are `penstock_sidecar.wire.login`'s. No error or log holds a credential.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from penstock_core.resources.database import TlsMode
from penstock_entrance.channel import Channel
from penstock_sidecar.proxy import tls
from penstock_sidecar.session.refusals import fatal
from penstock_sidecar.wire import messages
from penstock_sidecar.wire.login import UNSAFE, Credentials, Greeting, Login, LoginError
from penstock_sidecar.wire.messages import ErrorFields

CONNECT_SECONDS = 15.0
_KEEPALIVE = {"TCP_KEEPIDLE": 60, "TCP_KEEPINTVL": 10, "TCP_KEEPCNT": 6}


class UpstreamError(Exception):
    """There is no session with the server; `fields` is the error for the client."""

    def __init__(self, fields: ErrorFields) -> None:
        super().__init__(fields.message)
        self.fields = fields


@dataclass(frozen=True, slots=True)
class Server:
    """Where the server is and how one logs in to it."""

    host: str
    port: int
    tls: TlsMode
    # A directory with the files `username` and `password`, read again at each connect, as they may be rotated; or what
    # a person gave for one connection.
    credentials: Path | Credentials
    ca_file: Path | None = None
    # Why the credentials must not be used; empty where they may.
    problem: str = ""

    @property
    def place(self) -> str:
        return f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Upstream:
    """A session with the server that is ready for queries. Reading is paused until a protocol takes over."""

    transport: asyncio.Transport
    greeting: Greeting
    # Where it is, and is cancelled.
    server: Server


async def connect(server: Server, parameters: dict[str, str]) -> Upstream:
    """Log in. Raises UpstreamError."""
    if server.problem:
        raise UpstreamError(fatal("08004", server.problem, "give the gate the credentials of that Secret"))
    given = server.credentials
    credentials = read_credentials(given) if isinstance(given, Path) else given
    try:
        async with asyncio.timeout(CONNECT_SECONDS):
            transport, encrypted = await _open(server)
            try:
                trusted = encrypted and server.tls in ("verify-ca", "verify-full")
                greeting = await _log_in(transport, encrypted, trusted, credentials, parameters)
            except BaseException:
                transport.abort()
                raise
    except TimeoutError:
        raise _unreachable(server, f"no answer within {CONNECT_SECONDS:.0f} s") from None
    except LoginError as error:
        raise UpstreamError(_refusal(error.fields, server.tls)) from None
    except (OSError, EOFError) as error:
        raise _unreachable(server, _reason(error)) from None
    return Upstream(transport, greeting, server)


async def cancel(server: Server, pid: int, key: bytes) -> None:
    """Ask the server to cancel what a session runs. That it can't be asked is not an error of anybody here."""
    with contextlib.suppress(UpstreamError, OSError, EOFError, TimeoutError):
        async with asyncio.timeout(CONNECT_SECONDS):
            transport, _ = await _open(server)
            ended = _End()
            transport.set_protocol(ended)
            transport.write(messages.cancel_request(pid, key))
            transport.resume_reading()
            try:
                # The server closes once the signal was sent.
                await ended.closed
            finally:
                transport.abort()


def read_credentials(directory: Path) -> Credentials:
    """What the files say now. Raises UpstreamError."""
    try:
        return Credentials(*((directory / name).read_text().rstrip("\r\n") for name in ("username", "password")))
    except (OSError, UnicodeDecodeError):
        raise UpstreamError(
            fatal("08004", "Penstock's own credentials for the database can't be read", "look at credentialsDir")
        ) from None


def keep_alive(transport: asyncio.BaseTransport) -> None:
    """Notice a peer that vanished, and send small messages at once."""
    connection: socket.socket | None = transport.get_extra_info("socket")
    if connection is None or connection.family not in (socket.AF_INET, socket.AF_INET6):
        return
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for name, value in _KEEPALIVE.items():
        option = getattr(socket, name, None)
        if option is not None:
            connection.setsockopt(socket.IPPROTO_TCP, option, value)


class _End(asyncio.Protocol):
    """Waits for the other side to close."""

    def __init__(self) -> None:
        self.closed: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.closed.done():
            self.closed.set_result(None)


class _Byte(asyncio.Protocol):
    """Waits for the one byte that answers a request for TLS."""

    def __init__(self) -> None:
        self.answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        if not self.answer.done():
            if self._transport is not None:
                self._transport.pause_reading()
            self.answer.set_result(data)

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.answer.done():
            self.answer.set_exception(exc or EOFError("it closed the connection"))


class _Shaking(asyncio.Protocol):
    """Waits for the end of a handshake."""

    def __init__(self) -> None:
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.transport: Channel | None = None

    def shaken(self, _: str | None, error: ssl.SSLError | None) -> None:
        if self.transport is not None:
            self.transport.pause_reading()
        if self.done.done():
            return
        if error is None:
            self.done.set_result(None)
        else:
            self.done.set_exception(error)

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.done.done():
            self.done.set_exception(exc or EOFError("it closed the connection during the TLS handshake"))


class _LoggingIn(asyncio.Protocol):
    """Carries a login's messages."""

    def __init__(self, transport: asyncio.Transport, login: Login) -> None:
        self._transport = transport
        self._login = login
        self.done: asyncio.Future[Greeting] = asyncio.get_running_loop().create_future()

    def data_received(self, data: bytes) -> None:
        self._go_on(lambda: self._login.feed(data))

    def _go_on(self, step: Callable[[], bytes]) -> None:
        if self.done.done():
            return
        try:
            answer = step()
        except LoginError as error:
            self.done.set_exception(error)
            return
        if answer:
            self._transport.write(answer)
        if self._login.due is not None:
            # Beside the loop: the server says how long it takes.
            self._transport.pause_reading()
            work = asyncio.get_running_loop().run_in_executor(None, self._login.due.run)
            work.add_done_callback(self._derived)
        elif self._login.greeting is not None:
            self._transport.pause_reading()
            self.done.set_result(self._login.greeting)

    def _derived(self, work: asyncio.Future[bytes]) -> None:
        if work.cancelled() or self._transport.is_closing():
            return
        self._transport.resume_reading()
        self._go_on(lambda: self._login.done(work.result()))

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.done.done():
            self.done.set_exception(exc or EOFError("it closed the connection"))


async def _open(server: Server) -> tuple[asyncio.Transport, bool]:
    """A connection, encrypted as the mode wants it, that does not read yet. Raises OSError, EOFError, UpstreamError."""
    loop = asyncio.get_running_loop()
    try:
        context = await tls.context(server.tls, server.ca_file)
    except OSError as error:
        raise UpstreamError(
            fatal(
                "08001", f"the CA file for the database can't be used: {_reason(error)}",
                "the Secret of the Database's tls.caSecretRef, or upstreamCaFile, has to hold certificates in PEM",
            )
        ) from None  # fmt: skip
    transport, answered = await loop.create_connection(_Byte, server.host, server.port)
    keep_alive(transport)
    if context is None:
        transport.pause_reading()
        answered.answer.cancel()
        return transport, False
    try:
        transport.write(messages.ssl_request())
        answer = await answered.answer
        if answer == b"N":
            raise UpstreamError(
                fatal("08001", f"the database at {server.place} does not speak TLS, and tls.mode is {server.tls}")
            )
        if answer != b"S":
            # More than the one byte would be read as if it came encrypted.
            raise UpstreamError(fatal("08001", f"what answers at {server.place} is not a PostgreSQL server"))
        return await _encrypt(transport, context, server), True
    except BaseException:
        transport.abort()
        raise


async def _encrypt(transport: asyncio.Transport, context: ssl.SSLContext, server: Server) -> asyncio.Transport:
    waiting = _Shaking()
    channel = Channel(transport, context, waiting, waiting.shaken, server=server.host)
    waiting.transport = channel
    channel.begin()
    transport.resume_reading()
    try:
        await waiting.done
    except ssl.SSLCertVerificationError as error:
        raise UpstreamError(
            fatal("08001", f"the certificate of the database at {server.place} is not accepted: {error.verify_message}")
        ) from None
    except (ssl.SSLError, ConnectionError) as error:
        raise UpstreamError(
            fatal("08001", f"TLS with the database at {server.place} failed: {_reason(error)}")
        ) from None
    return channel


async def _log_in(
    transport: asyncio.Transport, encrypted: bool, trusted: bool, credentials: Credentials, parameters: dict[str, str]
) -> Greeting:
    binding = None
    if encrypted:
        socket_ = transport.get_extra_info("ssl_object")
        binding = tls.end_point_binding(socket_.getpeercert(binary_form=True)) if socket_ is not None else None
    login = Login(credentials, parameters, secrets.token_urlsafe(18), trusted=trusted, binding=binding)
    protocol = _LoggingIn(transport, login)
    transport.set_protocol(protocol)
    if transport.is_closing():
        # Whoever was told is gone by now.
        raise EOFError("it closed the connection")
    transport.write(login.start())
    transport.resume_reading()
    return await protocol.done


def _refusal(fields: ErrorFields, mode: TlsMode) -> ErrorFields:
    """The server's refusal as the client may read it."""
    # Under one SQLSTATE with a role that is not there; the name of the file is the same in every language.
    if fields.sqlstate == "28000" and "pg_hba.conf" in fields.message:
        plain = " without TLS" if mode == "disable" else ""
        way = "set tls.mode of the Database (verify-full), or " if plain else ""
        return fatal(
            "08004",
            f"the database's pg_hba.conf does not let Penstock's login in from here{plain} ({fields.sqlstate})",
            f"{way}add a line for it there; whether the password is right was not asked",
        )  # fmt: skip
    if fields.sqlstate.startswith("28"):
        return fatal(
            "08004", f"the database refused Penstock's own credentials ({fields.sqlstate})",
            "the Secret of the Database's credentialsSecretRef has to hold a valid username and password",
        )  # fmt: skip
    if fields.sqlstate == UNSAFE:
        return fatal(UNSAFE, f"the gate does not log in to this database: {fields.message}")
    return fatal(fields.sqlstate, f"the database refused the connection: {fields.message}")


def _unreachable(server: Server, reason: str) -> UpstreamError:
    return UpstreamError(fatal("08001", f"the database at {server.place} can't be reached: {reason}"))


def _reason(error: BaseException) -> str:
    if isinstance(error, socket.gaierror):
        return "its name does not resolve"
    if isinstance(error, ConnectionRefusedError):
        return "connection refused"
    if isinstance(error, ssl.SSLError):
        return tls.words(error)
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return " ".join(str(error).split()) or type(error).__name__
