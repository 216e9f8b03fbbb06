"""TLS towards the server: contexts by mode, and the channel binding that a certificate gives.

Which mode a database wants is in its Database resource. TLS towards clients is `channel.py`'s.
"""

from __future__ import annotations

import hashlib
import ssl
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm

from penstock_core.resources.database import TlsMode


def context(mode: TlsMode, ca_file: Path | None) -> ssl.SSLContext | None:
    """The context for a mode, None for plain text. Raises OSError or ssl.SSLError where the CA file is no good."""
    if mode == "disable":
        return None
    made = ssl.create_default_context(cafile=ca_file if mode in ("verify-ca", "verify-full") else None)
    if mode != "verify-full":
        made.check_hostname = False
    if mode == "require":
        made.verify_mode = ssl.CERT_NONE
    return made


def end_point_binding(certificate: bytes | None) -> bytes | None:
    """The tls-server-end-point binding of a server certificate in DER (RFC 5929), where its algorithm defines one."""
    if not certificate:
        return None
    try:
        algorithm = x509.load_der_x509_certificate(certificate).signature_hash_algorithm
    except (ValueError, UnsupportedAlgorithm):
        return None
    if algorithm is None:
        return None
    name = "sha256" if algorithm.name in ("md5", "sha1") else algorithm.name
    return hashlib.new(name, certificate).digest()
