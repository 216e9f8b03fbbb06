"""Files of tokens: each line the SHA-256 of a token and the name it stands for. The tokens themselves are in no file.

What doesn't belong: what a name may do.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import time
from pathlib import Path

import structlog

_log = structlog.get_logger(__name__)

_LINE = re.compile(r"(?:sha256:)?(?P<hash>[0-9a-fA-F]{64})\s+(?P<name>\S+)")
_CHECK_EVERY_SECONDS = 1.0


class TokenFileError(ValueError):
    """A token file that cannot be read; the message names file and line."""


def fingerprint(token: str) -> str:
    """What stands for a token where the token must not be."""
    return hashlib.sha256(token.encode()).hexdigest()


class TokenFile:
    """A token file, read again when it changes. `#` begins a comment."""

    def __init__(self, path: Path) -> None:
        """Raises TokenFileError."""
        self._path = path
        self._names, self._stamp = _read(path)
        self._checked = time.monotonic()

    def names(self, token: str) -> list[str]:
        """What the token stands for; empty if it is not in the file."""
        return self.names_of(fingerprint(token))

    def names_of(self, sought: str) -> list[str]:
        """The same for a token of which only the fingerprint is known."""
        self._refresh()
        # All lines are compared, so that the time it takes tells nothing.
        return [name for hash_, name in self._names if hmac.compare_digest(hash_, sought)]

    def _refresh(self) -> None:
        if time.monotonic() - self._checked < _CHECK_EVERY_SECONDS:
            return
        self._checked = time.monotonic()
        try:
            if _stamp(self._path) != self._stamp:
                self._names, self._stamp = _read(self._path)
        except (OSError, TokenFileError) as error:
            # The last good content goes on; a broken edit must not lock everybody out.
            _log.warning(
                "token file cannot be read again; its last content counts", file=str(self._path), why=str(error)
            )


def _stamp(path: Path) -> tuple[int, int, int]:
    status = path.stat()
    return status.st_mtime_ns, status.st_ino, status.st_size


def _read(path: Path) -> tuple[list[tuple[str, str]], tuple[int, int, int]]:
    try:
        stamp = _stamp(path)
        text = path.read_text()
    except OSError as error:
        raise TokenFileError(f"token file {path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise TokenFileError(f"token file {path} is not text") from None
    names = []
    for number, line in enumerate(text.splitlines(), start=1):
        content = line.partition("#")[0].strip()
        if not content:
            continue
        match = _LINE.fullmatch(content)
        if match is None:
            raise TokenFileError(f"token file {path}, line {number}: not `<sha256 of the token, 64 hex digits> <name>`")
        names.append((match["hash"].lower(), match["name"]))
    return names, stamp
