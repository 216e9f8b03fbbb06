"""Values as a model reads them: what PostgreSQL prints, shortened to what fits.

Whole numbers and truth are JSON's. All else stays text, so that no value is beyond what Python's types hold: NaN,
infinity, dates before the year 1 and numbers of a thousand digits come as PostgreSQL prints them.
"""

from __future__ import annotations

from penstock_agents.tools.results import Value

_BOOL, _INTEGERS = 16, frozenset({20, 21, 23, 26})
# What every JSON reader takes exactly.
_MOST_EXACT = (1 << 53) - 1


def shown(raw: bytes | None, type_oid: int, characters: int) -> tuple[Value, int]:
    """A value in PostgreSQL's text form as JSON, and how many characters it has if it is cut, else 0."""
    if raw is None:
        return None, 0
    if type_oid == _BOOL:
        return raw == b"t", 0
    if type_oid in _INTEGERS and abs(number := int(raw)) <= _MOST_EXACT:
        return number, 0
    # What has more bytes than that has too many characters in any case.
    beginning = raw[: 4 * characters + 4].decode("utf-8", "replace")
    if len(beginning) <= characters and len(raw) <= 4 * characters + 4:
        return beginning, 0
    return beginning[:characters], len(raw.decode("utf-8", "replace"))
