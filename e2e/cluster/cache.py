"""Where built things are kept: each under a key made of what it is built from, so that a changed recipe builds anew.

How anything is built does not belong here.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from .console import say, step

# How many keys of one artefact are kept.
KEPT = 3


def cache_root() -> Path:
    """`PENSTOCK_CACHE`, or the user's cache directory."""
    if chosen := os.environ.get("PENSTOCK_CACHE"):
        return Path(chosen).absolute()
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(home).absolute() / "penstock"


def content_key(parts: Iterable[str | bytes | Path]) -> str:
    """A short hash over texts and the contents of files; a path's own name is not part of it."""
    total = hashlib.sha256()
    for part in parts:
        content = part.read_bytes() if isinstance(part, Path) else part.encode() if isinstance(part, str) else part
        # Hash each part by itself: else moving a byte from one part to the next would not show.
        total.update(hashlib.sha256(content).digest())
    return total.hexdigest()[:16]


@contextmanager
def lock(name: str) -> Iterator[None]:
    """One process at a time, across the machine; released by the kernel even if the holder is killed."""
    directory = cache_root() / "locks"
    directory.mkdir(parents=True, exist_ok=True)
    with (directory / name).open("w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(f"  {name}: waiting for another run that works on it …")
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def artefact(name: str, key: str, build: Callable[[Path], None], note: str) -> Path:
    """The cached file `name` of this key, built first if absent. `build` is given the path to write to.

    The two keys before it stay, so that going back and forth costs nothing; all may be deleted at any time.
    """
    target = cache_root() / "artefacts" / f"{name}-{key}"
    with lock(f"artefact-{name}"):
        if target.exists():
            say(f"  {name}: cached")
            return target
        target.parent.mkdir(parents=True, exist_ok=True)
        scratch = Path(tempfile.mkdtemp(prefix=f".{name}-", dir=target.parent))
        try:
            with step(name, note):
                build(scratch / "result")
            # The rename comes last: an interrupted build leaves nothing that looks finished.
            (scratch / "result").rename(target)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
        # Images change with every change to the project, and are large.
        siblings = [
            path for path in target.parent.iterdir() if re.fullmatch(f"{re.escape(name)}-[0-9a-f]{{16}}", path.name)
        ]
        for old in sorted(siblings, key=lambda path: path.stat().st_mtime)[:-KEPT]:
            old.unlink()
    return target
