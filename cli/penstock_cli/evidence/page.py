"""The page of a bundle that people read first: how the trail stands, what happened, and where to look for what.

It needs nothing but itself: no script, no font, no address. What doesn't belong: what is told
(`penstock_core.evidence`), how it looks (`index.html`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

import jinja2

from penstock_cli.evidence.listing import Listing
from penstock_cli.terminal_text import printable
from penstock_core.audit.report import Report, Verdict
from penstock_core.evidence.criteria import CRITERIA
from penstock_core.evidence.summary import Summary
from penstock_core.evidence.tables import TABLES, Table

# Rows of a table on the page; the file has all.
_SHOWN = 20
_LONGEST_CELL = 300
_TIME = re.compile(r"^(\d{4}-\d\d-\d\d)T(\d\d:\d\d:\d\d)\.\d+Z$")
# The picture, in its own units.
_MOST_BARS = 62
_WIDTH, _HEIGHT = 1000, 160

_VERDICTS = {
    Verdict.INTACT: ("good", "The trail is intact: no event of it was altered, removed, added or moved."),
    Verdict.INCOMPLETE: ("warn", "Nothing is wrong with what is there; some is missing, and the trail says so itself."),
    Verdict.FAULTY: ("bad", "The trail is not intact."),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Bar:
    """Some days of the picture."""

    x: float
    width: float
    height: float
    refused: float
    says: str


@dataclass(frozen=True, slots=True)
class _Shown:
    """A table on the page."""

    table: Table
    count: int
    rows: list[list[str]]


def rendered(summary: Summary, listing: Listing, report: Report, *, trail: bool, signed: bool) -> str:
    """The page, as HTML."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("penstock_cli.evidence", ""), autoescape=True, undefined=jinja2.StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    tables = [
        _Shown(one, listing.count(one), [[_cell(cell) for cell in row] for row in listing.of(one, _SHOWN)])
        for one in TABLES.values()
    ]
    colour, words = _VERDICTS[report.verdict]
    return environment.get_template("index.html").render(
        period=summary.period, events=summary.events, report=report, colour=colour, words=words, tables=tables,
        by_name={one.table.name: one for one in tables}, criteria=CRITERIA, bars=list(_bars(summary)), width=_WIDTH,
        height=_HEIGHT, statements=sum(summary.days.values()), refused=sum(summary.refused_days.values()), trail=trail,
        signed=signed,
    )  # fmt: skip


def _bars(summary: Summary) -> Iterator[_Bar]:
    """Statements over the period, some days to a bar where there are many."""
    if not summary.days:
        return
    first = summary.period.since.date()
    days = (summary.period.until - timedelta(microseconds=1)).date().toordinal() - first.toordinal() + 1
    of_one = -(-days // _MOST_BARS)
    spans = [
        [(first + timedelta(day + more)).isoformat() for more in range(min(of_one, days - day))]
        for day in range(0, days, of_one)
    ]
    counts = [
        (sum(summary.days[day] for day in span), sum(summary.refused_days[day] for day in span)) for span in spans
    ]
    most = max(count for count, _ in counts)
    step = _WIDTH / len(spans)
    for number, (span, (count, refused)) in enumerate(zip(spans, counts, strict=True)):
        name = span[0] if len(span) == 1 else f"{span[0]} to {span[-1]}"
        yield _Bar(
            number * step, step * 0.8, count / most * _HEIGHT, refused / most * _HEIGHT,
            f"{name}: {count:,} statements, {refused:,} refused",
        )  # fmt: skip


def _cell(value: str) -> str:
    # To the second; the file has all of it.
    text = _TIME.sub(r"\1 \2", printable(value))
    return text if len(text) <= _LONGEST_CELL else text[:_LONGEST_CELL] + "…"
