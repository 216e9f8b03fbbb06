"""How many rows of the statement that is answered came so far, by their frames: no row is looked at for it.

How many a statement had that ended well, its tag says (`server_side.py`).
"""

from __future__ import annotations

from penstock_sidecar.wire.framing import Scanner

# DataRow and CopyData: one for each row.
_ROWS = b"Dd"


class DeliveredRows:
    """Counts what a scanner hops over."""

    def __init__(self, scanner: Scanner) -> None:
        self._scanner = scanner
        # Where the rows of the statement begin in the chunk, and how many came in earlier ones.
        self._begin = 0
        self.before = 0

    def up_to(self, end: int) -> int:
        """How many came up to that place of the chunk."""
        first = self._begin
        rows = (count for kind, place, count in self._scanner.rows if kind in _ROWS and first <= place < end)
        return self.before + sum(rows)

    def next_from(self, end: int) -> None:
        """Rows from there on are the next statement's."""
        self._begin, self.before = end, 0

    def chunk_ended(self, end: int) -> None:
        """The next chunk comes."""
        rows = self._scanner.rows
        if rows and rows[-1][1] >= self._begin:
            self.before = self.up_to(end)
        self._begin = 0
