"""The demo's folder: one for each demo, so that demos that run at once don't harm each other.

A folder is a demo's if it holds the mark, a file of ours in a directory of ours. A demo holds an exclusive flock on its
mark while it runs; the kernel drops it however the demo ends, so no pid has to be trusted. The pid in the mark is only
shown. Without --dir the folder is fresh, made by mkdtemp in the temporary directory, where no other account can have
prepared it, and removed at the end; those that killed demos left (marked, not locked) are removed by the next start.
A folder named by --dir is kept, and emptied at the next start there if it is a demo's that does not run.

flock and not a library: a lock that the process holds on one open file is two calls, and the standard library has both.
What doesn't belong: what is in the folder (`stage.py`).
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_PREFIX = "penstock-demo-"
_MARK = ".penstock-demo"
# In the mark of a folder that somebody named, wherever it is.
_KEPT = "kept"


class FolderError(RuntimeError):
    """There is no folder for this demo; the message is for whoever ran it."""


@dataclass(frozen=True, slots=True)
class Neighbour:
    """Another demo of this account that runs now."""

    directory: Path
    # Unknown in the moment in which it starts, or in which what is left of it is removed.
    pid: int | None

    def __str__(self) -> str:
        end = "Ctrl-C there" if self.pid is None else f"Ctrl-C there, or kill {self.pid}"
        return f"a demo runs in {self.directory} (to end it: {end})"


@contextlib.contextmanager
def demo_folder(named: Path | None) -> Iterator[Path]:
    """A folder with nothing in it but the mark, this demo's alone until the end. Raises FolderError.

    A fresh one is removed at the end, unless that is an error: its logs, where there are any, may say why.
    """
    try:
        folder, mark = _fresh() if named is None else _named(named.absolute())
    except OSError as error:
        raise FolderError(f"the demo's folder can't be made: {error}") from None
    try:
        yield folder
    except Exception:
        if not any(folder.rglob("*.log")):
            _leave(folder, named)
        raise
    except BaseException:
        _leave(folder, named)
        raise
    else:
        _leave(folder, named)
    finally:
        os.close(mark)


def neighbours(own: Path) -> list[Neighbour]:
    """The demos that run in the temporary directory beside the one in `own`; what killed ones left there is removed."""
    running = []
    for folder in sorted(Path(tempfile.gettempdir()).glob(f"{_PREFIX}*")):
        if folder == own or not _is_a_demos(folder):
            continue
        with contextlib.suppress(FileNotFoundError), (folder / _MARK).open("r+") as mark:
            if _lock(mark.fileno()):
                if _KEPT in mark.read():
                    continue
                # Another demo that comes past while this one removes it shall not name a process that is gone.
                mark.truncate(0)
                _remove(folder)
            elif (other := _neighbour(folder)).pid is not None:
                running.append(other)
    return running


def _fresh() -> tuple[Path, int]:
    """A new folder and its locked mark."""
    while True:
        folder = Path(tempfile.mkdtemp(prefix=_PREFIX)).absolute()
        mark = _claim(folder, "")
        # Another demo that comes past can lock the mark in the moment before we do; it removes the folder.
        if mark is not None:
            return folder, mark


def _named(folder: Path) -> tuple[Path, int]:
    """The folder that somebody named, made or emptied, and its locked mark. Raises FolderError."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    earlier = any(folder.iterdir())
    if earlier and not _is_a_demos(folder):
        raise FolderError(f"{folder} is not empty, and not from an earlier demo; name another with --dir")
    mark = _claim(folder, _KEPT)
    if mark is None:
        raise FolderError(f"{_neighbour(folder)}; or name another folder with --dir")
    if earlier:
        _empty(folder)
    return folder, mark


def _claim(folder: Path, kept: str) -> int | None:
    """Its mark, made and locked, with our pid and whether it is kept in it; None if another demo has it."""
    mark = os.open(folder / _MARK, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    if not _lock(mark) or os.fstat(mark).st_nlink == 0:
        os.close(mark)
        return None
    os.truncate(mark, 0)
    os.write(mark, f"{os.getpid()} {kept}".strip().encode())
    return mark


def _lock(mark: int) -> bool:
    try:
        fcntl.flock(mark, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _is_a_demos(folder: Path) -> bool:
    """Whether the folder and the mark in it are what they seem, and ours."""
    try:
        directory, mark = folder.lstat(), (folder / _MARK).lstat()
    except OSError:
        return False
    ours = directory.st_uid == mark.st_uid == os.geteuid()
    return ours and stat.S_ISDIR(directory.st_mode) and stat.S_ISREG(mark.st_mode)


def _neighbour(folder: Path) -> Neighbour:
    written = (folder / _MARK).read_text().partition(" ")[0]
    return Neighbour(folder, int(written) if written.isdigit() else None)


def _leave(folder: Path, named: Path | None) -> None:
    if named is None:
        _remove(folder)


def _remove(folder: Path) -> None:
    """The mark goes last: were this killed, the next demo would still know whose the folder is."""
    _empty(folder)
    with contextlib.suppress(OSError):
        (folder / _MARK).unlink()
        folder.rmdir()


def _empty(folder: Path) -> None:
    """Remove all but the mark."""
    for entry in folder.iterdir():
        if entry.name == _MARK:
            continue
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry, ignore_errors=True)
        else:
            entry.unlink(missing_ok=True)
