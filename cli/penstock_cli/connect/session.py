"""One session with a gate by a token, as long as it takes to ask for a ticket; each trouble is one line.

What doesn't belong: the token (`login/kept.py`), what the ticket is for (`command.py`).
"""

from __future__ import annotations

import secrets
import socket
import ssl
from pathlib import Path
from typing import NamedTuple

from penstock_cli.client_settings import GateSettings
from penstock_cli.failures import Unusable
from penstock_cli.terminal_text import printable
from penstock_sidecar.wire import messages
from penstock_sidecar.wire.login import Credentials, Login, LoginError
from penstock_sidecar.wire.messages import ErrorFields, MalformedError

_SECONDS = 20.0
_MOST = 65_536


class Ticket(NamedTuple):
    """What the gate gives: good for one session."""

    user: str
    password: str
    expires: str


def ticket(gate: GateSettings, ca_file: Path | None, database: str, user: str, token: str) -> Ticket:
    """A ticket of whom the token names. Raises Unusable."""
    try:
        with socket.create_connection((gate.host, gate.port), timeout=_SECONDS) as plain:
            if gate.tls == "disable":
                return _asked(plain, gate, database, user, token)
            with _encrypted(plain, gate, ca_file) as channel:
                return _asked(channel, gate, database, user, token)
    except TimeoutError:
        raise Unusable(f"the gate {gate.place} does not answer in time") from None
    except socket.gaierror:
        raise Unusable(f"the gate {gate.place} is not known by that name") from None
    except (OSError, EOFError) as error:
        words = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise Unusable(f"the gate {gate.place} cannot be reached: {words}") from None


def _encrypted(plain: socket.socket, gate: GateSettings, ca_file: Path | None) -> ssl.SSLSocket:
    try:
        context = ssl.create_default_context(cafile=ca_file)
    except (OSError, ssl.SSLError) as error:
        raise Unusable(f"{ca_file}: {getattr(error, 'strerror', None) or error}") from None
    plain.sendall(messages.ssl_request())
    if plain.recv(1) != b"S":
        raise Unusable(f"what answers at {gate.place} speaks no TLS: is it a gate?")
    try:
        return context.wrap_socket(plain, server_hostname=gate.host)
    except ssl.SSLCertVerificationError as error:
        raise Unusable(
            f"the certificate of the gate {gate.place} is not trusted: {error.verify_message}"
            " (give the authority that signed it by --ca-file, or caFile in config.yaml)"
        ) from None
    except ssl.SSLError as error:
        raise Unusable(f"TLS with {gate.place} fails: {(error.reason or str(error)).lower()}") from None


def _asked(connection: socket.socket, gate: GateSettings, database: str, user: str, token: str) -> Ticket:
    # The channel is verified, or does not leave this machine.
    login = Login(Credentials(user, token), {"database": database, "application_name": "penstock connect"},
                  secrets.token_urlsafe(18), trusted=True)  # fmt: skip
    try:
        connection.sendall(login.start())
        while login.greeting is None:
            connection.sendall(login.feed(_received(connection)))
            if login.due is not None:
                connection.sendall(login.done(login.due.run()))
        connection.sendall(messages.query("SHOW penstock.ticket"))
        values = _row(connection, login.greeting.rest)
        connection.sendall(messages.TERMINATE)
    except LoginError as error:
        raise _refused(gate, error.fields) from None
    except MalformedError:
        values = []
    if len(values) != 3 or not all(values):
        raise Unusable(f"what answers at {gate.place} is no gate that has tickets")
    return Ticket(*((value or b"").decode("ascii", "replace") for value in values))


def _received(connection: socket.socket) -> bytes:
    data = connection.recv(_MOST)
    if not data:
        raise EOFError("it closed the connection")
    return data


def _row(connection: socket.socket, data: bytes) -> list[bytes | None]:
    """The values of the one row that is answered. Raises LoginError where an error is, and MalformedError."""
    values: list[bytes | None] = []
    while True:
        while len(data) < 5 or len(data) < int.from_bytes(data[1:5], "big") + 1:
            data += _received(connection)
            if len(data) > _MOST:
                raise MalformedError("an answer that is too long")
        length = int.from_bytes(data[1:5], "big")
        kind, body, data = data[:1], data[5 : length + 1], data[length + 1 :]
        if length < 4:
            raise MalformedError("a message of the wrong length")
        if kind == b"E":
            raise LoginError(messages.read_error(body))
        if kind == b"D":
            values = messages.read_row(body)
        elif kind == b"Z":
            return values


def _refused(gate: GateSettings, fields: ErrorFields) -> Unusable:
    said = printable(fields.message.removeprefix("penstock: "))
    if "penstock.ticket" in fields.message and fields.sqlstate == "42704":
        return Unusable(f"what answers at {gate.place} is no gate: it is the database itself")
    hint = f" ({printable(fields.hint)})" if fields.hint else ""
    return Unusable(f"the gate {gate.place} refuses: {said}{hint}")
