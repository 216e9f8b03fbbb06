"""What a run of the suites says: lines while it goes on, a table at its end, and a file for machines.

What is counted and compared is `runs.py`'s.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table
from tests.conformance import outcomes
from tests.conformance.outcomes import Result
from tests.conformance.runs import Comparison

_MOST_NAMED = 20


def table(results: Sequence[Comparison]) -> Table:
    """One line for each suite."""
    drawn = Table(title="Clients' own tests, direct and through the gate")
    for heading in (
        "suite",
        "PG",
        "pass direct",
        "pass through",
        "listed",
        "second try",
        "unlisted",
        "on record",
        "seconds",
    ):
        drawn.add_column(heading, justify="left" if heading == "suite" else "right")
    for one in results:
        drawn.add_row(
            one.suite,
            str(one.postgres),
            str(one.passed),
            str(outcomes.count(one.through, "passed")),
            str(len(one.excused)),
            str(len(one.repeated)),
            str(len(one.unlisted)),
            f"{one.recorded:,}",
            f"{one.seconds_direct:.0f} / {one.seconds_through:.0f}",
        )
    return drawn


def complain(console: Console, result: Comparison) -> None:
    """Name what is not as it should be."""
    for test, outcome in list(result.unlisted.items())[:_MOST_NAMED]:
        console.print(f"  [red]differs[/] {escape(test)}: {outcome.result} through the gate; {_last(outcome.message)}")
    if len(result.unlisted) > _MOST_NAMED:
        console.print(f"  and {len(result.unlisted) - _MOST_NAMED} more")
    for test, outcome in result.repeated.items():
        console.print(f"  [yellow]passed at the second try[/] {escape(test)}; before: {_last(outcome.message)}")
    for words in result.untrue[:_MOST_NAMED]:
        console.print(f"  [red]the trail is not as the server's log[/] {escape(words[:300])}")
    for pattern in result.stale:
        console.print(f"  [red]listed, but passes[/] {escape(pattern)}: take it out of exceptions.yaml")


def _last(message: str) -> str:
    lines = [line.strip() for line in message.strip().splitlines() if line.strip()]
    # A refusal has a hint behind its reason.
    lines = [line for line in lines if "penstock: " in line] or lines
    return escape(lines[-1][:200]) if lines else "it said nothing"


def write(path: Path, results: Sequence[Comparison]) -> None:
    """The whole of it as JSON."""
    path.write_text(json.dumps({"suites": [_document(one) for one in results]}, indent=2) + "\n", encoding="utf-8")


def _document(one: Comparison) -> dict[str, Any]:
    results: tuple[Result, ...] = ("passed", "failed", "skipped")
    return {
        "suite": one.suite,
        "postgres": one.postgres,
        "green": one.green,
        "direct": {result: outcomes.count(one.direct, result) for result in results},
        "through": {result: outcomes.count(one.through, result) for result in results},
        "seconds": {"direct": round(one.seconds_direct, 1), "through": round(one.seconds_through, 1)},
        "auditEvents": one.events,
        "besideTheLog": {"statements": one.recorded, "differences": one.untrue},
        "unlisted": {test: outcome.message for test, outcome in one.unlisted.items()},
        "excused": one.excused,
        "secondTry": {test: outcome.message for test, outcome in one.repeated.items()},
        "stale": one.stale,
    }
