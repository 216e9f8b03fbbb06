"""Demos as processes of their own, and what is left of them; whom the tests run as."""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

SECONDS = 60


def need_root() -> None:
    """Skip, saying so, where the developer is not root; CI has to be."""
    if os.geteuid() != 0:
        reason = "what happens to root can be tried by root only: sudo make unit"
        if os.environ.get("CI"):
            pytest.fail(reason, pytrace=False)
        pytest.skip(reason)


def wait(what: Callable[[], bool]) -> bool:
    """Whether that is true within a time that is plenty."""
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        if what():
            return True
        time.sleep(0.05)
    return False


def ended(pid: int) -> bool:
    """Whether the process ends soon; one that only waits to be reaped has ended."""

    def gone() -> bool:
        with contextlib.suppress(FileNotFoundError):
            return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
        return True

    return wait(gone)


def running_in(directory: Path | str) -> list[int]:
    """The processes that have that directory, or one within it, or that word on their command line."""
    found = []
    for line in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            if os.fsencode(directory) in line.read_bytes() and int(line.parent.name) != os.getpid():
                found.append(int(line.parent.name))
    return found


@dataclass
class Demo:
    """A demo that was started with what it prints in a file."""

    process: subprocess.Popen[bytes]
    output: Path

    @property
    def text(self) -> str:
        return self.output.read_text()

    def plays(self) -> bool:
        """Whether it came to its end and is left running."""
        return wait(lambda: "end    Ctrl-C" in self.text or self.process.poll() is not None) and "end    " in self.text

    @property
    def folder(self) -> Path:
        (found,) = re.findall(r"^It all runs in (.*)$", self.text, re.MULTILINE)
        return Path(found)

    def psql(self, *arguments: str) -> str:
        """What the line that it prints gives, with these arguments after it."""
        (line,) = re.findall(r"^psql   (.*)$", self.text, re.MULTILINE)
        done = subprocess.run(
            ["sh", "-c", f'{line} "$@"', "sh", *arguments], capture_output=True, text=True, timeout=SECONDS, check=False
        )
        return done.stdout + done.stderr

    def end(self, number: int) -> int:
        self.process.send_signal(number)
        return self.process.wait(SECONDS)


@contextlib.contextmanager
def demo(temporary: Path, *arguments: str | Path) -> Iterator[Demo]:
    """`penstock demo` with these arguments, on 80 columns; killed at the end if it still runs."""
    output = temporary.parent / f"{temporary.name}-{time.monotonic_ns()}.txt"
    with output.open("wb") as stream:
        process = subprocess.Popen(
            [sys.executable, "-m", "penstock_cli", "--log-level", "warning", "demo", *arguments],
            env=environment({"TMPDIR": str(temporary), "COLUMNS": "80"}),
            stdin=subprocess.DEVNULL, stdout=stream, stderr=stream, start_new_session=True,
        )  # fmt: skip
    try:
        yield Demo(process, output)
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


def environment(changes: Mapping[str, str]) -> dict[str, str]:
    """The tests' own, without what belongs to their environment and to the make that runs them."""
    foreign = re.compile(r"^(PENSTOCK_|MAKE|MFLAGS|PYTEST_|VIRTUAL_ENV|COLUMNS)")
    kept = {name: value for name, value in os.environ.items() if not foreign.match(name)}
    return kept | {"PYTHONUNBUFFERED": "1"} | changes
