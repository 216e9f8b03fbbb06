"""How many bytes the peer has sent on a connection, read or not: what bounds the memory that an answer takes.

libpq hands out no row before it has all of it, however large, and doesn't tell how much it holds. The kernel does.
"""

from __future__ import annotations

import os
import socket
import struct
import sys

# struct tcp_info of Linux: 8 bytes of flags, 24 numbers of 4 bytes, pacing_rate, max_pacing_rate and bytes_acked of 8;
# then bytes_received.
_BYTES_RECEIVED = 8 + 24 * 4 + 3 * 8


def bytes_received(descriptor: int) -> int | None:
    """Since the connection began; None where this system does not tell."""
    if sys.platform != "linux":
        return None
    with socket.socket(fileno=os.dup(descriptor)) as one:
        try:
            told = one.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 256)
        except OSError:
            return None
    if len(told) < _BYTES_RECEIVED + 8:
        return None
    (count,) = struct.unpack_from("@Q", told, _BYTES_RECEIVED)
    return int(count)
