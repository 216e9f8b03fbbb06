"""The figures of a run: one for each scenario, mode, number of clients and target; their medians and their file.

How a figure comes about is `load.py`'s and `processes.py`'s; what they are held against `goals.py`'s.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from statistics import median
from typing import Literal

Target = Literal["direct", "pgbouncer", "penstock"]
TARGETS: tuple[Target, ...] = ("direct", "pgbouncer", "penstock")


@dataclass(frozen=True, slots=True)
class Figure:
    """What one target did in one scenario. None: not applicable there, or not measured."""

    scenario: str
    mode: str
    clients: int
    target: Target
    # Transactions (statements, or whole results) a second.
    tps: float | None = None
    p50_us: float | None = None
    p99_us: float | None = None
    # CPU of the proxy's process for each transaction, and its memory after the run.
    cpu_us: float | None = None
    rss_kb: int | None = None

    @property
    def cell(self) -> tuple[str, str, int]:
        """What is compared with each other."""
        return self.scenario, self.mode, self.clients


def medians(rounds: Sequence[Figure]) -> Figure:
    """The middle of each measure over several rounds of the same."""

    def middle(values: Iterable[float | None]) -> float | None:
        known = [value for value in values if value is not None]
        return round(median(known), 1) if known else None

    rss = middle(figure.rss_kb for figure in rounds)
    return replace(
        rounds[0],
        tps=middle(figure.tps for figure in rounds),
        p50_us=middle(figure.p50_us for figure in rounds),
        p99_us=middle(figure.p99_us for figure in rounds),
        cpu_us=middle(figure.cpu_us for figure in rounds),
        rss_kb=None if rss is None else int(rss),
    )


def write(figures: Iterable[Figure], path: Path) -> None:
    """All of them as JSON, a line each."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = ",\n".join(json.dumps(asdict(figure)) for figure in figures)
    path.write_text(f"[\n{lines}\n]\n")


def read(path: Path) -> list[Figure]:
    """What `write` wrote. Raises ValueError for anything else."""
    names = {field.name for field in fields(Figure)}
    figures = []
    for value in json.loads(path.read_text()):
        if not isinstance(value, dict) or value.keys() != names:
            raise ValueError(f"{path}: not a list of figures")
        figures.append(Figure(**value))
    return figures
