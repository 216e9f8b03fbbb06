"""A listener's certificate in files: shown to clients, and to new ones the renewed one, without a restart.

What doesn't belong: certificates that come otherwise (control's is followed in its Secret), and beginning TLS
(`guarded_http.py`).
"""

from __future__ import annotations

import asyncio
import ssl
from pathlib import Path

import structlog

_log = structlog.get_logger(__name__)

_LOOK_SECONDS = 10.0


class CertificateFiles:
    """The certificate, with what signed it, and its key."""

    def __init__(self, certificate: Path, key: Path) -> None:
        """Raises OSError, ssl.SSLError."""
        self._certificate, self._key = certificate, key
        self._known = self._stamps()
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.minimum_version = ssl.TLSVersion.TLSv1_2
        self.context.set_alpn_protocols(["http/1.1"])
        self._load(self.context)

    @classmethod
    def of(cls, certificate: Path | None, key: Path | None) -> CertificateFiles | None:
        """None for a listener without TLS. Raises OSError, ssl.SSLError."""
        return cls(certificate, key) if certificate is not None and key is not None else None

    async def follow(self) -> None:
        """Use what is in the files, as it changes; while that can't be used, the last good one."""
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            stamps = self._stamps()
            if stamps == self._known:
                continue
            try:
                # Into another first: half of a pair would spoil the one in use.
                self._load(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER))
                self._load(self.context)
            except (OSError, ssl.SSLError) as error:
                # They may be written one after the other: try again next time.
                _log.warning("renewed TLS files cannot be used yet", why=str(error))
                continue
            self._known = stamps
            _log.info("using the renewed certificate", file=str(self._certificate))

    def _load(self, context: ssl.SSLContext) -> None:
        # Without a passphrase: OpenSSL would ask for it on the terminal.
        context.load_cert_chain(self._certificate, self._key, password="")

    def _stamps(self) -> list[int]:
        return [_stamp(file) for file in (self._certificate, self._key)]


def _stamp(file: Path) -> int:
    try:
        return file.stat().st_mtime_ns
    except OSError:
        # Being replaced at this moment, for one.
        return 0
