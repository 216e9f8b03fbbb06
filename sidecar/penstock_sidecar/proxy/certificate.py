"""The certificate that the gate shows to its clients: from files, read again when they change, or made by itself.

What is spoken with it is `penstock_entrance.channel`'s; TLS towards the database is `tls.py`'s.
"""

from __future__ import annotations

import hashlib
import ipaddress
import os
import socket
import ssl
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import structlog
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from penstock_sidecar.proxy.tls import end_point_binding, words
from penstock_sidecar.session.encryption import ALPN

_log = structlog.get_logger(__name__)

_LIFE = timedelta(days=365)
_RENEWED_BEFORE = timedelta(days=30)
_ANYWHERE = {"", "0.0.0.0", "::"}  # noqa: S104 - nothing listens here


class CertificateError(ValueError):
    """There is no certificate that could be shown; the text names the file and says what is wrong with it."""


@dataclass(frozen=True, slots=True)
class SelfMade:
    """For whom a certificate is made, with names and addresses that this machine is reached by."""

    names: frozenset[str]

    @classmethod
    def for_hosts(cls, names: Iterable[str]) -> SelfMade:
        """For loopback, this machine's name, and these: addresses listened on, and further names."""
        return cls(frozenset({"localhost", "127.0.0.1", "::1", socket.gethostname(), *names} - _ANYWHERE))

    def fits(self, certificate: Path, key: Path, now: datetime) -> bool:
        """Whether what is there will do for a while."""
        try:
            there = x509.load_pem_x509_certificate(certificate.read_bytes())
            told = there.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        except (OSError, ValueError, x509.ExtensionNotFound):
            return False
        soon = now + _RENEWED_BEFORE
        return key.exists() and there.not_valid_after_utc > soon and set(told) == set(self._alternatives())

    def make(self, certificate: Path, key: Path, now: datetime) -> None:
        """Write a new key and a certificate for it. Raises OSError."""
        private = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "penstock gate")])
        made = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(subject)
            .public_key(private.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(hours=1))
            .not_valid_after(now + _LIFE)
            .add_extension(x509.SubjectAlternativeName(self._alternatives()), critical=False)
            # Whoever trusts it trusts this one gate: its key can sign no other's certificate.
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
            .sign(private, hashes.SHA256())
        )
        secret = private.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        _write(key, secret, 0o600)
        _write(certificate, made.public_bytes(serialization.Encoding.PEM), 0o644)

    def _alternatives(self) -> list[x509.GeneralName]:
        found: list[x509.GeneralName] = []
        for name in sorted(self.names):
            try:
                found.append(x509.IPAddress(ipaddress.ip_address(name)))
            except ValueError:
                if name.isascii():
                    found.append(x509.DNSName(name))
        return found


class Certificate:
    """Certificate and key of one listener, as TLS contexts for its handshakes."""

    def __init__(
        self, certificate: Path, key: Path, own: SelfMade | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:  # fmt: skip
        self._certificate = certificate
        self._key = key
        self._own = own
        self._now = now
        # Of what the files held when they were read last.
        self._digest = b""
        # What was said of them last.
        self._told = ""
        self._context: ssl.SSLContext | None = None
        # What tells a channel with this certificate from others: of the context that was given last.
        self.binding: bytes | None = None
        self._renewal = now()

    def context(self) -> ssl.SSLContext:
        """By the files as they are now; by the last good ones where they are not. Raises CertificateError."""
        try:
            if self._own is not None and self._now() >= self._renewal:
                self._renew(self._own)
            digest = b"".join(hashlib.sha256(path.read_bytes()).digest() for path in (self._certificate, self._key))
            self._told = ""
            if digest != self._digest:
                self._digest = digest
                self._context = self._load()
        except OSError as error:
            self._fall_back(f"tls: {error.filename or self._certificate}: {error.strerror or error}")
        except ValueError as error:
            self._fall_back(f"tls: {error}")
        if self._context is None:
            raise CertificateError("tls: there is no certificate")
        return self._context

    def _fall_back(self, trouble: str) -> None:
        if self._context is None:
            raise CertificateError(trouble)
        if trouble != self._told:
            self._told = trouble
            _log.warning(trouble, kept="the last good certificate")

    def _renew(self, own: SelfMade) -> None:
        now = self._now()
        self._renewal = now + timedelta(days=1)
        if not own.fits(self._certificate, self._key, now):
            own.make(self._certificate, self._key, now)

    def _load(self) -> ssl.SSLContext:
        made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        made.minimum_version = ssl.TLSVersion.TLSv1_2
        made.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION
        # Sessions are long: nobody need resume them. OpenSSL lets clients of TLS 1.2 do so by a session's number; that
        # says nothing of who they are, and their key exchange was with this certificate.
        made.num_tickets = 0
        made.options |= ssl.OP_NO_TICKET
        made.set_alpn_protocols([ALPN])
        try:
            # Without a passphrase: OpenSSL would ask for it on the terminal.
            made.load_cert_chain(self._certificate, self._key, password="")
            leaf = x509.load_pem_x509_certificate(self._certificate.read_bytes())
        except ssl.SSLError as error:
            raise ValueError(f"{self._certificate} and {self._key} can't be used: {words(error)}") from None
        except ValueError:
            raise ValueError(f"{self._certificate} and {self._key} can't be used: no certificate in PEM") from None
        expires = leaf.not_valid_after_utc
        self.binding = end_point_binding(leaf.public_bytes(serialization.Encoding.DER))
        say = _log.warning if expires <= self._now() else _log.info
        say("certificate for clients", file=str(self._certificate), expires=expires.isoformat())
        return made


def _write(path: Path, data: bytes, mode: int) -> None:
    """In one step, readable by those alone who may."""
    new = path.with_name(f"{path.name}.new")
    new.unlink(missing_ok=True)
    with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:  # noqa: PTH123 - with its mode
        file.write(data)
    new.replace(path)
