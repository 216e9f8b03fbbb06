"""The lines of an export as bytes, wherever they come from: split at line feeds only, none longer than memory allows.

The usual ways to read lines also split at carriage returns, or at characters that stand unescaped in JSON. What doesn't
belong: what a line is (`penstock_core.audit.export`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import IO

# Far above an event, and above what is wrapped of a line in quarantine.
LONGEST = 1024 * 1024
_CHUNK = 256 * 1024


def split(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Each line without its end; what a line has beyond `LONGEST` is left out, so that it is no event."""
    pieces: list[bytes] = []
    size = 0
    for chunk in chunks:
        *ends, rest = chunk.split(b"\n")
        for end in ends:
            yield b"".join(pieces) + end[: max(0, LONGEST - size)]
            pieces, size = [], 0
        if rest and size < LONGEST:
            pieces.append(rest[: LONGEST - size])
            size += len(pieces[-1])
    if pieces:
        yield b"".join(pieces)


def of_file(file: IO[bytes]) -> Iterator[bytes]:
    """Those of a file."""
    return split(iter(lambda: file.read(_CHUNK), b""))
