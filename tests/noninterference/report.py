"""What a run of the proof says: a table at its end, every leak and refusal, and a file for machines."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table
from tests.noninterference.tally import Finding, Result, Tally

RESULTS: tuple[Result, ...] = ("equal", "refused", "reordered", "unstable", "leaked")


def show(
    console: Console, tally: Tally, open_: Sequence[Finding], stale: Sequence[str], goals: dict[str, float]
) -> None:
    """All of it."""
    console.print(_counts(tally))
    console.print(_useful(tally, goals))
    known = set(open_)
    for one in tally.findings:
        if one.wrong == "leaked" and one not in known:
            console.print(f"[red]leaked[/] {escape(one.line)}")
    for one in tally.findings:
        if one.wrong == "useless" and one not in known:
            console.print(f"[yellow]does not work[/] {escape(one.line)}")
    for one in open_:
        console.print(f"[dim]open ({one.wrong})[/] {escape(one.title)} on {one.postgres}")
    for title in stale:
        console.print(f"[red]listed as open, but it is not[/] {escape(title)}: take it out of known_open.yaml")
    tried = sum(tally.total(result) for result in RESULTS)
    console.print(
        f"tried {tried}, equal {tally.total('equal')}, refused {tally.total('refused')},"
        f" reordered {tally.total('reordered')}, unstable {tally.total('unstable')}, leaked {tally.total('leaked')}"
    )


def _counts(tally: Tally) -> Table:
    drawn = Table(title="Twins that differ in masked columns only")
    for heading in ("part", "PG", "tried", *RESULTS):
        drawn.add_column(heading, justify="left" if heading == "part" else "right")
    for (part, postgres), counter in tally.counts.items():
        cells = [str(counter[result]) for result in RESULTS]
        drawn.add_row(part, str(postgres), str(sum(counter.values())), *cells)
    return drawn


def _useful(tally: Tally, goals: dict[str, float]) -> Table:
    drawn = Table(title="Usefulness")
    for heading in ("list", "PG", "works", "of", "percent", "goal"):
        drawn.add_column(heading, justify="left" if heading == "list" else "right")
    for (name, postgres), (works, count) in tally.useful.items():
        goal = goals.get(name)
        drawn.add_row(
            name,
            str(postgres),
            str(works),
            str(count),
            f"{100 * works / count:.1f}",
            "" if goal is None else f"{goal:.0f}",
        )
    return drawn


def missed(tally: Tally, goals: dict[str, float]) -> list[str]:
    """The lists of which too little works."""
    return [
        f"{name} on PostgreSQL {postgres}: {works} of {count}"
        for (name, postgres), (works, count) in tally.useful.items()
        if name in goals and 100 * works < goals[name] * count
    ]


def write(path: Path, tally: Tally) -> None:
    """The whole of it as JSON."""
    document = {
        "counts": [
            {"part": part, "postgres": postgres, **{result: counter[result] for result in RESULTS}}
            for (part, postgres), counter in tally.counts.items()
        ],
        "useful": [
            {"list": name, "postgres": postgres, "works": works, "of": count}
            for (name, postgres), (works, count) in tally.useful.items()
        ],
        "findings": [
            {
                "wrong": one.wrong, "part": one.part, "title": one.title, "statement": one.said, "why": one.why,
                "postgres": one.postgres, "mode": one.mode,
            }
            for one in tally.findings
        ],
        "toothless": tally.toothless,
    }  # fmt: skip
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
