"""`python -m tests.applications`: applications, direct, through a gate, and through one that masks.

What works direct has to work through a gate that allows all and masks nothing, and show the same; with masks it has to
work too, or to stand in `exceptions.yaml` with its reason, and to show no masked value. Ends with 1 if not, and with 2
if an application could not be run.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import click
from rich.console import Console
from rich.markup import escape
from tests.applications import listed, report, runs
from tests.applications.listed import Exemption
from tests.applications.programs import APPLICATIONS, Application
from tests.applications.runs import ARMS, Arm, Comparison, Plan
from tests.conformance import stage
from tests.conformance.clients import FetchError
from tests.conformance.stage import StageError

from penstock_cli.demo.postgres import EmbeddedPostgres, PostgresError

OUT = Path(__file__).parents[2] / "build" / "applications"
# Where there is no terminal.
_WIDTH = 110
VERSIONS = ("15", "16", "18")


@dataclass(slots=True)
class Session:
    """What was asked for, and what came of it so far."""

    console: Console
    out: Path
    arms: tuple[Arm, ...]
    exemptions: list[Exemption]
    results: list[Comparison] = field(default_factory=list)
    broken: bool = False


@click.command()
@click.option("--application", "names", multiple=True, type=click.Choice([one.name for one in APPLICATIONS]))
@click.option("--postgres", "versions", multiple=True, type=click.Choice(VERSIONS), default=("15", "18"))
@click.option(
    "--arm", "arms", multiple=True, type=click.Choice(ARMS), help="Only this one, and what it is compared to."
)
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), default=OUT, show_default=True)
def main(names: tuple[str, ...], versions: tuple[str, ...], arms: tuple[Arm, ...], out: Path) -> None:
    """Run applications direct and through the gate."""
    session = Session(
        Console(highlight=False, soft_wrap=True, width=None if sys.stdout.isatty() else _WIDTH),
        out.resolve(),
        arms or ARMS,
        listed.load(),
    )
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    chosen = [one for one in APPLICATIONS if not names or one.name in names]
    for version in versions:
        try:
            with _server(int(version)) as server:
                for application in chosen:
                    _one(session, application, server)
        except (StageError, PostgresError) as error:
            session.console.print(f"PostgreSQL {version} [red]could not be run[/]: {escape(str(error))}")
            session.broken = True
    session.console.print(report.table(session.results))
    session.console.print(f"{out / 'report.json'} has all of it.")
    sys.exit(2 if session.broken else 0 if all(one.green for one in session.results) else 1)


@contextmanager
def _server(version: int) -> Iterator[EmbeddedPostgres]:
    with tempfile.TemporaryDirectory(prefix="penstock-applications-") as directory:
        # The server's account has to pass through.
        Path(directory).chmod(0o755)
        with stage.server(Path(directory), version, {}) as server:
            runs.create_login(server)
            yield server


def _one(session: Session, application: Application, server: EmbeddedPostgres) -> None:
    console = session.console
    console.print(f"[bold]{application.name}[/] on PostgreSQL {server.version}")
    try:
        with console.status("fetching and building; the first time takes minutes"):
            installed = application.recipe.install()
        place = session.out / f"{application.name}-{server.version}"
        plan = Plan(application, installed, server, place, session.arms)
        result = runs.compare(plan, session.exemptions, lambda arm: console.print(f"  {arm}"))
    except (FetchError, StageError, PostgresError) as error:
        console.print(f"  [red]could not be run[/]: {escape(str(error))}")
        session.broken = True
        return
    session.results.append(result)
    report.complain(console, result)
    report.write(session.out / "report.json", session.results)


if __name__ == "__main__":
    main()
