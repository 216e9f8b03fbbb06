"""Processes of the benchmark's own: starting them, ending them by their id, and what they take of the machine.

What they are is `stage.py`'s.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_TICKS = os.sysconf("SC_CLK_TCK")
_SETTLED_SECONDS = 0.2
_LONGEST_SETTLING = 15.0


class BenchError(RuntimeError):
    """Something does not start or does not answer; the message is for whoever ran the benchmark."""


@dataclass(frozen=True, slots=True)
class Program:
    """A running process of ours."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path

    @classmethod
    def start(
        cls, name: str, command: Sequence[str | Path], log: Path, *,
        environment: Mapping[str, str] | None = None, account: Mapping[str, Any] | None = None,
    ) -> Program:  # fmt: skip
        """Start it, with what it prints in a file. `account`: whom to run as, as Popen wants it."""
        with log.open("wb") as output:
            process = subprocess.Popen(
                [str(part) for part in command], stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                env={**os.environ, **(environment or {})}, start_new_session=True, **(account or {}),
            )  # fmt: skip
        return cls(name, process, log)

    @property
    def pid(self) -> int:
        return self.process.pid

    def check(self) -> None:
        """Raises BenchError if it has ended."""
        if self.process.poll() is not None:
            last = self.log.read_text(errors="replace").strip().splitlines()[-3:]
            raise BenchError(f"{self.name} ended: {' | '.join(last) or self.log}")

    def end(self) -> None:
        """Ask it to end, and after a while make it."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    def cpu_seconds(self) -> float:
        """What all its threads, and those of processes that it started, took so far, in user and system mode."""
        self.check()
        total = _cpu_seconds(self.pid)
        for pid in _started_by(self.pid):
            # One that decides about a large text may be gone by now.
            with contextlib.suppress(OSError):
                total += _cpu_seconds(pid)
        return total

    def settled_cpu_seconds(self) -> float:
        """The same once it rests: what it does after the last answer (shipping, say) counts too."""
        end = time.monotonic() + _LONGEST_SETTLING
        before = self.cpu_seconds()
        while time.monotonic() < end:
            time.sleep(_SETTLED_SECONDS)
            now = self.cpu_seconds()
            if now - before <= 1 / _TICKS:
                return now
            before = now
        return before

    def rss_kb(self) -> int:
        """Its resident memory, with what processes that it started have beyond files that both have mapped."""
        self.check()
        return _memory_kb(self.pid, "VmRSS:") + sum(_memory_kb(pid, "RssAnon:") for pid in _started_by(self.pid))


def _started_by(pid: int) -> list[int]:
    """Its processes and theirs: a gate has one that ships its trail, or several that have one each."""
    found: list[int] = []
    # One that decides about a large text may be gone by now.
    with contextlib.suppress(OSError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            for child in (task / "children").read_text().split():
                found += [int(child), *_started_by(int(child))]
    return found


def _cpu_seconds(pid: int) -> float:
    # The name in parentheses may hold spaces.
    words = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(words[11]) + int(words[12])) / _TICKS


def _memory_kb(pid: int, name: str) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(name):
            return int(line.split()[1])
    raise BenchError(f"process {pid}: the kernel does not tell its memory")
