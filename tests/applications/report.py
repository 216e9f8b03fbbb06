"""What a run of the applications says: what is wrong while it goes on, a table at its end, and a file for machines.

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
from tests.applications.runs import ARMS, Arm, Comparison


def table(results: Sequence[Comparison]) -> Table:
    """One line for each application and server version."""
    drawn = Table(title="Applications, direct and through the gate")
    for heading in ("application", "PG", "steps", "direct", "unmasked", "masked", "listed", "unlisted", "seconds"):
        drawn.add_column(heading, justify="left" if heading == "application" else "right", no_wrap=True)
    for one in results:
        drawn.add_row(
            one.application,
            str(one.postgres),
            str(len(one.runs["direct"].found)),
            *(str(one.right(arm)) if arm in one.runs else "" for arm in ARMS),
            str(len(one.excused)) if "masked" in one.runs else "",
            str(sum(len(wrong) for wrong in one.unlisted.values())),
            " / ".join(f"{one.runs[arm].seconds:.0f}" for arm in ARMS if arm in one.runs),
        )
    return drawn


def complain(console: Console, result: Comparison) -> None:
    """Name what is not as it should be."""
    for arm, wrong in result.unlisted.items():
        for step, error in wrong.items():
            console.print(f"  [red]{arm}[/] {escape(step)}: {escape(error)}")
    for step in result.stale:
        console.print(f"  [red]listed, but works or fails otherwise[/] {escape(step)}: see exceptions.yaml")
    for secret in result.toothless:
        console.print(f"  [red]no step shows it even direct[/] {escape(secret)}: its hiding would prove nothing")


def write(path: Path, results: Sequence[Comparison]) -> None:
    """The whole of it as JSON."""
    path.write_text(json.dumps({"applications": [_document(one) for one in results]}, indent=2) + "\n")


def _document(one: Comparison) -> dict[str, Any]:
    return {
        "application": one.application,
        "postgres": one.postgres,
        "green": one.green,
        "arms": {arm: _arm(one, arm) for arm in one.runs},
        "excused": one.excused,
        "stale": one.stale,
        "toothless": one.toothless,
    }


def _arm(one: Comparison, arm: Arm) -> dict[str, Any]:
    run = one.runs[arm]
    return {
        "seconds": round(run.seconds, 1),
        "steps": len(run.found),
        "right": one.right(arm),
        "unlisted": one.unlisted.get(arm, {}),
        "auditEvents": run.events,
    }
