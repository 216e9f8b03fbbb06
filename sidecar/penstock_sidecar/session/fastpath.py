"""Fast-path function calls, as statements that can be decided about: libpq and pgjdbc reach large objects by these.

A call names a function by its number. Those of large objects are the same on every server; no other is allowed.
"""

from __future__ import annotations

import struct

# Left out are those that read and write files of the server.
_FUNCTIONS = {
    715: "lo_create", 952: "lo_open", 953: "lo_close", 954: "loread", 955: "lowrite", 956: "lo_lseek", 957: "lo_creat",
    958: "lo_tell", 964: "lo_unlink", 1004: "lo_truncate", 3170: "lo_lseek64", 3171: "lo_tell64",
    3172: "lo_truncate64", 3457: "lo_from_bytea", 3458: "lo_get", 3459: "lo_get", 3460: "lo_put",
}  # fmt: skip
_NUMBER = struct.Struct(">I")


def statement(body: bytes) -> str:
    """What a call would be as a statement, its arguments left out; empty for what is not allowed."""
    if len(body) < _NUMBER.size:
        return ""
    name = _FUNCTIONS.get(_NUMBER.unpack_from(body)[0])
    return f"SELECT pg_catalog.{name}()" if name else ""
