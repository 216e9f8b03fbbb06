"""`python -m bench`: runs the scenarios, prints figures and goals, writes `bench/out/latest.json`.

How it is measured and what the figures are worth: README.md.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import click

from bench import control, memory, people, report, scenarios
from bench import scale as growth
from bench.figures import Figure, medians, write
from bench.goals import goals, verdicts
from bench.processes import BenchError
from bench.scenarios import CLIENTS, MODES, NAMES, Cell, Extent, Lane
from bench.stage import Stage, stage
from penstock_cli.demo.postgres import PostgresError
from penstock_core.compilation import in_words

_OUT = Path(__file__).with_name("out") / "latest.json"


@dataclass(frozen=True, slots=True)
class _Amount:
    """How much of everything."""

    rounds: int
    seconds: int
    scale: int
    sessions: int
    statements: int


_FULL = _Amount(rounds=3, seconds=2, scale=10, sessions=100, statements=40_000)
_QUICK = _Amount(rounds=3, seconds=1, scale=1, sessions=20, statements=2_000)


@click.command()
@click.option("--quick", is_flag=True, help="A minute instead of ten: fewer cells, shorter, a tenth of the rows.")
@click.option("--only", multiple=True, type=click.Choice(NAMES), help="These scenarios only.")
@click.option("--mode", "modes", multiple=True, type=click.Choice(MODES), help="These modes of pgbench only.")
@click.option("--clients", multiple=True, type=click.IntRange(1, 64), help="These numbers of clients only.")
@click.option("--rounds", type=click.IntRange(1), help="Of which the median counts.")
@click.option("--seconds", type=click.IntRange(1), help="For each run of pgbench.")
@click.option("--rows", "scale", type=click.IntRange(1, 100), help="Times 100,000.")
@click.option("--synced", is_flag=True, help="The server syncs what it commits, as one does that is not for tests.")
@click.option("--scale", "grows", is_flag=True, help="Many tables and identities instead: memory, stalls, logins.")
@click.option("--people", "meets", is_flag=True, help="Logins by each way instead, a thousand people, an approval.")
@click.option("--control", "spreads", is_flag=True, help="Streams of policies from control instead.")
@click.option("--streams", type=click.IntRange(2), default=control.STREAMS, help="With --control: so many.")
@click.option("--policies", type=click.IntRange(1), default=control.NAMESPACE_POLICIES, help="Likewise: of a Database.")
@click.option("--tables", multiple=True, type=click.IntRange(1), help="With --scale: these numbers of tables only.")
@click.option(
    "--identities", multiple=True, type=click.IntRange(1), help="With --scale and --people: so many identities only."
)
@click.option("--out", type=click.Path(path_type=Path), default=_OUT, help="Where the figures are written.")
def command(
    quick: bool, only: tuple[str, ...], modes: tuple[str, ...], clients: tuple[int, ...],
    rounds: int | None, seconds: int | None, scale: int | None, synced: bool, grows: bool, meets: bool, spreads: bool,
    streams: int, policies: int, tables: tuple[int, ...], identities: tuple[int, ...], out: Path,
) -> None:  # fmt: skip
    """Measure the gate beside no gate and beside pgbouncer."""
    amount = _QUICK if quick else _FULL
    amount = replace(
        amount, rounds=rounds or amount.rounds, seconds=seconds or amount.seconds, scale=scale or amount.scale
    )
    extent = Extent(
        only or NAMES,
        modes or (("simple", "prepared") if quick else MODES),
        clients or ((1, 16) if quick else CLIENTS),
        amount.seconds,
    )
    began = time.monotonic()
    try:
        with tempfile.TemporaryDirectory(prefix="penstock-bench-") as directory:
            Path(directory).chmod(0o755)
            if grows:
                sizes = tables or growth.TABLES, identities or growth.IDENTITIES
                figures = list(growth.measure(Path(directory), *sizes))
            elif spreads:
                figures = control.measure(Path(directory), streams, policies)
            elif meets:
                many = identities[0] if identities else people.PEOPLE
                figures = list(people.measure(Path(directory), many, 20 if quick else people.LOGINS))
            else:
                _say(f"starting PostgreSQL, pgbouncer and four gates, which are {in_words()}")
                with stage(Path(directory), amount.scale, synced=synced) as running:
                    figures = list(_measure(running, extent, amount))
    except (BenchError, PostgresError, OSError, subprocess.TimeoutExpired) as error:
        raise click.ClickException(str(error)) from None
    write(figures, out)
    for line in (*report.table(figures), *report.chart(verdicts(figures, goals()))):
        click.echo(line)
    _say(f"{len(figures)} figures in {out}, {time.monotonic() - began:.0f} s")


def _measure(running: Stage, extent: Extent, amount: _Amount) -> Iterator[Figure]:
    cells = list(scenarios.cells(running, extent))
    for number, cell in enumerate(cells, start=1):
        yield from _run_cell(cell, running, amount.rounds, f"{number}/{len(cells)}")
    if "memory" in extent.only:
        _say("memory and start")
        yield from memory.measure(running, amount.sessions, amount.statements)


def _run_cell(cell: Cell, running: Stage, rounds: int, place: str) -> Iterator[Figure]:
    """All lanes in turn, several times over; then their medians, one for each scenario that a lane counts in."""
    taken: dict[int, list[Figure]] = {}
    for number in range(rounds):
        names = ", ".join(dict.fromkeys(lane.scenarios[0] for lane in cell.lanes))
        _say(f"{place} {names}: {cell.mode}, {cell.clients} clients, round {number + 1} of {rounds}")
        for index, lane in enumerate(cell.lanes):
            taken.setdefault(index, []).append(_run_lane(lane, cell, running))
    middles = {index: medians(figures) for index, figures in taken.items()}
    for scenario in dict.fromkeys(name for lane in cell.lanes for name in lane.scenarios):
        for index, lane in enumerate(cell.lanes):
            if scenario in lane.scenarios:
                yield replace(middles[index], scenario=scenario)


def _run_lane(lane: Lane, cell: Cell, running: Stage) -> Figure:
    program = lane.endpoint.program
    before = lane.endpoint.rested_cpu_seconds()
    speed = lane.load.run(lane.endpoint, running.binaries)
    figure = Figure(
        lane.scenarios[0], cell.mode, cell.clients, lane.endpoint.target, speed.tps, speed.p50_us, speed.p99_us
    )
    if program is None:
        return figure
    cpu = (lane.endpoint.rested_cpu_seconds() - before) / speed.count * 1e6
    return replace(figure, cpu_us=cpu, rss_kb=program.rss_kb())


def _say(text: str) -> None:
    print(f"bench: {text}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    command()
