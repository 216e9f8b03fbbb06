"""TLS towards the server: contexts by mode, and the channel binding that a certificate gives.

Which mode a database wants is in its Database resource. TLS towards clients is `channel.py`'s.
"""

from __future__ import annotations

import hashlib
import ssl
from functools import lru_cache
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm

from penstock_core.resources.database import TlsMode
from penstock_sidecar.proxy.file_stamps import Stamp, stamp_of


def context(mode: TlsMode, ca_file: Path | None) -> ssl.SSLContext | None:
    """The context for a mode, None for plain text. Raises OSError or ssl.SSLError where the CA file is no good.

    It is the same one until the file is another: to read the system's takes as long as ten logins.
    """
    if mode == "disable":
        return None
    if mode == "require":
        return _made(mode, None, ())
    return _made(mode, ca_file, tuple(map(stamp_of, _system_files() if ca_file is None else [ca_file])))


# A gate has a few Databases, which may be changed.
@lru_cache(maxsize=128)
def _made(mode: TlsMode, ca_file: Path | None, _: tuple[Stamp, ...]) -> ssl.SSLContext:
    if mode == "require":
        # Nothing is checked, so that there is nothing to read.
        unchecked = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        unchecked.check_hostname, unchecked.verify_mode = False, ssl.CERT_NONE
        return unchecked
    made = ssl.create_default_context(cafile=ca_file)
    made.check_hostname = mode == "verify-full"
    return made


def _system_files() -> list[Path]:
    """Where the certificates are that are trusted unless a Database says otherwise."""
    found = ssl.get_default_verify_paths()
    return [Path(name) for name in (found.cafile, found.capath) if name is not None]


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
