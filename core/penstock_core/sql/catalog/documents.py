"""The documents of a snapshot, read row by row: as a whole, those of a large database would take many times their text.

Each is a JSON array of arrays. Row by row, too, whoever else runs in the process has its turn. What the rows mean is
`snapshot.py`'s.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

_SCAN = json.JSONDecoder().scan_once  # type: ignore[attr-defined]  # it is there, and reads one value
_BEGIN, _NEXT = re.compile(r"\s*\[\s*(\]\s*\Z)?"), re.compile(r"\s*(?:,\s*|(\])\s*\Z)")


@dataclass(frozen=True, slots=True)
class Rows:
    """The rows of one document. Iterating raises ValueError where it is none."""

    text: str

    def __iter__(self) -> Iterator[list[Any]]:
        text = self.text
        begin = _BEGIN.match(text)
        if begin is None:
            raise ValueError("not an array")
        at, ended = begin.end(), begin[1]
        while ended is None:
            try:
                row, at = _SCAN(text, at)
            except StopIteration:
                raise ValueError(f"no row at {at}") from None
            if not isinstance(row, list):
                raise ValueError(f"a row that is no array at {at}")
            yield row
            following = _NEXT.match(text, at)
            if following is None:
                raise ValueError(f"neither a row nor an end at {at}")
            at, ended = following.end(), following[1]
