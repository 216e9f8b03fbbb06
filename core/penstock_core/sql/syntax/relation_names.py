"""Names of relations that stand in a text as a string: `nextval('app.orders_id_seq')`."""

from __future__ import annotations

import re

# In quotes, or as a plain word, which is folded. Anything else is for the server to read.
_PART = r'(?:"((?:[^"]|"")+)"|([A-Za-z_][A-Za-z0-9_$]*))'
_NAME = re.compile(rf"(?:{_PART}\.)?{_PART}")


def relation_in(text: str) -> tuple[str, str] | None:
    """The schema (empty where there is none) and name that the server reads there; None where that is not certain."""
    found = _NAME.fullmatch(text.strip(" "))
    if found is None:
        return None
    parts = [
        quoted.replace('""', '"') if quoted is not None else (plain or "").lower()
        for quoted, plain in (found.group(1, 2), found.group(3, 4))
    ]
    return parts[0], parts[1]
