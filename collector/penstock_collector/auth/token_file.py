"""Files of tokens: each line the SHA-256 of a token and the name it stands for. The tokens themselves are in no file.

A line of a viewer may say more behind the name: `groups=dba,owners`, `kind=agent`, `also=ada@shop.example`,
`roles=viewer`. What doesn't belong: what a name, group or role may do.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import time
from dataclasses import dataclass
from pathlib import Path

import structlog

from penstock_collector.auth.roles import ALL, Role
from penstock_core.identity import PrincipalKind

_log = structlog.get_logger(__name__)

_LINE = re.compile(r"(?:sha256:)?(?P<hash>[0-9a-fA-F]{64})\s+(?P<name>\S{1,253})(?P<more>(?:\s+\S+)*)")
_KINDS: dict[str, PrincipalKind] = {"person": "person", "agent": "agent", "service": "service"}
_CHECK_EVERY_SECONDS = 1.0


class TokenFileError(ValueError):
    """A token file that cannot be read; the message names file and line."""


def fingerprint(token: str) -> str:
    """What stands for a token where the token must not be."""
    return hashlib.sha256(token.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Entry:
    """Whom a token stands for."""

    name: str
    kind: PrincipalKind = "person"
    groups: frozenset[str] = frozenset()
    # Other names of theirs, by which they may stand in what others recorded.
    also: frozenset[str] = frozenset()
    roles: frozenset[Role] = ALL


class TokenFile:
    """A token file, read again when it changes. `#` begins a comment."""

    def __init__(self, path: Path, *, names_only: bool = True) -> None:
        """With `names_only`, a line that says more than a name is wrong. Raises TokenFileError."""
        self._path = path
        self._names_only = names_only
        self._entries, self._stamp = _read(path, names_only=names_only)
        self._checked = time.monotonic()

    def names(self, token: str) -> list[str]:
        """What the token stands for; empty if it is not in the file."""
        return [entry.name for entry in self.entries_of(fingerprint(token))]

    def entries(self) -> list[Entry]:
        """Whom the file knows."""
        self._refresh()
        return [entry for _, entry in self._entries]

    def entries_of(self, sought: str) -> list[Entry]:
        """All that is said of a token of which only the fingerprint is known."""
        self._refresh()
        # All lines are compared, so that the time it takes tells nothing.
        return [entry for hash_, entry in self._entries if hmac.compare_digest(hash_, sought)]

    def _refresh(self) -> None:
        if time.monotonic() - self._checked < _CHECK_EVERY_SECONDS:
            return
        self._checked = time.monotonic()
        try:
            if _stamp(self._path) != self._stamp:
                self._entries, self._stamp = _read(self._path, names_only=self._names_only)
        except (OSError, TokenFileError) as error:
            # The last good content goes on; a broken edit must not lock everybody out.
            _log.warning(
                "token file cannot be read again; its last content counts", file=str(self._path), why=str(error)
            )


def _stamp(path: Path) -> tuple[int, int, int]:
    status = path.stat()
    return status.st_mtime_ns, status.st_ino, status.st_size


def _read(path: Path, *, names_only: bool) -> tuple[list[tuple[str, Entry]], tuple[int, int, int]]:
    try:
        stamp = _stamp(path)
        text = path.read_text()
    except OSError as error:
        raise TokenFileError(f"token file {path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise TokenFileError(f"token file {path} is not text") from None
    entries = []
    for number, line in enumerate(text.splitlines(), start=1):
        content = line.partition("#")[0].strip()
        if not content:
            continue
        match = _LINE.fullmatch(content)
        if match is None or (names_only and match["more"]):
            raise TokenFileError(f"token file {path}, line {number}: not `<sha256 of the token, 64 hex digits> <name>`")
        try:
            entries.append((match["hash"].lower(), _entry(match["name"], match["more"].split())))
        except ValueError as error:
            raise TokenFileError(f"token file {path}, line {number}: {error}") from None
    return entries, stamp


def _entry(name: str, more: list[str]) -> Entry:
    """Raises ValueError."""
    said: dict[str, str] = {}
    for part in more:
        key, equals, value = part.partition("=")
        if key not in ("groups", "kind", "also", "roles") or not equals or not value or key in said:
            raise ValueError("behind the name, each once: groups=NAME,NAME kind=person also=NAME,NAME roles=ROLE,ROLE")
        said[key] = value
    kind = _KINDS.get(said.get("kind", "person"))
    if kind is None:
        raise ValueError(f"kind is one of {', '.join(_KINDS)}")
    groups, also = (frozenset(filter(None, said.get(key, "").split(","))) for key in ("groups", "also"))
    return Entry(name, kind, groups, also, _roles(said["roles"]) if "roles" in said else ALL)


def _roles(value: str) -> frozenset[Role]:
    """Raises ValueError."""
    try:
        return frozenset(Role(name) for name in value.split(",") if name)
    except ValueError:
        raise ValueError(f"roles are some of {', '.join(Role)}") from None
