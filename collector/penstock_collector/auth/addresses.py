"""Where somebody comes from, as far as guesses are slowed down by it.

What doesn't belong: counting them (`viewers.py`).
"""

from __future__ import annotations

from ipaddress import IPv6Address, IPv6Network, ip_address


def neighbourhood(address: str) -> str:
    """What one person can choose from freely: of IPv6, the /64 that every host has; of IPv4, the address."""
    try:
        found = ip_address(address)
    except ValueError:
        return address
    if not isinstance(found, IPv6Address):
        return str(found)
    if found.ipv4_mapped is not None:
        return str(found.ipv4_mapped)
    return str(IPv6Network((int(found) >> 64 << 64, 64)))
