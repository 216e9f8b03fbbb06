"""`python -m tests.noninterference`: two databases that differ in masked columns only answer every statement alike.

The attacks and the lists of what should work are run whole, on each server version; then PostgreSQL's regression SQL,
sqlsmith and statements made up at random for as many minutes as asked. Ends with 1 where something leaked, too little
works or an entry of `known_open.yaml` is stale, and with 2 where something could not be run.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import click
from rich.console import Console
from rich.markup import escape
from tests.conformance.clients import FetchError
from tests.conformance.stage import StageError
from tests.noninterference import attacking, generated, known, regression, report, smith, useful, worlds
from tests.noninterference.scenes import MODES, Mode, Scene
from tests.noninterference.tally import Finding, Tally
from tests.noninterference.twins import LEFT, LONG, RIGHT, VERSIONS, Filling, Twins, World, twins

from penstock_cli.demo.postgres import PostgresError

OUT = Path(__file__).parents[2] / "build" / "noninterference"
PARTS = (attacking.PART, useful.PART, regression.PART, smith.PART, generated.PART)
GOALS = {**useful.GOALS, **regression.GOALS}
# Of CI's slice: the version that all is asked of, and the one that has the extensions and is asked what needs any; how
# long each part that has no end of its own runs, and how many of the scenes that are made by combining are left out
# between two that are played.
_SLICE_VERSIONS = (18, 15)
_EXTENDED = 15
_SLICE_SECONDS = 30.0
_SLICE_STEP = 4
_TWO = (LEFT, RIGHT)


@dataclass(slots=True)
class Run:
    """What was asked for, and what came of it so far."""

    parts: tuple[str, ...]
    modes: tuple[Mode, ...]
    scenes: list[Scene]
    # For each of the parts without an end of their own, on each version.
    seconds: float
    seed: int
    teeth: bool
    sliced: bool
    twins: tuple[Filling, ...]
    console: Console
    tally: Tally

    def say(self, text: str) -> None:
        minutes, seconds = divmod(int(time.monotonic() - _BEGAN), 60)
        leaked = self.tally.total("leaked")
        self.console.print(f"  [dim]{minutes:3}:{seconds:02}[/] {escape(text)}{f', leaked {leaked}' if leaked else ''}")

    def timer(self) -> Callable[[], bool]:
        """Whether the time of a part that begins now is over."""
        end = time.monotonic() + self.seconds
        return lambda: time.monotonic() >= end

    def wants(self, *parts: str) -> bool:
        return any(part in self.parts for part in parts)


_BEGAN = time.monotonic()


@click.command()
@click.option("--minutes", type=float, default=10.0, show_default=True, help="How long statements are made up.")
@click.option("--postgres", "versions", multiple=True, type=click.Choice([str(one) for one in VERSIONS]))
@click.option("--part", "parts", multiple=True, type=click.Choice(PARTS), help="Only this one.")
@click.option("--mode", "modes", multiple=True, type=click.Choice(MODES), help="Only this protocol.")
@click.option("--only", multiple=True, help="Of the attacks, those whose titles contain this.")
@click.option("--seed", type=int, default=None, help="Where made-up statements begin; another each time by default.")
@click.option("--slice", "part_of_it", is_flag=True, help="Only what fits some minutes of CI, known_open.yaml excused.")
@click.option("--write-known", is_flag=True, help="List in known_open.yaml what this run finds.")
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), default=OUT, show_default=True)
def main(
    minutes: float, versions: tuple[str, ...], parts: tuple[str, ...], modes: tuple[Mode, ...], only: tuple[str, ...],
    seed: int | None, part_of_it: bool, write_known: bool, out: Path,
) -> None:  # fmt: skip
    """Try to tell twins apart."""
    console = Console(highlight=False, soft_wrap=True)
    chosen = tuple(int(one) for one in versions) or (_SLICE_VERSIONS if part_of_it else VERSIONS)
    run = Run(
        parts or PARTS, modes or (("simple",) if part_of_it else MODES), _scenes(only, sliced=part_of_it),
        _SLICE_SECONDS if part_of_it else minutes * 60 / len(chosen) / 3, 1 if part_of_it else seed or int(time.time()),
        not part_of_it, part_of_it, _TWO if part_of_it else (*_TWO, LONG), console, Tally(),
    )  # fmt: skip
    console.print(f"seed {run.seed}")
    broken = False
    for version in chosen:
        console.print(f"[bold]PostgreSQL {version}[/]")
        try:
            _version(run, version)
        except (FetchError, StageError, PostgresError) as error:
            console.print(f"  [red]could not be run[/]: {escape(str(error))}")
            broken = True
    sys.exit(2 if broken else _end(run, part_of_it, write_known, out))


def _scenes(only: tuple[str, ...], *, sliced: bool) -> list[Scene]:
    found = attacking.scenes(only)
    if not sliced or only:
        return found
    combined = [one for one in found if one.kind == attacking.COMBINED]
    return [one for one in found if one.kind != attacking.COMBINED] + combined[::_SLICE_STEP]


def _version(run: Run, version: int) -> None:
    """All parts on one server version, one world after the other."""
    if run.sliced and version == _EXTENDED:
        with _stage(version, worlds.attacked(run.twins)) as both:
            attacking.run(both, [one for one in run.scenes if one.needs], run.modes, run.tally, run.say)
        return
    if run.wants(attacking.PART, generated.PART):
        with _stage(version, worlds.attacked(run.twins)) as both:
            if run.wants(attacking.PART):
                attacking.run(both, run.scenes, run.modes, run.tally, run.say)
            if run.wants(generated.PART):
                generated.run(both, run.seed, run.tally, run.say, run.timer())
            if run.wants(attacking.PART) and run.teeth:
                run.tally.toothless += attacking.toothless(both, run.scenes)
    if run.wants(useful.PART):
        with _stage(version, worlds.app()) as both:
            useful.run(both, run.tally, run.say)
    if run.wants(regression.PART, smith.PART):
        with _stage(version, worlds.regression()) as both:
            if run.wants(regression.PART):
                regression.run(both, run.tally, run.say, run.timer())
            if run.wants(smith.PART):
                smith.run(both, run.seed % 1_000_000, run.tally, run.say, run.timer())


@contextmanager
def _stage(version: int, world: World) -> Iterator[Twins]:
    with tempfile.TemporaryDirectory(prefix="penstock-noninterference-") as directory:
        # The servers' account has to pass through.
        Path(directory).chmod(0o755)
        with twins(Path(directory), version, world) as both:
            yield both


def _end(run: Run, sliced: bool, write_known: bool, out: Path) -> int:
    """Say what came of it; the exit status."""
    tally = run.tally
    entries = known.load() if sliced else []
    # Of the regression SQL, what does not work counts by its goal alone.
    judged = [one for one in tally.findings if not (one.wrong == "useless" and one.part == regression.PART)]
    unknown = known.unknown(judged, entries)
    excused = [one for one in judged if one not in unknown]
    stale = known.stale(judged, entries, _tried(run)) if sliced else []
    report.show(run.console, tally, excused, stale, GOALS)
    report.write(out / "report.json", tally)
    run.console.print(f"{out / 'report.json'} has all of it.")
    if write_known:
        known.write(judged)
    failing: list[Finding] = unknown if sliced else list(tally.leaks())
    missed = report.missed(tally, regression.GOALS if sliced else GOALS)
    for line in missed:
        run.console.print(f"[red]too little works[/] {escape(line)}")
    return 1 if failing or stale or missed else 0


def _tried(run: Run) -> list[str]:
    """The titles of all that was tried and could have been found."""
    found = [one.title for one in run.scenes] if run.wants(attacking.PART) else []
    return found + (useful.titles() if run.wants(useful.PART) else [])


if __name__ == "__main__":
    main()
