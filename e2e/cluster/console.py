"""How the recipe talks to people, and how it runs programs: steps with their times on stderr, results on stdout.

Nothing about Kubernetes belongs here.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path


class ClusterError(Exception):
    """What went wrong and what to do about it, in words for the person who ran the command."""


def say(text: str) -> None:
    """Progress goes to stderr: stdout is for what a script may want to capture."""
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


def answer(text: str) -> None:
    """The command's result."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


@contextmanager
def step(name: str, note: str = "") -> Iterator[None]:
    """Says what is being done (`note`: how long that usually takes), and afterwards how long it took."""
    if note:
        say(f"  {name}: {note} …")
    start = time.monotonic()
    yield
    say(f"  {name}: {time.monotonic() - start:.1f} s")


def run(
    command: Sequence[str | Path],
    *,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    stdin: str | None = None,
    log: Path | None = None,
) -> str:
    """Runs a program and returns its stdout; a failure is an error that shows what the program said.

    With `log` both outputs go there instead: for programs that talk a lot.
    """
    argv = [os.fspath(word) for word in command]
    environment = None if env is None else {**os.environ, **env}
    if log is not None:
        with log.open("w") as sink:
            code = subprocess.run(argv, cwd=cwd, env=environment, stdout=sink, stderr=sink, check=False).returncode
        stdout, said = "", log.read_text(errors="replace")
    else:
        done = subprocess.run(argv, cwd=cwd, env=environment, input=stdin, capture_output=True, text=True, check=False)
        code, stdout, said = done.returncode, done.stdout, done.stderr or done.stdout
    if code:
        where = f" (all of it: {log})" if log else ""
        tail = "\n".join(said.strip().splitlines()[-15:])
        raise ClusterError(f"`{' '.join(argv)}` exited with {code}{where}:\n{tail}")
    return stdout


def succeeds(command: Sequence[str | Path]) -> bool:
    """Whether the program is there and exits with 0; what it says is of no interest."""
    try:
        return subprocess.run([os.fspath(word) for word in command], capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        # A cluster's directory outlives the cache that its programs are links into.
        return False


def wait_until(what: str, condition: Callable[[], bool], *, seconds: float, hint: str = "") -> None:
    """Polls quickly: everything waited for here is normally there within seconds."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise ClusterError(f"{what}: not within {seconds:.0f} s. {hint}".rstrip())
        time.sleep(0.2)
