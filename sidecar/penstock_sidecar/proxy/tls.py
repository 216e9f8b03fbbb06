"""TLS towards the server: contexts by mode, and the channel binding that a certificate gives; and failures in words.

Which mode a database wants is in its Database resource. What is spoken is `penstock_entrance.channel`'s.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import ssl
import threading
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm

from penstock_core.resources.database import TlsMode

# What clients complain of in alerts, in OpenSSL's words, begins with this.
_ALERT = "alert "

# What a context was made from: the bytes of the file that a Database names, or how the system's files stood.
_Stamp = tuple[int, int, int]
_Origin = bytes | tuple[_Stamp | None, ...]

# One for each set of settings, of which a gate has as many as Databases, in place of the one before.
_made: dict[tuple[TlsMode, Path | None], tuple[_Origin, ssl.SSLContext]] = {}
_making = threading.Lock()


async def context(mode: TlsMode, ca_file: Path | None) -> ssl.SSLContext | None:
    """The context for a mode, None for plain text. Raises OSError or ssl.SSLError where the CA file is no good.

    It is the same one for all logins until the file is another. Nothing of one connection is in it for the next: host
    names are compared for each, and no session is resumed.
    """
    if mode == "disable":
        return None
    if mode == "require":
        # Nothing is checked, so that there is nothing to read.
        ca_file = None
    # To read the system's certificates takes as long as ten logins.
    return _known(mode, ca_file, _origin(mode, ca_file)) or await asyncio.to_thread(_current, mode, ca_file)


def _current(mode: TlsMode, ca_file: Path | None) -> ssl.SSLContext:
    """Made once, however many logins wait for it."""
    with _making:
        origin = _origin(mode, ca_file)
        known = _known(mode, ca_file, origin)
        if known is not None:
            return known
        made = _new(mode, ca_file)
        if _origin(mode, ca_file) == origin:
            _made[mode, ca_file] = origin, made
        return made


def _known(mode: TlsMode, ca_file: Path | None, origin: _Origin) -> ssl.SSLContext | None:
    made_from, known = _made.get((mode, ca_file), (None, None))
    return known if made_from == origin else None


def _new(mode: TlsMode, ca_file: Path | None) -> ssl.SSLContext:
    if mode == "require":
        made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        made.check_hostname, made.verify_mode = False, ssl.CERT_NONE
    else:
        made = ssl.create_default_context(cafile=ca_file)
        made.check_hostname = mode == "verify-full"
    # What was checked is who it is until the end.
    made.options |= ssl.OP_NO_RENEGOTIATION
    return made


def _origin(mode: TlsMode, ca_file: Path | None) -> _Origin:
    """Another one after each change of what is trusted. Raises OSError."""
    if ca_file is not None:
        return ca_file.read_bytes()
    return () if mode == "require" else tuple(map(_stamp, _system_places()))


def _system_places() -> list[str]:
    """Where the certificates are that are trusted unless a Database says otherwise: a file, and directories."""
    found = ssl.get_default_verify_paths()
    directories = os.environ.get(found.openssl_capath_env, found.openssl_capath)
    return [os.environ.get(found.openssl_cafile_env, found.openssl_cafile), *directories.split(os.pathsep)]


def _stamp(place: str) -> _Stamp | None:
    """Also another one where a link leads elsewhere from then on."""
    try:
        state = Path(place).stat()
    except OSError:
        # It need not be there.
        return None
    return state.st_mtime_ns, state.st_size, state.st_ino


def words(error: ssl.SSLError) -> str:
    """What went wrong, without OpenSSL's own places."""
    return (error.reason or str(error)).replace("_", " ").lower()


def client_trouble(error: ssl.SSLError) -> str:
    """Why a handshake with a client failed, and on which side."""
    reason = words(error)
    ended = f"the client ended it: {reason.partition(_ALERT)[2]}" if _ALERT in reason else reason
    return f"the TLS handshake failed: {ended}"


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
