"""Ports of this machine, for programs that have to be told theirs before they listen.

What doesn't belong: programs that can listen at port 0 and say which one they got, which is better.
"""

from __future__ import annotations

import errno
import os
import socket
from itertools import count

# Below those that the system gives out (Linux: ip_local_port_range, from 32768; NodePorts of Kubernetes, from 30000):
# one of these stays free until its program listens, and while that is started again.
_FIRST, _HOW_MANY = 15_000, 15_000
# Processes that choose at the same time begin far from each other.
_APART = 101
_chosen = count(os.getpid() * _APART)


def free_port() -> int:
    """One that nobody listens at now, and that this process has not been told before.

    Raises OSError where the system lets no program listen.
    """
    while True:
        port = _FIRST + next(_chosen) % _HOW_MANY
        with socket.socket() as probe:
            # As servers do: what is left of ended connections is in nobody's way.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError as error:
                if error.errno != errno.EADDRINUSE:
                    raise
                continue
        return port
