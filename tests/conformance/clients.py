"""The clients under test, brought into the cache by their own package tools: sources with tests, and environments.

What is fetched is pinned, by hashes where the tool knows them; nothing of it is ever part of the repository.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

HERE = Path(__file__).parent
# Debian's, of the programs that have another name.
PACKAGES = {"go": "golang-go", "mvn": "maven", "java": "default-jdk-headless", "node": "nodejs"}
_LEFT_BY_TOOLS = {"__pycache__", "build", "jars", "node_modules", "target"}


class FetchError(RuntimeError):
    """Something could not be fetched or installed; the message says what."""


def cache() -> Path:
    """Where all of it is kept between runs."""
    base = os.environ.get("PENSTOCK_CACHE", "") or Path.home() / ".cache" / "penstock"
    return Path(base) / "conformance"


@contextmanager
def _making(target: Path) -> Iterator[None]:
    """Nobody else makes that part of the cache meanwhile: another run waits, and finds it."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.with_name(f".{target.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def sources(requirement: str, sha256: str) -> Path:
    """The directory that the source distribution of `name==version` unpacks to. Raises FetchError."""
    target = cache() / "sources" / requirement
    with _making(target):
        if not target.exists():
            _unpack(requirement, sha256, target)
    return target


def _unpack(requirement: str, sha256: str, target: Path) -> None:
    with tempfile.TemporaryDirectory(dir=target.parent) as scratch:
        # pip asks a source distribution for its metadata even if only the file is wanted; that may compile for minutes.
        _run(
            [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps",
             "--no-binary", ":all:", "--dest", scratch, requirement],
            f"fetching the sources of {requirement}",
        )  # fmt: skip
        archive = next(Path(scratch).iterdir())
        found = hashlib.sha256(archive.read_bytes()).hexdigest()
        if found != sha256:
            raise FetchError(f"the sources of {requirement} have the hash {found}, where {sha256} is pinned")
        # Not by tarfile, whose safe way of it Debian 12's Python does not have.
        _run(["tar", "--extract", "--file", str(archive), "--directory", scratch], f"unpacking {archive.name}")
        unpacked = next(entry for entry in Path(scratch).iterdir() if entry.is_dir())
        unpacked.rename(target)


def environment(name: str, folder: Path = HERE / "requirements") -> Path:
    """The Python of an environment with what `NAME.txt` in that folder requires. Raises FetchError."""
    requirements = folder / f"{name}.txt"
    mark = hashlib.sha256(requirements.read_bytes()).hexdigest()[:12]
    target = cache() / "environments" / f"{name}-{mark}"
    python = target / "bin" / "python"
    ready = target / "ready"
    with _making(target):
        if not ready.exists():
            shutil.rmtree(target, ignore_errors=True)
            _run([sys.executable, "-m", "venv", str(target)], f"making the environment of {name}")
            install = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
            _run([*install, "-r", str(requirements)], f"installing {requirements.name}")
            ready.touch()
    return python


def program(folder: Path, install: tuple[str, ...]) -> Path:
    """A copy of that folder in the cache, with what it depends on installed by that command. Raises FetchError."""
    files = sorted(path for path in folder.rglob("*") if path.is_file() and not _made(path.relative_to(folder)))
    mark = hashlib.sha256(repr(install).encode())
    for path in files:
        mark.update(repr((path.relative_to(folder), path.read_bytes())).encode())
    target = cache() / "programs" / f"{folder.name}-{mark.hexdigest()[:12]}"
    with _making(target):
        if not target.exists():
            _install(folder, files, install, target)
    return target


def _install(folder: Path, files: list[Path], install: tuple[str, ...], target: Path) -> None:
    with tempfile.TemporaryDirectory(dir=target.parent) as scratch:
        copy = Path(scratch) / "copy"
        for path in files:
            place = copy / path.relative_to(folder)
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, place)
        _run(list(install), f"installing what {folder.name} needs", copy)
        copy.rename(target)


def _made(path: Path) -> bool:
    """Whether a tool left it in the folder, where somebody tried something by hand."""
    return not _LEFT_BY_TOOLS.isdisjoint(path.parts)


def _run(command: list[str], what: str, directory: Path | None = None) -> None:
    try:
        done = subprocess.run(
            command, cwd=directory, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL
        )
    except FileNotFoundError:
        package = PACKAGES.get(command[0], command[0])
        raise FetchError(f"{what} failed: {command[0]} is not installed: apt-get install {package}") from None
    if done.returncode:
        last = " | ".join((done.stderr or done.stdout).strip().splitlines()[-3:])
        raise FetchError(f"{what} failed: {last}")
