"""Starts the cluster's daemons and stops exactly those: each is recorded, and the record must fit what is running.

A pid alone says little: it may long be another program's. So its start time and command line are recorded too.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from .console import ClusterError
from .layout import Layout


class Daemon:
    """One long-running program of the cluster, by name; it outlives the command that started it."""

    def __init__(self, layout: Layout, name: str) -> None:
        self.name = name
        self.log = layout.logs / f"{name}.log"
        self._record = layout.run / f"{name}.json"
        self._root, self._directory = layout.root, layout.run

    def ensure(self, argv: Sequence[str | Path]) -> None:
        """Starts it unless it runs."""
        if self.pid() is not None:
            return
        words = [os.fspath(word) for word in argv]
        # A proxy of the machine's must not stand between the API server and a webhook in a pod.
        environment = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
        # It may outlive who started it, and what they had for temporary files.
        environment["TMPDIR"] = str(self._directory)
        with self.log.open("a") as log:
            process = subprocess.Popen(
                words, cwd=self._root, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                start_new_session=True,
            )  # fmt: skip
        # Recorded before anything else can fail: what is started must be stoppable.
        record = {"pid": process.pid, "started": _start_time(process.pid), "argv": words}
        self._record.write_text(json.dumps(record))
        # For a moment after exec the kernel shows no command line yet, and the record would seem not to fit.
        deadline = time.monotonic() + 5
        while process.poll() is None and self.pid() is None and time.monotonic() < deadline:
            time.sleep(0.01)

    def pid(self) -> int | None:
        """The pid of the running daemon, if it is running, and is the one that was recorded."""
        try:
            record = json.loads(self._record.read_text())
        except (FileNotFoundError, json.JSONDecodeError):
            return None
        pid: int = record["pid"]
        matches = _command_line(pid) == record["argv"] and _start_time(pid) == record["started"]
        return pid if matches and record["started"] is not None else None

    def stop(self, grace: float = 5) -> None:
        """Asks it to end, waits, then kills it."""
        for number, patience in ((signal.SIGTERM, grace), (signal.SIGKILL, 5.0)):
            deadline = time.monotonic() + patience
            while (pid := self.pid()) is not None and time.monotonic() < deadline:
                with suppress(ProcessLookupError):
                    os.kill(pid, number)
                _reap(pid)
                time.sleep(0.1)
        self._record.unlink(missing_ok=True)

    def must_run(self) -> None:
        """Fails with the end of the daemon's log if it has ended: waiting for it would be in vain."""
        if self.pid() is None:
            tail = "\n".join(self.log.read_text(errors="replace").splitlines()[-15:])
            raise ClusterError(f"{self.name} has ended; the end of {self.log}:\n{tail}")


def _command_line(pid: int) -> list[str]:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").split("\0")[:-1]
    except (FileNotFoundError, ProcessLookupError):
        return []


def _start_time(pid: int) -> str | None:
    """In clock ticks since boot; None for a process that is gone or only waits to be collected."""
    try:
        # The name, in parentheses, may hold anything: count from the last one.
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if fields[0] in "ZX" else fields[19]


def _reap(pid: int) -> None:
    """Collects the process if it is our own child (`up` and `down` in one run, as in tests)."""
    with suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)
