"""Copies of this checkout as a clone gives them, in places and for accounts of a test's choice; the Pythons here."""

from __future__ import annotations

import os
import pty
import pwd
import re
import shutil
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.cli.demo.processes import environment

ROOT = Path(__file__).resolve().parents[3]
OLDEST = (3, 11)
# Making an environment takes most of it, on a machine with other things to do.
SECONDS = 400


@dataclass(frozen=True)
class Checkout:
    """A copy of this checkout, and who works in it: an account's name, or None for who runs the tests."""

    directory: Path
    account: str | None
    python: Path
    temporary: Path
    umask: int = 0o022

    def start(self, *command: str, **variables: str | Path) -> subprocess.Popen[str]:
        """Run it there; both its streams in stdout."""
        return subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            **self._popen(variables),
        )  # fmt: skip

    def run(self, *command: str, **variables: str | Path) -> tuple[int, str]:
        """The same to its end: its status and all that it printed."""
        return finished(self.start(*command, **variables))

    def on_a_terminal(self, *command: str, until: str) -> tuple[int, str]:
        """Run it on a terminal, press Ctrl-C when it has printed `until`; its status and all that it printed."""
        ours, its = pty.openpty()
        process = subprocess.Popen(
            [*_TAKES_THE_TERMINAL, *command], stdin=its, stdout=its, stderr=its, **self._popen({})
        )
        os.close(its)
        shown, pressed = "", False
        end = time.monotonic() + SECONDS
        try:
            while time.monotonic() < end:
                try:
                    shown += os.read(ours, 65536).decode(errors="replace")
                except OSError:  # its last process has closed the terminal
                    break
                if until in shown and not pressed:
                    os.write(ours, b"\x03")
                    pressed = True
        finally:
            os.close(ours)
        return process.wait(SECONDS), shown.replace("\r\n", "\n")

    def _popen(self, variables: Mapping[str, str | Path]) -> dict[str, Any]:
        home = self.directory.parent
        changes = {
            "HOME": str(home), "TMPDIR": str(self.temporary), "PENSTOCK_PYTHON": str(self.python), "COLUMNS": "80",
            "NO_COLOR": "1", "PATH": f"{home}/.local/bin:/usr/local/bin:/usr/bin:/usr/sbin:/bin:/sbin",
        }  # fmt: skip
        changes |= {name: str(value) for name, value in variables.items()}
        arguments = {"env": environment(changes), "cwd": self.directory, "umask": self.umask}
        return arguments | identity(self.account)


# A terminal sends Ctrl-C to the group in its foreground, which is that of the session's leader once it is its terminal.
_TAKES_THE_TERMINAL = ("setsid", "--ctty", "--wait")


def checkout(
    directory: Path, temporary: Path, python: Path, account: str | None = None, umask: int = 0o022
) -> Checkout:
    """Copy what a clone gets to `directory`, which is made, under that umask and for that account."""
    before = os.umask(umask)
    try:
        directory.mkdir(parents=True)
        for name in _tracked():
            (directory / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, directory / name)
            if os.access(ROOT / name, os.X_OK):
                (directory / name).chmod(0o777 & ~umask)
    finally:
        os.umask(before)
    temporary.mkdir(parents=True, exist_ok=True)
    temporary.chmod(0o1777)
    if account is not None:
        subprocess.run(["chown", "-R", account, directory.parent], check=True)
    return Checkout(directory, account, python, temporary, umask)


def _tracked() -> list[str]:
    listing = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listing, cwd=ROOT, stdout=subprocess.PIPE, check=True).stdout
    return [name for name in os.fsdecode(names).split("\0") if name and (ROOT / name).is_file()]


def finished(process: subprocess.Popen[str]) -> tuple[int, str]:
    """Its status and all that it printed."""
    printed, _ = process.communicate(timeout=SECONDS)
    return process.returncode, printed


def identity(account: str | None) -> dict[str, Any]:
    """Popen arguments to become that account."""
    if account is None:
        return {}
    entry = pwd.getpwnam(account)
    return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}


def pythons(account: str | None) -> list[Path]:
    """The supported Pythons here that the account can run, oldest first."""
    places = [Path("/usr/bin"), Path("/usr/local/bin")]
    for home in (Path.home() / ".pyenv/versions", Path.home() / ".local/share/uv/python"):
        places += home.glob("*/bin")
    found: dict[tuple[int, ...], Path] = {}
    for place in places:
        for python in sorted(place.glob("python3*")):
            if re.fullmatch(r"python3(\.\d+)?", python.name) and (version := _version(python, account)) >= OLDEST:
                found.setdefault(version, python)
    return [found[version] for version in sorted(found)]


def _version(python: Path, account: str | None) -> tuple[int, ...]:
    """Its version where it can make environments, else an empty one."""
    code = "import ensurepip, sys; print(*sys.version_info[:3])"
    try:
        done = subprocess.run(
            [python, "-c", code], capture_output=True, text=True, check=False, cwd="/", **identity(account)
        )
    except OSError:
        return ()
    return tuple(map(int, done.stdout.split()))
