"""What the figures are held against: the targets in `targets.yaml`, and how far a run is from each.

Drawing it is `report.py`'s.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import yaml
from pydantic import BaseModel, ConfigDict, TypeAdapter
from pydantic.alias_generators import to_camel

from bench.figures import Figure, Target

_FILE = Path(__file__).with_name("targets.yaml")
Cell = tuple[str, str, int]


class _Model(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, extra="forbid", frozen=True)


class Beyond(_Model):
    """Another scenario, whose ratio a ratio is divided by; without a mode: in the same mode."""

    scenario: str
    mode: str = ""


class Goal(_Model):
    """One target."""

    words: str
    scenario: str
    modes: tuple[str, ...] = ()
    clients: tuple[int, ...] = ()
    measure: Literal["tps", "p50_us", "p99_us", "cpu_us", "rss_kb"]
    against: Target | None = None
    beyond: Beyond | None = None
    # A scenario whose measure is the unit in which the difference to `against` is told, in place of their ratio.
    units_of: str = ""
    at_least: float | None = None
    at_most: float | None = None

    @property
    def bound(self) -> float:
        """The number to reach, or not to exceed."""
        return self.at_least if self.at_least is not None else self.at_most or 0.0


@dataclass(frozen=True, slots=True)
class Verdict:
    """How one goal stands in one cell."""

    goal: Goal
    mode: str
    clients: int
    value: float

    @property
    def reached(self) -> bool:
        goal = self.goal
        return self.value >= goal.bound if goal.at_least is not None else self.value <= goal.bound


def goals() -> list[Goal]:
    """All targets, in the file's order."""
    return TypeAdapter(list[Goal]).validate_python(yaml.safe_load(_FILE.read_text()))


def verdicts(figures: Sequence[Figure], wanted: Iterable[Goal]) -> Iterator[Verdict]:
    """Each goal in each cell that the figures have for it."""
    by_place = {(figure.cell, figure.target): figure for figure in figures}
    cells = list(dict.fromkeys(figure.cell for figure in figures))
    for goal in wanted:
        for cell in cells:
            if goal.scenario != cell[0] or (goal.modes and cell[1] not in goal.modes):
                continue
            if goal.clients and cell[2] not in goal.clients:
                continue
            value = _value(goal, cell, by_place)
            if value is not None:
                yield Verdict(goal, cell[1], cell[2], value)


def _value(goal: Goal, cell: Cell, figures: Mapping[tuple[Cell, Target], Figure]) -> float | None:
    if goal.against is None:
        figure = figures.get((cell, "penstock"))
        return None if figure is None else getattr(figure, goal.measure)
    if goal.units_of:
        return _difference(goal, cell, figures)
    value = ratio(figures, cell, goal.measure, goal.against)
    if goal.beyond is None or value is None:
        return value
    plain = ratio(figures, (goal.beyond.scenario, goal.beyond.mode or cell[1], cell[2]), goal.measure, goal.against)
    return value / plain if plain else None


def _difference(goal: Goal, cell: Cell, figures: Mapping[tuple[Cell, Target], Figure]) -> float | None:
    """By how much penstock's measure is beyond another's, in units that the same cell measured."""
    places = (cell, "penstock"), (cell, goal.against), ((goal.units_of, *cell[1:]), "direct")
    found = [figures.get(place) for place in places]  # type: ignore[arg-type]  # `against` is given here
    mine, other, unit = (None if one is None else getattr(one, goal.measure) for one in found)
    return (mine - other) / unit if mine is not None and other is not None and unit else None


def ratio(figures: Mapping[tuple[Cell, Target], Figure], cell: Cell, measure: str, against: Target) -> float | None:
    """Penstock's measure to another's, in one cell."""
    ours, theirs = figures.get((cell, "penstock")), figures.get((cell, against))
    mine = None if ours is None else getattr(ours, measure)
    other = None if theirs is None else getattr(theirs, measure)
    return mine / other if mine is not None and other else None
