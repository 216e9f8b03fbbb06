"""The certificate that `control` serves with: followed in its Secret, and taken over by the running TLS context.

What doesn't belong: making and renewing it (`penstock_operator.certificates`, or cert-manager with the same Secret).
"""

from __future__ import annotations

import base64
import ssl
import tempfile

import structlog
from cryptography import x509

from penstock_operator.cluster.watch import Json, Key, ObjectChange

_log = structlog.get_logger(__name__)


class ServedCertificate:
    """Follows the Secret. Connections that stand keep the certificate they were made with; new ones get the new one."""

    def __init__(self) -> None:
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.minimum_version = ssl.TLSVersion.TLSv1_2
        self.context.set_alpn_protocols(["http/1.1"])
        # Sidecars begin each stream anew; a ticket is memory for as long as the stream lasts.
        self.context.num_tickets = 0
        # Seconds since 1970; 0 until a certificate is there.
        self.not_after = 0.0

    def replace(self, objects: dict[Key, Json], revision: int) -> None:
        for secret in objects.values():
            self._take(secret)

    def change(self, change: ObjectChange) -> None:
        if change.object is not None:
            self._take(change.object)

    def _take(self, secret: Json) -> None:
        try:
            certificate, key = (base64.b64decode(secret["data"][name]) for name in ("tls.crt", "tls.key"))
            leaf = x509.load_pem_x509_certificate(certificate)
            # Python loads a chain from files only. The file is in /tmp, which no other container shares.
            with tempfile.NamedTemporaryFile(suffix=".pem") as both:
                both.write(certificate + b"\n" + key)
                both.flush()
                self.context.load_cert_chain(both.name)
        except (KeyError, ValueError, ssl.SSLError) as problem:
            # The one before stays in use.
            _log.error("the Secret with our certificate can't be used", problem=f"{type(problem).__name__}: {problem}")
            return
        self.not_after = leaf.not_valid_after_utc.timestamp()
        _log.info("certificate loaded", not_after=leaf.not_valid_after_utc.isoformat())
