"""The tables as files of comma-separated values, their rows in the order of time, however many there are.

What doesn't belong: what is in them (`penstock_core.evidence`).
"""

from __future__ import annotations

import csv
import json
import sqlite3
from collections.abc import Iterable, Iterator
from pathlib import Path

from penstock_cli.terminal_text import printable
from penstock_core.evidence.tables import Row, Table

_SCHEMA = """
PRAGMA journal_mode = OFF;
PRAGMA synchronous = OFF;
CREATE TABLE rows (belongs_to TEXT, time TEXT, cells TEXT);
"""
# A spreadsheet takes a cell that begins so for a formula, and some of them run programs.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


class Listing:
    """Rows, kept in a file beside the bundle until all are there."""

    def __init__(self, file: Path) -> None:
        self._connection = sqlite3.connect(file)
        self._connection.executescript(_SCHEMA)

    def add(self, rows: Iterable[Row]) -> None:
        """Keep these."""
        kept = ((one.table, one.time, json.dumps(one.values)) for one in rows)
        self._connection.executemany("INSERT INTO rows VALUES (?, ?, ?)", kept)

    def count(self, table: Table) -> int:
        """How many rows it has."""
        (found,) = self._connection.execute("SELECT count(*) FROM rows WHERE belongs_to = ?", (table.name,)).fetchone()
        return int(found)

    def of(self, table: Table, most: int = -1) -> Iterator[list[str]]:
        """Its rows, earliest first, those without a time by their cells."""
        query = "SELECT cells FROM rows WHERE belongs_to = ? ORDER BY time, cells LIMIT ?"
        for (cells,) in self._connection.execute(query, (table.name, most)):
            yield json.loads(cells)

    def write(self, table: Table, file: Path) -> None:
        """The table as a file (RFC 4180, UTF-8); text that a spreadsheet would take for a formula has a ' before it."""
        with file.open("w", encoding="utf-8", newline="") as output:
            writer = csv.writer(output)
            writer.writerow(table.columns)
            for row in self.of(table):
                writer.writerow([_cell(one) for one in row])

    def close(self) -> None:
        """It is of no more use."""
        self._connection.close()


def _cell(value: str) -> str:
    lines = "\n".join(printable(line) for line in value.split("\n"))
    return f"'{lines}" if value.startswith(_FORMULA) else lines
