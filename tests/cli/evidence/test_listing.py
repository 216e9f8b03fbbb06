"""Tables as files: their order, and that they are read again as they were."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from penstock_cli.evidence.listing import Listing
from penstock_core.evidence.tables import Row, Table

TABLE = Table("things", "Things", "Of all kinds.", ("time", "what"))


@pytest.fixture
def listing(tmp_path: Path) -> Listing:
    return Listing(tmp_path / "rows")


def test_rows_come_in_the_order_of_time_and_sums_in_that_of_their_cells(listing: Listing) -> None:
    listing.add(Row("things", time, (time, "x")) for time in ("2026-03", "2026-01", "2026-02"))
    listing.add([Row("others", "", ("b",)), Row("others", "", ("a",))])
    assert [row[0] for row in listing.of(TABLE)] == ["2026-01", "2026-02", "2026-03"]
    assert list(listing.of(TABLE, 1)) == [["2026-01", "x"]]
    assert list(listing.of(Table("others", "", "", ("it",)))) == [["a"], ["b"]]
    assert listing.count(TABLE) == 3


def test_what_is_written_is_read_again(listing: Listing, tmp_path: Path) -> None:
    texts = ["a,b", 'say "x"', "two\nlines", "ünï", "", "1 = 1", "O'Neil"]
    listing.add(Row("things", f"{number}", (f"{number}", text)) for number, text in enumerate(texts))
    listing.write(TABLE, tmp_path / "things.csv")
    with (tmp_path / "things.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.reader(file))
    assert rows[0] == ["time", "what"]
    assert [row[1] for row in rows[1:]] == texts


def test_no_cell_is_a_formula_and_none_commands_a_terminal(listing: Listing, tmp_path: Path) -> None:
    listing.add(Row("things", "1", ("1", text)) for text in ("=A1", "+1", "-1", "@x", "\x1b[2J", "a\r\nb"))
    listing.write(TABLE, tmp_path / "things.csv")
    with (tmp_path / "things.csv").open(newline="", encoding="utf-8") as file:
        cells = sorted(row[1] for row in list(csv.reader(file))[1:])
    assert cells == sorted(["'=A1", "'+1", "'-1", "'@x", " [2J", "a \nb"])
