"""The values of a Bind message's parameters as the audit trail has them in an emergency, and nowhere else.

Text as it is, binary values in hexadecimal digits behind \\x. What doesn't belong: when they are recorded.
"""

from __future__ import annotations

import struct

_SHORT = struct.Struct(">H")
_LONG = struct.Struct(">i")
# What of all values together is recorded, in characters, and of how much of a message; the event says if there was
# more.
MOST = 65_536


def values(given: bytes) -> tuple[list[str | None], bool]:
    """What was bound: formats and values as a Bind message has them, as far as they are there; and whether they are."""
    found: list[str | None] = []
    try:
        (count,) = _SHORT.unpack_from(given)
        formats = [_SHORT.unpack_from(given, 2 + 2 * place)[0] for place in range(count)]
        at = 2 + 2 * count
        (number,) = _SHORT.unpack_from(given, at)
        at += 2
        for place in range(number):
            (size,) = _LONG.unpack_from(given, at)
            at += 4
            if size < 0:
                found.append(None)
                continue
            binary = bool(formats[place] if count > 1 else formats[0] if count else 0)
            found.append(_written(given[at : at + size], binary=binary))
            at += size
            if at > len(given):
                return found, False
    except struct.error:
        return found, False
    return found, True


def cut(found: list[str | None]) -> tuple[list[str | None], bool]:
    """As many of them as there is room for, the last one shortened; and whether that is all."""
    room = MOST
    kept: list[str | None] = []
    for value in found:
        if value is not None and len(value) > room:
            kept.append(value[:room])
            return kept, False
        kept.append(value)
        room -= len(value or "")
    return kept, True


def _written(value: bytes, *, binary: bool) -> str:
    if binary:
        return f"\\x{value.hex()}"
    return value.decode(errors="backslashreplace")
