"""What tells whether a file is still the one that was read: kept beside what was made of it.

When it is looked at, and what is made of the file, is the callers'.
"""

from __future__ import annotations

from pathlib import Path

Stamp = tuple[int, int, int]


def stamp_of(path: Path) -> Stamp:
    """Another one after each change, also where a link leads elsewhere from then on. Raises OSError."""
    state = path.stat()
    return state.st_mtime_ns, state.st_size, state.st_ino
