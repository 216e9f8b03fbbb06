"""Checkpoints in a directory, such as a volume of which only another machine can take things away.

What doesn't belong: what is written (`keeper.py`).
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from penstock_collector.checkpoints.place import PlaceError, another


class DirectoryPlace:
    """A directory; files appear in it as a whole, and none replaces another."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def put(self, name: str, content: bytes) -> None:
        """Keep a file. Raises PlaceError."""
        path = self._directory / name
        try:
            if path.exists():
                if path.read_bytes() != content:
                    raise another(str(path))
                return
            path.parent.mkdir(parents=True, exist_ok=True)
            self._write(path, content)
        except OSError as error:
            raise PlaceError(f"the checkpoint {path} cannot be written: {error.strerror}") from None

    def _write(self, path: Path, content: bytes) -> None:
        draft = path.with_name(f".{path.name}.draft")
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o644)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            try:
                # Unlike a rename, it fails where something has that name.
                os.link(draft, path)
            except FileExistsError:
                raise another(str(path)) from None
            except OSError:
                # Not every file system has links.
                draft.rename(path)
        finally:
            with contextlib.suppress(OSError):
                draft.unlink()
        directory = os.open(path.parent, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)
