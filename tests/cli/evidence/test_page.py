"""The page that people read first: its picture, its tables, and that it needs nothing but itself."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from penstock_cli.evidence import page
from penstock_cli.evidence.listing import Listing
from penstock_core.audit.report import Report
from penstock_core.evidence.period import Period, moment
from penstock_core.evidence.summary import Summary
from penstock_core.evidence.tables import TABLES, Row


@pytest.fixture
def listing(tmp_path: Path) -> Listing:
    return Listing(tmp_path / "rows")


def shown(listing: Listing, days: dict[str, tuple[int, int]], since: str, until: str) -> str:
    summary = Summary(Period(moment(since), moment(until)))
    for day, (count, refused) in days.items():
        summary.days[day], summary.refused_days[day] = count, refused
    return page.rendered(summary, listing, Report(()), trail=True, signed=False)


def bars(text: str) -> list[str]:
    return re.findall(r"<title>([^<]*)</title><rect", text)


def test_each_day_has_a_bar(listing: Listing) -> None:
    text = shown(listing, {"2026-07-01": (4, 1), "2026-07-03": (8, 0)}, "2026-07-01", "2026-07-04")
    assert bars(text) == [
        "2026-07-01: 4 statements, 1 refused", "2026-07-02: 0 statements, 0 refused",
        "2026-07-03: 8 statements, 0 refused",
    ]  # fmt: skip
    assert re.findall(r'class="all"[^>]*height="([\d.]+)"', text) == ["80.0", "0.0", "160.0"]
    assert re.findall(r'class="refused"[^>]*height="([\d.]+)"', text) == ["20.0", "0.0", "0.0"]


def test_a_year_has_some_days_to_a_bar(listing: Listing) -> None:
    found = bars(shown(listing, {"2026-12-31": (3, 0)}, "2026-01-01", "2027-01-01"))
    assert len(found) == 61
    assert found[0].startswith("2026-01-01 to 2026-01-06:")
    assert found[-1] == "2026-12-27 to 2026-12-31: 3 statements, 0 refused"


def test_a_part_of_a_day_has_one(listing: Listing) -> None:
    since, until = "2026-07-01T09:00:00Z", "2026-07-01T10:00:00Z"
    assert len(bars(shown(listing, {"2026-07-01": (3, 0)}, since, until))) == 1


def test_of_long_tables_the_beginning_is_shown_and_the_file_named(listing: Listing) -> None:
    width = len(TABLES["around"].columns)
    listing.add(Row("around", f"{number:03}", (f"<{number:03}>",) * width) for number in range(30))
    text = shown(listing, {}, "2026-07-01", "2026-07-04")
    assert "has 30 rows; here are the first 20" in text
    assert "&lt;019&gt;" in text
    assert "&lt;020&gt;" not in text
    for name in TABLES:
        assert f'href="tables/{name}.csv"' in text
        assert f'id="{name}"' in text


def test_it_needs_nothing_but_itself(listing: Listing) -> None:
    text = shown(listing, {}, "2026-07-01", "2026-07-04")
    assert "<script" not in text
    assert re.findall(r"https?:", text) == []
    assert "default-src 'none'" in text
    anchors = set(re.findall(r'href="#([^"]+)"', text))
    assert anchors <= set(re.findall(r'id="([^"]+)"', text))
