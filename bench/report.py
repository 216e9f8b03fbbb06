"""A run in words and bars: what each target did, and how far the gate is from its goals.

Which goals there are is `goals.py`'s.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from bench.figures import TARGETS, Figure
from bench.goals import Verdict

_WIDTH = 40
# Bars show values up to this many times the goal.
_FULL = 1.5


def table(figures: Sequence[Figure]) -> Iterator[str]:
    """Each cell's figures, penstock's with its ratios."""
    head = "".join(f"{name:>9}" for name in ("tps", "p50 µs", "p99 µs", "CPU µs"))
    place = f"{'scenario':<20}{'mode':<21}{'clients':>7}  {'target':<10}"
    yield f"{place}{head}{'rss MB':>8}  throughput against direct, pgbouncer"
    by_place = {(figure.cell, figure.target): figure for figure in figures}
    for cell in dict.fromkeys(figure.cell for figure in figures):
        for target in TARGETS:
            figure = by_place.get((cell, target))
            if figure is not None:
                others = [by_place.get((cell, other)) for other in TARGETS[: TARGETS.index(target)]]
                yield _row(figure, others)


def _row(figure: Figure, others: Sequence[Figure | None]) -> str:
    numbers = "".join(f"{_short(value):>9}" for value in (figure.tps, figure.p50_us, figure.p99_us, figure.cpu_us))
    rss = "" if figure.rss_kb is None else f"{figure.rss_kb / 1024:.1f}"
    ratios = "  ".join(
        f"{figure.tps / other.tps:.2f}" for other in others if other is not None and other.tps and figure.tps
    )
    place = f"{figure.scenario:<20}{figure.mode:<21}{figure.clients:>7}  {figure.target:<10}"
    return f"{place}{numbers}{rss:>8}  {ratios}".rstrip()


def _short(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}"


def chart(verdicts: Iterable[Verdict]) -> Iterator[str]:
    """A bar for each verdict; `|` is the goal."""
    said = ""
    for verdict in verdicts:
        goal = verdict.goal
        if goal.words != said:
            said = goal.words
            sign = "≥" if goal.at_least is not None else "≤"
            yield f"\n{goal.words}: {sign} {_short(goal.bound) if goal.bound >= 100 else f'{goal.bound:g}'}"
        mark = round(_WIDTH / _FULL)
        filled = min(_WIDTH, round(verdict.value / goal.bound / _FULL * _WIDTH))
        bar = "".join("|" if at == mark else "█" if at < filled else "·" for at in range(_WIDTH))
        value = f"{verdict.value:.2f}" if verdict.value < 100 else f"{verdict.value:.0f}"
        reached = "reached" if verdict.reached else "missed"
        yield f"  {verdict.mode:<21}{verdict.clients:>4}  {bar}  {value:>8}  {reached}"
