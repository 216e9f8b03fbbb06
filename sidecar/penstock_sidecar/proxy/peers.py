"""Where a client is, as the operating system tells it of a connection."""

from __future__ import annotations


def place(peer: object) -> str:
    """The client's address and port; empty where they are not known."""
    return f"{peer[0]}:{peer[1]}" if isinstance(peer, tuple) and len(peer) >= 2 else ""


def address(peer: object) -> str:
    """The client's address without its port; empty where it is not known."""
    found = str(peer[0]) if isinstance(peer, tuple) and len(peer) >= 2 else ""
    return found.removeprefix("::ffff:") if "." in found else found
