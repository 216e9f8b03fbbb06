"""How many files the process may have open, and so how many connections it may accept.

What doesn't belong: counting them (`visitors.py`).
"""

from __future__ import annotations

import resource

# What is accepted in one turn of the loop, before any of it can be counted.
BACKLOG = 256
# The store's files, connections that the program itself makes, and what was accepted and is not counted yet.
_RESERVED = 3 * BACKLOG + 128
_MOST = 10_000


def raise_limit() -> int:
    """Take what the system allows, up to what is of use; how many it is now."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    useful = _MOST + _RESERVED
    wanted = useful if hard == resource.RLIM_INFINITY else min(hard, useful)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        soft = wanted
    return useful if soft == resource.RLIM_INFINITY else soft


def most_connections() -> int:
    """How many one listener may have."""
    return max(64, min(_MOST, raise_limit() - _RESERVED))
