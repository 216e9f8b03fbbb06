"""`python -m tests.conformance`: database clients' own test suites, direct and through the gate.

Every test that passes direct has to pass through the gate, whose policy allows all and masks nothing, or stand in
`exceptions.yaml` with its reason. Ends with 1 if not, and with 2 if a suite could not be run.
"""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path

import click
from rich.console import Console
from rich.markup import escape
from tests.conformance import listed, report
from tests.conformance.clients import FetchError
from tests.conformance.kinds import Suite
from tests.conformance.listed import Exemption
from tests.conformance.runs import Comparison, Plan, compare
from tests.conformance.stage import StageError
from tests.conformance.suites import SUITES

from penstock_cli.demo.postgres import PostgresError

OUT = Path(__file__).parents[2] / "build" / "conformance"
_SAY_SECONDS = 20.0


@click.command()
@click.option("--suite", "names", multiple=True, type=click.Choice([one.name for one in SUITES]), help="Only this one.")
@click.option("--slice", "part", is_flag=True, help="Only what fits some minutes of CI.")
@click.option("--postgres", type=click.Choice(["15", "16", "18"]), help="Another server than the suite's usual one.")
@click.option("--only", multiple=True, help="Only this test of the one suite that --suite names, by its own name.")
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), default=OUT, show_default=True)
def main(names: tuple[str, ...], part: bool, postgres: str | None, only: tuple[str, ...], out: Path) -> None:
    """Run clients' own test suites, direct and through the gate."""
    if only and len(names) != 1:
        raise click.UsageError("--only needs --suite with the name of one suite")
    console = Console(highlight=False, soft_wrap=True)
    exemptions = listed.load()
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    results: list[Comparison] = []
    broken = False
    for suite in SUITES:
        if (names and suite.name not in names) or (part and not suite.part):
            continue
        if suite.needs and postgres not in (None, "15"):
            console.print(f"[bold]{suite.name}[/] is left out: PostgreSQL {postgres} has no {suite.needs} here")
            continue
        plan = Plan(suite, out.resolve() / suite.name, int(postgres or suite.postgres), part, only)
        result = _one(console, plan, exemptions)
        if result is None:
            broken = True
            continue
        results.append(result)
        report.complain(console, result)
        report.write(out / "report.json", results)
    console.print(report.table(results))
    console.print(f"{out / 'report.json'} has all of it.")
    sys.exit(2 if broken else 0 if all(one.green for one in results) else 1)


def _one(console: Console, plan: Plan, exemptions: list[Exemption]) -> Comparison | None:
    console.print(f"[bold]{plan.suite.name}[/] on PostgreSQL {plan.postgres}")
    try:
        _fetch(console, plan.suite)
        return compare(plan, exemptions, _saying(console))
    except (FetchError, StageError, PostgresError) as error:
        console.print(f"  [red]could not be run[/]: {escape(str(error))}")
        return None


def _fetch(console: Console, suite: Suite) -> None:
    with console.status("fetching and building; the first time takes minutes"):
        suite.fetch()


def _saying(console: Console) -> Callable[[str, int], None]:
    """Say from time to time how far a run has come."""
    said = time.monotonic()

    def progress(what: str, count: int) -> None:
        nonlocal said
        if time.monotonic() - said >= _SAY_SECONDS:
            said = time.monotonic()
            console.print(f"  {what}: {count} tests so far")

    return progress


if __name__ == "__main__":
    main()
