"""The claims of a token, found by the paths that settings name.

What doesn't belong: what a claim is taken for (`penstock_sidecar.proxy.claims`, `penstock_collector.auth.id_token`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

Claims: TypeAlias = Mapping[str, Any]


def is_text(found: object) -> bool:
    """Whether it is a text that a record can hold: JSON may have half a surrogate pair, which no other text has."""
    return isinstance(found, str) and not any("\ud800" <= letter <= "\udfff" for letter in found)


def value(claims: Claims, path: str) -> object:
    """A claim by its name, or by the names that lead to it: `realm_access.roles`. None where there is none."""
    if path in claims:
        return claims[path]
    found: object = claims
    for name in path.split("."):
        if not isinstance(found, Mapping) or name not in found:
            return None
        found = found[name]
    return found
